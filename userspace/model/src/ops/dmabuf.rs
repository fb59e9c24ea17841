//! dma-bufs: the last reference, fds, devices.

use gemscope_common::ProbeId;

use super::{errno, obj_put};
use crate::code::{Asm, Do, Instr, Lock, Num, Point, Reg};

/// A call's end: final puts that waited run now, on the way back to user space (task work); then its result is known there.
pub fn syscall_end(a: &mut Asm, result: Option<(u8, Num)>) {
    let (again, out) = (a.label(), a.label());
    a.place(again);
    a.act(Do::WorkNext);
    a.if_no(out);
    last_fput(a);
    a.goto(again);
    a.place(out);
    if let Some((var, num)) = result {
        a.push(Instr::Store(var, num));
    }
    a.push(Instr::Clear);
}

/// The last file reference of the dma-buf in D is gone (R24).
pub fn last_fput(a: &mut Asm) {
    let out = a.label();
    a.point(ProbeId::BufFileRelease, Reg::D as u8);
    a.act(Do::FileGone);
    if a.era.dentry_release() {
        a.act(Do::EntryGone);
        a.if_no(out);
    }
    destroy(a);
    a.place(out);
}

/// `dma_buf_release` of the dma-buf in D.
pub fn destroy(a: &mut Asm) {
    let (other, kept) = (a.label(), a.label());
    a.point(ProbeId::BufRelease, Reg::D as u8);
    a.act(Do::ExporterOf);
    a.if_no(other);
    a.point(ProbeId::BufGemRelease, Reg::D as u8);
    if !a.era.counted_link() {
        // B5: the reference goes only if the object still knows this dma-buf.
        a.act(Do::LinkClearOld);
        a.if_no(kept);
    }
    obj_put(a, true);
    a.place(kept);
    a.place(other);
    a.act(Do::BufFree);
}

/// close(2) of the fd in X.
pub fn close_fd(a: &mut Asm, process: u8) {
    let (path, out, kept) = (a.label(), a.label(), a.label());
    a.act(Do::FdClose { p: process });
    a.if_failed(out);
    a.if_yes(path);
    a.point(ProbeId::BufFdClose, Reg::D as u8);
    a.act(Do::Put(Reg::D));
    a.goto(out);
    a.place(path);
    a.act(Do::PathPut);
    a.if_no(kept);
    destroy(a);
    a.place(kept);
    a.place(out);
}

/// A dma-buf of an exporter that is no DRM driver, as an fd, into X.
pub fn make_other(a: &mut Asm, process: u8, kind: u8) {
    let (err, out) = (a.label(), a.label());
    a.enter(ProbeId::BufExport, 0);
    a.may_fail(Point::Export, errno::ENOMEM, err);
    a.act(Do::BufCreateOther { kind });
    a.leave(ProbeId::BufExport, 0);
    a.act(Do::FdInstall { p: process });
    a.leave(ProbeId::BufFd, process);
    a.goto(out);
    a.place(err);
    a.leave(ProbeId::BufExport, 0);
    a.place(out);
}

/// An exporter gives the core what it must not (R40).
pub fn export_badly(a: &mut Asm) {
    a.enter(ProbeId::BufExport, 1);
    a.act(Do::BadExport);
    a.leave(ProbeId::BufExport, 1);
}

/// `dma_buf_detach` of the attachment in A, which the caller's reference outlives.
pub fn release_attach(a: &mut Asm, reg: Reg) {
    if a.era.import_maps() {
        unlocked(a, reg, |a| {
            a.point(ProbeId::Unmap, 0);
            a.act(Do::Unmap { dir: 0 });
        });
    }
    a.point(ProbeId::Detach, 0);
    a.act(Do::Detach);
}

/// What an importing driver does around its own mapping: with the lock where the era wants it.
pub fn unlocked(a: &mut Asm, reg: Reg, body: impl FnOnce(&mut Asm)) {
    let lock = a.era.map_needs_lock(false);
    if lock {
        a.lock(Lock::Resv(reg));
    }
    body(a);
    if lock {
        a.unlock(Lock::Resv(reg));
    }
}

/// A device attaches to the dma-buf of the fd in X; the attachment into A. It keeps the reference (R11).
pub fn attach(a: &mut Asm, process: u8, dynamic: bool, locked: bool) {
    let (out, err) = (a.label(), a.label());
    a.act(Do::FdGet { p: process });
    a.leave(ProbeId::BufGet, process);
    a.if_failed(out);
    if locked {
        a.lock(Lock::Resv(Reg::D));
    }
    a.enter(ProbeId::Attach, u8::from(dynamic));
    a.act(Do::CheckResv(if a.era.attach_locks() { 2 } else { 0 }));
    a.may_fail(Point::Attach, errno::ENOMEM, err);
    a.act(Do::Attach { dynamic, import: false });
    a.act(Do::AttachKeep);
    a.leave(ProbeId::Attach, u8::from(dynamic));
    if locked {
        a.unlock(Lock::Resv(Reg::D));
    }
    a.goto(out);
    a.place(err);
    a.leave(ProbeId::Attach, u8::from(dynamic));
    if locked {
        a.unlock(Lock::Resv(Reg::D));
    }
    a.point(ProbeId::BufPut, Reg::D as u8);
    a.act(Do::Put(Reg::D));
    a.result(errno::ENOMEM);
    a.place(out);
}

