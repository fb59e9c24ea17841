//! The types in one piece of BTF, read where they lie.
//!
//! A kernel has some 150,000 of them, and a few hundred are asked for: so one pass over the bytes makes sure that they are whole and
//! notes where each type begins and which have names, and everything else waits until it is asked for.

use std::ops::Range;
use std::sync::Arc;

use crate::lists::{self, Lists};

/// Numbers of the kinds of types.
pub(super) mod kind {
    pub const VOID: u8 = 0;
    pub const INT: u8 = 1;
    pub const PTR: u8 = 2;
    pub const ARRAY: u8 = 3;
    pub const STRUCT: u8 = 4;
    pub const UNION: u8 = 5;
    pub const ENUM: u8 = 6;
    pub const FWD: u8 = 7;
    pub const TYPEDEF: u8 = 8;
    pub const VOLATILE: u8 = 9;
    pub const CONST: u8 = 10;
    pub const RESTRICT: u8 = 11;
    pub const FUNC: u8 = 12;
    pub const FUNC_PROTO: u8 = 13;
    pub const VAR: u8 = 14;
    pub const DATASEC: u8 = 15;
    pub const FLOAT: u8 = 16;
    pub const DECL_TAG: u8 = 17;
    pub const TYPE_TAG: u8 = 18;
    pub const ENUM64: u8 = 19;
}

/// Types and strings of vmlinux, or those that a module adds.
#[derive(Clone)]
pub(super) struct Types {
    own: Arc<Piece>,
    base: Option<Arc<Piece>>,
}

struct Piece {
    bytes: Vec<u8>,
    strings: Range<usize>,
    /// Offsets of strings below this are vmlinux's.
    first_string: usize,
    /// Numbers of types below this are vmlinux's, or that of `void`.
    first_type: u32,
    /// Where each type begins.
    places: Vec<u32>,
    /// Numbers of types, by name.
    named: Lists,
}

/// A type: what all kinds have, and the bytes of what only some have.
#[derive(Clone, Copy)]
pub(super) struct Type<'a> {
    pub kind: u8,
    /// Offset of its name.
    pub name: u32,
    /// A size of bytes, or the number of another type.
    pub size_or_type: u32,
    /// Members tell how wide they are.
    bit_fields: bool,
    rest: &'a [u8],
}

/// A member of a struct or union.
#[derive(Clone, Copy)]
pub(super) struct Member {
    /// Offset of its name.
    pub name: u32,
    /// Number of its type.
    pub of: u32,
    /// Its place, in bits.
    pub bits: u32,
    /// Of so many bits; 0 where it is made of whole bytes.
    pub width: u32,
}

/// The type that every number 0 is.
const VOID: Type<'static> = Type { kind: kind::VOID, name: 0, size_or_type: 0, bit_fields: false, rest: &[] };

impl Types {
    /// Looks through BTF: vmlinux's, or what continues the one given.
    ///
    /// # Errors
    /// What is damaged, in words.
    pub(super) fn parse(bytes: &[u8], base: Option<&Self>) -> Result<Self, String> {
        let base = base.map(|base| Arc::clone(&base.own));
        let own = Piece::parse(bytes, base.as_deref())?;
        Ok(Self { own: Arc::new(own), base })
    }

    /// The bytes that it was parsed from.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.own.bytes
    }

    /// The type of this number.
    pub(super) fn get(&self, id: u32) -> Option<Type<'_>> {
        if id == 0 {
            return Some(VOID);
        }
        match &self.base {
            Some(base) if id < self.own.first_type => base.get(id),
            _ => self.own.get(id),
        }
    }

    /// The string at an offset.
    pub(super) fn string(&self, offset: u32) -> Option<&str> {
        str::from_utf8(self.raw_string(offset)?).ok()
    }

    fn raw_string(&self, offset: u32) -> Option<&[u8]> {
        match &self.base {
            Some(base) if (offset as usize) < self.own.first_string => base.string(offset),
            _ => self.own.string(offset),
        }
    }

    /// The types of this name: those of the module first.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Type<'a>> {
        let pieces = [Some(&self.own), self.base.as_ref()].into_iter().flatten();
        let ids = pieces.flat_map(move |piece| piece.named.list(name.as_bytes()).iter().copied());
        ids.filter_map(|id| self.get(id)).filter(move |ty| self.raw_string(ty.name) == Some(name.as_bytes()))
    }
}

impl<'a> Type<'a> {
    /// Is it a struct or a union?
    pub(super) const fn is_record(&self) -> bool {
        matches!(self.kind, kind::STRUCT | kind::UNION)
    }

