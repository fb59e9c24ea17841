//! Framebuffers and user mappings.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{Framebuffer, Mapping, ProbeId};

use super::arg;
use crate::flow::{Nesting, Returns, enter, keep, leave, point};
use crate::globals::{OFF_FILP_PRIVATE, OFF_VMA_END, OFF_VMA_PRIVATE, OFF_VMA_START, stacks};
use crate::read::Reader;
use crate::snapshot;

/// `int drm_framebuffer_init(struct drm_device *, struct drm_framebuffer *, const struct drm_framebuffer_funcs *)`
#[kprobe]
pub fn fb_init_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::framebuffer(&mut r, arg(&ctx, 1), arg(&ctx, 0));
    enter(&ctx, ProbeId::FbInit, Nesting::Never, stacks::BOTH, &r, &payload, 0);
    0
}

/// See [`fb_init_e`]. The caller has not let go of the framebuffer yet.
#[kretprobe]
pub fn fb_init_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FbInit, Nesting::Never, Returns::Value, 0, |r, payload: &mut Framebuffer, _, _| {
        *payload = snapshot::framebuffer(r, payload.fb, payload.dev);
    });
    0
}

/// `void drm_framebuffer_cleanup(struct drm_framebuffer *)`
#[kprobe]
pub fn fb_cleanup_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::framebuffer(&mut r, arg(&ctx, 0), 0);
    enter(&ctx, ProbeId::FbCleanup, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`fb_cleanup_e`].
#[kretprobe]
pub fn fb_cleanup_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FbCleanup, Nesting::Never, Returns::Nothing, 0, |_, _: &mut Framebuffer, _, _| {});
    0
}

/// `int drm_mode_closefb_ioctl(struct drm_device *, void *data, struct drm_file *)`, data: `fb_id`, `pad`.
#[kprobe]
pub fn fb_close_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = Framebuffer { dev: arg(&ctx, 0), id: r.at(arg(&ctx, 1)), ..Framebuffer::default() };
    keep(&ctx, ProbeId::FbClose, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`fb_close_e`]. The framebuffer may be gone.
#[kretprobe]
pub fn fb_close_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FbClose, Nesting::Never, Returns::Value, 0, |_, _: &mut Framebuffer, _, _| {});
    0
}

#[inline(always)]
fn mapping(r: &mut Reader, vma: u64) -> Mapping {
    let start: u64 = r.field(vma, &OFF_VMA_START);
    let end: u64 = r.field(vma, &OFF_VMA_END);
    Mapping { vma, start, length: end.wrapping_sub(start), ..Mapping::default() }
}

/// `int drm_gem_mmap_obj(struct drm_gem_object *, unsigned long, struct vm_area_struct *)`
#[kprobe]
pub fn gem_mmap_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = Mapping { obj: arg(&ctx, 0), ..mapping(&mut r, arg(&ctx, 2)) };
    keep(&ctx, ProbeId::GemMmap, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`gem_mmap_e`].
#[kretprobe]
pub fn gem_mmap_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::GemMmap,
        Nesting::Never,
        Returns::Value,
        stacks::BOTH,
        |_, _: &mut Mapping, _, _| {},
    );
    0
}

#[inline(always)]
fn gem_vma_point(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let vma = arg(ctx, 0);
    let payload = Mapping { obj: r.pointer(vma, &OFF_VMA_PRIVATE), ..mapping(&mut r, vma) };
    point(ctx, id, 0, &r, &payload);
}

/// `void drm_gem_vm_open(struct vm_area_struct *)`
#[kprobe]
pub fn gem_vm_open_e(ctx: ProbeContext) -> u32 {
    gem_vma_point(&ctx, ProbeId::GemVmOpen);
    0
}

/// `void drm_gem_vm_close(struct vm_area_struct *)`
#[kprobe]
pub fn gem_vm_close_e(ctx: ProbeContext) -> u32 {
    gem_vma_point(&ctx, ProbeId::GemVmClose);
    0
}

/// `int dma_buf_mmap_internal(struct file *, struct vm_area_struct *)`
#[kprobe]
pub fn dmabuf_mmap_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let filp = arg(&ctx, 0);
    let payload = Mapping {
        dma_buf: r.pointer(filp, &OFF_FILP_PRIVATE),
        ino: snapshot::file_ino(&mut r, filp),
        ..mapping(&mut r, arg(&ctx, 1))
    };
    keep(&ctx, ProbeId::BufMmap, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`dmabuf_mmap_e`].
#[kretprobe]
pub fn dmabuf_mmap_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::BufMmap, Nesting::Never, Returns::Value, 0, |_, _: &mut Mapping, _, _| {});
    0
}
