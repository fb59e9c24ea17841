//! States a second that the explorer walks, with one worker and with two.
//!
//! Run with `cargo bench -p gemscope-model`.

#[path = "../tests/crew/mod.rs"]
mod crew;

use crew::Threads;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gemscope_common::Profile;
use gemscope_model::{Alone, Crew, Era, Limits, Outcome, Scenario, builtin, explore};

/// Two million states and more.
const BIG: &str = include_str!("big.scenario");

fn walk(scenario: &Scenario, profile: Profile, reduce: bool, crew: &dyn Crew) -> Outcome {
    let limits = Limits { reduce, ..Limits::default() };
    explore(&scenario.machine(Era::of(profile), false), &limits, crew, &mut |_| {})
}

fn states(c: &mut Criterion) {
    let big = Scenario::parse(BIG).expect("the scenario of the bench");
    let two = builtin("two-imports-vs-close").expect("a scenario");
    let twins = builtin("twins").expect("a scenario");
    let mut group = c.benchmark_group("states");
    group.sample_size(10);
    let rows: [(&str, &Scenario, Profile, bool); 3] = [
        ("two-imports-vs-close", &two, Profile::V3_12, false),
        ("twins", &twins, Profile::V6_16, false),
        ("big", &big, Profile::V5_7, true),
    ];
    for (name, scenario, profile, reduce) in rows {
        let alone = walk(scenario, profile, reduce, &Alone);
        assert!(alone.exhausted, "{name} is too big");
        group.throughput(Throughput::Elements(alone.states));
        group.bench_function(format!("{name}/alone"), |b| b.iter(|| walk(scenario, profile, reduce, &Alone)));
        let crew = Threads(2);
        let with_two = walk(scenario, profile, reduce, &crew);
        let numbers = |o: &Outcome| (o.states, o.steps, o.ends, o.bad_ends, o.interleavings, o.found.len());
        assert_eq!(numbers(&with_two), numbers(&alone), "{name}");
        group.bench_function(format!("{name}/two"), |b| b.iter(|| walk(scenario, profile, reduce, &crew)));
    }
    group.finish();
}

criterion_group!(benches, states);
criterion_main!(benches);
