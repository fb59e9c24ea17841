//! What a project asserts beyond the rules, and about whom: cycles, marks, limits, scopes.

use super::row::{ON_6_1, ON_6_12, ON_6_18, Row, row};
use super::{CLEAN, UNDECIDED};
use crate::expect::Expect::{Complains, Line, Lines as Count, Says, Silent};
use crate::expect::Is::{AtLeast, Bool, Number, Text};

/// Shell that runs something beside a server which does one cycle each time that it is asked.
macro_rules! served {
    ($server:literal, $command:literal) => {
        concat!(
            "mkfifo go done; gemclient pool-server ",
            $server,
            " & server=$!; ",
            $command,
            "; code=$?; kill $server; exit $code"
        )
    };
}

/// Shell that runs something while something else is done again and again.
macro_rules! meanwhile {
    ($again:literal, $command:literal) => {
        concat!(
            "(while :; do ",
            $again,
            "; sleep 0.5; done) & loop=$!; ",
            $command,
            "; code=$?; kill $loop; exit $code"
        )
    };
}

/// Clean and complete, and more.
macro_rules! clean {
    ($($further:expr),+ $(,)?) => {
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
            Count(0, &[("/type", Text("finding"))]),
            $($further),+
        ]
    };
}

/// Undecided, and more.
macro_rules! undecided {
    ($($further:expr),+ $(,)?) => {
        &[Line(&[("/type", Text("summary")), ("/verdict", Text("undecided"))]), $($further),+]
    };
}

