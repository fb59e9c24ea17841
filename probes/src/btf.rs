//! Types of the kernel: where a member lies, and what a function's arguments are, from BTF.
//!
//! A kernel's own types are in vmlinux's BTF; a module's are in *split* BTF, which continues the type numbers and
//! strings of vmlinux's. Where DRM is built in, everything is in vmlinux.

pub mod minimise;
mod proto;

use btf_rs::Type;

pub use proto::{Pointee, Proto, Shape};

use crate::fields::{Field, Home};

/// Structs nested deeper than this are not followed.
const MAX_DEPTH: usize = 16;

/// Why BTF could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not BTF.
    #[error("damaged BTF of `{name}`: {reason}")]
    Damaged {
        /// whose BTF it is
        name: String,
        /// what is wrong
        reason: String,
    },
}

/// Why a member's offset is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// There is no BTF that could have it.
    #[error("this kernel has no BTF for `{0}`")]
    NoBtf(&'static str),
    /// No struct of this name.
    #[error("no `struct {0}` in BTF")]
    NoStruct(String),
    /// No member of this name.
    #[error("`struct {0}` has no member `{1}`")]
    NoMember(String, String),
    /// The member is not made of whole bytes.
    #[error("`{0}` is a bit field")]
    BitField(String),
    /// A member that must be a struct is not one.
    #[error("`{0}` is not a struct")]
    NotAStruct(String),
    /// Several structs of this name differ.
    #[error("several `struct {0}` in BTF, and they differ")]
    Ambiguous(String),
    /// The type data contradict themselves.
    #[error("damaged type data at `{0}`")]
    Damaged(String),
    /// Static evidence was looked for and not found.
    #[error("not confirmed by the module's code: {0}")]
    Unconfirmed(String),
}

/// The kernel's types.
pub struct Btf {
    vmlinux: btf_rs::Btf,
    modules: Vec<(String, btf_rs::Btf)>,
    skipped: Vec<Error>,
}

impl std::fmt::Debug for Btf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modules: Vec<_> = self.modules.iter().map(|(name, _)| name).collect();
        f.debug_struct("Btf")
            .field("modules", &modules)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

/// The parser trusts the header's lengths; this makes sure that they lie inside the bytes.
fn check_header(name: &str, bytes: &[u8]) -> Result<(), Error> {
    let damaged = |reason: &str| Error::Damaged { name: name.to_owned(), reason: reason.to_owned() };
    let u32_at =
        |at: usize| bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| u64::from(u32::from_le_bytes(*b)));
    if bytes.first_chunk() != Some(&[0x9f, 0xeb]) {
        return Err(damaged("it does not begin with the magic number of little-endian BTF"));
    }
    let header = || Some([u32_at(4)?, u32_at(8)?, u32_at(12)?, u32_at(16)?, u32_at(20)?]);
    let [header_len, type_off, type_len, str_off, str_len] = header().ok_or_else(|| damaged("cut short"))?;
    let len = bytes.len() as u64;
    if header_len + type_off + type_len > len || header_len + str_off + str_len > len {
        return Err(damaged("cut short"));
    }
    let strings = usize::try_from(header_len + str_off).ok().and_then(|at| bytes.get(at..));
    if strings.is_none_or(|s| s.first() != Some(&0)) {
        return Err(damaged("the strings do not begin with the empty one"));
    }
    Ok(())
}

fn parse_one(name: &str, bytes: &[u8], base: Option<&btf_rs::Btf>) -> Result<btf_rs::Btf, Error> {
    // The strings of split BTF need not begin with the empty one, all others do.
    match (check_header(name, bytes), base) {
        (Err(Error::Damaged { reason, .. }), Some(_)) if reason.starts_with("the strings") => {}
        (result, _) => result?,
    }
    let parsed = match base {
        None => btf_rs::Btf::from_bytes(bytes),
        Some(base) => btf_rs::Btf::from_split_bytes(bytes, base),
    };
    parsed.map_err(|e| Error::Damaged { name: name.to_owned(), reason: e.to_string() })
}

