//! What the kernel counts, held against the ledger: `handle_count` and the global name (R2, R3, R15, R16).

use gemscope_common::{Gem, Profile};

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{ObjectKey, Phase as Life};
use crate::finding::{Stamp, What};
use crate::rules::RuleId;

impl Engine {
    /// Under object_name_lock: the field is exact, and every handle whose call has returned is or is not in it.
    pub(crate) fn check_count_at_create(&mut self, key: ObjectKey, count: u32, at: Stamp) {
        self.counts_seen |= count > 0;
        let (least, most) = self.counted(key);
        if self.countable(key) && (count < least || count > most) {
            self.report_count(key, at, false);
        }
    }

    /// Before the lock, but the caller's own count is still in the field.
    pub(crate) fn check_count_at_put(&mut self, key: ObjectKey, count: u32, at: Stamp) {
        if count == 0 {
            // Where the field cannot be read at all, it is always zero.
            if self.counts_seen {
                self.report_count(key, at, true);
            }
            return;
        }
        self.counts_seen = true;
        if self.countable(key) && count < self.long_counted(key, at.ts_ns) + 1 {
            self.report_count(key, at, false);
        }
    }

    /// Handles that were certainly counted when a field was read without the lock: what other threads did between the reading and its
    /// place on the ring must not be held against it.
    fn long_counted(&self, key: ObjectKey, now_ns: u64) -> u32 {
        const SETTLED_NS: u64 = 100_000_000;
        let Some(o) = self.state.objects.get(key) else { return 0 };
        let handles = o.handles.iter().filter_map(|h| self.state.handles.get(*h));
        let open = handles.filter(|h| h.phase == Life::Open && h.created.ts_ns + SETTLED_NS < now_ns);
        open.count() as u32
    }

    /// Were all its handles seen to be made?
    fn countable(&self, key: ObjectKey) -> bool {
        self.counts_seen && self.state.objects.get(key).is_some_and(|o| o.born.is_known())
    }

    /// The least and the most that the count can be. A handle in creation or closing is an interval.
    fn counted(&self, key: ObjectKey) -> (u32, u32) {
        let Some(o) = self.state.objects.get(key) else { return (0, u32::MAX) };
        let handles = || o.handles.iter().filter_map(|h| self.state.handles.get(*h));
        let sure = handles()
            .filter(|h| match h.phase {
                Life::Open => true,
                Life::Closing => !h.putting,
                Life::Creating => false,
            })
            .count() as u32;
        (sure + o.fb_counts, handles().count() as u32 + o.fb_counts + o.in_flight)
    }

    fn report_count(&mut self, key: ObjectKey, at: Stamp, proven: bool) {
        let o = &self.state.objects[key];
        let tainted = self.state.stale(o.sure) || !o.born.is_known();
        let earlier = o.last_close;
        let entity = self.object_entity(key);
        let evidence = self.object_evidence(key);
        let case = Case::new(RuleId::HandleCountMismatch, entity, What::CountRead, at)
            .against(What::HandleClosed, earlier)
            .evidence(evidence)
            .tainted(tainted);
        self.file_once(if proven { case.proven() } else { case });
    }

    /// R16: under object_name_lock, or at the object's death, a name without a handle count is a leak.
    pub(crate) fn check_name(&mut self, key: ObjectKey, p: &Gem, what: What, at: Stamp) {
        // Up to 3.11 the name goes a moment after the last count.
        let late = what == What::NameKept && self.config.profile < Profile::C319c933c;
        if p.name == 0 || p.handle_count != 0 || !self.counts_seen || late {
            return;
        }
        let earlier = self.state.objects[key].last_close;
        let entity = self.object_entity(key);
        let evidence = self.object_evidence(key);
        let case = Case::new(RuleId::FlinkNameLeak, entity, what, at)
            .against(What::HandleClosed, earlier)
            .evidence(evidence)
            .proven();
        self.file_once(case);
    }
}
