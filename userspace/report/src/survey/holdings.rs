//! Which processes hold which dma-bufs, as one look at all of them found.

use gemscope_common::{SeenFd, seen};
use gemscope_engine::HolderKind;
use rustc_hash::FxHashMap;

/// The fds, mappings and paths of dma-bufs of all processes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    by_ino: FxHashMap<u64, Vec<HolderKind>>,
    sizes: FxHashMap<u64, u64>,
    /// when, `CLOCK_MONOTONIC` ns
    pub at_ns: u64,
    /// processes that could not be looked at
    pub unreadable: u32,
}

impl Holdings {
    /// From what a scan saw.
    #[must_use]
    pub fn new(seen: &[SeenFd], at_ns: u64, unreadable: u32) -> Self {
        let mut holdings = Self { at_ns, unreadable, ..Self::default() };
        for one in seen {
            let kind = match one.kind {
                seen::FD => HolderKind::Fd { tgid: one.tgid, fd: one.fd },
                seen::MAPPING => HolderKind::Mapping { tgid: one.tgid },
                seen::PATH => HolderKind::PathFd { tgid: one.tgid, fd: one.fd },
                _ => continue,
            };
            let holders = holdings.by_ino.entry(one.ino).or_default();
            if !holders.contains(&kind) {
                holders.push(kind);
            }
            // A part of a dma-buf may be mapped: that is not its size.
            if one.kind != seen::MAPPING {
                holdings.sizes.insert(one.ino, one.size);
            }
        }
        holdings
    }

    /// Who holds the dma-buf with this inode number.
    #[must_use]
    pub fn of(&self, ino: u64) -> &[HolderKind] {
        self.by_ino.get(&ino).map_or(&[], Vec::as_slice)
    }

    /// Its bytes; 0 when not seen.
    #[must_use]
    pub fn size(&self, ino: u64) -> u64 {
        self.sizes.get(&ino).copied().unwrap_or(0)
    }

    /// Every dma-buf that was seen, by inode number.
    #[must_use]
    pub fn inodes(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.by_ino.keys().copied().collect();
        all.sort_unstable();
        all
    }
}
