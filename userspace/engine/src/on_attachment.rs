//! Attachments of devices to dma-bufs, what is mapped and pinned through them, and the lock that must be held.

use gemscope_common::{
    Attachment as Fields, BufAccess, BufExport, Features, Phase, ProbeId, Profile, Record, err_ptr, ops,
    reservation,
};
use smallvec::SmallVec;

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{Attachment, BufKey, Mapped};
use crate::finding::{Stamp, What};
use crate::rules::RuleId;
use crate::thread::Frame;

/// `enum dma_data_direction`: both ways.
const BIDIRECTIONAL: u32 = 0;

impl Engine {
    pub(crate) fn on_attachment(
        &mut self,
        probe: ProbeId,
        phase: Phase,
        record: &Record,
        at: Stamp,
        thread: usize,
    ) {
        let p: &Fields = record.payload();
        match (probe, phase) {
            (ProbeId::Attach, Phase::Entry) => {
                self.check_use(p.dma_buf, What::Attached, at, thread);
                let buf = self.state.buf(p.dma_buf, p.ino);
                self.check_lock(probe, p, buf, at);
                self.push(thread, Frame::new(probe, at));
            }
            (ProbeId::Attach, _) => {
                // Older traces have no record of the entry; where there is one it has the stacks.
                let entered = self.threads.at(thread).innermost(&[probe]).is_some();
                let frame = if entered { self.pop(thread, probe, at) } else { None };
                let began = frame.map_or(at, |f| f.at);
                let at = Stamp { kstack: began.kstack, ustack: began.ustack, ..at };
                self.attached(record, at, thread);
            }
            (ProbeId::Detach, _) => self.detached(p, at, thread),
            (ProbeId::Map, Phase::Entry) => {
                self.check_use(p.dma_buf, What::Mapped, at, thread);
                let mut frame = Frame::new(probe, at);
                let buf = self.state.buf(p.dma_buf, p.ino);
                self.check_lock(probe, p, buf, at);
                frame.buf = Some(buf);
                self.push(thread, frame);
            }
            (ProbeId::Map, _) => {
                self.pop(thread, probe, at);
                self.mapped_by(record, at);
            }
            (ProbeId::Unmap, _) => self.unmapped(p, at),
            (ProbeId::Pin, _) => self.pinned(record, at),
            (ProbeId::Unpin, _) => self.unpinned(p, at),
            _ => {}
        }
    }

    /// vmap, vunmap, notice of a move.
    pub(crate) fn on_access(&mut self, probe: ProbeId, record: &Record, at: Stamp) {
        let p: &BufAccess = record.payload();
        if p.dma_buf == 0 {
            return;
        }
        let buf = self.state.buf(p.dma_buf, p.ino);
        let what = match probe {
            ProbeId::Vmap => What::Vmapped,
            ProbeId::Vunmap => What::Vunmapped,
            _ => What::MoveNoticed,
        };
        let needed = match probe {
            ProbeId::MoveNotify => self.config.profile >= Profile::V5_7,
            _ => self.config.profile >= Profile::V6_2,
        };
        if needed && p.reservation == reservation::NOT_HELD {
            self.report_lock(RuleId::ReservationNotHeld, buf, what, at, Stamp::default());
        }
        match probe {
            ProbeId::Vmap if record.ret_i32() == 0 => self.state.vmaps.entry(buf).or_default().push(at),
            ProbeId::Vunmap => {
                if let Some(vmaps) = self.state.vmaps.get_mut(&buf) {
                    vmaps.pop();
                }
            }
            _ => {}
        }
    }

    /// R42: a device is attached.
    fn attached(&mut self, record: &Record, at: Stamp, thread: usize) {
        let p: &Fields = record.payload();
        let ret = record.header.ret as u64;
        if err_ptr(ret).is_some() || ret == 0 {
            return;
        }
        let buf = self.state.buf(p.dma_buf, p.ino);
        let sure = self.sure(thread);
        let (maps, pins) = (SmallVec::new(), SmallVec::new());
        let in_scope = self.reach.in_scope(at.tgid);
        self.state.attach(ret, Attachment { buf, at, sure, in_scope, maps, pins, orphaned: None });
    }

