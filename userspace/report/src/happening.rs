//! What happened to which buffer, record by record, by public numbers: the material of stories, timelines and exports.
//!
//! Records tell of calls; a happening is what a call came to. Failed calls make none, except a refused close, which is a
//! thing to know. The engine is asked before and after it takes a record in: a birth has its name afterwards, a death
//! had it before.

use gemscope_common::{
    Attachment, Buf, BufAccess, BufExport, ChangeHandle, DrmFile, Flags, Framebuffer, Gem, Mapping, Phase,
    Prime, ProbeId, Record,
};
use gemscope_engine::{Engine, Entity, Stamp, What};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// One thing that happened. A number that does not apply, or is not known, is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// what
    pub what: What,
    /// when, by whom, with which stacks
    pub at: Stamp,
    /// number of the DRM file
    pub file: u32,
    /// the handle in that file; for a framebuffer its id
    pub handle: u32,
    /// number of the object
    pub object: u32,
    /// number of the dma-buf
    pub dmabuf: u32,
    /// the fd; -1 without one
    pub fd: i32,
    /// bytes, where the record tells them
    pub size: u64,
}

/// Tells what records came to. It remembers which calls are open, for the stacks that were taken at their entries.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    open: FxHashMap<u32, SmallVec<[Open; 4]>>,
    before: Names,
}

/// An open call of a thread.
#[derive(Clone, Copy, Debug)]
struct Open {
    probe: ProbeId,
    kstack: i32,
    ustack: i32,
}

/// What the engine called things before it took a record in.
#[derive(Clone, Copy, Debug, Default)]
struct Names {
    file: u32,
    object: u32,
    dmabuf: u32,
}

impl Teller {
    /// Look at a record that the engine has not taken in yet.
    pub fn before(&mut self, engine: &Engine, record: &Record) {
        let mut before = Names::default();
        match record.probe() {
            Some(ProbeId::ObjectRelease | ProbeId::HandleRelease) => {
                let p: &Gem = record.payload();
                (before.object, before.file) = (object(engine, p.obj), file(engine, p.file));
            }
            Some(ProbeId::FileClose) => before.file = file(engine, record.payload::<DrmFile>().file),
            Some(ProbeId::BufRelease | ProbeId::BufFileRelease) => {
                before.dmabuf = dmabuf(engine, record.payload::<Buf>().dma_buf);
            }
            _ => {}
        }
        self.before = before;
    }

    /// Look at the same record when the engine has taken it in. `tell` may be called several times.
    pub fn after(&mut self, engine: &Engine, record: &Record, mut tell: impl FnMut(Happening)) {
        /// More than this means that returns were lost.
        const DEEP: usize = 16;
        let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else { return };
        let h = &record.header;
        if phase == Phase::Entry {
            let open = self.open.entry(h.tid).or_default();
            if open.len() >= DEEP {
                open.clear();
            }
            open.push(Open { probe, kstack: h.kstack, ustack: h.ustack });
        }
        self.tell(engine, record, probe, phase, &mut tell);
        if phase == Phase::Return
            && let Some(open) = self.open.get_mut(&h.tid)
        {
            if let Some(ix) = open.iter().rposition(|o| o.probe == probe) {
                open.truncate(ix);
            }
            if open.is_empty() {
                self.open.remove(&h.tid);
            }
        }
    }

    /// The record's own stacks, or those of the innermost open call that has them.
    fn stamp(&self, engine: &Engine, record: &Record) -> Stamp {
        let h = &record.header;
        let open = self.open.get(&h.tid).map_or(&[][..], SmallVec::as_slice);
        let pick = |own: i32, of: fn(&Open) -> i32| {
            if own >= 0 { own } else { open.iter().rev().map(of).find(|id| *id >= 0).unwrap_or(own) }
        };
        Stamp {
            seq: engine.records(),
            ts_ns: h.ts_ns,
            tid: h.tid,
            tgid: h.tgid,
            kstack: pick(h.kstack, |o| o.kstack),
            ustack: pick(h.ustack, |o| o.ustack),
        }
    }

    /// Is this thread inside an import? What is born there stands for the memory of another device.
    pub(crate) fn importing(&self, tid: u32) -> bool {
        self.inside(tid, ProbeId::Import)
    }

