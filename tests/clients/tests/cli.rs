//! The program as a script sees it, on any machine: no device is needed for what is tested here.

use std::process::{Command, Output};

fn gemclient(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gemclient")).args(args).output().expect("the built program runs")
}

#[test]
fn wrong_arguments_give_usage_and_exit_2() {
    for args in [
        [].as_slice(),
        &["no-such-scenario"],
        &["s1", "--no-such-option"],
        &["s1", "--rounds", "3"],
        &["storm-threads", "--rounds"],
        &["storm-threads", "--rounds", "-1"],
        &["list", "--trace-steps"],
    ] {
        let output = gemclient(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("gemclient: ") && stderr.contains("usage: gemclient"),
            "{args:?}: {stderr}"
        );
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn help_and_list_exit_0() {
    for args in [["--help"].as_slice(), &["help"], &["s1", "--help"], &["list"], &["list", "--json"]] {
        let output = gemclient(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn the_list_has_a_line_for_each_scenario_in_both_forms() {
    let text = String::from_utf8(gemclient(&["list"]).stdout).expect("the list is UTF-8");
    let json = String::from_utf8(gemclient(&["list", "--json"]).stdout).expect("the list is UTF-8");
    assert_eq!(text.lines().count(), 2 * json.lines().count());
    assert!(json.lines().all(|line| line.starts_with("{\"name\":\"") && line.ends_with("]}")));
}

#[test]
fn a_missing_device_is_a_skip_that_names_it() {
    let output = gemclient(&["s1", "--device", "no-such-driver"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{stderr}");
    assert!(stderr.contains("no DRM device of driver `no-such-driver`"), "{stderr}");
}
