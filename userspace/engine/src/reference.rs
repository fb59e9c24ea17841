//! What is held and by whose doing, one by one: for those who judge how it grows.

use crate::engine::Engine;
use crate::finding::Stamp;

/// What kind of thing is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeldKind {
    /// A GEM handle.
    Handle,
    /// A dma-buf that only fds and mappings of processes keep: no handle, no importer and no attachment.
    Dmabuf,
    /// A device attachment of an importer that has no handle any more, or never had one.
    Attachment,
    /// A framebuffer.
    Framebuffer,
    /// A GEM object without a handle, a framebuffer or a dma-buf.
    Object,
}

/// One thing that somebody took and that is not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// what it is
    pub kind: HeldKind,
    /// who took it, and when: together with the kind, this names it for as long as it lives
    pub taken: Stamp,
    /// bytes behind it; 0 when not known
    pub bytes: u64,
    /// a process of the scope took it
    pub in_scope: bool,
}

impl Engine {
    /// Everything that was taken since the first record and is not given back, each at the one place that it is to be blamed on: what
    /// something else of this list keeps alive is not told itself. In no order.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        let s = &self.state;
        let size = |o| s.objects.get(o).map_or(0, |o| o.size);
        let handles = s.handles.values().map(move |h| Reference {
            kind: HeldKind::Handle,
            taken: h.created,
            bytes: size(h.object),
            in_scope: h.in_scope,
        });
        let alone =
            s.bufs.iter().filter(|(_, b)| b.holds.is_empty() && b.attached == 0 && b.released.is_none());
        let bufs = alone.map(|(_, b)| Reference {
            kind: HeldKind::Dmabuf,
            taken: b.born,
            bytes: b.size,
            in_scope: b.in_scope,
        });
        let own = s.attachments.values().filter(|a| {
            let importer = s.bufs.get(a.buf).is_some_and(|b| !b.holds.is_empty());
            a.orphaned.is_some() || !importer
        });
        let attachments = own.map(|a| Reference {
            kind: HeldKind::Attachment,
            taken: a.at,
            bytes: s.bufs.get(a.buf).map_or(0, |b| b.size),
            in_scope: a.in_scope,
        });
        let framebuffers = s.framebuffers.values().filter(|fb| !fb.closed).map(move |fb| Reference {
            kind: HeldKind::Framebuffer,
            taken: fb.at,
            bytes: fb.planes.first().map_or(0, |o| size(*o)),
            in_scope: fb.in_scope,
        });
        let bare = s.objects.values().filter(|o| {
            o.had_handle && o.handles.is_empty() && o.planes == 0 && o.exported.is_none() && o.link.is_none()
        });
        let objects = bare.map(|o| Reference {
            kind: HeldKind::Object,
            taken: o.born,
            bytes: o.size,
            in_scope: o.in_scope,
        });
        let all = handles.chain(bufs).chain(attachments).chain(framebuffers).chain(objects);
        all.filter(|r| r.taken.is_known())
    }
}
