//! Faults of kernel drivers, done on request by the module in `tests/driver`, and the same operations done right.
//!
//! A scenario is a program's own doing; here the program is correct and the driver is not. Each fault breaks one rule,
//! in a process of its own whose name tells which: `f-` and the fault's name, `r-` for the control.

mod device;
mod stories;
mod table;

use crate::drm::Device;
use crate::outcome::{Answer, EXIT_DONE, EXIT_SKIPPED, Outcome, Stop};
use crate::sys::process::{Ended, Pid, fork_child, set_name, wait, wait_well};
use device::Gemfault;
pub use table::ALL;

/// What the module is asked to do: the fault's number, and whether to do it right.
#[derive(Clone, Copy)]
pub struct Part {
    number: u32,
    right: bool,
}

type ModuleStory = fn(Gemfault, Part) -> Outcome;

enum Story {
    /// Around one request to the module.
    Module(ModuleStory),
    /// Around one of the ioctls for CPU access.
    Access(fn(Gemfault, &Fault, u32, bool) -> Outcome, u32),
}

/// One fault.
pub struct Fault {
    /// Its stable name.
    pub name: &'static str,
    /// The rule that it breaks, by the tracer's name.
    pub rule: &'static str,
    /// One line on what happens.
    about: &'static str,
    /// The module's number for it; 0 for those that are ioctls of their own.
    number: u32,
    /// The kernel from which on it breaks the rule.
    since: &'static str,
    story: Story,
}

/// What is to be done.
#[derive(Debug)]
pub enum Request {
    /// Print the faults.
    List,
    /// Put back what has been leaked.
    CleanUp,
    /// One fault, or its control.
    One(&'static str, bool),
    /// All of them, or all controls.
    All(bool),
}

/// The fault of that name.
///
/// # Errors
/// When there is none.
pub fn named(name: &str) -> Result<&'static Fault, String> {
    let found = ALL.iter().find(|fault| fault.name == name);
    found.ok_or_else(|| format!("there is no fault `{name}`: `gemclient fault --list` prints them"))
}

/// Does what is asked.
///
/// # Errors
/// Skips without the module.
pub fn run(request: &Request) -> Outcome {
    match *request {
        Request::List => {
            print!("{}", listing());
            Ok(())
        }
        Request::CleanUp => {
            let file = Gemfault { drm: device::find()?.open()? };
            file.clean_up()?;
            Ok(file.drm.close()?)
        }
        Request::One(name, right) => {
            let fault = named(name).map_err(Stop::Unexpected)?;
            let device = device::find()?;
            wait_well(in_a_process(fault, right, || one(&device, fault, right))?)
        }
        Request::All(right) => all(right),
    }
}

/// A line for each fault: its name, the rule, the first kernel.
fn listing() -> String {
    ALL.iter()
        .map(|fault| {
            let Fault { name, rule, about, number: _, since, story: _ } = fault;
            format!("{name:<26} {rule:<28} since {since:<6} {about}\n")
        })
        .collect()
}

/// The name of the process that does a fault: as much of it as a process's name holds.
fn process_name(fault: &Fault, right: bool) -> String {
    let whole = format!("{}-{}", if right { 'r' } else { 'f' }, fault.name);
    whole.chars().take(15).collect()
}

fn one(device: &Device, fault: &Fault, right: bool) -> Outcome {
    let file = Gemfault { drm: device.open()? };
    match fault.story {
        Story::Module(story) => story(file, Part { number: fault.number, right })?,
        Story::Access(story, request) => story(file, fault, request, right)?,
    }
    Ok(file.drm.close()?)
}

/// Each in a process of its own, one after the other.
fn all(right: bool) -> Outcome {
    let device = device::find()?;
    let mut wrong = Vec::new();
    for fault in ALL {
        let child = in_a_process(fault, right, || match one(&device, fault, right) {
            // It is told below, with the others.
            Err(Stop::Skip(_)) => std::process::exit(EXIT_SKIPPED),
            other => other,
        })?;
        let said = match wait(child)? {
            Ended::Exit(EXIT_DONE) => "done",
            Ended::Exit(EXIT_SKIPPED) => "not on this kernel",
            _ => {
                wrong.push(fault.name);
                "FAILED"
            }
        };
        println!("{:<15} {:<28} {said}", process_name(fault, right), fault.rule);
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Unexpected(format!("failed: {}", wrong.join(", ")))) }
}

/// A child of the fault's name. It is born with it: a tracer may take a process's name at its birth.
fn in_a_process(fault: &Fault, right: bool, body: impl FnOnce() -> Outcome) -> Answer<Pid> {
    set_name(&process_name(fault, right))?;
    let child = fork_child(body);
    set_name("gemclient")?;
    child
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn faults_are_told_apart_by_name_number_and_process() {
        let (mut names, mut numbers, mut processes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for fault in ALL {
            assert!(names.insert(fault.name), "{} twice", fault.name);
            assert!(
                fault.number == 0 || numbers.insert(fault.number),
                "{}: its number is another's",
                fault.name
            );
            for right in [false, true] {
                assert!(
                    processes.insert(process_name(fault, right)),
                    "{}: its process is another's",
                    fault.name
                );
            }
            assert!(named(fault.name).is_ok_and(|found| found.rule == fault.rule), "{}", fault.name);
        }
        assert!(named("no-such-fault").is_err());
    }

    #[test]
    fn the_listing_has_a_line_for_each() {
        assert_eq!(listing().lines().count(), ALL.len());
        assert!(listing().lines().all(|line| line.contains(" since ") && line.len() <= 120), "{}", listing());
    }

    /// The module's header is the truth about the numbers.
    #[test]
    fn the_numbers_are_those_of_the_module() {
        let header = include_str!("../../../driver/gemfault_uapi.h");
        for fault in ALL.iter().filter(|fault| fault.number != 0) {
            let name = fault.name.replace('-', "_").to_uppercase();
            let line = format!("GEMFAULT_{name} = {},", fault.number);
            assert!(header.contains(&line), "the module has no `{line}`");
        }
    }
}
