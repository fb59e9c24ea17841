//! Handles, flink names and DRM files.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{ChangeHandle, DrmFile, Gem, ProbeId};

use super::{arg, arg32};
use crate::flow::{Nesting, Returns, enter, keep, leave, point};
use crate::globals::{OFF_FILE_PRIME, OFF_PRIME_DMABUFS, stacks};
use crate::read::{Reader, container, ok_pointer};
use crate::snapshot;

/// `handle` of `struct drm_mode_fb_cmd`.
const FB_CMD_HANDLE: u64 = 24;
/// `handles[0]` of `struct drm_mode_fb_cmd2`.
const FB_CMD2_HANDLES: u64 = 20;

/// `int drm_gem_handle_create_tail(struct drm_file *, struct drm_gem_object *, u32 *handlep)`
#[kprobe]
pub fn handle_create_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let mut payload = snapshot::gem(&mut r, arg(&ctx, 1));
    payload.file = arg(&ctx, 0);
    enter(&ctx, ProbeId::HandleCreate, Nesting::Never, stacks::BOTH, &r, &payload, arg(&ctx, 2));
    0
}

/// See [`handle_create_e`].
#[kretprobe]
pub fn handle_create_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::HandleCreate,
        Nesting::Never,
        Returns::Value,
        0,
        |r, payload: &mut Gem, handlep, ret| {
            if ret as i32 == 0 {
                payload.handle = r.at(handlep);
            }
        },
    );
    0
}

/// `int drm_gem_handle_delete(struct drm_file *, u32 handle)`
#[kprobe]
pub fn handle_delete_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::by_file(&mut r, arg(&ctx, 0), arg32(&ctx, 1));
    enter(&ctx, ProbeId::HandleDelete, Nesting::Never, stacks::USER, &r, &payload, 0);
    0
}

/// See [`handle_delete_e`].
#[kretprobe]
pub fn handle_delete_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::HandleDelete, Nesting::Never, Returns::Value, 0, |_, _: &mut Gem, _, _| {});
    0
}

/// `int drm_gem_object_release_handle(int id, void *obj, void *file)`
#[kprobe]
pub fn handle_release_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let mut payload = snapshot::gem(&mut r, arg(&ctx, 1));
    payload.handle = arg32(&ctx, 0);
    payload.file = arg(&ctx, 2);
    if payload.dev == 0 {
        payload.dev = snapshot::file_device(&mut r, payload.file);
    }
    enter(&ctx, ProbeId::HandleRelease, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`handle_release_e`].
#[kretprobe]
pub fn handle_release_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::HandleRelease, Nesting::Never, Returns::Value, 0, |_, _: &mut Gem, _, _| {});
    0
}

/// `void drm_gem_object_handle_put_unlocked(struct drm_gem_object *)`
#[kprobe]
pub fn handle_put_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::gem(&mut r, arg(&ctx, 0));
    enter(&ctx, ProbeId::HandlePut, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`handle_put_e`]. The object may be gone.
#[kretprobe]
pub fn handle_put_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::HandlePut, Nesting::Never, Returns::Nothing, 0, |_, _: &mut Gem, _, _| {});
    0
}

/// `void drm_gem_object_handle_get(struct drm_gem_object *)`
#[kprobe]
pub fn handle_get_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::gem(&mut r, arg(&ctx, 0));
    point(&ctx, ProbeId::HandleGet, 0, &r, &payload);
    0
}

/// `bool drm_gem_object_handle_get_if_exists_unlocked(struct drm_gem_object *)`
#[kprobe]
pub fn handle_get_if_exists_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::gem(&mut r, arg(&ctx, 0));
    enter(&ctx, ProbeId::HandleGetIfExists, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`handle_get_if_exists_e`].
#[kretprobe]
pub fn handle_get_if_exists_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::HandleGetIfExists, Nesting::Never, Returns::Bool, 0, |_, _: &mut Gem, _, _| {});
    0
}

/// `int drm_gem_change_handle_ioctl(struct drm_device *, void *data, struct drm_file *)`, data: `handle`,
/// `new_handle`.
#[kprobe]
pub fn change_handle_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let [handle, new_handle]: [u32; 2] = r.at(arg(&ctx, 1));
    let payload = ChangeHandle { file: arg(&ctx, 2), handle, new_handle, reserved: 0 };
    enter(&ctx, ProbeId::ChangeHandle, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`change_handle_e`].
#[kretprobe]
pub fn change_handle_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::ChangeHandle, Nesting::Never, Returns::Value, 0, |_, _: &mut ChangeHandle, _, _| {});
    0
}

/// `int drm_gem_flink_ioctl(struct drm_device *, void *data, struct drm_file *)`, data: `handle`, `name`.
#[kprobe]
pub fn flink_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let data = arg(&ctx, 1);
    let handle: u32 = r.at(data);
    let payload = snapshot::by_file(&mut r, arg(&ctx, 2), handle);
    enter(&ctx, ProbeId::Flink, Nesting::Never, stacks::BOTH, &r, &payload, data);
    0
}

/// See [`flink_e`].
#[kretprobe]
pub fn flink_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::Flink, Nesting::Never, Returns::Value, 0, |r, payload: &mut Gem, data, ret| {
        if ret as i32 == 0 && data != 0 {
            payload.name = r.at(data + 4);
        }
    });
    0
}

/// `int drm_gem_open_ioctl(struct drm_device *, void *data, struct drm_file *)`, data: `name`, `handle`, `size`.
#[kprobe]
pub fn gem_open_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let data = arg(&ctx, 1);
    let mut payload = snapshot::by_file(&mut r, arg(&ctx, 2), 0);
    payload.name = r.at(data);
    enter(&ctx, ProbeId::GemOpen, Nesting::Never, stacks::USER, &r, &payload, data);
    0
}

