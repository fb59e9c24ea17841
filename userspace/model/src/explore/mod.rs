//! Every interleaving of a scenario.
//!
//! States are walked in layers, one step deeper each: the first bad state found is at the end of a shortest
//! way. Steps made at once count as many, so that ways that meet do so in one layer. A state is visited once, however many ways lead to it, and the ways are counted as they meet. Three things
//! make it smaller without losing an outcome: a step that no other thread can tell from an earlier one is made at once
//! (partial-order reduction), threads with the same program are interchangeable (symmetry), and a lock is
//! taken together with what it is taken for.
//!
//! The crate starts no threads: the caller lends a [`Crew`].

mod layer;
mod observe;
mod pile;
mod play;
mod symmetry;
mod way;

pub use layer::Progress;
pub use observe::{Observation, Observed, Watcher, observe};
pub use play::{play, run};
pub use way::{Did, Line, Part, Way, tell};

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

/// A single step that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// By which thread.
    pub thread: usize,
    /// Where in its program it stood.
    pub from: u16,
    /// Which way it went.
    pub choice: usize,
}

impl Machine {
    /// Makes a step, and then every step that nobody else can notice. Tells how many it made.
    pub(crate) fn advance<S: crate::step::Sink>(
        &self,
        k: &mut Kernel,
        go: Move,
        limits: &Limits,
        sink: &mut S,
    ) -> u16 {
        self.advance_told(k, go, limits, sink, &mut |_, _, _| {})
    }

    /// The same; `made` is told of each single step.
    pub(crate) fn advance_told<S: crate::step::Sink>(
        &self,
        k: &mut Kernel,
        go: Move,
        limits: &Limits,
        sink: &mut S,
        made: &mut impl FnMut(&Kernel, Made, &mut S),
    ) -> u16 {
        let mut step = |k: &mut Kernel, thread: usize, choice: usize| {
            let from = k.threads[thread].pc;
            self.step(k, thread, choice, sink);
            made(k, Made { thread, from, choice }, sink);
        };
        step(k, usize::from(go.thread), usize::from(go.choice));
        let mut steps = 1;
        if !limits.reduce {
            return steps;
        }
        loop {
            let quiet = |t: &usize| self.is_private(k, *t) && self.choices(k, *t) == 1 && self.enabled(k, *t);
            let Some(t) = self.active(k).find(quiet) else { return steps };
            step(k, t, 0);
            steps += 1;
        }
    }

    /// Every step that can be made in a state.
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
