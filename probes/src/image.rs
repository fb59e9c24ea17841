//! A kernel that is not running: its image and its modules, as files.

mod tables;

use std::borrow::Cow;

use crate::compress;
use crate::module::{self, Elf};
use crate::symbols::Builder;

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
    elf.collect_symbols(crate::symbols::VMLINUX, into);
    if into.is_empty() { Err(Error::NoSymbols) } else { Ok(()) }
}
