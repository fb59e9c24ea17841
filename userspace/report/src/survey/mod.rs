//! What is alive now as tables: buffers, processes, call sites.
//!
//! A *buffer* here is one piece of memory: the object that owns it, the dma-buf made from it, and the objects of other
//! devices that import it are one row. Bytes are counted once however many hold them.

mod holdings;
mod site;
mod tables;

pub use holdings::Holdings;
pub use site::{Kind, Site};

use gemscope_engine::{Engine, Stamp};
use gemscope_trace::{Definitions, StackKind};
use smallvec::SmallVec;

use crate::chronicle::{Chronicle, Subject};
use crate::context::Context;
use crate::directory::Directory;
use crate::escape;
use crate::names;
use crate::series::Series;

/// Everything that can be shown, at one moment.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// the ledger
    pub engine: &'a Engine,
    /// names of files and dma-bufs
    pub directory: &'a Directory,
    /// processes, stacks, symbols
    pub definitions: &'a Definitions,
    /// stories
    pub chronicle: &'a Chronicle,
    /// how much was alive when
    pub series: &'a Series,
    /// header facts
    pub context: &'a Context,
    /// what the latest look at all processes found; `None` leaves it to what records tell
    pub holdings: Option<&'a Holdings>,
    /// the time that ages are counted to, `CLOCK_MONOTONIC` ns: now, or that of the last record
    pub now_ns: u64,
}

impl World<'_> {
    /// Name of a process, escaped; empty when not known.
    #[must_use]
    pub fn comm(&self, tgid: u32) -> String {
        match self.engine.comm(tgid) {
            Some(comm) => escape::name(comm),
            None => {
                self.definitions.process(tgid).map(|p| escape::name(p.comm.as_bytes())).unwrap_or_default()
            }
        }
    }

    /// A stack's frames in words, innermost first.
    #[must_use]
    pub fn frames(&self, kind: StackKind, id: i32, tgid: u32) -> Vec<String> {
        names::frames(self.context, self.definitions, kind, id, tgid)
    }

    /// A stack's frames in words, innermost first, without those that run before the program's own.
    #[must_use]
    pub fn stack(&self, kind: StackKind, id: i32, tgid: u32) -> Vec<String> {
        let mut frames = self.frames(kind, id, tgid);
        if kind == StackKind::User {
            crate::text::stack::trim_runtime(&mut frames);
        }
        frames
    }

    /// Where something was done: the innermost frame of the program itself, whole, and the functions that called it.
    #[must_use]
    pub fn place(&self, kstack: i32, ustack: i32, tgid: u32) -> String {
        /// Callers told.
        const CALLERS: usize = 2;
        let mut user = self.frames(StackKind::User, ustack, tgid);
        user.truncate(gemscope_policy::runtime_from(&user).unwrap_or(user.len()));
        if let Some(from) = user.iter().position(|f| !names::is_wrapper(f)) {
            let mut place = user[from].clone();
            for caller in user.iter().skip(from + 1).take(CALLERS) {
                place.push_str(" < ");
                place.push_str(names::function(caller));
            }
            return place;
        }
        if let Some(frame) = user.into_iter().next() {
            return frame;
        }
        match self.frames(StackKind::Kernel, kstack, 0).into_iter().next() {
            Some(frame) => format!("{frame} (kernel)"),
            None => "stack not recorded".to_owned(),
        }
    }

    /// Nanoseconds since this; `None` when that is not known.
    #[must_use]
    pub fn age(&self, at: &Stamp) -> Option<u64> {
        at.is_known().then(|| self.now_ns.saturating_sub(at.ts_ns))
    }
}

