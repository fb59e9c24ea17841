//! The programs' counters, read where the programs write them.
//!
//! They are mapped and not looked up: while a look-up is under way the kernel runs no program on that cpu, and on a kernel
//! that may preempt the look-up others do not get their hits recorded for as long.

use std::io;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use gemscope_common::ProbeId;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// How many counters the map `COUNTERS` has.
const COUNT: usize = 512;
/// Index of the records for which the ring had no room.
const DROPS: usize = 0;
/// Index of the arguments lost by the probe with number 0.
const ARGS_FULL: usize = 16;

/// The mapped counters.
#[derive(Debug)]
pub struct Counters {
    first: NonNull<AtomicU64>,
}

// SAFETY: the memory is only read, by atomic loads, and stays mapped as long as the value lives.
unsafe impl Send for Counters {}
// SAFETY: as above.
unsafe impl Sync for Counters {}

impl Counters {
    const BYTES: usize = COUNT * size_of::<u64>();

    /// Maps the counters of an array map that was made for it (`BPF_F_MMAPABLE`).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn map(array: impl AsFd) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice; nothing else knows it.
        let at = unsafe { mmap(ptr::null_mut(), Self::BYTES, ProtFlags::READ, MapFlags::SHARED, array, 0) }?;
        let first = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { first })
    }

    /// Records dropped since the load, for want of room in the ring.
    pub fn drops(&self) -> u64 {
        self.get(DROPS)
    }

    /// Entries of this probe since the load whose arguments could not be kept for the return.
    pub fn args_full(&self, probe: ProbeId) -> u64 {
        self.get(ARGS_FULL + probe as usize)
    }

    fn get(&self, index: usize) -> u64 {
        assert!(index < COUNT, "there is no counter {index}");
        // SAFETY: inside the mapping, which is page-aligned, and nobody writes it but by atomic additions.
        unsafe { self.first.add(index).as_ref() }.load(Ordering::Relaxed)
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: made by `map` with this length, and no reference into it outlives the value.
        if let Err(error) = unsafe { munmap(self.first.as_ptr().cast(), Self::BYTES) } {
            tracing::debug!("the counters cannot be unmapped: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn counters_are_read_in_place() {
        let mut file = tempfile::tempfile().expect("a file");
        let numbers: Vec<u8> = (0..COUNT as u64).flat_map(|n| (n * 10 + 7).to_ne_bytes()).collect();
        file.write_all(&numbers).expect("written");
        let counters = Counters::map(&file).expect("mapped");
        assert_eq!(counters.drops(), 7);
        assert_eq!(counters.args_full(ProbeId::Fork), (16 + 120) * 10 + 7);
    }
}
