//! What each step does to the kernel's state, and the truth that it is right or wrong.

mod devices;
pub(crate) use devices::KEPT;
mod dmabufs;
mod handles;
mod moves;
mod objects;
mod prime;
mod rest;

use crate::code::Do;
use crate::machine::Machine;
use crate::state::{Kernel, Ptr, Thread};
use crate::truth::About;

impl Kernel {
    pub(crate) fn act(&mut self, m: &Machine, t: usize, what: Do) {
        match what {
            Do::ObjInit { dev } => self.obj_init(t, dev),
            Do::ObjPut => self.obj_put(t),
            Do::ObjGet => self.obj_get(self.threads[t].o),
            Do::ObjDie => self.obj_die(t),
            Do::CountInc => self.count_inc(m, t),
            Do::CountIsZero => self.count_is_zero(t),
            Do::CountWarn => self.count_warn(t),
            Do::CountDec => self.count_dec(t),
            Do::CountGetIfAny => self.count_get_if_any(t),
            Do::NameRemove => self.name_remove(m, t),
            Do::NameAlloc => self.name_alloc(m, t),
            Do::NameLookup { dev } => self.name_lookup(t, dev),
            Do::IdrAlloc { f } => self.idr_alloc(m, t, f),
            Do::IdrCommit { f } => self.idr_commit(t, f),
            Do::IdrUndo { f } => self.idr_undo(t, f),
            Do::IdrTake { f } => self.idr_take(m, t, f),
            Do::IdrFree { f } => self.idr_free(t, f),
            Do::IdrNext { f } => self.idr_next(t, f),
            Do::Lookup { f } => self.lookup(t, f),
            Do::Allow { f } => self.allow(t, f),
            Do::Revoke { f } => self.revoke(t, f),
            Do::DriverOpen { f } => self.driver_open(t, f),
            Do::DriverClose { f } => self.driver_close(t, f),
            Do::MoveAlloc { f } => self.move_alloc(m, t, f),
            Do::MoveHide { f } => self.move_hide(t, f),
            Do::MoveShow { f } => self.move_show(t, f),
            Do::MoveRemove { f } => self.move_remove(t, f),
            Do::MoveUndo { f } => self.move_undo(t, f),
            Do::MoveFind { f } => self.move_find(t, f),
            Do::CacheFindHandle { f } => self.cache_find_handle(t, f),
            Do::CacheFindBuf { f } => self.cache_find_buf(m, t, f),
            Do::CacheAdd { f } => self.cache_add(m, t, f),
            Do::CacheRemoveHandle { f } => self.cache_remove_handle(t, f),
            Do::CacheRemoveBuf { f } => self.cache_remove_buf(t, f),
            Do::CacheDestroy { f } => self.cache_destroy(f),
            Do::ReadImport => self.read_import(t),
            Do::ReadImportE => self.read_import_e(t),
            Do::ReadLink => self.read_link(t),
            Do::ReadLinkE => self.read_link_e(t),
            Do::LinkSet => self.link_set(m, t),
            Do::LinkImport => self.link_import(t),
            Do::LinkTake => self.link_take(t),
            Do::LinkClearOld => self.link_clear_old(t),
            Do::SelfImport { dev } => self.self_import(t, dev),
            Do::SetImport => self.set_import(t),
            Do::TakeImport => self.take_import(t),
            Do::BufCreate => self.buf_create(m, t),
            Do::BufCreateOther { kind } => self.buf_create_other(t, kind),
            Do::Get(reg) => self.buf_get(self.threads[t].reg(reg)),
            Do::Put(reg) => self.buf_put(t, self.threads[t].reg(reg)),
            Do::WorkNext => self.work_next(t),
            Do::FileGone => self.file_gone(m, t),
            Do::EntryGone => self.entry_gone(t),
            Do::ExporterOf => self.exporter_of(t),
            Do::BufFree => self.buf_free(t),
            Do::FdInstall { p } => self.fd_install(t, p),
            Do::FdGet { p } => self.fd_get(t, p),
            Do::FdClose { p } => self.fd_close(t, p),
            Do::FdDup { from, to } => self.fd_dup(t, from, to),
            Do::FdPath { p } => self.fd_path(t, p),
            Do::PathPut => self.path_put(t),
            Do::FdNext { p } => self.fd_next(t, p),
            Do::VmaObj { p } => self.vma_obj(t, p),
            Do::VmaBuf { p } => self.vma_buf(t, p),
            Do::VmaClose { p } => self.vma_close(t, p),
            Do::VmaNext { p } => self.vma_next(t, p),
            Do::Attach { dynamic, import } => self.attach_new(t, dynamic, import),
            Do::AttachKeep => self.attach_keep(m, t),
            Do::Detach => self.detach(t),
            Do::DetachFrom => self.detach_from(m, t),
            Do::Map { dir } => self.map(m, t, dir),
            Do::Unmap { dir } => self.unmap(t, dir),
            Do::Pin => self.pin(t),
            Do::Unpin => self.unpin(t),
            Do::Vmap => self.vmap(t),
            Do::Vunmap => self.vunmap(t),
            Do::SetName => self.set_name(m, t),
            Do::CheckResv(wants) => self.check_resv(t, wants),
            Do::BufOfAttach => self.buf_of_attach(t),
            Do::BadExport => self.bad_export(t),
            Do::FbInit { f } => self.fb_init(t, f),
            Do::FbObj => self.fb_obj(t),
            Do::FbCounted => self.fb_counted(t),
            Do::FbFree => self.fb_free(t),
            Do::FbClosed => self.fb_closed(t),
            Do::FbNext { f } => self.fb_next(t, f),
            Do::FileOpen { f } => self.files[usize::from(f)].state = 1,
            Do::FileIsOpen { f } => {
                let open = self.files[usize::from(f)].state == 1;
                self.threads[t].say(open);
            }
            Do::FileClosed { f } => self.files[usize::from(f)].state = 2,
            Do::Created { f } => self.created(t, f),
            Do::Closed { f } => self.closed(t, f),
            Do::Given { f } => self.given(t, f),
            Do::ByImport { f } => self.by_import(m, t, f),
            Do::Shared { f } => self.shared(t, f),
            Do::CloseBegins { dumb, .. } => self.close_begins(t, dumb),
            Do::LeftHandle { f } => self.left_handle(m, t, f),
            Do::LeftFd => self.left_fd(m, t),
            Do::Access { f, checked } => self.access(t, f, checked),
            Do::No => self.threads[t].say(false),
            Do::Rest => self.rest(m),
        }
    }

    pub(crate) fn th(&mut self, t: usize) -> &mut Thread {
        &mut self.threads[t]
    }

    pub(crate) fn about_obj(&self, p: Ptr) -> About {
        match usize::from(p.slot).checked_sub(1).and_then(|ix| self.objs.get(ix)) {
            Some(o) => About::Object(o.serial),
            None => About::Nothing,
        }
    }

    pub(crate) fn about_buf(&self, p: Ptr) -> About {
        match usize::from(p.slot).checked_sub(1).and_then(|ix| self.bufs.get(ix)) {
            Some(b) => About::Buf(b.serial),
            None => About::Nothing,
        }
    }
}
