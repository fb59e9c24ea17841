//! What is alive now, as plain values with public numbers: for those who show it.
//!
//! Everything comes in an order that does not depend on hashing. Nothing here changes what the engine says.

use crate::engine::Engine;
use crate::entity::{Attachment, Buf, BufKey, File, Framebuffer, Handle, Object, ObjectKey, Phase};
use crate::finding::{Entity, Holder, HolderKind, Stamp};

/// A live DRM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileView {
    /// order of first sight, from 1
    pub id: u32,
    /// minor index; `u32::MAX` when not known
    pub minor: u32,
    /// the kernel's client id, 0 when it has none
    pub client: u64,
    /// who opened it, and when; not known for one older than the trace
    pub opened: Stamp,
    /// live handles
    pub handles: usize,
}

/// A live handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleView {
    /// the file's number
    pub file: u32,
    /// its number in the file; 0 while it is being created
    pub handle: u32,
    /// how many times this number was given out before, from 0
    pub incarnation: u32,
    /// the object's number
    pub object: u32,
    /// the object's bytes
    pub size: u64,
    /// who created it, and when
    pub created: Stamp,
    /// an import made it
    pub by_import: bool,
    /// how often it was given out: its creation, and every import that returned it again
    pub acquired: u32,
    /// the dma-buf that it was exported as or imported from; 0 without one
    pub shared: u32,
    /// the dma-buf of its PRIME cache entry; 0 without one
    pub cached: u32,
    /// it is neither in creation nor closing
    pub open: bool,
}

/// A live GEM object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectView {
    /// order of first sight, from 1
    pub id: u32,
    /// bytes
    pub size: u64,
    /// who made it, and when; not known for one older than the trace
    pub born: Stamp,
    /// live handles
    pub handles: usize,
    /// framebuffer planes that show it
    pub planes: u32,
    /// user mappings made through the DRM file
    pub maps: i32,
    /// it stands for a foreign dma-buf (R26)
    pub is_import: bool,
    /// the dma-buf that it imports; 0 without one
    pub imported: u32,
    /// the dma-buf made from it, while that lives; 0 without one
    pub exported: u32,
    /// the dma-buf that its link points to (R5); 0 without one
    pub link: u32,
    /// records were lost since everything about it was known
    pub stale: bool,
}

/// A live dma-buf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmabufView {
    /// order of first sight, from 1
    pub id: u32,
    /// inode number: its public name
    pub ino: u64,
    /// bytes
    pub size: u64,
    /// who made it, and when; not known for one older than the trace
    pub born: Stamp,
    /// the GEM object that it was made from; 0 without one
    pub exporter: u32,
    /// its last file reference is gone, its destruction waits
    pub released: bool,
    /// references of the kernel's own: links, cache entries, importers
    pub kernel_refs: usize,
    /// records were lost since everything about it was known
    pub stale: bool,
}

/// A live attachment of a device to a dma-buf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentView {
    /// the dma-buf's number
    pub dmabuf: u32,
    /// who attached, and when
    pub at: Stamp,
    /// mappings that were not undone
    pub maps: usize,
    /// pins that were not undone
    pub pins: usize,
}

/// A live framebuffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramebufferView {
    /// `fb->base.id`
    pub id: u32,
    /// who made it, and when
    pub at: Stamp,
    /// let go with CLOSEFB: it may stay on screen
    pub closed: bool,
    /// numbers of the objects of its planes
    pub planes: Vec<u32>,
}

/// A dma-buf that a look at all processes found before the first record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// inode number: its public name
    pub ino: u64,
    /// bytes; 0 when not known
    pub size: u64,
    /// who held it, and has not been seen to let go
    pub holders: Vec<HolderKind>,
    /// it was on the kernel's own list
    pub listed: bool,
}

/// A process as fork, exec and exit records tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// its parent; 0 when not known
    pub parent: u32,
    /// `task->exit_code`, once it has ended
    pub exit_code: Option<u32>,
    /// it is of the scope that was set
    pub in_scope: bool,
}

impl Engine {
    /// Every live DRM file.
    pub fn files(&self) -> impl Iterator<Item = FileView> {
        let view = |f: &File| FileView {
            id: f.number,
            minor: f.minor,
            client: f.client,
            opened: f.opened,
            handles: f.handles.iter().count(),
        };
        self.state.files.values().map(view)
    }

    /// Every live handle.
    pub fn handles(&self) -> impl Iterator<Item = HandleView> {
        self.state.handles.values().map(|h| self.handle_view(h))
    }

    /// Every live object.
    pub fn objects(&self) -> impl Iterator<Item = ObjectView> {
        self.state.objects.values().map(|o| self.object_view(o))
    }

    /// Every live dma-buf.
    pub fn dmabufs(&self) -> impl Iterator<Item = DmabufView> {
        self.state.bufs.values().map(|b| self.dmabuf_view(b))
    }

    /// Every live dma-buf with the fds, mappings and paths by which processes hold it, as far as records tell.
    pub fn dmabufs_held(&self) -> impl Iterator<Item = (DmabufView, Vec<Holder>)> {
        self.state.bufs.values().map(|b| (self.dmabuf_view(b), self.process_holders(b)))
    }

    /// Every live attachment, oldest first.
    #[must_use]
    pub fn attachments(&self) -> Vec<AttachmentView> {
        let view = |a: &Attachment| AttachmentView {
            dmabuf: self.buf_number(Some(a.buf)),
            at: a.at,
            maps: a.maps.len(),
            pins: a.pins.len(),
        };
        let mut all: Vec<_> = self.state.attachments.values().map(view).collect();
        all.sort_unstable_by_key(|a| (a.at.seq, a.dmabuf));
        all
    }

