//! dma-bufs: birth, fds, references, attachments, release.

use gemscope_common::{
    Buf as BufFields, BufExport, BufIoctl, Features, Flags, Phase, ProbeId, Profile, Record, err_ptr, scope,
};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{BufKey, FileKey, HoldKind};
use crate::finding::{Entity, Stamp, What};
use crate::on_prime::EXPORTS;
use crate::rules::RuleId;
use crate::thread::Frame;

impl Engine {
    pub(crate) fn on_dmabuf(
        &mut self,
        probe: ProbeId,
        phase: Phase,
        record: &Record,
        at: Stamp,
        thread: usize,
    ) {
        match (probe, phase) {
            (ProbeId::BufExport, Phase::Entry) => {
                let mut frame = Frame::new(probe, at);
                frame.broken = self.bad_export_arguments(record.payload());
                self.push(thread, frame);
            }
            (ProbeId::BufExport, _) => {
                if self.pop(thread, probe, at).is_some_and(|f| f.broken) {
                    self.report_bad_export(record.payload(), at);
                }
                let ret = record.header.ret as u64;
                if err_ptr(ret).is_none() && ret != 0 {
                    self.exported(record.payload(), ret, at, thread);
                }
            }
            (ProbeId::BufIoctl, Phase::Entry) => {
                let p: &BufIoctl = record.payload();
                let mut frame = Frame::new(probe, at);
                frame.buf = (p.dma_buf != 0).then(|| self.state.buf(p.dma_buf, p.ino));
                self.push(thread, frame);
            }
            (ProbeId::BufIoctl, _) => {
                let frame = self.pop(thread, probe, at);
                if record.ret_i32() == 0
                    && let Some(buf) = frame.and_then(|f| f.buf)
                    && let Some(frame) = frame
                {
                    self.check_name_set(record.payload(), buf, frame.at, at);
                }
            }
            _ => self.on_buf(probe, record, at, thread),
        }
    }

    fn on_buf(&mut self, probe: ProbeId, record: &Record, at: Stamp, thread: usize) {
        let p: &BufFields = record.payload();
        match probe {
            ProbeId::BufFd if record.ret_i32() >= 0 => {
                if self.threads.at(thread).innermost(&[ProbeId::ExportIoctl]).is_none() {
                    self.threads.at(thread).installed = Some((record.ret_i32(), p.syscall, at));
                }
                self.fd_given(p, record.ret_i32(), at, thread);
            }
            ProbeId::BufFdInstall => self.fd_given(p, p.fd, at, thread),
            ProbeId::BufGet => {
                let ret = record.header.ret as u64;
                if err_ptr(ret).is_none() && ret != 0 {
                    self.check_use(ret, What::LookedUp, at, thread);
                    let buf = self.state.buf(ret, p.ino);
                    self.check_lookup(p, buf, at, thread);
                    let import = self.threads.at(thread).innermost(&[ProbeId::Import]);
                    if let Some(import) = import {
                        import.buf = Some(buf);
                        let (file, began) = (import.file, import.at);
                        if let Some(file) = file {
                            self.import_in_flight(file, buf, began, at);
                        }
                    }
                }
            }
            ProbeId::BufPut => self.put(p, at, thread),
            ProbeId::BufFileRelease if p.dma_buf != 0 => self.file_released(p, at),
            ProbeId::BufRelease if p.dma_buf != 0 => {
                self.file_released(p, at);
                if let Some(buf) = self.state.find_buf(p.dma_buf) {
                    self.check_uncounted_entries(buf, at);
                    self.check_attachments_left(buf, at);
                    self.seen.released(self.state.bufs[buf].ino);
                    self.state.end_buf(buf, at);
                }
            }
            ProbeId::BufFdClose if p.dma_buf != 0 => {
                // The file of an open fd is gone.
                self.check_use(p.dma_buf, What::FdGiven, at, thread);
                self.fd_closed(p, at, record.header.flags & Flags::EXITING != 0);
            }
            _ => {}
        }
    }

