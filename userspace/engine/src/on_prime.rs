//! PRIME: export and import brackets, the per-file cache, an importer's end.

use gemscope_common::{Gem, Phase, Prime, ProbeId, Profile, Record, err_ptr};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{BufKey, FileKey, Grant, HandleKey, HoldKind, ObjectKey, Phase as Life};
use crate::finding::{Entity, Stamp, What};
use crate::near::Doing;
use crate::rules::RuleId;
use crate::thread::Frame;

/// The calls that an export is made of, outermost first.
pub(crate) const EXPORTS: &[ProbeId] = &[ProbeId::ExportIoctl, ProbeId::ExportToFd, ProbeId::ExportToDmabuf];

impl Engine {
    pub(crate) fn on_prime(
        &mut self,
        probe: ProbeId,
        phase: Phase,
        record: &Record,
        at: Stamp,
        thread: usize,
    ) {
        if probe == ProbeId::ImportDestroy {
            if phase == Phase::Entry {
                let mut frame = Frame::new(probe, at);
                frame.object = self.state.find_object(record.payload::<Gem>().obj);
                self.push(thread, frame);
            } else {
                self.pop(thread, probe, at);
            }
            return;
        }
        let p: &Prime = record.payload();
        match (probe, phase) {
            (ProbeId::CacheAdd, Phase::Entry) => self.cache_add_begins(p, at, thread),
            (ProbeId::CacheAdd, _) => self.cache_add_ends(record, at, thread),
            (ProbeId::CacheRemove, Phase::Entry) => {
                let mut frame = self.prime_frame(probe, p, at);
                let release = self.threads.at(thread).innermost(&[ProbeId::HandleRelease]).map(|f| f.handle);
                let live = || frame.file.and_then(|f| self.state.files.get(f)?.handles.live(p.handle));
                frame.handle = release.unwrap_or_else(live);
                if self.config.profile < Profile::V3_10 {
                    self.uncounted_removal(&frame, thread, None);
                }
                self.push(thread, frame);
            }
            (ProbeId::CacheRemove, _) => {
                let frame = self.pop(thread, probe, at);
                if let Some(frame) = frame.filter(|_| self.config.profile < Profile::V3_10) {
                    self.uncounted_removal(&frame, thread, Some(at));
                }
                if let Some(h) = frame.and_then(|f| f.handle).and_then(|h| self.state.handles.get_mut(h)) {
                    h.cache_removed = true;
                }
            }
            (_, Phase::Entry) => {
                let frame = self.prime_frame(probe, p, at);
                let outermost = self.threads.at(thread).innermost(EXPORTS).is_none();
                if probe != ProbeId::Import
                    && outermost
                    && let Some(file) = frame.file
                {
                    self.export_in_flight(file, p.handle, at);
                }
                self.push(thread, frame);
            }
            (ProbeId::Import, _) => self.import_ends(record, at, thread),
            (_, _) => self.export_ends(probe, record, at, thread),
        }
    }

    /// Up to 3.9 entries hold no reference, and no put tells of their removal. It goes by dma-buf: that of the import, and
    /// from 3.9 on that of the link, whatever handle the entry has. The own entry is perhaps gone from the beginning of the call
    /// on; others are gone at its end, if they were there before it and the dma-buf is there still.
    fn uncounted_removal(&mut self, frame: &Frame, thread: usize, end: Option<Stamp>) {
        let Some(file) = frame.file else { return };
        let release = self.threads.at(thread).innermost(&[ProbeId::HandleRelease]).map(|f| *f);
        let Some(o) = release.and_then(|f| f.object).and_then(|o| self.state.objects.get(o)) else { return };
        let link = o.link.filter(|_| self.config.profile >= Profile::V3_9);
        for buf in [o.imported, link].into_iter().flatten() {
            let Some(b) = self.state.bufs.get_mut(buf) else { continue };
            let Some(at) = end else {
                b.holds.retain(|h| h.kind != HoldKind::Cache(file, frame.id));
                continue;
            };
            let Some(table) = self.state.files.get(file).map(|f| &f.handles) else { continue };
            // An entry that was left of an earlier handle is nobody's loss.
            let theirs = |id: u32| {
                let h = table.live(id).and_then(|h| self.state.handles.get(h));
                h.is_some_and(|h| h.cached == Some(buf))
            };
            let other = b.holds.iter().any(|h| match h.kind {
                HoldKind::Cache(of, id) => of == file && h.at.seq < frame.at.seq && theirs(id),
                _ => false,
            });
            // Whoever else works on the file may have changed it meanwhile.
            let alone = !self.threads.open().any(|(tid, f)| tid != at.tid && f.file == Some(file));
            if alone && b.released.is_none() && other {
                self.check_entry_removed(file, frame.id, buf, at);
            }
        }
    }

