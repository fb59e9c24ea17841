//! What the engine said, taken out of it in an order that does not depend on hashing.

use std::collections::BTreeMap;

use gemscope_engine::{Counts, Doubt, Engine, Finding, HolderKind, Notes, Verdict};

/// Everything that is reported of an engine's work.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Every finding, in the order they were made.
    pub findings: Vec<Finding>,
    /// The overall answer.
    pub verdict: Verdict,
    /// Reasons to doubt a clean answer, told beside certain findings too.
    pub doubts: Vec<Doubt>,
    /// Things that are told but not judged.
    pub notes: Notes,
    /// How much was seen.
    pub counts: Counts,
    /// Names of the processes that the findings speak of, untrusted bytes.
    pub comms: BTreeMap<u32, Vec<u8>>,
}

impl Judgement {
    /// Takes it out of an engine.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let mut comms = BTreeMap::new();
        for tgid in engine.findings().iter().flat_map(processes) {
            if let Some(comm) = engine.comm(tgid) {
                comms.insert(tgid, comm.to_vec());
            }
        }
        Self {
            findings: engine.findings().to_vec(),
            verdict: engine.verdict(),
            doubts: engine.doubts(),
            notes: engine.notes(),
            counts: engine.counts(),
            comms,
        }
    }

    /// Findings that no loss can have changed.
    #[must_use]
    pub fn certain(&self) -> usize {
        self.findings.iter().filter(|f| !f.tainted).count()
    }

    /// The word for the overall answer: `clean`, `findings`, `undecided`.
    #[must_use]
    pub const fn verdict_name(&self) -> &'static str {
        match self.verdict {
            Verdict::Clean => "clean",
            Verdict::Findings => "findings",
            Verdict::Undecided(_) => "undecided",
        }
    }
}

/// Every process that a finding speaks of.
fn processes(finding: &Finding) -> impl Iterator<Item = u32> {
    let held = finding.holders.iter().flat_map(|h| {
        let named = match h.kind {
            HolderKind::Fd { tgid, .. } | HolderKind::Mapping { tgid } => tgid,
            _ => 0,
        };
        [h.taken.tgid, named]
    });
    let told = finding.life.iter().chain(&finding.conflict).map(|e| e.at.tgid);
    [finding.event.at.tgid].into_iter().chain(held).chain(told).filter(|tgid| *tgid != 0)
}
