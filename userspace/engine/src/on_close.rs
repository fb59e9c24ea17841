//! How handles go: GEM_CLOSE and its look-alikes, file close, and closes that are refused.

use gemscope_common::{Features, Gem, ProbeId, Record, scope};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{FileKey, HandleKey, ObjectKey, Phase as Life};
use crate::finding::{Entity, Holder, LifeEvent, Stamp, What};
use crate::rules::RuleId;
use crate::thread::Frame;

/// Handles that a closing file still had, grouped by the stack that created them.
#[derive(Clone)]
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

impl Left {
    /// What of it decides a finding.
    pub fn decides(&self) -> (u32, bool, u64) {
        (self.created.tgid, self.tainted, self.count)
    }
}

impl Engine {
    /// R14, R18: one handle goes, by GEM_CLOSE or by file close.
    pub(crate) fn release_begins(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let file = self.state.file(p.file);
        let object = self.state.object(p);
        let live = self.state.files[file].handles.live(p.handle);
        let known = live.filter(|h| self.state.handles.get(*h).is_some_and(|h| h.object == object));
        // Its creation may not have returned yet: then one of the creations in flight is meant. Or it is on its way to another number.
        let moving = self.calls.moving(file, p.handle).copied();
        let delete = self.threads.at(thread).innermost(&[ProbeId::HandleDelete]);
        let taken = delete.and_then(|f| {
            f.made = true;
            f.handle
        });
        let key = taken
            .filter(|h| self.state.handles.contains_key(*h))
            .or(known)
            .or_else(|| {
                let creating = &self.state.files[file].creating;
                let meant = |h: &HandleKey| self.state.handles.get(*h).is_some_and(|h| h.object == object);
                creating.iter().copied().find(meant)
            })
            .or_else(|| moving.and_then(|c| c.handle).filter(|h| self.state.handles.contains_key(*h)));
        let by_file = self.threads.at(thread).inside(ProbeId::FileClose);
        let mut frame = Frame::new(ProbeId::HandleRelease, at);
        (frame.file, frame.object, frame.handle, frame.id) = (Some(file), Some(object), key, p.handle);
        if moving.is_some() {
            self.closed_while_moving(file, object, p.handle, at);
        }
        // R27, B13: closed under a number that it had been moved away from: its count is another one's.
        let past = || self.state.files[file].handles.get(p.handle).map(|s| s.past);
        if key.is_none() && past().is_some_and(|p| p.moved > p.closed.seq) {
            self.report_counted_twice(file, object, p.handle, at, Stamp::default());
        }
        if let Some(key) = key {
            if by_file {
                self.leave(key, at);
            }
            self.close_crosses(key, p.handle, at);
            self.check_publication(key, p.handle, at);
            self.check_dumb_destroy(key, at, thread);
            let h = &mut self.state.handles[key];
            if h.phase == Life::Creating {
                h.released_early = true;
            } else {
                h.phase = Life::Closing;
            }
        }
        self.push(thread, frame);
    }

    /// R27, B13: a handle that moves can be closed under one of its two numbers, not under both.
    fn closed_while_moving(&mut self, file: FileKey, object: ObjectKey, id: u32, at: Stamp) {
        let Some(call) = self.calls.moving(file, id) else { return };
        match call.closed {
            None => call.closed = Some((id, at)),
            Some((other, earlier)) if other != id => self.report_counted_twice(file, object, id, at, earlier),
            Some(_) => {}
        }
    }

