//! The flight recorder: `record --ring`, `check --trace-on-failure`, and traces that begin in mid-run. The model is the source.

use std::collections::BTreeSet;
use std::path::Path;

use gemscope_trace::{Flight, Options, Reader, TraceHeader};

use crate::{gemscope, tests};

const BAD: &str = "model:six-step-sharing@v3.9";
const GOOD: &str = "model:export-vs-close@v7.0";

#[track_caller]
fn usage(args: &[&str], says: &str) {
    gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(format!("error: {says}\n...\n"));
}

#[track_caller]
fn holds(dir: &Path, want: &[&str]) {
    let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    assert!(names.iter().eq(want), "{names:?}");
}

/// Records and gives what was said.
#[track_caller]
fn record(dir: &Path, source: &str, more: &[&str]) -> String {
    let path = dir.join("a");
    let args = ["record", "--source", source, "--ring", "64K", "-o"];
    let ran = gemscope().args(args).arg(path).args(more).assert().code(0).stdout_eq("");
    String::from_utf8(ran.get_output().stderr.clone()).unwrap()
}

#[test]
fn a_trace_is_written_when_something_was_found_and_none_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let said = record(dir.path(), GOOD, &[]);
    assert!(said.contains(" records seen, none lost, 0 findings\n"), "{said}");
    holds(dir.path(), &[]);
    let said = record(dir.path(), BAD, &[]);
    assert!(said.contains("because `released-while-cached` and 1 more finding were made\n"), "{said}");
    assert!(said.contains("2 findings: prime-cache-leak"), "the report: {said}");
    record(dir.path(), BAD, &["--keep", "1", "--after", "0.5"]);
    assert!(record(dir.path(), GOOD, &["--at-end"]).contains("because the recording ended\n"));
    holds(dir.path(), &["a", "a.2", "a.3"]);
    let replay = gemscope().arg("replay").arg(dir.path().join("a.2")).assert().code(1);
    let report = String::from_utf8(replay.get_output().stdout.clone()).unwrap();
    for word in [
        "flight recorder: everything since it began",
        "the flight recorder wrote this because",
        "#1 released",
    ] {
        assert!(report.contains(word), "{word}: {report}");
    }
    gemscope().arg("replay").arg(dir.path().join("a.3")).assert().code(0);
}

#[test]
fn a_check_keeps_the_trace_that_is_of_use() {
    let dir = tempfile::tempdir().unwrap();
    let check = |source: &str, name: &str, code| {
        let args = ["check", "--source", source, "--trace-on-failure"];
        gemscope().args(args).arg(dir.path().join(name)).assert().code(code);
    };
    check(GOOD, "good", 0);
    check(BAD, "bad", 1);
    check(BAD, "bad", 1);
    holds(dir.path(), &["bad"]);
    gemscope().arg("replay").arg(dir.path().join("bad")).assert().code(1);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let args = ["record", "--source", BAD, "--ring", "64K", "-o", "no-such-folder/a"];
    let says =
        "gemscope: cannot write a trace beside `no-such-folder/a`: choose a folder of yours for it: [..]\n";
    gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(says);
}

#[test]
fn what_does_not_go_together() {
    let needs = "the following required arguments were not provided:";
    usage(&["record", "-o", "x", "--keep", "2"], needs);
    usage(&["record", "-o", "x", "--after", "2"], needs);
    usage(&["record", "-o", "x", "--at-end"], needs);
    usage(&["check", "--trace-limit", "1M", "--", "true"], needs);
    let invalid = "invalid value [..]";
    usage(&["record", "-o", "x", "--ring", "1K"], invalid);
    usage(&["record", "-o", "x", "--ring", "1M", "--keep", "0"], invalid);
    let cannot = "the argument [..] cannot be used with[..]";
    usage(&["check", "--trace-on-failure", "x", "-o", "y", "--", "true"], cannot);
    usage(&["check", "--trace-on-failure", "x", "--trace", "y"], cannot);
}

/// The end of a real kernel's trace, as a flight recorder has it.
fn end_of(trace: &str, path: &Path) {
    let mut reader = Reader::open(tests().join(trace)).unwrap();
    let header = TraceHeader { raw_addresses: true, ..reader.header().clone() };
    let options = Options { block_records: 64, ..Options::default() };
    let mut flight = Flight::with_options(4_000, true, options).unwrap();
    let mut batch = Vec::new();
    while reader.next_batch(&mut batch).unwrap().is_some() {
        batch.iter().for_each(|r| flight.write(r).unwrap());
    }
    assert!(flight.before() > 0);
    let definitions: Vec<_> = reader.definitions().to_definitions().collect();
    flight.flown().unwrap().create(path, &header, definitions).unwrap();
}

#[test]
fn a_trace_that_begins_in_mid_run_is_read_by_everyone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("end.gemtrace");
    end_of("fixtures/traces/6.12/storm.gemtrace", &path);
    let ran = gemscope().arg("replay").arg(&path).assert().code(3);
    let report = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    let doubt = "the trace begins in mid-run: what happened before is not in it";
    assert!(report.contains(doubt), "{report}");
    gemscope().args(["replay", "--json"]).arg(&path).assert().code(3);
    let page = dir.path().join("page.html");
    gemscope().arg("report").arg(&path).arg("-o").arg(&page).assert().success();
    assert!(std::fs::read_to_string(&page).unwrap().contains(doubt));
    for format in ["perfetto", "csv", "jsonl", "folded"] {
        gemscope()
            .arg("export")
            .arg(&path)
            .args(["-f", format, "-o"])
            .arg(dir.path().join(format))
            .assert()
            .success();
    }
    gemscope().args(["top", "-n", "1", "--replay"]).arg(&path).assert().success();
    let ran = gemscope().args(["replay", "--conformance"]).arg(&path).assert();
    let said = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    assert!(said.contains("begins in mid-run"), "{said}");
}
