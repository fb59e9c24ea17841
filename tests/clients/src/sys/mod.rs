//! Thin wrappers around the system calls that the scenarios make.
//!
//! Nothing here closes anything by itself: what is left open is the subject of the scenarios, so a file descriptor is a
//! plain number without `Drop`. Each wrapper is a function of its own that is never inlined: libc's system call wrappers
//! keep no frame, so an unwinder that follows frame pointers loses exactly the function that called libc, and that
//! should be the wrapper, not the scenario's function.

pub mod fd;
pub mod memory;
pub mod process;
pub mod socket;

use crate::outcome::{Answer, Failed};

/// The errno of the system call that just failed on this thread.
fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Turns libc's -1 into the errno.
fn check(what: &'static str, ret: libc::c_int) -> Answer<i32> {
    if ret < 0 { Err(Failed { what, errno: last_errno() }) } else { Ok(ret) }
}
