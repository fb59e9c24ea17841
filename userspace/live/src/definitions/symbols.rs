//! Names for addresses.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};
use gemscope_probes::symbols::{Symbols, VMLINUX};
use gemscope_trace::{Inlined, Name, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

use super::maps::Place;

/// The kernel's functions, from the list that was read before privileges were given up.
pub(super) struct KernelSymbols<'a> {
    symbols: &'a Symbols,
    /// By address; made when the first stack comes.
    table: Vec<(u64, &'a str, &'a str)>,
    known: FxHashSet<u64>,
}

impl<'a> KernelSymbols<'a> {
    pub(super) fn new(symbols: &'a Symbols) -> Self {
        Self { symbols, table: Vec::new(), known: FxHashSet::default() }
    }

    /// The symbol at a kernel address, the first time it is asked for. Above the innermost frame an address is where
    /// the call returns to: the call itself is before it.
    pub(super) fn define(&mut self, addr: u64, returns: bool) -> Option<Symbol> {
        if !self.known.insert(addr) {
            return None;
        }
        if self.table.is_empty() {
            let functions = self.symbols.iter().filter(gemscope_probes::symbols::Symbol::is_function);
            self.table = functions.map(|s| (s.address, s.name, s.module)).collect();
            self.table.sort_unstable();
        }
        let look = if returns { addr.checked_sub(1)? } else { addr };
        let after = self.table.partition_point(|&(start, ..)| start <= look);
        let &(start, name, module) = self.table.get(after.checked_sub(1)?)?;
        let module = if module == VMLINUX { "" } else { module };
        Some(Symbol {
            tgid: 0,
            addr,
            name: name.into(),
            offset: addr - start,
            module: module.into(),
            ..Symbol::default()
        })
    }
}

/// The functions of programs.
pub(super) struct UserSymbols {
    symbolizer: Symbolizer,
    /// Per file and offset: processes share files.
    found: FxHashMap<(usize, u64), Found>,
}

#[derive(Clone, Default)]
struct Found {
    name: Name,
    offset: u64,
    file: Name,
    line: u32,
    inlined: Vec<Inlined>,
}

impl UserSymbols {
    pub(super) fn new() -> Self {
        Self {
            symbolizer: Symbolizer::builder().enable_auto_reload(false).build(),
            found: FxHashMap::default(),
        }
    }

    /// The symbol at an address of a process, as far as it is known: the file's name and the place in it at least.
    pub(super) fn define(
        &mut self,
        tgid: u32,
        addr: u64,
        returns: bool,
        place: Option<&Place>,
    ) -> Option<Symbol> {
        let place = place?;
        let Place { elf, offset } = place;
        let look = if returns { offset.checked_sub(1)? } else { *offset };
        let symbolizer = &self.symbolizer;
        let found = self.found.entry((elf.id, look)).or_insert_with(|| {
            let source = Source::from(Elf::new(&elf.path));
            match symbolizer.symbolize_single(&source, Input::FileOffset(look)) {
                Ok(Symbolized::Sym(sym)) => {
                    let mut found = found(&sym, returns);
                    // Line tables alone call every closure the same; the symbol table says whose it is.
                    if found.name.as_bytes().starts_with(b"{")
                        && let Some(name) = table_name(symbolizer, &elf.path, look)
                    {
                        found.name = name;
                    }
                    found
                }
                Ok(Symbolized::Unknown(_)) => Found::default(),
                Err(error) => {
                    tracing::debug!("`{}` has no symbols: {error}", String::from_utf8_lossy(&elf.name));
                    Found::default()
                }
            }
        });
        let Found { name, offset, file, line, inlined } = found.clone();
        // Without a name the offset is the one in the file: `module+0x1234` can be looked up later.
        let offset = if name.is_empty() { place.offset } else { offset };
        Some(Symbol { tgid, addr, name, offset, module: elf.name.as_slice().into(), file, line, inlined })
    }
}

/// The name of a function by the symbol table alone.
fn table_name(symbolizer: &Symbolizer, path: &Path, offset: u64) -> Option<Name> {
    let mut elf = Elf::new(path);
    elf.debug_syms = false;
    match symbolizer.symbolize_single(&Source::from(elf), Input::FileOffset(offset)) {
        Ok(Symbolized::Sym(sym)) => Some(sym.name.as_bytes().into()),
        Ok(Symbolized::Unknown(_)) | Err(_) => None,
    }
}

fn found(sym: &Sym<'_>, returns: bool) -> Found {
    let (file, line) = code(sym.code_info.as_deref());
    let inlined = sym.inlined.iter().map(|function| {
        let (file, line) = code(function.code_info.as_ref());
        Inlined { name: function.name.as_bytes().into(), file, line }
    });
    Found {
        name: sym.name.as_bytes().into(),
        offset: sym.offset as u64 + u64::from(returns),
        file,
        line,
        inlined: inlined.collect(),
    }
}

fn code(info: Option<&CodeInfo<'_>>) -> (Name, u32) {
    let Some(info) = info else { return (Name::default(), 0) };
    let path = info.to_path();
    let mut name = path.as_os_str().as_bytes().to_vec();
    if name.is_empty() {
        let mut text = String::new();
        let _ = write!(text, "{}", info.file.to_string_lossy());
        name = text.into_bytes();
    }
    (name.into(), info.line.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::maps::{Elves, Maps};
    use super::*;

    #[test]
    fn kernel_addresses_get_the_function_before_them() {
        let text =
            b"ffffffff81000010 T dma_buf_put\nffffffff81000100 T dma_buf_get\nffffffff81000050 d data\n";
        let symbols = Symbols::from_kallsyms(text).unwrap();
        let mut kernel = KernelSymbols::new(&symbols);
        let symbol = kernel.define(0xffff_ffff_8100_0060, true).unwrap();
        assert_eq!((symbol.name, symbol.offset), ("dma_buf_put".into(), 0x50));
        assert!(kernel.define(0xffff_ffff_8100_0060, true).is_none());
        // Returning to the first byte of a function means that a call was the last instruction of the one before.
        assert_eq!(kernel.define(0xffff_ffff_8100_0100, true).unwrap().name, "dma_buf_put".into());
        assert!(kernel.define(5, false).is_none());
    }

    #[inline(never)]
    fn a_function_with_a_name() -> u64 {
        std::hint::black_box(7)
    }

    #[test]
    fn user_addresses_get_a_name() {
        a_function_with_a_name();
        let maps = Maps::read(std::process::id(), &mut Elves::default()).unwrap();
        let addr = a_function_with_a_name as fn() -> u64 as usize as u64;
        let mut user = UserSymbols::new();
        let symbol = user.define(1, addr, false, maps.find(addr).as_ref()).unwrap();
        assert!(symbol.name.to_str_lossy().contains("a_function_with_a_name"), "{symbol:?}");
    }
}
