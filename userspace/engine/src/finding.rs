//! What the engine says: findings, each with its evidence.

use gemscope_common::Record;

use crate::rules::RuleId;

/// When and by whom something was done: one record, reduced to what a reader asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Position of the record in the stream, from 1; 0 means not known.
    pub seq: u64,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub ts_ns: u64,
    /// Thread id.
    pub tid: u32,
    /// Process id.
    pub tgid: u32,
    /// Kernel stack id, negative for none.
    pub kstack: i32,
    /// User stack id, negative for none.
    pub ustack: i32,
}

impl Stamp {
    /// Of a record at a position in the stream.
    #[must_use]
    pub const fn of(seq: u64, record: &Record) -> Self {
        let h = &record.header;
        Self { seq, ts_ns: h.ts_ns, tid: h.tid, tgid: h.tgid, kstack: h.kstack, ustack: h.ustack }
    }

    /// Is this a real observation?
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.seq != 0
    }
}

/// The public name of an entity: stable within a trace, never a kernel address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// A DRM file, numbered by order of first sight.
    File {
        /// order of first sight, from 1
        id: u32,
        /// minor index: the N of cardN, 128 and up for renderDN; `u32::MAX` when not known
        minor: u32,
        /// the kernel's client id, 0 when it has none
        client: u64,
    },
    /// A GEM object, numbered by order of first sight.
    Object {
        /// order of first sight, from 1
        id: u32,
        /// bytes
        size: u64,
    },
    /// A handle of a file.
    Handle {
        /// the file's number
        file: u32,
        /// the handle's number in the file
        handle: u32,
        /// how many times this number was given out before, from 0
        incarnation: u32,
        /// the object's number
        object: u32,
        /// the object's bytes
        size: u64,
    },
    /// A dma-buf.
    DmaBuf {
        /// inode number; 0 when not known
        ino: u64,
        /// order of first sight, from 1
        id: u32,
        /// bytes
        size: u64,
    },
    /// A framebuffer.
    Framebuffer {
        /// `fb->base.id`
        id: u32,
    },
}

impl Entity {
    /// Bytes behind it; 0 when not known.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match *self {
            Self::File { .. } | Self::Framebuffer { .. } => 0,
            Self::Object { size, .. } | Self::Handle { size, .. } | Self::DmaBuf { size, .. } => size,
        }
    }
}

/// One reference that keeps an entity alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What kind of reference.
    pub kind: HolderKind,
    /// The event that took it.
    pub taken: Stamp,
}

/// The kinds of references of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderKind {
    /// A GEM handle.
    Handle(Entity),
    /// The object's link to its dma-buf (R5).
    Link(Entity),
    /// A PRIME cache entry (R6).
    Cache {
        /// the file's number
        file: u32,
        /// the handle's number
        handle: u32,
    },
    /// An imported object's reference on the foreign dma-buf (R7).
    Importer(Entity),
    /// The exporter's object reference held by its dma-buf (R4).
    Exported(Entity),
    /// A dma-buf fd given to a process.
    Fd {
        /// the process
        tgid: u32,
        /// the fd, -1 when not known
        fd: i32,
    },
    /// An `O_PATH` fd of a dma-buf: it holds the directory entry, not the file (B14).
    PathFd {
        /// the process
        tgid: u32,
        /// the fd
        fd: i32,
    },
    /// A user mapping.
    Mapping {
        /// the process, 0 when not known
        tgid: u32,
    },
    /// A framebuffer plane.
    Framebuffer {
        /// `fb->base.id`
        id: u32,
    },
    /// A device attachment.
    Attachment,
}

/// One line of an entity's story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeEvent {
    /// What happened.
    pub what: What,
    /// When, by whom.
    pub at: Stamp,
}