    fn prime_frame(&mut self, probe: ProbeId, p: &Prime, at: Stamp) -> Frame {
        let mut frame = Frame::new(probe, at);
        frame.file = Some(self.state.file(p.file));
        frame.id = p.handle;
        frame
    }

    /// R31: an import that made no handle returned one that the file had: it has one more user now, whom the kernel does not count.
    fn import_ends(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Prime = record.payload();
        let frame = self.pop(thread, ProbeId::Import, at);
        self.calls.end(at.tid, Doing::Import);
        let Some(frame) = frame.filter(|f| !f.made) else { return };
        if record.ret_i32() != 0 || p.handle == 0 {
            return;
        }
        let live = frame.file.and_then(|f| self.state.files.get(f)?.handles.live(p.handle));
        if live.is_none() {
            self.check_dead_handle(&frame, p.handle, at);
        }
        if let Some(h) = live.and_then(|h| self.state.handles.get_mut(h)) {
            h.acquired = h.acquired.saturating_add(1);
        }
    }

    /// L8: the cache gave a handle that was closed before the call began. Its entry should have gone with it.
    fn check_dead_handle(&mut self, frame: &Frame, id: u32, at: Stamp) {
        let Some(f) = frame.file.and_then(|f| self.state.files.get(f)) else { return };
        let past = f.handles.get(id).map(|s| s.past).unwrap_or_default();
        if !f.creating.is_empty() || !past.closed.is_known() || past.closed.seq > frame.at.seq {
            return;
        }
        let tainted = self.state.stale(f.sure) || !f.opened.is_known();
        let incarnation = past.incarnations.saturating_sub(1);
        let entity =
            Entity::Handle { file: f.number, handle: id, incarnation, object: past.object, size: past.size };
        let evidence = frame.buf.map(|b| self.buf_evidence(b)).unwrap_or_default();
        let case = Case::new(RuleId::PrimeCacheLeak, entity, What::Imported, at)
            .against(What::HandleClosed, past.closed)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    /// R19: the export call returned; its fd is an fd of this process.
    fn export_ends(&mut self, probe: ProbeId, record: &Record, at: Stamp, thread: usize) {
        let p: &Prime = record.payload();
        let frame = self.pop(thread, probe, at);
        if self.threads.at(thread).innermost(EXPORTS).is_none() {
            self.calls.end(at.tid, Doing::Export);
        }
        let ret = record.header.ret as u64;
        if probe == ProbeId::ExportToDmabuf {
            if err_ptr(ret).is_none() && ret != 0 {
                // The caller's own reference: the pointer is good here.
                let buf = self.state.buf(ret, p.ino);
                self.mark_exports(thread, buf);
            }
            return;
        }
        let Some(frame) = frame else { return };
        let outer = self.threads.at(thread).innermost(EXPORTS).is_some();
        if probe == ProbeId::ExportToFd && !outer && record.ret_i32() == 0 {
            // Called by a driver for its own purpose, not by the ioctl.
            self.threads.at(thread).installed = Some((p.fd, p.syscall, at));
        }
        if !outer
            && record.ret_i32() == 0
            && let Some(h) = frame.file.and_then(|f| self.state.files.get(f)?.handles.live(frame.id))
            && let Some(h) = self.state.handles.get_mut(h)
            // Another one may have the number by now.
            && h.created.seq < frame.at.seq
        {
            h.shared = frame.buf;
        }
        if outer || frame.hit || record.ret_i32() != 0 || p.fd < 0 {
            return;
        }
        if let Some(buf) = frame.buf {
            // The stacks were taken at the call's entry.
            let at = Stamp { kstack: frame.at.kstack, ustack: frame.at.ustack, ..at };
            self.grant(buf, p.fd, at);
        }
    }

    /// Every open export call on this thread is about this dma-buf.
    pub(crate) fn mark_exports(&mut self, thread: usize, buf: BufKey) {
        for frame in self.threads.at(thread).frames.iter_mut().filter(|f| EXPORTS.contains(&f.probe)) {
            frame.buf = Some(buf);
        }
    }

    /// A process was given an fd.
    pub(crate) fn grant(&mut self, buf: BufKey, fd: i32, at: Stamp) {
        const KEEP: usize = 16;
        let seq = self.records();
        let Some(b) = self.state.bufs.get_mut(buf) else { return };
        b.grants.retain(|g| (g.at.tgid, g.fd) != (at.tgid, fd));
        if b.grants.len() >= KEEP {
            b.grants.remove(0);
        }
        b.grants.push(Grant { fd, at });
        self.granted = Some((seq, buf, fd));
    }

    /// Inside an import, at the creation of its handle: which dma-buf is imported? Takes the references of R5 and R7.
    pub(crate) fn imported_here(
        &mut self,
        object: ObjectKey,
        p: &Gem,
        at: Stamp,
        thread: usize,
    ) -> Option<BufKey> {
        let import = self.threads.at(thread).innermost(&[ProbeId::Import])?;
        import.made = true;
        let buf = import.buf?;
        if p.import_attach != 0
            && let Some(o) = self.state.objects.get_mut(object)
            && o.imported.is_none()
        {
            o.imported = Some(buf);
            self.state.hold(buf, HoldKind::Importer(object), at);
        }
        Some(buf)
    }

    /// The object's link field was read under its lock: whatever was lost before, this is known now.
    pub(crate) fn link_seen(&mut self, object: ObjectKey, addr: u64, at: Stamp) {
        let linked =
            self.state.objects[object].link.and_then(|b| self.state.bufs.get(b)).map_or(0, |b| b.addr);
        if addr != 0 && linked != addr {
            let buf = self.state.buf(addr, 0);
            self.state.link(object, buf, at);
        }
        if linked == 0 || addr != 0 {
            self.state.objects[object].link_sure = self.state.epoch;
        }
    }

    /// R31: the open handle that this file's cache has for the dma-buf.
    pub(crate) fn first_handle(&self, file: FileKey, buf: Option<BufKey>) -> Option<HandleKey> {
        if self.config.profile < Profile::V3_10 {
            return None;
        }
        let open = |key: &HandleKey| self.state.handles.get(*key).is_some_and(|h| h.phase == Life::Open);
        if let Some(cached) = self.cached_handle(file, buf).filter(open) {
            return Some(cached);
        }
        // An entry that is gone, or was never made, does not make the file forget what it has: a handle of an object that is
        // linked to the buffer, or imports it.
        let b = self.state.bufs.get(buf?)?;
        let objects = b.holds.iter().filter_map(|hold| match hold.kind {
            HoldKind::Link(o) | HoldKind::Importer(o) => self.state.objects.get(o),
            HoldKind::Cache(..) => None,
        });
        let shared = |key: &HandleKey| {
            let h = self.state.handles.get(*key);
            h.is_some_and(|h| h.file == file && h.shared == buf)
        };
        objects.flat_map(|o| o.handles.iter().copied()).find(|key| open(key) && shared(key))
    }

    /// The handle that this file's cache has for the dma-buf, an open one before one that is closing.
    pub(crate) fn cached_handle(&self, file: FileKey, buf: Option<BufKey>) -> Option<HandleKey> {
        let b = self.state.bufs.get(buf?)?;
        let f = self.state.files.get(file)?;
        let handles = b.holds.iter().filter_map(|hold| match hold.kind {
            HoldKind::Cache(of, id) if of == file => {
                let key = f.handles.live(id)?;
                let h = self.state.handles.get(key)?;
                (h.cached == buf).then_some((key, h.phase))
            }
            _ => None,
        });
        handles.min_by_key(|(_, phase)| *phase != Life::Open).map(|(key, _)| key)
    }

    /// A handle that must not have been made beside an earlier one.
    pub(crate) fn report_two_handles(
        &mut self,
        rule: RuleId,
        first: HandleKey,
        second: HandleKey,
        at: Stamp,
    ) {
        let (a, b) = (&self.state.handles[first], &self.state.handles[second]);
        let tainted = self.state.stale(a.sure) || self.state.stale(b.sure);
        let (object, created) = (b.object, a.created);
        let entity = self.handle_entity(second);
        let evidence = self.object_evidence(object);
        let case = Case::new(rule, entity, What::HandleCreated, at)
            .against(What::HandleCreated, created)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    fn cache_add_begins(&mut self, p: &Prime, at: Stamp, thread: usize) {
        let mut frame = self.prime_frame(ProbeId::CacheAdd, p, at);
        self.check_use(p.dma_buf, What::Cached, at, thread);
        let buf = self.state.buf(p.dma_buf, p.ino);
        frame.buf = Some(buf);
        self.mark_exports(thread, buf);
        if let Some(file) = frame.file {
            frame.handle = self.state.files[file].handles.live(p.handle);
            frame.broken = self.closed_before(file, p.handle);
        }
        self.push(thread, frame);
    }

    /// B6: has this handle's own removal from the cache been done already?
    fn closed_before(&self, file: FileKey, id: u32) -> bool {
        let f = &self.state.files[file];
        if self.state.stale(f.sure) || !f.opened.is_known() || self.config.profile < Profile::C319c933c {
            return false;
        }
        match f.handles.live(id).and_then(|h| self.state.handles.get(h)) {
            Some(h) => h.phase == Life::Closing && h.cache_removed,
            // A handle whose creation or move has not returned may be the one that is meant.
            None => {
                !self.calls.moves_to(file, id)
                    && f.creating.is_empty()
                    && f.handles.get(id).is_some_and(|s| s.past.closed.is_known())
            }
        }
    }

    fn cache_add_ends(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Prime = record.payload();
        let frame = self.pop(thread, ProbeId::CacheAdd, at);
        if record.ret_i32() != 0 {
            return;
        }
        let file = self.state.file(p.file);
        let buf = frame.and_then(|f| f.buf).unwrap_or_else(|| self.state.buf(p.dma_buf, p.ino));
        self.state.hold(buf, HoldKind::Cache(file, p.handle), at);
        if let Some(call) = self.calls.moving(file, p.handle).filter(|c| c.to == p.handle) {
            call.buf = Some(buf);
        }
        let live = self.state.files[file].handles.live(p.handle);
        if let Some(h) = live.and_then(|h| self.state.handles.get_mut(h)) {
            h.cached = Some(buf);
        }
        let Some(frame) = frame.filter(|f| f.broken) else { return };
        let Some(b) = self.state.bufs.get(buf) else { return };
        let tainted = self.state.stale(b.sure) || self.state.stale(self.state.files[file].sure);
        let slot = self.state.files[file].handles.get(p.handle);
        let closed = slot.map(|s| s.past.closed).unwrap_or_default();
        let entity = self.buf_entity(buf);
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::CacheAfterClose, entity, What::Cached, frame.at)
            .against(What::HandleClosed, closed)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    /// R14: a handle is gone; its own cache entry must be gone with it.
    pub(crate) fn check_cache_left(&mut self, key: HandleKey, at: Stamp) {
        let h = &self.state.handles[key];
        // Up to 3.9 nothing tells when an entry goes.
        let counted = self.config.profile >= Profile::V3_10;
        let (Some(buf), true) = (h.cached, h.cache_removed && counted) else { return };
        let (file, id, sure) = (h.file, h.id, h.sure);
        let Some(b) = self.state.bufs.get(buf) else { return };
        let Some(hold) = b.holds.iter().find(|x| x.kind == HoldKind::Cache(file, id)) else { return };
        let (cached, tainted) = (hold.at, self.state.stale(sure) || self.state.stale(b.sure));
        let entity = self.handle_entity(key);
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::PrimeCacheLeak, entity, What::HandleClosed, at)
            .against(What::Cached, cached)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }
}
