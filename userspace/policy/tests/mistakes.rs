//! Every mistake of a configuration is told with its place and what would be right.

use gemscope_policy::{Baseline, Config, Mistake};

fn said(mistakes: Vec<Mistake>) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(text: &str, expect: &str) {
    assert_eq!(said(Config::parse(text, "gemscope.toml").err().unwrap_or_default()), expect);
}

/// A `[[suppress]]` that is right, with these lines after it.
#[track_caller]
fn suppress(lines: &str, expect: &str) {
    check(&format!("[[suppress]]\nname = \"a\"\nrule = \"leak\"\nreason = \"b\"\n{lines}"), expect);
}

#[track_caller]
fn baseline(text: &str, expect: &str) {
    assert_eq!(said(Baseline::parse(text).err().unwrap_or_default()), expect);
}

#[test]
fn nothing_wrong() {
    check("", "");
    check("# nothing\n[check]\n[growth.max]\n[budget]\n", "");
    suppress("max = 0x10\nexpires = 2027-01-31\n", "");
    suppress("process = [\"a\", \"b*\"]\n", "");
    check("[growth]\nolder = 0.5\nmax = { bytes = \"4M\" }\n", "");
}

#[test]
fn keys() {
    check("[check]\ntime-out = 3\n", "2:1: nothing is called `time-out` in [check]: did you mean `timeout`?");
    check(
        "[check]\nzzzzzzzzz = 3\n",
        "2:1: nothing is called `zzzzzzzzz` in [check]; it knows at-exit, undecided, failing-command, timeout, duration, grace, scope, survivors, report, trace-on-failure, baseline, suppressions",
    );
    check("[chek]\n", "1:2: nothing is called `chek`: did you mean `check`?");
    check(
        "timeout = 3\n",
        "1:1: nothing is called `timeout`; it knows check, growth, budget, at-least, suppress",
    );
    check(
        "[growth.max]\nhandle = 3\n",
        "2:1: nothing is called `handle` in [growth.max]: did you mean `handles`?",
    );
    suppress(
        "expire = \"2027-01-31\"\n",
        "5:1: nothing is called `expire` in [[suppress]]: did you mean `expires`?",
    );
}

#[test]
fn types() {
    check("check = 3\n", "1:9: `check` must be a table, [check], not `3`");
    check("[check]\ntimeout = \"long\"\n", "2:11: `timeout` must be seconds, as 300 or 0.5, not `long`");
    check("[check]\ntimeout = -1\n", "2:11: `timeout` must be seconds, as 300 or 0.5, not `-1`");
    check("[check]\ngrace = 1.5\n", "2:9: `grace` must be milliseconds, as 2000, not `1.5`");
    check(
        "[check]\nscope = [3]\n",
        "2:10: `scope` must be one or more of `machine`, `pid:N`, `comm:NAME`, `cgroup:PATH`, not `3`",
    );
    check(
        "[check]\nsurvivors = []\n",
        "2:13: `survivors` must be names of processes, as [\"pipewire\"], not an empty array",
    );
    check("[check]\nbaseline = \"\"\n", "2:12: `baseline` must be the name of a file, not empty");
    check("[check]\nat-exit = true\n", "2:11: `at-exit` must be `strict`, `growth` or `ignore`, not `true`");
    check("[growth]\ncycles = 0\n", "2:10: `cycles` must be a number of cycles, 1 or more, as 60, not `0`");
    check(
        "[budget]\nbytes = \"4X\"\nhandles = \"4\"\n",
        "2:9: `bytes` must be a size, as 4096 or \"4M\", not `4X`\n3:11: `handles` must be a number, as 12, not `4`",
    );
    check(
        "[suppress]\nname = \"a\"\n",
        "1:1: `suppress` must be written [[suppress]], with two brackets, not a table",
    );
    check("suppress = [3]\n", "1:13: `suppress` must be a table, [[suppress]], not `3`");
}

#[test]
fn values() {
    check(
        "[check]\nat-exit = \"always\"\n",
        "2:11: `at-exit` must be `strict`, `growth` or `ignore`, not `always`",
    );
    check("[check]\nundecided = \"no\"\n", "2:13: `undecided` must be `fail`, `pass` or `warn`, not `no`");
    check(
        "[check]\nscope = \"pid:none\"\n",
        "2:9: `scope`: `none` is no process id; write pid:N with N from 1",
    );
    check(
        "[check]\nreport = [\"junit\"]\n",
        "2:11: `report` is FORMAT=FILE, as junit=results.xml; `junit` is not",
    );
    suppress(
        "expires = \"2027-02-31\"\n",
        "5:11: `expires` must be a day of the calendar, as \"2027-01-31\", not `2027-02-31`",
    );
    suppress(
        "expires = \"31.1.2027\"\n",
        "5:11: `expires` must be a day of the calendar, as \"2027-01-31\", not `31.1.2027`",
    );
    suppress(
        "expires = 2027-01-31T00:00:00Z\n",
        "5:11: `expires` must be a day of the calendar, as \"2027-01-31\", not `2027-01-31T00:00:00Z`",
    );
    suppress("max = 0\n", "5:7: `max` must be how many references it hides at most, 1 or more, not `0`");
    suppress("process = \"\"\n", "5:11: `process` must be the name of a process, as \"weston*\", not empty");
}