    fn inside(&self, tid: u32, probe: ProbeId) -> bool {
        self.open.get(&tid).is_some_and(|open| open.iter().any(|o| o.probe == probe))
    }

    fn tell(
        &self,
        engine: &Engine,
        record: &Record,
        probe: ProbeId,
        phase: Phase,
        tell: &mut impl FnMut(Happening),
    ) {
        let ok = record.ret_i32() == 0;
        let new = |what| Happening {
            what,
            at: self.stamp(engine, record),
            file: 0,
            handle: 0,
            object: 0,
            dmabuf: 0,
            fd: -1,
            size: 0,
        };
        match (probe, phase) {
            (ProbeId::FileOpen, _) => {
                tell(Happening {
                    file: file(engine, record.payload::<DrmFile>().file),
                    ..new(What::FileOpened)
                });
            }
            (ProbeId::FileClose, Phase::Return) => {
                tell(Happening { file: self.before.file, ..new(What::FileClosed) })
            }
            (ProbeId::ObjectInit, _) => {
                let p: &Gem = record.payload();
                tell(Happening { object: object(engine, p.obj), size: p.size, ..new(What::Born) });
            }
            (ProbeId::ObjectRelease, _) => tell(Happening { object: self.before.object, ..new(What::Died) }),
            (ProbeId::HandleCreate, Phase::Return) if ok => {
                let p: &Gem = record.payload();
                let of = engine.handle_at(p.file, p.handle);
                tell(Happening {
                    file: file(engine, p.file),
                    handle: p.handle,
                    object: of.map_or_else(|| object(engine, p.obj), |h| h.object),
                    dmabuf: of.map_or(0, |h| h.shared),
                    ..new(What::HandleCreated)
                });
            }
            (ProbeId::HandleRelease, Phase::Entry) => {
                let by_file = self.inside(record.header.tid, ProbeId::FileClose);
                let what = if by_file { What::HandleClosedByFile } else { What::HandleClosed };
                let handle = record.payload::<Gem>().handle;
                tell(Happening { file: self.before.file, handle, object: self.before.object, ..new(what) });
            }
            (ProbeId::HandleDelete, Phase::Return) if !ok => {
                let p: &Gem = record.payload();
                tell(Happening { file: file(engine, p.file), handle: p.handle, ..new(What::CloseRefused) });
            }
            (ProbeId::ChangeHandle, Phase::Return) if ok => {
                let p: &ChangeHandle = record.payload();
                let object = engine.handle_at(p.file, p.new_handle).map_or(0, |h| h.object);
                tell(Happening {
                    file: file(engine, p.file),
                    handle: p.new_handle,
                    object,
                    ..new(What::HandleMoved)
                });
            }
            (ProbeId::BufExport, _) => {
                let p: &BufExport = record.payload();
                if p.dma_buf != 0 && phase != Phase::Entry {
                    tell(Happening {
                        object: object(engine, p.private),
                        dmabuf: dmabuf(engine, p.dma_buf),
                        size: p.size,
                        ..new(What::Exported)
                    });
                }
            }
            (ProbeId::CacheAdd, Phase::Return) if ok => {
                let p: &Prime = record.payload();
                tell(Happening {
                    file: file(engine, p.file),
                    handle: p.handle,
                    dmabuf: dmabuf(engine, p.dma_buf),
                    ..new(What::Cached)
                });
            }
            (ProbeId::Import, Phase::Return) if ok => {
                let p: &Prime = record.payload();
                let handle = engine.handle_at(p.file, p.handle);
                tell(Happening {
                    file: file(engine, p.file),
                    handle: p.handle,
                    object: handle.map_or(0, |h| h.object),
                    dmabuf: handle.map_or(0, |h| if h.shared == 0 { h.cached } else { h.shared }),
                    fd: p.fd,
                    ..new(What::Imported)
                });
            }
            (ProbeId::BufFdClose, _) => {
                let p: &Buf = record.payload();
                let exiting = record.header.flags & Flags::EXITING != 0;
                let what = if exiting { What::FdClosedAtExit } else { What::FdClosed };
                tell(Happening { dmabuf: dmabuf(engine, p.dma_buf), fd: p.fd, ..new(what) });
            }
            (ProbeId::BufFileRelease, _) => {
                tell(Happening { dmabuf: self.before.dmabuf, ..new(What::FileReleased) })
            }
            (ProbeId::BufRelease, _) => tell(Happening { dmabuf: self.before.dmabuf, ..new(What::Released) }),
            _ => Self::of_uses(engine, record, probe, phase, new, tell),
        }
        // Whichever record completed the call: the engine knows.
        if let Some((d, fd)) = engine.just_granted() {
            tell(Happening { dmabuf: d.id, fd, object: d.exporter, ..new(What::FdGiven) });
        }
    }

