//! The kernel's state as data: what exists, who points at what, who holds which lock.
//!
//! Things lie in slots, and a slot stands for an address: what is freed leaves its slot to what is made next, as
//! a slab does. A [`Ptr`] remembers for which incarnation it was taken; the kernel itself only compares addresses, the
//! truth looks at the rest.
//!
//! Everything here is small and plain: a state is copied for every step that is explored.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::list::List;
use crate::truth::Fact;

/// A kernel pointer: an address, and the incarnation it was taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Ptr {
    /// 1 and up; 0 is NULL.
    pub slot: u16,
    /// Of the thing that lay there.
    pub gen_: u16,
}

impl Ptr {
    /// No pointer.
    pub const NULL: Self = Self { slot: 0, gen_: 0 };

    /// Is it NULL?
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.slot == 0
    }

    /// What the kernel compares.
    #[must_use]
    pub const fn same_address(self, other: Self) -> bool {
        self.slot == other.slot
    }
}

/// What lies in a slot.
pub trait Slot {
    fn used(&self) -> bool;
    fn gen_(&self) -> u16;
}

/// A GEM object.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Obj {
    pub gen_: u16,
    /// The how-manieth object of all: its public name.
    pub serial: u16,
    pub kref: i16,
    /// `handle_count`
    pub count: i16,
    /// `obj->dma_buf`
    pub link: Ptr,
    /// `obj->import_attach`
    pub import: Ptr,
    /// The global name; 0 is none.
    pub name: u16,
    pub dev: u8,
    pub alive: u8,
}

/// Where a dma-buf is in its life.
pub mod buf_state {
    pub const FREE: u8 = 0;
    pub const LIVE: u8 = 1;
    /// Its last file reference is gone, its release has not begun.
    pub const DYING: u8 = 2;
    /// Its file is gone, and about to let go of the directory entry.
    pub const CLOSED: u8 = 3;
    /// Its file is gone, its directory entry is not (B14).
    pub const ENTRY: u8 = 4;
}

/// Kinds of exporters, as bits.
pub mod exporter {
    /// A GEM object of a DRM device.
    pub const GEM: u8 = 1;
    /// It has `pin` and `unpin`.
    pub const DYNAMIC: u8 = 2;
    /// It asks the core to keep mappings.
    pub const CACHES: u8 = 4;
}

/// A dma-buf.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Buf {
    pub gen_: u16,
    /// Its inode number.
    pub serial: u16,
    /// File references.
    pub refs: i16,
    /// Directory entry references of paths.
    pub paths: i16,
    /// The exporting object; NULL for an exporter outside DRM.
    pub object: Ptr,
    /// One of [`buf_state`].
    pub state: u8,
    /// Bits of [`exporter`].
    pub kind: u8,
    pub vmaps: i8,
    /// Thread that holds its reservation lock, from 1.
    pub resv: u8,
}

/// A DRM file.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct File {
    /// 0 not yet, 1 open, 2 closed.
    pub state: u8,
    /// Thread that holds `prime.lock`, from 1.
    pub prime: u8,
}

/// Where a handle is in its life.
pub mod handle_state {
    /// Its creation has not returned.
    pub const CREATING: u8 = 0;
    pub const OPEN: u8 = 1;
    /// `drm_gem_object_release_handle` has begun.
    pub const CLOSING: u8 = 2;
    /// Gone; kept to tell a number that was never given out from one that was closed.
    pub const CLOSED: u8 = 3;
    /// The handle has another number now.
    pub const MOVED: u8 = 4;
}

/// An entry of a file's handle table.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Handle {
    pub obj: Ptr,
    pub id: u16,
    pub file: u8,
    /// What a look-up finds: 0 nothing, the number is free; 1 NULL, the number is taken; 2 the object.
    pub slot: u8,
    /// One of [`handle_state`]; of the truth.
    pub state: u8,
    /// Incarnation of the number; of the truth.
    pub gen_: u8,
    /// Its file may map the object; of the truth.
    pub allowed: u8,
    /// How often it was given out; of the truth.
    pub given: u8,
    /// An import made it; of the truth.
    pub imported: u8,
    /// Closes that the imports of earlier incarnations are owed; of the truth.
    pub owed: u8,
    /// Of this incarnation, since it was closed; of the truth.
    pub owed_now: u8,
    /// Its file exported it or got it by an import; of the truth.
    pub shared: u8,
    /// The close of the number's earlier life is not done yet; of the truth.
    pub early: u8,
    pub reserved: u8,
}

