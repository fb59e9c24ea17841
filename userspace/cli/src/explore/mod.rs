//! What `gemscope explore` found, as text and as JSON lines. The walk is the model's.
//!
//! It is here and not with the reports because only this crate knows both the model and people.

mod crew;
mod lines;
mod table;
mod text;

use gemscope_model::{Era, Found, Limits, Machine, Outcome, Progress, Scenario, Way, tell_way};

pub use crew::Crew;
pub use lines::{Line, ScenarioLine, Summary};
pub use text::{overview, tell};

/// A scenario explored under one era.
pub struct Explored<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The rules.
    pub era: Era,
    /// Its programs under them.
    pub machine: Machine,
    /// What was asked.
    pub limits: Limits,
    /// What was found.
    pub outcome: Outcome,
}

impl<'a> Explored<'a> {
    /// Walks every interleaving.
    #[must_use]
    pub fn of(
        scenario: &'a Scenario,
        era: Era,
        limits: Limits,
        crew: &Crew,
        progress: &mut dyn FnMut(&Progress),
    ) -> Self {
        let machine = scenario.machine(era, false);
        let outcome = gemscope_model::explore(&machine, &limits, crew, progress);
        Self { scenario, era, machine, limits, outcome }
    }

    /// Was something bad found?
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !self.outcome.found.is_empty()
    }

    /// Everything that is wrong: the kernel's faults first, each sort by the length of its way.
    fn found(&self) -> Vec<&Found> {
        let mut found: Vec<&Found> = self.outcome.found.iter().collect();
        found.sort_by_key(|f| (f.fact.wrong().is_misuse(), f.way.len()));
        found
    }

    /// Is all that is wrong the doing of user space?
    fn is_misuse_only(&self) -> bool {
        self.is_bad() && self.outcome.found.iter().all(|f| f.fact.wrong().is_misuse())
    }

    /// The worst thing found, and its way told.
    fn worst(&self) -> Option<(&Found, Way)> {
        let worst = worst(&self.outcome)?;
        Some((worst, tell_way(&self.machine, &self.limits, &worst.way)))
    }
}

/// The one of all found that is shown: a fault of the kernel before one of user space, a shorter way before a longer one.
#[must_use]
pub fn worst(outcome: &Outcome) -> Option<&Found> {
    outcome.found.iter().min_by_key(|f| (f.fact.wrong().is_misuse(), f.way.len()))
}
