//! A way told step by step.

use super::{Limits, Move, symmetry};
use crate::code::Instr;
use crate::machine::Machine;
use crate::state::{Kernel, Thread};
use crate::step::Sink;
use crate::tell;
use crate::truth::Fact;

/// One thing that a thread did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which of the way's columns: 0 is whoever runs alone, the others are the scenario's threads.
    pub column: usize,
    /// What it did, in the kernel's words.
    pub text: String,
    /// What is wrong from here on.
    pub wrong: Vec<Fact>,
}

/// A way told.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// What was done.
    pub lines: Vec<Line>,
}

/// Tells a way: everything that was done on it.
#[must_use]
pub fn tell(m: &Machine, limits: &Limits, moves: &[Move]) -> Way {
    let mut teller = Teller { lines: Vec::new(), facts: Vec::new(), column_of: Vec::new() };
    play(m, limits, moves, &mut teller);
    let columns = std::iter::once(String::new()).chain(m.threads.iter().map(|r| r.name.clone())).collect();
    Way { columns, lines: teller.lines }
}

/// Goes a way, and gives what happens to `sink`. Threads keep their own names although a walk may have exchanged them.
fn play(m: &Machine, limits: &Limits, moves: &[Move], teller: &mut Teller) -> Kernel {
    let mut k = m.start();
    // Which thread of the scenario stands where.
    let mut who: Vec<usize> = (0..k.threads.len()).collect();
    let reorder = |k: &mut Kernel, who: &mut Vec<usize>| {
        if let Some(from) = symmetry::canonical(m, limits, k) {
            *who = from.iter().map(|t| who[*t]).collect();
        }
    };
    reorder(&mut k, &mut who);
    for go in moves {
        teller.column_of.clone_from(&who);
        m.advance(&mut k, *go, limits, teller);
        reorder(&mut k, &mut who);
    }
    k
}

struct Teller {
    lines: Vec<Line>,
    facts: Vec<Fact>,
    column_of: Vec<usize>,
}

impl Sink for Teller {
    const RECORDS: bool = false;

    fn done(&mut self, m: &Machine, before: &Thread, k: &Kernel, t: usize, instr: Instr) {
        let Some(text) = tell::line(m, before, k, t, instr) else { return };
        let wrong: Vec<Fact> = k.facts.iter().filter(|f| !self.facts.contains(f)).copied().collect();
        self.facts.extend(&wrong);
        self.lines.push(Line { column: self.column_of.get(t).copied().unwrap_or(t), text, wrong });
    }
}
