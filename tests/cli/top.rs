//! The monitor without a terminal: what it shows, as text. Its screens are the business of `gemscope-tui`.

use snapbox::file;

use crate::{DEMO, file, gemscope};

/// A recording is shown where most is alive.
#[test]
fn a_recording_as_text() {
    let cmd = gemscope().args(["top", "--replay", DEMO]);
    cmd.assert().code(0).stdout_eq(file!["top/forget-gem-close.txt"]).stderr_eq("");
    let shared = "fixtures/traces/newest/storm-procs.gemtrace";
    let cmd = gemscope().args(["top", "-n", "1", "--replay", shared]);
    cmd.assert().code(0).stdout_eq(file!["top/storm-procs.txt"]).stderr_eq("");
}

#[test]
fn a_run_of_the_model_as_text() {
    let cmd = gemscope().args(["top", "--source", "model:export-vs-close@v3.10", "--worst"]);
    cmd.assert().code(0).stdout_eq(file!["top/model.txt"]).stderr_eq("");
}

/// Where nothing lives there is nothing to show, which is told.
#[test]
fn nothing_is_said_to_be_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.gemtrace");
    let header = gemscope_trace::TraceHeader::default();
    gemscope_trace::Writer::create(&path, &header).unwrap().finish().unwrap();
    let assert = gemscope().args(["top", "--replay"]).arg(&path).assert().code(0);
    let out = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(out.contains("nothing yet"), "{out}");
}

/// What is missing of a recording is told, also where its recorder was killed between two blocks.
#[test]
fn a_recording_that_is_not_whole_says_so() {
    let (_dir, path) = file(&crate::codes::torn());
    let assert = gemscope().args(["top", "--replay"]).arg(&path).assert().code(0);
    let out = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(out.contains("damaged: the trace is cut at byte"), "{out}");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unfinished.gemtrace");
    let mut writer = gemscope_trace::Writer::create(&path, &gemscope_trace::TraceHeader::default()).unwrap();
    let workload = gemscope_trace::sample::Workload::new(gemscope_trace::sample::Shape::default());
    workload.take(100).for_each(|r| writer.write(&r).unwrap());
    writer.flush_block().unwrap();
    std::mem::forget(writer);
    let assert = gemscope().args(["top", "--replay"]).arg(&path).assert().code(0);
    let out = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(out.contains("damaged: the recording was not finished: its end is missing"), "{out}");
}

#[test]
fn what_cannot_be_replayed_is_told() {
    gemscope().args(["top", "--replay", "no-such-file"]).assert().code(2).stdout_eq("");
    gemscope().args(["top", "--source", "model:no-such"]).assert().code(2).stdout_eq("");
}
