//! `-` is standard output wherever a file can be written; where stdout does not do, that is said before anything is begun.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use clap::CommandFactory as _;
use gemscope_cli::args::Cli;
use rustix::pty;

use crate::{DEMO, gemscope, tests};

/// One violation and one leak, always.
const BAD: &str = "model:six-step-sharing@v3.9";

/// What `-` means for a file.
enum Dash {
    /// It is stdout, and these arguments write there. `DEMO` is the bundled trace.
    Stdout(&'static str),
    /// It is refused.
    Refused(&'static str),
    /// The file is read.
    Read,
}

use Dash::{Read, Refused, Stdout as Written};

/// Every argument of every command that takes a file.
const FILES: &[(&str, &str, Dash)] = &[
    ("check", "baseline", Refused("check --source SOURCE --baseline - --update-baseline")),
    ("check", "config", Read),
    ("check", "control", Refused("check --control - --duration 1")),
    ("check", "gen-suppressions", Written("check --source SOURCE --gen-suppressions=-")),
    ("check", "output", Written("check --source SOURCE -o -")),
    ("check", "report", Written("check --trace DEMO --report junit=- --report ktap=beside")),
    ("check", "suppress", Read),
    ("check", "trace", Read),
    ("check", "trace-on-failure", Refused("check --source SOURCE --trace-on-failure -")),
    ("doctor", "image", Read),
    ("explore", "output", Written("explore six-step-sharing --profile v3.9 --json -o -")),
    ("export", "output", Written("export DEMO -f csv -o -")),
    ("record", "output", Written("record --source SOURCE -o -")),
    ("replay", "baseline", Refused("replay DEMO --baseline -")),
    ("replay", "config", Read),
    ("replay", "gen-suppressions", Written("replay DEMO --gen-suppressions=-")),
    ("replay", "report", Written("replay DEMO --report -")),
    ("replay", "suppress", Read),
    ("report", "output", Written("report DEMO -o -")),
    ("snapshot", "output", Written("snapshot --json -o -")),
    ("top", "output", Refused("top -o -")),
    ("top", "replay", Read),
];

fn words(line: &str) -> Vec<String> {
    let demo = tests().join(DEMO).to_string_lossy().into_owned();
    line.split(' ').map(|word| word.replace("DEMO", &demo).replace("SOURCE", BAD)).collect()
}

/// Runs it in an empty folder; gives what was said, and what is in the folder then.
fn run(line: &str) -> (Output, BTreeSet<String>) {
    let dir = tempfile::tempdir().unwrap();
    let output = gemscope().current_dir(dir.path()).args(words(line)).output().unwrap();
    let left = fs::read_dir(dir.path()).unwrap();
    (output, left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Is it `FILE` or `[FORMAT=]FILE`, and no `PROFILE`?
fn is_file(name: &str) -> bool {
    name.rsplit(|c: char| !c.is_ascii_alphabetic()).next() == Some("FILE")
}

#[test]
fn every_file_is_known() {
    let cli = Cli::command();
    let mut found = BTreeSet::new();
    for command in cli.get_subcommands() {
        for arg in command.get_opts() {
            if arg.get_value_names().is_some_and(|names| names.iter().any(|name| is_file(name))) {
                found.insert((command.get_name(), arg.get_long().unwrap()));
            }
        }
    }
    let known = FILES.iter().map(|(command, arg, _)| (*command, *arg)).collect();
    assert_eq!(found, known);
}

#[test]
fn it_is_stdout_or_it_is_refused() {
    for (command, arg, dash) in FILES {
        match dash {
            Read => {}
            Written(line) => {
                let (output, mut left) = run(line);
                let code = output.status.code();
                assert!(matches!(code, Some(0 | 1 | 3)), "{command} {arg}: {code:?} {}", said(&output));
                assert!(!output.stdout.is_empty(), "{command} {arg}: {}", said(&output));
                left.remove("beside");
                assert!(left.is_empty(), "{command} {arg}: {left:?}");
            }
            Refused(line) => {
                let (output, left) = run(line);
                let said = said(&output);
                assert_eq!(output.status.code(), Some(2), "{command} {arg}: {said}");
                assert!(said.contains("stdout does not do here: give a file"), "{command} {arg}: {said}");
                assert!(output.stdout.is_empty() && left.is_empty(), "{command} {arg}: {left:?}");
            }
        }
    }
}

/// What is told goes to stderr where a trace goes to stdout, and the trace is whole.
#[test]
fn a_trace_has_stdout_to_itself() {
    for (line, tells) in [
        ("record --source SOURCE -o -", "68 records in "),
        ("check --source SOURCE -o -", "gemscope: 2 findings"),
        ("check --json --source SOURCE -o -", "{\"type\":\"header\""),
        ("explore six-step-sharing --profile v3.9 -o -", "the shortest bad interleaving is "),
        ("explore six-step-sharing --profile v3.9 --json -o -", "{\"type\":\"explored\""),
    ] {
        let (output, _) = run(line);
        assert!(said(&output).contains(tells), "{line}: {}", said(&output));
        assert!(!said(&output).contains("gemscope replay"), "{line}: there is no file: {}", said(&output));
        let (_dir, path) = crate::file(&output.stdout);
        let report = gemscope().arg("replay").arg(path).assert().code(1).get_output().stdout.clone();
        let report = String::from_utf8(report).unwrap();
        assert!(report.contains("released-while-cached") && !report.contains("damaged"), "{line}: {report}");
    }
    let (output, left) = run("explore export-vs-close --profile v7.0 -o -");
    assert!(output.status.success() && output.stdout.is_empty() && left.is_empty());
    assert!(said(&output).contains("nothing goes wrong: `-` is not written"), "{}", said(&output));
}

#[test]
fn an_export_is_the_same_with_a_dash_and_without() {
    for format in ["csv", "jsonl", "folded", "perfetto"] {
        let (plain, _) = run(&format!("export DEMO -f {format}"));
        let (dash, left) = run(&format!("export DEMO -f {format} -o -"));
        assert!(plain.status.success() && plain.stdout == dash.stdout && left.is_empty(), "{format}");
    }
}

#[test]
fn a_file_may_be_called_so() {
    for line in [
        "export DEMO -f csv -o ./-",
        "report DEMO -o ./-",
        "record --source SOURCE -o ./-",
        "replay DEMO --report ./-",
    ] {
        let (output, left) = run(line);
        assert!(left.contains("-") && output.stdout.is_empty(), "{line}: {}", said(&output));
    }
}

#[test]
fn what_has_no_room_on_stdout_is_told_before_anything_runs() {
    for (line, says) in [
        ("check -o - -- touch ran", "gemscope: CMD keeps its stdout: give the trace a file with `-o FILE`\n"),
        (
            "record -o - -- touch ran",
            "gemscope: CMD keeps its stdout: give the trace a file with `-o FILE`\n",
        ),
        ("check --in-vm 6.12 -o - -- touch ran", "gemscope: CMD keeps its stdout"),
        ("record --source SOURCE --ring 64K -o -", "gemscope: a flight recorder writes one trace after"),
        (
            "check --source SOURCE -o - --report junit=-",
            "gemscope: the trace would go to stdout, and something",
        ),
        (
            "check --source SOURCE -o - --gen-suppressions",
            "gemscope: the trace would go to stdout, and something",
        ),
    ] {
        let (output, left) = run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(said(&output).starts_with(says), "{line}: {}", said(&output));
        assert!(output.stdout.is_empty() && left.is_empty(), "{line}: {left:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    for key in ["trace-on-failure", "baseline"] {
        fs::write(dir.path().join("gemscope.toml"), format!("[check]\n{key} = \"-\"\n")).unwrap();
        let says = format!("gemscope: `{key}` of the configuration is a file, and stdout is none\n");
        let check = gemscope().current_dir(dir.path()).args(["check", "--source", BAD]);
        check.assert().code(2).stdout_eq("").stderr_eq(says);
    }
}

/// A terminal to write to, and the end that keeps it open.
fn terminal() -> (rustix::fd::OwnedFd, File) {
    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY;
    let ours = pty::openpt(flags).unwrap();
    pty::grantpt(&ours).unwrap();
    pty::unlockpt(&ours).unwrap();
    let name = pty::ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    // Without O_NOCTTY it could become the terminal of who runs the tests.
    let open = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let theirs = rustix::fs::open(name, open, rustix::fs::Mode::empty()).unwrap();
    (ours, File::from(theirs))
}

#[test]
fn no_terminal_is_filled_with_what_is_no_text() {
    for (line, what) in [
        ("record --source SOURCE -o -", "a trace"),
        ("check --source SOURCE -o -", "a trace"),
        ("check --duration 1 -o -", "a trace"),
        ("explore six-step-sharing -o -", "a trace"),
        ("export DEMO -f perfetto -o -", "a Perfetto trace"),
        ("export DEMO -f perfetto", "a Perfetto trace"),
    ] {
        let (_ours, theirs) = terminal();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gemscope"));
        command.args(words(line)).env("NO_COLOR", "1").current_dir(tests());
        for name in crate::SURROUNDINGS {
            command.env_remove(name);
        }
        let output = command.stdin(Stdio::null()).stdout(theirs).stderr(Stdio::piped()).output().unwrap();
        let want =
            format!("gemscope: {what} is no text for a terminal: give a file with `-o FILE`, or a pipe\n");
        assert_eq!((output.status.code(), said(&output)), (Some(2), want), "{line}");
    }
}
