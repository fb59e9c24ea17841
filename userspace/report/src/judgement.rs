//! What the engine said, taken out of it in an order that does not depend on hashing.

use std::collections::BTreeMap;

use gemscope_engine::{Counts, Doubt, Engine, Finding, Held, Holder, HolderKind, Notes, Verdict};

/// Everything that is reported of an engine's work.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Every finding, in the order they were made.
    pub findings: Vec<Finding>,
    /// What is legal today and was close to a bug; no part of the answer.
    pub near_misses: Vec<Finding>,
    /// dma-bufs that processes held at the end, told and not judged.
    pub held: Vec<Held>,
    /// The overall answer.
    pub verdict: Verdict,
    /// Reasons to doubt a clean answer, told beside certain findings too.
    pub doubts: Vec<Doubt>,
    /// Things that are told but not judged.
    pub notes: Notes,
    /// How much was seen.
    pub counts: Counts,
    /// Names of the processes that all of this speaks of, untrusted bytes.
    pub comms: BTreeMap<u32, Vec<u8>>,
}

impl Judgement {
    /// Takes it out of an engine.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let mut comms = BTreeMap::new();
        let findings = engine.findings().iter().chain(engine.near_misses()).flat_map(processes);
        let holders = engine.held_outside().iter().flat_map(|h| &h.holders).flat_map(of_holder);
        for tgid in findings.chain(holders).filter(|tgid| *tgid != 0) {
            if let Some(comm) = engine.comm(tgid) {
                comms.insert(tgid, comm.to_vec());
            }
        }
        Self {
            findings: engine.findings().to_vec(),
            near_misses: engine.near_misses().to_vec(),
            held: engine.held_outside().to_vec(),
            verdict: engine.verdict(),
            doubts: engine.doubts(),
            notes: engine.notes(),
            counts: engine.counts(),
            comms,
        }
    }

    /// What there is to say beside one finding: it alone, and everything that a header tells. Cheap, however many
    /// findings there are.
    #[must_use]
    pub fn of_one(engine: &Engine, number: u32) -> Self {
        let findings: Vec<Finding> =
            engine.findings().iter().filter(|f| f.number == number).cloned().collect();
        let tgids = findings.iter().flat_map(processes).filter(|tgid| *tgid != 0);
        let comms = tgids.filter_map(|tgid| Some((tgid, engine.comm(tgid)?.to_vec()))).collect();
        Self {
            findings,
            near_misses: Vec::new(),
            held: Vec::new(),
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

/// Every process that a finding speaks of; 0 where one is not known.
fn processes(finding: &Finding) -> impl Iterator<Item = u32> {
    let held = finding.holders.iter().flat_map(of_holder);
    let told = finding.life.iter().chain(&finding.conflict).map(|e| e.at.tgid);
    [finding.event.at.tgid].into_iter().chain(held).chain(told)
}

/// Who took a reference, and who has it.
fn of_holder(holder: &Holder) -> [u32; 2] {
    let has = match holder.kind {
        HolderKind::Fd { tgid, .. } | HolderKind::PathFd { tgid, .. } | HolderKind::Mapping { tgid } => tgid,
        _ => 0,
    };
    [holder.taken.tgid, has]
}
