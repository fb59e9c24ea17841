//! A judgement with everything in it, hostile names too.

use gemscope_engine::{
    Counts, Doubt, Entity, Finding, Held, Holder, HolderKind, LifeEvent, Notes, RuleId, Stamp, Verdict, What,
};
use gemscope_policy::{Assertion, Breach, Entry, Kept, Kind, Origin, Outcome, SetAside, Share, Slope};
use gemscope_report::{Context, Judgement, MissingProbe};
use gemscope_trace::{Definition, Definitions, Inlined, Process, Stack, StackKind, Symbol, TestCase};

pub fn at(seq: u64, tgid: u32, stack: i32) -> Stamp {
    Stamp { seq, ts_ns: 1_000_000_000 + seq * 1_500_000, tid: tgid + 1, tgid, kstack: stack, ustack: stack }
}

pub fn definitions() -> Definitions {
    let symbol = |tgid, addr, name: &str, module: &str, line| {
        let file = if line == 0 { "" } else { "src/main.c" };
        Definition::Symbol(Symbol {
            tgid,
            addr,
            name: name.into(),
            offset: 0x1f,
            module: module.into(),
            file: file.into(),
            line,
            inlined: if line == 12 {
                vec![Inlined { name: "take".into(), ..Inlined::default() }]
            } else {
                vec![]
            },
        })
    };
    let mut defs = Definitions::new();
    defs.extend([
        Definition::Process(Process {
            tgid: 20,
            parent: 19,
            comm: "bad\x1b[31m\u{202e}".into(),
            cmdline: vec!["/build/client".into(), "\x1b[2Jx".into()],
            ..Process::default()
        }),
        Definition::Process(Process {
            tgid: 19,
            cmdline: ["/usr/bin/python3", "/usr/bin/meson", "test"].map(Into::into).to_vec(),
            ..Process::default()
        }),
        Definition::TestCase(TestCase {
            runner: 19,
            suite: "demo:gpu".into(),
            name: "paste \x1b[2J".into(),
            command: vec!["/build/client".into(), "\x1b[2Jx".into()],
            ..TestCase::default()
        }),
        Definition::Process(Process { tgid: 812, comm: "compositor".into(), ..Process::default() }),
        Definition::Stack(Stack { id: 1, kind: StackKind::Kernel, tgid: 0, frames: vec![1, 2, 3] }),
        Definition::Stack(Stack { id: 1, kind: StackKind::User, tgid: 20, frames: vec![0x10, 0x20, 0x30] }),
        symbol(0, 1, "drm_gem_handle_create_tail", "drm", 0),
        symbol(0, 2, "do_syscall_64", "", 0),
        symbol(20, 0x10, "", "/usr/lib/libdrm.so.2", 0),
        symbol(20, 0x20, "main", "/usr/bin/client", 12),
    ]);
    defs
}

pub fn finding(number: u32, rule: RuleId) -> Finding {
    let entity = Entity::Handle { file: 1, handle: 3, incarnation: 2, object: 12, size: 65536 };
    let buf = Entity::DmaBuf { ino: 77, id: 4, size: 65536 };
    let object = Entity::Object { id: 13, size: 0 };
    let holders = [
        HolderKind::Handle(entity),
        HolderKind::Link(buf),
        HolderKind::Cache { file: 1, handle: 3 },
        HolderKind::Importer(object),
        HolderKind::Exported(buf),
        HolderKind::Fd { tgid: 20, fd: 5 },
        HolderKind::Fd { tgid: 20, fd: -1 },
        HolderKind::PathFd { tgid: 20, fd: 6 },
        HolderKind::Mapping { tgid: 0 },
        HolderKind::Mapping { tgid: 20 },
        HolderKind::Framebuffer { id: 41 },
        HolderKind::Attachment,
    ];
    let holders = holders.into_iter().enumerate();
    Finding {
        number,
        rule,
        entity,
        count: 1,
        bytes: 65536,
        event: LifeEvent { what: What::HandleClosedByFile, at: at(90, 20, -1) },
        conflict: Some(LifeEvent { what: What::HandleCreated, at: at(10, 20, 1) }),
        holders: holders
            .map(|(i, kind)| Holder {
                kind,
                taken: if i == 8 { Stamp::default() } else { at(20 + i as u64, 20, 1) },
            })
            .collect(),
        life: vec![
            LifeEvent { what: What::Born, at: at(9, 20, 1) },
            LifeEvent { what: What::HandleCreated, at: at(10, 20, 1) },
        ],
        tainted: false,
        proven: false,
    }
}

