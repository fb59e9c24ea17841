//! What `--help` says, whole. Accept a change with `SNAPSHOTS=overwrite`.

use snapbox::{Data, assert_data_eq};

use crate::{gemscope, tests};

#[track_caller]
fn check(name: &str, args: &[&str]) {
    let output = gemscope().args(args).arg("--help").assert().success().get_output().stdout.clone();
    let kept = Data::read_from(&tests().join(format!("cli/help/{name}.txt")), None);
    assert_data_eq!(Data::text(String::from_utf8(output).unwrap()), kept.raw());
}

#[test]
fn of_gemscope() {
    check("gemscope", &[]);
}

#[test]
fn of_every_command() {
    const COMMANDS: &[&str] = &[
        "demo", "top", "check", "mark", "record", "replay", "snapshot", "export", "report", "explore",
        "explain", "doctor", "probes",
    ];
    for command in COMMANDS {
        check(command, &[command]);
    }
}

#[test]
fn nothing_hidden_is_offered() {
    let help = gemscope().arg("--help").assert().success();
    let text = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    for word in ["remove-probes", "stall"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn without_arguments_the_help_is_shown() {
    gemscope().assert().code(2).stderr_eq("[..]\n...\nUsage: gemscope [..]\n...\n");
}
