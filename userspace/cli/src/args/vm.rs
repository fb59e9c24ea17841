//! Arguments of a check in a virtual machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const HEADING: &str = "Virtual machine";

/// Another kernel than the host's.
#[derive(Clone, Debug, Args)]
pub struct VmArgs {
    /// Run it in a virtual machine with this kernel: 5.10, 6.1, 6.12, 6.18, newest, a package as
    /// linux-image-6.1.0-56-amd64, or an image as /boot/vmlinuz-6.1.0-56-amd64
    #[arg(long, value_name = "KERNEL", help_heading = HEADING, conflicts_with_all = ["trace", "source"])]
    pub in_vm: Option<String>,
    /// The modules of an image [default: /lib/modules/RELEASE]
    #[arg(long, value_name = "DIR", help_heading = HEADING, requires = "in_vm")]
    pub in_vm_modules: Option<PathBuf>,
    /// A device beside vgem: virtio-gpu, bochs, qxl, udmabuf; may be given again [default: virtio-gpu and udmabuf, where
    /// the kernel has them]
    #[arg(long, value_name = "DEVICE", help_heading = HEADING, requires = "in_vm")]
    pub vm_device: Vec<String>,
    /// Its memory, in MiB; what CMD writes is in it too
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(256..), help_heading = HEADING, requires = "in_vm")]
    pub vm_memory: u32,
    /// How CMD gets at the host's files [default: shared, where QEMU and the kernel can]
    #[arg(long, value_enum, value_name = "HOW", help_heading = HEADING, requires = "in_vm")]
    pub vm_files: Option<VmFiles>,
    /// With copied files, copy this file or folder too; may be given again
    #[arg(long, value_name = "PATH", help_heading = HEADING, requires = "in_vm")]
    pub vm_copy: Vec<PathBuf>,
    /// Bring this file or folder back that CMD writes; may be given again
    #[arg(long, value_name = "PATH", help_heading = HEADING, requires = "in_vm")]
    pub vm_out: Vec<PathBuf>,
}

/// How a virtual machine gets at the host's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VmFiles {
    /// All of them can be read there, by 9p
    Shared,
    /// CMD's program and its libraries are copied, and what --vm-copy names
    Copied,
}
