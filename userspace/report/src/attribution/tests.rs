//! Command lines, stacks and tables as the runners really make them.

use gemscope_engine::{Entity, RuleId};
use gemscope_trace::{Definition, Name, Stack, Symbol, TestCase};

use super::*;

/// Words parted by `|`, since arguments have spaces.
fn words(cmdline: &str) -> Vec<Name> {
    cmdline.split('|').map(Name::from).collect()
}

/// A line of processes, the root first: 1000, 1001, and so on.
fn line(cmdlines: &[&str]) -> Definitions {
    let mut definitions = Definitions::new();
    for (tgid, cmdline) in (1000..).zip(cmdlines) {
        let exe = cmdline.split('|').next().unwrap_or_default().into();
        let process = Process { tgid, parent: tgid - 1, cmdline: words(cmdline), exe, ..Process::default() };
        definitions.add(Definition::Process(process));
    }
    definitions
}

fn last(definitions: &Definitions) -> Stamp {
    let tgid = definitions.processes().last().map_or(0, |p| p.tgid);
    Stamp { seq: 1, ts_ns: 100, tgid, tid: tgid, kstack: -1, ustack: -1 }
}

/// What is told of the last of these processes: `runner suite: name`.
#[track_caller]
fn check(cmdlines: &[&str], want: Option<(Runner, &str)>) {
    let definitions = line(cmdlines);
    let told = test_of(&definitions, 1000, &last(&definitions));
    let told = told.as_ref().map(|test| (test.runner, test.text()));
    assert_eq!(told.as_ref().map(|(runner, text)| (*runner, text.as_str())), want, "{cmdlines:?}");
}

/// The same with the tests of a build folder, which the process 1000 runs: suite, name, command.
#[track_caller]
fn check_cases(cases: &[(&str, &str, &str)], cmdlines: &[&str], want: &str) {
    let mut definitions = line(cmdlines);
    for (suite, name, command) in cases {
        definitions.add(Definition::TestCase(TestCase {
            runner: 1000,
            runner_born_ns: 0,
            suite: (*suite).into(),
            name: (*name).into(),
            command: words(command),
        }));
    }
    let told = test_of(&definitions, 1000, &last(&definitions)).map(|test| test.text());
    assert_eq!(told.as_deref(), Some(want), "{cmdlines:?}");
}

const MESON: &str = "/opt/venv/bin/python3|/opt/venv/bin/meson|test|-C|mb";

#[test]
fn meson_tests_are_found_by_their_command() {
    const CASES: &[(&str, &str, &str)] = &[
        ("demo", "plain name", "/src/show.sh|a b|c"),
        ("demo:gpu+fast", "native", "/b/mb/exe|x"),
        ("demo:gpu", "wrapped", "/usr/bin/sh|-c|/src/show.sh; exit 0"),
        ("demo", "bare", "/b/mb/exe"),
    ];
    let check = |cmdlines: &[&str], want| check_cases(CASES, cmdlines, want);
    check(&[MESON, "/bin/sh|/src/show.sh|a b|c"], "demo: plain name");
    check(&[MESON, "/b/mb/exe|x"], "demo:gpu+fast: native");
    check(&[MESON, "/b/mb/exe"], "demo: bare");
    // What a test starts belongs to it.
    check(
        &[MESON, "/usr/bin/sh|-c|/src/show.sh; exit 0", "/bin/sh|/src/show.sh", "gemclient"],
        "demo:gpu: wrapped",
    );
    // `--wrap` comes before, `--test-args` behind.
    check(&[MESON, "valgrind|--leak-check=full|/b/mb/exe|x"], "demo:gpu+fast: native");
    check(&[MESON, "/b/mb/exe|x|yy"], "demo:gpu+fast: native");
    // Not in the table: less pretty, and not wrong.
    check(&[MESON, "/b/mb/other|1 2"], "other 1 2");
}

#[test]
fn a_command_of_two_tests_names_neither() {
    let cases = &[
        ("demo", "one", "/b/exe"),
        ("demo", "two", "/b/exe"),
        ("demo", "same", "/b/c"),
        ("demo", "same", "/b/c"),
    ];
    check_cases(cases, &[MESON, "/b/exe"], "exe");
    check_cases(cases, &[MESON, "/b/c"], "demo: same");
}

