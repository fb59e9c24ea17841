//! What the running kernel says about itself, read from `/proc`, `/sys` and the module's file, for the plan.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gemscope_probes::catalogue;
use gemscope_probes::facts::{self, Input, KernelFacts};

use crate::prereq;

/// Why the kernel could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list of symbols could not be read.
    #[error("cannot read `/proc/kallsyms`: {0}; run as root, on a kernel built with `CONFIG_KALLSYMS=y`")]
    Symbols(#[source] io::Error),
    /// It could be read, and not understood.
    #[error(transparent)]
    Facts(#[from] facts::Error),
}

/// Reads everything that the plan needs.
///
/// # Errors
/// [`Error`] when there are no symbols. What else is missing lowers what can be seen, and the plan says so.
pub fn kernel_facts() -> Result<KernelFacts, Error> {
    let kallsyms = fs::read("/proc/kallsyms").map_err(Error::Symbols)?;
    let vmlinux = fs::read("/sys/kernel/btf/vmlinux").ok();
    let modules: Vec<(String, Vec<u8>)> = catalogue_modules()
        .into_iter()
        .filter_map(|name| Some((name.clone(), fs::read(Path::new("/sys/kernel/btf").join(name)).ok()?)))
        .collect();
    let module_btf: Vec<(&str, &[u8])> =
        modules.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let drm_ko = module_file(&release, "drm").and_then(|path| fs::read(path).ok());
    let version = fs::read_to_string("/proc/version").ok();
    let facts = KernelFacts::new(Input {
        kallsyms: &kallsyms,
        vmlinux_btf: vmlinux.as_deref(),
        module_btf: &module_btf,
        drm_ko: drm_ko.as_deref(),
        version: version.as_deref(),
    })?;
    // What may be traced: the kernel refuses functions that were compiled without a place for it.
    let traceable = prereq::tracefs().and_then(|root| fs::read(root.join("available_filter_functions")).ok());
    Ok(match traceable {
        Some(list) => facts.with_traceable(&list),
        None => facts,
    })
}

/// The modules that the catalogue names, as the kernel spells them.
fn catalogue_modules() -> BTreeSet<String> {
    catalogue::rows()
        .flat_map(catalogue::Row::symbols)
        .map(|symbol| symbol.module.replace('-', "_"))
        .filter(|module| module != "vmlinux")
        .collect()
}

/// Where the module's file is, by the list that depmod made.
fn module_file(release: &str, module: &str) -> Option<PathBuf> {
    let folders = [Path::new("/lib/modules").join(release), Path::new("/usr/lib/modules").join(release)];
    folders.into_iter().find_map(|folder| {
        let list = fs::read_to_string(folder.join("modules.dep")).ok()?;
        let path = module_line(&list, module)?;
        Some(folder.join(path))
    })
}

/// The path in the line of `modules.dep` that is about this module.
fn module_line<'a>(list: &'a str, module: &str) -> Option<&'a str> {
    list.lines().filter_map(|line| Some(line.split_once(':')?.0)).find(|path| {
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split_once(".ko").is_some_and(|(name, _)| name.replace('-', "_") == module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_by_its_own_line() {
        let list = "kernel/drivers/gpu/drm/drm_kms_helper.ko.xz: kernel/drivers/gpu/drm/drm.ko.xz\n\
                    kernel/drivers/gpu/drm/drm.ko.xz:\nkernel/a/virtio-gpu.ko: b.ko\n";
        assert_eq!(module_line(list, "drm"), Some("kernel/drivers/gpu/drm/drm.ko.xz"));
        assert_eq!(module_line(list, "virtio_gpu"), Some("kernel/a/virtio-gpu.ko"));
        assert_eq!(module_line(list, "dr"), None);
        assert_eq!(module_line("", "drm"), None);
    }
}