pub fn held(ino: u64, deferred: bool, outside: bool, kinds: &[HolderKind]) -> Held {
    let holder = |kind: &HolderKind| Holder {
        kind: *kind,
        taken: if matches!(kind, HolderKind::Cache { .. }) { at(50, 812, 1) } else { Stamp::default() },
    };
    let entity = Entity::DmaBuf { ino, id: ino as u32, size: 4096 };
    Held { entity, deferred, outside, holders: kinds.iter().map(holder).collect() }
}

pub fn everything() -> Judgement {
    let group = Finding { count: 12, bytes: 12 << 16, ..finding(1, RuleId::HandleLeak) };
    let file = Entity::File { id: 1, minor: 0, client: 7 };
    let lost = Finding {
        number: 2,
        rule: RuleId::ObjectLeak,
        entity: Entity::Object { id: 13, size: 4096 },
        holders: Vec::new(),
        tainted: true,
        ..finding(2, RuleId::ObjectLeak)
    };
    let cache = Finding { entity: file, bytes: 0, proven: true, ..finding(3, RuleId::PrimeCacheLeak) };
    let close = Finding { conflict: None, holders: Vec::new(), ..finding(4, RuleId::DoubleClose) };
    let known = finding(5, RuleId::FdLeak);
    let missed = gemscope_common::ProbeId::HandleCreate as u16;
    Judgement {
        findings: vec![group, lost, cache, close, known],
        // Any rule will do: what is told of it is the same.
        near_misses: vec![finding(1, RuleId::CacheAfterClose), finding(2, RuleId::CacheAfterClose)],
        held: vec![
            held(
                42,
                false,
                true,
                &[
                    HolderKind::Fd { tgid: 812, fd: 17 },
                    HolderKind::Mapping { tgid: 20 },
                    HolderKind::Cache { file: 1, handle: 3 },
                ],
            ),
            held(43, true, true, &[HolderKind::PathFd { tgid: 20, fd: 5 }]),
            held(44, false, false, &[HolderKind::Fd { tgid: 9, fd: 3 }]),
        ],
        verdict: Verdict::Findings,
        outcome: outcome(),
        doubts: vec![
            Doubt::Drops(1234),
            Doubt::Missed(missed, 1),
            Doubt::Gap,
            Doubt::StillRunning(2),
            Doubt::Unreadable(1),
            Doubt::Blind(missed),
            Doubt::OpenCalls(3),
        ],
        notes: Notes {
            handles_left_by_signal: 1,
            fds_left_by_signal: 2,
            handles_left_ignored: 3,
            fds_left_ignored: 4,
            pre_existing: 5,
            held_outside: 6,
            deferred: 7,
            findings_dropped: 8,
        },
        counts: Counts { records: 12345, drops: 1234, unknown_records: 1, files: 2, ..Counts::default() },
        ..Judgement::default()
    }
}

