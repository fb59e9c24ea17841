//! Recorded kernels beside the model of them: every record that the model predicts is the one that was recorded, on stock kernels of
//! every line, with one thread and with many; and a driver that breaks a rule is told by the rule that it breaks.

use std::path::PathBuf;

use gemscope_common::{Gem, Phase, Prime, ProbeId, Record};
use gemscope_trace::{Reader, Writer};
use serde_json::Value;

use crate::{file, gemscope, tests};

/// Every trace of every line, by name.
fn traces() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(tests().join("fixtures/traces")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &std::path::Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The verdict on a trace, with the exit code that it must go with.
fn verdict(path: &std::path::Path) -> Value {
    let output = gemscope().args(["replay", "--conformance", "--json"]).arg(path).output().unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = match line["verdict"].as_str().unwrap() {
        "conforms" => 0,
        "differs" => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(code), "{}", path.display());
    obeys(&line);
    line
}

/// A line is as the schema has it.
pub fn obeys(line: &Value) {
    let schema = std::fs::read_to_string(tests().join("../userspace/cli/schema/model.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(validator.is_valid(line), "{line:#}");
}

#[test]
fn stock_kernels_do_what_the_model_says() {
    let (mut records, mut compared, mut traces_seen) = (0, 0, 0);
    for path in traces().iter().filter(|path| !name(path).starts_with("fault-")) {
        let line = verdict(path);
        assert_eq!(line["verdict"], "conforms", "{}: {line:#}", path.display());
        // What no prediction is made of is told, and nothing of a known object is among it.
        let silent: u64 =
            line["unpredicted"].as_array().unwrap().iter().map(|u| u["count"].as_u64().unwrap()).sum();
        let all = line["records"].as_u64().unwrap();
        let here = line["compared"].as_u64().unwrap();
        assert_eq!(here + silent, all, "{}", path.display());
        records += all;
        compared += here;
        traces_seen += 1;
    }
    println!("{compared} of {records} records compared in {traces_seen} traces, no difference");
    assert!(compared * 10 > records * 8, "{compared} of {records}");
}

#[test]
fn faults_of_a_driver_are_differences() {
    for (fault, told) in [
        ("cache-left", "its entry stays"),
        ("extra-dmabuf-reference", "a driver took 1 reference of d1"),
        ("extra-object-reference", "it lives on"),
        ("forgotten-detach", "attachment-left"),
        ("handle-count", "the handle count: 1 predicted, 2 observed"),
        ("link-left", "the link: not set predicted, set observed"),
        ("put-before-detach", "was put before"),
        ("second-dmabuf", "this is a second one"),
    ] {
        let line = verdict(&tests().join(format!("fixtures/traces/newest/fault-{fault}.gemtrace")));
        let why = line["difference"]["why"].as_str().unwrap();
        assert!(why.contains(told), "{fault}: {why}");
    }
}

/// The same trace, changed.
fn changed(path: &std::path::Path, change: impl Fn(&mut Vec<Record>)) -> Value {
    let mut reader = Reader::open(path).unwrap();
    let header = reader.header().clone();
    let (mut records, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap().is_some() {
        records.append(&mut batch);
    }
    change(&mut records);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    records.iter().for_each(|r| writer.write(r).unwrap());
    writer.finish().unwrap();
    let (_dir, path) = file(&bytes);
    verdict(&path)
}

fn one(name: &str) -> PathBuf {
    tests().join(format!("fixtures/traces/6.12/{name}.gemtrace"))
}

fn find(records: &[Record], probe: ProbeId, phase: Phase, nth: usize) -> usize {
    let is = |r: &Record| r.probe() == Some(probe) && r.phase() == Some(phase);
    records.iter().enumerate().filter(|(_, r)| is(r)).nth(nth).unwrap().0
}

#[test]
fn a_kernel_that_does_otherwise_differs() {
    // Each probe, at its first record in a history that has them all: without it, the rest is not what is predicted.
    let needed = [
        (ProbeId::HandleCreate, Phase::Entry),
        (ProbeId::HandleCreate, Phase::Return),
        (ProbeId::HandleDelete, Phase::Return),
        (ProbeId::HandleRelease, Phase::Entry),
        (ProbeId::HandlePut, Phase::Entry),
        (ProbeId::ExportToDmabuf, Phase::Entry),
        (ProbeId::BufExport, Phase::Return),
        (ProbeId::CacheAdd, Phase::Entry),
        (ProbeId::CacheRemove, Phase::Return),
        (ProbeId::BufPut, Phase::Point),
        (ProbeId::Import, Phase::Return),
        (ProbeId::ObjectRelease, Phase::Point),
        (ProbeId::BufGemRelease, Phase::Point),
    ];
    for (probe, phase) in needed {
        let line = changed(&one("s4"), |records| {
            records.remove(find(records, probe, phase, 0));
        });
        assert_eq!(line["verdict"], "differs", "{probe:?} {phase:?}: {line:#}");
    }
}

#[test]
fn fields_are_compared() {
    let gem = |probe, phase, change: fn(&mut Gem)| {
        let line = changed(&one("s4"), |records| {
            let ix = find(records, probe, phase, 0);
            let mut p: Gem = *records[ix].payload();
            change(&mut p);
            records[ix].set_payload(&p);
        });
        assert_eq!(line["verdict"], "differs", "{probe:?}: {line:#}");
        line["difference"]["why"].as_str().unwrap().to_owned()
    };
    assert!(gem(ProbeId::HandleCreate, Phase::Entry, |p| p.handle_count += 1).contains("handle count"));
    assert!(gem(ProbeId::HandleCreate, Phase::Return, |p| p.handle = 7).contains("handle"));
    assert!(gem(ProbeId::HandlePut, Phase::Entry, |p| p.dma_buf = 0).contains("link"));
    assert!(gem(ProbeId::ObjectRelease, Phase::Point, |p| p.obj += 8).contains("object"));
    let line = changed(&one("s4"), |records| {
        let ix = find(records, ProbeId::Import, Phase::Return, 1);
        let mut p: Prime = *records[ix].payload();
        p.handle += 1;
        records[ix].set_payload(&p);
    });
    assert_eq!(line["difference"]["why"], "the handle: 1 predicted, 2 observed");
}

#[test]
fn a_dmabuf_that_dies_too_early_is_a_difference() {
    // B1 as it would look today: the release comes before the exporter has let go.
    let line = changed(&one("six-step"), |records| {
        let release = find(records, ProbeId::BufFileRelease, Phase::Point, 0);
        let record = records.remove(release);
        let close = find(records, ProbeId::GemClose, Phase::Point, 1);
        let mut early = record;
        early.header.tid = records[close].header.tid;
        records.insert(close, early);
    });
    let why = line["difference"]["why"].as_str().unwrap();
    assert!(why.contains("the link of") && why.contains("the PRIME cache of"), "{why}");
}

#[test]
fn what_is_missing_leaves_it_undecided() {
    let line = changed(&one("s2"), |records| {
        for record in records.iter_mut().skip(20) {
            record.header.drops = 1;
        }
    });
    assert_eq!(line["verdict"], "undecided");
    assert!(line["doubts"][0].as_str().unwrap().contains("lost"));
}

#[test]
fn it_is_told_in_words() {
    gemscope()
        .args(["replay", "--conformance", "fixtures/traces/6.12/s2.gemtrace"])
        .assert()
        .code(0)
        .stdout_eq("gemscope: conforms: [..] records are what the model predicts\n...\nsilent [..]\n...\n")
        .stderr_eq("");
    gemscope()
        .args(["replay", "--conformance", "fixtures/traces/newest/fault-second-dmabuf.gemtrace"])
        .assert()
        .code(1)
        .stdout_eq(
            "gemscope: differs: a kernel that broke the rules, or a model that is wrong\n\n\
             record 36 of thread [..]\n  observed   > dmabuf-export no dma-buf of o1\n  predicted  [..]\n  \
             because    o1 has a dma-buf already: this is a second one\n  known      o1: [..]\n...\n",
        );
}
