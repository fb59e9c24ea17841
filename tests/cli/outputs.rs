//! `--report [FORMAT=]FILE`: several at once, each whole, each at its place.

use std::fs;

use snapbox::cmd::Command;

use crate::{DEMO, gemscope};

const FORMATS: &[(&str, &str)] = &[
    ("text", "gemscope: "),
    ("jsonl", "{\"type\":\"header\""),
    ("junit", "<?xml "),
    ("sarif", "{\"$schema\":"),
    ("ktap", "KTAP version 1\n"),
    ("github", "::error "),
    ("markdown", "## "),
    ("html", "<!DOCTYPE html>"),
];

fn check() -> Command {
    gemscope().args(["check", "--trace", DEMO])
}

#[test]
fn all_formats_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for mut command in [check(), gemscope().args(["replay", DEMO])] {
        for (format, _) in FORMATS {
            command = command.arg("--report").arg(format!("{format}={}", dir.path().join(format).display()));
        }
        command.assert().code(1).stdout_eq("").stderr_eq("");
        for (format, begin) in FORMATS {
            let said = fs::read_to_string(dir.path().join(format)).unwrap();
            assert!(said.starts_with(begin), "{format}: {}", &said[..said.len().min(80)]);
            assert!(said.contains("handle-leak"), "{format}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), FORMATS.len());
    }
}

#[test]
fn people_are_told_beside_a_machine() {
    let dir = tempfile::tempdir().unwrap();
    let file = format!("junit={}", dir.path().join("a.xml").display());
    check()
        .args(["--report", &file])
        .assert()
        .code(1)
        .stdout_eq("gemscope: 1 finding[..]\n...\n")
        .stderr_eq("");
    let both = check().args(["--report", "ktap=-"]).assert().code(1);
    both.stdout_eq("KTAP version 1\n...\n").stderr_eq("gemscope: 1 finding[..]\n...\n");
    check()
        .args(["--report", "-"])
        .assert()
        .code(1)
        .stdout_eq("gemscope: 1 finding[..]\n...\n")
        .stderr_eq("");
    let json = check().args(["--json", "--report", "-"]).assert().code(1);
    json.stdout_eq("{\"type\":\"header\"[..]\n...\n").stderr_eq("");
}

#[test]
fn what_cannot_be_is_told_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("ran");
    let fails = |args: &[&str], words: &str| {
        let out = gemscope().arg("check").args(args).args(["--", "touch"]).arg(&mark).assert().code(2);
        let said = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
        assert!(said.contains(words), "{said}");
        assert!(!mark.exists());
    };
    fails(&["--report", "junit=/no/such/folder/a.xml"], "/no/such/folder/a.xml");
    fails(&["--report", "junt=a.xml"], "did you mean `junit`");
    fails(&["--report", "junit="], "give the file too");
    fails(&["--report", "junit=-", "--report", "ktap=-"], "two reports would go to `-`");
    fails(&["--report", "html=a.html"], "keep them with `--output TRACE`");
}

#[test]
fn an_undecided_answer_is_written_too() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("lossy.gemtrace");
    fs::write(&trace, crate::codes::lossy()).unwrap();
    let xml = dir.path().join("a.xml");
    let out = gemscope().args(["check", "--report"]).arg(format!("junit={}", xml.display()));
    let out = out.arg("--trace").arg(&trace).assert();
    let code = out.get_output().status.code();
    let said = fs::read_to_string(&xml).unwrap();
    assert!(code == Some(3) && said.contains("<error "), "{code:?} {said}");
}
