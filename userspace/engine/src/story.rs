//! Evidence: public names, who holds what, and the story so far, drawn from the ledger.

use crate::engine::Engine;
use crate::entity::{BufKey, FileKey, HandleKey, HoldKind, ObjectKey};
use crate::finding::{Entity, Holder, HolderKind, LifeEvent, Stamp, What};
use crate::rules::RuleId;

impl Engine {
    pub(crate) fn file_entity(&self, key: FileKey) -> Entity {
        match self.state.files.get(key) {
            Some(f) => Entity::File { id: f.number, minor: f.minor, client: f.client },
            None => Entity::File { id: 0, minor: u32::MAX, client: 0 },
        }
    }

    pub(crate) fn object_entity(&self, key: ObjectKey) -> Entity {
        match self.state.objects.get(key) {
            Some(o) => Entity::Object { id: o.number, size: o.size },
            None => Entity::Object { id: 0, size: 0 },
        }
    }

    pub(crate) fn buf_entity(&self, key: BufKey) -> Entity {
        match self.state.bufs.get(key) {
            Some(b) => {
                // Of one older than the trace only a scan can tell.
                let size = if b.size == 0 { self.seen.size(b.ino) } else { b.size };
                Entity::DmaBuf { ino: b.ino, id: b.number, size }
            }
            None => Entity::DmaBuf { ino: 0, id: 0, size: 0 },
        }
    }

    pub(crate) fn handle_entity(&self, key: HandleKey) -> Entity {
        let Some(h) = self.state.handles.get(key) else {
            return Entity::Handle { file: 0, handle: 0, incarnation: 0, object: 0, size: 0 };
        };
        let (object, size) = self.state.objects.get(h.object).map_or((0, 0), |o| (o.number, o.size));
        let file = self.state.files.get(h.file).map_or(0, |f| f.number);
        Entity::Handle { file, handle: h.id, incarnation: h.incarnation, object, size }
    }

    pub(crate) fn link_stamp(&self, buf: BufKey, object: ObjectKey) -> Option<Stamp> {
        let b = self.state.bufs.get(buf)?;
        b.holds.iter().find(|h| h.kind == HoldKind::Link(object)).map(|h| h.at)
    }

    /// Everything that keeps an object, and what keeps its dma-buf in turn.
    pub(crate) fn object_holders(&self, key: ObjectKey) -> Vec<Holder> {
        let Some(o) = self.state.objects.get(key) else { return Vec::new() };
        let mut holders: Vec<Holder> = Vec::new();
        for h in &o.handles {
            if let Some(handle) = self.state.handles.get(*h) {
                holders
                    .push(Holder { kind: HolderKind::Handle(self.handle_entity(*h)), taken: handle.created });
            }
        }
        for fb in self.state.framebuffers.values().filter(|fb| fb.planes.contains(&key)) {
            holders.push(Holder { kind: HolderKind::Framebuffer { id: fb.id }, taken: fb.at });
        }
        if o.maps > 0 {
            holders.push(Holder { kind: HolderKind::Mapping { tgid: 0 }, taken: Stamp::default() });
        }
        holders.sort_by_key(|h| h.taken.seq);
        if let Some(buf) = o.exported
            && let Some(b) = self.state.bufs.get(buf)
        {
            holders.push(Holder { kind: HolderKind::Exported(self.buf_entity(buf)), taken: b.born });
            holders.extend(self.buf_holders(buf));
        }
        holders
    }

    /// Everything that keeps a dma-buf.
    pub(crate) fn buf_holders(&self, key: BufKey) -> Vec<Holder> {
        let Some(b) = self.state.bufs.get(key) else { return Vec::new() };
        let mut holders: Vec<Holder> = Vec::new();
        for hold in &b.holds {
            let kind = match hold.kind {
                HoldKind::Link(o) => HolderKind::Link(self.object_entity(o)),
                HoldKind::Importer(o) => HolderKind::Importer(self.object_entity(o)),
                HoldKind::Cache(f, handle) => {
                    let file = self.state.files.get(f).map_or(0, |f| f.number);
                    HolderKind::Cache { file, handle }
                }
            };
            holders.push(Holder { kind, taken: hold.at });
        }
        holders.extend(self.process_holders(b));
        for a in self.state.attachments_of(key) {
            holders.push(Holder { kind: HolderKind::Attachment, taken: a.at });
        }
        holders.sort_by_key(|h| h.taken.seq);
        holders
    }