    /// Every live framebuffer, by number.
    #[must_use]
    pub fn framebuffers(&self) -> Vec<FramebufferView> {
        let view = |fb: &Framebuffer| FramebufferView {
            id: fb.id,
            at: fb.at,
            closed: fb.closed,
            planes: fb.planes.iter().map(|o| self.object_number(Some(*o))).collect(),
        };
        let mut all: Vec<_> = self.state.framebuffers.values().map(view).collect();
        all.sort_unstable_by_key(|fb| (fb.id, fb.at.seq));
        all
    }

    /// The live object with this number.
    #[must_use]
    pub fn object(&self, number: u32) -> Option<ObjectView> {
        self.object_numbered(number).and_then(|k| Some(self.object_view(self.state.objects.get(k)?)))
    }

    /// The live dma-buf with this number.
    #[must_use]
    pub fn dmabuf(&self, number: u32) -> Option<DmabufView> {
        self.buf_numbered(number).and_then(|k| Some(self.dmabuf_view(self.state.bufs.get(k)?)))
    }

    /// The live handle that this file, by its address, knows by this number.
    #[must_use]
    pub fn handle_at(&self, file: u64, handle: u32) -> Option<HandleView> {
        let file = self.state.files.get(self.state.find_file(file)?)?;
        Some(self.handle_view(self.state.handles.get(file.handles.live(handle)?)?))
    }

    /// Everything that keeps a live object or dma-buf, oldest first; empty for what is gone.
    #[must_use]
    pub fn holders(&self, entity: Entity) -> Vec<Holder> {
        match entity {
            Entity::Object { id, .. } => self.object_numbered(id).map(|k| self.object_holders(k)),
            Entity::DmaBuf { id, .. } => self.buf_numbered(id).map(|k| self.buf_holders(k)),
            Entity::Handle { object, .. } => self.object_numbered(object).map(|k| self.object_holders(k)),
            Entity::File { .. } | Entity::Framebuffer { .. } => None,
        }
        .unwrap_or_default()
    }

    /// What is known of a process.
    #[must_use]
    pub fn process(&self, tgid: u32) -> Option<ProcessView> {
        self.reach.view(tgid)
    }

    /// The live object at this address.
    #[must_use]
    pub fn object_view_at(&self, addr: u64) -> Option<ObjectView> {
        Some(self.object_view(self.state.objects.get(self.state.find_object(addr)?)?))
    }

    /// The live dma-buf at this address.
    #[must_use]
    pub fn dmabuf_view_at(&self, addr: u64) -> Option<DmabufView> {
        Some(self.dmabuf_view(self.state.bufs.get(self.state.find_buf(addr)?)?))
    }

    /// The dma-buf and the fd that the last record gave to a process, if it did.
    #[must_use]
    pub fn just_granted(&self) -> Option<(DmabufView, i32)> {
        let (_, buf, fd) = self.granted.filter(|(seq, ..)| *seq == self.records())?;
        Some((self.dmabuf_view(self.state.bufs.get(buf)?), fd))
    }

    // Inlined, what a caller does not ask of a view is not looked up.
    #[inline]
    fn handle_view(&self, h: &Handle) -> HandleView {
        let (object, size) = self.state.objects.get(h.object).map_or((0, 0), |o| (o.number, o.size));
        HandleView {
            file: self.state.files.get(h.file).map_or(0, |f| f.number),
            handle: h.id,
            incarnation: h.incarnation,
            object,
            size,
            created: h.created,
            by_import: h.by_import,
            acquired: h.acquired,
            shared: self.buf_number(h.shared),
            cached: self.buf_number(h.cached),
            open: h.phase == Phase::Open,
        }
    }

    #[inline]
    fn object_view(&self, o: &Object) -> ObjectView {
        ObjectView {
            id: o.number,
            size: o.size,
            born: o.born,
            handles: o.handles.len(),
            planes: o.planes,
            maps: o.maps,
            is_import: o.is_import,
            imported: self.buf_number(o.imported),
            exported: self.buf_number(o.exported),
            link: self.buf_number(o.link),
            stale: self.state.stale(o.sure),
        }
    }

    #[inline]
    fn dmabuf_view(&self, b: &Buf) -> DmabufView {
        DmabufView {
            id: b.number,
            ino: b.ino,
            size: if b.size == 0 { self.seen.size(b.ino) } else { b.size },
            born: b.born,
            exporter: self.object_number(b.exporter),
            released: b.released.is_some(),
            kernel_refs: b.holds.len(),
            stale: self.state.stale(b.sure),
        }
    }

    #[inline]
    fn buf_number(&self, key: Option<BufKey>) -> u32 {
        key.and_then(|k| self.state.bufs.get(k)).map_or(0, |b| b.number)
    }

    #[inline]
    fn object_number(&self, key: Option<ObjectKey>) -> u32 {
        key.and_then(|k| self.state.objects.get(k)).map_or(0, |o| o.number)
    }

    fn object_numbered(&self, number: u32) -> Option<ObjectKey> {
        self.state.objects.iter().find(|(_, o)| o.number == number).map(|(k, _)| k)
    }

    fn buf_numbered(&self, number: u32) -> Option<BufKey> {
        self.state.bufs.iter().find(|(_, b)| b.number == number).map(|(k, _)| k)
    }
}