    /// R48: a device is detached; nothing may be mapped or pinned through it any more.
    fn detached(&mut self, p: &Fields, at: Stamp, thread: usize) {
        self.check_use(p.dma_buf, What::Detached, at, thread);
        let buf = self.state.buf(p.dma_buf, p.ino);
        self.check_lock(ProbeId::Detach, p, buf, at);
        if p.attached_to != 0 && p.attached_to != p.dma_buf {
            let entity = self.buf_entity(buf);
            let evidence = self.buf_evidence(buf);
            let case = Case::new(RuleId::ForeignDetach, entity, What::Detached, at)
                .against(What::Attached, self.attached_at(p.attach))
                .evidence(evidence)
                .proven();
            self.file(case);
            // From 6.2 on the kernel refuses: it stays where it is.
            if self.config.profile >= Profile::V6_2 {
                return;
            }
        }
        let Some(a) = self.state.detach(p.attach) else { return };
        let tainted = self.state.stale(a.sure);
        // The core undoes what it keeps itself (R43).
        if let Some(map) = a.maps.first().filter(|_| p.cached_sgt == 0) {
            let earlier = (What::Mapped, map.at);
            self.report_call(RuleId::MappingLeak, buf, (What::Detached, at), earlier, tainted);
        }
        if let Some(pin) = a.pins.first() {
            self.report_call(RuleId::PinImbalance, buf, (What::Detached, at), (What::Pinned, *pin), tainted);
        }
    }

    fn mapped_by(&mut self, record: &Record, at: Stamp) {
        const EBUSY: i32 = -16;
        let p: &Fields = record.payload();
        let ret = record.header.ret as u64;
        let kept = p.cached_sgt != 0;
        if err_ptr(ret) == Some(EBUSY) && kept {
            let conflict = p.cached_direction != p.direction && p.cached_direction != BIDIRECTIONAL;
            if conflict {
                let buf = self.state.buf(p.dma_buf, p.ino);
                let made = self.attached_at(p.attach);
                let rule = RuleId::MappingDirectionConflict;
                self.report_call(rule, buf, (What::Mapped, at), (What::Attached, made), false);
            }
            return;
        }
        if err_ptr(ret).is_some() || ret == 0 {
            return;
        }
        // The core keeps this one on the attachment until the detach, or gave out what it keeps (R43).
        let will_keep =
            self.config.features.has(Features::CACHED_SGT) && p.ops_bits as u16 & ops::CACHES != 0;
        if kept || will_keep {
            return;
        }
        if let Some(a) = self.state.attachments.get_mut(&p.attach) {
            a.maps.push(Mapped { sgt: ret, direction: p.direction, at });
        }
    }

    /// R47: an unmap undoes one map of the same table, in its direction.
    fn unmapped(&mut self, p: &Fields, at: Stamp) {
        let buf = self.state.buf(p.dma_buf, p.ino);
        self.check_lock(ProbeId::Unmap, p, buf, at);
        if p.cached_sgt != 0 && p.cached_sgt == p.sgt {
            return;
        }
        let epoch = self.state.epoch;
        let Some(a) = self.state.attachments.get_mut(&p.attach) else { return };
        let (taken, tainted) = (a.at, a.sure != epoch);
        let Some(ix) = a.maps.iter().rposition(|m| m.sgt == p.sgt) else {
            let earlier = (What::Attached, taken);
            self.report_call(RuleId::UnbalancedMapping, buf, (What::Unmapped, at), earlier, tainted);
            return;
        };
        // Of several maps of one table the one in this direction is meant.
        let same = a.maps.iter().rposition(|m| m.sgt == p.sgt && m.direction == p.direction);
        let map = a.maps.remove(same.unwrap_or(ix));
        if map.direction != p.direction {
            let rule = RuleId::MappingDirectionConflict;
            self.report_call(rule, buf, (What::Unmapped, at), (What::Mapped, map.at), tainted);
        }
    }

    fn pinned(&mut self, record: &Record, at: Stamp) {
        let p: &Fields = record.payload();
        let buf = self.state.buf(p.dma_buf, p.ino);
        self.check_lock(ProbeId::Pin, p, buf, at);
        if record.ret_i32() == 0
            && let Some(a) = self.state.attachments.get_mut(&p.attach)
        {
            a.pins.push(at);
        }
    }

    fn unpinned(&mut self, p: &Fields, at: Stamp) {
        let buf = self.state.buf(p.dma_buf, p.ino);
        self.check_lock(ProbeId::Unpin, p, buf, at);
        let epoch = self.state.epoch;
        let Some(a) = self.state.attachments.get_mut(&p.attach) else { return };
        if a.pins.pop().is_none() {
            let (taken, tainted) = (a.at, a.sure != epoch);
            let earlier = (What::Attached, taken);
            self.report_call(RuleId::PinImbalance, buf, (What::Unpinned, at), earlier, tainted);
        }
    }

