//! The executable kernel: operations in, Records and truth out.
//!
//! The second implementation of the rules, independent of the engine's: it does not watch what a kernel does, it does it, by
//! the rules of a chosen [`Era`], in micro-steps under the kernel's own locks. At every step where a probe sits it can write the
//! Record that the probe would, so that it stands in for a kernel; and it knows the truth, what was lost and what was used
//! too late, so that the engine's work can be marked.
//!
//! What it is not for: judging records, reading files, starting threads. [`explore()`] walks all interleavings with as
//! many workers as the caller gives it.

mod asm;
mod code;
mod conform;
mod effects;
mod emit;
mod era;
mod explore;
mod list;
mod machine;
mod ops;
mod pack;
mod scenario;
mod state;
mod step;
mod tell;
mod truth;

pub use conform::{
    Attached, Conformance, Difference, Otherwise, Then, Unpredicted, WhatIf, conform, what_if,
};
pub use emit::{PAGE, Recorder, TICK_NS};
pub use era::{Era, Quirks};
pub use explore::{
    Alone, Crew, Did, Found, Limits, Line, Move, Observation, Observed, Outcome, Part, Progress, Watcher,
    Way, explore, observe, play as play_way, run, tell as tell_way,
};
pub use machine::{FileDecl, Machine, Runner};
pub use scenario::{BUILTIN, Kind, POINTS, ParseError, Scenario, VERBS, Verb, VerbRow, builtin};
pub use state::Kernel;
pub use step::Sink;
pub use truth::{About, Fact, Wrong};