    /// Two closes, or a close and a move, succeeded on one handle count.
    pub(crate) fn report_counted_twice(
        &mut self,
        file: FileKey,
        object: ObjectKey,
        id: u32,
        at: Stamp,
        earlier: Stamp,
    ) {
        let f = &self.state.files[file];
        let tainted = self.state.stale(f.sure);
        let incarnation = f.handles.get(id).map_or(0, |s| s.past.incarnations.saturating_sub(1));
        let (number, size) = self.state.objects.get(object).map_or((0, 0), |o| (o.number, o.size));
        let entity = Entity::Handle { file: f.number, handle: id, incarnation, object: number, size };
        let evidence = self.object_evidence(object);
        let case = Case::new(RuleId::HandleCountMismatch, entity, What::CloseBegan, at)
            .against(What::HandleClosed, earlier)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    /// R13, B9: a handle must not be found before its file may map the object.
    fn check_publication(&mut self, key: HandleKey, id: u32, at: Stamp) {
        let h = &self.state.handles[key];
        let fixed = self.config.features.has(Features::PUBLICATION_FIX);
        if h.phase != Life::Creating || h.released_early || h.allowed || !self.allows_seen && fixed {
            return;
        }
        // Where the permission is not seen, the close may have come after it; and in a file of which not all is known, an older
        // handle may be meant.
        let stale = self.state.stale(h.sure) || self.state.stale(self.state.files[h.file].sure);
        let tainted = stale || !self.allows_seen;
        let (created, object) = (h.created, h.object);
        let mut entity = self.handle_entity(key);
        if let Entity::Handle { handle, .. } = &mut entity {
            *handle = id;
        }
        let evidence = self.handle_evidence(key, object);
        let case = Case::new(RuleId::CreatePublicationRace, entity, What::CloseBegan, at)
            .against(What::CreateBegan, created)
            .evidence(evidence)
            .tainted(tainted);
        self.file_once(case);
    }

    /// R28: an import's handle is no dumb buffer.
    fn check_dumb_destroy(&mut self, key: HandleKey, at: Stamp, thread: usize) {
        let deleting = self.threads.at(thread).innermost(&[ProbeId::HandleDelete]).is_some_and(|f| f.broken);
        let h = &self.state.handles[key];
        if !deleting || !h.by_import || !self.reach.in_scope(at.tgid) {
            return;
        }
        let (created, object, tainted) = (h.created, h.object, self.state.stale(h.sure));
        let entity = self.handle_entity(key);
        let evidence = self.handle_evidence(key, object);
        let case = Case::new(RuleId::DumbDestroyOfImport, entity, What::DumbDestroyed, at)
            .against(What::HandleCreated, created)
            .evidence(evidence)
            .tainted(tainted);
        self.file_once(case);
    }

    pub(crate) fn release_ends(&mut self, p: &Gem, at: Stamp, thread: usize) {
        let frame = self.pop(thread, ProbeId::HandleRelease, at);
        let file = self.state.file(p.file);
        let key = match frame {
            Some(f) => f.handle,
            None => self.state.files[file].handles.live(p.handle),
        };
        let Some(key) = key else { return };
        if self.state.handles.get(key).is_some_and(|h| h.phase != Life::Creating) {
            self.check_cache_left(key, at);
            // Closed under the number that it was moving to, it did not end under the old one.
            if let Some(to) = frame.map(|f| f.id).filter(|id| self.state.handles[key].id != *id) {
                self.renumber(key, to, at);
            }
            self.end_handle(key, at);
        }
    }

    pub(crate) fn delete_ends(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let frame = self.pop(thread, ProbeId::HandleDelete, at);
        let key = self.state.file(p.file);
        if record.ret_i32() == 0 {
            // The release inside was not seen: the handle is gone all the same.
            let live = self.state.files[key].handles.live(p.handle);
            if let (Some(live), Some(frame)) = (live, frame)
                && !frame.made
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
        // R27: under way to another number, it may have been refused for that.
        if self.calls.moving(key, p.handle).is_some() {
            return;
        }
        // R14: refused. A close of a number that was closed before, and not given out again before this call began.
        let file = &self.state.files[key];
        let Some(slot) = file.handles.get(p.handle) else { return };
        let past = slot.past;
        let live = slot.live.filter(|h| self.state.handles.contains_key(*h));
        // Closing, or in a close that has taken it already: of an open handle no other close can be refused.
        let taken = live.filter(|h| match self.state.handles[*h].phase {
            Life::Closing => true,
            Life::Open => self.being_deleted(key, p.handle, at.tid),
            Life::Creating => false,
        });
        // Closed before this call began, or since: then the one that is closed must have been there before.
        let before = past.closed.is_known()
            && past.moved <= past.closed.seq
            && past.closed.seq.min(past.created) < frame.at.seq;
        let later = live.is_none_or(|h| self.state.handles[h].created.seq > frame.at.seq);
        if taken.is_none() && !(before && later) {
            return;
        }
        let owed = taken.map_or(past.owed, |h| self.state.handles[h].acquired.saturating_sub(1));
        let tainted = self.state.stale(file.sure);
        let entity = Entity::Handle {
            file: file.number,
            handle: p.handle,
            incarnation: past.incarnations.saturating_sub(1),
            object: past.object,
            size: past.size,
        };
        // R31: who closes once for each import closes too often, and perhaps somebody else's handle.
        let rule = match (owed, past.owed_before) {
            (1.., _) => RuleId::UnbalancedImport,
            (0, 1..) => RuleId::CloseOfReusedHandle,
            (0, 0) => RuleId::DoubleClose,
        };
        match (rule, taken.and_then(|h| self.state.handles.get_mut(h))) {
            (RuleId::UnbalancedImport, Some(h)) => h.acquired -= 1,
            _ => {
                if let Some(slot) = self.state.files.get_mut(key).map(|f| f.handles.slot(p.handle)) {
                    slot.past.owed -= u32::from(rule == RuleId::UnbalancedImport);
                    slot.past.owed_before -= u32::from(rule == RuleId::CloseOfReusedHandle);
                }
            }
        }
        let life = vec![
            LifeEvent { what: What::HandleClosed, at: past.closed },
            LifeEvent { what: What::CloseRefused, at: frame.at },
        ];
        let case = Case::new(rule, entity, What::CloseRefused, frame.at)
            .against(What::HandleClosed, past.closed)
            .evidence((Vec::new(), life))
            .many(1, past.size)
            .tainted(tainted);
        self.file(case);
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
    pub(crate) fn judge_left(&mut self, file: FileKey, at: Stamp, exiting: bool) {
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
}
