//! Programs: what a thread executes, one micro-step after the other.
//!
//! An operation is written once, as a list of instructions that asks the [`Era`](crate::Era) where eras differ. Control flow is
//! no step of its own; a lock is taken together with what it is taken for and dropped together with the last
//! thing done under it, which loses no outcome: nobody can tell the difference.

use gemscope_common::{Phase, ProbeId};

pub use crate::asm::{Asm, Label};

/// A lock that may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// `drm_file.prime.lock` of a file.
    Prime(u8),
    /// `drm_device.object_name_lock` of a device.
    Name(u8),
    /// The reservation lock of a dma-buf.
    Resv(Reg),
}

/// A register with a dma-buf in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reg {
    /// The dma-buf in hand.
    D,
    /// The one whose reference a nested call drops.
    E,
}

/// Where a number is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Num {
    /// The handle in hand.
    H,
    /// The second number.
    N,
    /// The fd or mapping.
    X,
    /// The attachment, by its slot.
    A,
    /// The framebuffer, by its slot.
    B,
}

/// A call that may be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// `idr_alloc` of a handle.
    Handle,
    /// `funcs->open`.
    Open,
    /// `dma_buf_export`.
    Export,
    /// `drm_prime_add_buf_handle`.
    Cache,
    /// Reserving or installing an fd.
    Fd,
    /// `dma_buf_attach`.
    Attach,
    /// Mapping an attachment.
    Map,
}

impl Point {
    /// Every point with its word in scenarios.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Handle, "handle"),
        (Self::Open, "open"),
        (Self::Export, "export"),
        (Self::Cache, "cache"),
        (Self::Fd, "fd"),
        (Self::Attach, "attach"),
        (Self::Map, "map"),
    ];
}