impl Btf {
    /// Parses vmlinux's BTF and the split BTF of modules, given with their names.
    ///
    /// A module whose BTF is damaged, or was made for another vmlinux, is left out: see [`Self::skipped`].
    ///
    /// # Errors
    /// [`Error`] when vmlinux's BTF is damaged.
    pub fn parse(vmlinux: &[u8], modules: &[(&str, &[u8])]) -> Result<Self, Error> {
        let base = parse_one("vmlinux", vmlinux, None)?;
        let (mut parsed, mut skipped) = (Vec::new(), Vec::new());
        for &(name, bytes) in modules {
            match parse_one(name, bytes, Some(&base)) {
                Ok(btf) => parsed.push((name.replace('-', "_"), btf)),
                Err(error) => skipped.push(error),
            }
        }
        Ok(Self { vmlinux: base, modules: parsed, skipped })
    }

    /// The modules whose BTF could not be parsed.
    #[must_use]
    pub fn skipped(&self) -> &[Error] {
        &self.skipped
    }

    /// Is there BTF for this module?
    #[must_use]
    pub fn has_module(&self, module: &str) -> bool {
        let module = module.replace('-', "_");
        self.modules.iter().any(|(name, _)| *name == module)
    }

    /// Where a type of `module` may be, best first: the module's own BTF (which sees vmlinux's too), else vmlinux's.
    fn scopes<'a>(&'a self, module: &str) -> impl Iterator<Item = &'a btf_rs::Btf> + use<'a> {
        let module = module.replace('-', "_");
        let own = self.modules.iter().find(|(name, _)| *name == module).map(|(_, btf)| btf);
        own.into_iter().chain(std::iter::once(&self.vmlinux))
    }

    /// Byte offset of a member.
    ///
    /// # Errors
    /// [`WhyNot`] when it is not there, or not at a whole byte.
    pub fn field(&self, field: Field) -> Result<u32, WhyNot> {
        let module = match field.home() {
            Home::Kernel => "vmlinux",
            Home::Drm => "drm",
        };
        let mut places = field.places().map(|(ty, path)| self.offset(module, ty, path));
        let first = places.next().unwrap_or_else(|| Err(WhyNot::NoStruct(field.type_name().to_owned())));
        first.or_else(|why| places.find_map(Result::ok).ok_or(why))
    }

    /// Byte offset of the member at `path` (dots between nested members) of a struct of `module`.
    ///
    /// # Errors
    /// [`WhyNot`] when it is not there, or not at a whole byte.
    pub fn offset(&self, module: &str, type_name: &str, path: &str) -> Result<u32, WhyNot> {
        let mut failure = WhyNot::NoStruct(type_name.to_owned());
        for btf in self.scopes(module) {
            let mut found = None;
            for record in structs(btf, type_name) {
                match walk(btf, &record, path) {
                    Ok(at) if found.is_some_and(|f| f != at) => {
                        return Err(WhyNot::Ambiguous(type_name.to_owned()));
                    }
                    Ok(at) => found = Some(at),
                    Err(error) => failure = error,
                }
            }
            if let Some(at) = found {
                return Ok(at);
            }
        }
        Err(failure)
    }

    /// Is the member there, and at a whole byte?
    #[must_use]
    pub fn has_member(&self, module: &str, type_name: &str, path: &str) -> bool {
        self.offset(module, type_name, path).is_ok()
    }

    /// Is the struct there, with its members?
    #[must_use]
    pub fn has_struct(&self, module: &str, type_name: &str) -> bool {
        self.scopes(module).any(|btf| structs(btf, type_name).next().is_some())
    }

    /// Name of the type of a member, without qualifiers: `mutex` for a `struct mutex`.
    #[must_use]
    pub fn member_type(&self, module: &str, type_name: &str, path: &str) -> Option<String> {
        self.scopes(module).find_map(|btf| {
            structs(btf, type_name).find_map(|record| {
                let (_, member) = member_at(btf, &record, path).ok()?;
                let target = strip(btf, btf.resolve_chained_type(&member).ok()?)?;
                Some(name_of(btf, &target))
            })
        })
    }

    /// The prototypes of the functions of this name in the BTF of `module`; empty when BTF does not have it.
    #[must_use]
    pub fn prototypes(&self, module: &str, function: &str) -> Vec<Proto> {
        for btf in self.scopes(module) {
            let types = btf.resolve_types_by_name(function).unwrap_or_default();
            let protos: Vec<_> = types.iter().filter_map(|t| Proto::of(btf, t)).collect();
            if !protos.is_empty() {
                return protos;
            }
        }
        Vec::new()
    }
}