    /// `dma_buf_export` returned a buffer. Inside a PRIME export this is under object_name_lock (R19).
    fn exported(&mut self, p: &BufExport, addr: u64, at: Stamp, thread: usize) {
        let in_scope = self.reach.in_scope(at.tgid);
        let sure = self.sure(thread);
        let buf = self.state.birth_buf(addr, p.ino, p.size, at, in_scope);
        self.state.bufs[buf].sure = sure;
        let Some(export) = self.threads.at(thread).innermost(EXPORTS).map(|f| *f) else {
            // Not through PRIME, or the bracket was lost with its records.
            return;
        };
        self.mark_exports(thread, buf);
        let by_handle = || {
            let handle = self.state.files.get(export.file?)?.handles.live(export.id)?;
            Some(self.state.handles.get(handle)?.object)
        };
        let exporting = self.state.find_object(p.private);
        let Some(object) = exporting.or_else(by_handle) else { return };
        // A handle may outlive its object by a few instructions, and by more where records were lost.
        let Some(o) = self.state.objects.get(object) else { return };
        // The link is not always there while the buffer is (R26): a framebuffer may bring a handle back without it.
        let mut first = [o.link, o.exported].into_iter().flatten();
        // A handle may have become another object's unseen.
        let tainted = self.state.stale(o.link_sure) || exporting.is_none() && self.state.stale(o.sure);
        let unreleased = |b: &BufKey| self.state.bufs.get(*b).is_some_and(|b| b.released.is_none());
        let alive = first.find(unreleased);
        if let Some(first) = alive {
            let earlier = self.state.bufs[first].born;
            let entity = self.buf_entity(buf);
            let evidence = self.object_evidence(object);
            let case = Case::new(RuleId::SecondDmabuf, entity, What::Exported, at)
                .against(What::Exported, earlier)
                .evidence(evidence)
                .tainted(tainted);
            self.file(case);
        }
        self.double_export(object, buf, at);
        self.state.exported_from(buf, object);
        self.state.objects[object].exported = Some(buf);
        self.state.link(object, buf, at);
    }

    fn fd_given(&mut self, p: &BufFields, fd: i32, at: Stamp, thread: usize) {
        self.check_use(p.dma_buf, What::FdGiven, at, thread);
        let Some(buf) = self.state.find_buf(p.dma_buf) else { return };
        let mut given = at;
        self.mark_exports(thread, buf);
        for frame in self.threads.at(thread).frames.iter_mut().filter(|f| EXPORTS.contains(&f.probe)) {
            frame.hit = true;
            (given.kstack, given.ustack) = (frame.at.kstack, frame.at.ustack);
        }
        self.grant(buf, fd, given);
    }

    /// A reference is put: whose, tells the innermost open call (A.7).
    fn put(&mut self, p: &BufFields, at: Stamp, thread: usize) {
        const OWNERS: &[ProbeId] = &[
            ProbeId::CacheRemove,
            ProbeId::HandlePut,
            ProbeId::ImportDestroy,
            ProbeId::Import,
            ProbeId::ExportToDmabuf,
            ProbeId::ExportToFd,
            ProbeId::ExportIoctl,
        ];
        self.check_use(p.dma_buf, What::Put, at, thread);
        let Some(buf) = self.state.find_buf(p.dma_buf) else { return };
        if p.file_count == 1 {
            // Whoever still works with it has no reference any more.
            self.state.last_puts.insert(buf, at);
        }
        let Some(frame) = self.threads.at(thread).innermost(OWNERS) else { return };
        frame.hit = true;
        let frame = *frame;
        match frame.probe {
            ProbeId::CacheRemove => {
                let Some(file) = frame.file else { return };
                if !self.state.drop_hold(buf, HoldKind::Cache(file, frame.id)) {
                    self.check_entry_removed(file, frame.id, buf, at);
                }
                if let Some(h) = frame.handle.and_then(|h| self.state.handles.get_mut(h))
                    && h.cached == Some(buf)
                {
                    h.cached = None;
                }
            }
            ProbeId::HandlePut => {
                if let Some(object) = frame.object {
                    self.state.unlink(object);
                }
            }
            ProbeId::ImportDestroy => {
                if let Some(object) = frame.object {
                    self.state.drop_hold(buf, HoldKind::Importer(object));
                    if let Some(o) = self.state.objects.get_mut(object) {
                        o.imported = None;
                    }
                }
            }
            _ => {}
        }
    }

