//! Whole trace files: what is written comes back, and what was allowed to happen to a file in between.

use std::fs;
use std::io::{self, Cursor, Write};
use std::os::unix::fs::{PermissionsExt, symlink};

use gemscope_common::{Gem, Mark, Phase, ProbeId, Record};
use gemscope_trace::sample::Workload;
use gemscope_trace::{
    Batch, Damage, Definition, End, Options, PrefetchReader, Process, Reader, Stack, StackKind, Symbol,
    TestCase, TraceError, TraceHeader, Writer, is_trace, pointer_words,
};
use zerocopy::IntoBytes;

fn raw_header() -> TraceHeader {
    TraceHeader { raw_addresses: true, kernel_release: "6.12.1".into(), ..TraceHeader::default() }
}

fn definitions() -> Vec<Definition> {
    vec![
        Definition::Process(Process {
            tgid: 4100,
            parent: 1,
            comm: b"a\xff\x1b[2J".as_slice().into(),
            exe: "/bin/a".into(),
            cmdline: vec!["a".into(), "".into()],
            born_ns: 77,
        }),
        Definition::Stack(Stack {
            id: 77,
            kind: StackKind::Kernel,
            tgid: 0,
            frames: vec![0xffff_ffff_8100_0010, 0xffff_ffff_c000_0020],
        }),
        Definition::Symbol(Symbol {
            addr: 0xffff_ffff_c000_0020,
            name: "drm_ioctl".into(),
            offset: 0x20,
            module: "drm".into(),
            line: 3,
            ..Symbol::default()
        }),
        Definition::Text("2 probes were slow".into()),
        Definition::TestCase(TestCase {
            runner: 4100,
            runner_born_ns: 77,
            suite: "gpu".into(),
            name: b"na\xffme".as_slice().into(),
            command: vec!["/build/a".into(), "".into()],
        }),
    ]
}

/// A trace of blocks of 40 records with definitions in the middle.
fn small(records: &[Record], header: &TraceHeader, finish: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = Options { block_records: 40, ..Options::default() };
    let mut writer = Writer::with_options(&mut bytes, header, options).unwrap();
    for (i, record) in records.iter().enumerate() {
        if i == records.len() / 2 {
            definitions().iter().for_each(|d| writer.define(d).unwrap());
        }
        writer.write(record).unwrap();
    }
    if finish {
        writer.finish().unwrap();
    } else {
        writer.flush_block().unwrap();
    }
    bytes
}

fn sample(n: usize) -> Vec<Record> {
    Workload::default().take(n).collect()
}

struct Seen {
    records: Vec<(u64, Record)>,
    gaps: Vec<Batch>,
    end: End,
}

fn read(bytes: &[u8]) -> Result<Seen, TraceError> {
    let mut reader = Reader::new(Cursor::new(bytes), "memory")?;
    let mut seen = Seen { records: Vec::new(), gaps: Vec::new(), end: reader.end() };
    let mut out = Vec::new();
    while let Some(batch) = reader.next_batch(&mut out)? {
        seen.records.extend(out.iter().enumerate().map(|(i, r)| (batch.first_seq + i as u64, *r)));
        if batch.gap.is_some() {
            seen.gaps.push(batch);
        }
    }
    Ok(seen)
}

/// Whatever was done to the bytes: no record is wrong, and none is missing without a word.
#[track_caller]
fn check_honest(records: &[Record], bytes: &[u8]) {
    let Ok(seen) = read(bytes) else { return };
    for (seq, record) in &seen.records {
        assert!(records.get(*seq as usize) == Some(record), "record {seq} is wrong");
    }
    assert!(seen.records.is_sorted_by_key(|(seq, _)| *seq));
    let told = !seen.gaps.is_empty() || seen.end != End::Complete;
    assert!(seen.records.len() == records.len() || told, "records are missing in silence");
}

