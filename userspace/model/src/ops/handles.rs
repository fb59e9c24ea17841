//! Handles: create, close, move.

use gemscope_common::ProbeId;

use super::{errno, obj_put};
use crate::code::{Asm, Do, Lock, Point, Reg};

/// `drm_gem_handle_create`: a handle for the object in hand, into H.
pub fn handle_create(a: &mut Asm, f: u8, dev: u8) {
    if a.era.one_ref_for_handles() {
        a.lock(Lock::Name(dev));
    }
    handle_create_tail(a, f, dev);
}

/// `drm_gem_handle_create_tail` (R13): from 3.12 on `object_name_lock` is held at its begin and dropped inside.
pub fn handle_create_tail(a: &mut Asm, f: u8, dev: u8) {
    let (err_unlock, err_remove, err_unref, out) = (a.label(), a.label(), a.label(), a.label());
    a.enter(ProbeId::HandleCreate, f);
    if a.era.one_ref_for_handles() {
        if a.era.handle_get() {
            a.point(ProbeId::HandleGet, f);
        }
        a.act(Do::CountInc);
        a.may_fail(Point::Handle, errno::ENOMEM, err_unlock);
        a.act(Do::IdrAlloc { f });
        a.unlock(Lock::Name(dev));
    } else {
        // The number is given out before the object is counted.
        a.may_fail(Point::Handle, errno::ENOMEM, out);
        a.act(Do::IdrAlloc { f });
        a.act(Do::CountInc);
    }
    if a.era.vma_allow() {
        a.point(ProbeId::VmaAllow, f);
    }
    a.act(Do::Allow { f });
    if a.era.create_undone_by_delete() {
        // What `funcs->close` then finds of a failed `funcs->open` is the driver's own matter.
        a.act(Do::DriverOpen { f });
        a.may_fail(Point::Open, errno::ENOMEM, err_remove);
    } else {
        a.may_fail(Point::Open, errno::ENOMEM, err_remove);
        a.act(Do::DriverOpen { f });
    }
    if a.era.publication_fix() {
        a.act(Do::IdrCommit { f });
    }
    a.act(Do::Created { f });
    a.goto(out);

    a.place(err_unlock);
    if a.era.one_ref_for_handles() {
        a.unlock(Lock::Name(dev));
        a.goto(err_unref);
    }
    a.place(err_remove);
    if a.era.create_undone_by_delete() {
        a.result(0);
        delete(a, f, dev);
        a.result(errno::ENOMEM);
        a.goto(out);
    } else {
        a.act(Do::Revoke { f });
        a.act(Do::IdrUndo { f });
    }
    a.place(err_unref);
    handle_put(a, dev);
    a.place(out);
    a.leave(ProbeId::HandleCreate, f);
}

/// `drm_gem_object_handle_put_unlocked` on the object in hand (R15).
pub fn handle_put(a: &mut Asm, dev: u8) {
    let (out, kept) = (a.label(), a.label());
    a.enter(ProbeId::HandlePut, 0);
    a.act(Do::CountWarn);
    a.if_yes(out);
    if a.era.one_ref_for_handles() {
        let (unlock, no_link) = (a.label(), a.label());
        a.lock(Lock::Name(dev));
        a.act(Do::CountDec);
        a.if_no(unlock);
        a.act(Do::NameRemove);
        a.act(Do::LinkTake);
        a.if_no(no_link);
        a.point(ProbeId::BufPut, Reg::E as u8);
        a.act(Do::Put(Reg::E));
        a.place(no_link);
        a.unlock(Lock::Name(dev));
        obj_put(a, false);
        a.goto(out);
        a.place(unlock);
        a.unlock(Lock::Name(dev));
    } else {
        // The last count takes the name away, and each has a reference of its own.
        a.act(Do::CountDec);
        a.if_no(kept);
        a.act(Do::NameRemove);
        a.place(kept);
        obj_put(a, false);
    }
    a.place(out);
    a.leave(ProbeId::HandlePut, 0);
}

/// `drm_gem_object_release_handle`: the handle in H of the object in hand goes (R14).
pub fn release_handle(a: &mut Asm, f: u8, dev: u8) {
    a.enter(ProbeId::HandleRelease, f);
    if a.era.close_holds_id() {
        a.act(Do::DriverClose { f });
        remove_from_cache(a, f);
        a.act(Do::Revoke { f });
    } else {
        remove_from_cache(a, f);
        a.act(Do::Revoke { f });
        a.act(Do::DriverClose { f });
    }
    handle_put(a, dev);
    a.act(Do::Closed { f });
    a.leave(ProbeId::HandleRelease, f);
}

