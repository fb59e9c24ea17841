//! PRIME: export and import brackets, the per-file cache, the import hooks.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{Gem, Prime, ProbeId};

use super::{arg, arg32};
use crate::flow::{Nesting, Returns, enter, leave};
use crate::globals::{OFF_FILE_PRIME, stacks};
use crate::read::{Reader, container, ok_pointer};
use crate::snapshot;

/// A call that has no fd.
const NO_FD: i32 = -1;
/// `fd` of `struct drm_prime_handle`.
const PRIME_HANDLE_FD: u64 = 8;

/// `int drm_prime_handle_to_fd_ioctl(struct drm_device *, void *data, struct drm_file *)`, data: `handle`, `flags`,
/// `fd`.
#[kprobe]
pub fn export_ioctl_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let data = arg(&ctx, 1);
    let [handle, flags]: [u32; 2] = r.at(data);
    let payload =
        Prime { file: arg(&ctx, 2), dev: arg(&ctx, 0), handle, flags, fd: NO_FD, ..Prime::default() };
    enter(&ctx, ProbeId::ExportIoctl, Nesting::Never, stacks::BOTH, &r, &payload, data);
    0
}

/// See [`export_ioctl_e`]. The fd is live: its dma-buf may be gone already.
#[kretprobe]
pub fn export_ioctl_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::ExportIoctl,
        Nesting::Never,
        Returns::Value,
        0,
        |r, payload: &mut Prime, data, ret| {
            payload.fd = if ret as i32 == 0 && data != 0 { r.at(data + PRIME_HANDLE_FD) } else { NO_FD };
        },
    );
    0
}

/// `int drm_gem_prime_handle_to_fd(struct drm_device *, struct drm_file *, u32 handle, u32 flags, int *prime_fd)`
#[kprobe]
pub fn export_to_fd_e(ctx: ProbeContext) -> u32 {
    let payload = Prime {
        dev: arg(&ctx, 0),
        file: arg(&ctx, 1),
        handle: arg32(&ctx, 2),
        flags: arg32(&ctx, 3),
        fd: NO_FD,
        ..Prime::default()
    };
    let prime_fd = arg(&ctx, 4);
    enter(&ctx, ProbeId::ExportToFd, Nesting::Never, stacks::BOTH, &Reader::new(), &payload, prime_fd);
    0
}

/// See [`export_to_fd_e`]. The fd is live: its dma-buf may be gone already.
#[kretprobe]
pub fn export_to_fd_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::ExportToFd,
        Nesting::Never,
        Returns::Value,
        0,
        |r, payload: &mut Prime, prime_fd, ret| {
            payload.fd = if ret as i32 == 0 && prime_fd != 0 { r.at(prime_fd) } else { NO_FD };
            payload.syscall = snapshot::syscall(r);
        },
    );
    0
}

/// `struct dma_buf *drm_gem_prime_handle_to_dmabuf(struct drm_device *, struct drm_file *, u32 handle, u32 flags)`
#[kprobe]
pub fn export_to_dmabuf_e(ctx: ProbeContext) -> u32 {
    let payload = Prime {
        dev: arg(&ctx, 0),
        file: arg(&ctx, 1),
        handle: arg32(&ctx, 2),
        flags: arg32(&ctx, 3),
        fd: NO_FD,
        ..Prime::default()
    };
    enter(&ctx, ProbeId::ExportToDmabuf, Nesting::Never, stacks::BOTH, &Reader::new(), &payload, 0);
    0
}

/// See [`export_to_dmabuf_e`]. The caller owns a reference: the dma-buf is alive.
#[kretprobe]
pub fn export_to_dmabuf_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::ExportToDmabuf,
        Nesting::Never,
        Returns::Value,
        0,
        |r, payload: &mut Prime, _, ret| {
            payload.fd = NO_FD;
            payload.dma_buf = ok_pointer(ret);
            payload.ino = snapshot::buf_ino(r, payload.dma_buf);
        },
    );
    0
}

/// `int drm_gem_prime_fd_to_handle(struct drm_device *, struct drm_file *, int prime_fd, u32 *handle)`
#[kprobe]
pub fn import_e(ctx: ProbeContext) -> u32 {
    let payload =
        Prime { dev: arg(&ctx, 0), file: arg(&ctx, 1), fd: arg32(&ctx, 2) as i32, ..Prime::default() };
    enter(&ctx, ProbeId::Import, Nesting::Never, stacks::BOTH, &Reader::new(), &payload, arg(&ctx, 3));
    0
}

