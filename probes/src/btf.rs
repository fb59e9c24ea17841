//! Types of the kernel: where a member lies, and what a function's arguments are, from BTF.
//!
//! A kernel's own types are in vmlinux's BTF; a module's are in *split* BTF, which continues the type numbers and
//! strings of vmlinux's. Where DRM is built in, everything is in vmlinux.

pub mod minimise;
mod proto;
mod types;

use types::{Member, Type, Types, kind};

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
    vmlinux: Types,
    modules: Vec<(String, Types)>,
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

fn parse_one(name: &str, bytes: &[u8], base: Option<&Types>) -> Result<Types, Error> {
    Types::parse(bytes, base).map_err(|reason| Error::Damaged { name: name.to_owned(), reason })
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
    fn scopes<'a>(&'a self, module: &str) -> impl Iterator<Item = &'a Types> + use<'a> {
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
                match walk(btf, record, path) {
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
                let member = member_at(btf, record, path).ok()?;
                let target = strip(btf, member.of)?;
                Some(name_of(btf, &target).to_owned())
            })
        })
    }

    /// The prototypes of the functions of this name in the BTF of `module`; empty when BTF does not have it.
    #[must_use]
    pub fn prototypes(&self, module: &str, function: &str) -> Vec<Proto> {
        for btf in self.scopes(module) {
            let protos: Vec<_> = btf.named(function).filter_map(|ty| Proto::of(btf, ty)).collect();
            if !protos.is_empty() {
                return protos;
            }
        }
        Vec::new()
    }
}

/// The structs of this name that have members.
fn structs<'a>(btf: &'a Types, name: &'a str) -> impl Iterator<Item = Type<'a>> {
    btf.named(name).filter(|ty| ty.members().next().is_some())
}

/// The name of a type; empty when it has none.
fn name_of<'a>(btf: &'a Types, ty: &Type<'_>) -> &'a str {
    btf.string(ty.name).unwrap_or_default()
}

/// The type behind typedefs and qualifiers.
fn strip(btf: &Types, id: u32) -> Option<Type<'_>> {
    let mut ty = btf.get(id)?;
    for _ in 0..MAX_DEPTH {
        ty = match ty.kind {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                btf.get(ty.size_or_type)?
            }
            _ => return Some(ty),
        };
    }
    None
}

fn walk(btf: &Types, record: Type<'_>, path: &str) -> Result<u32, WhyNot> {
    let member = member_at(btf, record, path)?;
    if member.bits % 8 != 0 || member.width != 0 {
        return Err(WhyNot::BitField(path.to_owned()));
    }
    Ok(member.bits / 8)
}

/// The member at `path`, its place counted from the beginning of the struct.
fn member_at<'a>(btf: &'a Types, mut record: Type<'a>, path: &str) -> Result<Member, WhyNot> {
    let mut place = 0u32;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let holder = || name_of(btf, &record).to_owned();
        let member =
            find(btf, &record, step, 0).ok_or_else(|| WhyNot::NoMember(holder(), step.to_owned()))?;
        place = place.checked_add(member.bits).ok_or_else(|| WhyNot::Damaged(path.to_owned()))?;
        if steps.peek().is_none() {
            return Ok(Member { bits: place, ..member });
        }
        record = match strip(btf, member.of) {
            Some(target) if target.is_record() => target,
            Some(_) => return Err(WhyNot::NotAStruct(step.to_owned())),
            None => return Err(WhyNot::Damaged(step.to_owned())),
        };
    }
    Err(WhyNot::Damaged(path.to_owned()))
}

/// The member of this name, also inside anonymous structs and unions.
fn find(btf: &Types, record: &Type<'_>, name: &str, depth: usize) -> Option<Member> {
    for member in record.members() {
        let own = btf.string(member.name)?;
        if own == name {
            return Some(member);
        }
        if !own.is_empty() || depth >= MAX_DEPTH {
            continue;
        }
        if let Some(inner) = btf.get(member.of)
            && let Some(found) = find(btf, &inner, name, depth + 1)
        {
            return Some(Member { bits: member.bits.checked_add(found.bits)?, ..found });
        }
    }
    None
}

#[cfg(test)]
mod tests;
