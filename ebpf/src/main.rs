//! The BPF programs of gemscope: one per (probe, entry or return) of the catalogue in `probes/`.
//!
//! They look, and write what they saw as a record onto one ring buffer; they know no rules. Every kernel struct
//! offset is a global that user space fills from BTF before the load, so one object serves every kernel. The wire
//! format is that of `gemscope-common`.
//!
//! Names: the probe's name with `_` for `-`, then `_e` for the program at the function's entry, `_r` for the one
//! at its return.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod filter;
mod flow;
mod globals;
mod maps;
mod probes;
mod read;
mod snapshot;

/// The kernel gives GPL-only helpers to programs with a compatible licence alone.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The host build exists for editors and lints only.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