/// Rows of this file.
pub const ROWS: &[Row] = &[
    // One buffer lost in seven cycles, among pools that fill, that are renewed and that are given back at once: the server is another
    // process than the one that is run.
    row(
        "cycles-leak",
        served!("--leak-every 7", "judged --cycles 70 --pause 20 -- sh -c 'echo >go; read answer <done'"),
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            Count(1, &[("/type", Text("breach"))]),
            Line(&[("/type", Text("breach")), ("/rule", Text("steady-growth")), ("/kind", Text("handles"))]),
            Says("cache_window_icon"),
            Says("cycle"),
        ],
    )
    .code(1)
    .seconds(300).usually(ON_6_1),
    row(
        "cycles-pools",
        served!("--leak-every 0", "judged --cycles 70 --pause 20 -- sh -c 'echo >go; read answer <done'"),
        clean![
            Count(0, &[("/type", Text("breach"))]),
            Line(&[("/type", Text("kept")), ("/rule", Text("steady-growth"))]),],
    )
    .seconds(300).usually(ON_6_12),
    // Marks from the command, by signal, and on a socket with a path of its own.
    row(
        "marks",
        served!(
            "--leak-every 0",
            "judged --scope comm:gemclient --max-growth handles=1 -- sh -c '\
             gemscope mark window; for i in 1 2 3; do echo >go; read answer <done; done; gemscope mark window; \
             kill -USR1 $PPID; sleep 1; kill -USR1 $PPID; sleep 1'"
        ),
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            Line(&[("/type", Text("breach")), ("/rule", Text("growth-limit")), ("/series", Text("window")), ("/count", AtLeast(8))]),
            Count(0, &[("/type", Text("breach")), ("/series", Text("SIGUSR"))]),
            Says("draw_frames"),
        ],
    )
    .code(1).usually(ON_6_1),
    row(
        "marks-on-a-socket",
        "judged --control here --max-growth 0 -- sh -c 'gemscope mark one --to here; gemclient s2; gemscope mark one --to here'",
        clean![ Line(&[("/type", Text("kept")), ("/rule", Text("growth-limit"))])],
    ).usually(ON_6_12),
    row("mark-without-gemscope", "gemscope mark nobody", &[Complains("no gemscope is running")]).code(2).usually(ON_6_1),
    row(
        "budget",
        "judged --budget handles=2 --budget bytes=1G --at-exit ignore -- gemclient growth --cycles 20 --leak-every 2",
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings"))]),
            Count(1, &[("/type", Text("breach"))]),
            Line(&[("/type", Text("breach")), ("/rule", Text("budget")), ("/kind", Text("handles")), ("/limit", Number(2)), ("/count", AtLeast(10))]),
            Line(&[("/type", Text("kept")), ("/rule", Text("budget"))]),
        ],
    )
    .code(1).usually(ON_6_12),
    row(
        "budget-kept",
        "judged --budget handles=64 --budget attachments=16 --budget dma-bufs=64 -- gemclient six-step",
        clean![ Count(3, &[("/type", Text("kept")), ("/rule", Text("budget"))])],
    ).usually(ON_6_12),
    row(
        "older",
        "judged --older 1 -- gemclient idle-pool --seconds 3",
        &[
            Line(&[("/type", Text("breach")), ("/rule", Text("age-limit")), ("/kind", Text("handles"))]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    )
    .code(1).usually(ON_6_1),
    row("older-kept", "judged --older 30 -- gemclient idle-pool --seconds 1", CLEAN).usually(ON_6_1),
    // Whom it is about.
    row(
        "survivor",
        "judged --survivor gemclient -- sh -c 'gemclient keep-open --seconds 60 & sleep 1'",
        CLEAN,
    ).usually(ON_6_12),
    row("no-survivor", "judged --timeout 4 -- sh -c 'gemclient keep-open --seconds 60 & sleep 1'", UNDECIDED).code(3).usually(ON_6_12),
    row(
        "scope-machine",
        meanwhile!("gemclient close-twice", "judged --scope machine --duration 6"),
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            Line(&[("/type", Text("finding")), ("/rule", Text("double-close"))]),
        ],
    )
    .code(1).usually(ON_6_1),
    // One device: others make as many mistakes, and nobody hears of them.
    row(
        "scope-device",
        meanwhile!("gemclient close-twice --device vgem; gemclient close-twice --device virtio_gpu", "judged --scope machine --device virtio_gpu --duration 6"),
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            Line(&[("/type", Text("finding")), ("/rule", Text("double-close")), ("/entity/driver", Text("virtio_gpu"))]),
            Count(0, &[("/type", Text("finding")), ("/entity/driver", Text("vgem"))]),
        ],
    )
    .code(1).usually(ON_6_18),
    row(
        "scope-of-a-command",
        meanwhile!("gemclient close-twice", "judged -- sleep 4"),
        CLEAN,
    ).usually(ON_6_12),
    row(
        "scope-cgroup",
        "mkdir /sys/fs/cgroup/server || exit 1; mkfifo go; \
         (sh -c 'echo $$ >/sys/fs/cgroup/server/cgroup.procs; read x <go; gemclient close-twice; gemclient forget-gem-close') & \
         sleep 0.5; judged --scope cgroup:/server -- sh -c 'echo >go; sleep 2'; code=$?; rmdir /sys/fs/cgroup/server; exit $code",
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            Line(&[("/type", Text("finding")), ("/rule", Text("double-close"))]),
        ],
    )
    .code(1).usually(ON_6_1),
    row("scope-of-nobody", "gemscope check --scope comm:nobody -- true", &[Complains("no process is called `nobody`")]).code(2).usually(ON_6_1),
    row(
        "undecided-passes",
        "judged --undecided warn --timeout 2 -- gemclient keep-open --seconds 30",
        undecided![Complains("undecided")],
    ).usually(ON_6_12),
    // A run that did nothing, or fell over, must not pass where that was asked for.
    row(
        "at-least",
        "judged --at-least handles=1 -- true",
        &[Line(&[("/type", Text("breach")), ("/rule", Text("shortfall")), ("/kind", Text("handles"))])],
    )
    .code(1).usually(ON_6_18),
    row("failing-command", "judged --failing-command fail -- sh -c 'gemclient s2; exit 3'", CLEAN).code(4).usually(ON_6_18),
    row(
        "scope-machine-strict",
        meanwhile!("gemclient forget-gem-close", "judged --scope machine --duration 6"),
        &[Line(&[("/type", Text("finding")), ("/rule", Text("handle-leak")), ("/certain", Bool(true))])],
    )
    .code(1).usually(ON_6_18),
    // What a command does to itself and to gemscope. It is asked to end before it is made to, and no signal is kept from it.
    row(
        "asked-to-end",
        "judged --timeout 2 -- sh -c 'grep SigBlk /proc/self/status; trap \"echo polite; exit 0\" TERM; while :; do sleep 0.2; done'",
        &[Says("SigBlk:\t0000000000000000\n"), Says("polite\n")],
    )
    .code(3).usually(ON_6_18),
    row(
        "deaf-command",
        "judged --timeout 3 -- sh -c 'trap \"\" TERM INT HUP; gemclient s2; while :; do sleep 1; done'; code=$?; \
         echo \"left: $(pgrep -f 'while :' | wc -l)\"; exit $code",
        undecided![Says("left: 0")],
    )
    .code(3).usually(ON_6_1),
    row(
        "ten-thousand-children",
        "judged --ring-size 64M -- sh -c 'n=0; while [ $n -lt 100 ]; do n=$((n + 1)); \
         m=0; while [ $m -lt 100 ]; do m=$((m + 1)); (:) & done; wait; done; gemclient six-step'",
        CLEAN,
    )
    .seconds(300).usually(ON_6_12),
    row("fd-exhaustion", "judged -- gemclient fd-exhaustion", CLEAN).seconds(240).usually(ON_6_1),
    row(
        "check-on-a-full-disk",
        "mkdir -p /tmp/tiny; mount -t tmpfs -o size=64k none /tmp/tiny; \
         judged -o /tmp/tiny/trace -- sh -c 'gemclient storm-threads --threads 4 --rounds 2000; gemclient forget-gem-close'; code=$?; \
         umount /tmp/tiny; exit $code",
        &[
            Complains("No space left on device"),
            Line(&[("/type", Text("finding")), ("/rule", Text("handle-leak"))]),
        ],
    )
    .code(1)
    .seconds(240).usually(ON_6_12),
    row(
        "two-at-once",
        "gemscope check --json --report other -- gemclient forget-gem-close & \
         judged -- gemclient six-step; code=$?; wait $!; echo \"the other: $?\"; grep -c handle-leak other; exit $code",
        clean![ Says("the other: 1")],
    ).usually(ON_6_1),
    // Killed at whatever moment: nothing stays attached, and what was written can be read or says why not.
    row(
        "killed-at-any-moment",
        "for wait in 0.1 0.4 0.8 1.2 1.7 2.3 3 5; do \
           rm -f trace; gemscope check -o trace -- gemclient bench-loop --rounds 100000000 >/dev/null 2>&1 & \
           sleep $wait; kill -9 $!; wait $! 2>/dev/null; killall -q -9 gemclient; \
           awaited '! grep -q . /sys/kernel/debug/kprobes/list'; \
           echo \"kprobes left: $(wc -l </sys/kernel/debug/kprobes/list)\"; \
           [ -s trace ] && { gemscope replay --json trace >said 2>&1; echo \"replay: $?\"; }; \
         done; true",
        &[
            Says("kprobes left: 0"),
            Silent("kprobes left: 1"),
            Silent("replay: 101"),
            Silent("replay: 1\n"),
        ],
    )
    .seconds(240).usually(ON_6_12),
];
