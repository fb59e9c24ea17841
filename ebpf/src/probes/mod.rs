//! The programs, by the groups of the catalogue.

mod access;
mod attachment;
mod display;
mod dmabuf;
mod handle;
mod iter;
mod object;
mod prime;
mod process;

use aya_ebpf::programs::ProbeContext;

/// The `n`th argument, as a number.
#[inline(always)]
fn arg(ctx: &ProbeContext, n: usize) -> u64 {
    ctx.arg(n).unwrap_or_default()
}

/// The `n`th argument of an `int` or `u32` parameter: the register's upper half means nothing.
#[inline(always)]
fn arg32(ctx: &ProbeContext, n: usize) -> u32 {
    arg(ctx, n) as u32
}
