//! What is done with a dma-buf's memory under its reservation lock.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{BufAccess, ProbeId};

use super::arg;
use super::attachment::unlocked;
use crate::flow::{Nesting, Returns, keep, leave, point};
use crate::globals::{OFF_MAP_ADDRESS, UNKNOWN, stacks};
use crate::read::Reader;
use crate::snapshot;

#[inline(always)]
fn access_point(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let payload = snapshot::buf_access(&mut r, arg(ctx, 0));
    point(ctx, id, unlocked(payload.reservation), &r, &payload);
}

/// `int dma_buf_vmap(struct dma_buf *, struct iosys_map *)`; up to 5.10 `void *dma_buf_vmap(struct dma_buf *)`
#[kprobe]
pub fn vmap_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::buf_access(&mut r, arg(&ctx, 0));
    keep(&ctx, ProbeId::Vmap, Nesting::Once, &r, &payload, 0);
    0
}

/// See [`vmap_e`].
#[kretprobe]
pub fn vmap_r(ctx: RetProbeContext) -> u32 {
    // The struct that addresses are given back in came when they were no longer returned.
    let returns = if OFF_MAP_ADDRESS.load() == UNKNOWN { Returns::Address } else { Returns::Value };
    leave(&ctx, ProbeId::Vmap, Nesting::Once, returns, stacks::BOTH, |_, _: &mut BufAccess, _, _| {});
    0
}

/// `void dma_buf_vunmap(struct dma_buf *, struct iosys_map *)`; up to 5.10 the second one is the address
#[kprobe]
pub fn vunmap_e(ctx: ProbeContext) -> u32 {
    access_point(&ctx, ProbeId::Vunmap);
    0
}

/// `void dma_buf_invalidate_mappings(struct dma_buf *)`, or `dma_buf_move_notify`
#[kprobe]
pub fn move_notify_e(ctx: ProbeContext) -> u32 {
    access_point(&ctx, ProbeId::MoveNotify);
    0
}
