//! When handles and dma-bufs lived: collected from happenings while a trace plays, for the timeline.
//!
//! Memory is bounded by what is alive, and of what has ended only the longest lives are kept.

use gemscope_engine::{Stamp, What};
use rustc_hash::FxHashMap;

use crate::happening::Happening;

/// What lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Of {
    /// A handle: number of the file, number in the file.
    Handle(u32, u32),
    /// A dma-buf, by number.
    Dmabuf(u32),
}

/// How a life came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It was alive when the records ended.
    Alive,
    /// The kernel closed it because its file was closed: nobody had.
    Left,
    /// It was given back.
    Closed,
}

/// One life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// what
    pub of: Of,
    /// the object behind it; 0 when not known
    pub object: u32,
    /// who began it, and when
    pub begin: Stamp,
    /// when it ended; the time of the last happening while it is alive
    pub end_ns: u64,
    /// how it ended
    pub end: End,
}

impl Life {
    /// Its length.
    #[must_use]
    pub const fn ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.begin.ts_ns)
    }

    /// What is shown first: what was not given back, then the longest.
    fn rank(&self) -> (bool, std::cmp::Reverse<u64>, u64) {
        (self.end == End::Closed, std::cmp::Reverse(self.ns()), self.begin.seq)
    }
}

/// The lives of a trace.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    open: FxHashMap<Of, Life>,
    ended: Vec<Life>,
    total: u64,
    last_ns: u64,
}

impl Lives {
    /// Of the ended at least so many are kept, and at most twice as many.
    const KEPT: usize = 1024;

    /// Takes in what happened.
    pub fn note(&mut self, h: &Happening) {
        self.last_ns = self.last_ns.max(h.at.ts_ns);
        match h.what {
            What::HandleCreated => self.begin(Of::Handle(h.file, h.handle), h),
            What::Imported if !self.open.contains_key(&Of::Handle(h.file, h.handle)) => {
                self.begin(Of::Handle(h.file, h.handle), h);
            }
            What::HandleClosed => self.end(Of::Handle(h.file, h.handle), h, End::Closed),
            What::HandleClosedByFile => self.end(Of::Handle(h.file, h.handle), h, End::Left),
            What::HandleMoved => self.moved(h),
            What::Exported if h.dmabuf != 0 => self.begin(Of::Dmabuf(h.dmabuf), h),
            What::Released => self.end(Of::Dmabuf(h.dmabuf), h, End::Closed),
            _ => {}
        }
    }

    fn begin(&mut self, of: Of, h: &Happening) {
        self.total += 1;
        let life = Life { of, object: h.object, begin: h.at, end_ns: h.at.ts_ns, end: End::Alive };
        if let Some(old) = self.open.insert(of, life) {
            // Its end was not seen: the number came again.
            self.keep(Life { end_ns: h.at.ts_ns, end: End::Closed, ..old });
        }
    }

    fn end(&mut self, of: Of, h: &Happening, end: End) {
        if let Some(life) = self.open.remove(&of) {
            self.keep(Life { end_ns: h.at.ts_ns, end, ..life });
        }
    }

    /// The handle has another number now; which it had, its object tells.
    fn moved(&mut self, h: &Happening) {
        let same = |l: &&Life| {
            l.object == h.object
                && matches!(l.of, Of::Handle(file, handle) if file == h.file && handle != h.handle)
        };
        let Some(old) = self.open.values().filter(same).min_by_key(|l| l.begin.seq).copied() else { return };
        self.open.remove(&old.of);
        let of = Of::Handle(h.file, h.handle);
        self.open.insert(of, Life { of, ..old });
    }

    fn keep(&mut self, life: Life) {
        self.ended.push(life);
        if self.ended.len() >= 2 * Self::KEPT {
            self.ended.sort_unstable_by_key(Life::rank);
            self.ended.truncate(Self::KEPT);
        }
    }

    /// How many lives began.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The lives that matter most, at most `max`, by their beginning. What is alive is said to end with the records.
    #[must_use]
    pub fn most(&self, max: usize) -> Vec<Life> {
        let alive = self.open.values().map(|l| Life { end_ns: self.last_ns, ..*l });
        let mut all: Vec<Life> = self.ended.iter().copied().chain(alive).collect();
        all.sort_unstable_by_key(Life::rank);
        all.truncate(max);
        all.sort_unstable_by_key(|l| (l.begin.seq, l.of));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(what: What, ts_ns: u64, handle: u32) -> Happening {
        let at = Stamp { seq: ts_ns, ts_ns, ..Stamp::default() };
        Happening { what, at, file: 1, handle, object: handle, dmabuf: 0, fd: -1, size: 0 }
    }

    #[test]
    fn lives_begin_and_end() {
        let mut lives = Lives::default();
        for h in [
            at(What::HandleCreated, 1, 1),
            at(What::HandleCreated, 2, 2),
            at(What::HandleCreated, 3, 3),
            at(What::HandleClosed, 5, 1),
            at(What::HandleClosedByFile, 9, 2),
        ] {
            lives.note(&h);
        }
        let ends: Vec<_> = lives.most(9).iter().map(|l| (l.ns(), l.end)).collect();
        assert_eq!(ends, [(4, End::Closed), (7, End::Left), (6, End::Alive)]);
        // What was given back goes first.
        let left: Vec<_> = lives.most(2).iter().map(|l| l.of).collect();
        assert_eq!(left, [Of::Handle(1, 2), Of::Handle(1, 3)]);
        assert_eq!(lives.total(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut lives = Lives::default();
        for n in 0..20_000 {
            lives.note(&at(What::HandleCreated, 2 * n, 1));
            lives.note(&at(What::HandleClosed, 2 * n + 1, 1));
        }
        assert!(lives.ended.len() <= 2 * Lives::KEPT && lives.open.is_empty());
        assert_eq!(lives.total(), 20_000);
    }

    #[test]
    fn a_moved_handle_lives_on() {
        let mut lives = Lives::default();
        lives.note(&at(What::HandleCreated, 1, 1));
        lives.note(&Happening { object: 1, ..at(What::HandleMoved, 4, 7) });
        lives.note(&at(What::HandleClosed, 6, 7));
        assert_eq!(lives.most(9).iter().map(|l| (l.of, l.ns())).collect::<Vec<_>>(), [(Of::Handle(1, 7), 5)]);
    }
}