    /// The members of a struct or union.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> + use<'a> {
        let rest = if self.is_record() { self.rest } else { &[] };
        let bit_fields = self.bit_fields;
        rest.as_chunks::<12>().0.iter().map(move |bytes| {
            let [name, of, place] = words(bytes);
            let (bits, width) = if bit_fields { (place & 0xff_ffff, place >> 24) } else { (place, 0) };
            Member { name, of, bits, width }
        })
    }

    /// The numbers of the types of a prototype's parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = u32> + use<'a> {
        let rest = if self.kind == kind::FUNC_PROTO { self.rest } else { &[] };
        rest.as_chunks::<8>().0.iter().map(|bytes| {
            let [_, of] = words(bytes);
            of
        })
    }
}

impl Piece {
    fn parse(bytes: &[u8], base: Option<&Self>) -> Result<Self, String> {
        let (types, strings) = sections(bytes)?;
        // The strings of a module need not begin with the empty one: that is vmlinux's.
        if base.is_none() && bytes.get(strings.start) != Some(&0) {
            return Err("the strings do not begin with the empty one".to_owned());
        }
        let (first_type, first_string) = match base {
            None => (1, 0),
            Some(base) => {
                (base.first_type + base.places.len() as u32, base.first_string + base.strings.len())
            }
        };
        let mut piece = Self {
            bytes: bytes.to_vec(),
            strings,
            first_string,
            first_type,
            places: Vec::with_capacity(types.len() / 24),
            named: Lists::default(),
        };
        // The hash of each type's name, and its number.
        let mut hashed: Vec<(u32, u32)> = Vec::with_capacity(types.len() / 32);
        let mut at = types.start;
        while at < types.end {
            let (ty, len) =
                bytes.get(at..types.end).and_then(read).ok_or("a type is cut short or of no known kind")?;
            if ty.name != 0 {
                let offset = ty.name;
                let name = match base {
                    Some(base) if (offset as usize) < first_string => base.string(offset),
                    _ => piece.string(offset),
                };
                let name = name.ok_or("a type's name is not among the strings")?;
                hashed.push((lists::hash(name), first_type + piece.places.len() as u32));
            }
            piece.places.push(at as u32);
            at += len;
        }
        piece.named = Lists::numbered(hashed);
        Ok(piece)
    }

    fn get(&self, id: u32) -> Option<Type<'_>> {
        let place = *self.places.get(id.checked_sub(self.first_type)? as usize)?;
        Some(read(self.bytes.get(place as usize..)?)?.0)
    }

    fn string(&self, offset: u32) -> Option<&[u8]> {
        let strings = self.bytes.get(self.strings.clone())?;
        let rest = strings.get((offset as usize).checked_sub(self.first_string)?..)?;
        rest.get(..rest.iter().position(|byte| *byte == 0)?)
    }
}

/// Where the types and the strings are.
fn sections(bytes: &[u8]) -> Result<(Range<usize>, Range<usize>), String> {
    let Some(header) = bytes.first_chunk::<24>() else { return Err("cut short".to_owned()) };
    let &[magic @ .., version, flags] = header.first_chunk::<4>().unwrap_or(&[0; 4]);
    if magic != [0x9f, 0xeb] {
        return Err("it does not begin with the magic number of little-endian BTF".to_owned());
    }
    if (version, flags) != (1, 0) {
        return Err(format!("its version is `{version}` and its flags are `{flags}`, not 1 and 0"));
    }
    let [_, header_len, type_off, type_len, str_off, str_len] = words(header);
    let section = |offset: u32, len: u32| {
        let start = (header_len as usize).checked_add(offset as usize)?;
        let end = start.checked_add(len as usize)?;
        (end <= bytes.len()).then_some(start..end)
    };
    section(type_off, type_len).zip(section(str_off, str_len)).ok_or_else(|| "cut short".to_owned())
}

/// The type that begins here, and how many bytes it has.
fn read(bytes: &[u8]) -> Option<(Type<'_>, usize)> {
    let (head, rest) = bytes.split_first_chunk::<12>()?;
    let [name, info, size_or_type] = words(head);
    let (kind, count) = ((info >> 24 & 0x1f) as u8, (info & 0xffff) as usize);
    let len = match kind {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * count,
        kind::ENUM | kind::FUNC_PROTO => 8 * count,
        kind::PTR
        | kind::FWD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNC
        | kind::FLOAT
        | kind::TYPE_TAG => 0,
        _ => return None,
    };
    let rest = rest.get(..len)?;
    Some((Type { kind, name, size_or_type, bit_fields: info >> 31 != 0, rest }, 12 + len))
}

/// Bytes as little-endian numbers, as many as are asked for.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut out = [0; N];
    for (word, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    out
}