    /// R24: the last file reference is gone. Nothing of the ledger may hold it any more.
    fn file_released(&mut self, p: &BufFields, at: Stamp) {
        let buf = self.state.buf(p.dma_buf, p.ino);
        let epoch = self.state.epoch;
        let b = &mut self.state.bufs[buf];
        if b.released.is_some() {
            return;
        }
        (b.released, b.released_in) = (Some(at), epoch);
        self.check_vmaps_left(buf, p.vmapping_counter, at);
        self.state.last_puts.remove(&buf);
        let tainted = self.state.stale(self.state.bufs[buf].sure) || !self.state.bufs[buf].born.is_known();
        let holds = self.state.bufs[buf].holds.clone();
        for hold in holds {
            let (rule, what, sure) = match hold.kind {
                // Without a reference it may be on its way out of the cache: see `check_uncounted_entries`.
                HoldKind::Cache(..) if self.config.profile < Profile::V3_10 => continue,
                HoldKind::Cache(file, _) => {
                    let Some(f) = self.state.files.get(file) else { continue };
                    (RuleId::ReleasedWhileCached, What::Cached, f.sure)
                }
                HoldKind::Link(object) if self.config.profile >= Profile::C319c933c => {
                    let Some(o) = self.state.objects.get(object) else { continue };
                    (RuleId::StaleLink, What::Linked, o.sure)
                }
                HoldKind::Importer(object) => {
                    let Some(o) = self.state.objects.get(object) else { continue };
                    (RuleId::UseAfterRelease, What::Imported, o.sure)
                }
                HoldKind::Link(_) => continue,
            };
            self.report_release(rule, buf, at, (what, hold.at), tainted || self.state.stale(sure));
        }
    }

    /// A dma-buf is gone, and something of the ledger still has its pointer.
    fn report_release(
        &mut self,
        rule: RuleId,
        buf: BufKey,
        at: Stamp,
        earlier: (What, Stamp),
        tainted: bool,
    ) {
        let case = Case::new(rule, self.buf_entity(buf), What::FileReleased, at)
            .against(earlier.0, earlier.1)
            .evidence(self.buf_evidence(buf))
            .tainted(tainted);
        self.file(case);
    }

    /// B1: up to 3.9 entries hold no reference. One whose removal has not begun when the file is gone for sure points to nothing.
    fn check_uncounted_entries(&mut self, buf: BufKey, at: Stamp) {
        if self.config.profile >= Profile::V3_10 {
            return;
        }
        let b = &self.state.bufs[buf];
        let tainted = self.state.stale(b.sure) || !b.born.is_known();
        for hold in b.holds.clone() {
            let HoldKind::Cache(file, _) = hold.kind else { continue };
            let Some(f) = self.state.files.get(file) else { continue };
            let tainted = tainted || self.state.stale(f.sure);
            self.report_release(RuleId::ReleasedWhileCached, buf, at, (What::Cached, hold.at), tainted);
        }
    }

    /// R24, R11: is this dma-buf used after its last reference was gone?
    pub(crate) fn check_use(&mut self, addr: u64, what: What, at: Stamp, thread: usize) {
        let mut why = What::FileReleased;
        let (entity, released, released_in, evidence) = match self.state.find_buf(addr) {
            Some(buf) => {
                let b = &self.state.bufs[buf];
                let last_put = self.state.last_puts.get(&buf).filter(|_| what != What::Put);
                let Some(released) = b.released.or_else(|| last_put.copied()) else { return };
                let seen_in = if b.released.is_some() { b.released_in } else { b.sure };
                if b.released.is_none() {
                    why = What::LastPut;
                }
                (self.buf_entity(buf), released, seen_in, self.buf_evidence(buf))
            }
            None => {
                let Some((released, id, ino, size)) = self.state.graveyard.get(addr).copied() else { return };
                // An export whose return was lost gives the address to a new buffer unseen.
                if self.threads.open().any(|(_, f)| f.probe == ProbeId::BufExport) {
                    return;
                }
                // A loss empties the graveyard.
                (Entity::DmaBuf { ino, id, size }, released, self.state.epoch, (Vec::new(), Vec::new()))
            }
        };
        // Since a loss, another dma-buf may have been born at the address.
        let tainted = self.threads.at(thread).unsynced || self.state.stale(released_in);
        let rule = RuleId::UseAfterRelease;
        let case =
            Case::new(rule, entity, what, at).against(why, released).evidence(evidence).tainted(tainted);
        self.file(case);
    }

