//! DRM files and handles: open, create, close, move.

use gemscope_common::{ChangeHandle, DrmFile, Flags, Gem, Phase, ProbeId, Record, scope};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{FileKey, Handle, HandleKey, HoldKind, ObjectKey, Past, Phase as Life};
use crate::finding::{Entity, Holder, LifeEvent, Stamp, What};
use crate::rules::RuleId;
use crate::thread::Frame;

/// Handles that a closing file still had, grouped by the stack that created them.
pub(crate) struct Left {
    pub file: FileKey,
    first: Entity,
    created: Stamp,
    closed: Stamp,
    tainted: bool,
    count: u64,
    bytes: u64,
    evidence: (Vec<Holder>, Vec<LifeEvent>),
}

impl Engine {
    pub(crate) fn on_handle(
        &mut self,
        probe: ProbeId,
        phase: Phase,
        record: &Record,
        at: Stamp,
        thread: usize,
    ) {
        match (probe, phase) {
            (ProbeId::HandleCreate, Phase::Entry) => self.create_begins(record.payload(), at, thread),
            (ProbeId::HandleCreate, _) => self.create_ends(record, at, thread),
            (ProbeId::HandleRelease, Phase::Entry) => self.release_begins(record, at, thread),
            (ProbeId::HandleRelease, _) => self.release_ends(record.payload(), at, thread),
            (ProbeId::HandleDelete, Phase::Entry) => {
                let p: &Gem = record.payload();
                let mut frame = Frame::new(probe, at);
                frame.file = Some(self.state.file(p.file));
                frame.id = p.handle;
                self.push(thread, frame);
            }
            (ProbeId::HandleDelete, _) => self.delete_ends(record, at, thread),
            (ProbeId::HandlePut, Phase::Entry) => self.put_begins(record.payload(), at, thread),
            (ProbeId::HandlePut, _) => self.put_ends(at, thread),
            (ProbeId::HandleGetIfExists, Phase::Return) if record.header.ret & 0xff != 0 => {
                let key = self.state.object(record.payload());
                self.state.objects[key].fb_counts += 1;
            }
            (ProbeId::ChangeHandle, Phase::Return) if record.ret_i32() == 0 => {
                self.change_handle(record.payload());
            }
            (ProbeId::FileOpen, _) if gemscope_common::err_ptr(record.header.ret as u64).is_none() => {
                let sure = self.sure(thread);
                let key = self.state.open_file(record.payload(), at);
                self.state.files[key].sure = sure;
            }
            (ProbeId::FileClose, Phase::Entry) => {
                let p: &DrmFile = record.payload();
                let mut frame = Frame::new(probe, at);
                frame.file = Some(self.state.file(p.file));
                self.push(thread, frame);
            }
            (ProbeId::FileClose, _) => {
                self.pop(thread, probe, at);
                let file = self.state.file(record.payload::<DrmFile>().file);
                self.judge_left(file, at, record.header.flags & Flags::EXITING != 0);
            }
            (ProbeId::PrimeDestroy, _) => self.prime_destroy(record.payload(), at),
            _ => {}
        }
    }

    /// R13: `drm_gem_handle_create_tail` entry, under object_name_lock: the object's fields are exact here.
    fn create_begins(&mut self, p: &Gem, at: Stamp, thread: usize) {
        let file = self.state.file(p.file);
        let object = self.state.object(p);
        let sure = self.sure(thread);
        if p.dma_buf != 0 {
            self.link_seen(object, p.dma_buf, at, thread);
        }
        let handle = self.state.handles.insert(Handle {
            file,
            object,
            id: 0,
            incarnation: 0,
            phase: Life::Creating,
            cache_removed: false,
            released_early: false,
            sure,
            created: at,
            cached: None,
        });
        let o = &mut self.state.objects[object];
        o.in_flight += 1;
        o.had_handle = true;
        o.handles.push(handle);
        self.state.files[file].creating.push(handle);
        let mut frame = Frame::new(ProbeId::HandleCreate, at);
        (frame.file, frame.object, frame.handle) = (Some(file), Some(object), Some(handle));
        if let Some(buf) = self.imported_here(object, p, at, thread) {
            frame.buf = Some(buf);
            // Under prime.lock: an entry that is in the cache now was there at the look-up.
            frame.broken = self.first_handle(file, Some(buf)).is_some();
        }
        self.push(thread, frame);
    }