#[test]
fn ctest_tests_are_found_by_their_command() {
    const CTEST: &str = "/usr/bin/ctest|--test-dir|cb";
    const CASES: &[(&str, &str, &str)] = &[
        ("", "plain", "/b/cb/exe"),
        ("", "with space [x]", "/b/cb/exe|a b|q\"uo;te|gen"),
        ("", "oldstyle", "exe|old"),
        ("", "sh", "sh|-c|/src/show.sh; exit 0"),
    ];
    let check = |cmdlines: &[&str], want| check_cases(CASES, cmdlines, want);
    check(&[CTEST, "/b/cb/exe"], "plain");
    check(&[CTEST, "/b/cb/exe|a b|q\"uo;te|gen"], "with space [x]");
    check(&[CTEST, "/b/cb/exe|old"], "oldstyle");
    check(&[CTEST, "/usr/bin/sh|-c|/src/show.sh; exit 0", "/bin/sh|/src/show.sh"], "sh");
    check(&[CTEST, "/b/cb/unknown|1"], "unknown 1");
}

#[test]
fn igt_tests_have_the_names_of_the_runners_results() {
    const RUNNER: &str = "igt_runner|-o|/usr/libexec/igt-gpu-tools|/tmp/results";
    let igt = |name| Some((Runner::Igt, name));
    check(&[RUNNER, "/usr/libexec/igt-gpu-tools/kms_foo|--run-subtest|bar"], igt("igt@kms_foo@bar"));
    check(&[RUNNER, "/usr/libexec/igt-gpu-tools/core_auth"], igt("igt@core_auth"));
    check(
        &[
            RUNNER,
            "/usr/libexec/igt-gpu-tools/amdgpu/amd_basic|--run-subtest|CS-GFX|--dynamic-subtest|Pipe-A",
        ],
        igt("igt@amdgpu/amd_basic@cs-gfx@pipe-a"),
    );
    check(
        &["igt_resume|/tmp/results", "/usr/libexec/igt-gpu-tools/xe/xe_vm|--run-subtest|a"],
        igt("igt@xe/xe_vm@a"),
    );
    check(
        &["igt_runner|build/tests|r", "/home/a/igt/build/tests/kms_foo|--run-subtest|b"],
        igt("igt@kms_foo@b"),
    );
    // By hand, and as a script.
    check(&["bash", "/bin/sh|/host/kms_foo|--run-subtest=bar", "gemclient"], igt("igt@kms_foo@bar"));
    // Several in one process.
    check(&[RUNNER, "/usr/libexec/igt-gpu-tools/kms_foo|--run-subtest|a,b"], None);
    check(&[RUNNER, "/usr/libexec/igt-gpu-tools/kms_foo|--run-subtest|basic-*"], None);
    check(&[RUNNER], None);
}

#[test]
fn nextest_names_the_test_of_a_process() {
    const RUNNER: &str = "/usr/local/bin/cargo-nextest|nextest|run";
    let nextest = |name| Some((Runner::Nextest, name));
    check(
        &[RUNNER, "/t/debug/deps/ct-c4066ebb79ee0019|--exact|tests::deep::long|--nocapture"],
        nextest("ct: tests::deep::long"),
    );
    // What the test starts.
    check(
        &[RUNNER, "/t/debug/deps/it-eba39656af3a16ca|--exact|integration|--nocapture", "sh"],
        nextest("it: integration"),
    );
    check(&[RUNNER, "/t/debug/deps/it-eba39656af3a16ca|--list|--format|terse"], None);
}

#[test]
fn without_a_stack_only_a_single_test_of_cargo_is_named() {
    const CARGO: &str = "/home/a/.cargo/bin/cargo|test|-q";
    let cargo = |name| Some((Runner::Cargo, name));
    check(&[CARGO, "/t/debug/deps/ct-c4066ebb79ee0019|--nocapture|--quiet"], None);
    check(&[CARGO, "/t/debug/deps/ct-c4066ebb79ee0019|deep"], None);
    check(&[CARGO, "/t/debug/deps/ct-c4066ebb79ee0019|--exact|a|b"], None);
    check(&[CARGO, "/t/debug/deps/ct-c4066ebb79ee0019|--exact|a|--skip|b"], cargo("ct: a"));
    check(&[CARGO, "/t/debug/deps/ct-c4066ebb79ee0019", "gemclient"], None);
}

/// What is told of a process with this stack, innermost first.
fn by_stack(cmdlines: &[&str], functions: &[&str]) -> Option<String> {
    let mut definitions = line(cmdlines);
    let at = Stamp { ustack: 3, ..last(&definitions) };
    let frames: Vec<u64> = (1..).take(functions.len()).collect();
    for (&addr, function) in frames.iter().zip(functions) {
        let symbol = Symbol { tgid: at.tgid, addr, name: (*function).into(), ..Symbol::default() };
        definitions.add(Definition::Symbol(symbol));
    }
    definitions.add(Definition::Stack(Stack { id: 3, kind: StackKind::User, tgid: at.tgid, frames }));
    test_of(&definitions, 1000, &at).map(|test| format!("{} {}", test.runner.name(), test.text()))
}

