//! What a step did, in the kernel's own words.

use crate::code::{Do, Instr, Lock, Reg};
use crate::emit;
use crate::machine::Machine;
use crate::state::{Kernel, Ptr, Thread};
use crate::truth::{About, Fact, Wrong};

/// A line for a mail to a kernel developer; nothing for what is of the model alone.
pub(crate) fn line(m: &Machine, before: &Thread, k: &Kernel, t: usize, instr: Instr) -> Option<String> {
    let now = &k.threads[t];
    let said = now.yes();
    let obj = |p: Ptr| match usize::from(p.slot).checked_sub(1).and_then(|ix| k.objs.get(ix)) {
        Some(o) => format!("obj{}", o.serial),
        None => "NULL".to_owned(),
    };
    let buf = |p: Ptr| match usize::from(p.slot).checked_sub(1).and_then(|ix| k.bufs.get(ix)) {
        Some(b) => format!("dmabuf{}", b.serial),
        None => "NULL".to_owned(),
    };
    let file = |f: u8| m.files.get(usize::from(f & 0x7f)).map_or("?", |f| f.name.as_str());
    let refs = |p: Ptr| k.buf(p).map_or(0, |b| b.refs);
    let kref = |p: Ptr| k.obj(p).map_or(0, |o| o.kref);
    let count = |p: Ptr| k.obj(p).map_or(0, |o| o.count);
    let lock = |l: Lock| match l {
        Lock::Prime(f) => format!("{}->prime.lock", file(f)),
        Lock::Name(d) => {
            let device = m.devices.get(usize::from(d)).map_or("dev", String::as_str);
            format!("{device}->object_name_lock")
        }
        Lock::Resv(reg) => format!("{}->resv", buf(before.reg(reg))),
    };
    Some(match instr {
        Instr::Lock(l) => format!("lock({})", lock(l)),
        Instr::Unlock(l) => format!("unlock({})", lock(l)),
        Instr::MayFail(..) if now.ret < 0 => format!("… fails: {}", now.ret),
        Instr::Do(what) => match what {
            Do::ObjInit { .. } => format!("drm_gem_private_object_init: {}", obj(now.o)),
            Do::ObjGet => format!("drm_gem_object_get({}): {}", obj(now.o), kref(now.o)),
            Do::ObjPut if said => format!("drm_gem_object_put({}): 0", obj(before.o)),
            Do::ObjPut => format!("drm_gem_object_put({}): {}", obj(before.o), kref(before.o)),
            Do::ObjDie => format!("{} is freed", obj(before.o)),
            Do::CountInc => format!("{}->handle_count++: {}", obj(now.o), count(now.o)),
            Do::CountIsZero => format!("{}->handle_count == 0? {}", obj(now.o), yes(said)),
            Do::CountWarn if said => format!("WARN_ON({}->handle_count == 0)", obj(now.o)),
            Do::CountWarn => return None,
            Do::CountDec => format!("--{}->handle_count: {}", obj(now.o), count(now.o)),
            Do::CountGetIfAny if said => format!("{}->handle_count++: {}", obj(now.o), count(now.o)),
            Do::CountGetIfAny => format!("{}->handle_count is 0: none taken", obj(now.o)),
            Do::NameRemove => format!("{}->name = 0", obj(now.o)),
            Do::NameAlloc => format!("{}->name = {}", obj(now.o), now.n),
            Do::NameLookup { .. } if said => format!("name {} is {}", before.n, obj(now.o)),
            Do::NameLookup { .. } => format!("name {}: -ENOENT", before.n),
            Do::IdrAlloc { f } => format!("{}: idr_alloc({}): handle {}", file(f), obj(now.o), now.h),
            Do::IdrCommit { f } => format!("{}: idr_replace({}, {})", file(f), now.h, obj(now.o)),
            Do::IdrUndo { f } => format!("{}: idr_remove({})", file(f), now.h),
            Do::IdrTake { f } if now.ret < 0 => {
                format!("{}: handle {} is not there: -EINVAL", file(f), now.h)
            }
            Do::IdrTake { f } if m.era.close_holds_id() => {
                format!("{}: idr_replace({}, NULL): {}", file(f), now.h, obj(now.o))
            }
            Do::IdrTake { f } => format!("{}: idr_remove({}): {}", file(f), now.h, obj(now.o)),
            Do::IdrFree { f } => format!("{}: idr_remove({})", file(f), now.h),
            Do::IdrNext { f } if said => format!("{}: next handle {}: {}", file(f), now.h, obj(now.o)),
            Do::IdrNext { .. } => return None,
            Do::Lookup { f } if now.ret < 0 => format!("{}: look up handle {}: -ENOENT", file(f), now.h),
            Do::Lookup { f } => format!("{}: look up handle {}: {}", file(f), now.h, obj(now.o)),
            Do::Allow { .. } => format!("drm_vma_node_allow({})", obj(now.o)),
            Do::Revoke { .. } => format!("drm_vma_node_revoke({})", obj(now.o)),
            Do::DriverOpen { .. } => format!("funcs->open({})", obj(now.o)),
            Do::DriverClose { .. } => format!("funcs->close({})", obj(now.o)),
            Do::MoveAlloc { f } if now.ret < 0 => format!("{}: handle {} is taken: -ENOSPC", file(f), now.n),
            Do::MoveAlloc { f } => format!("{}: idr_alloc at {}: {}", file(f), now.n, obj(now.o)),
            Do::MoveHide { f } if now.ret < 0 => format!("{}: handle {} is gone: -ENOENT", file(f), now.h),
            Do::MoveHide { f } => format!("{}: idr_replace({}, NULL)", file(f), now.h),
            Do::MoveShow { f } => format!("{}: idr_replace({}, {})", file(f), now.n, obj(now.o)),
            Do::MoveRemove { f } => format!("{}: idr_remove({})", file(f), now.h),
            Do::MoveUndo { f } => format!("{}: idr_remove({})", file(f), now.n),
            Do::MoveFind { .. } => return None,
            Do::CacheFindHandle { f } if said => {
                format!("{}: cache has handle {}: {}", file(f), now.h, buf(now.d))
            }
            Do::CacheFindHandle { f } => format!("{}: cache has no handle {}", file(f), now.h),
            Do::CacheFindBuf { f } if said => {
                format!("{}: cache has {}: handle {}", file(f), buf(now.d), now.h)
            }
            Do::CacheFindBuf { f } => format!("{}: cache has no {}", file(f), buf(now.d)),
            Do::CacheAdd { f } => {
                let id = if f & crate::ops::NEW != 0 { now.n } else { now.h };
                format!("{}: cache += (handle {id}, {})", file(f), buf(now.d))
            }
            Do::CacheRemoveHandle { f } if said => {
                format!("{}: cache -= (handle {}, {})", file(f), now.h, buf(now.e))
            }
            Do::CacheRemoveHandle { f } => format!("{}: cache has no handle {}", file(f), now.h),
            Do::CacheRemoveBuf { f } if said => format!("{}: cache -= an entry of {}", file(f), buf(now.e)),
            Do::CacheRemoveBuf { f } => format!("{}: cache has no {}", file(f), buf(now.e)),
            Do::CacheDestroy { f } => format!("drm_prime_destroy_file_private({})", file(f)),
            Do::ReadImport | Do::ReadImportE if !said => return None,
            Do::ReadImport => format!("{} is an import of {}", obj(now.o), buf(now.d)),
            Do::ReadImportE => format!("{} is an import of {}", obj(now.o), buf(now.e)),
            Do::ReadLink | Do::ReadLinkE if !said => format!("{} has no dma-buf", obj(now.o)),
            Do::ReadLink => format!("{} has {}", obj(now.o), buf(now.d)),
            Do::ReadLinkE => format!("{} has {}", obj(now.o), buf(now.e)),
            Do::LinkSet | Do::LinkImport => format!("{}->dma_buf = {}", obj(now.o), buf(now.d)),
            Do::LinkTake if said => format!("{}->dma_buf = NULL", obj(now.o)),
            Do::LinkTake => return None,
            Do::LinkClearOld if said => format!("{}->export_dma_buf = NULL", obj(now.o)),
            Do::LinkClearOld => format!("{}->export_dma_buf is another one: no unreference", obj(now.o)),
            Do::SelfImport { .. } if said => format!("{} is {} of this device", buf(now.d), obj(now.o)),
            Do::SelfImport { .. } => format!("{} is another device's", buf(now.d)),
            Do::BufCreate | Do::BufCreateOther { .. } => format!("dma_buf_export: {}", buf(now.d)),
            Do::Get(reg) => format!("get_dma_buf({}): {}", buf(now.reg(reg)), refs(now.reg(reg))),
            Do::Put(Reg::D) => format!("dma_buf_put({}): {}", buf(before.d), refs(before.d)),
            Do::Put(Reg::E) => format!("dma_buf_put({}): {}", buf(before.e), refs(before.e)),
            Do::FileGone => format!("dma_buf_file_release({})", buf(now.d)),
            Do::BufFree => format!("{} is freed", buf(before.d)),
            Do::FdInstall { .. } => format!("fd_install({}): fd {}", buf(now.d), now.x),
            Do::FdGet { .. } if now.ret < 0 => format!("fd {}: -EBADF", now.x),
            Do::FdGet { .. } => format!("dma_buf_get(fd {}): {}", now.x, buf(now.d)),
            Do::FdClose { .. } if now.ret < 0 => format!("fd {}: -EBADF", now.x),
            Do::FdClose { .. } => format!("close(fd {})", before.x),
            Do::FdDup { .. } | Do::FdPath { .. } => format!("fd {} is a copy of fd {}", now.x, before.x),
            Do::Attach { .. } => format!("dma_buf_attach({})", buf(now.d)),
            // The end of an import has its dma-buf in E, a driver has it in D.
            Do::Detach => format!("dma_buf_detach({})", buf(if now.e.is_null() { now.d } else { now.e })),
            Do::DetachFrom => format!("dma_buf_detach({})", buf(now.d)),
            Do::Map { .. } if now.ret < 0 => format!("dma_buf_map_attachment: {}", now.ret),
            Do::Map { .. } => "dma_buf_map_attachment".to_owned(),
            Do::Unmap { .. } => "dma_buf_unmap_attachment".to_owned(),
            Do::Pin => "dma_buf_pin".to_owned(),
            Do::Unpin => "dma_buf_unpin".to_owned(),
            Do::Vmap => format!("dma_buf_vmap({})", buf(now.d)),
            Do::Vunmap => format!("dma_buf_vunmap({})", buf(now.d)),
            Do::SetName if now.ret < 0 => format!("{} is attached: -EBUSY", buf(now.d)),
            Do::SetName => format!("DMA_BUF_SET_NAME({})", buf(now.d)),
            Do::BadExport => "dma_buf_export: -EINVAL".to_owned(),
            Do::FbInit { .. } => format!("drm_framebuffer_init({})", obj(now.o)),
            Do::FbFree => "drm_framebuffer_cleanup".to_owned(),
            Do::FbClosed => "MODE_CLOSEFB".to_owned(),
            Do::VmaObj { .. } | Do::VmaBuf { .. } => format!("mmap: {}", now.x),
            Do::VmaClose { .. } => format!("munmap: {}", now.x),
            Do::FileOpen { f } => format!("open {}", file(f)),
            Do::FileClosed { f } => format!("{} is closed", file(f)),
            Do::Rest => "everybody has exited".to_owned(),
            _ => return None,
        },
        _ => return None,
    })
}

