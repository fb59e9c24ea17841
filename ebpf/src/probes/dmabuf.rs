//! Life of a dma-buf.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use gemscope_common::{Buf, BufExport, BufIoctl, ProbeId};

use super::{arg, arg32};
use crate::flow::{Nesting, Returns, enter, keep, leave, point};
use crate::globals::*;
use crate::read::{Reader, ok_pointer};
use crate::snapshot;

/// A call that has no fd.
const NO_FD: i32 = -1;
/// `DMA_BUF_IOCTL_SYNC`.
const SYNC: u32 = 0x4008_6200;

/// A dma-buf whose file is alive.
#[inline(always)]
fn live_buf(r: &mut Reader, dma_buf: u64, fd: i32) -> Buf {
    let filp = r.pointer(dma_buf, &OFF_BUF_FILE);
    Buf {
        dma_buf,
        ino: snapshot::file_ino(r, filp),
        private: r.pointer(dma_buf, &OFF_BUF_PRIV),
        filp,
        file_count: snapshot::file_count(r, filp),
        fd,
        vmapping_counter: 0,
        syscall: 0,
    }
}

/// `struct dma_buf *dma_buf_export(const struct dma_buf_export_info *)`
#[kprobe]
pub fn dmabuf_export_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let info = arg(&ctx, 0);
    let ops = r.pointer(info, &OFF_EXPORT_OPS);
    let name = r.pointer(info, &OFF_EXPORT_EXP_NAME);
    let payload = BufExport {
        dma_buf: 0,
        ino: 0,
        private: r.pointer(info, &OFF_EXPORT_PRIV),
        ops,
        resv: r.pointer(info, &OFF_EXPORT_RESV),
        size: r.field(info, &OFF_EXPORT_SIZE),
        flags: r.field(info, &OFF_EXPORT_FLAGS),
        gem_exporter: gem_exporter(&mut r, ops),
        ops_bits: snapshot::ops_bits(&mut r, ops),
        exp_name: r.string(name),
    };
    enter(&ctx, ProbeId::BufExport, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// 1 when the operations are those of a GEM exporter, 2 when not, 0 when that is not known.
#[inline(always)]
fn gem_exporter(r: &mut Reader, ops: u64) -> u16 {
    let wanted = ADDR_GEM_DMABUF_RELEASE.load();
    if wanted == 0 || ops == 0 || OFF_BUF_OPS_RELEASE.load() == UNKNOWN {
        return 0;
    }
    if r.pointer(ops, &OFF_BUF_OPS_RELEASE) == wanted { 1 } else { 2 }
}

/// See [`dmabuf_export_e`]. The caller owns the only reference: the dma-buf is alive.
#[kretprobe]
pub fn dmabuf_export_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::BufExport,
        Nesting::Never,
        Returns::Value,
        stacks::BOTH,
        |r, payload: &mut BufExport, _, ret| {
            payload.dma_buf = ok_pointer(ret);
            payload.ino = snapshot::buf_ino(r, payload.dma_buf);
            if payload.exp_name[0] == 0 {
                let name = r.pointer(payload.dma_buf, &OFF_BUF_EXP_NAME);
                payload.exp_name = r.string(name);
            }
        },
    );
    0
}

/// `int dma_buf_fd(struct dma_buf *, int flags)`
#[kprobe]
pub fn dmabuf_fd_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = live_buf(&mut r, arg(&ctx, 0), NO_FD);
    keep(&ctx, ProbeId::BufFd, Nesting::Never, &r, &payload, 0);
    0
}

/// See [`dmabuf_fd_e`]. The fd is live: the dma-buf may be gone already, nothing is read of it here.
#[kretprobe]
pub fn dmabuf_fd_r(ctx: RetProbeContext) -> u32 {
    leave(
        &ctx,
        ProbeId::BufFd,
        Nesting::Never,
        Returns::Value,
        stacks::USER,
        |r, payload: &mut Buf, _, ret| {
            payload.fd = if (ret as i32) < 0 { NO_FD } else { ret as i32 };
            payload.syscall = snapshot::syscall(r);
        },
    );
    0
}

/// `void dma_buf_fd_install(struct dma_buf *, int fd)`
#[kprobe]
pub fn dmabuf_fd_install_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let mut payload = live_buf(&mut r, arg(&ctx, 0), arg32(&ctx, 1) as i32);
    payload.syscall = snapshot::syscall(&mut r);
    point(&ctx, ProbeId::BufFdInstall, 0, &r, &payload);
    0
}

/// `struct dma_buf *dma_buf_get(int fd)`
#[kprobe]
pub fn dmabuf_get_e(ctx: ProbeContext) -> u32 {
    let payload = Buf { fd: arg32(&ctx, 0) as i32, ..Buf::default() };
    keep(&ctx, ProbeId::BufGet, Nesting::Never, &Reader::new(), &payload, 0);
    0
}