/// The handle's entry goes from the PRIME cache (R14, R29).
fn remove_from_cache(a: &mut Asm, f: u8) {
    let prime = Lock::Prime(f);
    if a.era.cache_locked_by_caller() {
        a.lock(prime);
    }
    a.enter(ProbeId::CacheRemove, f);
    if !a.era.cache_locked_by_caller() {
        a.lock(prime);
    }
    if a.era.cache_by_handle() {
        let none = a.label();
        a.act(Do::CacheRemoveHandle { f });
        a.if_no(none);
        put_of_entry(a);
        a.place(none);
    } else {
        if !a.era.complete_cache() {
            remove_buf(a, f, Do::ReadImportE);
        }
        if a.era.exports_cached() {
            remove_buf(a, f, Do::ReadLinkE);
        }
    }
    if !a.era.cache_locked_by_caller() {
        a.unlock(prime);
    }
    a.leave(ProbeId::CacheRemove, f);
    if a.era.cache_locked_by_caller() {
        a.unlock(prime);
    }
}

fn put_of_entry(a: &mut Asm) {
    if a.era.cache_counts() {
        a.point(ProbeId::BufPut, Reg::E as u8);
        a.act(Do::Put(Reg::E));
    }
}

/// Removal by dma-buf: every entry of a list, the first one of a tree.
fn remove_buf(a: &mut Asm, f: u8, read: Do) {
    let (again, none) = (a.label(), a.label());
    a.act(read);
    a.if_no(none);
    a.place(again);
    a.act(Do::CacheRemoveBuf { f });
    a.if_no(none);
    put_of_entry(a);
    if !a.era.cache_is_tree() {
        a.goto(again);
    }
    a.place(none);
}

/// `drm_gem_handle_delete` of the handle in H.
pub fn delete(a: &mut Asm, f: u8, dev: u8) {
    let out = a.label();
    a.enter(ProbeId::HandleDelete, f);
    a.act(Do::IdrTake { f });
    a.if_failed(out);
    release_handle(a, f, dev);
    if a.era.close_holds_id() {
        a.act(Do::IdrFree { f });
    }
    a.place(out);
    a.leave(ProbeId::HandleDelete, f);
}

/// GEM_CLOSE, or MODE_DESTROY_DUMB (R28), of the handle in H.
pub fn close(a: &mut Asm, f: u8, dev: u8, dumb: bool) {
    a.point(if dumb { ProbeId::DestroyDumb } else { ProbeId::GemClose }, f);
    a.act(Do::CloseBegins { f, dumb });
    delete(a, f, dev);
}

/// GEM_CHANGE_HANDLE: from the number in H to the one in N (R27, B13).
pub fn change_handle(a: &mut Asm, f: u8) {
    if !a.era.change_handle() {
        return a.result(errno::EINVAL);
    }
    let (out, undo, no_entry, unlock) = (a.label(), a.label(), a.label(), a.label());
    let two_stage = a.era.change_handle_two_stage();
    a.enter(ProbeId::ChangeHandle, f);
    a.act(Do::Lookup { f });
    a.if_failed(out);
    a.lock(Lock::Prime(f));
    a.may_fail(Point::Handle, errno::ENOMEM, unlock);
    a.act(Do::MoveAlloc { f });
    a.if_failed(unlock);
    if two_stage {
        a.act(Do::MoveHide { f });
        a.if_failed(undo);
    }
    // The cache entry is made anew under the new number, then the old one goes.
    a.act(Do::MoveFind { f });
    a.if_no(no_entry);
    a.enter(ProbeId::CacheAdd, f | NEW);
    a.may_fail(Point::Cache, errno::ENOMEM, undo);
    a.act(Do::CacheAdd { f: f | NEW });
    a.leave(ProbeId::CacheAdd, f | NEW);
    a.enter(ProbeId::CacheRemove, f);
    a.act(Do::CacheRemoveHandle { f });
    a.point(ProbeId::BufPut, Reg::E as u8);
    a.act(Do::Put(Reg::E));
    a.leave(ProbeId::CacheRemove, f);
    a.place(no_entry);
    if two_stage {
        a.act(Do::MoveShow { f });
    }
    a.act(Do::MoveRemove { f });
    a.goto(unlock);
    a.place(undo);
    a.act(Do::MoveUndo { f });
    a.place(unlock);
    a.unlock(Lock::Prime(f));
    if !a.era.change_handle_leaks() {
        obj_put(a, false);
    }
    a.place(out);
    a.leave(ProbeId::ChangeHandle, f);
}

/// Marks a file operand whose handle is the one in N.
pub const NEW: u8 = 0x80;
