//! What was seen in the tables of processes: who holds which dma-buf by an fd, a mapping or a path.
//!
//! Records tell who was given an fd by an export. They do not tell of copies: dup, fork, a socket, `pidfd_getfd`. A scan
//! tells who holds it at one moment, whichever way it came there. What was seen at the start is kept apart: it tells of
//! dma-bufs older than the trace, and gets old; what was seen for a settle point is the truth of that moment.

use gemscope_common::{SeenFd, Settle, seen};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::engine::Engine;
use crate::entity::{Buf, BufKey};
use crate::finding::{Entity, Held, Holder, HolderKind};
use crate::rules::Class;
use crate::view::Sighting;

/// How much a scan could see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scan {
    /// There was none.
    #[default]
    None,
    /// Not every process.
    Partial,
    /// Every process: who was not seen holds nothing.
    Complete,
}

impl Scan {
    /// The scan before a settle point.
    pub const fn of(p: &Settle) -> Self {
        match p {
            Settle { scan: 1, unreadable: 0, .. } => Self::Complete,
            Settle { scan: 2, .. } => Self::None,
            _ => Self::Partial,
        }
    }
}

/// What was seen of one dma-buf.
#[derive(Clone, Default)]
struct Sight {
    /// 0 when not known.
    size: u64,
    holders: Vec<HolderKind>,
    /// It is on the kernel's own list.
    alive: bool,
    /// It was seen to go since.
    gone: bool,
}

/// What was seen of all dma-bufs, by inode number: nothing else of them can be seen there. It is counted up, so a number
/// does not come again in the time of a trace.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    at_start: FxHashMap<u64, Sight>,
    now: FxHashMap<u64, Sight>,
    scan: Scan,
    /// The kernel's own list was read for this settle point.
    listed: bool,
    held: Vec<Held>,
}

impl Seen {
    /// Takes in what a scan saw.
    pub fn take(&mut self, p: &SeenFd) {
        let (kind, size) = match p.kind {
            seen::FD => (Some(HolderKind::Fd { tgid: p.tgid, fd: p.fd }), p.size),
            // A part of a dma-buf may be mapped.
            seen::MAPPING => (Some(HolderKind::Mapping { tgid: p.tgid }), 0),
            seen::PATH => (Some(HolderKind::PathFd { tgid: p.tgid, fd: p.fd }), p.size),
            seen::ALIVE => (None, p.size),
            // Of a newer gemscope.
            _ => return,
        };
        let sights = if p.at_start == 0 { &mut self.now } else { &mut self.at_start };
        let sight = sights.entry(p.ino).or_default();
        sight.size = sight.size.max(size);
        sight.alive |= kind.is_none();
        if let Some(kind) = kind
            && !sight.holders.contains(&kind)
        {
            sight.holders.push(kind);
        }
    }

    /// The scan before a settle point is complete now.
    pub fn scanned(&mut self, p: &Settle) {
        self.scan = Scan::of(p);
        self.listed = p.listed == 1;
    }

    /// What a scan saw is over with its settle point.
    pub fn forget_scan(&mut self) {
        self.now = FxHashMap::default();
        (self.scan, self.listed) = (Scan::None, false);
    }

    /// One fd of a process is closed. Which one of several is not told, and does not matter.
    pub fn closed(&mut self, ino: u64, tgid: u32) {
        let Some(sight) = self.at_start.get_mut(&ino) else { return };
        let fd = |h: &HolderKind| matches!(h, HolderKind::Fd { tgid: of, .. } if *of == tgid);
        if let Some(ix) = sight.holders.iter().rposition(fd) {
            sight.holders.remove(ix);
        }
    }

    /// For [`Engine::digest`]: what was seen, with whether that was at the start.
    pub fn sights(&self) -> impl Iterator<Item = (u64, bool, u64, usize, bool)> {
        let all = self.at_start.iter().map(|s| (s, true)).chain(self.now.iter().map(|s| (s, false)));
        all.map(|((ino, s), start)| (*ino, start, s.size, s.holders.len(), s.alive))
    }

    /// A dma-buf that was seen at the start is gone.
    pub fn released(&mut self, ino: u64) {
        if let Some(sight) = self.at_start.get_mut(&ino) {
            sight.gone = true;
        }
    }

    /// Its size as a scan saw it; 0 when none did.
    pub fn size(&self, ino: u64) -> u64 {
        self.now.get(&ino).or_else(|| self.at_start.get(&ino)).map_or(0, |s| s.size)
    }

    /// Does the scan show somebody who holds the file of this dma-buf, and not only the path to it (B14)?
    pub fn holds_file(&self, ino: u64) -> bool {
        self.now_holders(ino).iter().any(holds_file)
    }

    /// Does the kernel's own list show that it has no file any more, although its release went unseen?
    pub fn is_gone(&self, ino: u64) -> bool {
        self.listed && ino != 0 && !self.now.get(&ino).is_some_and(|s| s.alive)
    }

    fn now_holders(&self, ino: u64) -> &[HolderKind] {
        self.now.get(&ino).map_or(&[], |s| &s.holders)
    }
}

const fn holds_file(kind: &HolderKind) -> bool {
    !matches!(kind, HolderKind::PathFd { .. })
}

/// The process that holds by an fd, a mapping or a path; 0 when not known.
const fn holding_process(kind: &HolderKind) -> u32 {
    match *kind {
        HolderKind::Fd { tgid, .. } | HolderKind::Mapping { tgid } | HolderKind::PathFd { tgid, .. } => tgid,
        _ => 0,
    }
}

