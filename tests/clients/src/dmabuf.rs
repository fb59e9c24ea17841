//! dma-bufs that do not come from DRM, and the ioctls on dma-buf fds.

use crate::outcome::{Answer, Outcome, Stop};
use crate::steps::{note, note_done};
use crate::sys::fd::{Fd, memfd};
use crate::uapi;

/// An exporter outside DRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `/dev/udmabuf`: the pages of a sealed memfd.
    Udmabuf,
    /// `/dev/dma_heap/system`: pages of the system heap.
    SystemHeap,
}

impl Source {
    /// The device node.
    const fn path(self) -> &'static str {
        match self {
            Self::Udmabuf => "/dev/udmabuf",
            Self::SystemHeap => "/dev/dma_heap/system",
        }
    }

    /// Whether this machine has it.
    pub fn is_present(self) -> bool {
        std::path::Path::new(self.path()).exists()
    }

    /// Makes a dma-buf of `pages` pages; nothing but its fd holds it.
    ///
    /// # Errors
    /// Skips when the device is missing.
    #[inline(never)]
    pub fn make_dmabuf(self, pages: u64) -> Outcome<Fd> {
        if !self.is_present() {
            return Err(Stop::Skip(format!("no `{}`", self.path())));
        }
        let device = Fd::open(self.path(), libc::O_RDWR)?;
        let dmabuf = match self {
            Self::Udmabuf => wrap_memfd(device, pages * 4096)?,
            Self::SystemHeap => allocate_from_heap(device, pages * 4096)?,
        };
        device.close()?;
        Ok(dmabuf)
    }
}

/// Makes a memfd, seals it as udmabuf demands, wraps it and lets go of it: the dma-buf holds the pages.
#[inline(never)]
fn wrap_memfd(device: Fd, len: u64) -> Answer<Fd> {
    let memory = memfd(len)?;
    memory.add_seals(libc::F_SEAL_SHRINK)?;
    let mut arg = uapi::UdmabufCreate {
        memfd: memory.0.cast_unsigned(),
        flags: uapi::UDMABUF_FLAGS_CLOEXEC,
        offset: 0,
        size: len,
    };
    let made = device.ioctl("UDMABUF_CREATE", uapi::UDMABUF_CREATE, &mut arg).map(Fd);
    let made = note(made, || format!("udmabuf-create len={len}"), |fd| format!("fd={fd}"));
    memory.close()?;
    made
}

#[inline(never)]
fn allocate_from_heap(device: Fd, len: u64) -> Answer<Fd> {
    let fd_flags = (libc::O_RDWR | libc::O_CLOEXEC).cast_unsigned();
    let mut arg = uapi::HeapAlloc { len, fd_flags, ..Default::default() };
    let made = device.ioctl("DMA_HEAP_IOCTL_ALLOC", uapi::DMA_HEAP_IOCTL_ALLOC, &mut arg);
    note(made.map(|_| Fd(arg.fd.cast_signed())), || format!("heap-alloc len={len}"), |fd| format!("fd={fd}"))
}

/// Brackets CPU access to a dma-buf: `end` false before, true after it.
///
/// # Errors
/// As DMA_BUF_IOCTL_SYNC.
#[inline(never)]
pub fn sync(dmabuf: Fd, end: bool) -> Answer {
    let mut flags = uapi::DMA_BUF_SYNC_RW | if end { uapi::DMA_BUF_SYNC_END } else { 0 };
    let answer = dmabuf.ioctl("DMA_BUF_IOCTL_SYNC", uapi::DMA_BUF_IOCTL_SYNC, &mut flags);
    note_done(answer.map(drop), || format!("sync-{} fd={dmabuf}", if end { "end" } else { "start" }))
}

/// Gives a dma-buf the name `gemtest`.
///
/// # Errors
/// EBUSY before 5.17 while a device is attached.
#[inline(never)]
pub fn set_name(dmabuf: Fd) -> Answer {
    // The ioctl's argument *is* the string's address. Eight bytes are the size that its number encodes.
    let mut name = *b"gemtest\0";
    let answer = dmabuf.ioctl("DMA_BUF_SET_NAME", uapi::DMA_BUF_SET_NAME, &mut name);
    note_done(answer.map(drop), || format!("set-name fd={dmabuf}"))
}

/// Gives the fences that a reader and writer would have to wait for as a sync_file: a file that is no dma-buf, and holds none.
///
/// # Errors
/// ENOTTY before 6.0.
#[inline(never)]
pub fn export_sync_file(dmabuf: Fd) -> Answer<Fd> {
    let mut arg = uapi::SyncFile { flags: uapi::DMA_BUF_SYNC_RW as u32, fd: -1 };
    let answer =
        dmabuf.ioctl("DMA_BUF_IOCTL_EXPORT_SYNC_FILE", uapi::DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &mut arg);
    note(answer.map(|_| Fd(arg.fd)), || format!("export-sync-file fd={dmabuf}"), |fd| format!("fd={fd}"))
}