    fn create_ends(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let frame = self.pop(thread, ProbeId::HandleCreate, at);
        let key = match frame.and_then(|f| f.handle) {
            Some(key) => key,
            // Its entry was lost or is older than the trace: a handle of unknown history.
            None if p.obj != 0 && p.file != 0 && record.ret_i32() == 0 => {
                let (file, object) = (self.state.file(p.file), self.state.object(p));
                let (id, phase, created) = (p.handle, Life::Creating, at);
                let (incarnation, cached) = (0, None);
                let key = self.state.handles.insert(Handle {
                    file,
                    object,
                    id,
                    incarnation,
                    phase,
                    cache_removed: false,
                    released_early: false,
                    sure: 0,
                    created,
                    cached,
                });
                self.state.objects[object].handles.push(key);
                key
            }
            None => return,
        };
        let Some(h) = self.state.handles.get_mut(key) else { return };
        let (file, object, early) = (h.file, h.object, h.released_early);
        if let Some(o) = self.state.objects.get_mut(object) {
            o.in_flight = o.in_flight.saturating_sub(1);
        }
        if let Some(f) = self.state.files.get_mut(file) {
            f.creating.retain(|k| *k != key);
        }
        if record.ret_i32() != 0 || early || p.handle == 0 {
            return self.end_handle(key, at);
        }
        let Some(f) = self.state.files.get_mut(file) else { return };
        let slot = f.handles.slot(p.handle);
        let old = slot.live.replace(key);
        let Some(h) = self.state.handles.get_mut(key) else { return };
        (h.id, h.incarnation, h.phase) = (p.handle, slot.past.incarnations, Life::Open);
        slot.past.incarnations += 1;
        // An older incarnation whose close has not returned yet ends by itself; one whose close was lost ends here.
        if let Some(old) = old
            && self.state.handles.get(old).is_some_and(|h| h.phase == Life::Open)
        {
            self.end_handle(old, at);
        }
        if let Some(first) = frame.filter(|f| f.broken).and_then(|f| self.first_handle(file, f.buf)) {
            self.report_second_handle(first, key, at);
        }
    }

    /// R14, R18: one handle goes, by GEM_CLOSE or by file close.
    fn release_begins(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let file = self.state.file(p.file);
        let object = self.state.object(p);
        let live = self.state.files[file].handles.live(p.handle);
        let known = live.filter(|h| self.state.handles.get(*h).is_some_and(|h| h.object == object));
        // Its creation may not have returned yet: then one of the creations in flight is meant.
        let key = known.or_else(|| {
            let creating = &self.state.files[file].creating;
            creating.iter().copied().find(|h| self.state.handles.get(*h).is_some_and(|h| h.object == object))
        });
        let by_file = self.threads.at(thread).inside(ProbeId::FileClose);
        let mut frame = Frame::new(ProbeId::HandleRelease, at);
        (frame.file, frame.object, frame.handle, frame.id) = (Some(file), Some(object), key, p.handle);
        if let Some(key) = key {
            if by_file {
                self.leave(key, at);
            }
            let h = &mut self.state.handles[key];
            if h.phase == Life::Creating {
                h.released_early = true;
            } else {
                h.phase = Life::Closing;
            }
        }
        self.push(thread, frame);
    }

    fn release_ends(&mut self, p: &Gem, at: Stamp, thread: usize) {
        let frame = self.pop(thread, ProbeId::HandleRelease, at);
        let file = self.state.file(p.file);
        let key = match frame {
            Some(f) => f.handle,
            None => self.state.files[file].handles.live(p.handle),
        };
        let Some(key) = key else { return };
        if self.state.handles.get(key).is_some_and(|h| h.phase != Life::Creating) {
            self.check_cache_left(key, at);
            self.end_handle(key, at);
        }
    }

