//! Objects: birth, death, mappings, framebuffers.

use gemscope_common::{Framebuffer, Gem, Mapping, Phase, ProbeId, Record};
use smallvec::SmallVec;

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{self, ObjectKey, Phase as Life};
use crate::finding::{Stamp, What};
use crate::rules::RuleId;
use crate::thread::Frame;

impl Engine {
    pub(crate) fn on_object(
        &mut self,
        probe: ProbeId,
        phase: Phase,
        record: &Record,
        at: Stamp,
        thread: usize,
    ) {
        match (probe, phase) {
            (ProbeId::ObjectInit, _) => {
                let p: &Gem = record.payload();
                let in_scope = self.reach.in_scope(at.tgid);
                let sure = self.sure(thread);
                let key = self.state.birth(p, at, in_scope);
                let o = &mut self.state.objects[key];
                (o.sure, o.link_sure) = (sure, sure);
            }
            (ProbeId::ObjectFree | ProbeId::ObjectDriverFree, _) => {
                let Some(key) = self.state.find_object(record.payload::<Gem>().obj) else { return };
                if !self.state.objects[key].ref_zero {
                    self.check_dangling(key, What::RefZero, at);
                }
                if let Some(o) = self.state.objects.get_mut(key) {
                    o.ref_zero = true;
                }
            }
            (ProbeId::ObjectRelease, _) => self.object_dies(record.payload(), at),
            (ProbeId::GemMmap, _) if record.ret_i32() == 0 => self.mapped(record.payload::<Mapping>().obj, 1),
            (ProbeId::GemVmOpen, _) => self.mapped(record.payload::<Mapping>().obj, 1),
            (ProbeId::GemVmClose, _) => self.mapped(record.payload::<Mapping>().obj, -1),
            (ProbeId::FbInit, Phase::Entry) => self.push(thread, Frame::new(probe, at)),
            (ProbeId::FbInit, Phase::Return) => {
                let began = self.pop(thread, probe, at).map(|f| f.at);
                if record.ret_i32() == 0 {
                    self.framebuffer(record.payload(), began.unwrap_or(at));
                }
            }
            (ProbeId::FbCleanup, Phase::Entry) => {
                self.push(thread, Frame::new(probe, at));
                let fb = record.payload::<Framebuffer>().fb;
                for key in self.state.remove_framebuffer(fb).into_iter().flat_map(|fb| fb.planes) {
                    if let Some(o) = self.state.objects.get_mut(key) {
                        o.planes = o.planes.saturating_sub(1);
                    }
                }
            }
            (ProbeId::FbCleanup, _) => {
                self.pop(thread, probe, at);
            }
            (ProbeId::FbClose, _) if record.ret_i32() == 0 => {
                let id = record.payload::<Framebuffer>().id;
                for fb in self.state.framebuffers.values_mut().filter(|fb| fb.id == id) {
                    fb.closed = true;
                }
            }
            (ProbeId::DriverAccess, _) if record.ret_i32() == 0 => self.accessed(record.payload(), at),
            _ => {}
        }
    }

    fn mapped(&mut self, addr: u64, by: i32) {
        if let Some(o) = self.state.find_object(addr).and_then(|k| self.state.objects.get_mut(k)) {
            o.maps += by;
        }
    }

    fn framebuffer(&mut self, p: &Framebuffer, at: Stamp) {
        let mut planes = SmallVec::new();
        for addr in p.obj {
            if addr != 0
                && let Some(key) = self.state.find_object(addr)
            {
                self.state.objects[key].planes += 1;
                planes.push(key);
            }
        }
        let in_scope = self.reach.in_scope(at.tgid);
        let fb =
            entity::Framebuffer { id: p.id, at, sure: self.state.epoch, in_scope, closed: false, planes };
        self.state.insert_framebuffer(p.fb, fb);
    }

    /// R60: a driver read, wrote or mapped an object's memory by its handle.
    fn accessed(&mut self, p: &Gem, at: Stamp) {
        let Some(file) = self.state.find_file(p.file) else { return };
        let Some(key) = self.state.files[file].handles.live(p.handle) else { return };
        let Some(h) = self.state.handles.get(key) else { return };
        let (object, created, sure) = (h.object, h.created, h.sure);
        if !self.state.objects.get(object).is_some_and(|o| o.is_import) || !self.reach.in_scope(at.tgid) {
            return;
        }
        let entity = self.handle_entity(key);
        let evidence = self.object_evidence(object);
        let case = Case::new(RuleId::CpuAccessOfImport, entity, What::CpuAccess, at)
            .against(What::HandleCreated, created)
            .evidence(evidence)
            .tainted(self.state.stale(sure));
        self.file_once(case);
    }

    /// `drm_gem_object_release`: the object's memory goes. Its link must be gone before (R25).
    fn object_dies(&mut self, p: &Gem, at: Stamp) {
        let Some(key) = self.state.find_object(p.obj) else { return };
        if !self.state.objects[key].ref_zero {
            self.check_dangling(key, What::Died, at);
        }
        let o = &self.state.objects[key];
        if p.dma_buf != 0 {
            let linked = o.link.and_then(|b| self.link_stamp(b, key)).unwrap_or_default();
            // The field itself was read: no loss can make this wrong.
            let evidence = self.object_evidence(key);
            let entity = self.object_entity(key);
            let case = Case::new(RuleId::StaleLink, entity, What::Died, at)
                .against(What::Linked, linked)
                .evidence(evidence)
                .proven();
            self.file(case);
        }
        self.check_name(key, p, What::Died, at);
        // A driver may let go of its attachment a moment later, from a worker: judged when the buffer ends, or at a settle point.
        if p.import_attach != 0
            && let Some(a) = self.state.attachments.get_mut(&p.import_attach)
        {
            a.orphaned = Some(at);
        }
        self.state.unlink(key);
        self.state.end_object(key);
    }

    /// R2, R15: an object lives at least as long as its last handle.
    fn check_dangling(&mut self, key: ObjectKey, what: What, at: Stamp) {
        let o = &self.state.objects[key];
        // A handle in creation or closing is an interval: some point of it may lie on the right side.
        let open =
            o.handles.iter().find(|h| self.state.handles.get(**h).is_some_and(|h| h.phase == Life::Open));
        let Some(open) = open.copied() else { return };
        let handle = &self.state.handles[open];
        let tainted = self.state.stale(handle.sure) || self.state.stale(o.sure);
        let earlier = handle.created;
        let entity = self.handle_entity(open);
        let evidence = self.object_evidence(key);
        let case = Case::new(RuleId::DanglingHandle, entity, what, at)
            .against(What::HandleCreated, earlier)
            .evidence(evidence)
            .tainted(tainted);
        self.file(case);
    }
}
