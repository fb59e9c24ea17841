//! Reading a trace: header and definitions at once, then records block by block, with every gap told.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use gemscope_common::{Phase, ProbeId, Record};
use rustc_hash::FxHashMap;

use crate::bytes::Cursor;
use crate::codec::Decoder;
use crate::definition::Definition;
use crate::definitions::Definitions;
use crate::error::{Damage, TraceError};
use crate::header::TraceHeader;
use crate::index::Entry;
use crate::scan::{Layout, lay_out};
use crate::wire::{FORMAT_VERSION, HEAD_LEN, Head, Kind, PREAMBLE_LEN, Preamble, parse_preamble};

/// Most bytes of definitions that are kept in memory; more are left out and counted as lost.
const MAX_DEFINITION_BYTES: u64 = 512 << 20;

/// Records that could not be read, between those before and those after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// file offset of the damage, bytes
    pub offset: u64,
    /// how many records are missing, where that is known
    pub records: Option<u64>,
    /// what is wrong
    pub why: Damage,
}

/// What came with some records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// number of the first record (from 0 at the start of the trace)
    pub first_seq: u64,
    /// something is missing right before these records; with no records, at the end of the trace
    pub gap: Option<Gap>,
    /// records among these that were left out because this gemscope does not know their probe or phase
    pub unknown: u64,
}

/// How the trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an index: the recording was finished.
    Complete,
    /// Between two blocks, without an index: the recorder was killed, or still records.
    Unfinished,
    /// Inside a block, at this byte: the recorder was killed, or the disk was full, or the copy is not whole.
    Cut {
        /// length of the file in bytes
        at: u64,
    },
}

/// Reads a trace.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    header: TraceHeader,
    definitions: Definitions,
    definitions_lost: u64,
    layout: Layout,
    decoder: DecoderBox,
    /// payload words to keep per probe number of this trace; absent: not known here
    words: FxHashMap<u16, usize>,
    /// next step of the layout
    next: usize,
    /// next record number
    seq: u64,
    /// records of the next block to leave out, after a seek into it
    skip: u64,
    /// gap seen and not yet given
    gap: Option<Gap>,
    unknown: u64,
    /// records known to be missing so far
    lost: u64,
    stored: Vec<u8>,
}

/// Keeps `Debug` derivable above.
struct DecoderBox(Decoder);

impl std::fmt::Debug for DecoderBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder { .. }")
    }
}

/// A file with its name, for errors.
#[derive(Debug)]
pub(crate) struct Source<R> {
    inner: R,
    pub(crate) name: String,
    pub(crate) len: u64,
    at: u64,
}

impl<R: Read + Seek> Source<R> {
    fn new(mut inner: R, name: String) -> Result<Self, TraceError> {
        match inner.seek(SeekFrom::End(0)).and_then(|len| inner.seek(SeekFrom::Start(0)).map(|_| len)) {
            Ok(len) => Ok(Self { inner, name, len, at: 0 }),
            Err(source) => Err(TraceError::Read { name, offset: 0, source }),
        }
    }

    /// Fills `buffer` from byte `offset`; `false` when the file ends before.
    pub(crate) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<bool, TraceError> {
        let done = (|| {
            if self.at != offset {
                self.at = u64::MAX; // not known until the seek has succeeded
                self.inner.seek(SeekFrom::Start(offset))?;
                self.at = offset;
            }
            self.inner.read_exact(buffer)?;
            self.at += buffer.len() as u64;
            Ok(())
        })();
        match done {
            Ok(()) => Ok(true),
            Err(error) => {
                self.at = u64::MAX;
                let error: io::Error = error;
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    return Ok(false);
                }
                Err(TraceError::Read { name: self.name.clone(), offset, source: error })
            }
        }
    }

    /// The block head at `offset`, if one is there and its payload ends within the file.
    pub(crate) fn head(&mut self, offset: u64) -> Result<Option<Head>, TraceError> {
        let mut bytes = [0; HEAD_LEN];
        if !self.read_at(offset, &mut bytes)? {
            return Ok(None);
        }
        Ok(Head::parse(&bytes))
    }

    /// The stored payload of a block, into `out`; `false` when the file ends before or the checksum differs.
    pub(crate) fn payload(
        &mut self,
        offset: u64,
        head: &Head,
        out: &mut Vec<u8>,
    ) -> Result<bool, TraceError> {
        let start = offset + HEAD_LEN as u64;
        // Sizes are from outside: the file must really have so much before memory is taken.
        if start.saturating_add(u64::from(head.stored)) > self.len {
            return Ok(false);
        }
        out.clear();
        out.resize(head.stored as usize, 0);
        Ok(self.read_at(start, out)? && crc32fast::hash(out) == head.crc)
    }
}