    /// A handle is gone: out of its file's table and its object's list.
    fn end_handle(&mut self, key: HandleKey, at: Stamp) {
        let Some(h) = self.state.handles.remove(key) else { return };
        let of = self.state.objects.get_mut(h.object).map(|o| {
            o.handles.retain(|k| *k != key);
            o.last_close = at;
            (o.number, o.size)
        });
        if h.id != 0
            && let Some(f) = self.state.files.get_mut(h.file)
        {
            let slot = f.handles.slot(h.id);
            if slot.live == Some(key) {
                slot.live = None;
            }
            let (object, size) = of.unwrap_or((slot.past.object, slot.past.size));
            slot.past = Past { closed: at, object, incarnations: h.incarnation + 1, size };
        }
    }

    fn delete_ends(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let frame = self.pop(thread, ProbeId::HandleDelete, at);
        let key = self.state.file(p.file);
        if record.ret_i32() == 0 {
            // The release inside was not seen: the handle is gone all the same.
            let live = self.state.files[key].handles.live(p.handle);
            if let (Some(live), Some(frame)) = (live, frame)
                && self
                    .state
                    .handles
                    .get(live)
                    .is_some_and(|h| h.created.seq < frame.at.seq && h.phase == Life::Open)
            {
                self.end_handle(live, at);
            }
            return;
        }
        const EINVAL: i32 = 22;
        let Some(frame) = frame else { return };
        if record.ret_i32() != -EINVAL || !self.reach.in_scope(at.tgid) {
            return;
        }
        // R14: refused. A close of a number that was closed before, and not given out again before this call began.
        let file = &self.state.files[key];
        let Some(slot) = file.handles.get(p.handle) else { return };
        let closing =
            slot.live.and_then(|h| self.state.handles.get(h)).is_some_and(|h| h.phase == Life::Closing);
        let past = slot.past;
        let before = past.closed.is_known() && past.closed.seq < frame.at.seq;
        if !(closing || before && slot.live.is_none()) {
            return;
        }
        let tainted = self.state.stale(file.sure);
        let entity = Entity::Handle {
            file: file.number,
            handle: p.handle,
            incarnation: past.incarnations.saturating_sub(1),
            object: past.object,
            size: past.size,
        };
        let life = vec![
            LifeEvent { what: What::HandleClosed, at: past.closed },
            LifeEvent { what: What::CloseRefused, at: frame.at },
        ];
        let case = Case::new(RuleId::DoubleClose, entity, What::CloseRefused, frame.at)
            .against(What::HandleClosed, past.closed)
            .evidence((Vec::new(), life))
            .many(1, past.size)
            .tainted(tainted);
        self.file(case);
    }

    /// R15: a handle count is dropped; at zero the link goes.
    fn put_begins(&mut self, p: &Gem, at: Stamp, thread: usize) {
        let object = self.state.object(p);
        let t = self.threads.at(thread);
        let of_handle = t.inside(ProbeId::HandleRelease) || t.inside(ProbeId::HandleCreate);
        let o = &mut self.state.objects[object];
        o.in_flight += 1;
        if !of_handle {
            o.fb_counts = o.fb_counts.saturating_sub(1);
        }
        let mut frame = Frame::new(ProbeId::HandlePut, at);
        frame.object = Some(object);
        self.push(thread, frame);
    }

    fn put_ends(&mut self, at: Stamp, thread: usize) {
        let Some(object) = self.pop(thread, ProbeId::HandlePut, at).and_then(|f| f.object) else { return };
        let release = self.threads.at(thread).innermost(&[ProbeId::HandleRelease]).and_then(|f| f.handle);
        let Some(o) = self.state.objects.get_mut(object) else { return };
        o.in_flight = o.in_flight.saturating_sub(1);
        // Another handle, even one that is closing, may still have its own count.
        let last = o.handles.iter().all(|h| Some(*h) == release) && o.fb_counts == 0;
        if last && o.in_flight == 0 && o.link.is_some() {
            self.check_link_left(object, at);
        }
    }

