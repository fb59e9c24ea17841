//! The catalogue of probes: what each one is attached to, needs, serves and blinds.
//!
//! Pure: bytes in (kallsyms, BTF, ELF), plan out. Nothing here opens a file or talks to a kernel, and no input makes
//! it panic.

pub mod btf;
pub mod catalogue;
pub mod compress;
pub mod detect;
pub mod explain;
pub mod facts;
pub mod fallback;
pub mod fields;
pub mod image;
mod lists;
pub mod module;
pub mod offsets;
pub mod plan;
pub mod symbols;

pub use facts::KernelFacts;
pub use plan::{Plan, PlanOptions, plan};