#[test]
fn all_comes_back() {
    let records = sample(207);
    for finish in [true, false] {
        let bytes = small(&records, &raw_header(), finish);
        assert!(is_trace(&bytes));
        let mut reader = Reader::new(Cursor::new(&bytes), "memory").unwrap();
        assert_eq!(reader.len(), 207);
        assert_eq!(reader.end(), if finish { End::Complete } else { End::Unfinished });
        assert_eq!(reader.header().kernel_release, "6.12.1");
        assert_eq!(reader.header().layouts.len(), ProbeId::ALL.len());
        // the definitions were written after half of the records, and are there before the first
        let defs = reader.definitions();
        assert_eq!(defs.to_definitions().collect::<Vec<_>>(), definitions());
        let names: Vec<_> =
            defs.frames(StackKind::Kernel, 77, 0).map(|f| f.symbol.map(ToString::to_string)).collect();
        assert_eq!(names, [None, Some("drm_ioctl+0x20 [drm]".to_owned())]);
        let mut out = Vec::new();
        let first = reader.next_batch(&mut out).unwrap().unwrap();
        assert_eq!((first, out.len()), (Batch { first_seq: 0, gap: None, unknown: 0 }, 40));
        let seen = read(&bytes).unwrap();
        assert!(seen.records.iter().map(|(_, r)| r).eq(&records));
        assert!(seen.gaps.is_empty());
    }
}

#[test]
fn seeking_begins_exactly_there() {
    let records = sample(207);
    let bytes = small(&records, &raw_header(), true);
    let mut reader = Reader::new(Cursor::new(&bytes), "memory").unwrap();
    let mut out = Vec::new();
    for seq in [206, 0, 39, 40, 41, 120, 199] {
        reader.seek(seq);
        let batch = reader.next_batch(&mut out).unwrap().unwrap();
        assert_eq!((batch.first_seq, batch.gap), (seq, None));
        assert!(out.first() == records.get(seq as usize));
    }
    reader.seek(207);
    assert_eq!(reader.next_batch(&mut out).unwrap(), None);
    assert_eq!(reader.seq_before(0), 0);
    assert_eq!(reader.seq_before(records[85].header.ts_ns), 80);
}

#[test]
fn reading_ahead_gives_the_same() {
    let records = sample(2000);
    let bytes = small(&records, &raw_header(), true);
    let mut reader = PrefetchReader::new(Reader::new(Cursor::new(bytes), "memory").unwrap()).unwrap();
    assert_eq!((reader.len(), reader.definitions().len()), (2000, 5));
    let (mut all, mut out) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut out).unwrap().is_some() {
        all.extend_from_slice(&out);
    }
    assert!(all == records);
    assert_eq!(reader.next_batch(&mut out).unwrap(), None);
    let bytes = small(&records, &raw_header(), true);
    let mut dropped = PrefetchReader::new(Reader::new(Cursor::new(bytes), "memory").unwrap()).unwrap();
    dropped.next_batch(&mut out).unwrap();
}

#[test]
fn a_cut_anywhere_leaves_whole_blocks() {
    let records = sample(207);
    let bytes = small(&records, &raw_header(), true);
    let mut lengths = Vec::new();
    for cut in 0..bytes.len() {
        let bytes = &bytes[..cut];
        check_honest(&records, bytes);
        match read(bytes) {
            Ok(seen) => {
                if let End::Cut { at } = seen.end {
                    assert_eq!(at, cut as u64);
                    let gap = seen.gaps.last().and_then(|b| b.gap.as_ref()).unwrap();
                    let intact = seen.records.len() as u64;
                    assert_eq!(gap.why, Damage::Cut { at, records: intact });
                }
                lengths.push(seen.records.len());
            }
            Err(TraceError::Empty { .. } | TraceError::CutHeader { .. }) => assert!(lengths.is_empty()),
            Err(other) => panic!("{other}"),
        }
    }
    lengths.dedup();
    assert_eq!(lengths, [0, 40, 80, 120, 160, 200, 207]);
}

#[test]
fn a_flipped_bit_anywhere_gives_no_wrong_record() {
    let records = sample(125);
    let mut bytes = small(&records, &raw_header(), true);
    for byte in 0..bytes.len() {
        let bit = 1 << (byte * 5 % 8);
        bytes[byte] ^= bit;
        check_honest(&records, &bytes);
        bytes[byte] ^= bit;
    }
}

