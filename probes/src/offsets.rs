//! Where every field of the table lies on one kernel, or why that is not known.

use crate::btf::{Btf, WhyNot};
use crate::fallback::Evidence;
use crate::fields::{Field, Home, UNKNOWN};

/// How an offset became known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the kernel's BTF.
    Btf,
    /// From the instructions of this function of drm.ko.
    Code(&'static str),
}

/// What is known about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its offset.
    At {
        /// in bytes
        offset: u32,
        /// where that is from
        source: Source,
    },
    /// It has none, or it could not be found.
    Not(WhyNot),
}

/// The offsets of all fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets(Vec<(Field, Known)>);

impl Offsets {
    /// Looks every field up in BTF. DRM fields of a kernel without BTF for DRM are taken from the instructions of
    /// drm.ko instead, where those leave no doubt.
    #[must_use]
    pub fn resolve(btf: Option<&Btf>, code: Option<&Evidence>) -> Self {
        let drm_types = btf.is_some_and(|b| b.has_struct("drm", "drm_gem_object"));
        let known = |field: Field| match (field.home(), btf, code) {
            (Home::Kernel, None, _) => Known::Not(WhyNot::NoBtf("vmlinux")),
            (Home::Drm, None, None) => Known::Not(WhyNot::NoBtf("drm")),
            (Home::Drm, _, Some(code)) if !drm_types => match code.offset(field) {
                Ok((offset, function)) => Known::At { offset, source: Source::Code(function) },
                Err(why) => Known::Not(why),
            },
            (Home::Drm, _, _) if !drm_types => Known::Not(WhyNot::NoBtf("drm")),
            (_, Some(btf), _) => match btf.field(field) {
                Ok(offset) => Known::At { offset, source: Source::Btf },
                Err(why) => Known::Not(why),
            },
            (Home::Drm, None, Some(_)) => Known::Not(WhyNot::NoBtf("drm")),
        };
        Self(Field::ALL.iter().map(|&field| (field, known(field))).collect())
    }

    /// The field's offset in bytes.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<u32> {
        match self.known(field) {
            Some(Known::At { offset, .. }) => Some(*offset),
            _ => None,
        }
    }

    /// What is known about a field.
    #[must_use]
    pub fn known(&self, field: Field) -> Option<&Known> {
        self.0.iter().find(|(f, _)| *f == field).map(|(_, known)| known)
    }

    /// Why the field's offset is not known; `None` when it is.
    #[must_use]
    pub fn why_not(&self, field: Field) -> Option<&WhyNot> {
        match self.known(field)? {
            Known::Not(why) => Some(why),
            Known::At { .. } => None,
        }
    }

    /// Value of the field's global in the BPF object.
    #[must_use]
    pub fn global_value(&self, field: Field) -> u32 {
        self.get(field).unwrap_or(UNKNOWN)
    }

    /// Every field and what is known about it, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Known)> {
        self.0.iter().map(|(field, known)| (*field, known))
    }
}
