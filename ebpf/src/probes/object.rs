//! Birth and death of GEM objects.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{Gem, ProbeId};

use super::{arg, arg32};
use crate::flow::{Nesting, Returns, keep, leave, point};
use crate::globals::stacks;
use crate::read::{Reader, ok_pointer};
use crate::snapshot;

/// `void drm_gem_private_object_init(struct drm_device *, struct drm_gem_object *, size_t)`
#[kprobe]
pub fn object_init_e(ctx: ProbeContext) -> u32 {
    let payload = Gem { dev: arg(&ctx, 0), obj: arg(&ctx, 1), size: arg(&ctx, 2), ..Gem::default() };
    point(&ctx, ProbeId::ObjectInit, stacks::BOTH, &Reader::new(), &payload);
    0
}

#[inline(always)]
fn object_point(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let payload = snapshot::gem(&mut r, arg(ctx, 0));
    point(ctx, id, 0, &r, &payload);
}

/// `void drm_gem_object_release(struct drm_gem_object *)`
#[kprobe]
pub fn object_release_e(ctx: ProbeContext) -> u32 {
    object_point(&ctx, ProbeId::ObjectRelease);
    0
}

/// `void drm_gem_object_free(struct kref *)`: the kref is the object's first member.
#[kprobe]
pub fn object_free_e(ctx: ProbeContext) -> u32 {
    object_point(&ctx, ProbeId::ObjectFree);
    0
}

/// The driver's `funcs->free`.
#[kprobe]
pub fn object_driver_free_e(ctx: ProbeContext) -> u32 {
    object_point(&ctx, ProbeId::ObjectDriverFree);
    0
}

/// `struct drm_gem_object *drm_gem_object_lookup(struct drm_file *, u32 handle)`
#[kprobe]
pub fn object_lookup_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::by_file(&mut r, arg(&ctx, 0), arg32(&ctx, 1));
    keep(&ctx, ProbeId::ObjectLookup, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`object_lookup_e`].
#[kretprobe]
pub fn object_lookup_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::ObjectLookup, Nesting::Never, Returns::Value, 0, |r, payload: &mut Gem, _, ret| {
        // The caller owns a reference: the object is alive.
        let obj = ok_pointer(ret);
        if obj != 0 {
            let (file, handle, dev) = (payload.file, payload.handle, payload.dev);
            *payload = snapshot::gem(r, obj);
            payload.file = file;
            payload.handle = handle;
            if payload.dev == 0 {
                payload.dev = dev;
            }
        }
    });
    0
}
