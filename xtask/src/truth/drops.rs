//! Random runs with random losses: findings may become undecided, and are never wrong.

use std::collections::BTreeSet;

use gemscope_common::{ProbeId, Record};
use gemscope_engine::{Engine, Verdict};
use gemscope_model::{Era, Fact, Machine, Recorder, Wrong, run};

use super::{match_, watch};

/// A small generator, the same everywhere: a run that fails can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }
}

/// Makes `runs` random runs, drops some records of each, and adds what is wrong with the verdicts.
pub fn random_losses(m: &Machine, era: Era, runs: u32, wrong: &mut BTreeSet<String>) {
    for seed in 0..u64::from(runs) {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let (records, facts) = any_run(m, &mut random);
        let (engine, dropped) = judge(era, &records, &mut random);
        for finding in engine.findings().iter().filter(|f| !f.tainted) {
            if !facts.iter().any(|fact| match_::rules(fact.wrong()).contains(&finding.rule)) {
                wrong.insert(format!("false after a loss (seed {seed}): {}", finding.rule.name()));
            }
        }
        // A loss at the very end is told by the settle point, where there is one.
        let settled = records.last().and_then(Record::probe) == Some(ProbeId::Settle);
        if settled && dropped > 0 && engine.verdict() == Verdict::Clean {
            wrong.insert(format!("clean in spite of a loss (seed {seed})"));
        }
    }
}

/// One run in which each step is anybody's.
fn any_run(m: &Machine, random: &mut Random) -> (Vec<Record>, Vec<Fact>) {
    let mut records = Vec::new();
    let mut recorder = Recorder::new(|record| records.push(record));
    recorder.scope(m);
    let k = run(m, &mut |n| random.below(n), &mut recorder);
    if !k.facts().iter().any(|f| f.wrong() == Wrong::Deadlock) {
        recorder.settle(m, &k);
    }
    (records, k.facts().to_vec())
}

/// The engine with a few bursts of records lost. What user space says is never lost.
fn judge(era: Era, records: &[Record], random: &mut Random) -> (Engine, u64) {
    let mut engine = watch::engine(era);
    let mut lost = BTreeSet::new();
    for _ in 0..1 + random.below(3) {
        let at = 1 + random.below(records.len());
        lost.extend(at..at + 1 + random.below(12));
    }
    let (mut drops, late) = (vec![0_u64], random.below(4));
    for (ix, record) in records.iter().enumerate() {
        let now = drops.last().copied().unwrap_or(0);
        let synthetic = record.probe().is_some_and(|p| p.is_synthetic());
        if lost.contains(&ix) && !synthetic {
            if let Some(last) = drops.last_mut() {
                *last += 1;
            }
            continue;
        }
        let mut record = *record;
        record.header.drops = if synthetic { now } else { drops[drops.len().saturating_sub(1 + late)] };
        drops.push(now);
        engine.ingest(&record);
    }
    engine.finish();
    (engine, drops.last().copied().unwrap_or(0))
}
