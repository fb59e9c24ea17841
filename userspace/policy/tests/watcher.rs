//! The watcher over an engine: marks, limits and budgets on written histories.

#[path = "../../engine/tests/history/mod.rs"]
mod history;

use gemscope_common::{Mark, Phase, ProbeId, Record};
use gemscope_engine::{Config, Engine, Stamp};
use gemscope_policy::{Assertion, Breach, Kind, Limits, Outcome, Watcher};
use history::Script;

/// So many cycles: each makes a buffer and closes it, and loses one more in every `leak_every`th; before the first, `pool` are made and
/// kept.
fn server(cycles: u32, leak_every: u32, pool: u32, limits: Limits) -> Outcome {
    let mut text = vec!["t1 scope 10; t1 open f1".to_owned()];
    let mut next = 0;
    let mut make = |text: &mut Vec<String>, who: &str| {
        next += 1;
        text.push(format!("{who} create f1 h{next} o{next}"));
        next
    };
    let mut until = Vec::new();
    for _ in 0..pool {
        make(&mut text, "t1@10");
    }
    until.push(text.len());
    for cycle in 1..=cycles {
        let handle = make(&mut text, "t1@11");
        text.push(format!("t1@11 close f1 h{handle}"));
        if leak_every > 0 && cycle % leak_every == 0 {
            make(&mut text, "t1@12");
        }
        until.push(text.len());
    }
    let ends: Vec<usize> = until.iter().map(|n| Script::run(&text[..*n].join("; ")).records.len()).collect();
    let records = Script::run(&text.join("; ")).records;
    let mut engine = Engine::new(Config::default());
    let mut watcher = Watcher::new(limits);
    let mut take = |record: &Record| {
        engine.ingest(record);
        watcher.look(&engine, record);
    };
    let mut marks = ends.iter().enumerate().peekable();
    for (at, record) in records.iter().enumerate() {
        take(record);
        while let Some((cycle, _)) = marks.next_if(|(_, end)| **end == at + 1) {
            take(&Record::new(ProbeId::Mark, Phase::Point, &Mark::named(&format!("cycle {cycle}"))));
        }
    }
    watcher.assess(&engine, &|at: &Stamp| format!("process {}", at.tgid))
}

fn words(breach: &Breach) -> String {
    let of = breach.shares.first().map_or(0, |share| share.taken.tgid);
    format!("{} {} {} by process {of}", breach.assertion.name(), breach.count, breach.kind.name())
}

#[track_caller]
fn check(outcome: &Outcome, breaches: &[&str], kept: &[Assertion]) {
    assert_eq!(outcome.breaches.iter().map(words).collect::<Vec<_>>(), breaches, "{outcome:#?}");
    let names: Vec<_> = kept.iter().map(|assertion| assertion.name()).collect();
    assert_eq!(outcome.kept.iter().map(|kept| kept.name).collect::<Vec<_>>(), names);
}

#[test]
fn what_is_lost_in_every_seventh_cycle_grows() {
    let outcome = server(70, 7, 5, Limits::default());
    check(&outcome, &["steady-growth 10 handles by process 12"], &[]);
    let slope = outcome.breaches[0].slope.unwrap();
    assert_eq!((slope.cycles, slope.grew_in, slope.warm_up), (46, 7, 17));
}

#[test]
fn a_pool_does_not() {
    check(&server(70, 0, 5, Limits::default()), &[], &[Assertion::SteadyGrowth]);
}

#[test]
fn growth_is_what_came_since_the_first_mark() {
    let limits = |n| Limits { growth: vec![(Kind::Handles, n)], ..Limits::default() };
    check(&server(4, 3, 5, limits(0)), &["growth-limit 1 handles by process 12"], &[Assertion::SteadyGrowth]);
    let both = [Assertion::GrowthLimit, Assertion::SteadyGrowth];
    check(&server(4, 3, 5, limits(1)), &[], &both);
}

#[test]
fn too_few_cycles_are_uncertain() {
    let outcome = server(4, 2, 5, Limits::default());
    check(&outcome, &["steady-growth 2 handles by process 12"], &[]);
    assert!(outcome.breaches[0].tainted);
}

#[test]
fn what_cannot_be_judged_is_not_kept() {
    let unjudged = |outcome: &Outcome| outcome.unjudged.iter().map(|u| u.name).collect::<Vec<_>>();
    // Nothing is left of two cycles but what may be given back still.
    let outcome = server(2, 1, 5, Limits::default());
    check(&outcome, &[], &[]);
    assert_eq!(unjudged(&outcome), ["steady-growth"]);
    // A limit can be held against two marks.
    let limits = Limits { growth: vec![(Kind::Handles, 9)], growth_is_asked: true, ..Limits::default() };
    let outcome = server(2, 1, 5, limits.clone());
    check(&outcome, &[], &[Assertion::GrowthLimit]);
    assert!(unjudged(&outcome).is_empty() && outcome.notes.len() == 1, "{outcome:#?}");
    // And not against one. What a file asks of every run is told only.
    assert_eq!(unjudged(&server(0, 0, 5, limits.clone())), ["growth-limit"]);
    let outcome = server(0, 0, 5, Limits { growth_is_asked: false, ..limits });
    assert!(unjudged(&outcome).is_empty() && outcome.notes.len() == 1, "{outcome:#?}");
}

#[test]
fn what_should_be_held_at_least_is_missed() {
    let limits = |n| Limits { least: vec![(Kind::Handles, n)], ..Limits::default() };
    let both = [Assertion::SteadyGrowth, Assertion::Shortfall];
    check(&server(4, 0, 5, limits(6)), &[], &both);
    check(&server(4, 0, 5, limits(7)), &["shortfall 6 handles by process 0"], &[Assertion::SteadyGrowth]);
}

#[test]
fn budgets_are_for_what_is_held_at_once() {
    let limits = |n| Limits { budgets: vec![(Kind::Handles, n)], ..Limits::default() };
    let both = [Assertion::SteadyGrowth, Assertion::Budget];
    // Five, and the one that is made and closed.
    check(&server(4, 0, 5, limits(6)), &[], &both);
    check(&server(4, 0, 5, limits(5)), &["budget 6 handles by process 10"], &[Assertion::SteadyGrowth]);
}