    /// What the ledger remembers of an object's life.
    pub(crate) fn object_life(&self, key: ObjectKey) -> Vec<LifeEvent> {
        let Some(o) = self.state.objects.get(key) else { return Vec::new() };
        let mut life = vec![LifeEvent { what: What::Born, at: o.born }];
        for h in o.handles.iter().filter_map(|h| self.state.handles.get(*h)) {
            life.push(LifeEvent { what: What::HandleCreated, at: h.created });
        }
        life.push(LifeEvent { what: What::HandleClosed, at: o.last_close });
        if let Some(buf) = o.exported {
            life.extend(self.buf_life(buf));
        }
        in_order(life)
    }

    /// What the ledger remembers of a dma-buf's life.
    pub(crate) fn buf_life(&self, key: BufKey) -> Vec<LifeEvent> {
        let Some(b) = self.state.bufs.get(key) else { return Vec::new() };
        let mut life = vec![LifeEvent { what: What::Exported, at: b.born }];
        for hold in &b.holds {
            let what = match hold.kind {
                HoldKind::Link(_) => What::Linked,
                HoldKind::Importer(_) => What::Imported,
                HoldKind::Cache(..) => What::Cached,
            };
            life.push(LifeEvent { what, at: hold.at });
        }
        life.extend(b.grants.iter().map(|g| LifeEvent { what: What::FdGiven, at: g.at }));
        if let Some(at) = b.released {
            life.push(LifeEvent { what: What::FileReleased, at });
        }
        in_order(life)
    }

    /// Who holds an object, and its story.
    pub(crate) fn object_evidence(&self, key: ObjectKey) -> (Vec<Holder>, Vec<LifeEvent>) {
        (self.object_holders(key), self.object_life(key))
    }

    /// Who holds a dma-buf, and its story.
    pub(crate) fn buf_evidence(&self, key: BufKey) -> (Vec<Holder>, Vec<LifeEvent>) {
        (self.buf_holders(key), self.buf_life(key))
    }

    /// The PRIME cache entries of a file that the ledger knows.
    pub(crate) fn cache_entries(&self, file: FileKey) -> Vec<Holder> {
        let number = self.state.files.get(file).map_or(0, |f| f.number);
        let holds = self.state.bufs.values().flat_map(|b| b.holds.iter());
        let mut entries: Vec<Holder> = holds
            .filter_map(|h| match h.kind {
                HoldKind::Cache(f, handle) if f == file => {
                    Some(Holder { kind: HolderKind::Cache { file: number, handle }, taken: h.at })
                }
                _ => None,
            })
            .collect();
        entries.sort_by_key(|h| h.taken.seq);
        entries
    }

    /// Adds one more fd to a leak of the same stack that was just reported.
    pub(crate) fn merge_fd_leak(&mut self, taken: &Stamp, tgid: u32, bytes: u64) -> bool {
        let Some(last) = self.last_finding() else { return false };
        let same_stack = |a: &Stamp| (a.tgid, a.ustack, a.kstack) == (taken.tgid, taken.ustack, taken.kstack);
        let matches = last.rule == RuleId::FdLeak
            && last.event.at.tgid == tgid
            && last.conflict.map_or(!taken.is_known(), |c| same_stack(&c.at));
        if matches {
            last.count += 1;
            last.bytes += bytes;
        }
        matches
    }
}

fn in_order(mut life: Vec<LifeEvent>) -> Vec<LifeEvent> {
    life.retain(|e| e.at.is_known());
    life.sort_by_key(|e| e.at.seq);
    life.dedup();
    life
}

/// Public names of what a record's addresses mean now.
impl Engine {
    /// The live DRM file at this address.
    #[must_use]
    pub fn file_at(&self, addr: u64) -> Option<Entity> {
        self.state.find_file(addr).map(|k| self.file_entity(k))
    }

    /// The live object at this address.
    #[must_use]
    pub fn object_at(&self, addr: u64) -> Option<Entity> {
        self.state.find_object(addr).map(|k| self.object_entity(k))
    }

    /// The live dma-buf at this address.
    #[must_use]
    pub fn dmabuf_at(&self, addr: u64) -> Option<Entity> {
        self.state.find_buf(addr).map(|k| self.buf_entity(k))
    }
}
