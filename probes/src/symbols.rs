//! The kernel's symbols, compactly: from `/proc/kallsyms`, from an image's tables, from modules' ELF files.

use crate::lists::Lists;

/// Name of the module that symbols of the kernel itself are given.
pub const VMLINUX: &str = "vmlinux";

/// A symbol of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: &'a str,
    /// The module it is in; [`VMLINUX`] for the kernel itself.
    pub module: &'a str,
    /// The letter of `nm`: `T` and `t` are functions.
    pub kind: char,
    /// Its address; 0 when not known.
    pub address: u64,
}

impl Symbol<'_> {
    /// Can a kprobe sit on it?
    #[must_use]
    pub const fn is_function(&self) -> bool {
        matches!(self.kind, 'T' | 't' | 'W' | 'w')
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    len: u16,
    module: u16,
    kind: u8,
    address: u64,
}

/// A table of symbols. One name may stand for several symbols.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    arena: String,
    modules: Vec<String>,
    entries: Vec<Entry>,
    /// Places in `entries`, by the part of the name before the first dot: with a function are its clones.
    by_stem: Lists,
}

/// Why `/proc/kallsyms` could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KallsymsError {
    /// All addresses are zero.
    #[error(
        "`/proc/kallsyms` hides every address: run as root, or with CAP_SYSLOG and kernel.kptr_restrict at `0` or `1`"
    )]
    Restricted,
    /// There is not one symbol in it.
    #[error("`/proc/kallsyms` holds no symbol: the kernel needs CONFIG_KALLSYMS")]
    Empty,
}

impl Symbols {
    /// Reads the text of `/proc/kallsyms`. Lines that do not look like symbols are passed over.
    ///
    /// # Errors
    /// [`KallsymsError`] when there is no symbol, or when all addresses are hidden.
    pub fn from_kallsyms(text: &[u8]) -> Result<Self, KallsymsError> {
        let mut builder = Builder::default();
        builder.0.arena.reserve(text.len() / 2);
        let (mut lines, mut hidden) = (0u64, 0u64);
        for line in text.split(|&b| b == b'\n') {
            let Some((address, kind, name, module)) = fields(line) else { continue };
            lines += 1;
            hidden += u64::from(address == 0);
            builder.push(name, module.unwrap_or(VMLINUX), kind, address);
        }
        // The first per-cpu symbol lies at 0 on some kernels, so a few zeros mean nothing.
        match lines {
            0 => Err(KallsymsError::Empty),
            _ if hidden == lines => Err(KallsymsError::Restricted),
            _ => Ok(builder.build()),
        }
    }

    /// Number of symbols.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no symbol at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every symbol of this name, in the order of their modules and addresses.
    pub fn lookup<'a>(&'a self, name: &str) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let mut found: Vec<_> = self.of_stem(name).filter(|e| self.name(e) == name).collect();
        found.sort_by_key(|e| (e.module, e.address));
        found.into_iter().map(|e| self.symbol(e))
    }

    fn of_stem(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.by_stem.list(stem(name)).iter().filter_map(|&at| self.entries.get(at as usize))
    }

    /// Is there a symbol of this name?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.lookup(name).next().is_some()
    }

    /// The functions of this name that the compiler made by splitting or specialising it: `NAME.isra.0` and the like.
    /// `.cold` parts are not functions and are left out.
    pub fn clones<'a>(&'a self, name: &str) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let is_clone = |e: &&Entry| {
            let rest = self.name(e).strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('.') && !rest.contains(".cold"))
        };
        let mut found: Vec<_> = self.of_stem(name).filter(is_clone).collect();
        found.sort_by_key(|e| (self.name(e), e.module, e.address));
        found.into_iter().map(|e| self.symbol(e)).filter(Symbol::is_function)
    }

    /// The name of the function whose start is at this address.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<Symbol<'_>> {
        let entry = self.entries.iter().find(|e| e.address == address && address != 0)?;
        Some(self.symbol(entry))
    }

    /// Is any symbol of this module known? A `-` in the name means `_`.
    #[must_use]
    pub fn has_module(&self, module: &str) -> bool {
        let module = module.replace('-', "_");
        self.modules.contains(&module)
    }

    /// Is any address known? None is in the tables of an image.
    #[must_use]
    pub fn has_addresses(&self) -> bool {
        self.entries.iter().any(|e| e.address != 0)
    }

    /// Every symbol, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries.iter().map(|e| self.symbol(e))
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = entry.start as usize;
        self.arena.get(start..start + usize::from(entry.len)).unwrap_or_default()
    }

    fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        Symbol {
            name: self.name(entry),
            module: self.modules.get(usize::from(entry.module)).map_or(VMLINUX, String::as_str),
            kind: char::from(entry.kind),
            address: entry.address,
        }
    }
}

