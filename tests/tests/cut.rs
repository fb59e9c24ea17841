//! Traces that begin in mid-run, as a flight recorder writes them: whatever of a run was let go of, the rest accuses nobody of what
//! the whole does not show.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use gemscope_common::{Phase, ProbeId, Process, Record, Scope, scope};
use gemscope_engine::{Class, Config, Doubt, Engine, Finding, RuleId, Verdict};
use gemscope_model::{BUILTIN, Era, Recorder, Scenario, run};
use gemscope_trace::sample::{Shape, Workload};
use gemscope_trace::{Flight, Options, Prelude, Reader, TraceHeader};

/// What is certain: the rule and the record that broke it, by its number in the whole; and for how many entities. A leak finding
/// speaks for all that one stack left, those of before the cut too: of leaks only the number counts. The record that it
/// conflicts with may lie before the cut.
type Certain = BTreeMap<(RuleId, u64), u64>;

fn certain(engine: &Engine, shift: i64) -> Certain {
    let key = |f: &Finding| match f.rule.class() {
        Class::Leak => (f.rule, 0),
        _ => (f.rule, f.event.at.seq.saturating_add_signed(shift)),
    };
    let mut all = Certain::new();
    for finding in engine.findings().iter().filter(|f| !f.tainted) {
        *all.entry(key(finding)).or_default() += finding.count;
    }
    all
}

fn judge<'a>(config: &Config, records: impl IntoIterator<Item = &'a Record>) -> Engine {
    let mut engine = Engine::new(config.clone());
    records.into_iter().for_each(|r| engine.ingest(r));
    engine.finish();
    engine
}

/// Cuts the run at records as far apart as `step`. How many certain findings were left of all cuts together?
#[track_caller]
fn check(name: &str, config: &Config, records: &[Record], step: usize) -> u64 {
    let whole = certain(&judge(config, records), 0);
    let midway = Config { midway: true, ..config.clone() };
    let mut prelude = Prelude::default();
    let mut left = 0;
    for (at, record) in records.iter().enumerate() {
        if at > 0 && at % step == 0 {
            let first = &record.header;
            let before = prelude.records(first.ts_ns, first.drops);
            let engine = judge(&midway, before.iter().chain(&records[at..]));
            for (key, count) in certain(&engine, at as i64 - before.len() as i64) {
                let known = whole.get(&key).copied().unwrap_or(0);
                assert!(count <= known, "{name}, cut at {at}: {key:?} {count} times, not {known}");
                left += 1;
            }
            assert!(engine.doubts().contains(&Doubt::Midway) && engine.verdict() != Verdict::Clean);
        }
        prelude.apply(record);
    }
    left
}

fn config(profile: gemscope_common::Profile, features: gemscope_common::Features) -> Config {
    Config { profile, features, ..Config::default() }
}

fn model_run(scenario: &Scenario, era: Era, mut state: u64) -> Vec<Record> {
    let machine = scenario.machine(era, true);
    let mut records = Vec::new();
    let mut recorder = Recorder::new(|record| records.push(record));
    recorder.scope(&machine);
    let end = run(
        &machine,
        &mut |n| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) as usize % n.max(1)
        },
        &mut recorder,
    );
    recorder.settle(&machine, &end);
    records
}

#[test]
fn a_model_run_cut_at_any_record() {
    let mut left = 0;
    for (name, text) in BUILTIN {
        let scenario = Scenario::parse(text).unwrap();
        for profile in gemscope_common::Profile::ALL.iter().rev().step_by(2) {
            let era = Era::of(*profile);
            for seed in 0..6 {
                let records = model_run(&scenario, era, seed);
                left += check(
                    &format!("{name} {} {seed}", era.name()),
                    &config(era.profile, era.features),
                    &records,
                    1,
                );
            }
        }
    }
    assert!(left > 100, "{left}");
}

/// The same with a scope, of which the model has none: threads of the model are its processes, and one starts the others.
#[test]
fn a_model_run_with_a_scope_cut_at_any_record() {
    const ROOT: u32 = 4;
    let point = |tgid: u32, mut record: Record| {
        (record.header.tid, record.header.tgid) = (tgid, tgid);
        record
    };
    for (name, text) in BUILTIN {
        let scenario = Scenario::parse(text).unwrap();
        let era = Era::of(gemscope_common::Profile::V6_2);
        for seed in 0..6 {
            let run = model_run(&scenario, era, seed);
            let set = Scope { root_tgid: ROOT, at_exit: scope::STRICT, ..Scope::default() };
            let mut records = vec![point(1, Record::new(ProbeId::Scope, Phase::Point, &set))];
            let mut tgids: Vec<u32> = run.iter().map(|r| r.header.tgid).collect();
            tgids.sort_unstable();
            tgids.dedup();
            for child_tgid in tgids.into_iter().filter(|t| *t != ROOT) {
                let fork = Process { child_tgid, child_tid: child_tgid, ..Process::default() };
                records.push(point(ROOT, Record::new(ProbeId::Fork, Phase::Point, &fork)));
            }
            records.extend(run.into_iter().filter(|r| r.probe() != Some(ProbeId::Scope)));
            check(&format!("{name} {seed}"), &config(era.profile, era.features), &records, 1);
        }
    }
}

#[test]
fn a_trace_of_a_real_kernel_cut_anywhere() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let (mut traces, mut left) = (0, 0);
    let mut kernels: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    kernels.sort();
    for kernel in kernels {
        let mut files: Vec<_> = fs::read_dir(kernel).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for path in files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "gemtrace")) {
            let (header, records) = read(Reader::open(&path).unwrap());
            let config = Config {
                missing: header.missing_probes().collect(),
                off: header.off_probes().collect(),
                filtered: !header.filters.is_empty(),
                ..config(header.profile().unwrap(), header.features().0)
            };
            let step = (records.len() / 60).max(1);
            left += check(&path.display().to_string(), &config, &records, step);
            traces += 1;
        }
    }
    assert!(traces > 50 && left > 100, "{traces} traces, {left} findings");
}

fn read<R: std::io::Read + std::io::Seek>(mut reader: Reader<R>) -> (TraceHeader, Vec<Record>) {
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap().is_some() {
        all.append(&mut batch);
    }
    (reader.header().clone(), all)
}

/// Through the recorder and its file: what it has let go of makes no difference but the one that it tells.
#[test]
fn what_a_flight_recorder_keeps_accuses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept.gemtrace");
    for (seed, limit) in [(1, 2_000), (2, 10_000), (3, 50_000)] {
        let options = Options { block_records: 128, ..Options::default() };
        let mut flight = Flight::with_options(limit, false, options).unwrap();
        for record in Workload::new(Shape { seed, live: 20, ..Shape::default() }).take(20_000) {
            flight.write(&record).unwrap();
        }
        flight.flown().unwrap().create(&path, &TraceHeader::default(), []).unwrap();
        let reader = Reader::new(File::open(&path).unwrap(), "kept").unwrap();
        let (header, records) = read(reader);
        assert!(header.records_before > 0 && !records.is_empty());
        let engine = judge(&Config { midway: true, ..Config::default() }, &records);
        assert!(certain(&engine, 0).is_empty(), "{:#?}", engine.findings());
    }
}
