//! The explorer against another one: stateright walks the same machine, one micro-step after the other, with a checker of
//! its own. And the explorer against itself: what it leaves out loses nothing.

use std::collections::BTreeSet;
use std::sync::Mutex;

use gemscope_common::{Features, Profile};
use gemscope_model::{
    Alone, BUILTIN, Era, Fact, Kernel, Limits, Machine, Move, Outcome, Scenario, builtin, explore,
};
use stateright::{Checker, Model, Property};

/// Every step of every thread, each on its own.
const EVERYTHING: Limits = Limits { memory: 2 << 30, states: u64::MAX, reduce: false, symmetry: false };

/// What was seen on the way: facts anywhere, and what is wrong in each end.
#[derive(Default)]
struct Seen {
    facts: BTreeSet<Fact>,
    ends: BTreeSet<(u32, Vec<Fact>)>,
}

struct Walker {
    machine: Machine,
    seen: Mutex<Seen>,
}

/// A state, and how many steps deep: the explorer keeps states of one depth apart from those of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct At {
    deep: u32,
    kernel: Kernel,
}

impl Walker {
    fn look(&self, at: &At) {
        let mut seen = self.seen.lock().unwrap();
        seen.facts.extend(at.kernel.facts());
        if self.machine.is_over(&at.kernel) {
            seen.ends.insert((at.deep, at.kernel.facts().to_vec()));
        }
    }
}

impl Model for Walker {
    type State = At;
    type Action = Move;

    fn init_states(&self) -> Vec<At> {
        let at = At { deep: 0, kernel: self.machine.start() };
        self.look(&at);
        vec![at]
    }

    fn actions(&self, at: &At, actions: &mut Vec<Move>) {
        actions.extend(self.machine.moves(&at.kernel));
    }

    fn next_state(&self, at: &At, go: Move) -> Option<At> {
        let mut next = At { deep: at.deep + 1, kernel: at.kernel.clone() };
        self.machine.step(&mut next.kernel, usize::from(go.thread), usize::from(go.choice), &mut ());
        self.look(&next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("what is over makes no step", |walker: &Self, at: &At| {
            !walker.machine.is_over(&at.kernel) || walker.machine.moves(&at.kernel).next().is_none()
        })]
    }
}

fn facts(outcome: &Outcome) -> BTreeSet<Fact> {
    assert!(outcome.exhausted);
    outcome.found.iter().map(|found| found.fact).collect()
}

#[track_caller]
fn agree(scenario: &str, era: Era) {
    let machine = builtin(scenario).unwrap().machine(era, false);
    let ours = explore(&machine, &EVERYTHING, &Alone, &mut |_| {});
    let checker = Walker { machine, seen: Mutex::default() }.checker().spawn_bfs().join();
    checker.assert_properties();
    let name = format!("{scenario} under {}", era.name());
    assert_eq!(checker.unique_state_count() as u64, ours.states, "states of {name}");
    let seen = checker.model().seen.lock().unwrap();
    assert_eq!(seen.facts, facts(&ours), "facts of {name}");
    // Nothing that was wrong is ever right again: what is wrong anywhere is wrong in an end.
    let at_ends: BTreeSet<Fact> = seen.ends.iter().flat_map(|(_, facts)| facts.iter().copied()).collect();
    assert_eq!(at_ends, seen.facts, "ends of {name}");
    let deepest = seen.ends.iter().map(|(deep, _)| *deep as usize).max();
    assert_eq!(deepest, Some(ours.longest), "length of {name}");
}

#[test]
fn export_against_close() {
    for profile in [Profile::V3_9, Profile::C319c933c, Profile::V3_12, Profile::V7_0] {
        agree("export-vs-close", Era::of(profile));
    }
}

#[test]
fn create_against_close() {
    for profile in Profile::ALL {
        agree("create-vs-close", Era::of(*profile));
    }
}

#[test]
fn two_exports() {
    for profile in [Profile::V3_10, Profile::V3_12, Profile::V6_16] {
        agree("double-export", Era::of(profile));
    }
}

#[test]
fn a_moving_handle_against_its_closes() {
    let stock = Era::of(Profile::V6_16).with(Features::CHANGE_HANDLE).with(Features::CACHE_LOCKED_BY_CALLER);
    for era in [stock, Era::of(Profile::V7_0), Era::parse("v7.0+change-handle-two-stage").unwrap()] {
        agree("change-handle-vs-close", era);
    }
}

/// Steps that are made at once and threads that stand for each other: every fact is found without them and with them.
#[test]
fn what_is_left_out_loses_no_fact() {
    let mut states = (0, 0);
    for (name, text) in BUILTIN {
        let scenario = Scenario::parse(text).unwrap();
        for profile in Profile::ALL {
            let machine = scenario.machine(Era::of(*profile), false);
            let all = explore(&machine, &EVERYTHING, &Alone, &mut |_| {});
            let few = explore(&machine, &Limits::default(), &Alone, &mut |_| {});
            assert_eq!(facts(&few), facts(&all), "{name} under {}", profile.name());
            assert!(few.states <= all.states, "{name} under {}", profile.name());
            states = (states.0 + all.states, states.1 + few.states);
        }
    }
    assert!(states.1 < states.0, "{states:?}: it leaves out nothing");
}