    /// R46: who must hold the reservation lock, and who must not.
    fn check_lock(&mut self, probe: ProbeId, p: &Fields, buf: BufKey, at: Stamp) {
        let profile = self.config.profile;
        let dynamic = p.importer_ops != 0;
        let (what, needed, forbidden) = match probe {
            ProbeId::Attach => (What::Attached, false, profile >= Profile::V5_5),
            ProbeId::Detach => (What::Detached, false, profile >= Profile::V5_5),
            ProbeId::Map => (What::Mapped, self.map_needs_lock(dynamic), false),
            ProbeId::Unmap => (What::Unmapped, self.map_needs_lock(dynamic), false),
            ProbeId::Pin => (What::Pinned, profile >= Profile::V5_7, false),
            _ => (What::Unpinned, profile >= Profile::V5_7, false),
        };
        let rule = match p.reservation {
            reservation::NOT_HELD if needed => RuleId::ReservationNotHeld,
            reservation::HELD if forbidden => RuleId::ReservationHeld,
            _ => return,
        };
        self.report_lock(rule, buf, what, at, self.attached_at(p.attach));
    }

    /// When an attachment was made; unknown for one older than the trace.
    fn attached_at(&self, attach: u64) -> Stamp {
        self.state.attachments.get(&attach).map(|a| a.at).unwrap_or_default()
    }

    fn map_needs_lock(&self, dynamic: bool) -> bool {
        let profile = self.config.profile;
        profile >= Profile::V6_2 || profile >= Profile::V5_5 && dynamic
    }

    /// The lock's owner was read: nothing that was lost can make it wrong.
    fn report_lock(&mut self, rule: RuleId, buf: BufKey, what: What, at: Stamp, taken: Stamp) {
        let evidence = self.buf_evidence(buf);
        let case = Case::new(rule, self.buf_entity(buf), what, at)
            .against(What::Attached, taken)
            .evidence(evidence)
            .proven();
        self.file_once(case);
    }

    fn report_call(
        &mut self,
        rule: RuleId,
        buf: BufKey,
        what: (What, Stamp),
        earlier: (What, Stamp),
        tainted: bool,
    ) {
        let evidence = self.buf_evidence(buf);
        let case = Case::new(rule, self.buf_entity(buf), what.0, what.1)
            .against(earlier.0, earlier.1)
            .evidence(evidence)
            .tainted(tainted);
        self.file_once(case);
    }

    /// R11, L5: the buffer is destroyed, and a device is still attached.
    pub(crate) fn check_attachments_left(&mut self, buf: BufKey, at: Stamp) {
        let left = self.state.attachments_of(buf).min_by_key(|a| a.at.seq);
        let Some((taken, sure)) = left.map(|a| (a.at, a.sure)) else { return };
        let tainted = self.state.stale(sure) || self.state.stale(self.state.bufs[buf].sure);
        self.attachment_left(buf, What::Released, at, taken, tainted);
    }

    /// L5: nobody will undo this attachment any more.
    pub(crate) fn attachment_left(
        &mut self,
        buf: BufKey,
        what: What,
        at: Stamp,
        taken: Stamp,
        tainted: bool,
    ) {
        let case = Case::new(RuleId::AttachmentLeak, self.buf_entity(buf), what, at)
            .against(What::Attached, taken)
            .evidence(self.buf_evidence(buf))
            .tainted(tainted);
        self.file(case);
    }

    /// R49, L7: the kernel's own count of CPU mappings was read at the release.
    pub(crate) fn check_vmaps_left(&mut self, buf: BufKey, count: u32, at: Stamp) {
        if count == 0 {
            return;
        }
        let taken = self.state.vmaps.get(&buf).and_then(|v| v.first()).copied().unwrap_or_default();
        let evidence = self.buf_evidence(buf);
        let case = Case::new(RuleId::VmapLeak, self.buf_entity(buf), What::FileReleased, at)
            .against(What::Vmapped, taken)
            .evidence(evidence)
            .proven();
        self.file(case);
    }

    /// R40: what an exporter gave to `dma_buf_export`.
    pub(crate) fn bad_export_arguments(&self, p: &BufExport) -> bool {
        let bits = p.ops_bits;
        if bits & ops::KNOWN == 0 {
            return false;
        }
        let has = |bit: u16| bits & bit != 0;
        let complete = p.private != 0 && p.ops != 0 && has(ops::MAP) && has(ops::UNMAP) && has(ops::RELEASE);
        let profile = self.config.profile;
        let pins = profile < Profile::V5_7 || has(ops::PIN) == has(ops::UNPIN);
        let caches = !(Profile::V5_7..Profile::V6_16).contains(&profile)
            || !(has(ops::CACHES) && (has(ops::PIN) || has(ops::UNPIN)));
        !(complete && pins && caches)
    }

    pub(crate) fn report_bad_export(&mut self, p: &BufExport, at: Stamp) {
        let entity = match self.state.find_object(p.private) {
            Some(object) => self.object_entity(object),
            None => crate::finding::Entity::DmaBuf { ino: 0, id: 0, size: p.size },
        };
        let case = Case::new(RuleId::BadExportArguments, entity, What::ExportAsked, at).proven();
        self.file_once(case);
    }
}
