//! Function prototypes: as C text in the catalogue, as BTF in the kernel, and whether the two agree.
//!
//! What is compared is what a probe relies on: how many arguments there are, which of them are pointers and to what,
//! and how wide the numbers are. Signs and qualifiers do not matter to it.

use std::fmt;

use super::types::{Type, Types, kind};
use super::{name_of, strip};

/// A prototype, as far as a probe depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proto {
    /// What is returned.
    pub ret: Shape,
    /// The arguments.
    pub params: Vec<Shape>,
}

/// A type, as far as a probe depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `void`
    Void,
    /// An integer, enum or bool of so many bytes.
    Int(usize),
    /// A pointer.
    Pointer(Pointee),
    /// Anything else; nothing is equal to it in a catalogue row.
    Other,
}

/// What a pointer points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointee {
    /// `void`
    Void,
    /// A struct or union of this name.
    Named(String),
    /// An integer of so many bytes.
    Int(usize),
    /// Anything else.
    Other,
}

impl Proto {
    /// Reads a prototype in C: `int f(struct drm_file *, u32)`. Only the types the catalogue uses are understood.
    #[must_use]
    pub fn from_c(text: &str) -> Option<Self> {
        let (head, params) = text.trim().strip_suffix(')')?.split_once('(')?;
        let name_at = head.rfind([' ', '*'])? + 1;
        let ret = shape_from_c(head.get(..name_at)?)?;
        let params = match params.trim() {
            "" | "void" => Vec::new(),
            list => list.split(',').map(shape_from_c).collect::<Option<_>>()?,
        };
        Some(Self { ret, params })
    }

    /// The prototype of a function's type.
    pub(super) fn of(btf: &Types, func: Type<'_>) -> Option<Self> {
        let proto = btf.get(func.size_or_type).filter(|proto| proto.kind == kind::FUNC_PROTO)?;
        (func.kind == kind::FUNC).then(|| Self {
            ret: shape_of(btf, proto.size_or_type),
            params: proto.parameters().map(|id| shape_of(btf, id)).collect(),
        })
    }

    /// How `self`, what the kernel has, differs from what the probe was written for; `None` when it does not.
    #[must_use]
    pub fn difference(&self, expected: &Self) -> Option<String> {
        let (have, want) = (self.params.len(), expected.params.len());
        if have != want {
            return Some(format!("it takes `{have}` arguments, not `{want}`"));
        }
        let differing =
            self.params.iter().zip(&expected.params).enumerate().find(|(_, (have, want))| have != want);
        if let Some((i, (have, want))) = differing {
            return Some(format!("argument `{}` is `{have}`, not `{want}`", i + 1));
        }
        (self.ret != expected.ret).then(|| format!("it returns `{}`, not `{}`", self.ret, expected.ret))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("void"),
            Self::Int(n) => write!(f, "integer of {n} bytes"),
            Self::Pointer(Pointee::Void) => f.write_str("void *"),
            Self::Pointer(Pointee::Named(name)) => write!(f, "struct {name} *"),
            Self::Pointer(Pointee::Int(n)) => write!(f, "pointer to {n} bytes"),
            Self::Pointer(Pointee::Other) => f.write_str("pointer"),
            Self::Other => f.write_str("another type"),
        }
    }
}

fn shape_from_c(text: &str) -> Option<Shape> {
    let stars = text.matches('*').count();
    let spaced = text.replace('*', " ");
    let words: Vec<_> = spaced.split_ascii_whitespace().filter(|w| *w != "const").collect();
    let base = match words.as_slice() {
        ["void"] => Shape::Void,
        ["struct", name] => match stars {
            1 => return Some(Shape::Pointer(Pointee::Named((*name).to_owned()))),
            _ => return None,
        },
        ["enum", _] | ["int" | "u32" | "uint32_t"] | ["unsigned", "int"] => Shape::Int(4),
        ["long" | "size_t" | "u64"] | ["unsigned", "long"] => Shape::Int(8),
        ["bool"] => Shape::Int(1),
        ["fl_owner_t"] => Shape::Pointer(Pointee::Void),
        _ => return None,
    };
    match (stars, base) {
        (0, base) => Some(base),
        (1, Shape::Void) => Some(Shape::Pointer(Pointee::Void)),
        (1, Shape::Int(n)) => Some(Shape::Pointer(Pointee::Int(n))),
        _ => None,
    }
}

fn shape_of(btf: &Types, id: u32) -> Shape {
    let Some(ty) = strip(btf, id) else { return Shape::Other };
    let size = |ty: Type<'_>| ty.size_or_type as usize;
    match ty.kind {
        kind::VOID => Shape::Void,
        kind::INT | kind::ENUM | kind::ENUM64 => Shape::Int(size(ty)),
        kind::PTR => Shape::Pointer(match strip(btf, ty.size_or_type) {
            Some(to) if to.kind == kind::VOID => Pointee::Void,
            Some(to) if to.kind == kind::INT => Pointee::Int(size(to)),
            Some(to) if to.is_record() || to.kind == kind::FWD => {
                Pointee::Named(name_of(btf, &to).to_owned())
            }
            _ => Pointee::Other,
        }),
        _ => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ret: &str, params: &[&str]) {
        let proto = Proto::from_c(text).expect("a prototype");
        assert_eq!(proto.ret.to_string(), ret);
        assert_eq!(proto.params.iter().map(ToString::to_string).collect::<Vec<_>>(), params);
    }

    #[test]
    fn reads_c() {
        check("void f(void)", "void", &[]);
        check("struct a * f(const struct b *, u32 *)", "struct a *", &["struct b *", "pointer to 4 bytes"]);
        check(
            "int f(void *, enum e, size_t)",
            "integer of 4 bytes",
            &["void *", "integer of 4 bytes", "integer of 8 bytes"],
        );
        assert_eq!(Proto::from_c("int f(struct a)"), None);
        assert_eq!(Proto::from_c("int f(what *)"), None);
    }

    #[test]
    fn says_how_two_differ() {
        let want = Proto::from_c("int f(struct a *, int)").unwrap();
        let differs = |text| Proto::from_c(text).unwrap().difference(&want);
        assert_eq!(differs("int f(struct a *, int)"), None);
        assert_eq!(differs("int f(struct a *)").unwrap(), "it takes `1` arguments, not `2`");
        assert_eq!(
            differs("int f(struct b *, int)").unwrap(),
            "argument `1` is `struct b *`, not `struct a *`"
        );
        assert_eq!(
            differs("void f(struct a *, int)").unwrap(),
            "it returns `void`, not `integer of 4 bytes`"
        );
    }
}