    /// Attachments, mappings, framebuffers.
    fn of_uses(
        engine: &Engine,
        record: &Record,
        probe: ProbeId,
        phase: Phase,
        new: impl Fn(What) -> Happening,
        tell: &mut impl FnMut(Happening),
    ) {
        let ok = record.ret_i32() == 0;
        let pointer = gemscope_common::err_ptr(record.header.ret as u64).is_none() && record.header.ret != 0;
        let what = match (probe, phase) {
            (ProbeId::Attach, Phase::Return) if pointer => What::Attached,
            (ProbeId::Detach, _) => What::Detached,
            (ProbeId::Map, Phase::Return) if pointer => What::Mapped,
            (ProbeId::Unmap, _) => What::Unmapped,
            (ProbeId::Pin, Phase::Return) if ok => What::Pinned,
            (ProbeId::Unpin, _) => What::Unpinned,
            (ProbeId::Vmap, Phase::Return) if ok => What::Vmapped,
            (ProbeId::Vunmap, _) => What::Vunmapped,
            (ProbeId::MoveNotify, _) => What::MoveNoticed,
            (ProbeId::GemMmap, _) if ok => What::UserMapped,
            (ProbeId::BufMmap, Phase::Return) if ok => What::UserMapped,
            (ProbeId::GemVmOpen, _) => What::UserMapped,
            (ProbeId::GemVmClose, _) => What::UserUnmapped,
            (ProbeId::FbInit, Phase::Return) if ok => What::FramebufferMade,
            (ProbeId::FbCleanup, Phase::Entry) => What::FramebufferGone,
            _ => return,
        };
        match probe {
            ProbeId::GemMmap | ProbeId::BufMmap | ProbeId::GemVmOpen | ProbeId::GemVmClose => {
                let p: &Mapping = record.payload();
                let (object, dmabuf) = (object(engine, p.obj), dmabuf(engine, p.dma_buf));
                tell(Happening { object, dmabuf, size: p.length, ..new(what) });
            }
            ProbeId::FbInit | ProbeId::FbCleanup => {
                let p: &Framebuffer = record.payload();
                let mut planes = p.obj.map(|o| object(engine, o));
                planes.sort_unstable();
                let mut last = 0;
                for object in planes.into_iter().filter(|o| *o != 0) {
                    // Planes may share one object.
                    if std::mem::replace(&mut last, object) != object {
                        tell(Happening { object, handle: p.id, ..new(what) });
                    }
                }
            }
            ProbeId::Vmap | ProbeId::Vunmap | ProbeId::MoveNotify => {
                let p: &BufAccess = record.payload();
                tell(Happening { dmabuf: dmabuf(engine, p.dma_buf), ..new(what) });
            }
            _ => {
                let p: &Attachment = record.payload();
                tell(Happening { dmabuf: dmabuf(engine, p.dma_buf), ..new(what) });
            }
        }
    }
}

fn file(engine: &Engine, addr: u64) -> u32 {
    match engine.file_at(addr) {
        Some(Entity::File { id, .. }) => id,
        _ => 0,
    }
}

fn object(engine: &Engine, addr: u64) -> u32 {
    match engine.object_at(addr) {
        Some(Entity::Object { id, .. }) => id,
        _ => 0,
    }
}

fn dmabuf(engine: &Engine, addr: u64) -> u32 {
    match engine.dmabuf_at(addr) {
        Some(Entity::DmaBuf { id, .. }) => id,
        _ => 0,
    }
}
