//! The entities of the ledger: files, handles, objects, dma-bufs, attachments, framebuffers.
//!
//! An entity is one incarnation: it begins and ends at the events of its life, and a kernel address or a handle
//! number that comes again is another entity. Keys carry generations, so a stale key finds nothing.
//!
//! `sure` is the loss epoch in which everything about the entity was last known; an older one means that records
//! were lost since, and that nothing certain may be said.

use rustc_hash::FxHashMap;
use slotmap::new_key_type;
use smallvec::SmallVec;

use crate::finding::Stamp;

new_key_type! {
    /// A [`File`].
    pub(crate) struct FileKey;
    /// A [`Handle`].
    pub(crate) struct HandleKey;
    /// An [`Object`].
    pub(crate) struct ObjectKey;
    /// A [`Buf`].
    pub(crate) struct BufKey;
}

/// A DRM file.
#[derive(Clone)]
pub(crate) struct File {
    pub addr: u64,
    pub number: u32,
    pub minor: u32,
    pub client: u64,
    /// Unknown for a file older than the trace.
    pub opened: Stamp,
    pub handles: HandleTable,
    /// Handles being created in this file right now.
    pub creating: SmallVec<[HandleKey; 2]>,
    pub sure: u32,
}

/// Where a handle is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Inside `drm_gem_handle_create_tail`; its number may not be known yet.
    Creating,
    Open,
    /// Inside `drm_gem_object_release_handle`.
    Closing,
}

/// A handle.
#[derive(Clone)]
pub(crate) struct Handle {
    pub file: FileKey,
    pub object: ObjectKey,
    pub id: u32,
    pub incarnation: u32,
    pub phase: Phase,
    /// `drm_prime_remove_buf_handle` has returned for it.
    pub cache_removed: bool,
    /// Its release was seen while its creation had not returned yet.
    pub released_early: bool,
    /// Its file may map the object: the creation is past the point where it may be found (R13).
    pub allowed: bool,
    /// Its handle count is being dropped.
    pub putting: bool,
    /// Its handle count was dropped: everything of its close that others could notice is done.
    pub put: bool,
    /// The dma-buf that this handle was exported as, or imported from, whatever the cache knows of it.
    pub shared: Option<BufKey>,
    /// An import made it.
    pub by_import: bool,
    /// How often it was given out: its creation, and every import that returned it again.
    pub acquired: u32,
    pub sure: u32,
    pub created: Stamp,
    /// Made by a process of the scope.
    pub in_scope: bool,
    /// The dma-buf of its PRIME cache entry.
    pub cached: Option<BufKey>,
}

impl Handle {
    /// One whose creation has begun.
    pub const fn new(file: FileKey, object: ObjectKey, created: Stamp, sure: u32) -> Self {
        Self {
            file,
            object,
            id: 0,
            incarnation: 0,
            phase: Phase::Creating,
            cache_removed: false,
            released_early: false,
            allowed: false,
            putting: false,
            put: false,
            shared: None,
            by_import: false,
            acquired: 1,
            sure,
            created,
            in_scope: false,
            cached: None,
        }
    }
}

/// A GEM object.
#[derive(Clone)]
pub(crate) struct Object {
    pub addr: u64,
    pub number: u32,
    pub sure: u32,
    pub size: u64,
    /// Unknown for an object older than the trace.
    pub born: Stamp,
    /// Creates and puts of handle counts that have not returned.
    pub in_flight: u32,
    /// Handle counts held by framebuffers (R3).
    pub fb_counts: u32,
    /// Framebuffer planes that show it.
    pub planes: u32,
    pub maps: i32,
    pub had_handle: bool,
    /// The reference count was seen to reach zero.
    pub ref_zero: bool,
    /// Its bytes are in the tally: user space was given a handle on it, and it is no import.
    pub tallied: bool,
    /// Made by a process of the scope.
    pub in_scope: bool,
    pub link: Option<BufKey>,
    /// The loss epoch in which the link was last known for sure: from birth on, or read under its lock.
    pub link_sure: u32,
    /// The foreign dma-buf that it imports (R7).
    pub imported: Option<BufKey>,
    /// It was made by importing a foreign dma-buf (R26).
    pub is_import: bool,
    /// The dma-buf made from it, while that lives.
    pub exported: Option<BufKey>,
    pub handles: SmallVec<[HandleKey; 1]>,
    /// When its last handle was closed.
    pub last_close: Stamp,
}

/// What holds a dma-buf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldKind {
    Link(ObjectKey),
    Cache(FileKey, u32),
    Importer(ObjectKey),
}

/// One reference of the ledger.
#[derive(Clone, Copy)]
pub(crate) struct Hold {
    pub kind: HoldKind,
    pub at: Stamp,
}