/// What a step does to the kernel's state. The comments name the kernel's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Do {
    // Objects.
    /// `drm_gem_private_object_init` (R1)
    ObjInit {
        dev: u8,
    },
    /// `drm_gem_object_put`; leaves whether it was the last
    ObjPut,
    /// `drm_gem_object_get`
    ObjGet,
    /// `drm_gem_object_release` (R25)
    ObjDie,
    /// `handle_count++` (R2)
    CountInc,
    /// `handle_count == 0`: leaves whether it is
    CountIsZero,
    /// the warning of `drm_gem_object_handle_put_unlocked`: leaves whether there is nothing to drop
    CountWarn,
    /// `--handle_count`; leaves whether it is 0 now
    CountDec,
    /// the handle count is taken only if there is one (R3); leaves whether it was
    CountGetIfAny,
    /// the global name goes (R16)
    NameRemove,
    /// a global name is given (R16)
    NameAlloc,
    /// `idr_find` of a global name (R17)
    NameLookup {
        dev: u8,
    },

    // Handle tables.
    /// `idr_alloc` (R13)
    IdrAlloc {
        f: u8,
    },
    /// `idr_replace(obj)`: the handle can be looked up now (R13)
    IdrCommit {
        f: u8,
    },
    /// `idr_remove` of a creation that failed
    IdrUndo {
        f: u8,
    },
    /// `idr_replace(NULL)` or `idr_remove`: the handle cannot be looked up any more (R14)
    IdrTake {
        f: u8,
    },
    /// `idr_remove`: the number is free (R14)
    IdrFree {
        f: u8,
    },
    /// the next handle of a closing file (R18); leaves whether there is one
    IdrNext {
        f: u8,
    },
    /// `drm_gem_object_lookup`
    Lookup {
        f: u8,
    },
    /// the permission to map
    Allow {
        f: u8,
    },
    Revoke {
        f: u8,
    },
    /// `funcs->open`, `funcs->close`
    DriverOpen {
        f: u8,
    },
    DriverClose {
        f: u8,
    },
    /// GEM_CHANGE_HANDLE: `idr_alloc` of the new number (R27)
    MoveAlloc {
        f: u8,
    },
    /// the old number is empty while the handle moves
    MoveHide {
        f: u8,
    },
    /// the new number is the handle
    MoveShow {
        f: u8,
    },
    /// `idr_remove` of the old number
    MoveRemove {
        f: u8,
    },
    /// as it was before
    MoveUndo {
        f: u8,
    },
    /// the handles of the cache entry: from the old number to the new one; leaves whether there is one
    MoveFind {
        f: u8,
    },

    // PRIME.
    /// `drm_prime_lookup_buf_by_handle`, with a reference; leaves whether there is one
    CacheFindHandle {
        f: u8,
    },
    /// `drm_prime_lookup_buf_handle`; leaves whether there is one
    CacheFindBuf {
        f: u8,
    },
    /// `drm_prime_add_buf_handle`
    CacheAdd {
        f: u8,
    },
    /// removal of the entry of the handle in hand; leaves whether there was one
    CacheRemoveHandle {
        f: u8,
    },
    /// removal of an entry of the dma-buf in E; leaves whether there was one
    CacheRemoveBuf {
        f: u8,
    },
    /// `drm_prime_destroy_file_private` (R18)
    CacheDestroy {
        f: u8,
    },
    /// `import_attach`; leaves whether it is set
    ReadImport,
    /// the link; leaves whether it is set
    ReadLink,
    /// the link, into E
    ReadLinkE,
    /// `import_attach->dmabuf`, into E
    ReadImportE,
    /// the link is set
    LinkSet,
    /// the link is set by an import, if it was not (R5)
    LinkImport,
    /// the link goes, into E; leaves whether it was set
    LinkTake,
    /// the exporter's release clears a link that has no reference (R5, up to 3.11); leaves whether it was this dma-buf
    LinkClearOld,
    /// is it exported by this device? leaves whether; takes a reference on the object
    SelfImport {
        dev: u8,
    },
    /// the imported object's attachment and reference (R7)
    SetImport,
    /// what the import took is undone at the object's end: the attachment, into A, its dma-buf into E; leaves whether
    /// there is one
    TakeImport,

    // dma-bufs.
    /// `dma_buf_export`
    BufCreate,
    /// one by an exporter that is no DRM driver
    BufCreateOther {
        kind: u8,
    },
    /// `get_dma_buf`
    Get(Reg),
    /// `dma_buf_put`, `fput`
    Put(Reg),
    /// the next final put that waited; leaves whether there is one
    WorkNext,
    /// `dma_buf_file_release`
    FileGone,
    /// the directory entry goes, if nothing has it; leaves whether
    EntryGone,
    /// the exporter's object, into hand; leaves whether there is one
    ExporterOf,
    /// the memory goes
    BufFree,

    // fds and mappings.
    FdInstall {
        p: u8,
    },
    /// `fdget`: the dma-buf of an fd, with a reference
    FdGet {
        p: u8,
    },
    /// an fd closes; leaves whether it was a path
    FdClose {
        p: u8,
    },
    /// a copy of an fd for a process
    FdDup {
        from: u8,
        to: u8,
    },
    /// an `O_PATH` fd on the directory entry
    FdPath {
        p: u8,
    },
    PathPut,
    /// the next fd of a process that ends; leaves whether there is one
    FdNext {
        p: u8,
    },
    VmaObj {
        p: u8,
    },
    VmaBuf {
        p: u8,
    },
    /// a mapping goes; leaves whether it was of an object
    VmaClose {
        p: u8,
    },
    VmaNext {
        p: u8,
    },

    // Devices.
    Attach {
        dynamic: bool,
        import: bool,
    },
    /// the core keeps a mapping from here on (R43), if it does
    AttachKeep,
    /// `dma_buf_detach`
    Detach,
    /// from the dma-buf in hand, which may be another one
    DetachFrom,
    Map {
        dir: u8,
    },
    Unmap {
        dir: u8,
    },
    Pin,
    Unpin,
    Vmap,
    Vunmap,
    /// `dma_buf_set_name` (R52)
    SetName,
    /// what a device call checks of the reservation lock: bit 0 it must be held, bit 1 it must not be
    CheckResv(u8),
    /// the dma-buf of the attachment in hand
    BufOfAttach,
    /// `dma_buf_export` with arguments that it refuses
    BadExport,

    // Framebuffers.
    FbInit {
        f: u8,
    },
    /// the framebuffer's object, into hand
    FbObj,
    /// leaves whether the framebuffer holds a handle count
    FbCounted,
    FbFree,
    FbClosed,
    /// the next framebuffer of a closing file; leaves whether there is one
    FbNext {
        f: u8,
    },

    // Files.
    FileOpen {
        f: u8,
    },
    /// leaves whether it is
    FileIsOpen {
        f: u8,
    },
    FileClosed {
        f: u8,
    },

    // Of the truth alone: these are no steps.
    /// the creation has returned
    Created {
        f: u8,
    },
    /// the close is done
    Closed {
        f: u8,
    },
    /// the import gave out the handle in hand
    Given {
        f: u8,
    },
    /// the handle in hand was made by an import
    ByImport {
        f: u8,
    },
    /// the handle in hand was exported, or its import is done
    Shared {
        f: u8,
    },
    /// a close begins
    CloseBegins {
        f: u8,
        dumb: bool,
    },
    /// a handle or fd was left to its process's end
    LeftHandle {
        f: u8,
    },
    LeftFd,
    /// user space reads or writes the object in hand
    Access {
        f: u8,
        checked: bool,
    },
    /// leaves NO
    No,
    /// the scenario is over
    Rest,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instr {
    Goto(u16),
    IfFailed(u16),
    IfYes(u16),
    IfNo(u16),
    /// The call's result.
    Result(i16),
    /// Fails here, or not.
    MayFail(i16, u16),
    /// A variable into a register; waits until it has a value, and skips the operation when it never will.
    Load(Num, u8, u16),
    Const(Num, u16),
    /// A register into a variable, or that the operation failed.
    Store(u8, Num),
    /// Back in user space with nothing in hand.
    Clear,
    Lock(Lock),
    Unlock(Lock),
    /// A probe; the number is a file or process.
    Emit(ProbeId, Phase, u8),
    Do(Do),
    End,
}