/// See [`import_e`].
#[kretprobe]
pub fn import_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::Import, Nesting::Never, Returns::Value, 0, |r, payload: &mut Prime, handle, ret| {
        if ret as i32 == 0 {
            payload.handle = r.at(handle);
        }
    });
    0
}

#[inline(always)]
fn hook_enter(ctx: &ProbeContext, id: ProbeId) {
    let mut r = Reader::new();
    let dma_buf = arg(ctx, 1);
    let payload = Prime {
        dev: arg(ctx, 0),
        dma_buf,
        ino: snapshot::buf_ino(&mut r, dma_buf),
        fd: NO_FD,
        ..Prime::default()
    };
    enter(ctx, id, Nesting::Once, 0, &r, &payload, 0);
}

#[inline(always)]
fn hook_leave(ctx: &RetProbeContext, id: ProbeId) {
    leave(ctx, id, Nesting::Once, Returns::Value, 0, |_, payload: &mut Prime, _, ret| {
        payload.fd = NO_FD;
        payload.obj = ok_pointer(ret);
    });
}

/// `struct drm_gem_object *drm_gem_prime_import_dev(struct drm_device *, struct dma_buf *, struct device *)`
#[kprobe]
pub fn import_dev_e(ctx: ProbeContext) -> u32 {
    hook_enter(&ctx, ProbeId::ImportDev);
    0
}

/// See [`import_dev_e`].
#[kretprobe]
pub fn import_dev_r(ctx: RetProbeContext) -> u32 {
    hook_leave(&ctx, ProbeId::ImportDev);
    0
}

/// `struct drm_gem_object *drm_gem_shmem_prime_import_no_map(struct drm_device *, struct dma_buf *)`
#[kprobe]
pub fn import_no_map_e(ctx: ProbeContext) -> u32 {
    hook_enter(&ctx, ProbeId::ImportNoMap);
    0
}

/// See [`import_no_map_e`].
#[kretprobe]
pub fn import_no_map_r(ctx: RetProbeContext) -> u32 {
    hook_leave(&ctx, ProbeId::ImportNoMap);
    0
}

/// `int drm_prime_add_buf_handle(struct drm_prime_file_private *, struct dma_buf *, u32 handle)`
#[kprobe]
pub fn cache_add_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let dma_buf = arg(&ctx, 1);
    let payload = Prime {
        file: container(arg(&ctx, 0), &OFF_FILE_PRIME),
        dma_buf,
        ino: snapshot::buf_ino(&mut r, dma_buf),
        handle: arg32(&ctx, 2),
        fd: NO_FD,
        ..Prime::default()
    };
    enter(&ctx, ProbeId::CacheAdd, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`cache_add_e`].
#[kretprobe]
pub fn cache_add_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::CacheAdd, Nesting::Never, Returns::Value, 0, |_, _: &mut Prime, _, _| {});
    0
}

/// `void drm_prime_remove_buf_handle(struct drm_prime_file_private *, u32 handle)`
#[kprobe]
pub fn cache_remove_e(ctx: ProbeContext) -> u32 {
    let payload = Prime {
        file: container(arg(&ctx, 0), &OFF_FILE_PRIME),
        handle: arg32(&ctx, 1),
        fd: NO_FD,
        ..Prime::default()
    };
    enter(&ctx, ProbeId::CacheRemove, Nesting::Never, 0, &Reader::new(), &payload, 0);
    0
}

/// See [`cache_remove_e`].
#[kretprobe]
pub fn cache_remove_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::CacheRemove, Nesting::Never, Returns::Nothing, 0, |_, _: &mut Prime, _, _| {});
    0
}

/// `void drm_prime_gem_destroy(struct drm_gem_object *, struct sg_table *)`
#[kprobe]
pub fn import_destroy_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = snapshot::gem(&mut r, arg(&ctx, 0));
    enter(&ctx, ProbeId::ImportDestroy, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`import_destroy_e`].
#[kretprobe]
pub fn import_destroy_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::ImportDestroy, Nesting::Never, Returns::Nothing, 0, |_, _: &mut Gem, _, _| {});
    0
}
