//! The test matrix: what is run in the guests, and what must come of it.
//!
//! A row is a shell line, run as root in a folder of its own with `gemscope` and `gemclient` on `PATH`, on every line of kernels that its
//! `lines` name; all rows of a line share one boot, in the order of the table. To add one, add it to [`ROWS`] or to a table beside it; `cargo xtask vm-matrix
//! --kernel 6.1 --filter NAME` runs it alone. What a row leaves in its folder is brought back, and stays in the build folder when it fails.
//! Most of what a row costs is the start of gemscope: what can be judged together is one row, and what does not rest on the kernel runs on one
//! line (`usually`), wherever else it is asked for (`--everywhere`, `--filter`).
//! The suite of offenders and look-alikes has tables of its own.

mod assert;
mod case;
mod flight;
mod look_alikes;
mod mistakes;
mod monitor;
mod offenders;
mod row;
mod snapshot;
mod test_runs;
mod together;

pub use self::case::{Case, Kind, cases};
pub use self::row::{Lines, Row};
use self::row::{ON_5_10, ON_6_1, ON_6_12, ON_6_18, ON_BOTH_ENDS, ON_NEWEST, row};
use crate::expect::Expect::{self, Complains, Line, Lines as Count, Says, Silent};
use crate::expect::Is::{AtLeast, Bool, Counts, Number, Text};

/// Lines whose kernel has neither udmabuf nor dma-heaps.
const OLD: &[&str] = &["5.10", "6.1"];

/// The report's last line of a run that was clean and complete.
const CLEAN: &[Expect] = &[
    Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
    Count(0, &[("/type", Text("finding"))]),
];

/// A row whose verdict must be clean.
const fn clean(name: &'static str, command: &'static str) -> Row {
    row(name, command, CLEAN)
}

/// A row that must find exactly these rules broken, so many times each, and nothing else.
macro_rules! found {
    ($name:literal, $command:literal, $($rule:literal: $count:literal),+ $(; $further:expr)?) => {
        row(
            $name,
            $command,
            &[
                Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/by_rule", Counts(&[$(($rule, $count)),+]))]),
                $(Line(&[("/type", Text("finding")), ("/rule", Text($rule)), ("/certain", Bool(true))]),)+
                $($further)?
            ],
        )
        .code(1)
    };
}

/// At least one finding of a rule, and a certain one.
macro_rules! certain {
    ($rule:literal) => {
        Line(&[("/type", Text("finding")), ("/rule", Text($rule)), ("/certain", Bool(true))])
    };
}

/// The finding of one fault of the driver, by the name of the process that asked for it: of the event that broke the rule, or of the
/// earlier one where the settle point judged.
macro_rules! fault {
    ($process:literal $rule:literal) => {
        fault!("/event/process" $process $rule)
    };
    ($process:literal $rule:literal later) => {
        fault!("/earlier/process" $process $rule)
    };
    ($whose:literal $process:literal $rule:literal) => {
        Line(&[("/type", Text("finding")), ("/rule", Text($rule)), ("/certain", Bool(true)), ($whose, Text($process))])
    };
}

