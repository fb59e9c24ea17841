//! PRIME: export and import.

use gemscope_common::ProbeId;

use super::{delete, errno, handle_create_tail, handle_put, obj_put, release_attach, unlocked};
use crate::code::{Asm, Do, Instr, Label, Lock, Num, Point, Reg};

fn put(a: &mut Asm, reg: Reg) {
    a.point(ProbeId::BufPut, reg as u8);
    a.act(Do::Put(reg));
}

/// `drm_prime_add_buf_handle`, and where to go when it fails.
fn cache_add(a: &mut Asm, f: u8, failed: Label) {
    let (err, out) = (a.label(), a.label());
    a.enter(ProbeId::CacheAdd, f);
    a.may_fail(Point::Cache, errno::ENOMEM, err);
    a.act(Do::CacheAdd { f });
    a.leave(ProbeId::CacheAdd, f);
    a.goto(out);
    a.place(err);
    a.leave(ProbeId::CacheAdd, f);
    a.goto(failed);
    a.place(out);
}

/// A driver, or a check of arguments, said no before anything was done.
fn refused(a: &mut Asm, to: Label) {
    if a.given {
        a.may_fail(Point::Fd, errno::EINVAL, to);
    }
}

/// PRIME_HANDLE_TO_FD: the handle in H as an fd, into X (R19).
pub fn export(a: &mut Asm, f: u8, dev: u8, process: u8) {
    let out = a.label();
    a.enter(ProbeId::ExportIoctl, f);
    refused(a, out);
    if a.era.fd_reserved_first() {
        a.may_fail(Point::Fd, errno::EMFILE, out);
        export_to_dmabuf(a, f, dev);
        a.if_failed(out);
        if a.given {
            // From 7.3 on, by a function of its own.
            a.point(ProbeId::BufFdInstall, process);
        }
        a.act(Do::FdInstall { p: process });
        a.act(Do::Shared { f });
    } else if a.era.complete_cache() {
        export_complete(a, f, dev, process);
    } else if a.era.counted_link() {
        export_halfway(a, f, dev, process);
    } else {
        export_old(a, f, process);
    }
    a.place(out);
    a.leave(ProbeId::ExportIoctl, f);
}

/// `dma_buf_fd`: the reference in D becomes an fd.
fn buf_fd(a: &mut Asm, f: u8, process: u8, failed: Label) {
    a.may_fail(Point::Fd, errno::EMFILE, failed);
    a.act(Do::FdInstall { p: process });
    a.act(Do::Shared { f });
    a.leave(ProbeId::BufFd, process);
}

/// `drm_gem_prime_handle_to_dmabuf` (6.12 and later); the same steps as before it, without the fd.
pub fn export_to_dmabuf(a: &mut Asm, f: u8, dev: u8) {
    let (unlock, put_obj) = (a.label(), a.label());
    a.enter(ProbeId::ExportToDmabuf, f);
    a.lock(Lock::Prime(f));
    a.act(Do::Lookup { f });
    a.if_failed(unlock);
    find_or_make(a, f, dev, put_obj);
    a.place(put_obj);
    obj_put(a, true);
    a.place(unlock);
    a.unlock(Lock::Prime(f));
    a.leave(ProbeId::ExportToDmabuf, f);
}

/// From 3.12 to 6.11: everything under `prime.lock`, the fd too.
fn export_complete(a: &mut Asm, f: u8, dev: u8, process: u8) {
    let (unlock, put_obj, no_fd) = (a.label(), a.label(), a.label());
    a.enter(ProbeId::ExportToFd, f);
    a.lock(Lock::Prime(f));
    a.act(Do::Lookup { f });
    a.if_failed(unlock);
    find_or_make(a, f, dev, put_obj);
    buf_fd(a, f, process, no_fd);
    a.goto(put_obj);
    a.place(no_fd);
    put(a, Reg::D);
    a.place(put_obj);
    obj_put(a, true);
    a.place(unlock);
    a.unlock(Lock::Prime(f));
    a.leave(ProbeId::ExportToFd, f);
}

