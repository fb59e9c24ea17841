//! The kernel modules that a guest needs, with what they depend on, unpacked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kernels::Kernel;
use crate::tool;

/// One module, ready to be loaded.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its file's name, ending in `.ko`.
    pub name: String,
    /// Its parameters.
    pub parameters: String,
    /// The ELF file.
    pub content: Vec<u8>,
}

/// A device that a guest can have: what QEMU adds for it, and the modules it takes, as alternatives for older kernels.
#[derive(Debug)]
pub struct Device {
    /// The name that `--device` takes.
    pub name: &'static str,
    /// QEMU's name for it, when there is hardware to add.
    pub hardware: Option<&'static str>,
    /// The module's name, newest first.
    modules: &'static [&'static str],
    /// The kernel's configuration option, for what may be built in without being known as a module.
    option: &'static str,
}

/// The devices there are, beside vgem, which every guest has.
pub const DEVICES: &[Device] = &[
    Device {
        name: "virtio-gpu",
        hardware: Some("virtio-gpu-pci"),
        modules: &["virtio-gpu"],
        option: "CONFIG_DRM_VIRTIO_GPU",
    },
    Device {
        name: "bochs",
        hardware: Some("bochs-display"),
        modules: &["bochs", "bochs-drm"],
        option: "CONFIG_DRM_BOCHS",
    },
    Device { name: "qxl", hardware: Some("qxl"), modules: &["qxl"], option: "CONFIG_DRM_QXL" },
    Device { name: "udmabuf", hardware: None, modules: &["udmabuf"], option: "CONFIG_UDMABUF" },
];

/// The device of that name.
///
/// # Errors
/// When there is none.
pub fn device(name: &str) -> Result<&'static Device> {
    DEVICES.iter().find(|device| device.name == name).with_context(|| {
        let names: Vec<_> = DEVICES.iter().map(|device| device.name).collect();
        format!("unknown device `{name}`: give one of {}", names.join(", "))
    })
}

/// The modules for the guest's own plumbing, vgem, the devices, and what was asked for by name, in the order to load them.
///
/// A kernel without a folder of modules is taken for one that has everything built in.
///
/// # Errors
/// When a kernel has neither the module nor the same built in.
pub fn closure(kernel: &Kernel, devices: &[&Device], named: &[String]) -> Result<Vec<Module>> {
    if !kernel.modules().is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut add = |alternatives: &[&str]| -> Result<bool> {
        for name in alternatives {
            if let Some(found) = depends(kernel, name)? {
                for entry in found {
                    if !files.iter().any(|(file, _)| *file == entry.0) {
                        files.push(entry);
                    }
                }
                return Ok(true);
            }
        }
        Ok(false)
    };
    let plumbing = ["virtio_pci", "virtio_console", "virtio_blk", "vgem"];
    for name in plumbing.into_iter().chain(named.iter().map(String::as_str)) {
        if !add(&[name])? {
            bail!("kernel `{}` has no module `{name}`", kernel.version);
        }
    }
    for device in devices {
        if !add(device.modules)? && !built_in(kernel, device) {
            bail!("kernel `{}` has no driver for the device `{}`", kernel.version, device.name);
        }
    }
    files.into_iter().map(|(file, parameters)| load(&file, parameters)).collect()
}

/// Does the kernel have this device's module, or the same built in?
///
/// # Errors
/// When `modprobe` cannot be run.
pub fn supports(kernel: &Kernel, device: &Device) -> Result<bool> {
    for name in device.modules {
        if has(kernel, name)? {
            return Ok(true);
        }
    }
    Ok(built_in(kernel, device))
}

/// Does the kernel have this module, or the same built in? One without a folder of modules is believed to.
///
/// # Errors
/// When `modprobe` cannot be run.
pub fn has(kernel: &Kernel, name: &str) -> Result<bool> {
    Ok(!kernel.modules().is_dir() || depends(kernel, name)?.is_some())
}

fn built_in(kernel: &Kernel, device: &Device) -> bool {
    let config = fs::read_to_string(kernel.root.join("config")).unwrap_or_default();
    config.lines().any(|line| line.strip_prefix(device.option) == Some("=y"))
}

/// What has to be loaded for a module, with parameters; nothing for what is built in, `None` for what there is not.
fn depends(kernel: &Kernel, name: &str) -> Result<Option<Vec<(PathBuf, String)>>> {
    let said = tool::command("modprobe")?
        .arg("-d")
        .arg(&kernel.root)
        .args(["-C", "/dev/null", "-S", &kernel.version, "--show-depends", name])
        .env("LC_ALL", "C")
        .output()
        .context("cannot run `modprobe`")?;
    if !said.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&said.stdout);
    let mut files = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("insmod ") else { continue };
        let (file, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
        files.push((PathBuf::from(file), parameters.trim().to_owned()));
    }
    Ok(Some(files))
}

/// Reads a module, unpacking it when it is packed.
fn load(file: &Path, parameters: String) -> Result<Module> {
    let text = file.to_string_lossy();
    let packer = match file.extension().and_then(|end| end.to_str()) {
        Some("xz") => Some("xz"),
        Some("zst") => Some("zstd"),
        Some("gz") => Some("gzip"),
        _ => None,
    };
    let content = match packer {
        Some(packer) => tool::output(tool::command(packer)?.arg("-dc").arg(file))?.stdout,
        None => fs::read(file).with_context(|| format!("cannot read the module `{text}`"))?,
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let end = name.find(".ko").map_or(name.len(), |at| at + 3);
    Ok(Module { name: name.get(..end).unwrap_or(&name).to_owned(), parameters, content })
}