#[test]
fn a_damaged_block_is_a_gap_and_the_rest_is_read() {
    let records = sample(207);
    for finish in [true, false] {
        let bytes = small(&records, &raw_header(), finish);
        let blocks: Vec<usize> =
            bytes.windows(5).enumerate().filter(|(_, w)| w == b"gBk\xd7\x02").map(|(i, _)| i).collect();
        assert_eq!(blocks.len(), 6);
        // in the contents, then in the head: both lose the one block and nothing else
        for at in [60, 20] {
            let mut bytes = bytes.clone();
            bytes[blocks[2] + at] ^= 0x10;
            let seen = read(&bytes).unwrap();
            assert_eq!(seen.records.len(), 167);
            let [Batch { first_seq: 120, gap: Some(gap), .. }] = &seen.gaps[..] else {
                panic!("{:?}", seen.gaps)
            };
            assert_eq!((gap.offset, gap.records), (blocks[2] as u64, Some(40)));
            check_honest(&records, &bytes);
        }
        // a block that was taken out
        let mut bytes = bytes;
        bytes.drain(blocks[2]..blocks[3]);
        let seen = read(&bytes).unwrap();
        let [Batch { first_seq: 120, gap: Some(gap), .. }] = &seen.gaps[..] else {
            panic!("{:?}", seen.gaps)
        };
        assert_eq!(gap.why, Damage::Missing { from: 80, to: 120 });
    }
}

#[test]
fn foreign_files_are_named() {
    let error = |bytes: &[u8]| read(bytes).err().map(|e| e.to_string()).unwrap_or_default();
    assert_eq!(
        error(b"\x7fELF and then some more"),
        "not a gemscope trace: `memory` begins with `\\x7fELF and then so`; traces are written by `gemscope record -o FILE`"
    );
    assert!(error(b"PK").starts_with("not a gemscope trace: `memory` begins with `PK`"));
    assert!(error(b"").starts_with("`memory` is empty"));
    assert!(error(b"\x89GEM").starts_with("the trace `memory` is cut at byte `4`, inside its header"));
    let mut newer = small(&[], &raw_header(), true);
    newer[8] = 2;
    assert!(error(&newer).starts_with("the header of the trace `memory` is damaged"));
    let crc = crc32fast::hash(&newer[..12]).to_le_bytes();
    newer[12..16].copy_from_slice(&crc);
    assert_eq!(
        error(&newer),
        "`memory` has format version `2` and this gemscope knows versions up to `1`; read it with a newer gemscope"
    );
    let missing = Reader::open("/no/such/file").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(missing.starts_with("cannot open `/no/such/file`: "), "{missing}");
    assert!(Reader::open("/").is_err());
}

/// A trace whose header block says `layouts`, made by the description of the format alone.
fn with_layouts(bytes: &[u8], layouts: &str) -> Vec<u8> {
    let stored = u32::from_le_bytes(bytes[28..32].try_into().unwrap()) as usize;
    let packed =
        zstd::bulk::compress(format!("{{\"raw_addresses\":true,\"layouts\":{layouts}}}").as_bytes(), 3);
    let (packed, json_len) = (packed.unwrap(), 33 + layouts.len());
    let mut head = [0u8; 48];
    head[..5].copy_from_slice(b"gBk\xd7\x01");
    head[8] = 1;
    head[12..16].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    head[16..20].copy_from_slice(&(json_len as u32).to_le_bytes());
    head[20..24].copy_from_slice(&crc32fast::hash(&packed).to_le_bytes());
    let crc = crc32fast::hash(&head[..44]);
    head[44..].copy_from_slice(&crc.to_le_bytes());
    [&bytes[..16], &head[..], &packed[..], &bytes[64 + stored..]].concat()
}

#[test]
fn payloads_of_other_versions() {
    let gem = Gem { file: 1, obj: 2, refcount: 9, ..Gem::default() };
    let known = Record::new(ProbeId::ObjectInit, Phase::Point, &gem);
    let mut grown = known;
    grown.words_mut()[8] = 99;
    let mut unknown = known;
    unknown.header.probe = 9999;
    let mut odd_phase = known;
    odd_phase.header.phase = 77;
    let renamed = Record::new(ProbeId::Mark, Phase::Point, &Mark::default());
    let records = [known, unknown, grown, renamed, odd_phase, known];
    let bytes = small(&records, &raw_header(), true);
    let layouts =
        r#"[{"number":1,"name":"object-init","words":9},{"number":260,"name":"telepathy","words":4}]"#;
    let bytes = with_layouts(&bytes, layouts);
    let mut reader = Reader::new(Cursor::new(&bytes), "memory").unwrap();
    let mut out = Vec::new();
    let batch = reader.next_batch(&mut out).unwrap().unwrap();
    assert_eq!((batch, reader.unknown()), (Batch { first_seq: 0, gap: None, unknown: 3 }, 3));
    assert!(out == [known, known, known], "words that only the newer version knows are cleared");
}

