//! Writing a trace: records gather in memory and go out as whole blocks.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use gemscope_common::Record;

use crate::codec::Encoder;
use crate::definition::{Definition, Stack, StackKind, Symbol};
use crate::error::TraceError;
use crate::header::{TraceHeader, current_layouts};
use crate::index::{self, Entry};
use crate::pointers::Pseudonyms;
use crate::wire::{Footer, HEAD_LEN, Head, Kind, MAX_RAW, MAX_RECORDS, preamble};

/// Definitions gather up to this many bytes before they become a block.
const DEFINITIONS_BLOCK: usize = 256 << 10;
/// Longest definition that is stored; a longer one would not fit in a block that readers accept.
const LONGEST_DEFINITION: usize = 16 << 20;

/// How to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// zstd level, 1 to 19
    pub level: i32,
    /// records in a block, at most 65536: larger blocks are smaller in the file, and more is lost by `kill -9`
    pub block_records: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { level: 3, block_records: 8192 }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// records in the file
    pub records: u64,
    /// definitions in the file
    pub definitions: u64,
    /// length of the file in bytes
    pub bytes: u64,
    /// records that came after a failed write and are not in the file
    pub dropped: u64,
}

/// Writes a trace.
///
/// Records become durable by blocks: call [`flush_block`](Self::flush_block) from time to time to bound what a crash
/// can lose. Without [`finish`](Self::finish) the file has no index and readers say that it was not finished.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// cuts a half-written block off, where the sink can
    cut: Option<fn(&W, u64)>,
    encoder: EncoderBox,
    options: Options,
    pseudonyms: Option<Pseudonyms>,
    records: Vec<Record>,
    definitions: Vec<u8>,
    definition_count: u32,
    block: Vec<u8>,
    entries: Vec<Entry>,
    /// what is in whole blocks
    written: Summary,
    failed: bool,
}

/// Keeps `Debug` derivable above.
struct EncoderBox(Encoder);

impl std::fmt::Debug for EncoderBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder { .. }")
    }
}

impl Writer<File> {
    /// Creates or replaces the file at `path`, readable by its owner only, and writes the header.
    ///
    /// # Errors
    /// [`TraceError::Target`] when something lies there that a trace must not replace: a symbolic link (somebody may
    /// want root to follow it), a file with other names, or no regular file. [`TraceError::Create`] and
    /// [`TraceError::Write`] for what the system refuses.
    pub fn create(path: impl AsRef<Path>, header: &TraceHeader) -> Result<Self, TraceError> {
        Self::create_with(path, header, Options::default())
    }

    /// As [`create`](Self::create), with options.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        path: impl AsRef<Path>,
        header: &TraceHeader,
        options: Options,
    ) -> Result<Self, TraceError> {
        let file = create_private(path.as_ref())?;
        let mut writer = Self::with_options(file, header, options)?;
        // A failure to cut leaves a torn block at the end, which readers know how to leave out.
        writer.cut = Some(|file, len| drop(file.set_len(len)));
        Ok(writer)
    }
}

fn create_private(path: &Path) -> Result<File, TraceError> {
    use rustix::fs::OFlags;
    let name = path.display().to_string();
    let refused = |what| Err(TraceError::Target { name: name.clone(), what });
    // Without blocking: a FIFO must be refused, not waited for. Without truncating: first see what it is.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened =
        OpenOptions::new().write(true).create(true).mode(0o600).custom_flags(flags.bits() as i32).open(path);
    let failed = |source| TraceError::Create { name: name.clone(), source };
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return refused("a symbolic link");
        }
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return refused("not a regular file");
        }
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return refused("not a regular file");
    }
    if metadata.nlink() > 1 {
        return refused("a file that has other names (hard links)");
    }
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

impl<W: Write> Writer<W> {
    /// Writes the header to `out`; blocks follow. `out` needs no buffering: every block is one write.
    ///
    /// # Errors
    /// [`TraceError::Write`] when `out` fails, [`TraceError::HeaderTooLarge`] for a header that cannot be stored.
    pub fn new(out: W, header: &TraceHeader) -> Result<Self, TraceError> {
        Self::with_options(out, header, Options::default())
    }

