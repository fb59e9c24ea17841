//! A small BTF with only some types of a large one, at the same offsets and sizes.
//!
//! Test fixtures are made with it, and reports about a kernel may carry it. The structs asked for keep all their
//! members, also anonymous ones; a struct that is only embedded keeps its size and loses its members; behind a
//! pointer there is only a name.

use std::collections::{BTreeMap, BTreeSet};

use btf_rs::{BtfType as _, Type};

use super::Btf;

/// What to keep.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Module, struct and member path. A struct that must be kept although the member does not exist has one as well.
    pub members: Vec<(String, String, String)>,
    /// Module and function.
    pub functions: Vec<(String, String)>,
}

/// BTF with only what was wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minimised {
    /// vmlinux's.
    pub vmlinux: Vec<u8>,
    /// Split BTF over it, by module.
    pub modules: Vec<(String, Vec<u8>)>,
}

/// Which BTF a type is in: 0 is vmlinux's, others are modules' by their place plus 1.
type Section = usize;

/// A type that is kept: where it is, and whether with its members.
type Key = (Section, u32);

/// Everything unpacked: all that is referred to is followed.
struct Unpacked {
    vmlinux: btf_rs::Btf,
    modules: Vec<(String, btf_rs::Btf)>,
}

impl Unpacked {
    fn of(btf: &Btf) -> Option<Self> {
        let vmlinux = btf_rs::Btf::from_bytes(btf.vmlinux.bytes()).ok()?;
        let split = |bytes| btf_rs::Btf::from_split_bytes(bytes, &vmlinux).ok();
        let modules =
            btf.modules.iter().filter_map(|(name, types)| Some((name.clone(), split(types.bytes())?)));
        Some(Self { modules: modules.collect(), vmlinux })
    }
}

struct Minimiser<'a> {
    btf: &'a Unpacked,
    /// Structs whose members are kept.
    whole: BTreeSet<Key>,
    /// New number of every kept type inside its section, from 0.
    kept: BTreeMap<Key, u32>,
    /// Kept types in order of their number, by section.
    order: Vec<Vec<u32>>,
}

/// Number of the integer type that array indexes have; it is the first type of every result.
const INDEX_TYPE: u32 = 1;

/// Makes a small BTF with what is wanted; what does not exist is left out.
#[must_use]
pub fn minimise(btf: &Btf, wanted: &Wanted) -> Minimised {
    let Some(btf) = &Unpacked::of(btf) else { return Minimised::default() };
    let mut this = Minimiser {
        btf,
        whole: BTreeSet::new(),
        kept: BTreeMap::new(),
        order: vec![Vec::new(); 1 + btf.modules.len()],
    };
    let mut roots = Vec::new();
    for (module, name, path) in &wanted.members {
        roots.extend(this.mark_struct(module, name, path));
    }
    for (module, function) in &wanted.functions {
        roots.extend(this.functions(module, function));
    }
    for key in roots {
        this.keep(key);
    }
    this.write()
}

