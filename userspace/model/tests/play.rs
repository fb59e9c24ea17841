//! A way that was found without records is the same way with them, on every scenario and in every era.

use gemscope_common::Profile;
use gemscope_model::{Alone, BUILTIN, Era, Fact, Limits, Recorder, builtin, explore, play_way, run};

fn sorted(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort();
    facts
}

#[test]
fn every_way_found_goes_wrong_with_records_too() {
    let limits = Limits::default();
    for (name, _) in BUILTIN {
        let scenario = builtin(name).unwrap();
        for profile in Profile::ALL {
            let machine = scenario.machine(Era::of(*profile), false);
            for found in explore(&machine, &limits, &Alone, &mut |_| {}).found {
                let mut records = 0;
                let k = play_way(&machine, &limits, &found.way, &mut Recorder::new(|_| records += 1));
                let facts = k.facts();
                assert!(
                    facts.contains(&found.fact),
                    "{name} {}: {:?} not in {facts:?}",
                    profile.name(),
                    found
                );
                assert!(records > 0);
            }
        }
    }
}

#[test]
fn a_run_is_one_of_the_interleavings() {
    let limits = Limits::default();
    for (name, _) in BUILTIN {
        let scenario = builtin(name).unwrap();
        let era = Era::of(Profile::V3_10);
        let outcome = explore(&scenario.machine(era, false), &limits, &Alone, &mut |_| {});
        let known: Vec<Fact> = sorted(outcome.found.iter().map(|f| f.fact).collect());
        for turn in 0..8 {
            let mut seed = turn;
            let mut choose = |n: usize| {
                seed = (seed * 5 + 3) % 1_000_003;
                seed % n
            };
            let k = run(&scenario.machine(era, true), &mut choose, &mut Recorder::new(|_| {}));
            let facts = k.facts();
            assert!(facts.iter().all(|f| known.contains(f)), "{name}: {facts:?} are not all in {known:?}");
        }
    }
}
