//! Every interleaving of a scenario.
//!
//! States are walked in layers, one step deeper each: the first bad state found is at the end of a shortest
//! way. A state is visited once, however many ways lead to it, and the ways are counted as they meet. Three things
//! make it smaller without losing an outcome: a step that no other thread can tell from an earlier one is made at once
//! (partial-order reduction), threads with the same program are interchangeable (symmetry), and a lock is
//! taken together with what it is taken for.
//!
//! The crate starts no threads: the caller lends a [`Crew`].

mod layer;
mod observe;
mod symmetry;
mod way;

pub use layer::Progress;
pub use observe::{Observation, Observed, Watcher, observe};
pub use way::{Line, Way, tell};

use crate::machine::Machine;
use crate::state::Kernel;
use crate::truth::Fact;

/// Workers that the caller lends.
pub trait Crew: Sync {
    /// How many work at a time.
    fn hands(&self) -> usize;
    /// Does every job, each once, in any order, and comes back when all are done.
    fn each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// One worker: the caller.
pub struct Alone;

impl Crew for Alone {
    fn hands(&self) -> usize {
        1
    }

    fn each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that states may take.
    pub memory: usize,
    /// States visited at most.
    pub states: u64,
    /// Steps that nobody else can notice are made at once.
    pub reduce: bool,
    /// Threads with the same program are interchangeable.
    pub symmetry: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 2 << 30, states: u64::MAX, reduce: true, symmetry: true }
    }
}

/// One step of a way: which thread, and how it went where it could go two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// The thread.
    pub thread: u8,
    /// 1: the call failed where it could.
    pub choice: u8,
}

/// Something wrong, with a shortest way to it.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is wrong.
    pub fact: Fact,
    /// How it comes to it.
    pub way: Vec<Move>,
}

/// What an exploration found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Different states.
    pub states: u64,
    /// Steps from state to state.
    pub steps: u64,
    /// Ways from the beginning to an end, each standing for all that differ only in steps that nobody can notice.
    pub interleavings: u128,
    /// Different states at the end.
    pub ends: u64,
    /// How many of those have something wrong.
    pub bad_ends: u64,
    /// Nothing was left out.
    pub exhausted: bool,
    /// Steps of the longest way.
    pub longest: usize,
    /// Each thing that can be wrong, shortest way first.
    pub found: Vec<Found>,
}

impl Machine {
    /// Makes a step, and then every step that nobody else can notice.
    pub(crate) fn advance<S: crate::step::Sink>(
        &self,
        k: &mut Kernel,
        go: Move,
        limits: &Limits,
        sink: &mut S,
    ) {
        self.step(k, usize::from(go.thread), usize::from(go.choice), sink);
        if !limits.reduce {
            return;
        }
        loop {
            let quiet = |t: &usize| self.enabled(k, *t) && self.choices(k, *t) == 1 && self.is_private(k, *t);
            let Some(t) = self.active(k).find(quiet) else { return };
            self.step(k, t, 0, sink);
        }
    }

    /// Every step that can be made.
    pub fn moves(&self, k: &Kernel) -> impl Iterator<Item = Move> {
        let enabled = self.active(k).filter(|t| self.enabled(k, *t));
        enabled.flat_map(|t| (0..self.choices(k, t)).map(move |c| Move { thread: t as u8, choice: c as u8 }))
    }
}

/// Walks every interleaving.
pub fn explore(
    machine: &Machine,
    limits: &Limits,
    crew: &dyn Crew,
    progress: &mut dyn FnMut(&Progress),
) -> Outcome {
    layer::walk(machine, limits, crew, progress)
}
