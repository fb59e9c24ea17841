//! How a program can end beside a plain exit.

use super::parts::{
    close_buffer, close_device, close_prime_fd, make_buffer, open_device, open_device_twice, share,
    share_with_importer,
};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::sys::process::kill_self;

/// The exit code of [`exit_nonzero`]: unlike any that this program gives for another reason.
const OWN_FAILURE: i32 = 3;

/// Leaves buffers in four states: only a handle; shared with the fd closed; with the fd open; imported elsewhere.
#[inline(never)]
fn leave_buffers_in_every_state(options: &Options) -> Outcome {
    let (file, other) = open_device_twice(options)?;
    make_buffer(file)?;
    let shared = make_buffer(file)?;
    close_prime_fd(share(file, shared)?)?;
    let in_transit = make_buffer(file)?;
    share(file, in_transit)?;
    let passed_on = make_buffer(file)?;
    let prime = share(file, passed_on)?;
    share_with_importer(other, prime)?;
    close_buffer(file, passed_on)
}

/// SIGKILL in the middle of the work.
#[inline(never)]
pub fn killed_midway(options: &Options) -> Outcome {
    leave_buffers_in_every_state(options)?;
    match kill_self()? {}
}

/// SIGABRT in the middle of the work.
#[inline(never)]
pub fn killed_by_abort(options: &Options) -> Outcome {
    leave_buffers_in_every_state(options)?;
    std::process::abort()
}

/// A program that fails for reasons of its own, having closed everything.
#[inline(never)]
pub fn exit_nonzero(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    close_prime_fd(share(file, buffer)?)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    std::process::exit(OWN_FAILURE)
}