/// What is below a test of the harness, from its closure on.
const BELOW: &[&str] = &[
    "core::ops::function::FnOnce::call_once",
    "<fn() -> core::result::Result<(), alloc::string::String> as core::ops::function::FnOnce<()>>::call_once",
    "test::__rust_begin_short_backtrace::<core::result::Result<(), alloc::string::String>, fn() -> core::result::Result<(), alloc::string::String>>",
    "test::run_test_in_process::{closure#0}",
    "test::run_test::{closure#1}",
    "std::sys::backtrace::__rust_begin_short_backtrace::<test::run_test::{closure#1}, ()>",
    "<std::sys::thread::unix::Thread>::new::thread_start",
    "start_thread",
];

#[test]
fn the_thread_of_a_test_is_known_by_its_stack() {
    let check = |above: &[&str], want: Option<&str>| {
        let functions: Vec<&str> = above.iter().chain(BELOW).copied().collect();
        let cmdlines = ["/home/a/.cargo/bin/cargo|test", "/t/debug/deps/ct-c4066ebb79ee0019|--quiet"];
        assert_eq!(by_stack(&cmdlines, &functions).as_deref(), want, "{above:?}");
    };
    const TEST: &str = "ct::tests::deep::a_rather_long_test_name";
    let told = Some("cargo ct: tests::deep::a_rather_long_test_name");
    check(&["ioctl", "ct::helper", TEST, &format!("{TEST}::{{{{closure}}}}")], told);
    check(&["ioctl", TEST, &format!("{TEST}::{{closure#0}}")], told);
    check(&[TEST, &format!("{TEST}::{{{{closure}}}}::h19f4b4ee1ebd44f0")], told);
    // A test that runs a future in a closure of its own.
    check(
        &["ct::poll", &format!("{TEST}::{{closure#0}}::{{closure#0}}"), &format!("{TEST}::{{closure#0}}")],
        told,
    );
    check(&["it::integration::{{closure}}"], Some("cargo ct: integration"));
    // Optimised, without the closure: what stands there may be a function that the test ended in.
    check(&["ioctl", TEST], None);
    check(&["ioctl", "{closure#0}"], None);
    // The harness itself.
    check(&[], None);
}

#[test]
fn a_test_binary_needs_no_cargo_and_a_thread_of_a_test_is_nobodys() {
    let functions: Vec<&str> = ["ct::a::{{closure}}"].iter().chain(BELOW).copied().collect();
    assert_eq!(by_stack(&["/host/it-eba39656af3a16ca"], &functions).as_deref(), Some("cargo it: a"));
    let thread = ["ct::a::{{closure}}", "std::sys::backtrace::__rust_begin_short_backtrace", "start_thread"];
    assert_eq!(by_stack(&["/t/debug/deps/ct-c4066ebb79ee0019"], &thread), None);
    // A runner outside of it knows at least so much.
    let outer = by_stack(&["/usr/bin/ctest", "/t/debug/deps/ct-c4066ebb79ee0019|--quiet"], &thread);
    assert_eq!(outer.as_deref(), Some("ctest ct-c4066ebb79ee0019 --quiet"));
}

#[test]
fn pytest_is_named_when_it_was_asked_for_one() {
    let pytest = |name| Some((Runner::Pytest, name));
    check(&["python3|-m|pytest|-q|test_a.py::test_x"], pytest("test_a.py::test_x"));
    check(&["/opt/venv/bin/python3|/opt/venv/bin/pytest|-q|test_a.py", "gemclient"], pytest("test_a.py"));
    check(&["/opt/venv/bin/python3|/opt/venv/bin/pytest|a.py|b.py"], None);
    check(&["/opt/venv/bin/python3|/opt/venv/bin/pytest|-q"], None);
    // A runner outside of it.
    check(&["make|check", "/opt/venv/bin/python3|/opt/venv/bin/pytest"], Some((Runner::Make, "pytest")));
}

#[test]
fn prove_names_the_file() {
    const PROVE: &str = "/usr/bin/perl|/usr/bin/prove|-v|t";
    let prove = |name| Some((Runner::Prove, name));
    check(&[PROVE, "/usr/bin/perl|-w|t/a.t", "gemclient"], prove("t/a.t"));
    check(&[PROVE, "/bin/sh|t/b.sh"], prove("t/b.sh"));
    check(&[PROVE, "t/bin.t"], prove("t/bin.t"));
    check(&[PROVE, PROVE], None);
}

