//! A way told step by step.

use super::{Limits, Move, play};
use crate::code::Instr;
use crate::machine::Machine;
use crate::state::{Kernel, Thread};
use crate::step::{NEVER, Sink};
use crate::tell;
use crate::truth::{About, Fact, Wrong};

/// Which part of the scenario a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What runs alone before: files are opened, then the scenario's `setup`.
    Before,
    /// What runs side by side.
    Beside,
    /// What runs alone after: the scenario's `finally`, then every process ends.
    After,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// A call began. What it gave in the end, where it gives something and came to its end.
    Call(Option<String>),
    /// One thing that it did.
    Step,
}

/// One thing that a thread did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which of the way's columns: 0 is whoever runs alone, the others are the scenario's threads.
    pub column: usize,
    /// Where in the scenario.
    pub part: Part,
    /// The process that did it.
    pub process: String,
    /// A call or a step of it.
    pub did: Did,
    /// What it did, in the kernel's words.
    pub text: String,
    /// What is wrong from here on, with what the kernel's state shows of it, which may be nothing.
    pub wrong: Vec<(Fact, String)>,
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
    let mut teller = Teller::default();
    let mut made = |k: &Kernel, made: super::Made, _, teller: &mut Teller| teller.made(m, k, made.thread);
    let moved = |who: &[usize], teller: &mut Teller| teller.column_of = who.to_vec();
    let end = play::along(m, limits, moves, &mut teller, &mut made, moved);
    teller.stuck(m, &end);
    let columns = std::iter::once(String::new()).chain(m.threads.iter().map(|r| r.name.clone())).collect();
    Way { columns, lines: teller.lines }
}

#[derive(Default)]
struct Teller {
    lines: Vec<Line>,
    facts: Vec<Fact>,
    column_of: Vec<usize>,
    /// The call under way in each column: the phase and its number in the program.
    calls: Vec<(u16, usize)>,
    /// Calls that have given nothing yet: the line, the variable, what it will be.
    open: Vec<(usize, u8, &'static str)>,
}

impl Sink for Teller {
    const RECORDS: bool = false;

    fn done(&mut self, m: &Machine, before: &Thread, k: &Kernel, t: usize, instr: Instr) {
        let text = tell::line(m, before, k, t, instr);
        let wrong = self.news(m, k);
        if text.is_none() && wrong.is_empty() {
            return;
        }
        let text = text.unwrap_or_else(|| "…".to_owned());
        self.call(m, k, t, before.pc);
        self.push(m, k, t, Did::Step, text, wrong);
    }
}

impl Teller {
    /// A step was made, and the thread stands before its next one: the next call may have begun, and been wrong in that.
    fn made(&mut self, m: &Machine, k: &Kernel, t: usize) {
        self.open.retain(|(line, var, what)| {
            let value = k.vars.get(usize::from(*var)).copied().unwrap_or(0);
            if let Some(line) = self.lines.get_mut(*line)
                && value != 0
            {
                let gave = if value == NEVER { "fails".to_owned() } else { format!("{what} {value}") };
                line.did = Did::Call(Some(gave));
            }
            value == 0
        });
        let wrong = self.news(m, k);
        if wrong.is_empty() {
            return;
        }
        if let Some(thread) = k.threads.get(t) {
            self.call(m, k, t, thread.pc);
        }
        if let Some(line) = self.lines.last_mut() {
            line.wrong.extend(wrong);
        }
    }

    /// What is wrong and was not told yet.
    fn news(&mut self, m: &Machine, k: &Kernel) -> Vec<(Fact, String)> {
        let news: Vec<Fact> = k.facts.iter().filter(|f| !self.facts.contains(f)).copied().collect();
        self.facts.extend(&news);
        news.into_iter().map(|fact| (fact, tell::shows(m, k, fact))).collect()
    }

    /// Tells that a call has begun, if the thread is in another one than it was.
    fn call(&mut self, m: &Machine, k: &Kernel, t: usize, pc: u16) {
        let Some(runner) = m.runner(k, t) else { return };
        let Some(ix) = runner.calls.iter().rposition(|c| c.at <= pc) else { return };
        let column = self.column(t);
        if self.calls.len() <= column {
            self.calls.resize(column + 1, (u16::MAX, 0));
        }
        // Whoever runs alone has a program for each phase.
        let call = (if t == 0 { k.phase } else { 0 }, ix);
        if std::mem::replace(&mut self.calls[column], call) == call {
            return;
        }
        if let Some((var, what)) = runner.calls[ix].gives {
            self.open.push((self.lines.len(), var, what));
        }
        self.push(m, k, t, Did::Call(None), runner.calls[ix].text.clone(), Vec::new());
    }

    /// Threads that wait for each other are in no state's facts: the walk notices them.
    fn stuck(&mut self, m: &Machine, k: &Kernel) {
        if m.is_over(k) || m.moves(k).next().is_some() {
            return;
        }
        if let Some(last) = self.lines.last().cloned() {
            let wrong = vec![(Fact::new(Wrong::Deadlock, About::Nothing), String::new())];
            self.lines.push(Line { did: Did::Step, text: "…".to_owned(), wrong, ..last });
        }
    }

    fn column(&self, t: usize) -> usize {
        self.column_of.get(t).copied().unwrap_or(t)
    }

    fn push(
        &mut self,
        m: &Machine,
        k: &Kernel,
        t: usize,
        did: Did,
        text: String,
        wrong: Vec<(Fact, String)>,
    ) {
        let process = m.runner(k, t).and_then(|r| m.processes.get(usize::from(r.process)));
        let part = match t {
            // Nothing runs any more: it stays where it was.
            0 if m.is_over(k) => self.lines.last().map_or(Part::After, |l| l.part),
            0 if usize::from(k.phase) < m.before.len() => Part::Before,
            0 => Part::After,
            _ => Part::Beside,
        };
        let process = process.cloned().unwrap_or_default();
        self.lines.push(Line { column: self.column(t), part, process, did, text, wrong });
    }
}
