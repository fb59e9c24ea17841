//! `gemscope export`: formats that are kept whole, what is refused, and what a damaged trace gives.
//!
//! Accept a change with `SNAPSHOTS=overwrite`, and read the difference.

use snapbox::{Data, assert_data_eq};

use crate::{DEMO, demo_bytes, file, gemscope, tests};

/// Much of everything in few records.
const SIX_STEP: &str = "fixtures/traces/6.12/six-step.gemtrace";

#[track_caller]
fn keeps(args: &[&str], name: &str) {
    let output = gemscope().arg("export").args(args).assert().code(0).get_output().stdout.clone();
    let kept = Data::read_from(&tests().join("cli/export").join(name), None);
    assert_data_eq!(Data::text(String::from_utf8(output).unwrap()), kept.raw());
}

#[track_caller]
fn refused(args: &[&str], says: &str) {
    gemscope().arg("export").args(args).assert().code(2).stdout_eq("").stderr_eq(format!("{says}\n"));
}

#[test]
fn the_text_formats() {
    keeps(&[SIX_STEP, "-f", "csv"], "events.csv");
    keeps(&[SIX_STEP, "-f", "csv", "--table", "buffers", "--until", "40"], "buffers.csv");
    keeps(&[SIX_STEP, "-f", "csv", "--table", "processes", "--until", "40"], "processes.csv");
    keeps(&[SIX_STEP, "-f", "csv", "--table", "sites", "--until", "40"], "sites.csv");
    keeps(&[DEMO, "-f", "csv", "--table", "findings"], "findings.csv");
    keeps(&[DEMO, "-f", "jsonl"], "demo.jsonl");
    keeps(&[SIX_STEP, "-f", "folded", "--at", "peak"], "peak.folded");
    keeps(&[SIX_STEP, "-f", "folded", "--value", "count", "--since", "14", "--at", "40"], "since.folded");
}

#[test]
fn perfetto_goes_into_a_file_or_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.pftrace");
    gemscope()
        .args(["export", DEMO, "-f", "perfetto", "-o"])
        .arg(&path)
        .assert()
        .code(0)
        .stdout_eq("")
        .stderr_eq("");
    let piped = gemscope().args(["export", DEMO, "-f", "perfetto"]).output().unwrap().stdout;
    assert_eq!(std::fs::read(path).unwrap(), piped);
    assert!(piped.len() > 4000);
}

#[test]
fn a_run_of_the_model() {
    let args = ["export", "--source", "model:six-step-sharing@v3.9", "-f", "jsonl"];
    let text = String::from_utf8(gemscope().args(args).output().unwrap().stdout).unwrap();
    assert!(text.lines().last().unwrap().starts_with("{\"type\":\"end\",\"complete\":true"));
    assert!(text.contains("\"what\":\"dma-buf exported\""));
    let args = ["export", "--source", "model:export-vs-close@v3.10", "-f", "folded", "--at", "peak"];
    gemscope().args(args).assert().code(0);
}

#[test]
fn a_torn_trace_is_exported_up_to_the_tear() {
    let (_dir, path) = file(&crate::codes::torn());
    let path = path.to_str().unwrap();
    for format in ["jsonl", "csv", "perfetto"] {
        let output = gemscope().args(["export", path, "-f", format]).assert();
        let output =
            output.code(3).stderr_eq("gemscope: what can be read was exported: the trace is cut [..]\n");
        assert!(!output.get_output().stdout.is_empty(), "{format}");
    }
    let text = gemscope().args(["export", path, "-f", "jsonl"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.lines().last().unwrap().starts_with("{\"type\":\"end\",\"complete\":false"));
    assert!(text.contains("{\"type\":\"lost\""));
    // Nothing of this one can be read.
    let bytes = demo_bytes();
    let (_dir, path) = file(&bytes[..bytes.len() - 200]);
    let output = gemscope().arg("export").arg(path).args(["-f", "csv", "--table", "sites"]).assert();
    output.code(2).stderr_eq("gemscope: no record of `[..]` can be read: [..]\n");
}

#[test]
fn what_was_left_out_is_told() {
    let text = gemscope().args(["export", DEMO, "-f", "jsonl", "--until", "20"]).assert().code(0);
    let text = String::from_utf8_lossy(&text.get_output().stdout).into_owned();
    assert!(
        text.lines().last().unwrap().starts_with("{\"type\":\"end\",\"complete\":false,\"damage\":[]"),
        "{text}"
    );
}

#[test]
fn what_does_not_go_together() {
    refused(&[DEMO, "-f", "jsonl", "--table", "sites"], "gemscope: `--table` is of `--format csv` only");
    refused(&[DEMO, "-f", "csv", "--at", "peak"], "gemscope: `--at` is of `--format folded` only");
    refused(&[DEMO, "-f", "folded", "--since", "9", "--at", "5"], "gemscope: `--since` comes after [..]");
    refused(
        &[DEMO, "-f", "folded", "--at", "noon"],
        "error: invalid value 'noon' for '--at <SEQ>': give [..]\n...",
    );
    refused(&[DEMO], "error: the following required arguments were not provided:\n...");
    refused(&["-f", "csv"], "error: the following required arguments were not provided:\n...");
    refused(&["no-such-file", "-f", "csv"], "gemscope: cannot open `no-such-file`: [..]");
    refused(
        &[DEMO, "-f", "csv", "-o", "/no/such/folder/x"],
        "gemscope: cannot write `/no/such/folder/x`; choose another place with `-o FILE`: [..]",
    );
    let (_dir, path) = file(&demo_bytes());
    let path = path.to_str().unwrap();
    refused(&[path, "-f", "csv", "-o", path], "gemscope: `[..]` is the trace itself: choose another [..]");
    assert_eq!(std::fs::read(path).unwrap(), demo_bytes());
}

#[test]
fn nobody_reads_any_more() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_gemscope"))
        .args(["export", "fixtures/traces/6.12/storm.gemtrace", "-f", "jsonl"])
        .current_dir(tests())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}
