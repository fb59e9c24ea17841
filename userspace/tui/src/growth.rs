//! How fast things grow: a short history of surveys, and what was there when the user set a mark. Bounded: a point a
//! second, two minutes of them.

use std::collections::VecDeque;

use gemscope_report::chronicle::Subject;
use gemscope_report::survey::{Kind, Process, Survey, Totals};
use rustc_hash::FxHashMap;

/// References and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub refs: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn of(p: &Process) -> Self {
        let refs = u64::from(p.handles) + u64::from(p.fds) + u64::from(p.maps) + u64::from(p.framebuffers);
        Self { refs, bytes: p.own + p.shared }
    }

    /// What has come since then.
    pub fn since(self, then: Self) -> (i64, i64) {
        let diff = |now: u64, then: u64| (i128::from(now) - i128::from(then)) as i64;
        (diff(self.refs, then.refs), diff(self.bytes, then.bytes))
    }
}

pub(crate) type SiteKey = (Kind, u32, i32, i32);

/// Amounts at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    pub at_ns: u64,
    pub processes: FxHashMap<u32, Amount>,
    pub sites: FxHashMap<SiteKey, Amount>,
    pub totals: Totals,
}

impl Moment {
    pub fn of(survey: &Survey, at_ns: u64) -> Self {
        let sites = survey.sites.iter();
        Self {
            at_ns,
            processes: survey.processes.iter().map(|p| (p.tgid, Amount::of(p))).collect(),
            sites: sites.map(|s| (s.key(), Amount { refs: s.count, bytes: s.bytes })).collect(),
            totals: survey.totals,
        }
    }
}

/// Growth a minute, of references and of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    pub refs: f64,
    pub bytes: f64,
}

/// The history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growth {
    moments: VecDeque<Moment>,
}

impl Growth {
    const EVERY_NS: u64 = 1_000_000_000;
    const KNOWN_NS: u64 = 5_000_000_000;
    const MOST: usize = 121;

    pub fn note(&mut self, survey: &Survey, now_ns: u64) {
        // A replay was turned back: what is after this has not happened yet.
        while self.moments.back().is_some_and(|m| m.at_ns > now_ns) {
            self.moments.pop_back();
        }
        if self.moments.back().is_some_and(|m| now_ns - m.at_ns < Self::EVERY_NS) {
            return;
        }
        if self.moments.len() >= Self::MOST {
            self.moments.pop_front();
        }
        self.moments.push_back(Moment::of(survey, now_ns));
    }

    fn base(&self, now_ns: u64) -> Option<(&Moment, f64)> {
        const SPAN_NS: u64 = 120_000_000_000;
        let base = self.moments.iter().find(|m| m.at_ns + SPAN_NS >= now_ns)?;
        let span = now_ns.checked_sub(base.at_ns).filter(|span| *span >= Self::KNOWN_NS)?;
        Some((base, span as f64 / 60e9))
    }

    fn rate(then: Amount, now: Amount, minutes: f64) -> Rate {
        let (refs, bytes) = now.since(then);
        Rate { refs: refs as f64 / minutes, bytes: bytes as f64 / minutes }
    }

    /// `None` until enough is known.
    pub fn process(&self, tgid: u32, now: Amount, now_ns: u64) -> Option<Rate> {
        let (base, minutes) = self.base(now_ns)?;
        Some(Self::rate(base.processes.get(&tgid).copied().unwrap_or_default(), now, minutes))
    }

    /// `None` until enough is known.
    pub fn site(&self, key: &SiteKey, now: Amount, now_ns: u64) -> Option<Rate> {
        let (base, minutes) = self.base(now_ns)?;
        Some(Self::rate(base.sites.get(key).copied().unwrap_or_default(), now, minutes))
    }
}

/// What was there when the user said so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub moment: Moment,
    pub findings: u32,
    /// references to each buffer
    buffers: FxHashMap<Subject, u32>,
}

impl Mark {
    pub fn of(survey: &Survey, findings: usize, now_ns: u64) -> Self {
        Self {
            moment: Moment::of(survey, now_ns),
            findings: findings as u32,
            buffers: survey.buffers.iter().map(|b| (b.key(), b.holders())).collect(),
        }
    }

    /// How many references a buffer had; `None` for one that is new.
    pub fn buffer(&self, key: Subject) -> Option<u32> {
        self.buffers.get(&key).copied()
    }
}

/// A difference as a sort key: the most grown highest.
pub(crate) fn signed_key(n: i64) -> u64 {
    (n as u64) ^ (1 << 63)
}

/// The same of a rate; what is not known lies lowest.
pub(crate) fn rate_key(rate: Option<f64>) -> u64 {
    rate.map_or(0, |r| signed_key((r * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(bytes: u64) -> Survey {
        let process = Process { tgid: 7, handles: (bytes / 10) as u32, own: bytes, ..Process::default() };
        Survey { processes: vec![process], ..Survey::default() }
    }

    #[test]
    fn growth_is_known_after_five_seconds_and_goes_back_in_time() {
        let second = 1_000_000_000;
        let mut growth = Growth::default();
        let amount = |bytes| Amount { refs: bytes / 10, bytes };
        for s in 0..=4u64 {
            growth.note(&survey(100 * s), s * second);
            assert_eq!(growth.process(7, amount(100 * s), s * second), None);
        }
        assert_eq!(growth.process(7, amount(600), 6 * second), Some(Rate { refs: 600.0, bytes: 6000.0 }));
        growth.note(&survey(0), 0);
        assert_eq!(growth.moments.len(), 1);
        for s in 0..1000u64 {
            growth.note(&survey(100 * s), s * second);
        }
        assert_eq!(growth.moments.len(), Growth::MOST);
    }
}
