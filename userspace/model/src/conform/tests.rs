//! The model beside itself: whatever order its threads run in, the records that it writes are records that it predicts.

use gemscope_common::{Phase, ProbeId, Profile, Record};

use super::{Attached, conform};
use crate::era::Era;
use crate::{BUILTIN, Recorder, builtin};

/// Runs of each scenario under each era.
const RUNS: u64 = 30;
/// Scenarios of drivers and kernels that break rules on purpose: their records must not be what is predicted, or cannot be.
const BROKEN: &[&str] = &[
    "access-of-import",
    "device-forgets",
    "device-locks",
    "device-undoes-twice",
    // An object is freed under its handle (B13).
    "change-handle-vs-close",
];

fn everything() -> Attached {
    let mut attached = Attached::default();
    for probe in ProbeId::ALL {
        [Phase::Entry, Phase::Return, Phase::Point].into_iter().for_each(|phase| attached.add(*probe, phase));
    }
    attached
}

/// A run of a scenario, one of many.
fn run(name: &str, era: Era, seed: u64) -> Option<Vec<Record>> {
    let machine = builtin(name)?.machine(era, true);
    let mut records = Vec::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut k = machine.start();
    let mut recorder = Recorder::new(|record| records.push(record));
    while !machine.is_over(&k) {
        let moves: Vec<_> = machine.moves(&k).collect();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let go = moves.get((random % moves.len().max(1) as u64) as usize)?;
        machine.step(&mut k, usize::from(go.thread), usize::from(go.choice), &mut recorder);
    }
    recorder.settle(&machine, &k);
    Some(records)
}

#[test]
fn what_the_model_writes_it_predicts() {
    let attached = everything();
    let (mut compared, mut runs) = (0, 0);
    let mut differ = std::collections::BTreeMap::new();
    for profile in [Profile::V5_7, Profile::V6_2, Profile::V6_16, Profile::V7_0] {
        let era = Era::of(profile);
        for (name, _) in BUILTIN.iter().filter(|(name, _)| !BROKEN.contains(name)) {
            for seed in 0..RUNS {
                let Some(records) = run(name, era, seed + 1) else { continue };
                let outcome = conform(era, &attached, &records);
                if let Some(d) = outcome.difference {
                    differ.entry((*name, profile.name())).or_insert_with(|| (seed, d));
                }
                if let Some(why) = outcome.undecided {
                    panic!("{name} on {}, run {seed}: {why}", profile.name());
                }
                compared += outcome.compared;
                runs += 1;
            }
        }
    }
    println!("{compared} records compared in {runs} runs");
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(compared > 10_000);
}