    fn change_handle(&mut self, p: &ChangeHandle) {
        let file = self.state.file(p.file);
        let f = &mut self.state.files[file];
        let Some(key) = f.handles.slot(p.handle).live.take() else { return };
        let slot = f.handles.slot(p.new_handle);
        slot.live = Some(key);
        let incarnation = slot.past.incarnations;
        slot.past.incarnations += 1;
        let Some(h) = self.state.handles.get_mut(key) else { return };
        (h.id, h.incarnation) = (p.new_handle, incarnation);
        // The cache entry is keyed anew (R27): the removal of the old key has been seen as a put.
        if let Some(buf) = h.cached {
            let at = h.created;
            self.state.drop_hold(buf, HoldKind::Cache(file, p.handle));
            self.state.hold(buf, HoldKind::Cache(file, p.new_handle), at);
        }
    }

    /// A closing file still had this handle.
    fn leave(&mut self, key: HandleKey, at: Stamp) {
        let h = &self.state.handles[key];
        if !self.reach.in_scope(h.created.tgid) || !self.state.files[h.file].opened.is_known() {
            return;
        }
        let (file, object, created) = (h.file, h.object, h.created);
        let tainted = self.state.stale(h.sure)
            || self.state.objects.get(object).is_none_or(|o| self.state.stale(o.sure));
        let first = self.handle_entity(key);
        let same = |l: &&mut Left| {
            let (a, b) = (&l.created, &created);
            (l.file, a.tgid, a.ustack, a.kstack, l.tainted) == (file, b.tgid, b.ustack, b.kstack, tainted)
        };
        if let Some(group) = self.left.iter_mut().find(same) {
            group.count += 1;
            group.bytes += first.size();
            return;
        }
        let evidence = self.handle_evidence(key, object);
        let (count, bytes, closed) = (1, first.size(), at);
        self.left.push(Left { file, first, created, closed, tainted, count, bytes, evidence });
    }

    fn handle_evidence(&self, key: HandleKey, object: ObjectKey) -> (Vec<Holder>, Vec<LifeEvent>) {
        let mut life = self.object_life(object);
        if let Some(h) = self.state.handles.get(key) {
            life.push(LifeEvent { what: What::HandleCreated, at: h.created });
        }
        life.sort_by_key(|e| e.at.seq);
        life.dedup();
        (self.object_holders(object), life)
    }

    /// The file is closed: what it still had is a finding, unless a fatal signal took its process away.
    fn judge_left(&mut self, file: FileKey, at: Stamp, exiting: bool) {
        let (of_file, rest) = std::mem::take(&mut self.left).into_iter().partition(|l| l.file == file);
        self.left = rest;
        let groups: Vec<Left> = of_file;
        let by_signal = exiting && self.reach.killed(at.tgid) == Some(true);
        for group in groups {
            if by_signal || self.reach.killed(group.created.tgid) == Some(true) {
                self.notes.handles_left_by_signal += group.count;
                continue;
            }
            let judged = match self.at_exit {
                scope::STRICT => true,
                scope::GROWTH => group.count > 1,
                _ => false,
            };
            if !judged {
                self.notes.handles_left_ignored += group.count;
                continue;
            }
            // An exiting process whose exit was not seen may have died of a signal.
            let unsure = exiting && self.reach.killed(at.tgid).is_none();
            let case = Case::new(RuleId::HandleLeak, group.first, What::HandleClosedByFile, group.closed)
                .against(What::HandleCreated, group.created)
                .evidence(group.evidence)
                .many(group.count, group.bytes)
                .tainted(group.tainted || unsure);
            self.file(case);
        }
    }

    /// R18: the PRIME cache of a closed file must be empty; the kernel's own root pointer tells.
    fn prime_destroy(&mut self, p: &DrmFile, at: Stamp) {
        let key = self.state.file(p.file);
        if p.cache_root != 0 {
            let entity = self.file_entity(key);
            let left = self.cache_entries(key);
            let cached = left.first().map(|h| h.taken).unwrap_or_default();
            let count = left.len().max(1) as u64;
            let case = Case::new(RuleId::PrimeCacheLeak, entity, What::FileClosed, at)
                .against(What::Cached, cached)
                .evidence((left, Vec::new()))
                .many(count, 0)
                .proven();
            self.file(case);
        }
        self.state.end_file(key);
    }
}