#[test]
fn kernel_addresses_do_not_leave() {
    let records = sample(500);
    let bytes = small(&records, &TraceHeader::default(), true);
    let seen = read(&bytes).unwrap();
    assert_eq!(seen.records.len(), 500);
    let is_address = |word: u64| word >> 44 == 0xffff8;
    assert!(records.iter().flat_map(|r| r.words()).any(|&w| is_address(w)));
    let mut names = std::collections::HashMap::new();
    for ((_, hidden), record) in seen.records.iter().zip(&records) {
        let pointers = pointer_words(record.probe().unwrap().layout());
        for (i, (&hidden, &word)) in hidden.words().iter().zip(record.words()).enumerate() {
            if pointers.contains(&i) && word != 0 {
                assert_ne!(hidden, word);
                assert_eq!(*names.entry(word).or_insert(hidden), hidden, "one pointer has two pseudonyms");
            } else {
                assert_eq!(hidden, word);
                assert!(!is_address(word), "an address that no table names");
            }
        }
        if record.header.ret < 0 {
            assert_ne!(hidden.header.ret, record.header.ret);
        }
    }
    let reader = Reader::new(Cursor::new(&bytes), "memory").unwrap();
    let defs = reader.definitions();
    assert!(defs.stack(StackKind::Kernel, 77).iter().all(|&frame| frame >> 63 == 1));
    assert_ne!(defs.stack(StackKind::Kernel, 77)[1], 0xffff_ffff_c000_0020);
    let named = defs.frames(StackKind::Kernel, 77, 5).filter_map(|f| f.symbol).count();
    assert_eq!(named, 1, "symbols follow the pseudonyms of their frames");
    let other = small(&records, &TraceHeader::default(), true);
    assert!(bytes != other, "each trace has its own pseudonyms");
}

#[test]
fn files_are_private_and_links_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.trace");
    fs::write(&path, "an older file, readable by all").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut writer = Writer::create(&path, &raw_header()).unwrap();
    sample(50).iter().for_each(|r| writer.write(r).unwrap());
    assert_eq!(writer.pending(), 50);
    let summary = writer.finish().unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!((summary.records, summary.bytes), (50, metadata.len()));
    assert_eq!(Reader::open(&path).unwrap().len(), 50);

    let refused =
        |path: &std::path::Path| Writer::create(path, &raw_header()).err().map(|e| e.to_string()).unwrap();
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(refused(&link).contains("it is a symbolic link; choose another place"));
    let hard = dir.path().join("hard");
    fs::hard_link(&path, &hard).unwrap();
    assert!(refused(&hard).contains("other names"));
    assert!(refused("/dev/null".as_ref()).contains("not a regular file"));
    let fifo = dir.path().join("fifo");
    let made = rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0);
    made.unwrap();
    assert!(refused(&fifo).contains("not a regular file"));
    assert!(refused(dir.path()).starts_with("cannot create the trace"));
    assert_eq!(Reader::open(&path).unwrap().len(), 50, "refusals left the trace alone");
}

/// A disk that is full after `room` bytes.
struct Full {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for &mut Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.room - self.bytes.len());
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_once_and_keeps_whole_blocks() {
    let records = sample(1000);
    let options = || Options { block_records: 40, ..Options::default() };
    let mut whole = Vec::new();
    let mut writer = Writer::with_options(&mut whole, &raw_header(), options()).unwrap();
    records.iter().for_each(|r| writer.write(r).unwrap());
    writer.finish().unwrap();
    let whole = whole.len();
    for room in [10, whole / 3, whole / 2, whole - 10] {
        let mut disk = Full { bytes: Vec::new(), room };
        let mut errors = Vec::new();
        let mut dropped = 0;
        match Writer::with_options(&mut disk, &raw_header(), options()) {
            Ok(mut writer) => {
                errors.extend(records.iter().filter_map(|r| writer.write(r).err()));
                match writer.finish() {
                    Ok(summary) => dropped = summary.dropped,
                    Err(error) => errors.push(error),
                }
            }
            Err(error) => errors.push(error),
        }
        let [TraceError::Write { records: safe, bytes, source }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(*bytes <= room as u64);
        if *bytes > 0 {
            let seen = read(&disk.bytes).unwrap();
            assert_eq!(seen.records.len() as u64, *safe);
            check_honest(&records, &disk.bytes);
            assert!(dropped == 0 || dropped + safe == 1000, "{dropped} {safe}");
        }
    }
}

#[test]
fn flushing_bounds_what_a_kill_loses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.trace");
    let mut writer = Writer::create(&path, &raw_header()).unwrap();
    for (i, record) in sample(100).iter().enumerate() {
        writer.write(record).unwrap();
        if i == 69 {
            writer.flush_block().unwrap();
            writer.flush_block().unwrap();
        }
    }
    assert_eq!((writer.written().records, writer.pending()), (70, 30));
    // the file as a killed recorder leaves it
    let reader = Reader::open(&path).unwrap();
    assert_eq!((reader.len(), reader.end()), (70, End::Unfinished));
}