/// The payload of a block that is one zstd frame.
pub(crate) fn unpack(stored: &[u8], head: &Head) -> Option<Vec<u8>> {
    let raw = zstd::bulk::decompress(stored, head.raw as usize).ok()?;
    (raw.len() == head.raw as usize).then_some(raw)
}

impl Reader<File> {
    /// Opens a trace file.
    ///
    /// # Errors
    /// Every reading variant of [`TraceError`]: not a trace, a newer one, cut or damaged in its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceError> {
        let name = path.as_ref().display().to_string();
        match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|m| m.is_dir()) => {
                Err(TraceError::Open { name, source: io::ErrorKind::IsADirectory.into() })
            }
            Ok(file) => Self::new(file, name),
            Err(source) => Err(TraceError::Open { name, source }),
        }
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads a trace from `source`; `name` stands for it in errors. `source` needs no buffering.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(source: R, name: impl Into<String>) -> Result<Self, TraceError> {
        let mut source = Source::new(source, name.into())?;
        check_preamble(&mut source)?;
        let (header, blocks_start) = read_header(&mut source)?;
        let layout = lay_out(&mut source, blocks_start)?;
        let decoder = Decoder::new().map_err(|e| TraceError::Thread(e.to_string()))?;
        let mut reader = Self {
            words: known_words(&header),
            source,
            header,
            definitions: Definitions::new(),
            definitions_lost: 0,
            layout,
            decoder: DecoderBox(decoder),
            next: 0,
            seq: 0,
            skip: 0,
            gap: None,
            unknown: 0,
            lost: 0,
            stored: Vec::new(),
        };
        reader.read_definitions()?;
        Ok(reader)
    }

    /// What the trace says about itself.
    #[must_use]
    pub const fn header(&self) -> &TraceHeader {
        &self.header
    }

    /// Every readable definition of the whole trace, also those written after the records that use them.
    #[must_use]
    pub const fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Definition blocks that could not be read: some stacks or names may be missing. No record is lost by that.
    #[must_use]
    pub const fn definitions_lost(&self) -> u64 {
        self.definitions_lost
    }

    /// How the trace ends.
    #[must_use]
    pub const fn end(&self) -> End {
        self.layout.end
    }

    /// Number after the last record, counting those that are damaged.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.layout.steps.iter().rev().find_map(|step| step.entry().map(Entry::end_seq)).unwrap_or(0)
    }

    /// Has the trace no record?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records left out so far because this gemscope does not know their probe or phase.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// The next block's records replace what is in `out`. `None` is the end of the trace.
    ///
    /// A batch may be empty: when it only tells a gap at the end, or when all its records are unknown.
    ///
    /// # Errors
    /// [`TraceError::Read`] when the system cannot read. Damage is no error: it comes as [`Batch::gap`].
    pub fn next_batch(&mut self, out: &mut Vec<Record>) -> Result<Option<Batch>, TraceError> {
        loop {
            let Some(step) = self.layout.steps.get(self.next).copied() else {
                out.clear();
                let gap = self.gap.take();
                return Ok(gap.map(|gap| Batch { first_seq: self.seq, gap: Some(gap), unknown: 0 }));
            };
            self.next += 1;
            match step {
                crate::scan::Step::Hole { offset, to } => {
                    self.note(offset, None, Damage::Hole { offset, to });
                }
                crate::scan::Step::Cut { at, offset } => {
                    let why = Damage::Cut { at, records: self.seq.saturating_sub(self.lost) };
                    self.note(offset, None, why);
                }
                crate::scan::Step::Records(entry) => match self.read_block(&entry, out)? {
                    Ok(()) => return Ok(Some(self.deliver(&entry, out))),
                    Err(why) => {
                        self.note(entry.offset, Some(u64::from(entry.count)), why);
                        self.seq = entry.end_seq();
                        self.skip = 0;
                    }
                },
            }
        }
    }

    /// Makes the next batch begin with record `seq`, or ends the trace when it has fewer. Gaps before it are not told.
    pub fn seek(&mut self, seq: u64) {
        let steps = &self.layout.steps;
        let found =
            steps.iter().position(|step| step.entry().is_some_and(|e| e.count > 0 && e.end_seq() > seq));
        self.next = found.unwrap_or(steps.len());
        self.gap = None;
        match found.and_then(|i| steps.get(i)).and_then(crate::scan::Step::entry) {
            Some(entry) => {
                self.seq = entry.first_seq;
                self.skip = seq.saturating_sub(entry.first_seq);
            }
            None => {
                self.seq = self.len();
                self.skip = 0;
            }
        }
    }

    /// Number of the first record of the last block that begins at or before `ts_ns`: where to seek for a time.
    #[must_use]
    pub fn seq_before(&self, ts_ns: u64) -> u64 {
        let entries = self.layout.steps.iter().filter_map(crate::scan::Step::entry);
        entries.take_while(|entry| entry.first_ts <= ts_ns).last().map_or(0, |entry| entry.first_seq)
    }

    /// Remembers a gap for the next batch; two in a row become one.
    fn note(&mut self, offset: u64, records: Option<u64>, why: Damage) {
        self.lost = self.lost.saturating_add(records.unwrap_or(0));
        self.gap = Some(match self.gap.take() {
            None => Gap { offset, records, why },
            Some(before) => {
                Gap { records: before.records.zip(records).and_then(|(a, b)| a.checked_add(b)), ..before }
            }
        });
    }

    /// Reads and decodes one block; the inner error is damage.
    fn read_block(&mut self, entry: &Entry, out: &mut Vec<Record>) -> Result<Result<(), Damage>, TraceError> {
        let offset = entry.offset;
        let Some(head) = self.source.head(offset)? else {
            return Ok(Err(Damage::Checksum { offset }));
        };
        if Entry::new(offset, &head) != *entry {
            return Ok(Err(Damage::Contents { offset, why: "its head and the index differ" }));
        }
        if !self.source.payload(offset, &head, &mut self.stored)? {
            return Ok(Err(Damage::Checksum { offset }));
        }
        let decoded = self.decoder.0.decode(&self.stored, head.count as usize, head.raw as usize, out);
        Ok(decoded.map_err(|why| Damage::Contents { offset, why }))
    }

    /// Makes a batch of the block in `out`: gaps told, seek honoured, unknown records left out.
    fn deliver(&mut self, entry: &Entry, out: &mut Vec<Record>) -> Batch {
        if entry.first_seq != self.seq && self.gap.is_none() {
            let (from, to) = (self.seq, entry.first_seq);
            self.note(entry.offset, to.checked_sub(from), Damage::Missing { from, to });
        }
        if let Some(gap) = &mut self.gap
            && gap.records.is_none()
        {
            gap.records = entry.first_seq.checked_sub(self.seq);
            self.lost = self.lost.saturating_add(gap.records.unwrap_or(0));
        }
        let skip = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(usize::MAX).min(out.len());
        if skip > 0 {
            drop(out.drain(..skip));
        }
        let mut unknown = 0;
        let fits = |shape: u32| {
            let probe = shape as u16;
            Phase::from_wire((shape >> 16) as u8).is_some() && self.words.contains_key(&probe)
        };
        if !self.decoder.0.shapes().all(fits) {
            let before = out.len();
            out.retain(|r| r.phase().is_some() && self.words.contains_key(&r.header.probe));
            unknown = (before - out.len()) as u64;
        }
        self.trim_grown(out);
        self.unknown += unknown;
        self.seq = entry.end_seq();
        Batch { first_seq: entry.first_seq + skip as u64, gap: self.gap.take(), unknown }
    }

    /// Clears words that only a newer gemscope has a meaning for.
    fn trim_grown(&self, out: &mut [Record]) {
        let grown = |shape: u32| self.words.get(&(shape as u16)).is_some_and(|&words| words < usize::MAX);
        if !self.decoder.0.shapes().any(grown) {
            return;
        }
        for record in out {
            let keep = self.words.get(&record.header.probe).copied().unwrap_or(0);
            if let Some(beyond) = record.words_mut().get_mut(keep..) {
                beyond.fill(0);
            }
        }
    }

    fn read_definitions(&mut self) -> Result<(), TraceError> {
        let mut total = 0u64;
        for entry in std::mem::take(&mut self.layout.definitions) {
            let definitions = match self.source.head(entry.offset)? {
                Some(head) if head.kind == Kind::Definitions => {
                    total = total.saturating_add(u64::from(head.raw));
                    let whole = total <= MAX_DEFINITION_BYTES
                        && self.source.payload(entry.offset, &head, &mut self.stored)?;
                    if whole { unpack(&self.stored, &head) } else { None }
                }
                Some(_) | None => None,
            };
            let mut cursor = Cursor::new(definitions.as_deref().unwrap_or(&[]));
            let mut broken = definitions.is_none();
            while !cursor.is_empty() && !broken {
                match Definition::decode(&mut cursor) {
                    Ok(Some(definition)) => self.definitions.add(definition),
                    Ok(None) => {}
                    Err(_) => broken = true,
                }
            }
            self.definitions_lost += u64::from(broken);
        }
        Ok(())
    }
}

