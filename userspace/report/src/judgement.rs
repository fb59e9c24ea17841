//! What the engine said, taken out of it in an order that does not depend on hashing.

use std::collections::BTreeMap;

use gemscope_engine::{Counts, Doubt, Engine, Finding, Held, Holder, HolderKind, Notes, Verdict};
use gemscope_policy::{Breach, Outcome};

use crate::names::doubt;
use crate::text::outcome::sentence;

/// Everything that is reported of an engine's work.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Every finding, in the order they were made.
    pub findings: Vec<Finding>,
    /// What is legal today and was close to a bug; no part of the answer.
    pub near_misses: Vec<Finding>,
    /// dma-bufs that processes held at the end, told and not judged.
    pub held: Vec<Held>,
    /// The overall answer: the engine's, and with [`Judgement::apply`] the policy's too.
    pub verdict: Verdict,
    /// What the project asserted and what it lets pass.
    pub outcome: Outcome,
    /// Nobody whom it is about made anything: a clean answer says little.
    pub idle: bool,
    /// Reasons to doubt a clean answer, told beside certain findings too.
    pub doubts: Vec<Doubt>,
    /// Things that are told but not judged.
    pub notes: Notes,
    /// How much was seen.
    pub counts: Counts,
    /// Names of the processes that all of this speaks of, untrusted bytes.
    pub comms: BTreeMap<u32, Vec<u8>>,
}

/// Nothing was seen.
impl Default for Judgement {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            near_misses: Vec::new(),
            held: Vec::new(),
            verdict: Verdict::Clean,
            outcome: Outcome::default(),
            idle: false,
            doubts: Vec::new(),
            notes: Notes::default(),
            counts: Counts::default(),
            comms: BTreeMap::new(),
        }
    }
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
            comms,
            ..Self::beside(engine)
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
        Self { findings, comms, ..Self::beside(engine) }
    }

    /// What there is to say whatever was found.
    fn beside(engine: &Engine) -> Self {
        Self {
            verdict: engine.verdict(),
            doubts: engine.doubts(),
            notes: engine.notes(),
            counts: engine.counts(),
            ..Self::default()
        }
    }

    /// Takes in what the policy says: the answer is that of what stands.
    pub fn apply(&mut self, engine: &Engine, outcome: Outcome) {
        self.outcome = outcome;
        let taken = self.outcome.breaches.iter().flat_map(|b| &b.shares).map(|share| share.taken.tgid);
        for tgid in taken.filter(|tgid| *tgid != 0) {
            if let Some(comm) = engine.comm(tgid) {
                self.comms.insert(tgid, comm.to_vec());
            }
        }
        self.verdict = if self.certain() > 0 {
            Verdict::Findings
        } else if self.uncertain() == 0 && self.doubts.is_empty() && self.outcome.unjudged.is_empty() {
            Verdict::Clean
        } else {
            Verdict::Undecided(self.doubts.clone())
        };
    }

    /// Findings that nothing set aside.
    pub fn standing(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| self.outcome.aside(f.number).is_none())
    }

    /// Broken assertions that nothing set aside.
    pub fn breaches(&self) -> impl Iterator<Item = &Breach> {
        self.outcome.standing()
    }

    /// Findings and broken assertions that stand and that no loss can have changed.
    #[must_use]
    pub fn certain(&self) -> usize {
        let findings = self.standing().filter(|f| !f.tainted).count();
        findings + self.breaches().filter(|b| !b.tainted).count()
    }

    /// Findings and broken assertions that stand, and that loss could explain away.
    #[must_use]
    pub fn uncertain(&self) -> usize {
        let findings = self.standing().filter(|f| f.tainted).count();
        findings + self.breaches().filter(|b| b.tainted).count()
    }

    /// Why the answer is not certain: what, and what would help.
    pub fn reasons(&self) -> impl Iterator<Item = (String, String)> {
        self.reasons_beside(&self.doubts)
    }

    /// These doubts, and the assertions that could not be judged.
    pub(crate) fn reasons_beside(&self, doubts: &[Doubt]) -> impl Iterator<Item = (String, String)> {
        let doubts = doubts.iter().map(|d| doubt(*d)).map(|(what, advice)| (what, advice.to_owned()));
        let unjudged = self.outcome.unjudged.iter().map(|kept| {
            (
                format!("{}: {}", kept.name, sentence(&kept.text)),
                "give it what it is judged by, or do not ask for it".to_owned(),
            )
        });
        doubts.chain(unjudged)
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
