//! Settle points: what should have ended by now and has not.
//!
//! Leaks of kernel references are judged only here (C.6): everything that can end has had its time.

use gemscope_common::{Profile, Settle};
use rustc_hash::FxHashSet;

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{Attachment, BufKey, Framebuffer, HoldKind, ObjectKey};
use crate::finding::{Doubt, Entity, Holder, HolderKind, Stamp, What};
use crate::rules::RuleId;
use crate::seen::Scan;

impl Engine {
    /// Entities of the scope that can still end by themselves: while there are any, a settle point is worth waiting for.
    #[must_use]
    pub fn pending(&self) -> usize {
        let shared = self.shared_objects();
        let objects = self.state.objects.keys().filter(|k| self.object_overdue(*k, &shared)).count();
        let bufs = self.state.bufs.keys().filter(|k| self.buf_overdue(*k)).count();
        objects + bufs + self.orphans().count() + self.framebuffers_overdue().count()
    }

    /// Objects of which a dma-buf lives. An object may have several (B5): any of them keeps it.
    fn shared_objects(&self) -> FxHashSet<ObjectKey> {
        self.state.bufs.values().filter_map(|b| b.exporter).collect()
    }

    /// C.6 L3: nothing that can be named holds it.
    fn object_overdue(&self, key: ObjectKey, shared: &FxHashSet<ObjectKey>) -> bool {
        let o = &self.state.objects[key];
        let handles = o.handles.iter().any(|h| self.state.handles.contains_key(*h));
        o.in_scope
            && !self.reach.goes_on(o.born.tgid)
            && o.born.is_known()
            && o.had_handle
            && o.fb_counts == 0
            && !handles
            && !o.ref_zero
            && o.planes == 0
            && o.maps <= 0
            && !shared.contains(&key)
    }

    /// C.6 L4: nothing of the ledger holds it; an fd still may.
    fn buf_overdue(&self, key: BufKey) -> bool {
        let b = &self.state.bufs[key];
        b.in_scope
            && !self.reach.goes_on(b.born.tgid)
            && b.born.is_known()
            && b.released.is_none()
            && !b.holds.iter().any(|h| self.hold_stands(h.kind))
    }

    fn hold_stands(&self, kind: HoldKind) -> bool {
        match kind {
            HoldKind::Importer(o) => self.state.objects.contains_key(o),
            // What has no reference holds nothing (R5, R6).
            HoldKind::Link(o) => {
                self.config.profile >= Profile::C319c933c && self.state.objects.contains_key(o)
            }
            HoldKind::Cache(f, _) => {
                self.config.profile >= Profile::V3_10 && self.state.files.contains_key(f)
            }
        }
    }

    pub(crate) fn settle(&mut self, p: &Settle, at: Stamp) {
        if p.alive > 0 && p.cut == 0 {
            self.doubt(Doubt::StillRunning(p.alive));
        }
        self.seen.scanned(p);
        let shared = self.shared_objects();
        let overdue = |k: &ObjectKey| self.object_overdue(*k, &shared);
        let mut objects: Vec<_> = self.state.objects.keys().filter(overdue).collect();
        objects.sort_unstable_by_key(|k| self.state.objects[*k].number);
        for key in objects {
            self.object_leaked(key, at);
        }
        let mut bufs: Vec<_> = self.state.bufs.keys().filter(|k| self.buf_overdue(*k)).collect();
        bufs.sort_unstable_by_key(|k| self.state.bufs[*k].number);
        for key in bufs {
            self.buf_leaked(key, p, at);
        }
        self.orphans_left(at);
        self.framebuffers_left(at);
        self.notes.deferred = self
            .state
            .bufs
            .values()
            .filter(|b| b.in_scope && b.born.is_known() && b.released.is_some())
            .count() as u64;
        self.note_held();
        self.add_seen_to_findings();
        self.seen.forget_scan();
    }

