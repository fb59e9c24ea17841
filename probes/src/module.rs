//! A kernel module's ELF file, or vmlinux: symbols, BTF, and the code of a function with the names it refers to.

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind};

use crate::symbols::Builder;

/// Why an ELF file could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not an ELF file that can be read.
    #[error("not an ELF file: {0}")]
    NotElf(String),
    /// It is for another machine.
    #[error("built for `{0}`: only x86-64 is understood")]
    Machine(String),
}

/// An ELF file of the kernel.
#[derive(Debug)]
pub struct Elf<'a> {
    file: object::File<'a>,
}

/// The code of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The instructions, before relocation.
    pub bytes: Vec<u8>,
    /// Position in `bytes` and name for every relocation whose target has a name, in order.
    pub names: Vec<(u64, String)>,
}

impl Code {
    /// Does the code refer to this symbol?
    #[must_use]
    pub fn refers_to(&self, name: &str) -> bool {
        self.names.iter().any(|(_, n)| n == name)
    }
}

impl<'a> Elf<'a> {
    /// Opens an uncompressed ELF file.
    ///
    /// # Errors
    /// [`Error`] when it is not one for x86-64.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let file = object::File::parse(bytes).map_err(|e| Error::NotElf(e.to_string()))?;
        match (file.format(), file.architecture()) {
            (object::BinaryFormat::Elf, object::Architecture::X86_64) => Ok(Self { file }),
            (object::BinaryFormat::Elf, other) => Err(Error::Machine(format!("{other:?}"))),
            (other, _) => Err(Error::NotElf(format!("`{other:?}` file"))),
        }
    }

    /// The bytes of a section, if it is there.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.file.section_by_name(name)?.data().ok()
    }

    /// The BTF of the file; for a module it is split BTF over vmlinux's.
    #[must_use]
    pub fn btf(&self) -> Option<&'a [u8]> {
        self.section(".BTF").filter(|data| !data.is_empty())
    }

    /// The bytes of every section that may hold read-only data. In a vmlinux `.rodata` is marked writable: it becomes
    /// read-only late in boot.
    pub fn rodata(&self) -> impl Iterator<Item = &'a [u8]> + use<'_, 'a> {
        self.file
            .sections()
            .filter(|s| {
                s.name().is_ok_and(|n| n.starts_with(".rodata"))
                    || matches!(s.kind(), SectionKind::ReadOnlyData | SectionKind::ReadOnlyString)
            })
            .filter_map(|s| s.data().ok())
    }

    /// Adds the symbols that the file defines. Their addresses are not known before the module is loaded.
    pub fn collect_symbols(&self, module: &str, into: &mut Builder) {
        for symbol in self.file.symbols().filter(|s| s.is_definition()) {
            let Ok(name) = symbol.name() else { continue };
            let letter = match symbol.kind() {
                SymbolKind::Text => b't',
                SymbolKind::Data => b'd',
                _ => continue,
            };
            let letter = if symbol.is_global() { letter.to_ascii_uppercase() } else { letter };
            into.push(name, module, letter, 0);
        }
    }

    /// The code of a function of this name, if the file has it with its size.
    #[must_use]
    pub fn code(&self, function: &str) -> Option<Code> {
        self.contents(function, SymbolKind::Text)
    }

    /// The bytes of a data symbol and what they point to.
    #[must_use]
    pub fn data(&self, symbol: &str) -> Option<Code> {
        self.contents(symbol, SymbolKind::Data)
    }

    fn contents(&self, name: &str, kind: SymbolKind) -> Option<Code> {
        let symbol = self
            .file
            .symbols()
            .find(|s| s.is_definition() && s.kind() == kind && s.name() == Ok(name) && s.size() > 0)?;
        let section = self.file.section_by_index(symbol.section_index()?).ok()?;
        let start = symbol.address().checked_sub(section.address())?;
        let end = start.checked_add(symbol.size())?;
        let bytes = section.data().ok()?.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        let mut names = Vec::new();
        for (offset, relocation) in section.relocations() {
            if !(start..end).contains(&offset) {
                continue;
            }
            if let RelocationTarget::Symbol(index) = relocation.target()
                && let Ok(target) = self.file.symbol_by_index(index)
                && let Ok(name) = target.name()
                && !name.is_empty()
            {
                names.push((offset - start, name.to_owned()));
            }
        }
        names.sort();
        Some(Code { bytes: bytes.to_vec(), names })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), elf: bool) {
            if elf {
                let head = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 62, 0, 1, 0, 0, 0];
                bytes.splice(0..0, head);
            }
            if let Ok(elf) = Elf::parse(&bytes) {
                let mut symbols = Builder::default();
                elf.collect_symbols("m", &mut symbols);
                let _ = (elf.btf(), elf.code("f"), elf.rodata().count(), symbols.build());
            }
        }
    }
}