/// Every fault is named by its own rule, and by no other; so many calls are made without the reservation lock.
macro_rules! faults {
    ($unlocked:literal $(, $further:expr)?) => {
        &[
            Line(&[
                ("/type", Text("summary")),
                ("/verdict", Text("findings")),
                ("/lost", Number(0)),
                ("/by_rule", Counts(&[
                    ("attachment-leak", 2),
                    ("bad-export-arguments", 1),
                    ("cpu-access-of-import", 3),
                    ("dmabuf-leak", 1),
                    ("flink-name-leak", 1),
                    ("foreign-detach", 1),
                    ("framebuffer-leak", 1),
                    ("handle-count-mismatch", 1),
                    ("mapping-direction-conflict", 1),
                    ("mapping-leak", 1),
                    ("object-leak", 1),
                    ("pin-imbalance", 1),
                    ("prime-cache-leak", 1),
                    ("reservation-held", 1),
                    ("reservation-not-held", $unlocked),
                    ("second-dmabuf", 1),
                    ("stale-link", 1),
                    ("unbalanced-mapping", 1),
                    ("use-after-release", 2),
                    ("vmap-leak", 1),
                    ("wrong-cache-entry-removed", 1),
                ])),
            ]),
            fault!("f-forgotten-det" "attachment-leak" later),
            fault!("f-put-before-de" "use-after-release"),
            fault!("f-detach-after-" "use-after-release"),
            fault!("f-forgotten-unm" "mapping-leak"),
            fault!("f-unmap-wrong-d" "mapping-direction-conflict"),
            fault!("f-unmap-twice" "unbalanced-mapping"),
            fault!("f-map-without-r" "reservation-not-held"),
            fault!("f-attach-with-r" "reservation-held"),
            fault!("f-unbalanced-pi" "pin-imbalance"),
            fault!("f-pin-without-r" "reservation-not-held"),
            fault!("f-unbalanced-vm" "vmap-leak"),
            fault!("f-foreign-detac" "foreign-detach"),
            fault!("f-bad-export" "bad-export-arguments"),
            fault!("f-extra-dmabuf-" "dmabuf-leak" later),
            fault!("f-extra-object-" "object-leak" later),
            fault!("f-second-dmabuf" "second-dmabuf"),
            fault!("f-cache-left" "prime-cache-leak"),
            fault!("f-wrong-cache-e" "wrong-cache-entry-removed"),
            fault!("f-link-left" "stale-link"),
            fault!("f-name-left" "flink-name-leak"),
            fault!("f-framebuffer-r" "framebuffer-leak" later),
            fault!("f-destroy-witho" "attachment-leak" later),
            fault!("f-handle-count" "handle-count-mismatch"),
            fault!("f-cpu-pread" "cpu-access-of-import"),
            fault!("f-cpu-pwrite" "cpu-access-of-import"),
            fault!("f-cpu-mmap" "cpu-access-of-import"),
            $($further)?
        ]
    };
}

/// Shell that judges a race until the kernel has lost it, in up to eight recordings.
macro_rules! until_found {
    ($rule:literal, $command:literal) => {
        concat!(
            "for i in $(seq 8); do judged --ring-size 64M -- ",
            $command,
            " >said; code=$?; cat said; grep -q '\"rule\":\"",
            $rule,
            "\"' said && break; done; exit $code"
        )
    };
}

/// Lines whose kernel gives a handle out before it is whole.
const PUBLISHES_EARLY: &[&str] = &["5.10"];

const PUBLICATION: &str = "judged --ring-size 64M -- gemclient race-publication --seconds 4";

/// Clean, and the driver did go and come.
const UNBOUND: &[Expect] = &[
    Says("unbound virtio"),
    Says("\nbound virtio"),
    Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
    Count(0, &[("/type", Text("finding"))]),
];

/// Undecided, and the header tells of each probe that was left out, and of the rules that need it.
const DENIED: &[Expect] = &[
    UNDECIDED[0],
    UNDECIDED[1],
    Says("\"probe\":\"dmabuf-put\",\"reason\":\"left out on request\""),
    Says("\"probe\":\"file-close\",\"reason\":\"left out on request\""),
    Says("\"probe\":\"handle-put\",\"reason\":\"left out on request\""),
    Says("\"probe\":\"cache-add\",\"reason\":\"left out on request\""),
    Says("\"probe\":\"object-release\",\"reason\":\"left out on request\""),
    Says("dmabuf-leak is judged without "),
    Says("handle-leak is judged without "),
    Says("object-leak is judged without "),
    Says("prime-cache-leak is judged without "),
];

/// Shell that records a storm so many times, for a moment each, and replays what was recorded. The storm lives on.
macro_rules! storm_recorded {
    ($times:literal) => {
        concat!(
            "gemclient storm-threads --threads 4 --rounds 100000000 >/dev/null & \
             for i in $(seq ",
            $times,
            "); do gemscope record --ring-size 64M -o $i -d 0.2; gemscope replay --json $i; done; \
             kill -0 $! && echo 'the storm goes on'; kill -9 $!; \
             echo \"kprobes left: $(wc -l </sys/kernel/debug/kprobes/list)\""
        )
    };
}

/// A row of recordings in the middle of a storm.
const fn attached_mid_storm(name: &'static str, command: &'static str, expect: &'static [Expect]) -> Row {
    row(name, command, expect).seconds(900)
}

/// Lines that probes are attached to ten times.
const TEN: &[&str] = &["6.12"];

const TEN_TIMES: &[Expect] = &mid_storm(10);
const TWICE: &[Expect] = &mid_storm(2);

