//! Where things are drawn: which tracks there are, and how they are numbered.
//!
//! The numbers are made of what a track stands for, so that telling of one again is harmless and nothing has to be
//! remembered of those that are gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

const fn number(kind: u64, a: u32, b: u32) -> u64 {
    (kind << 60) | ((a as u64 & 0x0fff_ffff) << 32) | b as u64
}

/// Everything that is of no one process.
pub(super) const MACHINE: u64 = number(1, 0, 1);
/// Marks and losses.
pub(super) const RECORDING: u64 = number(1, 0, 2);
/// Live handles.
pub(super) const HANDLES: u64 = number(1, 0, 3);
/// Bytes of live buffers.
pub(super) const BYTES: u64 = number(1, 0, 4);

/// A process.
pub(super) const fn process(tgid: u32) -> u64 {
    number(2, 0, tgid)
}

/// Live handles that a process created.
pub(super) const fn process_handles(tgid: u32) -> u64 {
    number(3, 0, tgid)
}

/// Bytes that a process has handles on.
pub(super) const fn process_bytes(tgid: u32) -> u64 {
    number(4, 0, tgid)
}

/// A DRM file.
pub(super) const fn file(file: u32) -> u64 {
    number(5, 0, file)
}

/// A handle number of a DRM file: its incarnations come one after the other.
pub(super) const fn handle(file: u32, handle: u32) -> u64 {
    number(6, file, handle)
}

/// A lane of objects.
pub(super) const fn object(lane: u32) -> u64 {
    number(7, 0, lane)
}

/// A lane of dma-bufs.
pub(super) const fn dmabuf(lane: u32) -> u64 {
    number(8, 0, lane)
}

/// Lanes for lives that overlap: each takes the lowest free one.
#[derive(Default)]
pub(super) struct Lanes {
    free: BinaryHeap<Reverse<u32>>,
    made: u32,
    of: FxHashMap<u32, u32>,
}

impl Lanes {
    /// A lane for this one, and whether it is a new one.
    pub fn take(&mut self, id: u32) -> (u32, bool) {
        let (lane, new) = match self.free.pop() {
            Some(Reverse(lane)) => (lane, false),
            None => {
                self.made += 1;
                (self.made, true)
            }
        };
        self.of.insert(id, lane);
        (lane, new)
    }

    /// The lane of this one.
    pub fn of(&self, id: u32) -> Option<u32> {
        self.of.get(&id).copied()
    }

    /// It leaves its lane.
    pub fn leave(&mut self, id: u32) -> Option<u32> {
        let lane = self.of.remove(&id)?;
        self.free.push(Reverse(lane));
        Some(lane)
    }

    /// Those of which this is not true, by rising number.
    pub fn without(&self, lives: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut gone: Vec<u32> = self.of.keys().copied().filter(|id| !lives(*id)).collect();
        gone.sort_unstable();
        gone
    }
}