/// What happened to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The object was born.
    Born,
    /// A handle was created.
    HandleCreated,
    /// A handle was closed.
    HandleClosed,
    /// A handle was closed by its file's close.
    HandleClosedByFile,
    /// A close was refused.
    CloseRefused,
    /// The dma-buf was made.
    Exported,
    /// An fd was given out.
    FdGiven,
    /// An fd was closed at process exit.
    FdClosedAtExit,
    /// A PRIME cache entry was made.
    Cached,
    /// The link was set.
    Linked,
    /// An importer took its reference.
    Imported,
    /// The dma-buf was attached to a device.
    Attached,
    /// The dma-buf was detached.
    Detached,
    /// A reference was put.
    Put,
    /// The last file reference was gone.
    FileReleased,
    /// The dma-buf was destroyed.
    Released,
    /// The object's reference count reached zero.
    RefZero,
    /// The object died.
    Died,
    /// The DRM file was opened.
    FileOpened,
    /// The DRM file closed.
    FileClosed,
    /// The process exited.
    Exited,
    /// The last file reference was put.
    LastPut,
    /// The attachment was mapped.
    Mapped,
    /// The attachment was unmapped.
    Unmapped,
    /// The attachment was pinned.
    Pinned,
    /// The attachment was unpinned.
    Unpinned,
    /// The kernel mapped the dma-buf for itself.
    Vmapped,
    /// The kernel undid such a mapping.
    Vunmapped,
    /// The exporter told importers of a move.
    MoveNoticed,
    /// A dma-buf was asked for by `dma_buf_export`.
    ExportAsked,
    /// The dma-buf was given a name.
    NameSet,
    /// The global name was still there.
    NameKept,
    /// The object's handle count was read.
    CountRead,
    /// The creation of a handle began.
    CreateBegan,
    /// The close of a handle began.
    CloseBegan,
    /// A PRIME export began.
    ExportBegan,
    /// A PRIME import began.
    ImportBegan,
    /// A handle was moved to another number.
    HandleMoved,
    /// A handle was closed with MODE_DESTROY_DUMB.
    DumbDestroyed,
    /// The memory was read, written or mapped by handle.
    CpuAccess,
    /// A dma-buf was looked up by fd.
    LookedUp,
    /// A framebuffer was made.
    FramebufferMade,
    /// A framebuffer went.
    FramebufferGone,
    /// A process mapped the memory.
    UserMapped,
    /// Such a mapping went.
    UserUnmapped,
    /// An fd was closed.
    FdClosed,
    /// The settle point at which it was judged.
    Settled,
}

impl What {
    /// The words used in reports.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Born => "object born",
            Self::HandleCreated => "handle created",
            Self::HandleClosed => "handle closed",
            Self::HandleClosedByFile => "handle closed by the file's close",
            Self::CloseRefused => "close refused with EINVAL",
            Self::Exported => "dma-buf exported",
            Self::FdGiven => "dma-buf fd given out",
            Self::FdClosedAtExit => "dma-buf fd closed by process exit",
            Self::Cached => "PRIME cache entry made",
            Self::Linked => "link set",
            Self::Imported => "imported",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::Put => "reference put",
            Self::FileReleased => "last file reference gone",
            Self::Released => "dma-buf destroyed",
            Self::RefZero => "object reference count zero",
            Self::Died => "object died",
            Self::FileOpened => "DRM file opened",
            Self::FileClosed => "DRM file closed",
            Self::Exited => "process exited",
            Self::LastPut => "last file reference put",
            Self::Mapped => "attachment mapped",
            Self::Unmapped => "attachment unmapped",
            Self::Pinned => "attachment pinned",
            Self::Unpinned => "attachment unpinned",
            Self::Vmapped => "vmapped",
            Self::Vunmapped => "vunmapped",
            Self::MoveNoticed => "importers told of a move",
            Self::ExportAsked => "dma_buf_export called",
            Self::NameSet => "name set",
            Self::NameKept => "global name still set",
            Self::CountRead => "handle count read",
            Self::CreateBegan => "handle creation began",
            Self::CloseBegan => "handle close began",
            Self::ExportBegan => "export began",
            Self::ImportBegan => "import began",
            Self::HandleMoved => "handle moved to another number",
            Self::DumbDestroyed => "closed with MODE_DESTROY_DUMB",
            Self::CpuAccess => "accessed by handle",
            Self::LookedUp => "looked up by fd",
            Self::FramebufferMade => "framebuffer made",
            Self::FramebufferGone => "framebuffer gone",
            Self::UserMapped => "mapped by a process",
            Self::UserUnmapped => "unmapped by a process",
            Self::FdClosed => "dma-buf fd closed",
            Self::Settled => "judged at the settle point",
        }
    }
}

