//! What the running kernel says about itself, read from `/proc`, `/sys` and the module's file, for the plan.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gemscope_probes::catalogue;
use gemscope_probes::facts::{self, Input, KernelFacts};

use crate::{kallsyms, prereq};

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
/// Which functions may be traced is found out where a probe could sit on another one instead; of all others the kernel says so when they
/// are probed.
///
/// # Errors
/// [`Error`] when there are no symbols. What else is missing lowers what can be seen, and the plan says so.
pub fn kernel_facts() -> Result<KernelFacts, Error> {
    let facts = look()?;
    let list = traceable().and_then(|file| unless_all(file, facts.doubtful()));
    Ok(match list {
        Some(list) => facts.with_traceable(&list),
        None => facts,
    })
}

/// The same for who attaches nothing: of every function it is known whether it may be traced.
///
/// # Errors
/// As [`kernel_facts`].
pub fn all_kernel_facts() -> Result<KernelFacts, Error> {
    let facts = look()?;
    let mut list = Vec::new();
    match traceable().map(|mut file| file.read_to_end(&mut list)) {
        Some(Ok(_)) => Ok(facts.with_traceable(&list)),
        _ => Ok(facts),
    }
}

/// The functions that may be traced: the kernel refuses those that were compiled without a place for it.
fn traceable() -> Option<File> {
    File::open(prereq::tracefs()?.join("available_filter_functions")).ok()
}

/// A list of functions, a line for each; nothing when all that are asked for are in it, which mostly takes a part of it. The kernel
/// makes it line by line, and takes its time for each.
fn unless_all(mut list: impl io::Read, mut wanted: BTreeSet<&'static str>) -> Option<Vec<u8>> {
    let (mut text, mut seen) = (Vec::new(), 0);
    let mut part = [0; 4096];
    while !wanted.is_empty() {
        let len = list.read(&mut part).ok()?;
        text.extend_from_slice(part.get(..len)?);
        let new = text.get(seen..).unwrap_or_default();
        let whole =
            if len == 0 { new.len() } else { new.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) };
        for line in new.get(..whole).unwrap_or_default().split(|b| *b == b'\n') {
            let name = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            wanted.retain(|wanted| wanted.as_bytes() != name);
        }
        if len == 0 {
            return (!wanted.is_empty()).then_some(text);
        }
        seen += whole;
    }
    None
}

fn look() -> Result<KernelFacts, Error> {
    let kallsyms = kallsyms::last().map_err(Error::Symbols)?;
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
    Ok(KernelFacts::new(Input {
        kallsyms: &kallsyms,
        vmlinux_btf: vmlinux.as_deref(),
        module_btf: &module_btf,
        drm_ko: drm_ko.as_deref(),
        version: version.as_deref(),
    })?)
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
    fn a_list_is_read_as_far_as_it_takes() {
        let line = |n: u32| format!("function_{n} [module]\n");
        let list: String = (0..1000).map(line).collect();
        let mut rest = list.as_bytes();
        assert_eq!(unless_all(&mut rest, ["function_3", "function_300"].into()), None);
        assert!(!rest.is_empty() && !rest.starts_with(b"function_0"), "it stopped on the way");
        let mut rest = list.as_bytes();
        assert_eq!(
            unless_all(&mut rest, ["function_3", "function_30000"].into()),
            Some(list.clone().into_bytes())
        );
        assert_eq!(unless_all(list.trim_end().as_bytes(), ["function_999"].into()), None);
        assert_eq!(unless_all(&b""[..], ["a"].into()), Some(Vec::new()));
        assert_eq!(unless_all(&b"a b\n"[..], ["b"].into()), Some(b"a b\n".to_vec()));
        let mut rest = list.as_bytes();
        assert_eq!(unless_all(&mut rest, [].into()), None);
        assert_eq!(rest.len(), list.len(), "nothing was asked for");
    }

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