pub fn context() -> Context {
    Context {
        gemscope: "0.0.0".to_owned(),
        kernel: "6.12.0-\x1b]0;test\x07".to_owned(),
        machine: "x86_64".to_owned(),
        profile: "v6.2".to_owned(),
        recorded_profile: Some("v6.16".to_owned()),
        features: vec!["change-handle".to_owned()],
        attached: 40,
        missing: vec![MissingProbe {
            probe: "getfb2".to_owned(),
            reason: "no symbol `drm_mode_getfb2_ioctl`".to_owned(),
            blind: "handles made by GETFB2 have no stack".to_owned(),
        }],
        off: vec!["map".to_owned(), "unmap".to_owned()],
        blinded: vec!["framebuffer-leak cannot be judged".to_owned()],
        filters: vec!["--comm=x".to_owned()],
        command: vec!["client".to_owned(), "a b".to_owned(), "\u{9b}2J".to_owned()],
        status: "exited with status 3".to_owned(),
        at_exit: "strict".to_owned(),
        start_ns: 1_000_000_000,
        trace: "leak.gemtrace".to_owned(),
        damage: vec!["the trace is cut at byte `77`".to_owned()],
        notes: vec!["a note".to_owned()],
        ..Context::default()
    }
}

fn breach(number: u32, assertion: Assertion, kind: Kind, count: u64, limit: Option<u64>) -> Breach {
    let share = |seq, newest, count| Share {
        taken: at(seq, 20, 1),
        newest: at(newest, 20, 1),
        count,
        bytes: count * 4096,
    };
    Breach {
        number,
        assertion,
        kind,
        series: String::new(),
        count,
        limit,
        bytes: count * 4096,
        age_ns: 0,
        slope: None,
        at: at(95, 20, -1),
        shares: vec![
            share(30, 80, count),
            Share { count: 1, ..Share { taken: Stamp::default(), ..share(1, 1, 1) } },
        ],
        tainted: false,
    }
}

fn outcome() -> Outcome {
    let slope = Slope {
        per_cycle: 0.143,
        low: 0.1,
        high: 0.19,
        confidence: 0.95,
        cycles: 42,
        grew_in: 7,
        warm_up: 3,
    };
    let grows = Breach {
        slope: Some(slope),
        series: "fr\x1bame".to_owned(),
        ..breach(6, Assertion::SteadyGrowth, Kind::Handles, 6, None)
    };
    let old = Breach {
        age_ns: 12_500_000_000,
        ..breach(8, Assertion::AgeLimit, Kind::Dmabufs, 2, Some(10_000_000_000))
    };
    let budget = Breach {
        tainted: true,
        bytes: 1 << 20,
        shares: Vec::new(),
        ..breach(9, Assertion::Budget, Kind::Bytes, 1 << 20, Some(1 << 19))
    };
    let entry = |origin, name: &str, place: &str| Entry {
        origin,
        name: name.to_owned(),
        reason: "a pool, see\u{1b}[2J the wiki".to_owned(),
        place: place.to_owned(),
        expires: String::new(),
        expired: false,
        findings: 0,
        beyond: 0,
        count: 0,
        bytes: 0,
    };
    let used = Entry {
        expires: "2027-01-31".to_owned(),
        findings: 2,
        count: 6,
        bytes: 86016,
        ..entry(Origin::Suppression, "known-pool", "gemscope.toml:12")
    };
    Outcome {
        breaches: vec![grows, breach(7, Assertion::GrowthLimit, Kind::Objects, 5, Some(1)), old, budget],
        kept: vec![Kept { name: "budget", text: "handles at most 12: 9 at most".to_owned() }],
        unjudged: Vec::new(),
        entries: vec![
            used,
            entry(Origin::Suppression, "idle", "gemscope.toml:20"),
            Entry {
                expires: "2026-01-31".to_owned(),
                expired: true,
                ..entry(Origin::Suppression, "late", "gemscope.toml:30")
            },
            entry(Origin::Baseline, "0123456789abcdef", "gemscope-baseline.json"),
        ],
        set_aside: vec![SetAside { number: 5, entry: 0 }, SetAside { number: 7, entry: 0 }],
        notes: vec!["attachments were not judged: 3 cycles are too few".to_owned()],
    }
}
