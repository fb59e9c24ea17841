//! Names from outside in every format: none of them steers a terminal, is a formula, or makes two of one.

use gemscope_common::{DrmFile, Mark, Phase, ProbeId, Record};
use gemscope_engine::Config;
use gemscope_report::escape::is_hostile;
use gemscope_report::export::folded;
use gemscope_report::survey::Kind;
use gemscope_report::{Context, escape};
use gemscope_trace::sample::Workload;
use gemscope_trace::{Definition, Definitions, Inlined, Process, Stack, StackKind, Symbol};

use crate::{Outcome, Trace};

/// Names that somebody may have thought of.
const NAMES: &[&str] = &[
    "\x1b[2J\x1b]0;owned\x07",
    "a\u{202e}b\u{2066}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "x;y;z 12",
    "new\nline 1\r\n\"quoted\",+1",
    "\u{feff}@SUM(A1)",
    "",
];

/// A trace in which everything is called `name`.
fn trace(name: &str) -> Trace {
    let mut records: Vec<Record> = Workload::default().take(600).collect();
    let mut file = DrmFile { file: 0x1234, minor: 1, client_id: 7, ..DrmFile::default() };
    let mut mark = Mark::default();
    for (to, from) in file.driver.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    for (to, from) in mark.name.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    records.insert(0, Record::new(ProbeId::FileOpen, Phase::Point, &file));
    records.insert(300, Record::new(ProbeId::Mark, Phase::Point, &mark));
    let mut definitions = Definitions::new();
    for (i, record) in records.iter_mut().enumerate() {
        let h = &mut record.header;
        (h.kstack, h.ustack) = (1, 1);
        if i == 0 {
            (h.tgid, h.tid) = (4100, 4100);
        }
        definitions.extend([Definition::Process(Process {
            tgid: h.tgid,
            comm: name.into(),
            ..Process::default()
        })]);
    }
    let symbol = |tgid, addr| Symbol {
        tgid,
        addr,
        name: name.into(),
        module: name.into(),
        file: name.into(),
        line: 3,
        inlined: vec![Inlined { name: name.into(), file: name.into(), line: 1 }],
        ..Symbol::default()
    };
    definitions.extend([
        Definition::Stack(Stack { id: 1, kind: StackKind::Kernel, tgid: 0, frames: vec![1] }),
        Definition::Stack(Stack { id: 1, kind: StackKind::User, tgid: 4100, frames: vec![2] }),
        Definition::Symbol(symbol(0, 1)),
        Definition::Symbol(symbol(4100, 2)),
    ]);
    let context = Context { start_ns: 1, ..Context::default() };
    Trace { name: escape::name(name.as_bytes()), context, config: Config::default(), definitions, records }
}

fn names() -> Vec<String> {
    let mut all: Vec<String> = NAMES.iter().map(|n| (*n).to_owned()).collect();
    all.push("long".repeat(2500));
    all
}

#[test]
fn in_perfetto() {
    for name in names() {
        let trace = trace(&name);
        let (bytes, _) = trace.perfetto();
        let read = crate::perfetto::check(&trace.name, &bytes);
        assert_eq!(read.moments["mark"], 1);
        for text in read.texts {
            assert!(!text.chars().any(is_hostile), "{text}");
            assert!(text.len() < 4000, "{} bytes", text.len());
        }
    }
}

#[test]
fn in_json_lines() {
    for name in names() {
        let text = trace(&name).lines();
        assert!(!text.chars().any(|c| is_hostile(c) && c != '\n'));
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mark = lines.filter(|l| l["type"] == "mark").collect::<Vec<_>>();
        // Cut as the kernel cuts it, and not changed.
        let cut = String::from_utf8_lossy(&name.as_bytes()[..name.len().min(32)]).into_owned();
        assert_eq!(mark.len(), 1);
        assert_eq!(mark[0]["name"], cut);
    }
}

#[test]
fn in_tables() {
    for name in names() {
        for (table, columns, text) in trace(&name).tables() {
            assert!(!text.chars().any(|c| is_hostile(c) && c != '\n'), "{table}");
            let mut rows = csv::Reader::from_reader(text.as_bytes());
            let mut count = 0;
            for row in rows.records() {
                let row = row.unwrap();
                assert_eq!(row.len(), columns.len());
                for cell in &row {
                    let begins = cell.split([';', ',', '"']).map(str::trim_start);
                    assert!(
                        !begins.into_iter().any(|c| c.starts_with(['=', '+', '-', '@'])),
                        "{table}: {cell}"
                    );
                    assert!(!cell.contains('\n'));
                }
                count += 1;
            }
            // Every row is one line.
            assert_eq!(text.lines().count(), count + 1, "{table}");
        }
    }
}

#[test]
fn in_folded_stacks() {
    for name in names() {
        let trace = trace(&name);
        let Outcome { feed, .. } = trace.feed(|_, _| {});
        let world = feed.world(&trace.context, &trace.definitions);
        let mut out = Vec::new();
        folded::write(&mut out, &folded::stacks(&world, &[Kind::Handle], folded::Value::Bytes)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.is_empty());
        assert!(!text.chars().any(|c| is_hostile(c) && c != '\n'));
        for line in text.lines() {
            let (stack, n) = line.rsplit_once(' ').unwrap();
            assert!(n.parse::<u64>().unwrap() > 0);
            // The process, the function and what is inlined there, in user space; the same of the kernel.
            assert!(stack.split(';').count() <= 5, "{line}");
        }
    }
}
