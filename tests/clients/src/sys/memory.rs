//! Memory mappings of dumb buffers and of dma-bufs.

use super::fd::Fd;
use super::{check, last_errno};
use crate::outcome::{Answer, Failed};
use crate::steps::{note, note_done};

/// A shared, writable mapping that only an explicit [`Mapping::unmap`] (or the process's end) removes.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    start: *mut u8,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes of `fd` from `offset` on.
    ///
    /// # Errors
    /// As mmap(2).
    #[inline(never)]
    pub fn new(fd: Fd, offset: u64, len: usize) -> Answer<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses the address, so no memory of ours is replaced.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), len, protection, libc::MAP_SHARED, fd.0, offset.cast_signed())
        };
        let answer = if start == libc::MAP_FAILED {
            Err(Failed { what: "mmap", errno: last_errno() })
        } else {
            Ok(Self { start: start.cast(), len })
        };
        note(answer, || format!("mmap fd={fd} len={len}"), |_| "ok".to_owned())
    }

    /// Writes a byte to every page and reads it back; true when all came back.
    #[inline(never)]
    pub fn touch(self, value: u8) -> bool {
        (0..self.len).step_by(4096).all(|at| {
            // SAFETY: `at` is below `len`, and the mapping is live: `unmap` consumes the last copy a scenario uses.
            unsafe {
                self.start.add(at).write_volatile(value);
                self.start.add(at).read_volatile() == value
            }
        })
    }

    /// Removes the mapping.
    ///
    /// # Errors
    /// As munmap(2).
    #[inline(never)]
    pub fn unmap(self) -> Answer {
        // SAFETY: the range was mapped by `new`, and the scenarios do not touch it afterwards.
        let ret = unsafe { libc::munmap(self.start.cast(), self.len) };
        note_done(check("munmap", ret).map(drop), || format!("munmap len={}", self.len))
    }
}