/// An fd that a process was given.
#[derive(Clone, Copy)]
pub(crate) struct Grant {
    pub fd: i32,
    pub at: Stamp,
}

/// A dma-buf.
#[derive(Clone)]
pub(crate) struct Buf {
    pub addr: u64,
    pub ino: u64,
    pub number: u32,
    pub sure: u32,
    pub size: u64,
    /// Unknown for a dma-buf older than the trace.
    pub born: Stamp,
    pub exporter: Option<ObjectKey>,
    /// The last file reference is gone.
    pub released: Option<Stamp>,
    /// The loss epoch in which that was seen.
    pub released_in: u32,
    pub in_scope: bool,
    /// How many of the live attachments are to it.
    pub attached: u32,
    pub holds: SmallVec<[Hold; 2]>,
    pub grants: SmallVec<[Grant; 1]>,
}

/// A device's attachment to a dma-buf.
#[derive(Clone)]
pub(crate) struct Attachment {
    pub buf: BufKey,
    /// Unknown for one older than the trace: what it had mapped and pinned before is not known either.
    pub at: Stamp,
    pub sure: u32,
    /// Made by a process of the scope.
    pub in_scope: bool,
    /// Mappings that the core does not keep by itself.
    pub maps: SmallVec<[Mapped; 1]>,
    pub pins: SmallVec<[Stamp; 1]>,
    /// Its importer object died with it in place.
    pub orphaned: Option<Stamp>,
}

/// A mapping of an attachment.
#[derive(Clone)]
pub(crate) struct Mapped {
    pub sgt: u64,
    pub direction: u32,
    pub at: Stamp,
}

/// A framebuffer.
#[derive(Clone)]
pub(crate) struct Framebuffer {
    pub id: u32,
    pub at: Stamp,
    pub sure: u32,
    pub in_scope: bool,
    /// Let go with CLOSEFB: it may stay on screen.
    pub closed: bool,
    pub planes: SmallVec<[ObjectKey; 4]>,
}

/// The last life of a handle number.
#[derive(Clone, Copy, Default)]
pub(crate) struct Past {
    /// When it was closed; unknown when never.
    pub closed: Stamp,
    /// Record position of its creation.
    pub created: u64,
    /// Record position of the last move away from this number; 0 when none.
    pub moved: u64,
    pub object: u32,
    /// Incarnations begun so far.
    pub incarnations: u32,
    /// How often the last one was given out beyond the one close that ended it.
    pub owed: u32,
    /// What earlier ones owed.
    pub owed_before: u32,
    pub size: u64,
}

/// What a file knows of one handle number.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot {
    pub live: Option<HandleKey>,
    pub past: Past,
}

/// Handle numbers of a file: the kernel gives out the lowest free one, so nearly all lie in a dense vector.
#[derive(Clone, Default)]
pub(crate) struct HandleTable {
    dense: Vec<Slot>,
    sparse: FxHashMap<u32, Slot>,
}

impl HandleTable {
    /// How far past its end the dense part may be extended in one step.
    const STRIDE: usize = 1024;

    pub fn get(&self, id: u32) -> Option<&Slot> {
        match self.dense.get(id as usize) {
            Some(slot) => Some(slot),
            None => self.sparse.get(&id),
        }
    }

    pub fn live(&self, id: u32) -> Option<HandleKey> {
        self.get(id)?.live
    }

    pub fn slot(&mut self, id: u32) -> &mut Slot {
        let ix = id as usize;
        if ix >= self.dense.len() && ix < self.dense.len() + Self::STRIDE && self.sparse.is_empty() {
            self.dense.resize_with(ix + 1, Slot::default);
        }
        match self.dense.get_mut(ix) {
            Some(slot) => slot,
            None => self.sparse.entry(id).or_default(),
        }
    }

    /// Every number that something is known of.
    pub fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let known = |s: &&Slot| s.live.is_some() || s.past.incarnations > 0 || s.past.closed.is_known();
        let dense = self.dense.iter().enumerate().map(|(id, s)| (id as u32, s));
        dense.chain(self.sparse.iter().map(|(id, s)| (*id, s))).filter(move |(_, s)| known(s))
    }

    /// The live handles, by rising number.
    pub fn iter(&self) -> impl Iterator<Item = HandleKey> {
        let mut rest: Vec<_> = self.sparse.iter().filter_map(|(id, s)| Some((*id, s.live?))).collect();
        rest.sort_unstable_by_key(|(id, _)| *id);
        self.dense.iter().filter_map(|s| s.live).chain(rest.into_iter().map(|(_, k)| k))
    }
}