    /// As [`new`](Self::new), with options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(out: W, header: &TraceHeader, options: Options) -> Result<Self, TraceError> {
        let begin = |source| TraceError::Write { source, records: 0, bytes: 0 };
        let block_records = options.block_records.clamp(1, MAX_RECORDS as usize);
        let mut writer = Self {
            out,
            cut: None,
            encoder: EncoderBox(Encoder::new(options.level).map_err(begin)?),
            options: Options { block_records, ..options },
            pseudonyms: (!header.raw_addresses).then(Pseudonyms::new),
            records: Vec::with_capacity(block_records),
            definitions: Vec::new(),
            definition_count: 0,
            block: Vec::new(),
            entries: Vec::new(),
            written: Summary::default(),
            failed: false,
        };
        let header = TraceHeader { layouts: current_layouts(), ..header.clone() };
        let json = serde_json::to_vec(&header).map_err(|e| TraceError::HeaderTooLarge(e.to_string()))?;
        if json.len() > MAX_RAW as usize / 2 {
            return Err(TraceError::HeaderTooLarge(format!("it has `{}` bytes", json.len())));
        }
        writer.block.extend_from_slice(&preamble());
        writer.put_packed(Kind::Header, 1, &json)?;
        Ok(writer)
    }

    /// Takes a record. It is in the file after the next [`flush_block`](Self::flush_block), or when the block is full.
    ///
    /// # Errors
    /// [`TraceError::Write`] once, when the sink fails; later records are dropped and counted.
    pub fn write(&mut self, record: &Record) -> Result<(), TraceError> {
        if self.failed {
            self.written.dropped += 1;
            return Ok(());
        }
        self.records.push(*record);
        if let (Some(pseudonyms), Some(last)) = (&mut self.pseudonyms, self.records.last_mut()) {
            pseudonyms.record(last);
        }
        if self.records.len() >= self.options.block_records {
            return self.put_records();
        }
        Ok(())
    }

    /// Takes a definition. It may come before or after the records that refer to it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn define(&mut self, definition: &Definition) -> Result<(), TraceError> {
        if self.failed {
            return Ok(());
        }
        let start = self.definitions.len();
        match (&mut self.pseudonyms, definition) {
            (Some(pseudonyms), Definition::Stack(stack)) if stack.kind == StackKind::Kernel => {
                let frames = stack.frames.iter().map(|&frame| pseudonyms.pointer(frame)).collect();
                Definition::Stack(Stack { frames, ..stack.clone() }).encode(&mut self.definitions);
            }
            (Some(pseudonyms), Definition::Symbol(symbol)) if symbol.tgid == 0 => {
                let addr = pseudonyms.pointer(symbol.addr);
                Definition::Symbol(Symbol { addr, ..symbol.clone() }).encode(&mut self.definitions);
            }
            _ => definition.encode(&mut self.definitions),
        }
        if self.definitions.len() - start > LONGEST_DEFINITION {
            self.definitions.truncate(start);
            return Ok(());
        }
        self.definition_count += 1;
        if self.definitions.len() >= DEFINITIONS_BLOCK {
            return self.put_definitions();
        }
        Ok(())
    }

    /// Writes everything taken so far as blocks.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush_block(&mut self) -> Result<(), TraceError> {
        if self.failed {
            return Ok(());
        }
        self.put_definitions()?;
        self.put_records()
    }

    /// Writes what is left, the index and the footer.
    ///
    /// # Errors
    /// [`TraceError::Write`] when the sink fails now. After an error that was reported before it returns the summary.
    pub fn finish(mut self) -> Result<Summary, TraceError> {
        self.flush_block()?;
        if self.failed {
            return Ok(self.written);
        }
        let index = index::encode(&self.entries);
        let offset = self.written.bytes;
        self.put_packed(Kind::Index, self.entries.len() as u32, &index)?;
        let Summary { records, definitions, .. } = self.written;
        self.block.extend_from_slice(&Footer { index: offset, records, definitions }.to_bytes());
        self.put_block(0, 0)?;
        if let Err(source) = self.out.flush() {
            return Err(self.fail(source));
        }
        Ok(self.written)
    }

    /// What is in whole blocks so far.
    #[must_use]
    pub const fn written(&self) -> Summary {
        self.written
    }

    /// Records taken and not yet in a block.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.records.len()
    }

    /// The sink.
    #[must_use]
    pub const fn get_ref(&self) -> &W {
        &self.out
    }

    fn put_definitions(&mut self) -> Result<(), TraceError> {
        if self.definition_count == 0 {
            return Ok(());
        }
        let mut definitions = std::mem::take(&mut self.definitions);
        let count = std::mem::take(&mut self.definition_count);
        let written = self.put_packed(Kind::Definitions, count, &definitions);
        definitions.clear();
        self.definitions = definitions;
        written
    }

    /// One block whose payload is one zstd frame.
    fn put_packed(&mut self, kind: Kind, count: u32, payload: &[u8]) -> Result<(), TraceError> {
        let packed = match zstd::bulk::compress(payload, self.options.level) {
            Ok(packed) => packed,
            Err(source) => return Err(self.fail(source)),
        };
        let head = Head {
            kind,
            count,
            stored: packed.len() as u32,
            raw: payload.len() as u32,
            crc: crc32fast::hash(&packed),
            first_seq: self.written.records,
            first_ts: 0,
        };
        let offset = self.written.bytes + self.block.len() as u64;
        self.block.extend_from_slice(&head.to_bytes());
        self.block.extend_from_slice(&packed);
        if kind == Kind::Definitions {
            self.entries.push(Entry::new(offset, &head));
        }
        self.put_block(0, if kind == Kind::Definitions { count } else { 0 })
    }

    fn put_records(&mut self) -> Result<(), TraceError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let head =
            match records_block(&mut self.encoder.0, &self.records, self.written.records, &mut self.block) {
                Ok(head) => head,
                Err(source) => return Err(self.fail(source)),
            };
        self.entries.push(Entry::new(self.written.bytes, &head));
        self.put_block(head.count, 0)?;
        self.records.clear();
        Ok(())
    }

    /// Uses these stand-ins from here on, and none when there are none.
    pub(crate) fn use_pseudonyms(&mut self, pseudonyms: Option<Pseudonyms>) {
        self.pseudonyms = pseudonyms;
    }

    /// Writes a block of records that was made before, by [`records_block`], whatever its number was then.
    pub(crate) fn put_made(&mut self, made: &[u8]) -> Result<(), TraceError> {
        self.flush_block()?;
        let Some((old, payload)) = made.split_first_chunk::<HEAD_LEN>() else { return Ok(()) };
        let Some(old) = Head::parse(old).filter(|_| !self.failed) else { return Ok(()) };
        let head = Head { first_seq: self.written.records, ..old };
        self.block.extend_from_slice(&head.to_bytes());
        self.block.extend_from_slice(payload);
        self.entries.push(Entry::new(self.written.bytes, &head));
        self.put_block(head.count, 0)
    }

    /// Writes `block` and counts what it held.
    fn put_block(&mut self, records: u32, definitions: u32) -> Result<(), TraceError> {
        let written = self.out.write_all(&self.block);
        let len = self.block.len() as u64;
        self.block.clear();
        if let Err(source) = written {
            return Err(self.fail(source));
        }
        self.written.bytes += len;
        self.written.records += u64::from(records);
        self.written.definitions += u64::from(definitions);
        Ok(())
    }

    /// The sink has failed: nothing more is written, so that what is whole stays whole.
    fn fail(&mut self, source: io::Error) -> TraceError {
        self.failed = true;
        self.written.dropped += self.records.len() as u64;
        self.records.clear();
        let Summary { records, bytes, .. } = self.written;
        if let Some(cut) = self.cut {
            cut(&self.out, bytes);
        }
        TraceError::Write { source, records, bytes }
    }
}

/// Makes a whole block of records in `block`, which is empty. Nothing in it depends on other blocks but its number.
pub(crate) fn records_block(
    encoder: &mut Encoder,
    records: &[Record],
    first_seq: u64,
    block: &mut Vec<u8>,
) -> io::Result<Head> {
    block.resize(HEAD_LEN, 0);
    let raw = encoder.encode(records, block)?;
    let payload = block.get(HEAD_LEN..).unwrap_or_default();
    let head = Head {
        kind: Kind::Records,
        count: records.len() as u32,
        stored: payload.len() as u32,
        raw: raw as u32,
        crc: crc32fast::hash(payload),
        first_seq,
        first_ts: records.first().map_or(0, |r| r.header.ts_ns),
    };
    if let Some(place) = block.first_chunk_mut::<HEAD_LEN>() {
        *place = head.to_bytes();
    }
    Ok(head)
}