/// An entry of a file's PRIME cache.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Entry {
    pub buf: Ptr,
    pub id: u16,
    pub file: u8,
    /// Incarnation of the handle; of the truth.
    pub gen_: u8,
}

/// What a file may do with an object: the mapping permission and the driver's state of its own.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Permit {
    pub obj: Ptr,
    pub file: u8,
    pub reserved: u8,
    pub allowed: i16,
    /// `funcs->open` less `funcs->close`
    pub opened: i16,
}

/// An fd of a process.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Fd {
    pub buf: Ptr,
    pub number: u16,
    pub process: u8,
    /// 1: opened with `O_PATH`.
    pub path: u8,
}

/// An attachment of a device to a dma-buf.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Attach {
    pub gen_: u16,
    pub alive: u8,
    /// The importer is dynamic.
    pub dynamic: u8,
    pub buf: Ptr,
    /// The core keeps a mapping on it.
    pub kept: u8,
    pub kept_dir: u8,
    pub pins: i8,
    /// An object imported through it: it goes with the object.
    pub of_import: u8,
}

/// A mapping of an attachment.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Map {
    pub attach: Ptr,
    /// The table's name.
    pub table: u16,
    pub dir: u8,
    pub reserved: u8,
}

/// A framebuffer of one plane.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Framebuffer {
    pub gen_: u16,
    pub id: u16,
    pub obj: Ptr,
    pub file: u8,
    pub alive: u8,
    /// It holds a handle count (R3).
    pub counted: u8,
    /// Let go with CLOSEFB.
    pub closed: u8,
}

/// A mapping of a process.
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Vma {
    /// Through a DRM file.
    pub obj: Ptr,
    /// Through a dma-buf's fd.
    pub buf: Ptr,
    pub number: u16,
    pub process: u8,
    pub reserved: u8,
}

macro_rules! slots {
    ($($kind:ty: $used:expr;)+) => { $(
        impl Slot for $kind {
            fn used(&self) -> bool { ($used)(self) }
            fn gen_(&self) -> u16 { self.gen_ }
        }
    )+ };
}

slots! {
    Obj: |o: &Obj| o.alive != 0;
    Buf: |b: &Buf| b.state != buf_state::FREE;
    Attach: |a: &Attach| a.alive != 0;
    Framebuffer: |f: &Framebuffer| f.alive != 0;
}

/// Bits of [`Thread::flags`].
pub mod flag {
    /// The condition that the last step left for the next jump.
    pub const YES: u8 = 1;
    /// User space asked for the close under way; of the truth.
    pub const ASKED: u8 = 8;
    /// The call under way is MODE_DESTROY_DUMB; of the truth.
    pub const DUMB: u8 = 16;
    /// Of several things that the step may take, the second one.
    pub const SECOND: u8 = 32;
}

/// A thread: where it is in its program, and what it has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct Thread {
    pub pc: u16,
    /// 0 or a negative errno.
    pub ret: i16,
    /// The object in hand.
    pub o: Ptr,
    /// The dma-buf in hand.
    pub d: Ptr,
    /// The dma-buf whose reference a nested call drops.
    pub e: Ptr,
    /// The attachment in hand.
    pub a: Ptr,
    /// The framebuffer in hand.
    pub b: Ptr,
    /// The handle in hand.
    pub h: u16,
    /// A second number in hand: a name, another handle, an sg table.
    pub n: u16,
    /// The fd or mapping in hand.
    pub x: u16,
    pub flags: u8,
    /// Final puts that wait for the return to user space.
    pub waiting: u8,
    pub work: [Ptr; 3],
}