/// The structs of this name that have members.
fn structs(btf: &btf_rs::Btf, name: &str) -> impl Iterator<Item = btf_rs::Struct> {
    btf.resolve_types_by_name(name).unwrap_or_default().into_iter().filter_map(|t| match t {
        Type::Struct(s) | Type::Union(s) if !s.members.is_empty() => Some(s),
        _ => None,
    })
}

/// The name of a type; empty when it has none.
fn name_of(btf: &btf_rs::Btf, ty: &Type) -> String {
    let named = ty.as_btf_type().filter(|t| t.get_name_offset().is_some());
    named.and_then(|t| btf.resolve_name(t).ok()).unwrap_or_default()
}

/// The type behind typedefs and qualifiers.
fn strip(btf: &btf_rs::Btf, mut ty: Type) -> Option<Type> {
    for _ in 0..MAX_DEPTH {
        ty = match &ty {
            Type::Typedef(t) => btf.resolve_chained_type(t).ok()?,
            Type::Volatile(t) | Type::Const(t) | Type::Restrict(t) => btf.resolve_chained_type(t).ok()?,
            Type::TypeTag(t) => btf.resolve_chained_type(t).ok()?,
            _ => return Some(ty),
        };
    }
    None
}

fn walk(btf: &btf_rs::Btf, record: &btf_rs::Struct, path: &str) -> Result<u32, WhyNot> {
    let (bits, member) = member_at(btf, record, path)?;
    if bits % 8 != 0 || member.bitfield_size().is_some_and(|n| n != 0) {
        return Err(WhyNot::BitField(path.to_owned()));
    }
    Ok(bits / 8)
}

/// The member at `path` and its place in bits.
fn member_at(
    btf: &btf_rs::Btf,
    record: &btf_rs::Struct,
    path: &str,
) -> Result<(u32, btf_rs::Member), WhyNot> {
    let mut record = record.clone();
    let mut place = 0u32;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let holder = || btf.resolve_name(&record).unwrap_or_default();
        let (bits, member) =
            find(btf, &record, step, 0).ok_or_else(|| WhyNot::NoMember(holder(), step.to_owned()))?;
        place = place.checked_add(bits).ok_or_else(|| WhyNot::Damaged(path.to_owned()))?;
        if steps.peek().is_none() {
            return Ok((place, member));
        }
        let target = btf.resolve_chained_type(&member).ok().and_then(|t| strip(btf, t));
        record = match target {
            Some(Type::Struct(s) | Type::Union(s)) => s,
            Some(_) => return Err(WhyNot::NotAStruct(step.to_owned())),
            None => return Err(WhyNot::Damaged(step.to_owned())),
        };
    }
    Err(WhyNot::Damaged(path.to_owned()))
}

/// The member of this name, also inside anonymous structs and unions.
fn find(
    btf: &btf_rs::Btf,
    record: &btf_rs::Struct,
    name: &str,
    depth: usize,
) -> Option<(u32, btf_rs::Member)> {
    for member in &record.members {
        let own = btf.resolve_name(member).ok()?;
        if own == name {
            return Some((member.bit_offset(), member.clone()));
        }
        if !own.is_empty() || depth >= MAX_DEPTH {
            continue;
        }
        if let Ok(Type::Struct(inner) | Type::Union(inner)) = btf.resolve_chained_type(member)
            && let Some((bits, found)) = find(btf, &inner, name, depth + 1)
        {
            return Some((member.bit_offset().checked_add(bits)?, found));
        }
    }
    None
}