impl Engine {
    /// dma-bufs of the scope that processes held at the last settle point, by number.
    #[must_use]
    pub fn held_outside(&self) -> &[Held] {
        &self.seen.held
    }

    /// dma-bufs that were seen at the start and of which no record has told yet, by rising inode number.
    #[must_use]
    pub fn sightings(&self) -> Vec<Sighting> {
        if self.seen.at_start.is_empty() {
            return Vec::new();
        }
        let known: FxHashSet<u64> = self.state.bufs.values().map(|b| b.ino).collect();
        let unknown = self.seen.at_start.iter().filter(|(ino, s)| !s.gone && !known.contains(ino));
        let mut all: Vec<Sighting> = unknown
            .map(|(ino, s)| {
                let mut holders = s.holders.clone();
                holders.retain(|k| self.reach.is_from_before(holding_process(k)));
                Sighting { ino: *ino, size: s.size, holders, listed: s.alive }
            })
            .collect();
        all.retain(|s| s.listed || !s.holders.is_empty());
        all.sort_unstable_by_key(|s| s.ino);
        all
    }

    /// The fds, mappings and paths by which processes hold a dma-buf, as far as is known now.
    pub(crate) fn process_holders(&self, b: &Buf) -> Vec<Holder> {
        // Most have one or two, and every dma-buf is asked for in turn.
        let mut kinds: SmallVec<[HolderKind; 4]> = SmallVec::new();
        if self.seen.scan == Scan::None {
            let at_start = self.seen.at_start.get(&b.ino).map_or(&[][..], |s| &s.holders);
            let before = |k: &&HolderKind| self.reach.is_from_before(holding_process(k));
            kinds.extend(at_start.iter().filter(before).copied());
        }
        kinds.extend(self.seen.now_holders(b.ino).iter().copied());
        // A complete scan knows better than what was given out once: most of that has been closed since, unseen.
        if self.seen.scan != Scan::Complete {
            let given = b.grants.iter().map(|g| HolderKind::Fd { tgid: g.at.tgid, fd: g.fd });
            for kind in given.filter(|k| self.reach.killed(holding_process(k)).is_none()) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        // What has no file any more has no fd and no mapping either.
        kinds.retain(|k| b.released.is_none() || !holds_file(k));
        let taken = |kind: &HolderKind| {
            let of = |fd: i32, tgid: u32| *kind == HolderKind::Fd { tgid, fd };
            b.grants.iter().find(|g| of(g.fd, g.at.tgid)).map(|g| g.at).unwrap_or_default()
        };
        kinds.into_iter().map(|kind| Holder { taken: taken(&kind), kind }).collect()
    }

    /// At a settle point: which dma-bufs of the scope processes still hold.
    pub(crate) fn note_held(&mut self) {
        let mut bufs: Vec<BufKey> = self.state.bufs.keys().collect();
        bufs.sort_unstable_by_key(|k| self.state.bufs[*k].number);
        let mut held: Vec<Held> = bufs.into_iter().filter_map(|key| self.held(key)).collect();
        self.notes.held_outside = held.iter().filter(|h| h.outside && !h.deferred).count() as u64;
        held.truncate(self.config.max_findings);
        self.seen.held = held;
    }

    fn held(&self, key: BufKey) -> Option<Held> {
        let b = &self.state.bufs[key];
        if !b.in_scope || !b.born.is_known() {
            return None;
        }
        let deferred = b.released.is_some();
        let by_process = |k: &HolderKind| match k {
            HolderKind::Fd { .. } | HolderKind::Mapping { .. } | HolderKind::PathFd { .. } => true,
            // A handle of an open file: the process that has the file, most likely the one that made the handle.
            HolderKind::Cache { .. } => !deferred,
            _ => false,
        };
        let mut holders = self.buf_holders(key);
        holders.retain(|h| by_process(&h.kind));
        // That only the path is held says nothing while the file lives: then something else holds it.
        if !deferred && !holders.iter().any(|h| holds_file(&h.kind)) || holders.is_empty() {
            return None;
        }
        let outside = holders.iter().any(|h| match holding_process(&h.kind) {
            // Who made the handle has ended: somebody else has the file.
            0 => !self.reach.in_scope(h.taken.tgid) || self.reach.killed(h.taken.tgid).is_some(),
            tgid => !self.reach.in_scope(tgid),
        });
        Some(Held { entity: self.buf_entity(key), deferred, outside, holders })
    }

    /// At a settle point: a leak that was told before gets who holds the buffer now.
    pub(crate) fn add_seen_to_findings(&mut self) {
        if self.seen.now.is_empty() {
            return;
        }
        let now = &self.seen.now;
        for finding in self.findings.iter_mut().filter(|f| f.rule.class() == Class::Leak) {
            let mut more: Vec<HolderKind> = Vec::new();
            let through = finding.holders.iter().filter_map(|h| match h.kind {
                HolderKind::Link(e) | HolderKind::Exported(e) => Some(e),
                _ => None,
            });
            for entity in through.chain([finding.entity]) {
                let Entity::DmaBuf { ino, .. } = entity else { continue };
                let holders = now.get(&ino).map_or(&[][..], |s| &s.holders);
                more.extend(holders.iter().filter(|k| finding.holders.iter().all(|h| h.kind != **k)));
            }
            for kind in more {
                if finding.holders.iter().all(|h| h.kind != kind) {
                    finding.holders.push(Holder { kind, taken: crate::finding::Stamp::default() });
                }
            }
        }
    }
}
