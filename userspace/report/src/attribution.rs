//! Which test of a test run did it: told from the processes of a trace, their parents and, where tests are threads, their stacks.
//!
//! A runner is known by its command line, and a test by the process that a runner starts. The innermost one counts: what a test
//! starts belongs to it, and a runner inside of a test knows better. Where several tests share a process and nothing tells them
//! apart, the next runner outwards is asked, and in the end there is no answer: never a guess.

mod command;
mod libtest;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;

use gemscope_engine::{Class, Finding, LifeEvent, Stamp, What};
use gemscope_trace::{Definitions, Frame, Name, Process, Runner, StackKind, script};

/// A test, as its runner names it. Names are from outside: escape before printing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Test {
    /// who runs it
    pub runner: Runner,
    /// what the runner groups it by, where it does
    pub suite: Option<String>,
    /// its name
    pub name: String,
}

impl Test {
    /// In words: `igt@kms_foo@bar`, `gpu: alloc`.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.suite {
            Some(suite) => format!("{suite}: {}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Ancestors that are followed.
const GENERATIONS: usize = 64;

/// The test that was running when and where this was recorded. `root` is the process that the recording is about; what is above
/// it does not count. 0 is everything.
#[must_use]
pub fn test_of(definitions: &Definitions, root: u32, at: &Stamp) -> Option<Test> {
    let line = line_of(definitions, root, at);
    (0..line.len()).find_map(|i| {
        let (inner, outer) = line.split_at_checked(i + 1)?;
        let process = inner.last()?;
        let parent = outer.first().copied();
        if i == 0 {
            let frames: Vec<_> = definitions.frames(StackKind::User, at.ustack, at.tgid).collect();
            if let Some(name) = libtest::name_by_stack(&functions(&frames)) {
                return Some(libtest::test(process, name, parent));
            }
        }
        by_itself(process, parent).or_else(|| by_its_runner(definitions, inner, parent?))
    })
}

/// The test that a finding belongs to: for a leak that of who took the reference, otherwise that of who broke the rule; and where a
/// settle point judged, that of the event before it.
#[must_use]
pub fn test_of_finding(definitions: &Definitions, root: u32, finding: &Finding) -> Option<Test> {
    let someone =
        |event: &&LifeEvent| event.at.is_known() && event.at.tgid != 0 && event.what != What::Settled;
    let (event, earlier) = (Some(&finding.event), finding.conflict.as_ref());
    let (first, second) =
        if finding.rule.class() == Class::Leak { (earlier, event) } else { (event, earlier) };
    let told = first.filter(someone).or_else(|| second.filter(someone));
    // A settle point alone: whose buffer it was.
    let told = told.or_else(|| finding.life.iter().find(|event| someone(event)));
    test_of(definitions, root, &told?.at)
}

/// The tests that records tell of, in the order of their names: those that did anything with buffers.
#[must_use]
pub fn tests(definitions: &Definitions, root: u32, findings: &[Finding]) -> Vec<Test> {
    let born =
        |p: &Process| Stamp { tgid: p.tgid, ts_ns: p.born_ns, kstack: -1, ustack: -1, ..Stamp::default() };
    let of_processes =
        definitions.processes().into_iter().filter_map(|p| test_of(definitions, root, &born(p)));
    let of_findings = findings.iter().filter_map(|f| test_of_finding(definitions, root, f));
    let all: BTreeSet<Test> = of_processes.chain(of_findings).collect();
    all.into_iter().collect()
}

/// The process, its parent, and so on up to the root. A parent is the process that had the number when the child was made.
fn line_of<'a>(definitions: &'a Definitions, root: u32, at: &Stamp) -> Vec<&'a Process> {
    let mut line = Vec::new();
    let mut next = definitions.process_at(at.tgid, at.ts_ns);
    while let Some(process) = next.filter(|_| line.len() < GENERATIONS) {
        line.push(process);
        next = if process.tgid == root || process.parent == 0 {
            None
        } else {
            definitions.process_at(process.parent, process.born_ns)
        };
    }
    line
}

/// The functions of a stack, innermost first, those that were inlined too.
fn functions<'a>(frames: &[Frame<'a>]) -> Vec<Cow<'a, str>> {
    let symbols = frames.iter().filter_map(|frame| frame.symbol);
    symbols.flat_map(|s| s.inlined.iter().map(|i| &i.name).chain([&s.name])).map(Name::to_str_lossy).collect()
}

/// A test that its own command line names.
fn by_itself(process: &Process, parent: Option<&Process>) -> Option<Test> {
    let runner = parent.and_then(|parent| Runner::of(&parent.cmdline));
    if runner == Some(Runner::Nextest) || libtest::is_binary(process) {
        return libtest::name_by_command(&process.cmdline).map(|name| libtest::test(process, name, parent));
    }
    if let Some(name) = command::igt(process, parent) {
        return Some(Test { runner: Runner::Igt, suite: None, name });
    }
    if Runner::of(&process.cmdline) == Some(Runner::Pytest) {
        let name = command::pytest(&process.cmdline)?;
        return Some(Test { runner: Runner::Pytest, suite: None, name });
    }
    None
}

/// A test that is known by what its parent is. `inner` are the process of the event and its ancestors up to the runner's child.
fn by_its_runner(definitions: &Definitions, inner: &[&Process], parent: &Process) -> Option<Test> {
    let runner = Runner::of(&parent.cmdline)?;
    let child = *inner.last()?;
    if child.cmdline == parent.cmdline {
        // A fork that has not become a test: the runner itself.
        return None;
    }
    let (suite, name) = match runner {
        Runner::Meson | Runner::Ctest => {
            match command::case(definitions.test_cases(parent), &child.cmdline) {
                Some(case) => {
                    let suite = case.suite.to_str_lossy().into_owned();
                    (Some(suite).filter(|s| !s.is_empty()), case.name.to_str_lossy().into_owned())
                }
                None => (None, command::in_words(&child.cmdline)?),
            }
        }
        Runner::Prove => (None, child.cmdline.get(script(&child.cmdline))?.to_str_lossy().into_owned()),
        Runner::Make => (None, command::below_make(inner)?),
        // These were asked before: what they do not tell is not known.
        Runner::Cargo | Runner::Nextest | Runner::Igt | Runner::Pytest => return None,
    };
    Some(Test { runner, suite, name })
}
