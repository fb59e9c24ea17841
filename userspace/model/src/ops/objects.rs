//! Objects: the last reference, and names.

use gemscope_common::ProbeId;

use super::{handle_create, release_attach};
use crate::code::{Asm, Do, Lock, Reg};

/// Drops the reference on the object in hand, and with the last one the object. `symbol`: the put is compiled where
/// `drm_gem_object_free` is called by name; in drm_gem.c it is inlined.
pub fn obj_put(a: &mut Asm, symbol: bool) {
    let alive = a.label();
    a.act(Do::ObjPut);
    a.if_no(alive);
    if symbol {
        a.point(ProbeId::ObjectFree, 0);
    }
    if a.given {
        // Every put ends in it, but only an observed kernel says which drivers are probed.
        a.point(ProbeId::ObjectDriverFree, 0);
    }
    // R62: an importer lets go of its dma-buf first.
    let native = a.label();
    a.act(Do::TakeImport);
    a.if_no(native);
    a.enter(ProbeId::ImportDestroy, 0);
    release_attach(a, Reg::E);
    a.point(ProbeId::BufPut, Reg::E as u8);
    a.act(Do::Put(Reg::E));
    a.leave(ProbeId::ImportDestroy, 0);
    a.place(native);
    a.point(ProbeId::ObjectRelease, 0);
    a.act(Do::ObjDie);
    a.place(alive);
}

/// MODE_CREATE_DUMB: an object and its first handle, in H.
pub fn create_dumb(a: &mut Asm, f: u8, dev: u8) {
    // The probe is at the function's entry, but nobody else can know the object yet.
    a.act(Do::ObjInit { dev });
    a.point(ProbeId::ObjectInit, 0);
    handle_create(a, f, dev);
    // R1: the creation's own reference.
    obj_put(a, true);
}

/// GEM_FLINK: a global name for the handle in H, into N (R16).
pub fn flink(a: &mut Asm, f: u8, dev: u8) {
    let out = a.label();
    a.enter(ProbeId::Flink, f);
    a.act(Do::Lookup { f });
    a.if_failed(out);
    if a.era.flink_checks_count() {
        a.lock(Lock::Name(dev));
        a.act(Do::CountIsZero);
        let named = a.label();
        a.if_no(named);
        a.result(super::errno::ENOENT);
        let unlock = a.label();
        a.goto(unlock);
        a.place(named);
        a.act(Do::NameAlloc);
        a.place(unlock);
        a.unlock(Lock::Name(dev));
    } else {
        a.act(Do::NameAlloc);
    }
    obj_put(a, false);
    a.place(out);
    a.leave(ProbeId::Flink, f);
}

/// GEM_OPEN: a new handle for the object with the name in N (R17).
pub fn open_name(a: &mut Asm, f: u8, dev: u8) {
    let out = a.label();
    a.enter(ProbeId::GemOpen, f);
    if a.era.one_ref_for_handles() {
        a.lock(Lock::Name(dev));
        a.act(Do::NameLookup { dev });
        let found = a.label();
        a.if_yes(found);
        a.unlock(Lock::Name(dev));
        a.result(super::errno::ENOENT);
        a.goto(out);
        a.place(found);
        super::handle_create_tail(a, f, dev);
    } else {
        a.act(Do::NameLookup { dev });
        let found = a.label();
        a.if_yes(found);
        a.result(super::errno::ENOENT);
        a.goto(out);
        a.place(found);
        handle_create(a, f, dev);
    }
    obj_put(a, false);
    a.place(out);
    a.leave(ProbeId::GemOpen, f);
}

/// A driver's own read or write of the memory behind the handle in H (R60).
pub fn access(a: &mut Asm, f: u8, checked: bool) {
    let out = a.label();
    a.act(Do::Lookup { f });
    a.if_failed(out);
    a.act(Do::Access { f, checked });
    obj_put(a, true);
    a.place(out);
    a.leave(ProbeId::DriverAccess, f);
}

/// mmap through the DRM file, into X (R10).
pub fn mmap(a: &mut Asm, f: u8, process: u8) {
    let out = a.label();
    a.act(Do::Lookup { f });
    a.if_failed(out);
    // The look-up's reference becomes the mapping's.
    a.act(Do::VmaObj { p: process });
    a.leave(ProbeId::GemMmap, process);
    a.place(out);
}

/// munmap of the mapping in X.
pub fn munmap(a: &mut Asm, process: u8) {
    let (of_obj, out) = (a.label(), a.label());
    a.act(Do::VmaClose { p: process });
    a.if_failed(out);
    a.if_yes(of_obj);
    a.act(Do::Put(Reg::D));
    a.goto(out);
    a.place(of_obj);
    a.point(ProbeId::GemVmClose, process);
    obj_put(a, false);
    a.place(out);
}

/// mmap of the dma-buf fd in X; the mapping into X (R10).
pub fn mmap_fd(a: &mut Asm, process: u8) {
    let out = a.label();
    a.act(Do::FdGet { p: process });
    a.if_failed(out);
    a.enter(ProbeId::BufMmap, process);
    a.act(Do::VmaBuf { p: process });
    a.leave(ProbeId::BufMmap, process);
    a.place(out);
}