/// A file of format version 1, written once and never again: it must stay readable.
#[test]
fn the_first_version_stays_readable() {
    const RECORDS: usize = 700;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/v1.trace");
    if std::env::var_os("GEMSCOPE_WRITE_TRACE_FIXTURE").is_some() {
        fs::write(path, small(&sample(RECORDS), &raw_header(), true)).unwrap();
    }
    let seen = read(&fs::read(path).unwrap()).unwrap();
    assert_eq!((seen.records.len(), seen.end, seen.gaps.len()), (RECORDS, End::Complete, 0));
    let all: Vec<Record> = seen.records.iter().map(|(_, r)| *r).collect();
    assert_eq!(crc32fast::hash(all.as_bytes()), 735_641_272);
    let reader = Reader::open(path).unwrap();
    let mut then = definitions();
    then.retain_mut(|definition| match definition {
        Definition::Process(process) => {
            process.born_ns = 0;
            true
        }
        Definition::TestCase(_) => false,
        _ => true,
    });
    assert_eq!(reader.definitions().to_definitions().collect::<Vec<_>>(), then);
}

mod property {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::Index;

    proptest! {
        #[test]
        fn random_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..400), begin in 0usize..120) {
            // with as much of a real beginning as the case wants
            let real = small(&sample(10), &raw_header(), true);
            let begin = begin.min(bytes.len());
            bytes[..begin].copy_from_slice(&real[..begin]);
            check_honest(&sample(10), &bytes);
        }

        #[test]
        fn any_damage_is_survived(
            n in 0usize..300,
            finish in any::<bool>(),
            hits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..8),
            moved in prop::option::of((any::<Index>(), any::<Index>(), any::<Index>())),
        ) {
            let records = sample(n);
            let mut bytes = small(&records, &raw_header(), finish);
            for (at, value) in hits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Some((from, to, into)) = moved {
                let (a, b) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[a.min(b)..a.max(b)].to_vec();
                let at = into.index(bytes.len());
                bytes.splice(at..at, part);
            }
            check_honest(&records, &bytes);
        }

        #[test]
        fn any_words_come_back(
            words in prop::collection::vec(prop::array::uniform16(any::<u64>()), 1..200),
            block in 1usize..50,
        ) {
            let probes = ProbeId::ALL;
            let records: Vec<Record> = words.iter().map(|words| {
                let mut record = Record::new(ProbeId::Mark, Phase::Point, &Mark::default());
                let header = &mut record.header;
                (header.ts_ns, header.drops, header.ret) = (words[0], words[1], words[2] as i64);
                (header.tid, header.tgid) = (words[3] as u32, (words[3] >> 32) as u32);
                (header.kstack, header.ustack) = (words[4] as i32, (words[4] >> 32) as i32);
                header.probe = probes[words[5] as usize % probes.len()] as u16;
                header.phase = (words[5] >> 16) as u8 % 3;
                (header.flags, header.cpu) = ((words[5] >> 24) as u8, (words[5] >> 32) as u32);
                record.words_mut().copy_from_slice(&words[6..]);
                record
            }).collect();
            let mut bytes = Vec::new();
            let options = Options { block_records: block, ..Options::default() };
            let mut writer = Writer::with_options(&mut bytes, &raw_header(), options).unwrap();
            records.iter().for_each(|r| writer.write(r).unwrap());
            writer.finish().unwrap();
            let seen = read(&bytes).unwrap();
            prop_assert!(seen.records.iter().map(|(_, r)| r).eq(&records));
            prop_assert!(seen.gaps.is_empty() && seen.end == End::Complete);
        }
    }
}