/// So many recordings, each with its share of the storm, and nothing certain in any of them.
const fn mid_storm(times: usize) -> [Expect; 4] {
    [
        Count(times, &[("/type", Text("summary")), ("/records", AtLeast(100)), ("/lost", Number(0))]),
        Count(0, &[("/type", Text("finding")), ("/certain", Bool(true))]),
        Says("the storm goes on"),
        Says("kprobes left: 0"),
    ]
}

/// A verdict that must be undecided, whatever else is said: nothing certain is found.
const UNDECIDED: &[Expect] = &[
    Line(&[("/type", Text("summary")), ("/verdict", Text("undecided"))]),
    Count(0, &[("/type", Text("finding")), ("/certain", Bool(true))]),
];

/// Shell that begins a recording and waits until the probes are attached; its process is `$!`.
macro_rules! ready {
    () => {
        "gemscope record -o trace.gemtrace 2>said & \
         awaited 'grep -q Ctrl-C said'; "
    };
}

/// Shell that waits until no kprobe is left, tells how many are, and replays the trace.
macro_rules! left {
    () => {
        "awaited '! grep -q . /sys/kernel/debug/kprobes/list'; \
         echo \"kprobes left: $(wc -l </sys/kernel/debug/kprobes/list)\"; gemscope replay --json trace.gemtrace"
    };
}

/// A recording that is ended by a signal, and what its process may do while it runs.
macro_rules! ended {
    ($name:literal, $signal:literal) => {
        row(
            $name,
            concat!(
                ready!(),
                "gemclient s2; cat /proc/$!/status; kill -",
                $signal,
                " $!; wait $!; echo \"ended with $?\"; ",
                left!()
            ),
            ENDED,
        )
    };
}

/// Shell that is run with the driver loaded.
macro_rules! driven {
    ($command:literal) => {
        concat!(
            "insmod /modules/gemfault.ko || exit 1; (",
            $command,
            "); code=$?; rmmod gemfault && exit $code"
        )
    };
}

/// It ends as it should: nothing stays behind, and the trace is whole. Before, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE and CAP_BPF
/// are left, and no new ones can be had.
const ENDED: &[Expect] = &[
    Says("CapEff:\t0000008000080004"),
    Says("NoNewPrivs:\t1"),
    Says("ended with 0"),
    Says("kprobes left: 0"),
    Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/records", AtLeast(20))]),
];

/// Undecided because records were lost, with their number.
const LOST: &[Expect] = &[
    Line(&[("/type", Text("summary")), ("/verdict", Text("undecided")), ("/lost", AtLeast(1))]),
    Count(0, &[("/type", Text("finding")), ("/certain", Bool(true))]),
];

