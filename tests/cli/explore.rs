//! `gemscope explore`. Accept a change of a table with `SNAPSHOTS=overwrite`, and read the difference.

use serde_json::Value;
use snapbox::{Data, assert_data_eq};

use crate::{gemscope, tests};

/// Runs it on a scenario given at stdin.
#[track_caller]
fn at_stdin(text: &str) -> snapbox::cmd::OutputAssert {
    gemscope().args(["explore", "-"]).stdin(text.to_owned()).assert()
}

fn stdout(args: &[&str]) -> String {
    String::from_utf8(gemscope().arg("explore").args(args).output().unwrap().stdout).unwrap()
}

#[track_caller]
fn golden(name: &str, args: &[&str]) {
    let kept = Data::read_from(&tests().join("cli/explore").join(name), None);
    assert_data_eq!(Data::text(stdout(args)), kept.raw());
}

#[test]
fn the_exit_code_is_the_answer() {
    let table: &[(&[&str], i32)] = &[
        (&["export-vs-close", "--profile", "v3.12"], 0),
        (&["export-vs-close"], 0),
        (&["export-vs-close", "--profile", "v3.10"], 1),
        (&["export-vs-close", "--profile", "v3.12", "--profile", "v3.10"], 1),
        (&["export-vs-close", "--profile", "all"], 1),
        // What user space does against the rules is bad too.
        (&["handle-left", "--profile", "v7.0"], 1),
        (&["export-vs-close", "--profile", "v3.12", "--memory", "1K"], 3),
        // One is bad, of the other not everything was seen.
        (&["handle-left", "--memory", "64K"], 1),
        (&["no-such-scenario"], 2),
        (&["./no-such-file"], 2),
        (&["/"], 2),
        (&["twins", "--profile", "v9"], 2),
        (&["twins", "--memory", "lots"], 2),
        (&["twins", "--jobs", "0"], 2),
        (&["twins", "--list"], 2),
        (&["--profile", "v7.0"], 2),
        (&["twins", "--profile", "all", "-o", "x"], 2),
        (&["--list"], 0),
        (&[], 0),
    ];
    for (args, code) in table {
        let output = gemscope().arg("explore").args(*args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {said}");
        assert_eq!(*code == 2, !said.is_empty(), "{args:?}: {said}");
    }
}

#[test]
fn the_six_steps_of_sharing() {
    golden("six-step-sharing-v3.9.txt", &["six-step-sharing", "--profile", "v3.9"]);
}

#[test]
fn a_race_of_two_threads() {
    golden("export-vs-close-v3.10.txt", &["export-vs-close", "--profile", "v3.10"]);
}

#[test]
fn a_race_of_three_threads() {
    golden("change-handle-vs-close-v7.0.txt", &["change-handle-vs-close", "--profile", "v7.0"]);
}

#[test]
fn several_profiles_and_an_overview() {
    golden(
        "export-vs-close-3.txt",
        &["export-vs-close", "--profile", "v3.10", "--profile", "319c933c", "--profile", "v3.12"],
    );
}

#[test]
fn a_thread_that_waits_for_itself() {
    let text = stdout(&["import-failure", "--profile", "v3.12"]);
    assert!(
        text.ends_with(
            "!   lock(b->prime.lock)\n      !!! deadlock: no thread can go on: it has that lock already\n"
        ),
        "{text}"
    );
}

#[test]
fn all_scenarios_are_listed() {
    let text = stdout(&[]);
    assert!(text.lines().count() > 40 && text.contains("\nexport-vs-close "), "{text}");
    assert_eq!(text, stdout(&["--list"]));
}

#[test]
fn no_table_is_wider_than_a_mail() {
    for (name, _) in gemscope_model::BUILTIN {
        let text = stdout(&[name, "--profile", "all"]);
        // The answer is one line, however much is wrong.
        for line in text.lines().filter(|l| !l.starts_with("gemscope: ")) {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
    }
}

#[test]
fn more_hands_find_the_same() {
    for name in ["twins", "two-imports-vs-close"] {
        let one = stdout(&[name, "--profile", "v3.5", "--jobs", "1"]);
        assert_eq!(one, stdout(&[name, "--profile", "v3.5", "--jobs", "7"]));
    }
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let table = [
        (
            "scenario x\nfile a card0\nthread t\n  h = crate a\n",
            "stdin:4:7: `crate` is no operation and no part of a scenario; perhaps `create`\n\
             4 |   h = crate a\n  |       ^\n",
        ),
        (
            "scenario x\nfile a card0\nthread t\n  close a h\n",
            "stdin:4:11: nothing before this line gives a handle the name `h`\n\
             4 |   close a h\n  |           ^\n",
        ),
        ("file a card0 # no name\n", "stdin:1:1: a scenario begins with `scenario NAME`\n1 | [..]\n  | ^\n"),
        ("", "stdin:1:1: a scenario begins with `scenario NAME`\n"),
        ("scenario x\n\u{1b}[2J\n", "stdin:2:1: `/x1b[2J` is no operation and no part of a scenario\n...\n"),
    ];
    for (text, says) in table {
        at_stdin(text).code(2).stdout_eq("").stderr_eq(format!("gemscope: {says}"));
    }
    gemscope()
        .args(["explore", "-"])
        .stdin(&b"scenario \xff"[..])
        .assert()
        .code(2)
        .stderr_eq("gemscope: `stdin` is no text in UTF-8: no scenario\n");
}

#[test]
fn threads_that_do_nothing_have_no_column() {
    let text = "scenario x\nfile a card0\nthread one\n  h = create a\n  close a h\n  close a h\nthread two\n  k = create a\n";
    let output = at_stdin(text).code(1).get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(text.contains("beside each other (two: nothing yet):\n      one\n"), "{text}");
}

#[test]
fn a_trace_that_cannot_be_written() {
    gemscope()
        .args(["explore", "export-vs-close", "--profile", "v3.10", "-o", "/no/such/folder/x"])
        .assert()
        .code(2)
        .stderr_eq("gemscope: cannot [..] `/no/such/folder/x`[..]\n");
}

#[test]
fn an_unknown_name_is_helped() {
    gemscope().args(["explore", "twinz"]).assert().code(2).stdout_eq("").stderr_eq(
        "gemscope: no scenario is called `twinz`: did you mean `twins`?; `gemscope explore --list` lists them\n",
    );
    gemscope().args(["explore", "twins", "--profile", "v6.2+zcache"]).assert().code(2).stderr_eq(
        "error: invalid value 'v6.2+zcache' for '--profile <PROFILE>': `zcache` is not known; the profiles are \
         v3.5, [..]; after one, +WORD adds and -WORD takes away: publication-fix, [..]\n...\n",
    );
}

#[test]
fn names_in_a_scenario_cannot_steer_the_terminal() {
    let text = "scenario x\u{1b}[2J\nabout \u{202e}y\nfile a\u{1b}c card0\nthread t\u{9b}1\n  h = create a\u{1b}c\n  \
                close a\u{1b}c h\n  close a\u{1b}c h\n";
    for json in [&["explore", "-"][..], &["explore", "-", "--json"]] {
        let output = gemscope().args(json).stdin(text).assert().code(1).get_output().stdout.clone();
        let text = String::from_utf8(output).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text:?}");
    }
}

#[test]
fn json_is_as_the_schema_says() {
    let schema = tests().join("../userspace/cli/schema/explore.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |args: &[&str]| -> Vec<Value> {
        let text = stdout(args);
        let line = |l: &str| {
            let value: Value = serde_json::from_str(l).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {l}");
            value
        };
        text.lines().map(line).collect()
    };
    assert!(check(&["--json"]).iter().all(|l| l["type"] == "scenario"));
    assert_eq!(check(&["twins", "--memory", "1K", "--json"])[0]["verdict"], "not-exhausted");
    for (name, _) in gemscope_model::BUILTIN {
        let lines = check(&[name, "--profile", "all", "--json"]);
        assert_eq!(lines.len(), 11, "{name}");
        assert_eq!(lines[10]["type"], "summary");
    }
    let lines = check(&["export-vs-close", "--profile", "v3.10", "--json"]);
    let explored = &lines[0];
    assert_eq!(explored["verdict"], "bad");
    assert_eq!(explored["wrong"][0]["name"], "cache-not-empty");
    let way = explored["shortest"]["lines"].as_array().unwrap();
    assert!(way.last().unwrap()["wrong"].as_array().unwrap().iter().any(|w| w["name"] == "cache-not-empty"));
    assert_eq!(lines[1]["bad"][0], "v3.10");
}