/// What a step touches beyond its own thread, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    Nothing,
    File(u8),
    Everything,
}

impl Instr {
    /// Is it a step that others can come before or after?
    pub const fn is_step(self, records: bool) -> bool {
        match self {
            Self::Lock(_) | Self::MayFail(..) | Self::End => true,
            Self::Emit(..) => records,
            Self::Do(what) => !what.is_bookkeeping(),
            _ => false,
        }
    }

    pub const fn touches(self) -> Touches {
        match self {
            Self::Lock(Lock::Prime(f)) => Touches::File(f),
            Self::Do(
                Do::IdrCommit { f }
                | Do::IdrFree { f }
                | Do::IdrTake { f }
                | Do::Allow { f }
                | Do::CacheFindBuf { f },
            ) => Touches::File(f),
            Self::MayFail(..) => Touches::Nothing,
            _ => Touches::Everything,
        }
    }

    /// The file that it works on, if it is one file's.
    pub const fn file(self) -> Option<u8> {
        match self {
            Self::Lock(Lock::Prime(f)) | Self::Unlock(Lock::Prime(f)) => Some(f),
            Self::Do(what) => what.file(),
            _ => None,
        }
    }
}

impl Do {
    const fn is_bookkeeping(self) -> bool {
        matches!(
            self,
            Self::Created { .. }
                | Self::Closed { .. }
                | Self::Given { .. }
                | Self::ByImport { .. }
                | Self::Shared { .. }
                | Self::CloseBegins { .. }
                | Self::LeftHandle { .. }
                | Self::LeftFd
                | Self::CheckResv(_)
                | Self::BufOfAttach
                | Self::No
                | Self::FbCounted
                | Self::FileIsOpen { .. }
        )
    }

    const fn file(self) -> Option<u8> {
        match self {
            Self::IdrAlloc { f }
            | Self::IdrCommit { f }
            | Self::IdrUndo { f }
            | Self::IdrTake { f }
            | Self::IdrFree { f }
            | Self::IdrNext { f }
            | Self::Lookup { f }
            | Self::Allow { f }
            | Self::Revoke { f }
            | Self::DriverOpen { f }
            | Self::DriverClose { f }
            | Self::MoveAlloc { f }
            | Self::MoveHide { f }
            | Self::MoveShow { f }
            | Self::MoveRemove { f }
            | Self::MoveUndo { f }
            | Self::MoveFind { f }
            | Self::CacheFindHandle { f }
            | Self::CacheFindBuf { f }
            | Self::CacheAdd { f }
            | Self::CacheRemoveHandle { f }
            | Self::CacheRemoveBuf { f }
            | Self::CacheDestroy { f }
            | Self::Created { f }
            | Self::Closed { f }
            | Self::Given { f }
            | Self::ByImport { f }
            | Self::Shared { f }
            | Self::CloseBegins { f, .. }
            | Self::LeftHandle { f }
            | Self::FileOpen { f }
            | Self::FileIsOpen { f }
            | Self::FileClosed { f } => Some(f),
            _ => None,
        }
    }
}