    fn object_leaked(&mut self, key: ObjectKey, at: Stamp) {
        let o = &self.state.objects[key];
        let tainted = self.state.stale(o.sure) || o.in_flight > 0;
        let earlier = o.last_close;
        let entity = self.object_entity(key);
        let evidence = self.object_evidence(key);
        let case = Case::new(RuleId::ObjectLeak, entity, What::Settled, at)
            .against(What::HandleClosed, earlier)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    fn buf_leaked(&mut self, key: BufKey, p: &Settle, at: Stamp) {
        let b = &self.state.bufs[key];
        if self.seen.holds_file(b.ino) || self.seen.is_gone(b.ino) {
            return;
        }
        // Without a complete scan an fd that nobody saw may hold it.
        let complete = Scan::of(p) == Scan::Complete;
        let tainted = self.state.stale(b.sure) || !complete;
        if !complete {
            self.doubt(Doubt::Unreadable(p.unreadable));
        }
        // Whoever attached a device has the reference too: it is the attachment that was forgotten.
        let attached = self.state.attachments.values_mut().filter(|a| a.buf == key).min_by_key(|a| a.at.seq);
        let (rule, earlier) = match attached {
            Some(a) => {
                a.orphaned = None;
                (RuleId::AttachmentLeak, (What::Attached, a.at))
            }
            None => (RuleId::DmabufLeak, (What::Exported, self.state.bufs[key].born)),
        };
        let entity = self.buf_entity(key);
        let evidence = self.buf_evidence(key);
        let case = Case::new(rule, entity, What::Settled, at)
            .against(earlier.0, earlier.1)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }

    /// L5: attachments whose importer object is gone, or whose buffer lives only as a directory entry.
    fn orphans(&self) -> impl Iterator<Item = &Attachment> {
        self.state.attachments.values().filter(|a| {
            let buf = self.state.bufs.get(a.buf);
            buf.is_some_and(|b| b.in_scope && (a.orphaned.is_some() || b.released.is_some()))
        })
    }

    fn orphans_left(&mut self, at: Stamp) {
        let mut orphans: Vec<_> = self.orphans().map(|a| (a.at, a.buf, a.sure)).collect();
        orphans.sort_unstable_by_key(|(taken, ..)| taken.seq);
        orphans.dedup_by_key(|(_, buf, _)| *buf);
        for (taken, buf, sure) in orphans {
            self.attachment_left(buf, What::Settled, at, taken, self.state.stale(sure));
        }
    }

    /// L11: framebuffers of processes that have exited and closed every DRM file.
    fn framebuffers_overdue(&self) -> impl Iterator<Item = &Framebuffer> {
        let files: Vec<u32> = self.state.files.values().map(|f| f.opened.tgid).collect();
        let gone = move |tgid: u32| self.reach.killed(tgid).is_some() && !files.contains(&tgid);
        self.state.framebuffers.values().filter(move |fb| fb.in_scope && !fb.closed && gone(fb.at.tgid))
    }

    fn framebuffers_left(&mut self, at: Stamp) {
        let left = self.framebuffers_overdue().map(|fb| (fb.at, fb.id, fb.planes.first().copied(), fb.sure));
        let mut left: Vec<_> = left.collect();
        left.sort_unstable_by_key(|(made, ..)| made.seq);
        for (made, id, plane, sure) in left {
            let evidence = plane.map(|o| self.object_evidence(o)).unwrap_or_default();
            let case = Case::new(RuleId::FramebufferLeak, Entity::Framebuffer { id }, What::Settled, at)
                .against(What::FramebufferMade, made)
                .evidence(evidence)
                .tainted(self.state.stale(sure));
            self.file(case);
        }
    }

    /// R15: the last handle count is gone and the link is not.
    pub(crate) fn check_link_left(&mut self, key: ObjectKey, at: Stamp) {
        let o = &self.state.objects[key];
        if self.config.profile < Profile::V3_12 {
            return;
        }
        let Some(buf) = o.link else { return };
        let tainted = self.state.stale(o.sure) || !o.born.is_known();
        let linked = self.link_stamp(buf, key).unwrap_or_default();
        let entity = self.object_entity(key);
        let mut holders = self.object_holders(key);
        holders.push(Holder { kind: HolderKind::Link(self.buf_entity(buf)), taken: linked });
        let life = self.object_life(key);
        let case = Case::new(RuleId::StaleLink, entity, What::HandleClosed, at)
            .against(What::Linked, linked)
            .evidence((holders, life))
            .tainted(tainted);
        self.file(case);
        self.state.unlink(key);
    }

    /// End of the input.
    pub fn finish(&mut self) {
        let stale = |tid: u32, engine: &Self| engine.reach.killed(tid).is_some();
        let open = self.threads.open().filter(|(_, f)| stale(f.at.tgid, self)).count();
        if open > 0 {
            self.doubt(Doubt::OpenCalls(open as u32));
        }
    }
}
