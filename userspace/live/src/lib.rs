//! The only crate that talks to the kernel: load, attach, ring buffer, `/proc`, privileges.

pub mod command;
pub mod prereq;
pub mod privileges;
pub mod scan;