/// A device detaches and lets go of the dma-buf.
pub fn detach(a: &mut Asm, locked: bool) {
    a.act(Do::BufOfAttach);
    if locked {
        a.lock(Lock::Resv(Reg::D));
    }
    a.point(ProbeId::Detach, 0);
    a.act(Do::CheckResv(if a.era.attach_locks() { 2 } else { 0 }));
    a.act(Do::Detach);
    if locked {
        a.unlock(Lock::Resv(Reg::D));
    }
    a.point(ProbeId::BufPut, Reg::D as u8);
    a.act(Do::Put(Reg::D));
}

/// A device lets go of the dma-buf and forgets the attachment.
pub fn forget_attach(a: &mut Asm) {
    a.act(Do::BufOfAttach);
    a.point(ProbeId::BufPut, Reg::D as u8);
    a.act(Do::Put(Reg::D));
}

/// A detach from the dma-buf of the fd in X instead of its own (R48).
pub fn detach_from(a: &mut Asm, process: u8) {
    let out = a.label();
    a.act(Do::FdGet { p: process });
    a.if_failed(out);
    a.point(ProbeId::Detach, 1);
    a.act(Do::DetachFrom);
    a.act(Do::Put(Reg::D));
    a.place(out);
}

/// A call on the attachment in A, with or without the reservation lock.
fn on_attach(a: &mut Asm, locked: bool, body: impl FnOnce(&mut Asm)) {
    a.act(Do::BufOfAttach);
    if locked {
        a.lock(Lock::Resv(Reg::D));
    }
    body(a);
    if locked {
        a.unlock(Lock::Resv(Reg::D));
    }
}

/// `dma_buf_map_attachment`; the table into N (R43-R46).
pub fn map(a: &mut Asm, dynamic: bool, dir: u8, locked: bool) {
    let needs = u8::from(a.era.map_needs_lock(dynamic));
    on_attach(a, locked, |a| {
        a.enter(ProbeId::Map, dir);
        a.act(Do::CheckResv(needs));
        let err = a.label();
        a.may_fail(Point::Map, errno::ENOMEM, err);
        a.act(Do::Map { dir });
        a.place(err);
        a.leave(ProbeId::Map, dir);
    });
}

/// `dma_buf_unmap_attachment` of the table in N.
pub fn unmap(a: &mut Asm, dynamic: bool, dir: u8, locked: bool) {
    let needs = u8::from(a.era.map_needs_lock(dynamic));
    on_attach(a, locked, |a| {
        a.point(ProbeId::Unmap, dir);
        a.act(Do::CheckResv(needs));
        a.act(Do::Unmap { dir });
    });
}

/// `dma_buf_pin` and `dma_buf_unpin`; eras without them have nothing to do.
pub fn pin(a: &mut Asm, locked: bool, undo: bool) {
    if !a.era.pins() {
        return;
    }
    on_attach(a, locked, |a| {
        a.act(Do::CheckResv(1));
        if undo {
            a.point(ProbeId::Unpin, 0);
            a.act(Do::Unpin);
        } else {
            a.act(Do::Pin);
            a.leave(ProbeId::Pin, 0);
        }
    });
}

/// `dma_buf_vmap` and `dma_buf_vunmap` (R49).
pub fn vmap(a: &mut Asm, locked: bool, undo: bool) {
    let needs = u8::from(a.era.vmap_needs_lock());
    on_attach(a, locked, |a| {
        a.act(Do::CheckResv(needs));
        if undo {
            a.point(ProbeId::Vunmap, 0);
            a.act(Do::Vunmap);
        } else {
            a.leave(ProbeId::Vmap, 0);
            a.act(Do::Vmap);
        }
    });
}

/// DMA_BUF_SET_NAME on the fd in X (R52).
pub fn set_name(a: &mut Asm, process: u8) {
    let out = a.label();
    a.act(Do::FdGet { p: process });
    a.if_failed(out);
    a.enter(ProbeId::BufIoctl, process);
    if a.era.set_name_busy() {
        a.lock(Lock::Resv(Reg::D));
    }
    a.act(Do::SetName);
    if a.era.set_name_busy() {
        a.unlock(Lock::Resv(Reg::D));
    }
    a.leave(ProbeId::BufIoctl, process);
    a.act(Do::Put(Reg::D));
    a.place(out);
}