/// Why a verdict is undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doubt {
    /// Records were dropped.
    Drops(u64),
    /// A probe missed hits; [`gemscope_common::ProbeId`] number and count.
    Missed(u16, u64),
    /// The trace is damaged or cut.
    Gap,
    /// The trace begins in mid-run: what a flight recorder had let go of.
    Midway,
    /// Processes of the scope were still alive when the judging ended.
    StillRunning(u32),
    /// The fds of this many processes could not be read.
    Unreadable(u32),
    /// A probe that the rule needs is not attached; [`gemscope_common::ProbeId`] number.
    Blind(u16),
    /// A call never returned in the trace.
    OpenCalls(u32),
    /// So often a call had only its beginning or its end: probes missed hits that no kernel counted.
    HalfCalls(u32),
}

/// One finding: a rule, what broke it, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Running number, from 1.
    pub number: u32,
    /// The rule that was broken.
    pub rule: RuleId,
    /// The entity that it is about (for a group the first one).
    pub entity: Entity,
    /// How many entities of the same stack this finding speaks for.
    pub count: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// The event that broke the rule, or the last chance to keep it.
    pub event: LifeEvent,
    /// The earlier event that it conflicts with: for leaks the acquisition.
    pub conflict: Option<LifeEvent>,
    /// Who still holds the entity, at the moment of the finding; and, where a leak's dma-buf still lives at the settle
    /// point, who was seen to hold it then.
    pub holders: Vec<Holder>,
    /// The entity's story so far, oldest first.
    pub life: Vec<LifeEvent>,
    /// Loss could have changed this: the finding is undecided.
    pub tainted: bool,
    /// The kernel's own fields show it: no loss can make it wrong.
    pub proven: bool,
}

/// The overall answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found and nothing could have been missed.
    Clean,
    /// At least one certain finding.
    Findings,
    /// No certain finding, but something could have been missed, or all findings are uncertain.
    Undecided(Vec<Doubt>),
}

/// A dma-buf of the scope that processes held at a settle point. That is told and not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The dma-buf.
    pub entity: Entity,
    /// Its last file reference is gone: only its destruction waits, for those who hold its path (B14).
    pub deferred: bool,
    /// Is one of the holders a process outside of the scope?
    pub outside: bool,
    /// Fds, mappings, paths and handles by which it is held.
    pub holders: Vec<Holder>,
}

/// Things that are told but not judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Handles left open by a fatal signal.
    pub handles_left_by_signal: u64,
    /// dma-buf fds left open by a fatal signal.
    pub fds_left_by_signal: u64,
    /// Handles left open at file close where the mode does not judge them.
    pub handles_left_ignored: u64,
    /// dma-buf fds left open at exit where the mode does not judge them.
    pub fds_left_ignored: u64,
    /// Objects, dma-bufs and files that were older than the trace.
    pub pre_existing: u64,
    /// dma-bufs of the scope that processes outside it still hold; [`Engine::held_outside`](crate::Engine::held_outside)
    /// names them.
    pub held_outside: u64,
    /// dma-bufs whose destruction waits for a path holder (`O_PATH`).
    pub deferred: u64,
    /// Findings beyond the cap, counted only.
    pub findings_dropped: u64,
}
