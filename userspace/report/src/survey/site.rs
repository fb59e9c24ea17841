//! Call sites: references by the stack that took them.

use gemscope_engine::Stamp;

/// The kinds of references that are counted by stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// GEM handles.
    Handle,
    /// dma-buf fds given to processes.
    Fd,
    /// Device attachments.
    Attachment,
    /// Framebuffers.
    Framebuffer,
}

impl Kind {
    /// The word for one of them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Fd => "dma-buf fd",
            Self::Attachment => "attachment",
            Self::Framebuffer => "framebuffer",
        }
    }
}

/// What was taken at one place in a program and is outstanding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// what
    pub kind: Kind,
    /// by which process
    pub tgid: u32,
    /// kernel stack id, negative for none
    pub kstack: i32,
    /// user stack id, negative for none
    pub ustack: i32,
    /// how many
    pub count: u64,
    /// their bytes
    pub bytes: u64,
    /// the oldest of them
    pub oldest: Stamp,
    /// the newest of them
    pub newest: Stamp,
}

impl Site {
    /// What stays the same from one survey to the next.
    #[must_use]
    pub const fn key(&self) -> (Kind, u32, i32, i32) {
        (self.kind, self.tgid, self.kstack, self.ustack)
    }
}