/// The longest that a scenario may be in any of these.
pub const MAX_VARS: usize = 200;
pub const MAX_DEVICES: usize = 4;

/// The whole kernel, and the threads in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kernel {
    pub(crate) objs: List<Obj, 3>,
    pub(crate) bufs: List<Buf, 2>,
    pub(crate) files: List<File, 4>,
    pub(crate) handles: List<Handle, 4>,
    pub(crate) cache: List<Entry, 4>,
    pub(crate) permits: List<Permit, 4>,
    pub(crate) fds: List<Fd, 4>,
    pub(crate) attaches: List<Attach, 2>,
    pub(crate) maps: List<Map, 2>,
    pub(crate) fbs: List<Framebuffer, 1>,
    pub(crate) vmas: List<Vma, 1>,
    pub(crate) threads: List<Thread, 5>,
    pub(crate) facts: List<Fact, 3>,
    pub(crate) vars: List<u16, 8>,
    /// Threads that hold `object_name_lock`, by device, from 1.
    pub(crate) name_locks: [u8; MAX_DEVICES],
    pub(crate) born_objs: u16,
    pub(crate) born_bufs: u16,
    pub(crate) names: u16,
    /// Which part of the scenario runs.
    pub(crate) phase: u16,
}

/// The thing in a slot, if it is the one that the pointer was taken for.
pub fn get<T: Slot>(list: &[T], p: Ptr) -> Option<&T> {
    let thing = list.get(usize::from(p.slot).checked_sub(1)?)?;
    (thing.used() && thing.gen_() == p.gen_).then_some(thing)
}

/// See [`get`].
pub fn get_mut<T: Slot>(list: &mut [T], p: Ptr) -> Option<&mut T> {
    let thing = list.get_mut(usize::from(p.slot).checked_sub(1)?)?;
    (thing.used() && thing.gen_() == p.gen_).then_some(thing)
}

/// The pointer to the thing in slot `ix`.
pub fn ptr<T: Slot>(list: &[T], ix: usize) -> Ptr {
    Ptr { slot: ix as u16 + 1, gen_: list.get(ix).map_or(0, Slot::gen_) }
}

/// Puts a thing into the lowest free slot. `make` is given the slot's next incarnation.
pub fn allocate<T: Slot + crate::list::Plain, const N: usize>(
    list: &mut List<T, N>,
    make: impl FnOnce(u16) -> T,
) -> Ptr {
    let ix = match list.iter().position(|t| !t.used()) {
        Some(ix) => {
            list[ix] = make(list[ix].gen_().wrapping_add(1));
            ix
        }
        None => {
            list.push(make(0));
            list.len() - 1
        }
    };
    ptr(list, ix)
}

impl Kernel {
    /// What is wrong so far, in order.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    pub(crate) fn obj(&self, p: Ptr) -> Option<&Obj> {
        get(&self.objs, p)
    }

    pub(crate) fn buf(&self, p: Ptr) -> Option<&Buf> {
        get(&self.bufs, p)
    }

    pub(crate) fn attach(&self, p: Ptr) -> Option<&Attach> {
        get(&self.attaches, p)
    }

    /// The entry of a file's handle table with this number, live or not.
    pub(crate) fn handle(&self, file: u8, id: u16) -> Option<&Handle> {
        self.handles.iter().find(|h| h.file == file && h.id == id)
    }

    pub(crate) fn handle_mut(&mut self, file: u8, id: u16) -> Option<&mut Handle> {
        self.handles.iter_mut().find(|h| h.file == file && h.id == id)
    }

    /// The permit of a file for an object; made up when there is none.
    pub(crate) fn permit(&mut self, file: u8, obj: Ptr) -> &mut Permit {
        let ix = self.permits.iter().position(|p| p.file == file && p.obj == obj);
        let ix = ix.unwrap_or_else(|| {
            self.permits.push(Permit { obj, file, ..Permit::default() });
            self.permits.len() - 1
        });
        &mut self.permits[ix]
    }
}