    /// One fd of one process is closed: by close(2) where that comes this way, or by its exit.
    fn fd_closed(&mut self, p: &BufFields, at: Stamp, exiting: bool) {
        self.seen.closed(p.ino, at.tgid);
        let buf = self.state.buf(p.dma_buf, p.ino);
        let grants = &mut self.state.bufs[buf].grants;
        let own = grants.iter().rposition(|g| g.at.tgid == at.tgid).map(|ix| grants.remove(ix));
        if !exiting || !self.reach.in_scope(at.tgid) {
            return;
        }
        let killed = self.reach.killed(at.tgid);
        if killed == Some(true) {
            self.notes.fds_left_by_signal += 1;
            return;
        }
        if own.is_none() && !self.received(buf, at.tgid) {
            return;
        }
        if self.at_exit == scope::IGNORE {
            self.notes.fds_left_ignored += 1;
            return;
        }
        let entity = self.buf_entity(buf);
        let taken = own.map(|g| g.at).unwrap_or_default();
        if self.merge_fd_leak(&taken, at.tgid, entity.size()) {
            return;
        }
        let tainted = killed.is_none() || self.state.stale(self.state.bufs[buf].sure);
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::FdLeak, entity, What::FdClosedAtExit, at)
            .against(What::FdGiven, taken)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    /// Did the process get this fd by itself, and not by being forked with it open?
    fn received(&self, buf: BufKey, tgid: u32) -> bool {
        let b = &self.state.bufs[buf];
        b.born.is_known() && !b.grants.iter().any(|g| self.reach.inherits(tgid, g.at.tgid, g.at.seq))
    }

    /// R52: from 5.3 to 5.16 a dma-buf with attachments cannot be named.
    fn check_name_set(&mut self, p: &BufIoctl, buf: BufKey, began: Stamp, at: Stamp) {
        const SET_NAME: [u32; 2] = [0x4004_6201, 0x4008_6201];
        if !self.config.features.has(Features::SET_NAME_BUSY) || !SET_NAME.contains(&p.cmd) {
            return;
        }
        // Attached before the call began, and still.
        let all_along = self.state.attachments_of(buf).find(|a| a.at.seq < began.seq);
        let Some((attached, sure)) = all_along.map(|a| (a.at, a.sure)) else { return };
        let tainted = self.state.stale(sure);
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::SetNameWhileAttached, self.buf_entity(buf), What::NameSet, at)
            .against(What::Attached, attached)
            .evidence(evidence)
            .tainted(tainted);
        self.file_once(case);
    }

    /// K11: an fd that was installed belongs to the program, which may have closed it.
    fn check_lookup(&mut self, p: &BufFields, buf: BufKey, at: Stamp, thread: usize) {
        let Some((fd, syscall, installed)) = self.threads.at(thread).installed else { return };
        if syscall == 0 || (fd, syscall) != (p.fd, p.syscall) {
            return;
        }
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::LookupAfterInstall, self.buf_entity(buf), What::LookedUp, at)
            .against(What::FdGiven, installed)
            .evidence(evidence);
        self.file_once(case);
    }

    /// B8: the entry that a handle's close removed from its file's cache was not its own.
    pub(crate) fn check_entry_removed(&mut self, file: FileKey, id: u32, buf: BufKey, at: Stamp) {
        let b = &self.state.bufs[buf];
        let other = b.holds.iter().find(|h| matches!(h.kind, HoldKind::Cache(of, _) if of == file));
        let Some(other) = other.copied() else { return };
        let Some(f) = self.state.files.get(file) else { return };
        let tainted = self.state.stale(f.sure) || self.state.stale(b.sure) || !f.opened.is_known();
        let evidence = self.buf_evidence(buf);
        let entity = match f.handles.live(id) {
            Some(handle) => self.handle_entity(handle),
            None => self.buf_entity(buf),
        };
        let case = Case::new(RuleId::WrongCacheEntryRemoved, entity, What::Put, at)
            .against(What::Cached, other.at)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
        // What is gone is gone, the other handle's entry; that the own one stays is told by this.
        self.state.drop_hold(buf, other.kind);
        let own = self.state.files.get(file).and_then(|f| f.handles.live(id));
        if let Some(h) = own.and_then(|h| self.state.handles.get_mut(h)) {
            h.cached = None;
        }
    }
}