/// See [`dmabuf_get_e`]. The caller owns a reference: the dma-buf is alive.
#[kretprobe]
pub fn dmabuf_get_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::BufGet, Nesting::Never, Returns::Value, 0, |r, payload: &mut Buf, _, ret| {
        let fd = payload.fd;
        *payload = live_buf(r, ok_pointer(ret), fd);
        payload.syscall = snapshot::syscall(r);
    });
    0
}

/// `void dma_buf_put(struct dma_buf *)`
#[kprobe]
pub fn dmabuf_put_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let payload = live_buf(&mut r, arg(&ctx, 0), NO_FD);
    point(&ctx, ProbeId::BufPut, 0, &r, &payload);
    0
}

/// `int dma_buf_file_release(struct inode *, struct file *)`
#[kprobe]
pub fn dmabuf_file_release_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let filp = arg(&ctx, 1);
    let dma_buf = r.pointer(filp, &OFF_FILP_PRIVATE);
    let payload = Buf {
        dma_buf,
        ino: snapshot::file_ino(&mut r, filp),
        private: r.pointer(dma_buf, &OFF_BUF_PRIV),
        filp,
        fd: NO_FD,
        vmapping_counter: r.field(dma_buf, &OFF_BUF_VMAP_COUNTER),
        ..Buf::default()
    };
    point(&ctx, ProbeId::BufFileRelease, 0, &r, &payload);
    0
}

/// `void dma_buf_release(struct dentry *)`
#[kprobe]
pub fn dmabuf_release_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let dentry = arg(&ctx, 0);
    let dma_buf = r.pointer(dentry, &OFF_DENTRY_FSDATA);
    // The dentry has let go of its inode by now in most kernels: then this is 0.
    let inode = r.pointer(dentry, &OFF_DENTRY_INODE);
    let payload = Buf {
        dma_buf,
        ino: r.field(inode, &OFF_INODE_INO),
        private: r.pointer(dma_buf, &OFF_BUF_PRIV),
        fd: NO_FD,
        vmapping_counter: r.field(dma_buf, &OFF_BUF_VMAP_COUNTER),
        ..Buf::default()
    };
    point(&ctx, ProbeId::BufRelease, 0, &r, &payload);
    0
}

/// `void drm_gem_dmabuf_release(struct dma_buf *)`
#[kprobe]
pub fn dmabuf_gem_release_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let dma_buf = arg(&ctx, 0);
    let payload = Buf { dma_buf, private: r.pointer(dma_buf, &OFF_BUF_PRIV), fd: NO_FD, ..Buf::default() };
    point(&ctx, ProbeId::BufGemRelease, 0, &r, &payload);
    0
}

/// `long dma_buf_ioctl(struct file *, unsigned int cmd, unsigned long arg)`
#[kprobe]
pub fn dmabuf_ioctl_e(ctx: ProbeContext) -> u32 {
    let mut r = Reader::new();
    let filp = arg(&ctx, 0);
    let cmd = arg32(&ctx, 1);
    let pointer = arg(&ctx, 2);
    let payload = BufIoctl {
        dma_buf: r.pointer(filp, &OFF_FILP_PRIVATE),
        ino: snapshot::file_ino(&mut r, filp),
        arg: if cmd == SYNC { r.user(pointer) } else { pointer },
        cmd,
        reserved: 0,
    };
    enter(&ctx, ProbeId::BufIoctl, Nesting::Never, 0, &r, &payload, 0);
    0
}

/// See [`dmabuf_ioctl_e`].
#[kretprobe]
pub fn dmabuf_ioctl_r(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ProbeId::BufIoctl, Nesting::Never, Returns::Value, 0, |_, _: &mut BufIoctl, _, _| {});
    0
}

/// `int filp_close(struct file *, fl_owner_t)`, for every file of the machine: anything but a dma-buf returns at once.
#[kprobe]
pub fn dmabuf_fd_close_e(ctx: ProbeContext) -> u32 {
    let wanted = ADDR_DMA_BUF_FOPS.load();
    if wanted == 0 {
        return 0;
    }
    let mut r = Reader::new();
    let filp = arg(&ctx, 0);
    if r.pointer(filp, &OFF_FILP_OP) != wanted {
        return 0;
    }
    let dma_buf = r.pointer(filp, &OFF_FILP_PRIVATE);
    let payload = Buf {
        dma_buf,
        ino: snapshot::file_ino(&mut r, filp),
        private: r.pointer(dma_buf, &OFF_BUF_PRIV),
        filp,
        file_count: snapshot::file_count(&mut r, filp),
        fd: NO_FD,
        ..Buf::default()
    };
    point(&ctx, ProbeId::BufFdClose, 0, &r, &payload);
    0
}