#[test]
fn make_names_the_program_of_the_recipe() {
    let make = |name| Some((Runner::Make, name));
    check(&["make|check", "/bin/sh|t/b.sh", "gemclient"], make("b.sh"));
    check(&["make|check", "/bin/sh|-c|/b/exe; true", "/b/exe"], make("exe"));
    check(&["make|check", "make|-C|sub", "/bin/sh|-ec|./x", "./x|1"], make("x"));
    check(
        &[
            "make|check",
            "/bin/sh|-c|make check-am",
            "make|a.log|b.log",
            "/bin/bash|../test-driver|--test-name|b.sh|--log-file|b.log|--|./b.sh",
            "/bin/sh|./b.sh",
            "gemclient",
        ],
        make("b.sh"),
    );
    check(&["make|all", "/bin/sh|-c|./x", "./x"], None);
}

#[test]
fn the_innermost_runner_counts_and_nothing_above_the_root() {
    check(
        &["make|check", "meson|test", "/usr/libexec/igt-gpu-tools/kms_foo|--run-subtest|bar"],
        Some((Runner::Igt, "igt@kms_foo@bar")),
    );
    check(&["make|check", "/bin/sh|-c|meson test", "meson|test", "/b/exe|x"], Some((Runner::Meson, "exe x")));
    check(&["bash", "gemclient"], None);
    let definitions = line(&["make|check", "gemscope|check", "/b/exe"]);
    assert_eq!(test_of(&definitions, 1001, &last(&definitions)), None);
    assert!(test_of(&definitions, 0, &last(&definitions)).is_some());
}

#[test]
fn a_number_that_came_again_is_another_process() {
    let process = |tgid, parent, born_ns, cmdline: &str| {
        Definition::Process(Process { tgid, parent, born_ns, cmdline: words(cmdline), ..Process::default() })
    };
    let mut definitions = Definitions::new();
    definitions.extend([
        process(7, 0, 0, "make|check"),
        process(8, 7, 10, "./first"),
        process(9, 8, 20, "gemclient"),
        process(8, 7, 30, "./second"),
        process(9, 8, 40, "gemclient"),
    ]);
    let at = |ts_ns| Stamp { seq: 1, ts_ns, tgid: 9, tid: 9, kstack: -1, ustack: -1 };
    let name = |ts_ns| test_of(&definitions, 7, &at(ts_ns)).map(|test| test.name);
    assert_eq!(name(25).as_deref(), Some("first"));
    assert_eq!(name(45).as_deref(), Some("second"));
    assert_eq!(name(15), None);
}

#[test]
fn a_circle_of_parents_ends() {
    let mut definitions = Definitions::new();
    for (tgid, parent) in [(5, 6), (6, 5)] {
        let process = Process { tgid, parent, cmdline: words("sh|-c|x"), ..Process::default() };
        definitions.add(Definition::Process(process));
    }
    assert_eq!(test_of(&definitions, 0, &last(&definitions)), None);
}

#[test]
fn a_leak_belongs_to_who_took_it_and_a_break_to_who_broke_it() {
    let mut definitions = line(&["make|check"]);
    for (tgid, program) in [(20, "./taker"), (30, "./breaker")] {
        let process = Process { tgid, parent: 1000, cmdline: words(program), ..Process::default() };
        definitions.add(Definition::Process(process));
    }
    let event = |what, tgid| LifeEvent { what, at: Stamp { seq: 1, ts_ns: 9, tgid, ..Stamp::default() } };
    let finding = |rule, event, conflict, life| Finding {
        number: 1,
        rule,
        entity: Entity::Framebuffer { id: 1 },
        count: 1,
        bytes: 0,
        event,
        conflict,
        holders: Vec::new(),
        life,
        tainted: false,
        proven: false,
    };
    let name = |finding: &Finding| test_of_finding(&definitions, 1000, finding).map(|test| test.name);
    let (closed, created) = (event(What::HandleClosedByFile, 30), event(What::HandleCreated, 20));
    let (settled, outside) = (event(What::Settled, 1), event(What::HandleCreated, 77));
    for (rule, event, conflict, life, want) in [
        (RuleId::HandleLeak, closed, Some(created), vec![], Some("taker")),
        (RuleId::DoubleClose, closed, Some(created), vec![], Some("breaker")),
        (RuleId::HandleLeak, closed, None, vec![], Some("breaker")),
        (RuleId::ObjectLeak, settled, Some(created), vec![], Some("taker")),
        (RuleId::DoubleClose, settled, Some(created), vec![], Some("taker")),
        (RuleId::ObjectLeak, settled, None, vec![created, closed], Some("taker")),
        (RuleId::ObjectLeak, settled, None, vec![], None),
        // Who took it is known, and was in no test: whoever gave it back does not count.
        (RuleId::HandleLeak, closed, Some(outside), vec![], None),
    ] {
        assert_eq!(name(&finding(rule, event, conflict, life)).as_deref(), want, "{rule:?}");
    }
}
