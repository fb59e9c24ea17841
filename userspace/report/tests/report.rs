//! A judgement with everything in it, hostile names too, as text and as JSON lines.

use gemscope_engine::{
    Counts, Doubt, Entity, Finding, Held, Holder, HolderKind, LifeEvent, Notes, RuleId, Stamp, Verdict, What,
};
use gemscope_report::{Context, Directory, Judgement, MissingProbe, Names, escape, json, text};
use gemscope_trace::{Definition, Definitions, Inlined, Process, Stack, StackKind, Symbol, TestCase};
use snapbox::{Data, assert_data_eq, file};

fn at(seq: u64, tgid: u32, stack: i32) -> Stamp {
    Stamp { seq, ts_ns: 1_000_000_000 + seq * 1_500_000, tid: tgid + 1, tgid, kstack: stack, ustack: stack }
}

fn definitions() -> Definitions {
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

fn finding(number: u32, rule: RuleId) -> Finding {
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

fn held(ino: u64, deferred: bool, outside: bool, kinds: &[HolderKind]) -> Held {
    let holder = |kind: &HolderKind| Holder {
        kind: *kind,
        taken: if matches!(kind, HolderKind::Cache { .. }) { at(50, 812, 1) } else { Stamp::default() },
    };
    let entity = Entity::DmaBuf { ino, id: ino as u32, size: 4096 };
    Held { entity, deferred, outside, holders: kinds.iter().map(holder).collect() }
}

fn everything() -> Judgement {
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
    let missed = gemscope_common::ProbeId::HandleCreate as u16;
    Judgement {
        findings: vec![group, lost, cache, close],
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

fn context() -> Context {
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

fn with(judgement: &Judgement, f: impl FnOnce(&Names<'_>)) {
    f(&Names {
        context: &context(),
        judgement,
        directory: &Directory::default(),
        definitions: &definitions(),
    });
}

fn as_text(judgement: &Judgement, palette: &text::Palette) -> String {
    let mut out = String::new();
    with(judgement, |names| text::report(&mut out, names, palette).unwrap());
    out
}

fn as_json(judgement: &Judgement) -> String {
    let mut out = Vec::new();
    with(judgement, |names| json::report(&mut out, names).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn text_tells_everything() {
    let report = as_text(&everything(), &text::Palette::plain());
    assert_data_eq!(Data::text(report), file!["golden/everything.txt"].raw());
}

#[test]
fn json_tells_everything() {
    assert_data_eq!(Data::text(as_json(&everything())), file!["golden/everything.jsonl"].raw());
}

#[test]
fn names_cannot_steer_a_terminal() {
    for out in [as_text(&everything(), &text::Palette::plain()), as_json(&everything())] {
        let hostile: Vec<char> = out.chars().filter(|c| *c != '\n' && escape::is_hostile(*c)).collect();
        assert!(hostile.is_empty(), "{hostile:?}");
    }
}

#[test]
fn colours_add_nothing_but_colours() {
    let coloured = as_text(&everything(), &text::Palette::coloured());
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(coloured, plain);
    assert_eq!(plain, as_text(&everything(), &text::Palette::plain()));
}

#[test]
fn every_line_obeys_the_schema() {
    let schema = std::fs::read_to_string("schema/gemscope.schema.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let clean = Judgement::default();
    for (judgement, lines) in [(everything(), 16), (clean, 2)] {
        let out = as_json(&judgement);
        assert_eq!(out.lines().count(), lines);
        for line in out.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {line}");
        }
    }
    assert!(!validator.is_valid(&serde_json::json!({ "type": "summary" })));
}

#[test]
fn the_first_line_is_the_answer() {
    let first = |verdict, findings| {
        let judgement = Judgement { verdict, findings, ..everything() };
        as_text(&judgement, &text::Palette::plain()).lines().next().unwrap().to_owned()
    };
    assert_eq!(
        first(Verdict::Clean, Vec::new()),
        "gemscope: clean: nothing leaked and no rule was broken in 12,345 records"
    );
    assert_eq!(
        first(Verdict::Undecided(vec![Doubt::Drops(2)]), Vec::new()),
        "gemscope: undecided: 2 records were lost: the ring buffer was full"
    );
    let unsure = vec![Finding { tainted: true, ..finding(1, RuleId::FdLeak) }];
    assert_eq!(
        first(Verdict::Undecided(vec![Doubt::Gap, Doubt::OpenCalls(1)]), unsure),
        "gemscope: undecided: the trace is damaged or cut: records are missing (and 1 more reason); \
         uncertain: fd-leak ×1 (64.0 KiB)"
    );
}

#[test]
fn what_repeats_is_told_a_few_times_and_counted() {
    let leak = |n: u32| Finding { bytes: 4096, ..finding(n, RuleId::ObjectLeak) };
    let mut findings: Vec<Finding> = (1..=400).map(leak).collect();
    // Broken somewhere else: not like the others.
    let event = LifeEvent { what: What::HandleClosed, at: at(90, 20, 1) };
    findings.insert(200, Finding { event, ..leak(401) });
    let judgement = Judgement { findings, ..everything() };
    let text = as_text(&judgement, &text::Palette::plain());
    assert_eq!(text.matches("] a GEM object outlived").count(), 4);
    assert!(text.contains("   and 397 more like it, 1.6 MiB together; --json tells them all\n"), "{text}");
    let lines = as_json(&judgement);
    assert_eq!(lines.lines().filter(|l| l.starts_with("{\"type\":\"finding\"")).count(), 401);
}

#[test]
fn near_misses_change_no_answer() {
    let clean = Judgement { findings: Vec::new(), verdict: Verdict::Clean, ..everything() };
    let text = as_text(&clean, &text::Palette::plain());
    assert!(text.starts_with("gemscope: clean:") && text.contains("\nNear misses (legal today)\n"));
    let none = Judgement { near_misses: Vec::new(), ..clean };
    assert!(!as_text(&none, &text::Palette::plain()).contains("Near misses"));
}

#[test]
fn every_rule_is_explained() {
    let mut all = String::new();
    text::explain_all(&mut all, &text::Palette::plain()).unwrap();
    for id in RuleId::ALL {
        assert!(all.contains(id.name()));
        let mut one = String::new();
        text::explain(&mut one, id.rule(), &text::Palette::plain()).unwrap();
        assert!(one.contains(id.rule().title) && one.contains("what to do"));
    }
}
