//! The records of a trace, thread by thread.

use gemscope_common::{Attachment, Buf, Flags, Gem, Layout, Phase, ProbeId, Record, Settle};
use rustc_hash::FxHashMap;

/// No record.
pub(super) const NONE: u32 = u32::MAX;

/// Which probes were attached, by phase.
#[derive(Clone, Debug, Default)]
pub struct Attached(Vec<(ProbeId, Phase)>);

impl Attached {
    /// Adds a probe's phase.
    pub fn add(&mut self, probe: ProbeId, phase: Phase) {
        if !self.has(probe, phase) {
            self.0.push((probe, phase));
        }
    }

    /// Was it attached there?
    #[must_use]
    pub fn has(&self, probe: ProbeId, phase: Phase) -> bool {
        self.0.contains(&(probe, phase))
    }
}

/// Why a record has no prediction; nothing when it may have one.
pub(super) const fn unpredicted(probe: ProbeId) -> Option<&'static str> {
    Some(match probe {
        ProbeId::Fork | ProbeId::Exec | ProbeId::Exit => "of a process, not of a buffer",
        ProbeId::Scope | ProbeId::Settle | ProbeId::SeenFd | ProbeId::Missed | ProbeId::Mark => {
            "made by user space"
        }
        ProbeId::ImportDev | ProbeId::ImportNoMap => "which hook a driver imports by is the driver's choice",
        ProbeId::ObjectLookup => "who looks a handle up is a driver's choice",
        ProbeId::FbRelease => "only a device with a display has it, and nothing rests on it",
        ProbeId::MoveNotify => "when a buffer moves is a driver's choice",
        _ => return None,
    })
}

/// The records, and for each the next one of the same thread that a prediction may be about.
pub(super) struct Trace<'a> {
    pub records: &'a [Record],
    next: Vec<u32>,
    /// `object-release` and `object-init`, by address: (record, is it a release).
    lives: FxHashMap<u64, Vec<(u32, bool)>>,
    pub attached: &'a Attached,
    /// Everything had ended by the end of the trace.
    pub settled: bool,
}

impl<'a> Trace<'a> {
    pub fn new(records: &'a [Record], attached: &'a Attached) -> Self {
        let mut next = vec![NONE; records.len()];
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        for (ix, record) in records.iter().enumerate().rev() {
            next[ix] = last.get(&record.header.tid).copied().unwrap_or(NONE);
            if record.probe().is_some_and(|p| unpredicted(p).is_none()) {
                last.insert(record.header.tid, ix as u32);
            }
        }
        let mut lives: FxHashMap<u64, Vec<(u32, bool)>> = FxHashMap::default();
        for (ix, record) in records.iter().enumerate() {
            if let Some(probe @ (ProbeId::ObjectInit | ProbeId::ObjectRelease)) = record.probe() {
                let obj = record.payload::<Gem>().obj;
                lives.entry(obj).or_default().push((ix as u32, probe == ProbeId::ObjectRelease));
            }
        }
        Self { records, next, lives, attached, settled: settled(records) }
    }