#[test]
fn suppressions() {
    check(
        "[[suppress]]\nname = \"a\"\nrule = \"handle-leek\"\nreason = \"b\"\n",
        "3:8: no rule, assertion or class is called `handle-leek`: did you mean `handle-leak`?; `gemscope explain` lists the rules",
    );
    check(
        "[[suppress]]\nname = \"a\"\nrule = \"zzz*\"\nreason = \"b\"\n",
        "3:8: no rule, assertion or class is called `zzz*`; `gemscope explain` lists the rules",
    );
    check(
        "[[suppress]]\nname = \"a\"\nrule = \"leak\"\n# reason = \"...\"\n",
        "1:1: the suppression `a` has no `reason`: add reason = \"...\", a sentence that says why this may pass",
    );
    check(
        "[[suppress]]\nname = \"a\"\nrule = \"leak\"\nreason = \" \"\n",
        "4:10: `reason` must be a sentence that says why this may pass, not empty",
    );
    check(
        "[[suppress]]\nname = \"a\"\nreason = \"b\"\n",
        "1:1: the suppression `a` would hide everything: add `rule`, `process`, `module`, `frame` or `device`",
    );
    check(
        "\n[[suppress]]\n",
        "2:1: the suppression has no `name`: add name = \"...\", a name by which the report calls it, as \"mesa-cache\"\n2:1: the suppression has no `reason`: add reason = \"...\", a sentence that says why this may pass\n2:1: the suppression would hide everything: add `rule`, `process`, `module`, `frame` or `device`",
    );
    suppress(
        "[[suppress]]\nname = \"a\"\nrule = \"leak\"\nreason = \"b\"\n",
        "6:8: another suppression is called `a`, in line 1: each has its own name",
    );
    let text = "[check]\n[[suppress]]\nname = \"a\"\nrule = \"leak\"\nreason = \"b\"\n";
    assert_eq!(
        said(Config::parse_suppressions(text, "x").unwrap_err()),
        "1:1: [check] is for gemscope.toml: a file of suppressions has [[suppress]] only"
    );
}

#[test]
fn syntax() {
    check("[check\n", "1:7: this is no TOML: unclosed table, expected `]`");
    check(
        "[check]\ntimeout = \n",
        "2:11: this is no TOML: string values must be quoted, expected literal string",
    );
    check("a = 1\na = 2\n", "2:1: this is no TOML: duplicate key");
    check(
        "x = \"\u{1}\"\n",
        "1:6: this is no TOML: invalid basic string, expected non-double-quote visible characters, `\\`",
    );
    check(
        "<<<<<<< HEAD\nversion = 1\n",
        "1:1: this is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`\n1:9: this is no TOML: key with no value, expected `=`",
    );
}

#[test]
fn all_at_once() {
    check(
        "[check]\n\"ä\" = 1 \ntimeout = false\n\n[budget]\nbites = 3\n",
        "2:1: nothing is called `ä` in [check]; it knows at-exit, undecided, failing-command, timeout, duration, grace, scope, survivors, report, trace-on-failure, baseline, suppressions\n3:11: `timeout` must be seconds, as 300 or 0.5, not `false`\n6:1: nothing is called `bites` in [budget]: did you mean `bytes`?",
    );
}

#[test]
fn baselines() {
    baseline("version = 1\n", "");
    baseline("", "1:1: this is no baseline: `version = 1` is missing");
    baseline("version = 2\n", "1:11: `version` must be 1, which is what this gemscope reads, not `2`");
    baseline(
        "version = 1\n[[finding]]\nfingerprint = \"xyz\"\nrule = \"a\"\ncount = 1\n",
        "3:15: `fingerprint` must be 16 hexadecimal digits, not `xyz`",
    );
    baseline(
        "version = 1\n[[finding]]\ncount = -1\n",
        "2:1: `fingerprint` is missing: each [[finding]] has it\n2:1: `rule` is missing: each [[finding]] has it\n3:9: `count` must be a number, as 3, not `-1`",
    );
    let one = "[[finding]]\nfingerprint = \"0123456789abcdef\"\nrule = \"a\"\ncount = 1\n";
    baseline(
        &format!("version = 1\n{one}{one}"),
        "6:1: the fingerprint `0123456789abcdef` is in line 2 too: keep the lower count",
    );
    baseline(
        "[check]\n",
        "1:1: this is no baseline: `version = 1` is missing\n1:2: nothing is called `check`; it knows version, finding",
    );
}