/// The matrix.
const ROWS: &[Row] = &[
    // The client by itself: the guests offer what its scenarios need.
    row("client-list", "gemclient list", &[Says("forget-gem-close"), Says("six-step")]),
    row("client-vgem", "gemclient s2 && gemclient s5", &[]),
    row("client-framebuffer", "gemclient s20 --device virtio_gpu && gemclient s20 --device bochs-drm", &[]),
    row("client-two-devices", "gemclient six-step && gemclient six-step-reverse", &[Says("virtio_gpu")]),
    row("client-foreign", "gemclient s11 && gemclient s12", &[]).lines(Lines::But(OLD)),
    row("client-foreign-old", "gemclient s11", &[]).code(77).lines(Lines::Only(OLD)),
    row("client-killed", "gemclient killed-midway", &[]).code(137),
    // What this kernel offers.
    row("doctor-5-10", "gemscope doctor", &[Says("rule profile v5.7"), Says("set-name-busy")]).lines(Lines::Only(&["5.10"])),
    row("doctor-6-1", "gemscope doctor", &[Says("rule profile v5.7"), Silent("set-name-busy")]).lines(Lines::Only(&["6.1"])),
    row("doctor-6-12", "gemscope doctor", &[Says("rule profile v6.2")]).lines(Lines::Only(&["6.12"])),
    row("doctor-6-18", "gemscope doctor", &[Says("rule profile v6.16"), Says("change-handle")]).lines(Lines::Only(&["6.18"])),
    row("doctor-newest", "gemscope doctor", &[Says("rule profile v7.0"), Silent("change-handle,")]).lines(Lines::Only(&["newest"])),
    row("probes", "gemscope probes", &[]),
    // Correct histories, recorded and judged from the trace.
    clean(
        "sequences",
        "replayed each s1 s2 s3 's4 --clean' s5 s6 's7 --clean' s8 s9 s10 s13 s20 s21 s22 s23 's24 --clean' page-flip share-all",
    )
    .seconds(240),
    clean("sequences-foreign", "replayed each s11 s12 poll-holds").lines(Lines::But(OLD)),
    // Correct histories, judged live.
    row(
        "holders",
        "judged -- each six-step six-step-reverse fork-daemon fork-inherit-fd 'fork-exec-tree --clean' scm-in-flight exec-keeps-fd mmap-holds fb-holds \
         dup-fds 'idle-pool --seconds 1' pidfd-takes-fd path-in-other-process chain-of-sockets drm-file-travels mmap-inherited \
         poll-fences refcounted-import reused-handle-refcounted dumb-destroy-own",
        &[
            Line(&[("/type", Text("header")), ("/command_status", Text("exited with status 0"))]),
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0)), ("/records", AtLeast(200))]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    )
    .seconds(240),
    // Somebody else goes on holding the buffer: no leak, and told by name.
    row(
        "held-outside",
        "gemclient take-offer >/dev/null & judged -- gemclient offer-fd; code=$?; kill $!; exit $code",
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
            Line(&[
                ("/type", Text("note")),
                ("/held/0/entity/kind", Text("dma-buf")),
                ("/held/0/holders/0/kind", Text("fd")),
                ("/held/0/holders/0/holder_process", Text("gemclient")),
            ]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    )
    .usually(ON_5_10),
    snapshot::SNAPSHOT,
    test_runs::BY_COMMAND,
    test_runs::BY_BUILD_FOLDER,
    monitor::AS_TEXT,
    monitor::UNREAD,
    flight::FOUND,
    flight::SCOPED,
    flight::ON_FAILURE,
    row(
        "ends",
        "judged -- sh -c 'gemclient killed-by-abort; gemclient exit-nonzero; gemclient killed-midway; \
         gemclient killed-at-random; exit 9'",
        &[
            Line(&[("/type", Text("header")), ("/command_status", Text("exited with status 9"))]),
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    ),
    // A client that others wrote: page flips of Debian's modetest.
    row(
        "modetest",
        "connector=$(modetest -M virtio_gpu -c | awk '$3 == \"connected\" { print $1; exit }'); \
         crtc=$(modetest -M virtio_gpu -p | awk '/^CRTCs/ { here = 1 } here && $1 ~ /^[0-9]+$/ { print $1; exit }'); \
         judged -- sh -c \"(sleep 2; echo) | modetest -M virtio_gpu -s $connector@$crtc:640x480 -v\"",
        &[
            Complains("freq: "),
            Line(&[("/type", Text("header")), ("/command_status", Text("exited with status 0"))]),
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0)), ("/records", AtLeast(50))]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    )
    .program("modetest"),
    // A driver that goes away under buffers which others hold.
    row("unbind", "judged -- gemclient unbind", UNBOUND),
    // Many threads and processes, at full speed.
    clean(
        "storms",
        "judged --ring-size 64M -- each 'storm-threads --threads 4 --rounds 10000' 'storm-procs --rounds 10000' storm-flink storm-contended",
    )
    .seconds(600),
    // Mistakes, each by its name and nothing beside it. The leak's stack leads to the function that made it.
    found!("forget-gem-close", "judged -- gemclient forget-gem-close", "handle-leak": 1; Says("forget_gem_close")).usually(ON_5_10),
    mistakes::TOGETHER,
    // One recording for three programs: which rule speaks of what else they do is not this row's business.
    row(
        "miscounted",
        "judged -- each double-import-single-fd reused-handle dumb-destroy-import",
        &[
            Line(&[("/type", Text("summary")), ("/verdict", Text("findings")), ("/lost", Number(0))]),
            certain!("unbalanced-import"),
            certain!("close-of-reused-handle"),
            certain!("dumb-destroy-of-import"),
        ],
    )
    .code(1)
    .usually(ON_6_1),
    row("growth", "judged -- gemclient growth", &[Line(&[("/type", Text("finding")), ("/rule", Text("handle-leak"))])]).code(1).usually(ON_6_18),
    // Two threads in the middle of one another's calls. The first kernels give a handle out too early; those between them can
    // move handles, and count wrong when one is closed meanwhile; everywhere the guessed closes are the program's own mistake. Four
    // seconds mostly do; where the host has other things to do, the threads may need more of them to meet.
    row(
        "race-publication",
        until_found!("create-publication-race", "gemclient race-publication --seconds 4"),
        &[certain!("create-publication-race")],
    )
    .code(1)
    .seconds(300)
    .lines(Lines::Only(PUBLISHES_EARLY)),
    row(
        "race-publication-fixed",
        PUBLICATION,
        &[
            Count(0, &[("/type", Text("finding")), ("/rule", Text("create-publication-race"))]),
            Count(0, &[("/type", Text("finding")), ("/class", Text("violation"))]),
            Line(&[("/type", Text("summary")), ("/lost", Number(0)), ("/records", AtLeast(1000))]),
        ],
    )
    .code(1)
    .seconds(240)
    .lines(Lines::But(PUBLISHES_EARLY)),
    // Without a race: where framebuffers hold no handle count, an object forgets its dma-buf and is given another.
    found!("share-through-fb", "judged -- gemclient share-through-fb", "second-dmabuf": 1).lines(Lines::Only(OLD)),
    clean("share-through-fb-fixed", "judged -- gemclient share-through-fb").lines(Lines::Only(&["6.12"])),
    // Before 6.18 bochs cannot export, or no other driver can map what it exports. And to move a handle of a buffer that is shared is
    // nobody's mistake, without a race.
    clean("fixed-6-18", "judged -- each share-through-fb move-shared 'six-step --exporter bochs-drm'").lines(Lines::Only(&["6.18"])),
    clean("fixed-newest", "judged -- each share-through-fb 'six-step --exporter bochs-drm'").lines(Lines::Only(&["newest"])),
    row(
        "race-change-handle",
        until_found!("handle-count-mismatch", "gemclient race-change-handle --seconds 5"),
        &[certain!("handle-count-mismatch")],
    )
    .code(1)
    .seconds(300)
    .lines(Lines::Only(&["6.18"])),
    clean("at-exit-ignore", "judged --at-exit ignore -- gemclient forget-gem-close").usually(ON_6_1),
    found!("replay-forget", "replayed gemclient forget-gem-close", "handle-leak": 1).usually(ON_6_1),
    // Loss is never silent and never a false finding.
    row(
        "loss",
        "judged --ring-size 4K -- gemclient storm-threads --threads 4 --rounds 10000",
        LOST,
    )
    .code(3)
    .seconds(240)
    .usually(ON_BOTH_ENDS),
    row("still-running", "judged --timeout 2 -- gemclient keep-open --seconds 30", UNDECIDED).code(3).usually(ON_NEWEST),
    row(
        "torn-trace",
        "replayed gemclient storm-flink >/dev/null; head -c 60000 trace.gemtrace >torn; gemscope replay --json torn",
        UNDECIDED,
    )
    .code(3)
    .seconds(240)
    .usually(ON_6_18),
    // Other ways to be run.
    row("as-the-sudo-user", "SUDO_UID=1000 SUDO_GID=1000 gemscope check -- id -u", &[Says("1000")]).usually(ON_BOTH_ENDS),
    row("not-root", "su user -c 'gemscope check -- true'", &[Complains("root")]).code(2).usually(ON_6_18),
    row("no-such-command", "gemscope check -- /no/such/command", &[Complains("/no/such/command")]).code(2).usually(ON_NEWEST),
    row("foreign-file", "gemscope replay /bin/busybox", &[Complains("/bin/busybox")]).code(2).usually(ON_5_10),
    row(
        "escapes-in-a-name",
        "name=$(printf '\\033[31mred'); cp /usr/bin/gemclient \"/tmp/$name\"; \
         gemscope check --color never --report report -- \"/tmp/$name\" forget-gem-close; code=$?; cat report; exit $code",
        &[Silent("\u{1b}"), Says("handle-leak")],
    )
    .code(1)
    .usually(ON_6_18),
    row(
        "killed-tracer",
        concat!(ready!(), "gemclient s2; sleep 4; kill -9 $!; ", left!()),
        &[
            Says("kprobes left: 0"),
            Line(&[("/type", Text("header"))]),
            Line(&[("/type", Text("summary")), ("/verdict", Text("undecided")), ("/records", AtLeast(20))]),
        ],
    )
    .code(3)
    .usually(ON_BOTH_ENDS),
    ended!("interrupted", "INT").usually(ON_6_18),
    ended!("terminated", "TERM").usually(ON_NEWEST),
    row(
        "stalled-reader",
        "judged --ring-size 64K --stall-reader 2000 -- gemclient storm-threads --threads 4 --rounds 1000",
        LOST,
    )
    .code(3)
    .usually(ON_5_10),
    row(
        "full-disk",
        "mkdir -p /tmp/small; mount -t tmpfs -o size=64k none /tmp/small; \
         gemscope record -o /tmp/small/trace -- gemclient storm-threads --threads 4 --rounds 2000; echo \"ended with $?\"; \
         gemscope replay --json /tmp/small/trace; code=$?; umount /tmp/small; exit $code",
        &[
            Says("ended with 2"),
            Complains("No space left on device"),
            Line(&[("/type", Text("summary")), ("/verdict", Text("undecided")), ("/records", AtLeast(1000))]),
            Count(0, &[("/type", Text("finding")), ("/certain", Bool(true))]),
        ],
    )
    .code(3)
    .usually(ON_NEWEST),
    // Probes come and go while others are at work: what only some of them saw is not judged. Ten times where probes go on fastest,
    // and twice elsewhere; each recording is as short as can be.
    attached_mid_storm("attach-detach-ten", storm_recorded!("10"), TEN_TIMES).lines(Lines::Only(TEN)),
    attached_mid_storm("attach-detach-twice", storm_recorded!("2"), TWICE).lines(Lines::But(TEN)),
    // A part of the machine only, or a part of the probes: never a false finding. Every kernel verifies programs that filter.
    found!("filter-comm", "judged --comm gemclient -- gemclient forget-gem-close", "handle-leak": 1).usually(Lines::Only(&["5.10", "6.12"])),
    found!("filter-device", "judged --device vgem -- gemclient forget-gem-close", "handle-leak": 1).usually(Lines::Only(&["6.1", "6.18", "newest"])),
    clean("filter-other-device", "judged --device virtio_gpu -- gemclient forget-gem-close").usually(ON_NEWEST),
    clean("filter-other-comm", "judged --comm nobody -- gemclient six-step").usually(ON_6_12),
    // Each of these is told in the header, with what is judged without it. `doctor` is asked the same for every probe without a guest.
    row("denied", "judged --deny dmabuf-put --deny file-close --deny handle-put --deny cache-add --deny object-release -- gemclient s4", DENIED)
        .code(3)
        .usually(ON_6_12),
    row(
        "no-btf",
        "unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf; gemscope check -- true'",
        &[Complains("CONFIG_DEBUG_INFO_BTF")],
    )
    .code(2)
    .usually(ON_5_10),
    row(
        "no-drm",
        "grep -v '\\[drm' /proc/kallsyms >symbols; \
         unshare -m sh -c 'mount --bind symbols /proc/kallsyms; gemscope check -- true'",
        &[Complains("modprobe")],
    )
    .code(2)
    .usually(ON_6_1),
    // A driver that does everything right, without a word from the kernel, and then breaks one rule at a time. The archive has no headers
    // of the kernel of 6.18.
    row(
        "driver-controls",
        driven!(
            "judged -- gemclient faults-all --right; code=$?; \
             echo \"warnings: $(dmesg | grep -cE '(Comm|CPU#[0-9]+): r-')\"; exit $code"
        ),
        &[
            Says("warnings: 0\n"),
            Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0)), ("/records", AtLeast(200))]),
            Count(0, &[("/type", Text("finding"))]),
        ],
    )
    .seconds(240)
    .driver()
    .lines(Lines::But(&["6.18"])),
    row(
        "driver-faults-old",
        driven!("judged -- gemclient faults-all"),
        faults!(2),
    )
    .code(1)
    .seconds(240)
    .driver()
    .lines(Lines::Only(OLD)),
    row(
        "driver-faults",
        driven!("judged -- gemclient faults-all"),
        faults!(3, fault!("f-vmap-without-" "reservation-not-held")),
    )
    .code(1)
    .seconds(240)
    .driver()
    .lines(Lines::Only(&["6.12", "newest"])),
    row("trace-is-private", "gemscope record -o trace.gemtrace -- true; stat -c %a trace.gemtrace", &[Says("600")]).usually(ON_NEWEST),
];

/// The rows of the table, and those of the files beside it: all but the suite, which has a page of its own.
pub fn table() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(assert::ROWS)
}

/// The rows of every run: also the suite, together.
pub fn usual() -> impl Iterator<Item = &'static Row> {
    table().chain(together::rows())
}

/// Every row: the suite's cases by themselves, too.
pub fn all() -> impl Iterator<Item = &'static Row> {
    usual().chain(cases().flat_map(|case| [Some(&case.row), case.absent.as_ref()]).flatten())
}

#[cfg(test)]
mod tests;
