//! What a project asserts.

use gemscope_engine::Tally;

use crate::kind::Kind;

/// Numbers that must not be exceeded, and some that must be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How much more may be held at the last mark than at the first.
    pub growth: Vec<(Kind, u64)>,
    /// Those of growth are of this very run, and not of all runs of a project: without marks the answer is not clean.
    pub growth_is_asked: bool,
    /// How much may be held at once.
    pub budgets: Vec<(Kind, u64)>,
    /// How much has to be held at some moment.
    pub least: Vec<(Kind, u64)>,
    /// How long something may be held, ns.
    pub older_ns: Option<u64>,
    /// Cycles to leave out at the beginning, while pools fill; a quarter of them by default.
    pub warm_up: Option<u32>,
}

impl Kind {
    /// How much of this kind a tally has.
    #[must_use]
    pub const fn of(self, tally: &Tally) -> u64 {
        match self {
            Self::Handles => tally.handles,
            Self::Dmabufs => tally.dmabufs,
            Self::Attachments => tally.attachments,
            Self::Framebuffers => tally.framebuffers,
            Self::Objects => tally.objects,
            Self::Bytes => tally.bytes,
        }
    }
}
