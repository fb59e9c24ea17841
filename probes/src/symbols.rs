//! The kernel's symbols, compactly: from `/proc/kallsyms`, from an image's tables, from modules' ELF files.

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

/// A table of symbols, by name. One name may stand for several symbols.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    arena: String,
    modules: Vec<String>,
    entries: Vec<Entry>,
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
        let (mut lines, mut hidden) = (0u64, 0u64);
        for line in text.split(|&b| b == b'\n') {
            let Ok(line) = str::from_utf8(line) else { continue };
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let (Ok(address), &[kind]) = (u64::from_str_radix(address, 16), kind.as_bytes()) else {
                continue;
            };
            lines += 1;
            hidden += u64::from(address == 0);
            let module = words.next().and_then(|m| m.strip_prefix('[')?.strip_suffix(']'));
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

    /// Every symbol of this name.
    pub fn lookup<'a>(&'a self, name: &str) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let start = self.entries.partition_point(|e| self.name(e) < name);
        let end = self.entries.partition_point(|e| self.name(e) <= name);
        self.entries.get(start..end).unwrap_or_default().iter().map(|e| self.symbol(e))
    }

    /// Is there a symbol of this name?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.lookup(name).next().is_some()
    }

    /// The functions of this name that the compiler made by splitting or specialising it: `NAME.isra.0` and the like.
    /// `.cold` parts are not functions and are left out.
    pub fn clones<'a>(&'a self, name: &str) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let prefix = format!("{name}.");
        let start = self.entries.partition_point(|e| self.name(e) < prefix.as_str());
        self.entries
            .get(start..)
            .unwrap_or_default()
            .iter()
            .map(|e| self.symbol(e))
            .take_while(move |s| s.name.starts_with(&prefix))
            .filter(|s| s.is_function() && !s.name.contains(".cold"))
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

    /// Every symbol, by name.
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
        let module = module.replace('-', "_");
        // Symbols come module by module, so the last one nearly always matches.
        let known = table.modules.iter().rposition(|m| *m == module);
        let index = known.unwrap_or_else(|| {
            table.modules.push(module);
            table.modules.len() - 1
        });
        let Ok(module) = u16::try_from(index) else { return };
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
        let mut entries = std::mem::take(&mut table.entries);
        entries.sort_by(|a, b| {
            table.name(a).cmp(table.name(b)).then(a.module.cmp(&b.module)).then(a.address.cmp(&b.address))
        });
        table.entries = entries;
        table
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
