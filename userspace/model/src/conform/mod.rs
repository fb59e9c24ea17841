//! Conformance: does a recorded kernel do what the model says?
//!
//! The operations of a trace are run through the model in the observed order, and every Record that the model predicts
//! is compared with the one that was observed. What the kernel does without a record (it takes and drops locks and references)
//! may have come in many orders: a difference is reported only when no order of these steps explains the records.
//!
//! What is taken from the trace, because user space or a driver decides it: which calls are made, with which handles,
//! which dma-buf an fd is, how long fds live, and whether a call failed for want of memory. Everything else is predicted.

mod begin;
mod compare;
mod instant;
mod names;
mod programs;
mod search;
#[cfg(test)]
mod tests;
mod trace;
mod whatif;
mod words;
mod world;

pub use search::conform;
pub use trace::Attached;
pub use whatif::{Otherwise, Then, WhatIf, what_if};

use gemscope_common::ProbeId;

use crate::truth::Wrong;

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    /// Records that were compared with a prediction.
    pub compared: u64,
    /// Records of which no prediction is made, by probe and reason, most first.
    pub unpredicted: Vec<Unpredicted>,
    /// Operations that were recognised.
    pub operations: u64,
    /// Threads that made them.
    pub threads: u64,
    /// Orders of silent steps that were tried beside the first one.
    pub orders: u64,
    /// Bugs that this era is known to have, and that the run met: what, and at which record.
    pub known: Vec<(Wrong, u64)>,
    /// Where the kernel and the model part.
    pub difference: Option<Difference>,
    /// Why nothing can be said, although nothing differs.
    pub undecided: Option<String>,
}

/// Records without a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpredicted {
    /// Of this probe.
    pub probe: ProbeId,
    /// Why.
    pub why: &'static str,
    /// How many.
    pub count: u64,
}

/// The first record that no order explains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Its number, from 1.
    pub record: u64,
    /// The thread.
    pub tid: u32,
    /// What was observed.
    pub observed: String,
    /// What the model predicts there.
    pub predicted: String,
    /// What differs.
    pub why: String,
    /// What the model knows then.
    pub knows: Vec<String>,
}