const fn yes(said: bool) -> &'static str {
    if said { "yes" } else { "no" }
}

/// What the state shows of something that is wrong, for who wants to see it; nothing where the fact says it all.
pub(crate) fn shows(m: &Machine, k: &Kernel, fact: Fact) -> String {
    let file = |f: u8| m.files.get(usize::from(f)).map_or("?", |f| f.name.as_str());
    let obj = |n: u16| k.objs.iter().find(|o| o.alive != 0 && o.serial == n);
    let slot = |n: u16| k.bufs.iter().position(|b| b.serial == n);
    match (fact.wrong(), fact.about()) {
        (Wrong::ReleasedWhileCached, About::Buf(n)) => {
            let of = |p: Ptr| slot(n).is_some_and(|ix| p == crate::state::ptr(&k.bufs, ix));
            let entries = k.cache.iter().filter(|e| of(e.buf));
            let told = entries.map(|e| format!("{} has (handle {}, dmabuf{n})", file(e.file), e.id));
            told.collect::<Vec<_>>().join(", ")
        }
        (Wrong::LostBuf, About::Buf(n)) => match slot(n).and_then(|ix| k.bufs.get(ix)) {
            Some(b) => format!("{} left", refs(b.refs)),
            None => String::new(),
        },
        (Wrong::LostObject, About::Object(n)) => {
            obj(n).map_or_else(String::new, |o| format!("{} left", refs(o.kref)))
        }
        (Wrong::LostCount, About::Object(n)) => {
            obj(n).map_or_else(String::new, |o| format!("it is {}", o.count))
        }
        // A thread that waits for itself; others that wait for each other are noticed by the walk.
        (Wrong::Deadlock, _) => "it has that lock already".to_owned(),
        _ => String::new(),
    }
}

fn refs(n: i16) -> String {
    if n == 1 { "1 reference".to_owned() } else { format!("{n} references") }
}

impl Machine {
    /// What a fact is about, in words.
    #[must_use]
    pub fn about(&self, about: About) -> String {
        let file = |f: u8| self.files.get(usize::from(f)).map_or("?", |f| f.name.as_str());
        match about {
            About::Object(n) => format!("obj{n}"),
            About::Buf(n) => format!("dmabuf{n}"),
            About::File(f) => format!("file {}", file(f)),
            About::Handle(f, n) => format!("handle {n} of {}", file(f)),
            About::Framebuffer(n) => format!("framebuffer {n}"),
            About::Nothing => String::new(),
        }
    }

    /// The processes with the ids that records have for them.
    pub fn pids(&self) -> impl Iterator<Item = (u32, &str)> {
        self.processes.iter().enumerate().map(|(p, name)| (emit::pid(p as u8), name.as_str()))
    }
}
