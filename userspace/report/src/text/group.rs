//! Findings that differ in nothing but their numbers: the first few are told, the others counted.

use gemscope_engine::{Finding, LifeEvent, RuleId};
use rustc_hash::FxHashMap;

/// How many of a kind are told in full.
const TOLD: usize = 3;

/// Findings of one kind: the same rule, broken and begun in the same places.
#[derive(PartialEq, Eq, Hash)]
struct Kind(RuleId, bool, Place, Option<Place>);

/// What happened, and its kernel and user stack.
type Place = (&'static str, i32, i32);

fn place(e: &LifeEvent) -> Place {
    (e.what.text(), e.at.kstack.max(-1), e.at.ustack.max(-1))
}

fn kind(f: &Finding) -> Kind {
    Kind(f.rule, f.tainted, place(&f.event), f.conflict.as_ref().map(place))
}

/// What there is of one kind.
#[derive(Clone, Copy, Default)]
struct Size {
    findings: usize,
    told: usize,
    /// of those that are not told
    bytes: u64,
}

/// What to make of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Tell it.
    Full,
    /// Tell it, and that there are so many more like it, of so many bytes.
    AndMore(usize, u64),
    /// It was counted.
    Nothing,
}

/// All findings of a report, by kind.
pub(crate) struct Groups(FxHashMap<Kind, Size>);

impl Groups {
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut groups: FxHashMap<Kind, Size> = FxHashMap::default();
        for f in findings {
            let size = groups.entry(kind(f)).or_default();
            size.findings += 1;
            if size.findings > TOLD {
                size.bytes += f.bytes;
            }
        }
        Self(groups)
    }

    /// Ask once for each finding, in order.
    pub fn next(&mut self, f: &Finding) -> Tell {
        let Some(size) = self.0.get_mut(&kind(f)) else { return Tell::Full };
        size.told += 1;
        match size.told {
            TOLD if size.findings > TOLD => Tell::AndMore(size.findings - TOLD, size.bytes),
            n if n > TOLD => Tell::Nothing,
            _ => Tell::Full,
        }
    }
}
