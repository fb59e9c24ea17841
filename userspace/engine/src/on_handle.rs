//! DRM files and handles: open, create, close, move.

use gemscope_common::{ChangeHandle, DrmFile, Flags, Gem, Phase, ProbeId, Record};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{FileKey, Handle, HandleKey, HoldKind, Past, Phase as Life};
use crate::finding::{Stamp, What};
use crate::near::{Call, Doing};
use crate::rules::RuleId;
use crate::thread::Frame;

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
            (ProbeId::HandleCreate, Phase::Entry) => self.create_begins(record, at, thread),
            (ProbeId::HandleCreate, _) => self.create_ends(record, at, thread),
            (ProbeId::HandleRelease, Phase::Entry) => self.release_begins(record, at, thread),
            (ProbeId::HandleRelease, _) => self.release_ends(record.payload(), at, thread),
            (ProbeId::HandleDelete, Phase::Entry) => {
                let p: &Gem = record.payload();
                let mut frame = Frame::new(probe, at);
                frame.file = Some(self.state.file(p.file));
                frame.id = p.handle;
                // By MODE_DESTROY_DUMB: whether that is wrong depends on the handle.
                frame.broken = self.threads.at(thread).destroying.take() == Some((p.file, p.handle));
                self.push(thread, frame);
            }
            (ProbeId::DestroyDumb, _) => {
                let p: &Gem = record.payload();
                self.threads.at(thread).destroying = Some((p.file, p.handle));
            }
            (ProbeId::GemClose, _) => self.threads.at(thread).destroying = None,
            (ProbeId::VmaAllow, _) => {
                self.allows_seen = true;
                let creating = self.threads.at(thread).innermost(&[ProbeId::HandleCreate]);
                if let Some(h) = creating.and_then(|f| f.handle).and_then(|h| self.state.handles.get_mut(h)) {
                    h.allowed = true;
                }
            }
            (ProbeId::HandleDelete, _) => self.delete_ends(record, at, thread),
            (ProbeId::HandlePut, Phase::Entry) => self.put_begins(record, at, thread),
            (ProbeId::HandlePut, _) => self.put_ends(at, thread),
            (ProbeId::HandleGetIfExists, Phase::Entry) => {
                let key = self.state.object(record.payload());
                self.state.objects[key].in_flight += 1;
                let mut frame = Frame::new(probe, at);
                frame.object = Some(key);
                self.push(thread, frame);
            }
            (ProbeId::HandleGetIfExists, _) => {
                let frame = self.pop(thread, probe, at);
                let key = frame.and_then(|f| f.object).unwrap_or_else(|| self.state.object(record.payload()));
                if let Some(o) = self.state.objects.get_mut(key) {
                    o.in_flight = o.in_flight.saturating_sub(u32::from(frame.is_some()));
                    o.fb_counts += u32::from(record.header.ret & 0xff != 0);
                }
            }
            (ProbeId::ChangeHandle, Phase::Entry) => self.move_begins(record.payload(), at, thread),
            (ProbeId::ChangeHandle, _) => {
                self.pop(thread, probe, at);
                let call = self.calls.end(at.tid, Doing::Change);
                if record.ret_i32() == 0 {
                    self.moved(record.payload(), call, at);
                }
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
    fn create_begins(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let file = self.state.file(p.file);
        let object = self.state.object(p);
        let sure = self.sure(thread);
        if record.header.flags & Flags::READ_FAULT == 0 {
            self.link_seen(object, p.dma_buf, at);
            self.check_count_at_create(object, p.handle_count, at);
            self.check_name(object, p, What::NameKept, at);
        }
        let in_scope = self.reach.in_scope(at.tgid);
        let handle = self.state.insert_handle(Handle { in_scope, ..Handle::new(file, object, at, sure) });
        let o = &mut self.state.objects[object];
        o.in_flight += 1;
        o.is_import |= p.import_attach != 0;
        o.handles.push(handle);
        self.state.given(object);
        self.state.files[file].creating.push(handle);
        let mut frame = Frame::new(ProbeId::HandleCreate, at);
        (frame.file, frame.object, frame.handle) = (Some(file), Some(object), Some(handle));
        if let Some(buf) = self.imported_here(object, p, at, thread) {
            frame.buf = Some(buf);
            self.state.handles[handle].by_import = true;
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
                let unknown = Handle { id: p.handle, allowed: true, ..Handle::new(file, object, at, 0) };
                let key = self.state.insert_handle(unknown);
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
        // An older incarnation whose close was lost ends here.
        match old.and_then(|old| Some((old, self.state.handles.get(old)?.phase))) {
            // R14, B10: its close is not done, and its number was given out again.
            Some((old, Life::Closing)) if !self.state.handles[old].put => {
                self.report_two_handles(RuleId::HandleReuseDuringClose, old, key, at);
            }
            Some((old, Life::Open)) if self.being_deleted(file, p.handle, at.tid) => {
                self.report_two_handles(RuleId::HandleReuseDuringClose, old, key, at);
                // The close in flight is the old one's, also when both are of one object.
                if let Some(frame) = self.threads.find_other(at.tid, |f| f.deletes(file, p.handle)) {
                    frame.handle = Some(old);
                }
            }
            Some((old, Life::Open)) => self.end_handle(old, at),
            _ => {}
        }
        if let Some(first) = frame.filter(|f| f.broken).and_then(|f| self.first_handle(file, f.buf)) {
            self.report_two_handles(RuleId::SecondHandleOnImport, first, key, at);
        }
    }

    /// Is another thread in `drm_gem_handle_delete` of this number?
    pub(crate) fn being_deleted(&self, file: FileKey, id: u32, tid: u32) -> bool {
        self.threads.open().any(|(other, f)| other != tid && f.deletes(file, id))
    }

    /// A handle is gone: out of its file's table and its object's list.
    pub(crate) fn end_handle(&mut self, key: HandleKey, at: Stamp) {
        let Some(h) = self.state.remove_handle(key) else { return };
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
            let owed_before = slot.past.owed_before + slot.past.owed;
            let (owed, incarnations) = (h.acquired.saturating_sub(1), h.incarnation + 1);
            let moved = slot.past.moved;
            slot.past = Past {
                closed: at,
                created: h.created.seq,
                moved,
                object,
                incarnations,
                owed,
                owed_before,
                size,
            };
        }
    }

    /// R15: a handle count is dropped; at zero the link goes.
    fn put_begins(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Gem = record.payload();
        let object = self.state.object(p);
        let t = self.threads.at(thread);
        let of_handle = t.inside(ProbeId::HandleRelease) || t.inside(ProbeId::HandleCreate);
        let own = t.innermost(&[ProbeId::HandleRelease]).and_then(|f| f.handle);
        if let Some(h) = own.and_then(|h| self.state.handles.get_mut(h)) {
            h.putting = true;
        }
        let o = &mut self.state.objects[object];
        o.in_flight += 1;
        if !of_handle {
            o.fb_counts = o.fb_counts.saturating_sub(1);
        }
        if record.header.flags & Flags::READ_FAULT == 0 {
            self.check_count_at_put(object, p.handle_count, at);
        }
        let mut frame = Frame::new(ProbeId::HandlePut, at);
        // The count at entry: above one, somebody else's is left.
        (frame.object, frame.id) = (Some(object), p.handle_count);
        self.push(thread, frame);
    }

    fn put_ends(&mut self, at: Stamp, thread: usize) {
        let Some(frame) = self.pop(thread, ProbeId::HandlePut, at) else { return };
        let (Some(object), count) = (frame.object, frame.id) else { return };
        let release = self.threads.at(thread).innermost(&[ProbeId::HandleRelease]).and_then(|f| f.handle);
        if let Some(h) = release.and_then(|h| self.state.handles.get_mut(h)) {
            h.put = true;
        }
        let Some(o) = self.state.objects.get_mut(object) else { return };
        o.in_flight = o.in_flight.saturating_sub(1);
        // Another handle, even one that is closing, may still have its own count.
        let last = o.handles.iter().all(|h| Some(*h) == release) && o.fb_counts == 0 && count <= 1;
        if last && o.in_flight == 0 && o.link.is_some() {
            self.check_link_left(object, at);
        }
    }

    /// R27: a handle is on its way to another number.
    fn move_begins(&mut self, p: &ChangeHandle, at: Stamp, thread: usize) {
        let file = self.state.file(p.file);
        let handle = self.state.files[file].handles.live(p.handle);
        let object = handle.and_then(|h| self.state.handles.get(h)).map(|h| h.object);
        let (doing, id, to) = (Doing::Change, p.handle, p.new_handle);
        self.calls.begin(Call { doing, file, id, to, object, handle, buf: None, closed: None, at });
        self.push(thread, Frame::new(ProbeId::ChangeHandle, at));
    }

    /// R27: a handle has another number now.
    fn moved(&mut self, p: &ChangeHandle, call: Option<Call>, at: Stamp) {
        let file = self.state.file(p.file);
        if let Some((id, closed)) = call.and_then(|c| c.closed) {
            // Under its new number it was closed after the move. Under the old one, one of the two should have been refused.
            if id == p.handle
                && let Some(object) = call.and_then(|c| c.object)
            {
                self.report_counted_twice(file, object, p.new_handle, at, closed);
            }
            if id != p.handle
                && let Some(key) = self.state.files[file].handles.live(p.handle)
            {
                self.renumber(key, p.new_handle, at);
            }
            return;
        }
        let Some(key) = self.state.files[file].handles.live(p.handle) else { return };
        self.renumber(key, p.new_handle, at);
        let Some(h) = self.state.handles.get_mut(key) else { return };
        // Its cache entry is keyed anew: one was made for the new number, and the old one's removal is no close.
        h.cache_removed = false;
        match call.and_then(|c| c.buf) {
            Some(buf) => h.cached = Some(buf),
            None => {
                let (cached, at) = (h.cached, h.created);
                if let Some(buf) = cached {
                    self.state.drop_hold(buf, HoldKind::Cache(file, p.handle));
                    self.state.hold(buf, HoldKind::Cache(file, p.new_handle), at);
                }
            }
        }
    }

    /// A handle has another number from here on.
    pub(crate) fn renumber(&mut self, key: HandleKey, to: u32, at: Stamp) {
        let Some(h) = self.state.handles.get_mut(key) else { return };
        let Some(f) = self.state.files.get_mut(h.file) else { return };
        let old = f.handles.slot(h.id);
        if old.live == Some(key) {
            old.live = None;
        }
        old.past.moved = at.seq;
        let new = f.handles.slot(to);
        new.live = Some(key);
        (h.id, h.incarnation) = (to, new.past.incarnations);
        new.past.incarnations += 1;
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
