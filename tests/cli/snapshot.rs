//! `gemscope snapshot` on whatever machine the tests run on, and two saved ones beside each other.

use serde_json::Value;

use crate::{gemscope, tests};

/// A saved snapshot, as a path from the folder of the tests.
const SAVED: &str = "../userspace/report/tests/golden/snapshot.jsonl";

/// The same ten seconds on, with one dma-buf more and one less, in a file of its own.
fn later() -> (tempfile::TempDir, std::path::PathBuf) {
    let text = std::fs::read_to_string(tests().join(SAVED)).unwrap();
    let text = text
        .replace("\"inode\":13,", "\"inode\":99,")
        .replace("\"time_s\":1790000000", "\"time_s\":1790000010");
    crate::file(text.as_bytes())
}

#[test]
fn the_machine_as_it_is() {
    let output = gemscope().arg("snapshot").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("gemscope: ") && said.contains("\nkernel    "), "{said}");
    assert!(said.contains("handles cannot be read without tracing"), "{said}");
    let partial = said.lines().next().unwrap().contains("not everything could be seen");
    assert_eq!(output.status.code(), Some(if partial { 3 } else { 0 }), "{said}");
    // What is missing says why.
    assert_eq!(partial, said.contains("\nmissing   ") || said.contains("\npartly    "), "{said}");
}

#[test]
fn json_obeys_the_schema_and_tells_the_exit_code() {
    let output = gemscope().args(["snapshot", "--json"]).output().unwrap();
    let path = tests().join("../userspace/report/schema/snapshot.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().all(|l| validator.is_valid(l)), "{text}");
    assert_eq!((&lines[0]["type"], &lines[lines.len() - 1]["type"]), (&"snapshot".into(), &"totals".into()));
    let complete = lines[0]["complete"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(if complete { 0 } else { 3 }));
}

#[test]
fn it_may_go_to_a_file_and_is_compared_with_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("now");
    let output = gemscope().args(["snapshot", "--json", "-o"]).arg(&path).output().unwrap();
    assert!(output.stdout.is_empty() && output.status.code().is_some_and(|c| c != 2));
    gemscope()
        .args(["snapshot", "--diff"])
        .args([&path, &path])
        .assert()
        .code(0)
        .stdout_eq("gemscope: 0 dma-bufs new, 0 gone; [..] after 0 s\n...\n")
        .stderr_eq("");
}

#[test]
fn without_root_it_says_what_it_could_not_see() {
    let output = crate::errors::as_nobody(&["snapshot"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in ["not everything could be seen", "could not be read", "missing   bufinfo: "] {
        assert!(said.contains(word), "`{word}` in {said}");
    }
}

#[test]
fn two_saved_ones() {
    let (_dir, later) = later();
    gemscope()
        .args(["snapshot", "--diff", SAVED])
        .arg(&later)
        .assert()
        .code(0)
        .stdout_eq(
            "gemscope: 1 dma-buf new, 1 gone; 8.1 MiB -> 8.1 MiB after 10 s\n\ndma-bufs\n  \
             new      dma-buf inode 99 (virtio_gpu), 16.0 KiB\n  gone     dma-buf inode 13 (virtio_gpu), 16.0 KiB\n",
        )
        .stderr_eq("");
    gemscope()
        .args(["snapshot", "--json", "--diff", SAVED])
        .arg(&later)
        .assert()
        .code(0)
        .stdout_eq("{\"type\":\"diff\",[..]}\n{\"type\":\"buffer\",\"change\":\"new\",[..]}\n{\"type\":\"buffer\",\"change\":\"gone\",[..]}\n");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let refused = |args: &[&str], says: &str| {
        let args = [&["snapshot", "--diff"], args].concat();
        gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(format!("gemscope: {says}\n"));
    };
    refused(&[SAVED, "no-such-file"], "cannot open `no-such-file`: [..]");
    refused(&["Cargo.toml", SAVED], "cannot compare `Cargo.toml`: no snapshot: [..]");
    let text = std::fs::read(tests().join(SAVED)).unwrap();
    let (_dir, cut) = crate::file(&text[..text.len() / 2]);
    refused(&[SAVED, cut.to_str().unwrap()], "cannot compare `[..]`: the snapshot is cut: [..]");
    for args in [
        &["--diff", SAVED][..],
        &["--csv", "--json"],
        &["--by", "process", "--csv"],
        &["--diff", SAVED, SAVED, "-p", "1"],
    ] {
        gemscope().arg("snapshot").args(args).assert().code(2).stdout_eq("");
    }
}