    pub fn get(&self, ix: u32) -> Option<&'a Record> {
        self.records.get(ix as usize)
    }

    /// The thread's next record.
    pub fn next(&self, ix: u32) -> u32 {
        self.next.get(ix as usize).copied().unwrap_or(NONE)
    }

    /// Is this record of this probe and phase?
    pub fn is(&self, ix: u32, probe: ProbeId, phase: Phase) -> bool {
        self.get(ix).is_some_and(|r| r.probe() == Some(probe) && r.phase() == Some(phase))
    }

    /// The thread's records from `ix` on.
    pub fn from(&self, ix: u32) -> impl Iterator<Item = (u32, &'a Record)> + '_ {
        let mut at = ix;
        std::iter::from_fn(move || {
            let record = self.get(at)?;
            let here = at;
            at = self.next(at);
            Some((here, record))
        })
    }

    /// The next record of this probe and phase in the call that begins at `ix`, before the call's own return.
    pub fn within(&self, ix: u32, probe: ProbeId, phase: Phase) -> Option<&'a Record> {
        self.index_within(ix, probe, phase).map(|(_, r)| r)
    }

    /// See [`Self::within`]; with its number.
    pub fn index_within(&self, ix: u32, probe: ProbeId, phase: Phase) -> Option<(u32, &'a Record)> {
        let own = self.get(ix)?.probe();
        let mut rest = self.from(ix).skip(1);
        let found = rest.find(|(_, r)| {
            r.probe() == Some(probe) && r.phase() == Some(phase)
                || r.probe() == own && r.phase() == Some(Phase::Return)
        })?;
        (found.1.probe() == Some(probe) && found.1.phase() == Some(phase)).then_some(found)
    }

    /// The return of the call whose entry is `ix`.
    pub fn return_of(&self, ix: u32) -> Option<&'a Record> {
        let probe = self.get(ix)?.probe()?;
        /// Longer than any call that ends.
        const LONGEST: usize = 1 << 16;
        let mut depth = 0;
        self.from(ix).take(LONGEST).find_map(|(_, r)| {
            if r.probe() != Some(probe) {
                return None;
            }
            match r.phase()? {
                Phase::Entry => depth += 1,
                Phase::Return => depth -= 1,
                Phase::Point => {}
            }
            (depth <= 0 && r.phase() == Some(Phase::Return)).then_some(r)
        })
    }

    /// Does the object at this address end after record `ix`, before another begins there?
    pub fn ends_after(&self, addr: u64, ix: u32) -> bool {
        let after = |l: &&(u32, bool)| l.0 > ix || ix == NONE;
        self.lives.get(&addr).is_some_and(|l| l.iter().find(after).is_some_and(|l| l.1))
    }

    /// Is another thread attaching a device to a dma-buf, or detaching one, around this record?
    pub fn attaches_near(&self, buf: u64, ix: u32) -> bool {
        const NEAR: usize = 256;
        let (ix, tid) = (ix as usize, self.get(ix).map_or(0, |r| r.header.tid));
        let around = self.records.iter().skip(ix.saturating_sub(NEAR)).take(2 * NEAR);
        let mut others = around.filter(|r| r.header.tid != tid);
        others.any(|r| {
            matches!(r.probe(), Some(ProbeId::Attach | ProbeId::Detach))
                && r.payload::<Attachment>().dma_buf == buf
        })
    }

    /// Does no fd of this dma-buf close after this record, before its file goes?
    pub fn is_last_close(&self, buf: u64, ix: u32) -> bool {
        let after = self.records.get(ix as usize + 1..).unwrap_or_default();
        let next = after.iter().find(|r| {
            matches!(r.probe(), Some(ProbeId::BufFdClose | ProbeId::BufFileRelease))
                && r.payload::<Buf>().dma_buf == buf
        });
        next.is_none_or(|r| r.probe() == Some(ProbeId::BufFileRelease))
    }

    /// Was the last reference of a dma-buf that no process has had put before this record? Its release comes later, on the way
    /// back to user space, and without another put.
    pub fn is_last_used(&self, buf: u64, ix: u32) -> bool {
        let after = self.records.get(ix as usize + 1..).unwrap_or_default();
        let of_buf = |r: &&Record| {
            matches!(r.probe().map(ProbeId::layout), Some(Layout::Buf)) && r.payload::<Buf>().dma_buf == buf
        };
        after.iter().find(of_buf).is_some_and(|r| r.probe() == Some(ProbeId::BufFileRelease))
    }
}

/// Has everything ended by the end of the trace?
fn settled(records: &[Record]) -> bool {
    let settle = records.iter().rev().find(|r| r.probe() == Some(ProbeId::Settle));
    settle.is_some_and(|r| {
        let p: &Settle = r.payload();
        p.alive == 0 && p.cut == 0 && p.scan == 1 && p.unreadable == 0
    })
}

/// An `int` or a pointer that a call returned: 0 or above, or an errno.
pub(super) fn result(record: &Record, pointer: bool) -> i16 {
    let ret = record.header.ret;
    let number = if pointer { ret } else { i64::from(record.ret_i32()) };
    if (-4095..0).contains(&number) { number as i16 } else { 0 }
}

/// Could all fields of this record be read?
pub(super) const fn readable(record: &Record) -> bool {
    record.header.flags & (Flags::READ_FAULT | Flags::NO_ARGS) == 0
}