/// The dma-buf of the object in hand, with a reference, into D: that of the cache, of the import, of the link, or a new one.
fn find_or_make(a: &mut Asm, f: u8, dev: u8, failed: Label) {
    let (have, add, undo, have_link, none) = (a.label(), a.label(), a.label(), a.label(), a.label());
    a.act(Do::CacheFindHandle { f });
    a.if_yes(have);
    a.lock(Lock::Name(dev));
    a.act(Do::ReadImport);
    a.if_yes(have_link);
    a.act(Do::ReadLink);
    a.if_yes(have_link);
    a.act(Do::CountIsZero);
    a.if_yes(none);
    make(a, none);
    a.act(Do::LinkSet);
    a.goto(add);
    a.place(have_link);
    a.act(Do::Get(Reg::D));
    a.place(add);
    cache_add(a, f, undo);
    a.unlock(Lock::Name(dev));
    a.goto(have);
    a.place(undo);
    a.unlock(Lock::Name(dev));
    put(a, Reg::D);
    a.goto(failed);
    a.place(none);
    let known = a.label();
    a.if_failed(known);
    a.result(errno::ENOENT);
    a.place(known);
    a.unlock(Lock::Name(dev));
    a.goto(failed);
    a.place(have);
}

/// `dma_buf_export` of the object in hand, with the caller's reference, into D.
fn make(a: &mut Asm, failed: Label) {
    let (err, out) = (a.label(), a.label());
    refused(a, failed);
    a.enter(ProbeId::BufExport, 0);
    a.may_fail(Point::Export, errno::ENOMEM, err);
    a.act(Do::BufCreate);
    a.leave(ProbeId::BufExport, 0);
    a.goto(out);
    a.place(err);
    a.leave(ProbeId::BufExport, 0);
    a.goto(failed);
    a.place(out);
}

/// Up to 3.11: the handle is looked up before `prime.lock` is taken, and the link is read under no lock that others take.
fn export_old(a: &mut Asm, f: u8, process: u8) {
    let (out, put_obj, unlock, have, no_fd) = (a.label(), a.label(), a.label(), a.label(), a.label());
    a.enter(ProbeId::ExportToFd, f);
    a.act(Do::Lookup { f });
    a.if_failed(out);
    a.lock(Lock::Prime(f));
    a.act(Do::ReadImport);
    a.if_yes(have);
    a.act(Do::ReadLink);
    a.if_yes(have);
    make(a, put_obj);
    // The look-up's reference is the dma-buf's now, if all goes well (R4).
    a.act(Do::LinkSet);
    if a.era.exports_cached() {
        // B2: on failure the reference is dropped although the dma-buf has it.
        cache_add(a, f, put_obj);
    }
    buf_fd(a, f, process, no_fd);
    a.goto(unlock);
    a.place(no_fd);
    // B3: an error number is handed out as an fd; its reference is lost.
    a.result(0);
    a.push(Instr::Const(Num::X, errno::EMFILE as u16));
    a.goto(unlock);
    a.place(have);
    a.act(Do::Get(Reg::D));
    buf_fd(a, f, process, put_obj);
    a.place(put_obj);
    obj_put(a, true);
    a.place(unlock);
    a.unlock(Lock::Prime(f));
    a.place(out);
    a.leave(ProbeId::ExportToFd, f);
}

/// The half-way state of 319c933c: the link is counted and locked, the handle is still looked up before `prime.lock` is taken.
fn export_halfway(a: &mut Asm, f: u8, dev: u8, process: u8) {
    let (out, put_obj, have, linked, counted) = (a.label(), a.label(), a.label(), a.label(), a.label());
    let (first, fd, no_fd, unlock_name) = (a.label(), a.label(), a.label(), a.label());
    a.enter(ProbeId::ExportToFd, f);
    a.act(Do::Lookup { f });
    a.if_failed(out);
    a.lock(Lock::Prime(f));
    a.act(Do::ReadImport);
    a.if_yes(have);
    a.lock(Lock::Name(dev));
    a.act(Do::ReadLink);
    a.if_yes(linked);
    a.act(Do::CountIsZero);
    a.if_no(counted);
    a.result(errno::ENOENT);
    a.goto(unlock_name);
    a.place(counted);
    make(a, unlock_name);
    a.act(Do::LinkSet);
    a.unlock(Lock::Name(dev));
    a.goto(first);
    a.place(linked);
    a.act(Do::Get(Reg::D));
    a.unlock(Lock::Name(dev));
    a.goto(fd);
    // Only the first export enters the cache (B6).
    a.place(first);
    cache_add(a, f, no_fd);
    a.place(fd);
    buf_fd(a, f, process, no_fd);
    a.goto(put_obj);
    a.place(have);
    a.act(Do::Get(Reg::D));
    a.goto(fd);
    a.place(unlock_name);
    a.unlock(Lock::Name(dev));
    a.goto(put_obj);
    a.place(no_fd);
    put(a, Reg::D);
    a.place(put_obj);
    obj_put(a, true);
    a.unlock(Lock::Prime(f));
    a.place(out);
    a.leave(ProbeId::ExportToFd, f);
}

