//! The exit codes, and where output goes.

use gemscope_common::{Gem, Mark, Phase, ProbeId, Record, Settle};
use gemscope_trace::{TraceHeader, Writer};

use crate::{DEMO, demo_bytes, file, gemscope};

/// A trace of these records, as bytes.
fn trace(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = TraceHeader { profile: "v6.2".to_owned(), ..TraceHeader::default() };
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    records.iter().for_each(|r| writer.write(r).unwrap());
    writer.finish().unwrap();
    bytes
}

fn mark() -> Record {
    Record::new(ProbeId::Mark, Phase::Point, &Mark { name: [0; 32] })
}

/// A trace in which seven records were lost.
pub fn lossy() -> Vec<u8> {
    let mut lost = mark();
    lost.header.drops = 7;
    trace(&[mark(), lost])
}

#[test]
fn clean_is_0() {
    let (_dir, path) = file(&trace(&[mark()]));
    gemscope()
        .arg("replay")
        .arg(&path)
        .assert()
        .code(0)
        .stdout_eq("gemscope: clean: [..] 1 record\n...\n")
        .stderr_eq("");
    gemscope().args(["check", "--trace"]).arg(&path).assert().code(0);
}

#[test]
fn findings_are_1() {
    gemscope()
        .args(["replay", DEMO])
        .assert()
        .code(1)
        .stdout_eq("gemscope: 1 finding: handle-leak ×1 [..]\n...\n")
        .stderr_eq("");
    gemscope().args(["check", "--trace", DEMO]).assert().code(1);
    gemscope().args(["replay", DEMO, "--at-exit", "ignore"]).assert().code(0);
}

#[test]
fn undecided_is_3() {
    let (_dir, path) = file(&lossy());
    gemscope()
        .arg("replay")
        .arg(&path)
        .assert()
        .code(3)
        .stdout_eq("gemscope: undecided: 7 records were lost[..]\n...\n");
    let running = Settle { alive: 2, ..Settle::default() };
    let (_dir, path) = file(&trace(&[Record::new(ProbeId::Settle, Phase::Point, &running)]));
    gemscope()
        .arg("replay")
        .arg(&path)
        .assert()
        .code(3)
        .stdout_eq("gemscope: undecided: 2 processes were still running[..]\n...\n");
}

#[test]
fn the_demo_is_0_because_showing_was_the_task() {
    gemscope().arg("demo").assert().code(0).stdout_eq("gemscope: 1 finding[..]\n...\n").stderr_eq("");
}

/// Numbers that do not compress.
const fn noise(i: u64) -> u64 {
    (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A trace of several blocks, cut within the last one.
pub fn torn() -> Vec<u8> {
    let bytes = long_trace();
    bytes[..bytes.len() * 3 / 4].to_vec()
}

/// A trace of several blocks: an early cut leaves no whole block of records.
pub fn long_trace() -> Vec<u8> {
    let whole: Vec<Record> = (0..20_000u64)
        .map(|i| {
            let mut record = Record::new(
                ProbeId::ObjectInit,
                Phase::Point,
                &Gem { obj: noise(i), size: noise(i + 1), ..Gem::default() },
            );
            record.header.ts_ns = i * 77;
            record
        })
        .collect();
    trace(&whole)
}

#[test]
fn a_torn_trace_is_judged_up_to_the_tear() {
    let bytes = long_trace();
    let (_dir, path) = file(&torn());
    gemscope()
        .arg("replay")
        .arg(&path)
        .assert()
        .code(3)
        .stdout_eq("gemscope: undecided: the trace is damaged or cut: records are missing\n...\ndamaged   the trace is cut at byte [..]\n...\n");
    let (_dir, path) = file(&bytes[..bytes.len() / 8]);
    gemscope()
        .arg("replay")
        .arg(&path)
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq("gemscope: no record of [..] can be read: [..]\n");
}

#[test]
fn a_flipped_bit_never_gives_another_verdict_in_silence() {
    let bytes = demo_bytes();
    for at in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let (_dir, path) = file(&flipped);
        let output = gemscope().arg("replay").arg(&path).output().unwrap();
        // Names and the index do not carry the verdict; everything else must be noticed.
        let code = output.status.code().unwrap();
        assert!([1, 2, 3].contains(&code), "code {code} at byte {at}");
    }
}

#[test]
fn until_ends_early() {
    gemscope().args(["replay", DEMO, "--until", "1"]).assert().stdout_eq(
        "...\nseen      1 record, none lost\n...\nnote      judged up to record 1 only, as asked\n...\n",
    );
}

#[test]
fn another_profile_is_told() {
    gemscope()
        .args(["replay", DEMO, "--profile", "v3.9"])
        .assert()
        .stdout_eq("...\nrules     v3.9[..]; recorded\n          under v6.2[..]\n...\n");
}

#[test]
fn json_is_lines() {
    for args in
        [&["replay", DEMO, "--json"][..], &["demo", "--json"], &["explain", "--json"], &["probes", "--json"]]
    {
        let output = gemscope().args(args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.is_empty());
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["type"].is_string(), "{line}");
        }
    }
}

#[test]
fn events_are_lines() {
    let output = gemscope().args(["replay", DEMO, "--events"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|l| l.contains("> handle-create")), "{text}");
    assert!(text.contains("\ngemscope: 1 finding"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let script = format!("'{}' replay {DEMO} --events | head -n 1", env!("CARGO_BIN_EXE_gemscope"));
    let output =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(crate::tests()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn colours_are_for_terminals_unless_wanted() {
    let escapes = |args: &[&str]| gemscope().args(args).output().unwrap().stdout.contains(&0x1b);
    assert!(!escapes(&["replay", DEMO]));
    assert!(escapes(&["--color", "always", "replay", DEMO]));
    assert!(!escapes(&["replay", DEMO, "--color", "never"]));
}

#[test]
fn a_report_may_go_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.jsonl");
    gemscope()
        .args(["check", "--trace", DEMO, "--json", "--report"])
        .arg(&path)
        .assert()
        .code(1)
        .stdout_eq("");
    assert!(std::fs::read_to_string(path).unwrap().ends_with("}\n"));
}
