//! Offsets and facts from the code of drm.ko, for kernels that have no BTF for modules.

use crate::btf::WhyNot;
use crate::fields::Field;
use crate::module::{Code, Elf};

/// The functions of drm.ko that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    functions: Vec<(String, Code)>,
}

impl Evidence {
    /// Takes what is needed from drm.ko.
    #[must_use]
    pub fn of(elf: &Elf<'_>) -> Self {
        let _ = elf;
        Self::default()
    }

    /// Does the function (or table) refer to `name`? `None` when it is not at hand.
    #[must_use]
    pub fn refers_to(&self, function: &str, name: &str) -> Option<bool> {
        let (_, code) = self.functions.iter().find(|(n, _)| n == function)?;
        Some(code.refers_to(name))
    }

    /// The field's offset and the function that shows it.
    ///
    /// # Errors
    /// [`WhyNot::Unconfirmed`] when no function shows it, or two disagree.
    pub fn offset(&self, field: Field) -> Result<(u32, &'static str), WhyNot> {
        let _ = field;
        Err(WhyNot::Unconfirmed(String::new()))
    }
}
