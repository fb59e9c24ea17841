//! Operations as programs: what the kernel does for each call, step by step, as the era has it.
//!
//! Rule numbers and function names say where each step comes from. An operation begins with what user space gives
//! it in registers and ends with its result in `ret`.

mod dmabuf;
mod files;
mod framebuffers;
mod handles;
mod objects;
mod prime;

pub use dmabuf::*;
pub use files::*;
pub use framebuffers::*;
pub use handles::*;
pub use objects::*;
pub use prime::*;

/// Errors, as the kernel numbers them.
pub mod errno {
    pub const ENOENT: i16 = -2;
    pub const EBADF: i16 = -9;
    pub const ENOMEM: i16 = -12;
    pub const EBUSY: i16 = -16;
    pub const EINVAL: i16 = -22;
    pub const EMFILE: i16 = -24;
    pub const ENOSPC: i16 = -28;
}
