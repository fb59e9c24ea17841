//! The catalogue of probes: what each one is attached to, needs, serves and blinds.
//!
//! Pure: bytes in (kallsyms, BTF, ELF), plan out. Nothing here opens a file or talks to a kernel, and no input makes
//! it panic.

pub mod catalogue;
pub mod compress;
pub mod fields;
pub mod image;
pub mod module;
pub mod symbols;