/// What a name's clones have in common with it.
fn stem(name: &str) -> &[u8] {
    let name = name.as_bytes();
    name.split(|&b| b == b'.').next().unwrap_or(name)
}

/// Address, kind, name and module in a line of `/proc/kallsyms`.
fn fields(line: &[u8]) -> Option<(u64, u8, &str, Option<&str>)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
    let &[kind] = kind else { return None };
    let module = words.next().and_then(|m| str::from_utf8(m.strip_prefix(b"[")?.strip_suffix(b"]")?).ok());
    let address = u64::from_str_radix(str::from_utf8(address).ok()?, 16).ok()?;
    Some((address, kind, str::from_utf8(name).ok()?, module))
}

/// Collects symbols in any order.
#[derive(Clone, Debug, Default)]
pub struct Builder(Symbols);

impl Builder {
    /// Adds a symbol. Padding before functions, BPF programs and names of absurd length are left out.
    pub fn push(&mut self, name: &str, module: &str, kind: u8, address: u64) {
        let Self(table) = self;
        let padding = name.starts_with("__pfx_") || name.starts_with("__cfi_");
        let (Ok(start), Ok(len)) = (u32::try_from(table.arena.len()), u16::try_from(name.len())) else {
            return;
        };
        if name.is_empty() || padding || module == "bpf" || module.starts_with("__builtin__") {
            return;
        }
        let Some(module) = table.module(module) else { return };
        table.arena.push_str(name);
        table.entries.push(Entry { start, len, module, kind, address });
    }

    /// Was nothing added yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The table.
    #[must_use]
    pub fn build(self) -> Symbols {
        let Self(mut table) = self;
        table.by_stem = Lists::of(table.entries.iter().map(|entry| stem(table.name(entry))));
        table
    }
}

impl Symbols {
    /// Which module this is, of those that are known or as a new one; a `-` in the name means `_`.
    fn module(&mut self, name: &str) -> Option<u16> {
        // Symbols come module by module, so the last one nearly always matches.
        let known = match self.modules.last() {
            Some(last) if last == name => self.modules.len() - 1,
            _ => {
                let name = name.replace('-', "_");
                self.modules.iter().rposition(|m| *m == name).unwrap_or_else(|| {
                    self.modules.push(name);
                    self.modules.len() - 1
                })
            }
        };
        u16::try_from(known).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &[u8] = b"0000000000000000 A fixed_percpu_data\n\
        ffffffff81000010 T dma_buf_put\n\
        ffffffff81000000 T __pfx_dma_buf_put\n\
        ffffffffc0001000 t drm_close_helper.isra.0\t[drm]\n\
        ffffffffc0001100 t drm_close_helper.isra.0.cold\t[drm]\n\
        ffffffffc0002000 t same\t[virtio_gpu]\nffffffffc0003000 t same\t[drm]\n\
        ffffffffc0004000 t bpf_prog_1\t[bpf]\nnot a line\n\xff\xfe\n";

    #[test]
    fn reads_kallsyms() {
        let symbols = Symbols::from_kallsyms(TEXT).unwrap();
        assert_eq!(symbols.len(), 6);
        let put = symbols.lookup("dma_buf_put").next().unwrap();
        assert_eq!((put.module, put.address, put.is_function()), (VMLINUX, 0xffff_ffff_8100_0010, true));
        assert_eq!(symbols.lookup("same").count(), 2);
        assert_eq!(
            symbols.clones("drm_close_helper").map(|s| s.name).collect::<Vec<_>>(),
            ["drm_close_helper.isra.0"]
        );
        assert_eq!(symbols.at(0xffff_ffff_c000_3000).unwrap().module, "drm");
        assert!(symbols.has_module("virtio-gpu") && !symbols.has_module("bpf"));
        assert!(!symbols.has("__pfx_dma_buf_put"));
    }

    #[test]
    fn says_what_to_do_when_addresses_are_hidden() {
        let hidden = b"0000000000000000 T a\n0000000000000000 T b\n";
        assert_eq!(Symbols::from_kallsyms(hidden).unwrap_err(), KallsymsError::Restricted);
        assert_eq!(Symbols::from_kallsyms(b"").unwrap_err(), KallsymsError::Empty);
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..400), name in ".{0,8}") {
            if let Ok(symbols) = Symbols::from_kallsyms(&text) {
                let _ = (symbols.lookup(&name).count(), symbols.clones(&name).count(), symbols.iter().count());
            }
        }

        #[test]
        fn never_panics_on_what_looks_right(text in "([0-9a-f]{1,17} [tTdD] [a-z.]{1,6}(\t\\[[a-z]{0,3}\\])?\n){0,20}") {
            if let Ok(symbols) = Symbols::from_kallsyms(text.as_bytes()) {
                for symbol in symbols.iter() {
                    prop_assert!(symbols.lookup(symbol.name).any(|s| s == symbol));
                }
            }
        }
    }
}
