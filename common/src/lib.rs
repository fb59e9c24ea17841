//! The Record: the only thing that crosses a boundary in gemscope.
//!
//! One [`Record`] is one observation at one probe. The eBPF programs write them, the trace file stores them, the
//! model emits them, the engine reads them. This crate is `no_std`, has no opinion about rules, and allocates
//! nothing. Wire contract:
//!
//! * every struct is `repr(C)`, has no implicit padding, and its size is asserted at compile time;
//! * numbers in [`ProbeId`] are never reused or renumbered;
//! * a payload only ever grows at its end: a shorter old payload reads as zeros in the new fields.
#![no_std]

mod payload;
mod probe;
mod profile;
mod record;

pub use payload::*;
pub use probe::{Layout, Phase, ProbeId, UnknownProbe};
pub use profile::{Features, Profile};
pub use record::{DecodeError, Flags, Header, PAYLOAD_MAX, RECORD_MAX, Record};

/// Length of a task's `comm`, including the terminating NUL (`TASK_COMM_LEN`).
pub const COMM_LEN: usize = 16;

/// Largest value that a pointer-returning kernel function uses as an error (`MAX_ERRNO`).
pub const MAX_ERRNO: u64 = 4095;

/// The negative errno in an `ERR_PTR`-style return value, if it is one.
///
/// ```
/// assert_eq!(gemscope_common::err_ptr(-22i64 as u64), Some(-22));
/// assert_eq!(gemscope_common::err_ptr(0xffff_8880_0000_1000), None);
/// ```
#[must_use]
pub const fn err_ptr(value: u64) -> Option<i32> {
    if value > u64::MAX - MAX_ERRNO { Some(value as i64 as i32) } else { None }
}
