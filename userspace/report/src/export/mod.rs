//! A trace in the formats of other tools: Perfetto, folded stacks, CSV, JSON lines.
//!
//! [`Feed`] takes in records and tells each encoder what they came to; [`Perfetto`], [`jsonl::Lines`] and [`csv::Events`]
//! write that as it comes, [`folded`] and the tables of [`csv`] look at one moment. Memory grows with what lives, never with
//! the length of a trace.
//!
//! What it is not for: reading traces and opening files (the cli does), judging (the engine does).

pub mod csv;
mod feed;
pub mod folded;
pub mod jsonl;
mod ledger;
pub mod perfetto;

pub use feed::{Feed, Now, Told};
pub use ledger::{BufFacts, Ledger};
pub use perfetto::Perfetto;

use gemscope_engine::Stamp;
use gemscope_policy::runtime_from;
use gemscope_trace::StackKind;

use crate::names::Names;

/// The kernel's and the user's frames of a stamp, innermost first, each in words.
fn stacks(names: &Names<'_>, at: &Stamp) -> (Vec<String>, Vec<String>) {
    (frames(names, StackKind::Kernel, at.kstack, 0), frames(names, StackKind::User, at.ustack, at.tgid))
}

/// The frames of one stack, innermost first, each in words, without what runs before `main`.
fn frames(names: &Names<'_>, kind: StackKind, id: i32, tgid: u32) -> Vec<String> {
    if id < 0 {
        return Vec::new();
    }
    let mut frames = names.frames(kind, id, tgid);
    without_runtime(&mut frames);
    frames
}

fn without_runtime(frames: &mut Vec<String>) {
    if let Some(from) = runtime_from(frames) {
        frames.truncate(from.max(1));
    }
}