/// One piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// number of the object that owns the memory; 0 when a foreign device or udmabuf owns it, or nobody knows
    pub object: u32,
    /// number of the dma-buf that it is shared through; 0 without one
    pub dmabuf: u32,
    /// the dma-buf's inode number; 0 without one
    pub ino: u64,
    /// bytes; 0 when not known
    pub size: u64,
    /// the first event that is known of it: its birth; not known for what is older than the trace
    pub born: Stamp,
    /// number of a DRM file that has a handle on it; 0 without one
    pub file: u32,
    /// objects of other devices that import it
    pub importers: SmallVec<[u32; 1]>,
    /// handles of all files on it
    pub handles: u32,
    /// dma-buf fds of all processes
    pub fds: u32,
    /// user mappings
    pub maps: u32,
    /// device attachments
    pub attachments: u32,
    /// framebuffers with a plane on it
    pub framebuffers: u32,
    /// references of the kernel's own: links, PRIME cache entries, importers
    pub kernel_refs: u32,
    /// processes that hold it by a handle, an fd, a mapping or a framebuffer, rising
    pub processes: SmallVec<[u32; 2]>,
    /// records were lost since everything about it was known
    pub stale: bool,
    /// its last file reference is gone, its destruction waits
    pub released: bool,
}

impl Buffer {
    /// References that user space answers for.
    #[must_use]
    pub const fn holders(&self) -> u32 {
        self.handles + self.fds + self.maps + self.attachments + self.framebuffers
    }

    /// Who made it, as far as is known; 0 otherwise.
    #[must_use]
    pub const fn creator(&self) -> u32 {
        self.born.tgid
    }

    /// Whose stories are its story.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let dmabuf = (self.dmabuf != 0).then_some(Subject::Dmabuf(self.dmabuf));
        let objects = std::iter::once(self.object).chain(self.importers.iter().copied());
        objects.filter(|o| *o != 0).map(Subject::Object).chain(dmabuf).collect()
    }

    /// What stays the same while it lives: its object's number, or its dma-buf's.
    #[must_use]
    pub const fn key(&self) -> Subject {
        match (self.object, self.dmabuf) {
            (0, 0) => Subject::Inode(self.ino),
            (0, dmabuf) => Subject::Dmabuf(dmabuf),
            (object, _) => Subject::Object(object),
        }
    }
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// its number; 0 gathers what nobody is known for
    pub tgid: u32,
    /// DRM files that it opened and that are open
    pub files: u32,
    /// handles that it created
    pub handles: u32,
    /// buffers that it holds by an fd or a mapping of their dma-buf
    pub dmabufs: u32,
    /// dma-buf fds
    pub fds: u32,
    /// user mappings
    pub maps: u32,
    /// framebuffers that it made
    pub framebuffers: u32,
    /// bytes that nobody else holds
    pub own: u64,
    /// bytes that others hold too, each counted once
    pub shared: u64,
    /// its oldest reference; not known without one
    pub oldest: Stamp,
    /// findings about it
    pub findings: u32,
    /// it has ended, and references that it took are left
    pub ended: bool,
}

/// Everything together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// DRM files
    pub files: usize,
    /// handles
    pub handles: usize,
    /// pieces of memory
    pub buffers: usize,
    /// dma-bufs
    pub dmabufs: usize,
    /// framebuffers
    pub framebuffers: usize,
    /// device attachments
    pub attachments: usize,
    /// bytes, each counted once
    pub bytes: u64,
    /// pieces of memory about which records were lost since everything was known
    pub stale: usize,
}

/// What is alive at one moment.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// every piece of memory, in the order of the ledger's tables
    pub buffers: Vec<Buffer>,
    /// every process that holds one, by rising number
    pub processes: Vec<Process>,
    /// what was taken where and not given back, most bytes first
    pub sites: Vec<Site>,
    /// everything together
    pub totals: Totals,
}

impl Survey {
    /// Looks at everything.
    #[must_use]
    pub fn of(world: &World<'_>) -> Self {
        Self::default().renew(world)
    }

    /// Looks at everything again, in the memory of a survey that is not needed any more.
    #[must_use]
    pub fn renew(self, world: &World<'_>) -> Self {
        tables::survey(world, self)
    }
}
