//! What a project lets pass: the configuration file, suppressions and the baseline, with the model in place of a kernel.

use std::fs;
use std::path::Path;

use snapbox::cmd::{Command, OutputAssert};

use crate::{DEMO, gemscope, tests};

/// One leak and one violation, always.
const BAD: &str = "model:six-step-sharing@v3.9";
const GOOD: &str = "model:export-vs-close@v7.0";

/// A project's folder.
struct Project(tempfile::TempDir);

impl Project {
    /// With this configuration.
    fn new(config: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        if !config.is_empty() {
            project.write("gemscope.toml", config);
        }
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Command {
        gemscope().current_dir(self.path()).args(args)
    }

    /// `check` of a model's run.
    #[track_caller]
    fn check(&self, source: &str, args: &[&str], code: i32) -> OutputAssert {
        self.run(&["check", "--source", source]).args(args).assert().code(code)
    }
}

fn stdout(output: &OutputAssert) -> String {
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

/// A `[[suppress]]` with these lines.
fn stanza(name: &str, lines: &str) -> String {
    format!("[[suppress]]\nname = \"{name}\"\nreason = \"it is known\"\n{lines}\n")
}

#[test]
fn what_is_suppressed_is_no_finding() {
    let project = Project::new(&stanza("all", "rule = [\"leak\", \"violation\"]"));
    project.check(BAD, &[], 0).stdout_eq(
        "gemscope: clean: beside 2 findings set aside, nothing leaked and no rule was broken in 68 records\n...\n\
         Set aside (no part of the verdict)\n[..]findings[..]\n\
         [..]2         2     4.0 KiB  suppression all (gemscope.toml:1): it is known\n\n\
         note: judged with the settings and suppressions of `gemscope.toml`\n...\n",
    );
    project.check(BAD, &["--no-config"], 1);
}

#[test]
fn what_is_not_suppressed_stands() {
    let project = Project::new(&stanza("one", "rule = \"leak\"\nprocess = \"app\""));
    let output = project.check(BAD, &[], 1).stdout_eq(
        "gemscope: 1 finding: released-while-cached ×1 (4.0 KiB); 1 set aside\n...\n1. released[..]\n...\n",
    );
    assert!(!stdout(&output).contains("2. prime-cache-leak"));
}

#[test]
fn programs_are_told_too() {
    let project = Project::new(&stanza("one", "rule = \"leak\""));
    let lines = stdout(&project.check(BAD, &["--json"], 1));
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let aside: Vec<_> =
        lines.iter().filter(|l| l["type"] == "finding").map(|l| &l["set_aside"]["name"]).collect();
    assert_eq!(aside, [&serde_json::Value::Null, &"one".into()]);
    let summary = lines.last().unwrap();
    assert_eq!((&summary["set_aside"], &summary["certain"]), (&1.into(), &1.into()));
}

#[test]
fn an_expired_one_hides_nothing() {
    let project = Project::new(&stanza("old", "rule = \"*\"\nexpires = \"2020-01-31\""));
    project.check(BAD, &[], 1).stdout_eq(
        "gemscope: 2 findings[..]\n...\nnote: the suppression `old` (gemscope.toml:1) expired on 2020-01-31 and hides \
         nothing; it would have matched 2[..]\n\n",
    );
    let project = Project::new(&stanza("new", "rule = \"*\"\nexpires = \"9999-01-31\""));
    project.check(BAD, &[], 0);
}

#[test]
fn an_unused_one_is_told_and_does_not_fail() {
    let project = Project::new(&stanza("idle", "process = \"nobody\""));
    project.check(GOOD, &[], 0).stdout_eq(
        "gemscope: clean: nothing leaked[..]\n...\nnote: suppression idle (gemscope.toml:1) was not used: take it out if what it hid is repaired\n...\n",
    );
}

#[test]
fn further_files() {
    let project = Project::new("[check]\nsuppressions = [\"a.toml\"]\n");
    project.write("a.toml", &stanza("a", "rule = \"leak\""));
    project.write("b.toml", &stanza("b", "rule = \"violation\""));
    project.check(BAD, &[], 1);
    project.check(BAD, &["--suppress", "b.toml"], 0);
    project.write("b.toml", &stanza("a", "rule = \"violation\""));
    project.check(BAD, &["--suppress", "b.toml"], 2).stderr_eq(
        "gemscope: two suppressions are called `a`: a.toml:1 and b.toml:1; each has its own name\n",
    );
}

#[test]
fn paths_begin_at_the_file() {
    let project = Project::new("");
    fs::create_dir(project.path().join("ci")).unwrap();
    project.write("ci/g.toml", "[check]\nsuppressions = [\"a.toml\"]\n");
    project.write("ci/a.toml", &stanza("a", "rule = \"*\""));
    project.check(BAD, &["--config", "ci/g.toml"], 0);
}

#[test]
fn settings_count_where_no_option_says_otherwise() {
    let trace = tests().join(DEMO);
    let project = Project::new("[check]\nat-exit = \"ignore\"\n");
    let demo = trace.to_str().unwrap();
    project.run(&["check", "--trace", demo]).assert().code(0);
    project.run(&["replay", demo]).assert().code(0);
    project.run(&["check", "--trace", demo, "--at-exit", "strict"]).assert().code(1);
}

#[test]
fn generated_suppressions_wait_for_a_reason() {
    let project = Project::new("");
    let printed =
        stdout(&project.check(BAD, &["--gen-suppressions"], 1).stderr_eq("gemscope: 2 findings[..]\n...\n"));
    project.check(BAD, &["--gen-suppressions=s.toml"], 1).stdout_eq("gemscope: 2 findings[..]\n...\n");
    assert_eq!(project.read("s.toml"), printed);
    project.check(BAD, &["--suppress", "s.toml"], 2).stderr_eq(
        "gemscope: s.toml:1:1: the suppression `released-while-cached-app` has no `reason`: [..]\n...\n",
    );
    project.write("s.toml", &printed.replace("# reason = \"...\"", "reason = \"known\""));
    project.check(BAD, &["--suppress", "s.toml", "--gen-suppressions"], 0).stdout_eq("");
    // Reasons are not written over.
    project
        .check(BAD, &["--gen-suppressions=s.toml"], 2)
        .stderr_eq("gemscope: `s.toml` is there already: [..]\n");
}

#[test]
fn generated_suppressions_of_a_real_kernels_trace() {
    let project = Project::new("");
    let trace = tests().join(DEMO);
    let demo = trace.to_str().unwrap();
    project.run(&["replay", demo, "--gen-suppressions=s.toml"]).assert().code(1);
    let text = project.read("s.toml");
    assert!(text.contains("frame = \"create_dumb\"\nmodule = \"gemclient\"\n"), "{text}");
    project.write("s.toml", &text.replace("# reason", "reason"));
    project.run(&["replay", demo, "--suppress", "s.toml"]).assert().code(0);
}

#[test]
fn a_baseline_is_made_and_accepts_what_was_there() {
    let project = Project::new("");
    project
        .check(BAD, &["--baseline", "b.toml"], 2)
        .stderr_eq("gemscope: cannot open the baseline `b.toml`; --update-baseline makes one: [..]\n");
    project
        .check(BAD, &["--baseline", "b.toml", "--update-baseline"], 0)
        .stderr_eq("gemscope: the baseline `b.toml` is made, with 2 entries\n");
    let made = project.read("b.toml");
    project.check(BAD, &["--baseline", "b.toml"], 0).stdout_eq(
        "gemscope: clean: beside 2 findings set aside[..]\n...\n[..]2         2     4.0 KiB  2 entries of the baseline\n...\n",
    );
    project
        .check(BAD, &["--baseline", "b.toml", "--update-baseline"], 0)
        .stderr_eq("gemscope: the baseline `b.toml` has nothing to take out\n");
    assert_eq!(project.read("b.toml"), made);
    // Without a name it has this one.
    project.check(BAD, &["--update-baseline"], 0);
    assert_eq!(project.read("gemscope-baseline.toml"), made);
}

#[test]
fn a_baseline_only_shrinks() {
    let project = Project::new("[check]\nbaseline = \"b.toml\"\n");
    project.check(BAD, &["--update-baseline"], 0);
    // What is fixed is told, and taken out when asked.
    project
        .check(GOOD, &[], 0)
        .stdout_eq("...\nnote: of 2 entries of the baseline nothing was found: fixed?[..]\n...\n");
    let (one, _) = project
        .read("b.toml")
        .rsplit_once("\n[[finding]]")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    project.write("b.toml", &one);
    project.check(BAD, &["--update-baseline"], 1);
    assert_eq!(project.read("b.toml"), one, "nothing is added");
    project.write("b.toml", &one.replace("count = 1", "count = 5"));
    project
        .check(BAD, &["--update-baseline"], 1)
        .stderr_eq("gemscope: of the baseline `b.toml` 0 entries are taken out, 1 lowered; it has 1 entry\n");
    assert_eq!(project.read("b.toml"), one);
    project
        .check(GOOD, &["--update-baseline"], 0)
        .stderr_eq("gemscope: of the baseline `b.toml` 1 entry is taken out, 0 lowered; it has 0 entries\n");
    project.check(BAD, &["--update-baseline"], 1);
}

#[test]
fn more_than_the_baseline_stands() {
    let project = Project::new("");
    project.check(BAD, &["--update-baseline"], 0);
    let none = project.read("gemscope-baseline.toml").replace("count = 1", "count = 0");
    project.write("gemscope-baseline.toml", &none);
    let output = project.check(BAD, &["--baseline", "gemscope-baseline.toml"], 1);
    let said = stdout(&output);
    assert!(
        said.contains("prime-cache-leak of app (") && said.contains("): 1 more than the baseline's 0"),
        "{said}"
    );
    assert!(!said.contains("fixed?"), "{said}");
}

#[test]
fn an_undecided_run_updates_nothing() {
    let project = Project::new("");
    project.check(BAD, &["--update-baseline"], 0);
    let made = project.read("gemscope-baseline.toml");
    project.write("torn", "");
    fs::write(project.path().join("torn"), crate::codes::torn()).unwrap();
    project.run(&["replay", "torn", "--update-baseline"]).assert().code(3).stderr_eq(
        "gemscope: the baseline `gemscope-baseline.toml` stays as it is: something could have been missed, and what was missed is \
         not fixed\n",
    );
    assert_eq!(project.read("gemscope-baseline.toml"), made);
    project.run(&["replay", "torn", "--until", "3", "--update-baseline"]).assert().code(2);
    // Not made of it either.
    project.run(&["replay", "torn", "--update-baseline", "--baseline", "new"]).assert().code(3);
    assert!(!project.path().join("new").exists());
}

#[test]
fn suppressions_come_before_the_baseline() {
    let project = Project::new(&stanza("one", "rule = \"leak\""));
    project
        .check(BAD, &["--update-baseline"], 0)
        .stderr_eq("gemscope: the baseline `gemscope-baseline.toml` is made, with 1 entry\n");
    assert!(project.read("gemscope-baseline.toml").contains("rule = \"released-while-cached\""));
}

#[track_caller]
fn mistake(config: &str, says: &str) {
    Project::new(config).check(GOOD, &[], 2).stdout_eq("").stderr_eq(format!("gemscope: {says}\n"));
}

#[test]
fn mistakes_show_their_lines() {
    mistake(
        "[check]\ntime-out = 3\n",
        "gemscope.toml:2:1: nothing is called `time-out` in [check]: did you mean `timeout`?\n\
         2 | time-out = 3\n  | ^",
    );
    mistake(
        "[check]\ntimeout = \"long\"  # too long\n\n[[suppress]]\nname = \"a\"\nrule = \"handle-leek\"\nreason = \"b\"\n",
        "gemscope.toml:2:11: `timeout` must be seconds, as 300 or 0.5, not `long`\n\
         2 | timeout = \"long\"  # too long\n  |           ^\n\
         gemscope.toml:6:8: no rule, assertion or class is called `handle-leek`: did you mean `handle-leak`?; `gemscope \
         explain` lists the rules\n6 | rule = \"handle-leek\"\n  |        ^",
    );
    mistake(
        "[check\n",
        "gemscope.toml:1:7: this is no TOML: unclosed table, expected `]`\n1 | [check\n  |       ^",
    );
    mistake(
        "[[suppress]]\nname = \"a\"\nreason = \"b\"\n",
        "gemscope.toml:1:1: [..] would hide everything: [..]\n...\n[..]^",
    );
}

#[test]
fn a_mistake_cannot_steer_the_terminal() {
    let project = Project::new("[check]\n\"\\u001b[2J\" = 1\n");
    let output = project.check(GOOD, &[], 2);
    assert!(!output.get_output().stderr.contains(&0x1b));
}

#[test]
fn files_that_are_none() {
    let project = Project::new("");
    let says = |args: &[&str], says: &str| {
        project.check(GOOD, args, 2).stderr_eq(format!("gemscope: {says}\n"));
    };
    says(&["--config", "no"], "cannot open the configuration `no`: [..]");
    says(&["--suppress", "no"], "cannot open the suppressions `no`: [..]");
    says(&["--config", "."], "[..]directory[..]");
    fs::write(project.path().join("x"), [0xff, 0xfe]).unwrap();
    says(&["--config", "x"], "`x` is no text in UTF-8: no configuration");
    says(&["--suppress", "x"], "`x` is no text in UTF-8: no file of suppressions");
    says(&["--baseline", "x"], "`x` is no text in UTF-8: no baseline");
    project.write("y", "<<<<<<< HEAD\nversion = 1\n");
    says(&["--baseline", "y"], "y:1:1: this is no TOML: [..]\n...");
}

#[test]
fn the_example_is_read() {
    let path = tests().join("../examples/gemscope.toml");
    let config = fs::read_to_string(path).unwrap();
    let project = Project::new("");
    project.write("gemscope.toml", &config);
    // What it names beside itself is not there.
    project.write("third-party.toml", "");
    project.write("gemscope-baseline.toml", "version = 1\n");
    project.check(GOOD, &[], 0);
}

#[test]
fn what_was_asked_for_and_cannot_be_judged_is_not_clean() {
    let project = Project::new("");
    let asked =
        ["--max-growth", "2", "--report", "ktap=ktap", "--report", "junit=junit", "--report", "markdown=md"];
    let output = project.check(GOOD, &asked, 3);
    let why = "growth-limit: growth is judged from mark to mark, and no name was marked twice";
    let text = stdout(&output);
    assert!(text.starts_with(&format!("gemscope: undecided: {why}")), "{text}");
    assert!(text.contains(&format!("why the verdict is undecided:\n   {why}")), "{text}");
    let ktap = project.read("ktap");
    assert!(
        ktap.contains("growth-limit # ERROR undecided") && ktap.contains("\nok 37 nothing-was-missed"),
        "{ktap}"
    );
    assert!(project.read("junit").contains("<error message=\"growth is judged from mark to mark"));
    assert!(project.read("md").contains("no name was marked twice"));
    let lines = stdout(&project.check(GOOD, &["--max-growth", "2", "--json"], 3));
    assert!(lines.contains("{\"type\":\"unjudged\",\"rule\":\"growth-limit\""), "{lines}");
    // A project's file asks it of the runs that have marks.
    project.write("gemscope.toml", "[growth.max]\nhandles = 2\n");
    project.check(GOOD, &[], 0).stdout_eq("...\nnote: growth is judged from mark to mark[..]\n...\n");
}

#[test]
fn limits_of_the_file_are_held() {
    let project = Project::new("[budget]\nhandles = 0\nattachments = 99\n");
    project.check(GOOD, &[], 1).stdout_eq(
        "gemscope: 1 finding: budget of handles\n...\n1. budget [assertion] [..]\n...\nkept: at most 99 attachments: [..]\n...\n",
    );
    // An option wins.
    project
        .check(GOOD, &["--budget", "handles=99"], 0)
        .stdout_eq("...\nkept: at most 99 handles: [..]\n...\n");
    // Too little is wrong, too, and told of as anything else.
    let project = Project::new("[at-least]\nhandles = 1\nattachments = 9\n");
    project.check(GOOD, &[], 1).stdout_eq(
        "gemscope: 1 finding: shortfall of attachments\n...\n1. shortfall [assertion] [..]\n   what       0 attachments at once, \
         and not the 9 attachments that there should be at some moment\n...\nkept: at least 1 handle [..]\n...\n",
    );
    // A broken assertion can be set aside as a finding can.
    let project = Project::new(&format!("[budget]\nhandles = 0\n{}", stanza("known", "rule = \"budget\"")));
    project.check(GOOD, &[], 0);
}