impl<'a> Minimiser<'a> {
    fn scope(&self, section: Section) -> &'a btf_rs::Btf {
        match section.checked_sub(1).and_then(|i| self.btf.modules.get(i)) {
            Some((_, btf)) => btf,
            None => &self.btf.vmlinux,
        }
    }

    /// Sections that may have a type of `module`, best first.
    fn sections(&self, module: &str) -> impl Iterator<Item = Section> + use<> {
        let module = module.replace('-', "_");
        let own = self.btf.modules.iter().position(|(name, _)| *name == module);
        own.map(|i| i + 1).into_iter().chain(std::iter::once(0))
    }

    /// Where a type that `section` refers to really is.
    fn home(&self, section: Section, id: u32) -> Key {
        let last = self.btf.vmlinux.base().type_id_range().1;
        if id <= last { (0, id) } else { (section, id) }
    }

    fn mark_struct(&mut self, module: &str, name: &str, path: &str) -> Vec<Key> {
        for section in self.sections(module) {
            let btf = self.scope(section);
            let ids = btf.resolve_ids_by_name(name).unwrap_or_default();
            let keys: Vec<Key> = ids
                .into_iter()
                .filter(|&id| matches!(btf.resolve_type_by_id(id), Ok(Type::Struct(_) | Type::Union(_))))
                .map(|id| self.home(section, id))
                .collect();
            for &key in &keys {
                self.mark_path(key, path.split('.'));
            }
            if !keys.is_empty() {
                return keys;
            }
        }
        Vec::new()
    }

    /// Keeps the members of a struct, and of the structs on the way along a path.
    fn mark_path<'p>(&mut self, key: Key, mut path: impl Iterator<Item = &'p str>) {
        self.whole.insert(key);
        let btf = self.scope(key.0);
        let (Some(step), Ok(Type::Struct(record) | Type::Union(record))) =
            (path.next(), btf.resolve_type_by_id(key.1))
        else {
            return;
        };
        let Some(member) = find(btf, &record, step, 0) else { return };
        if let Some(id) = member.get_type_id().and_then(|id| skip_names(btf, id))
            && matches!(btf.resolve_type_by_id(id), Ok(Type::Struct(_) | Type::Union(_)))
        {
            let rest: Vec<_> = path.collect();
            if !rest.is_empty() {
                self.mark_path(self.home(key.0, id), rest.into_iter());
            }
        }
    }

    fn functions(&self, module: &str, function: &str) -> Vec<Key> {
        for section in self.sections(module) {
            let btf = self.scope(section);
            let ids = btf.resolve_ids_by_name(function).unwrap_or_default();
            let functions: Vec<Key> = ids
                .into_iter()
                .filter(|&id| matches!(btf.resolve_type_by_id(id), Ok(Type::Func(_))))
                .map(|id| self.home(section, id))
                .collect();
            if !functions.is_empty() {
                return functions;
            }
        }
        Vec::new()
    }

    /// Keeps a type and all it refers to.
    fn keep(&mut self, root: Key) {
        let mut queue = vec![root];
        while let Some(key) = queue.pop() {
            let (section, id) = key;
            let Some(list) = self.order.get_mut(section) else { continue };
            if id == 0 || self.kept.contains_key(&key) {
                continue;
            }
            self.kept.insert(key, list.len() as u32);
            list.push(id);
            let btf = self.scope(section);
            let Ok(ty) = btf.resolve_type_by_id(id) else { continue };
            let refers: Vec<u32> = match &ty {
                Type::Struct(s) | Type::Union(s) if self.is_whole(key, &ty) => {
                    s.members.iter().filter_map(|m| m.get_type_id()).collect()
                }
                Type::FuncProto(p) => {
                    let params = p.parameters.iter().filter_map(|p| p.get_type_id());
                    params.chain(std::iter::once(p.return_type_id())).collect()
                }
                Type::Struct(_) | Type::Union(_) => Vec::new(),
                // A pointer to a prototype says nothing that is needed.
                Type::Ptr(p) if matches!(btf.resolve_chained_type(p), Ok(Type::FuncProto(_))) => Vec::new(),
                other => other.as_btf_type().and_then(|t| t.get_type_id()).into_iter().collect(),
            };
            queue.extend(refers.into_iter().rev().map(|id| self.home(section, id)));
        }
    }

    /// Are the members of this struct kept? Anonymous ones always are: their members belong to the struct around them.
    fn is_whole(&self, key: Key, ty: &Type) -> bool {
        self.whole.contains(&key) || name_of(self.scope(key.0), ty).is_empty()
    }

    /// The new number of a type.
    fn number(&self, section: Section, id: u32) -> u32 {
        let base = self.order.first().map_or(0, Vec::len) as u32;
        match self.home(section, id) {
            (_, 0) => 0,
            key => match (self.kept.get(&key), key.0) {
                (None, _) => 0,
                (Some(n), 0) => n + INDEX_TYPE + 1,
                (Some(n), _) => n + INDEX_TYPE + 1 + base,
            },
        }
    }

    fn write(&self) -> Minimised {
        let mut vmlinux = Writer::default();
        vmlinux.header("__ARRAY_SIZE_TYPE__", kind::INT, 0, false, 4);
        vmlinux.words(&[32]);
        self.write_section(0, &mut vmlinux);
        let base = vmlinux.strings.len() as u32;
        let modules = self.btf.modules.iter().enumerate().map(|(i, (name, _))| {
            let mut writer = Writer { first_string: base, ..Writer::default() };
            self.write_section(i + 1, &mut writer);
            (name.clone(), writer.finish())
        });
        // A module of which nothing is kept has no BTF.
        let used = modules.zip(self.order.iter().skip(1)).filter(|(_, kept)| !kept.is_empty());
        Minimised { modules: used.map(|(module, _)| module).collect(), vmlinux: vmlinux.finish() }
    }

    fn write_section(&self, section: Section, out: &mut Writer) {
        let btf = self.scope(section);
        for &id in self.order.get(section).map_or(&[][..], Vec::as_slice) {
            let ty = btf.resolve_type_by_id(id).unwrap_or(Type::Void);
            let name = name_of(btf, &ty);
            let to = |t: &dyn btf_rs::BtfType| t.get_type_id().map_or(0, |id| self.number(section, id));
            match &ty {
                Type::Int(int) => {
                    out.header(&name, kind::INT, 0, false, int.size() as u32);
                    let signs = u32::from(int.is_signed())
                        | u32::from(int.is_char()) << 1
                        | u32::from(int.is_bool()) << 2;
                    out.words(&[signs << 24 | (int.size() as u32 * 8) & 0xff]);
                }
                Type::Float(float) => {
                    out.header(&name, kind::FLOAT, 0, false, float.size() as u32);
                }
                Type::Ptr(ptr) => out.header("", kind::PTR, 0, false, to(ptr)),
                Type::Array(array) => {
                    out.header("", kind::ARRAY, 0, false, 0);
                    out.words(&[to(array), INDEX_TYPE, array.len() as u32]);
                }
                Type::Struct(s) | Type::Union(s) => {
                    let kind = if matches!(ty, Type::Struct(_)) { kind::STRUCT } else { kind::UNION };
                    let members: &[_] = if self.is_whole((section, id), &ty) { &s.members } else { &[] };
                    let fields = members.iter().any(|m| m.bitfield_size().is_some());
                    out.header(&name, kind, members.len() as u32, fields, s.size() as u32);
                    for member in members {
                        let bits = member.bitfield_size().unwrap_or(0) << 24;
                        let name = out.string(&btf.resolve_name(member).unwrap_or_default());
                        out.words(&[name, to(member), bits | member.bit_offset()]);
                    }
                }
                Type::Enum(e) => out.header(&name, kind::ENUM, 0, false, e.size() as u32),
                Type::Enum64(e) => out.header(&name, kind::ENUM64, 0, false, e.size() as u32),
                Type::Fwd(fwd) => out.header(&name, kind::FWD, 0, fwd.is_union(), 0),
                Type::Typedef(t) => out.header(&name, kind::TYPEDEF, 0, false, to(t)),
                Type::Volatile(t) => out.header("", kind::VOLATILE, 0, false, to(t)),
                Type::Const(t) => out.header("", kind::CONST, 0, false, to(t)),
                Type::Restrict(t) => out.header("", kind::RESTRICT, 0, false, to(t)),
                Type::TypeTag(t) => out.header(&name, kind::TYPE_TAG, 0, t.is_attribute(), to(t)),
                Type::Func(f) => {
                    let linkage = if f.is_static() { 0 } else { 1 };
                    out.header(&name, kind::FUNC, linkage, false, to(f));
                }
                Type::FuncProto(p) => {
                    let ret = self.number(section, p.return_type_id());
                    out.header("", kind::FUNC_PROTO, p.parameters.len() as u32, false, ret);
                    for parameter in &p.parameters {
                        let name = out.string(&btf.resolve_name(parameter).unwrap_or_default());
                        out.words(&[name, to(parameter)]);
                    }
                }
                // Nothing refers to these.
                _ => out.header(&name, kind::FWD, 0, false, 0),
            }
        }
    }
}