/// Which probes of the trace are known here, and how many payload words to keep: all, or as many as this gemscope knows
/// when the trace's payload is longer.
fn known_words(header: &TraceHeader) -> FxHashMap<u16, usize> {
    let mut known = FxHashMap::default();
    for &probe in ProbeId::ALL {
        let here = probe.layout().size() / 8;
        let words = match header.layouts.iter().find(|layout| layout.number == probe as u16) {
            Some(layout) if layout.name != probe.name() => continue,
            Some(layout) if usize::from(layout.words) > here => here,
            Some(_) | None => usize::MAX,
        };
        known.insert(probe as u16, words);
    }
    known
}

fn check_preamble<R: Read + Seek>(source: &mut Source<R>) -> Result<(), TraceError> {
    let name = || source.name.clone();
    if source.len == 0 {
        return Err(TraceError::Empty { name: name() });
    }
    let mut bytes = [0; PREAMBLE_LEN];
    let have = usize::try_from(source.len).unwrap_or(usize::MAX).min(PREAMBLE_LEN);
    let (start, _) = bytes.split_at_mut(have);
    source.read_at(0, start)?;
    let name = || source.name.clone();
    if have < PREAMBLE_LEN {
        let magic = crate::wire::MAGIC;
        let begun = start.iter().zip(magic).all(|(&a, b)| a == b);
        return Err(if begun {
            TraceError::CutHeader { name: name(), at: source.len }
        } else {
            TraceError::NotATrace { name: name(), found: printable(start) }
        });
    }
    match parse_preamble(&bytes) {
        Preamble::Version(version) if version > FORMAT_VERSION => {
            Err(TraceError::Newer { name: name(), version, known: FORMAT_VERSION })
        }
        Preamble::Version(_) => Ok(()),
        Preamble::Damaged => Err(TraceError::Header { name: name(), why: "its first 16 bytes".to_owned() }),
        Preamble::Foreign => Err(TraceError::NotATrace { name: name(), found: printable(&bytes) }),
    }
}

