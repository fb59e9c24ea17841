//! A kernel that is not running: its image and its modules, as files.

mod tables;

use std::borrow::Cow;

use crate::catalogue;
use crate::compress;
use crate::facts::{self, KernelFacts};
use crate::fallback::Evidence;
use crate::module::{self, Elf};
use crate::symbols::{Builder, VMLINUX};

/// Why a kernel image could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither a bzImage nor a vmlinux.
    #[error("neither a bzImage nor an ELF vmlinux for x86-64: {0}")]
    Format(String),
    /// The payload could not be unpacked.
    #[error("the kernel's payload: {0}")]
    Unpack(#[from] compress::Error),
    /// No symbols.
    #[error("no symbol tables in the image: the kernel needs CONFIG_KALLSYMS")]
    NoSymbols,
}

/// The vmlinux of a kernel image, uncompressed: from a bzImage, or as it is.
///
/// # Errors
/// [`Error`] when it is neither, or damaged.
pub fn vmlinux(image: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    if image.starts_with(b"\x7fELF") {
        return Ok(Cow::Borrowed(image));
    }
    if image.get(0x202..0x206) != Some(b"HdrS") {
        // A vmlinux may be compressed as a whole.
        return match compress::unpack(image)? {
            Cow::Owned(inner) if inner.starts_with(b"\x7fELF") => Ok(Cow::Owned(inner)),
            _ => Err(Error::Format("no boot header".into())),
        };
    }
    // Linux x86 boot protocol: the setup's sectors, then the protected-mode code with the payload inside.
    let u32_at = |at: usize| {
        let bytes = image.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let payload = || {
        let setup = match *image.get(0x1f1)? {
            0 => 4,
            n => usize::from(n),
        };
        let start = (setup + 1) * 512 + u32_at(0x248)?;
        image.get(start..start.checked_add(u32_at(0x24c)?)?)
    };
    let payload = payload().ok_or_else(|| Error::Format("the payload lies outside the file".into()))?;
    Ok(compress::unpack(payload)?)
}

/// Adds the kernel's own symbols to `into`.
///
/// # Errors
/// [`Error`] when there are none.
pub fn collect_symbols(vmlinux: &[u8], into: &mut Builder) -> Result<(), Error> {
    let elf = Elf::parse(vmlinux).map_err(|e: module::Error| Error::Format(e.to_string()))?;
    if elf.rodata().any(|data| tables::collect(data, into)) {
        return Ok(());
    }
    // An unstripped vmlinux.
    elf.collect_symbols(VMLINUX, into);
    if into.is_empty() { Err(Error::NoSymbols) } else { Ok(()) }
}

/// The name of the module in a file of this name: `virtio_gpu` for `virtio-gpu.ko.xz`. `None` when it is no module.
#[must_use]
pub fn module_name(file_name: &str) -> Option<String> {
    let (name, rest) = file_name.split_once(".ko")?;
    matches!(rest, "" | ".xz" | ".zst" | ".gz" | ".lz4").then(|| name.replace('-', "_"))
}

/// Do the probes look at this module? Only these need to be read of the thousands that a kernel has.
#[must_use]
pub fn wants_module(name: &str) -> bool {
    let name = name.replace('-', "_");
    catalogue::rows().flat_map(catalogue::Row::symbols).any(|s| s.module == name)
}

/// The facts of a kernel that is not running.
///
/// `modules` are names and the bytes of the files, compressed or not; a name may be a file's. Those that
/// [`wants_module`] does not ask for are passed over. Every module given counts as loaded, and addresses are not known.
///
/// # Errors
/// [`Error`] when the image cannot be read. A module that cannot be read degrades, see [`KernelFacts::problems`].
pub fn facts<N: AsRef<str>, B: AsRef<[u8]>>(
    image: &[u8],
    modules: impl IntoIterator<Item = (N, B)>,
) -> Result<KernelFacts, Error> {
    let vmlinux = vmlinux(image)?;
    let mut symbols = Builder::default();
    collect_symbols(&vmlinux, &mut symbols)?;
    let elf = Elf::parse(&vmlinux).map_err(|e| Error::Format(e.to_string()))?;
    let (mut problems, mut btf, mut code) = (Vec::new(), Vec::new(), None);
    for (name, bytes) in modules {
        let name = name.as_ref();
        let name = module_name(name).unwrap_or_else(|| name.replace('-', "_"));
        if !wants_module(&name) {
            continue;
        }
        let unpacked = match compress::unpack(bytes.as_ref()) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                problems.push(format!("module `{name}`: {error}"));
                continue;
            }
        };
        match Elf::parse(&unpacked) {
            Ok(module) => {
                module.collect_symbols(&name, &mut symbols);
                if name == "drm" {
                    code = Some(Evidence::of(&module));
                }
                if let Some(types) = module.btf() {
                    btf.push((name, types.to_vec()));
                }
            }
            Err(error) => problems.push(format!("module `{name}`: {error}")),
        }
    }
    let module_btf: Vec<(&str, &[u8])> = btf.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let types = facts::parse_btf(elf.btf(), &module_btf, &mut problems);
    let version = elf.rodata().find_map(banner);
    Ok(KernelFacts::from_parts(symbols.build(), types, code.as_ref(), version.as_deref(), problems))
}

/// The line that `/proc/version` would show.
fn banner(rodata: &[u8]) -> Option<String> {
    const START: &[u8] = b"Linux version ";
    let mut from = 0;
    loop {
        let rest = rodata.get(from..)?;
        let at = rest.windows(START.len()).position(|w| w == START)?;
        let line = rest.get(at..)?.iter().take(512).take_while(|b| b.is_ascii_graphic() || **b == b' ');
        let line: Vec<u8> = line.copied().collect();
        // The format string of the same words has no number.
        if line.get(START.len()).is_some_and(u8::is_ascii_digit) {
            return String::from_utf8(line).ok();
        }
        from += at + START.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_modules_by_their_files() {
        assert_eq!(module_name("virtio-gpu.ko.xz").as_deref(), Some("virtio_gpu"));
        assert_eq!(module_name("drm.ko").as_deref(), Some("drm"));
        assert_eq!(module_name("modules.dep"), None);
        assert_eq!(module_name("a.kot"), None);
        assert!(wants_module("virtio-gpu") && wants_module("drm") && !wants_module("ext4"));
    }

    #[test]
    fn finds_the_banner() {
        let rodata = b"Linux version %s (%s)\0Linux version 6.1.0-56-amd64 (a) #1 Debian 6.1.192-2 (b)\n\0";
        let line = banner(rodata).unwrap();
        assert_eq!(facts::upstream_version(&line), Some((6, 1, 192)));
        assert_eq!(banner(b"Linux version "), None);
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let no_modules = || Vec::<(String, Vec<u8>)>::new();
        let says = |bytes: &[u8]| facts(bytes, no_modules()).unwrap_err().to_string();
        assert!(says(b"MZ and nothing else").contains("no boot header"));
        let mut boot = vec![0u8; 0x400];
        boot[0x202..0x206].copy_from_slice(b"HdrS");
        boot[0x24c] = 0xff;
        boot[0x24f] = 0xff;
        assert!(says(&boot).contains("outside the file"));
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), boot: bool) {
            if boot && bytes.len() > 0x206 {
                bytes[0x202..0x206].copy_from_slice(b"HdrS");
            }
            let modules = vec![("drm.ko", bytes.clone())];
            let _ = facts(&bytes, modules);
        }
    }
}