/// PRIME_FD_TO_HANDLE: a handle for the fd in X, into H (R20).
pub fn import(a: &mut Asm, f: u8, dev: u8, process: u8) {
    let (out, put_buf, got, fail_name, fail_cache, found) =
        (a.label(), a.label(), a.label(), a.label(), a.label(), a.label());
    let (counted, own_ref) = (a.era.counted_link(), a.era.importer_takes_ref());
    let prime = Lock::Prime(f);
    a.enter(ProbeId::Import, f);
    refused(a, out);
    a.act(Do::FdGet { p: process });
    a.leave(ProbeId::BufGet, process);
    a.if_failed(out);
    a.lock(prime);
    a.act(Do::CacheFindBuf { f });
    a.if_yes(found);
    if counted {
        a.lock(Lock::Name(dev));
    }
    let foreign = a.label();
    a.act(Do::SelfImport { dev });
    a.if_no(foreign);
    if !own_ref {
        // R8: the object is what is held, not the dma-buf.
        put(a, Reg::D);
    }
    a.goto(got);
    a.place(foreign);
    foreign_import(a, dev, fail_name);
    a.place(got);
    if counted {
        a.act(Do::LinkImport);
    }
    handle_create_tail(a, f, dev);
    a.act(Do::ByImport { f });
    obj_put(a, true);
    a.if_failed(put_buf);
    cache_add(a, f, fail_cache);
    a.act(Do::Shared { f });
    a.unlock(prime);
    if own_ref {
        put(a, Reg::D);
    }
    a.goto(out);

    a.place(found);
    a.act(Do::Given { f });
    a.goto(put_buf);

    a.place(fail_cache);
    if counted {
        a.unlock(prime);
        a.result(0);
        delete(a, f, dev);
        a.result(errno::ENOMEM);
        put(a, Reg::D);
        a.goto(out);
    } else {
        // Only the count goes: the number stays in the table.
        handle_put(a, dev);
        a.goto(put_buf);
    }
    a.place(fail_name);
    if counted {
        a.unlock(Lock::Name(dev));
    }
    a.place(put_buf);
    if own_ref {
        a.unlock(prime);
        put(a, Reg::D);
    } else {
        put(a, Reg::D);
        a.unlock(prime);
    }
    a.place(out);
    a.leave(ProbeId::Import, f);
}

/// `drm_gem_prime_import_dev` and its like (R21): attach, take a reference, map if the era does, make the object.
fn foreign_import(a: &mut Asm, dev: u8, failed: Label) {
    let (no_attach, undo, ok) = (a.label(), a.label(), a.label());
    refused(a, failed);
    a.enter(ProbeId::Attach, 0);
    a.may_fail(Point::Attach, errno::ENOMEM, no_attach);
    a.act(Do::Attach { dynamic: false, import: true });
    a.leave(ProbeId::Attach, 0);
    if a.era.importer_takes_ref() {
        a.act(Do::Get(Reg::D));
    }
    if a.era.import_maps() {
        unlocked(a, Reg::D, |a| {
            a.enter(ProbeId::Map, 0);
            a.act(Do::Map { dir: 0 });
            a.leave(ProbeId::Map, 0);
        });
    }
    a.may_fail(Point::Map, errno::ENOMEM, undo);
    a.act(Do::ObjInit { dev });
    a.point(ProbeId::ObjectInit, 0);
    a.act(Do::SetImport);
    a.goto(ok);
    a.place(undo);
    release_attach(a, Reg::D);
    if a.era.importer_takes_ref() {
        put(a, Reg::D);
    }
    a.goto(failed);
    a.place(no_attach);
    a.leave(ProbeId::Attach, 0);
    a.goto(failed);
    a.place(ok);
}