/// Reads the header block; returns where the blocks after it begin.
fn read_header<R: Read + Seek>(source: &mut Source<R>) -> Result<(TraceHeader, u64), TraceError> {
    let offset = PREAMBLE_LEN as u64;
    let name = source.name.clone();
    let damaged = |why: &str| TraceError::Header { name: name.clone(), why: why.to_owned() };
    let cut = || TraceError::CutHeader { name: name.clone(), at: source.len };
    if source.len < offset + HEAD_LEN as u64 {
        return Err(cut());
    }
    let len = source.len;
    let head = source.head(offset)?.filter(|head| head.kind == Kind::Header);
    let head = head.ok_or_else(|| damaged("the head of its block"))?;
    let end = offset + HEAD_LEN as u64 + u64::from(head.stored);
    if end > len {
        return Err(TraceError::CutHeader { name, at: len });
    }
    let mut stored = Vec::new();
    if !source.payload(offset, &head, &mut stored)? {
        return Err(damaged("checksum"));
    }
    let json = unpack(&stored, &head).ok_or_else(|| damaged("it does not decompress"))?;
    let header = serde_json::from_slice(&json).map_err(|e| damaged(&e.to_string()))?;
    Ok((header, end))
}

/// The first bytes of a foreign file, for people.
fn printable(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}
