//! The flight recorder: its limit, and what comes out of it.

use std::io::Cursor;

use gemscope_common::{Phase, ProbeId, Process, Scope};

use super::*;
use crate::definition::{Stack, StackKind};
use crate::reader::{End, Reader};
use crate::sample::{Shape, Workload};

fn workload(seed: u64) -> Workload {
    Workload::new(Shape { seed, ..Shape::default() })
}

fn options(block_records: usize) -> Options {
    Options { block_records, ..Options::default() }
}

fn written(flight: &mut Flight, definitions: Vec<Definition>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let raw_addresses = flight.pseudonyms.is_none();
    let header = TraceHeader { raw_addresses, ..TraceHeader::default() };
    flight.flown().unwrap().write(&mut bytes, &header, definitions).unwrap();
    bytes
}

fn read(bytes: Vec<u8>) -> (Reader<Cursor<Vec<u8>>>, Vec<Record>) {
    let mut reader = Reader::new(Cursor::new(bytes), "memory").unwrap();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while let Some(told) = reader.next_batch(&mut batch).unwrap() {
        assert!(told.gap.is_none(), "{told:?}");
        all.append(&mut batch);
    }
    (reader, all)
}

#[test]
fn the_limit_holds_and_the_last_records_are_those_kept() {
    for (limit, block_records) in [(0, 10), (5_000, 64), (20_000, 100), (20_000, 1), (100_000, 1024)] {
        let mut flight = Flight::with_options(limit, true, options(block_records)).unwrap();
        let records: Vec<Record> = workload(3).take(20_000).collect();
        let mut largest = 0;
        for record in &records {
            let before = flight.written();
            flight.write(record).unwrap();
            largest = largest.max((flight.written() - before) as usize + 1024);
            assert!(flight.bytes() <= limit + largest, "{} of {limit}", flight.bytes());
        }
        let (reader, kept) = read(written(&mut flight, Vec::new()));
        assert_eq!(reader.header().records_before, (records.len() - kept.len()) as u64);
        assert!(flight.before() > 0 && !kept.is_empty());
        assert!(records.ends_with(&kept), "limit {limit}, blocks of {block_records}");
        assert_eq!(reader.len(), kept.len() as u64);
        assert_eq!(reader.end(), End::Complete);
    }
}

#[test]
fn what_fits_is_whole_and_can_be_written_again() {
    let mut flight = Flight::new(1 << 20, true).unwrap();
    assert_eq!(read(written(&mut flight, Vec::new())).1, []);
    let records: Vec<Record> = workload(5).take(3_000).collect();
    for part in records.chunks(1_000) {
        part.iter().for_each(|r| flight.write(r).unwrap());
        let (reader, kept) = read(written(&mut flight, Vec::new()));
        assert!(records.starts_with(&kept));
        assert_eq!(reader.header().records_before, 0);
    }
    assert_eq!(read(written(&mut flight, Vec::new())).1, records);
}

#[test]
fn definitions_have_the_stand_ins_of_the_records() {
    const ADDRESS: u64 = 0xffff_8880_1234_5000;
    let mut flight = Flight::with_options(2_000, false, options(16)).unwrap();
    for _ in 0..1_000 {
        let gem = gemscope_common::Gem { obj: ADDRESS, ..Default::default() };
        flight.write(&Record::new(ProbeId::ObjectInit, Phase::Entry, &gem)).unwrap();
    }
    let stack = Stack { id: 1, kind: StackKind::Kernel, tgid: 0, frames: vec![ADDRESS] };
    for _ in 0..2 {
        let (reader, kept) = read(written(&mut flight, vec![Definition::Stack(stack.clone())]));
        let shown = reader.definitions().stack(StackKind::Kernel, 1)[0];
        assert_ne!(shown, ADDRESS);
        assert!(kept.iter().all(|r| r.payload::<gemscope_common::Gem>().obj == shown));
    }
}

#[test]
fn a_scope_that_was_let_go_of_is_told_at_the_beginning() {
    let mut flight = Flight::with_options(4_000, true, options(32)).unwrap();
    let of = |tgid, mut record: Record| {
        (record.header.tid, record.header.tgid) = (tgid, tgid);
        record
    };
    let scope = Scope { root_tgid: 50, ..Scope::default() };
    flight.write(&of(1, Record::new(ProbeId::Scope, Phase::Point, &scope))).unwrap();
    let fork = Process { child_tgid: 51, ..Process::default() };
    flight.write(&of(50, Record::new(ProbeId::Fork, Phase::Point, &fork))).unwrap();
    workload(1).take(10_000).for_each(|r| flight.write(&r).unwrap());
    let (_, kept) = read(written(&mut flight, Vec::new()));
    let roots: Vec<u32> = kept.iter().take(2).map(|r| r.payload::<Scope>().root_tgid).collect();
    assert_eq!(roots, [51, 50]);
    assert!(kept[..2].iter().all(|r| r.probe() == Some(ProbeId::Scope)));
    assert_eq!(kept[0].header.ts_ns, kept[2].header.ts_ns);
}

#[test]
fn processes_of_what_was_let_go_of_are_forgotten() {
    let mut flight = Flight::with_options(3_000, true, options(8)).unwrap();
    for tgid in 1..=2_000 {
        let mut record = Record::new(ProbeId::Mark, Phase::Point, &gemscope_common::Mark::default());
        record.header.tgid = tgid;
        flight.write(&record).unwrap();
    }
    let kept = flight.tgids();
    assert!(kept.len() < 1_000 && kept.contains(&2_000) && !kept.contains(&1), "{kept:?}");
}
