//! A walk is the same with several workers, and stops where it is told to.

mod crew;

use std::collections::BTreeSet;

use crew::Threads;
use gemscope_common::Profile;
use gemscope_model::{Alone, Crew, Era, Limits, Machine, Outcome, builtin, explore};

/// Thousands of states, with layers of several parts.
fn machine() -> Machine {
    let text = include_str!("../benches/big.scenario");
    let fewer = text.split("thread second").next().unwrap_or_default();
    let scenario = gemscope_model::Scenario::parse(&format!("{fewer}thread second\n  g = open-name a n\n"));
    scenario.unwrap().machine(Era::of(Profile::V3_10), false)
}

fn walk(machine: &Machine, limits: &Limits, crew: &dyn Crew) -> Outcome {
    explore(machine, limits, crew, &mut |_| {})
}

#[test]
fn workers_find_what_one_finds() {
    let machine = machine();
    for reduce in [false, true] {
        let limits = Limits { reduce, ..Limits::default() };
        let numbers = |o: &Outcome| {
            let found: BTreeSet<_> = o.found.iter().map(|f| (f.fact, f.way.len())).collect();
            (o.states, o.steps, o.interleavings, o.ends, o.bad_ends, o.longest, o.exhausted, found)
        };
        let alone = walk(&machine, &limits, &Alone);
        assert!(alone.exhausted && alone.states > 10_000, "{} states", alone.states);
        for hands in [2, 3] {
            let many = walk(&machine, &limits, &Threads(hands));
            // With steps made at once a way may have fewer moves and as many steps.
            assert_eq!(numbers(&many).0, numbers(&alone).0);
            if !reduce {
                assert_eq!(numbers(&many), numbers(&alone));
            }
            let facts = |o: &Outcome| o.found.iter().map(|f| f.fact).collect::<BTreeSet<_>>();
            assert_eq!(facts(&many), facts(&alone));
        }
    }
}

#[test]
fn a_walk_that_was_cut_short_says_so() {
    let machine = machine();
    let all = walk(&machine, &Limits::default(), &Alone);
    let few = Limits { states: 5_000, ..Limits::default() };
    let small = Limits { memory: 256 << 10, ..Limits::default() };
    for limits in [few, small] {
        let cut = walk(&machine, &limits, &Alone);
        assert!(!cut.exhausted && cut.states < all.states, "{} of {} states", cut.states, all.states);
        assert!(cut.found.iter().all(|f| all.found.iter().any(|g| g.fact == f.fact)));
    }
}

/// A way leads to where it says, and nothing is wrong there before its last move.
#[test]
fn a_way_leads_to_what_was_found() {
    for name in ["export-vs-close", "import-failure", "release-vs-import"] {
        let machine = builtin(name).unwrap().machine(Era::of(Profile::V3_10), false);
        let limits = Limits { reduce: false, symmetry: false, ..Limits::default() };
        for found in walk(&machine, &limits, &Alone).found {
            let mut k = machine.start();
            for (ix, go) in found.way.iter().enumerate() {
                assert!(!k.facts().contains(&found.fact), "{name}: {:?} after {ix} moves", found.fact);
                machine.step(&mut k, usize::from(go.thread), usize::from(go.choice), &mut ());
            }
            assert!(k.facts().contains(&found.fact), "{name}: {:?}", found.fact);
        }
    }
}