/// The name of a type; empty when it has none.
fn name_of(btf: &btf_rs::Btf, ty: &Type) -> String {
    let named = ty.as_btf_type().filter(|t| t.get_name_offset().is_some());
    named.and_then(|t| btf.resolve_name(t).ok()).unwrap_or_default()
}

/// The member of this name, also inside anonymous structs and unions.
fn find(btf: &btf_rs::Btf, record: &btf_rs::Struct, name: &str, depth: usize) -> Option<btf_rs::Member> {
    record.members.iter().find_map(|member| {
        let own = btf.resolve_name(member).ok()?;
        if own == name {
            return Some(member.clone());
        }
        match btf.resolve_chained_type(member) {
            Ok(Type::Struct(inner) | Type::Union(inner)) if own.is_empty() && depth < super::MAX_DEPTH => {
                find(btf, &inner, name, depth + 1)
            }
            _ => None,
        }
    })
}

/// The number of the type behind typedefs and qualifiers.
fn skip_names(btf: &btf_rs::Btf, mut id: u32) -> Option<u32> {
    for _ in 0..super::MAX_DEPTH {
        let ty = btf.resolve_type_by_id(id).ok()?;
        id = match &ty {
            Type::Typedef(_) | Type::Volatile(_) | Type::Const(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                ty.as_btf_type()?.get_type_id()?
            }
            _ => return Some(id),
        };
    }
    None
}

/// Numbers of the kinds of types in BTF.
mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const FLOAT: u32 = 16;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Offset of this section's first string: split BTF continues where vmlinux's ended.
    first_string: u32,
    known: BTreeMap<String, u32>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { types: Vec::new(), strings: vec![0], first_string: 0, known: BTreeMap::new() }
    }
}

impl Writer {
    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    }

    fn header(&mut self, name: &str, kind: u32, vlen: u32, flag: bool, size_or_type: u32) {
        let name = self.string(name);
        self.words(&[name, u32::from(flag) << 31 | kind << 24 | vlen & 0xffff, size_or_type]);
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(&at) = self.known.get(text) {
            return at;
        }
        let at = self.first_string + self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.known.insert(text.to_owned(), at);
        at
    }

    fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = vec![0x9f, 0xeb, 1, 0];
        out.extend([24, 0, types, types, strings].iter().flat_map(|w: &u32| w.to_le_bytes()));
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}
