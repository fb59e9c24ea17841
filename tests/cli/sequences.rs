//! What the kernels do, call by call: the recorded sequences of every line, in the words of kernel developers.
//!
//! One line of `fixtures/sequences.txt` is what one client's traced calls gave, and on which kernels. It is read, not just
//! compared: it is the ground that the rules stand on. Accept a change with `SNAPSHOTS=overwrite`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gemscope_common::*;
use gemscope_trace::Reader;
use snapbox::{Data, assert_data_eq};

use crate::tests;

/// The lines of kernels, oldest first, as the folders of traces are named.
const LINES: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "newest"];

/// Words for one record; nothing for what differs by kernel configuration or says no more than the others.
///
/// `>` begins a call and `<` is its return; `hc` is the handle count that the call found, `link` that it found the link set.
fn words(record: &Record) -> Option<String> {
    let (probe, phase) = (record.probe()?, record.phase()?);
    let mark = match phase {
        Phase::Entry => "> ",
        Phase::Return => "< ",
        Phase::Point => "",
    };
    let gem: &Gem = record.payload();
    let found = || {
        let link = if gem.dma_buf == 0 { "" } else { " link" };
        let import = if gem.import_attach == 0 { "" } else { " import" };
        format!("(hc {}{link}{import})", gem.handle_count)
    };
    let result = || format!("= {}", record.ret_i32());
    Some(match (probe, phase) {
        (ProbeId::HandleCreate | ProbeId::HandlePut, Phase::Entry) => {
            format!("{mark}{} {}", probe.name(), found())
        }
        (
            ProbeId::HandleCreate
            | ProbeId::HandleDelete
            | ProbeId::CacheAdd
            | ProbeId::Import
            | ProbeId::ChangeHandle
            | ProbeId::GemOpen
            | ProbeId::Flink,
            Phase::Return,
        ) => format!("{mark}{} {}", probe.name(), result()),
        (ProbeId::ObjectRelease, _) => {
            let worker = if record.header.flags & Flags::KTHREAD == 0 { "" } else { " by a worker" };
            let import = if gem.import_attach == 0 { "" } else { " import" };
            format!("{}{import}{worker}", probe.name())
        }
        (ProbeId::PrimeDestroy, _) => {
            let left = if record.payload::<DrmFile>().cache_root == 0 { "empty" } else { "NOT EMPTY" };
            format!("{} ({left})", probe.name())
        }
        (ProbeId::BufIoctl, Phase::Entry) => {
            format!("{mark}{} {:#x}", probe.name(), record.payload::<BufIoctl>().cmd)
        }
        (
            ProbeId::HandleRelease | ProbeId::CacheRemove | ProbeId::ImportDestroy | ProbeId::FileClose,
            Phase::Entry,
        )
        | (ProbeId::HandleDelete | ProbeId::CacheAdd | ProbeId::Import, Phase::Entry)
        | (ProbeId::BufExport, _)
        | (
            ProbeId::BufGet | ProbeId::Attach | ProbeId::CacheRemove | ProbeId::FbInit | ProbeId::FileClose,
            Phase::Return,
        )
        | (ProbeId::FbCleanup, Phase::Entry)
        | (
            ProbeId::ObjectInit
            | ProbeId::ObjectFree
            | ProbeId::BufPut
            | ProbeId::BufFdClose
            | ProbeId::BufFileRelease
            | ProbeId::BufRelease
            | ProbeId::BufGemRelease
            | ProbeId::Detach,
            _,
        ) => format!("{mark}{}", probe.name()),
        // The brackets of an export have other names before and after 6.8.
        (ProbeId::ExportIoctl | ProbeId::ExportToFd, Phase::Entry) => "> export".to_owned(),
        (ProbeId::ExportIoctl | ProbeId::ExportToFd, Phase::Return) => format!("< export {}", result()),
        _ => return None,
    })
}

/// The words of a trace, one call a line; nested export brackets are told once.
fn sequence(line: &str, name: &str) -> Option<String> {
    let path = tests().join(format!("fixtures/traces/{line}/{name}.gemtrace"));
    let mut reader = Reader::open(path.exists().then_some(path)?).unwrap();
    let (mut batch, mut out) = (Vec::new(), String::new());
    let mut last = String::new();
    while reader.next_batch(&mut batch).unwrap().is_some() {
        for words in batch.iter().filter_map(words) {
            if words.contains(" export") && words == last {
                continue;
            }
            let _ = writeln!(out, "    {words}");
            last = words;
        }
    }
    Some(out)
}

#[test]
fn every_kernel_does_what_is_written_down() {
    let mut names: Vec<String> = std::fs::read_dir(tests().join("fixtures/traces/6.12"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    // What many threads do at once has no one sequence.
    names.retain(|name| !name.starts_with("storm"));
    names.sort_by_key(|name| (name.trim_start_matches('s').parse::<u32>().unwrap_or(u32::MAX), name.clone()));
    let mut text = String::new();
    for name in names {
        let mut by_sequence: BTreeMap<usize, (String, Vec<&str>)> = BTreeMap::new();
        for (ix, line) in LINES.iter().enumerate() {
            let Some(sequence) = sequence(line, &name) else { continue };
            match by_sequence.values_mut().find(|(same, _)| *same == sequence) {
                Some((_, lines)) => lines.push(line),
                None => drop(by_sequence.insert(ix, (sequence, vec![line]))),
            }
        }
        for (sequence, lines) in by_sequence.values() {
            let _ = writeln!(text, "{name} on {}\n{sequence}", lines.join(", "));
        }
    }
    let kept = Data::read_from(&tests().join("fixtures/sequences.txt"), None);
    assert_data_eq!(Data::text(text), kept.raw());
}