/// See [`gem_open_e`].
#[kretprobe]
pub fn gem_open_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::GemOpen, Nesting::Never, Returns::Value, 0, |r, payload: &mut Gem, data, ret| {
        if ret as i32 == 0 && data != 0 {
            payload.handle = r.at(data + 4);
            payload.size = r.at(data + 8);
        }
    });
    0
}

/// An ioctl whose argument begins with a handle.
#[inline(always)]
fn handle_point(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let handle: u32 = r.at(arg(ctx, 1));
    let payload = snapshot::by_file(&mut r, arg(ctx, 2), handle);
    point(ctx, id, 0, &r, &payload);
}

/// `int drm_gem_close_ioctl(struct drm_device *, void *data, struct drm_file *)`
#[kprobe]
pub fn gem_close_e(ctx: ProbeContext) -> u32 {
    handle_point(&ctx, ProbeId::GemClose);
    0
}

/// `int drm_mode_destroy_dumb_ioctl(struct drm_device *, void *data, struct drm_file *)`
#[kprobe]
pub fn destroy_dumb_e(ctx: ProbeContext) -> u32 {
    handle_point(&ctx, ProbeId::DestroyDumb);
    0
}

/// `int drm_vma_node_allow(struct drm_vma_offset_node *, struct drm_file *)`
#[kprobe]
pub fn vma_allow_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::by_file(&mut r, arg(&ctx, 1), 0);
    point(&ctx, ProbeId::VmaAllow, 0, &r, &payload);
    0
}

/// `int i915_gem_pread_ioctl(struct drm_device *, void *data, struct drm_file *)` and the like, whose data begin with
/// a handle.
#[kprobe]
pub fn driver_access_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let handle: u32 = r.at(arg(&ctx, 1));
    let payload = snapshot::by_file(&mut r, arg(&ctx, 2), handle);
    keep(&ctx, ProbeId::DriverAccess, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`driver_access_e`].
#[kretprobe]
pub fn driver_access_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::DriverAccess,
        Nesting::Never,
        Returns::Value,
        stacks::USER,
        |_, _: &mut Gem, _, _| {},
    );
    0
}

#[inline(always)]
fn getfb_enter(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let payload = snapshot::by_file(&mut r, arg(ctx, 2), 0);
    enter(ctx, id, Nesting::Never, 0, &r, &payload, arg(ctx, 1));
}

#[inline(always)]
fn getfb_leave(ctx: &RetProbeContext, id: ProbeId, offset: u64) {
    leave(ctx, id, Nesting::Never, Returns::Value, 0, |r, payload: &mut Gem, data, ret| {
        if ret as i32 == 0 && data != 0 {
            payload.handle = r.at(data + offset);
        }
    });
}

/// `int drm_mode_getfb(struct drm_device *, void *data, struct drm_file *)`
#[kprobe]
pub fn getfb_e(ctx: ProbeContext) -> u32 {
    getfb_enter(&ctx, ProbeId::GetFb);
    0
}

/// See [`getfb_e`].
#[kretprobe]
pub fn getfb_r(ctx: RetProbeContext) -> u32 {
    getfb_leave(&ctx, ProbeId::GetFb, FB_CMD_HANDLE);
    0
}

/// `int drm_mode_getfb2_ioctl(struct drm_device *, void *data, struct drm_file *)`
#[kprobe]
pub fn getfb2_e(ctx: ProbeContext) -> u32 {
    getfb_enter(&ctx, ProbeId::GetFb2);
    0
}

/// See [`getfb2_e`].
#[kretprobe]
pub fn getfb2_r(ctx: RetProbeContext) -> u32 {
    getfb_leave(&ctx, ProbeId::GetFb2, FB_CMD2_HANDLES);
    0
}

/// `struct drm_file *drm_file_alloc(struct drm_minor *)`
#[kprobe]
pub fn file_open_e(ctx: ProbeContext) -> u32 {
    keep(&ctx, ProbeId::FileOpen, Nesting::Never, &Reader::new(), &DrmFile::default(), 0);
    0
}

/// See [`file_open_e`].
#[kretprobe]
pub fn file_open_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FileOpen, Nesting::Never, Returns::Value, 0, |r, payload: &mut DrmFile, _, ret| {
        *payload = snapshot::drm_file(r, ok_pointer(ret));
    });
    0
}

/// `void drm_gem_release(struct drm_device *, struct drm_file *)`
#[kprobe]
pub fn file_close_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::drm_file(&mut r, arg(&ctx, 1));
    enter(&ctx, ProbeId::FileClose, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`file_close_e`].
#[kretprobe]
pub fn file_close_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FileClose, Nesting::Never, Returns::Nothing, 0, |_, _: &mut DrmFile, _, _| {});
    0
}

/// `void drm_prime_destroy_file_private(struct drm_prime_file_private *)`
#[kprobe]
pub fn prime_destroy_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let prime = arg(&ctx, 0);
    let mut payload = snapshot::drm_file(&mut r, container(prime, &OFF_FILE_PRIME));
    payload.cache_root = r.pointer(prime, &OFF_PRIME_DMABUFS);
    point(&ctx, ProbeId::PrimeDestroy, 0, &r, &payload);
    0
}

/// `void drm_fb_release(struct drm_file *)`
#[kprobe]
pub fn fb_release_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::drm_file(&mut r, arg(&ctx, 0));
    enter(&ctx, ProbeId::FbRelease, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`fb_release_e`].
#[kretprobe]
pub fn fb_release_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::FbRelease, Nesting::Never, Returns::Nothing, 0, |_, _: &mut DrmFile, _, _| {});
    0
}
