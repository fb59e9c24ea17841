//! Attachments of devices, their mappings and pins.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{Attachment, ProbeId, reservation};

use super::{arg, arg32};
use crate::flow::{Nesting, Returns, enter, keep, leave, point};
use crate::globals::{
    OFF_ATTACH_DEV, OFF_ATTACH_DIRECTION, OFF_ATTACH_DMABUF, OFF_ATTACH_IMPORTER_OPS, OFF_ATTACH_SGT, stacks,
};
use crate::read::{Reader, ok_pointer};
use crate::snapshot;

/// An attachment that exists, as it is seen through a dma-buf that should be its own.
#[inline(always)]
fn attachment_of(r: &mut Reader, dma_buf: u64, attach: u64, attached_to: u64) -> Attachment {
    Attachment {
        dma_buf,
        ino: snapshot::buf_ino(r, dma_buf),
        attach,
        device: r.pointer(attach, &OFF_ATTACH_DEV),
        sgt: 0,
        importer_ops: r.pointer(attach, &OFF_ATTACH_IMPORTER_OPS),
        direction: 0,
        reservation: snapshot::reservation(r, dma_buf),
        attached_to,
        cached_sgt: r.pointer(attach, &OFF_ATTACH_SGT),
        cached_direction: r.field(attach, &OFF_ATTACH_DIRECTION),
        ops_bits: snapshot::exporter_bits(r, dma_buf),
    }
}

/// An attachment that exists.
#[inline(always)]
fn attachment(r: &mut Reader, attach: u64) -> Attachment {
    let dma_buf = r.pointer(attach, &OFF_ATTACH_DMABUF);
    attachment_of(r, dma_buf, attach, dma_buf)
}

/// `struct dma_buf_attachment *dma_buf_dynamic_attach(struct dma_buf *, struct device *,
/// const struct dma_buf_attach_ops *, void *)`: a caller that holds the reservation lock never returns from it.
#[kprobe]
pub fn attach_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let dma_buf = arg(&ctx, 0);
    let payload = Attachment {
        dma_buf,
        ino: snapshot::buf_ino(&mut r, dma_buf),
        device: arg(&ctx, 1),
        importer_ops: arg(&ctx, 2),
        reservation: snapshot::reservation(&mut r, dma_buf),
        ops_bits: snapshot::exporter_bits(&mut r, dma_buf),
        ..Attachment::default()
    };
    enter(&ctx, ProbeId::Attach, Nesting::Once, stacks::BOTH, &r, &payload, 0);
    0
}

/// See [`attach_e`]. The attachment is the caller's own: it is alive.
#[kretprobe]
pub fn attach_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::Attach, Nesting::Once, Returns::Value, 0, |r, payload: &mut Attachment, _, ret| {
        payload.attach = ok_pointer(ret);
        if payload.attach != 0 {
            payload.attached_to = payload.dma_buf;
            payload.cached_sgt = r.pointer(payload.attach, &OFF_ATTACH_SGT);
            payload.cached_direction = r.field(payload.attach, &OFF_ATTACH_DIRECTION);
        }
    });
    0
}

/// `void dma_buf_detach(struct dma_buf *, struct dma_buf_attachment *)`
#[kprobe]
pub fn detach_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let attach = arg(&ctx, 1);
    let attached_to = r.pointer(attach, &OFF_ATTACH_DMABUF);
    let payload = attachment_of(&mut r, arg(&ctx, 0), attach, attached_to);
    point(&ctx, ProbeId::Detach, stacks::BOTH, &r, &payload);
    0
}

/// The stacks of a call that comes often: only where the reservation lock is not held, which somebody will have to explain.
#[inline(always)]
pub(super) fn unlocked(lock: u32) -> u32 {
    if lock == reservation::NOT_HELD { stacks::BOTH } else { 0 }
}

/// `struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *, enum dma_data_direction)`
#[kprobe]
pub fn map_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let mut payload = attachment(&mut r, arg(&ctx, 0));
    payload.direction = arg32(&ctx, 1);
    enter(&ctx, ProbeId::Map, Nesting::Once, unlocked(payload.reservation), &r, &payload, 0);
    0
}

/// See [`map_e`].
#[kretprobe]
pub fn map_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::Map, Nesting::Once, Returns::Value, 0, |_, payload: &mut Attachment, _, ret| {
        payload.sgt = ok_pointer(ret);
    });
    0
}

/// `void dma_buf_unmap_attachment(struct dma_buf_attachment *, struct sg_table *, enum dma_data_direction)`
#[kprobe]
pub fn unmap_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let mut payload = attachment(&mut r, arg(&ctx, 0));
    payload.sgt = arg(&ctx, 1);
    payload.direction = arg32(&ctx, 2);
    point(&ctx, ProbeId::Unmap, unlocked(payload.reservation), &r, &payload);
    0
}

/// `int dma_buf_pin(struct dma_buf_attachment *)`
#[kprobe]
pub fn pin_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = attachment(&mut r, arg(&ctx, 0));
    keep(&ctx, ProbeId::Pin, Nesting::Once, &r, &payload, 0);
    0
}

/// See [`pin_e`].
#[kretprobe]
pub fn pin_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::Pin, Nesting::Once, Returns::Value, stacks::BOTH, |_, _: &mut Attachment, _, _| {});
    0
}

/// `void dma_buf_unpin(struct dma_buf_attachment *)`
#[kprobe]
pub fn unpin_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = attachment(&mut r, arg(&ctx, 0));
    point(&ctx, ProbeId::Unpin, unlocked(payload.reservation), &r, &payload);
    0
}
