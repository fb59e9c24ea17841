//! Guests: a stock kernel booted in QEMU, a command run in it, and what came of it brought back.
//!
//! Used by the developer commands for the tests and by `gemscope check --in-vm` for machines whose own kernel cannot be probed.
//! Kernels come from Debian's archive and are kept in a cache, or are any image that lies on this machine.

pub mod accel;
pub mod cache;
mod cpio;
pub mod debian;
pub mod errand;
pub mod image;
pub mod index;
pub mod initramfs;
pub mod kernels;
pub mod libraries;
pub mod mirror;
pub mod modules;
pub mod qemu;
pub mod scratch;
pub mod tool;

use std::sync::OnceLock;

static TELL: OnceLock<fn(&str)> = OnceLock::new();

/// Has what is told on the way (what is fetched, what is tried again) told by the caller, under its own name. The first one asked
/// stays.
pub fn tell_by(teller: fn(&str)) {
    // A second caller in one process is a test beside another one.
    let _ = TELL.set(teller);
}

/// Tells something beside the guest's own output.
pub(crate) fn tell(text: &str) {
    match TELL.get() {
        Some(teller) => teller(text),
        None => eprintln!("{text}"),
    }
}
