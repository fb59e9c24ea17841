//! The flight recorder: the last records, encoded, in memory, for when something happens that makes them worth a file.
//!
//! Records become blocks as in a file, and a block is the unit that is let go of: none needs another one to be read.
//! What it is not for: keeping what records refer to. Definitions are given to it when a trace is made.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use gemscope_common::Record;

use crate::codec::Encoder;
use crate::definition::Definition;
use crate::error::TraceError;
use crate::header::TraceHeader;
use crate::pointers::Pseudonyms;
use crate::prelude::Prelude;
use crate::writer::{Options, Summary, Writer, records_block};

/// Keeps the last records, up to a limit of encoded bytes.
pub struct Flight {
    limit: usize,
    options: Options,
    encoder: Encoder,
    pseudonyms: Option<Pseudonyms>,
    pending: Vec<Record>,
    blocks: VecDeque<Block>,
    /// encoded bytes in `blocks`, with what is kept beside them
    bytes: usize,
    /// encoded bytes ever
    written: u64,
    /// the beginning of the oldest block
    prelude: Prelude,
    /// records before it
    before: u64,
}

/// A block, and what must be known of it without decoding it.
struct Block {
    encoded: Arc<[u8]>,
    records: u32,
    /// time of its first record, ns
    first_ns: u64,
    /// drops that its first record tells of
    drops: u64,
    /// what a beginning after it has to tell
    prelude: Box<[Record]>,
    /// processes of its records, by rising number
    tgids: Box<[u32]>,
}

impl Block {
    /// What it takes of the limit.
    fn bytes(&self) -> usize {
        self.encoded.len() + size_of_val(&*self.prelude) + size_of_val(&*self.tgids)
    }
}

/// The content of a flight recorder at one moment: it can be written by another thread while recording goes on.
#[derive(Clone)]
pub struct Flown {
    blocks: Vec<Arc<[u8]>>,
    prelude: Vec<Record>,
    pseudonyms: Option<Pseudonyms>,
    before: u64,
    span_ns: u64,
}

impl Flight {
    /// Records of a block, so that a hundred blocks or more fit into the limit.
    const LEAST: usize = 64;

    /// An empty one that keeps `limit` bytes of encoded trace; at least the newest block is kept always.
    ///
    /// # Errors
    /// [`TraceError::Write`] when there is no memory to encode with.
    pub fn new(limit: usize, raw_addresses: bool) -> Result<Self, TraceError> {
        /// Bytes that a record takes at most, usually.
        const RECORD: usize = 16;
        let most = Options::default().block_records;
        let block_records = (limit / RECORD / 32).clamp(Self::LEAST, most);
        Self::with_options(limit, raw_addresses, Options { block_records, ..Options::default() })
    }

    /// As [`new`](Self::new), with options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(limit: usize, raw_addresses: bool, options: Options) -> Result<Self, TraceError> {
        let block_records = options.block_records.clamp(1, crate::wire::MAX_RECORDS as usize);
        Ok(Self {
            limit,
            options: Options { block_records, ..options },
            encoder: Encoder::new(options.level).map_err(failed)?,
            pseudonyms: (!raw_addresses).then(Pseudonyms::new),
            pending: Vec::with_capacity(block_records),
            blocks: VecDeque::new(),
            bytes: 0,
            written: 0,
            prelude: Prelude::default(),
            before: 0,
        })
    }

    /// Takes a record, and lets go of the oldest block when there is no room for the one that is full now.
    ///
    /// # Errors
    /// [`TraceError::Write`] when there is no memory to encode with.
    pub fn write(&mut self, record: &Record) -> Result<(), TraceError> {
        self.pending.push(*record);
        if let (Some(pseudonyms), Some(last)) = (&mut self.pseudonyms, self.pending.last_mut()) {
            pseudonyms.record(last);
        }
        if self.pending.len() >= self.options.block_records {
            return self.pack();
        }
        Ok(())
    }

    /// What is kept now, with the records of a block that is not full yet.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flown(&mut self) -> Result<Flown, TraceError> {
        let last_ns = self.pending.last().map(|r| r.header.ts_ns);
        self.pack()?;
        let first = self.blocks.front().map_or((0, 0), |b| (b.first_ns, b.drops));
        let last_ns = last_ns.or(self.blocks.back().map(|b| b.first_ns)).unwrap_or(first.0);
        Ok(Flown {
            blocks: self.blocks.iter().map(|b| Arc::clone(&b.encoded)).collect(),
            prelude: self.prelude.records(first.0, first.1),
            pseudonyms: self.pseudonyms.clone(),
            before: self.before,
            span_ns: last_ns.saturating_sub(first.0),
        })
    }

    /// Encoded bytes kept now, with what is kept beside them.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The limit, bytes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Encoded bytes ever taken in: how far what was there once has moved towards its end.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Records that were let go of.
    #[must_use]
    pub const fn before(&self) -> u64 {
        self.before
    }

    /// The processes of the records that are kept: of others no definition is needed.
    #[must_use]
    pub fn tgids(&self) -> BTreeSet<u32> {
        let pending = self.pending.iter().map(|r| r.header.tgid);
        self.blocks.iter().flat_map(|b| b.tgids.iter().copied()).chain(pending).collect()
    }

    fn pack(&mut self) -> Result<(), TraceError> {
        let Some(first) = self.pending.first() else { return Ok(()) };
        let (first_ns, drops) = (first.header.ts_ns, first.header.drops);
        let mut encoded = Vec::new();
        records_block(&mut self.encoder, &self.pending, 0, &mut encoded).map_err(failed)?;
        let mut tgids: Vec<u32> = self.encoder.tgids().collect();
        tgids.sort_unstable();
        tgids.dedup();
        let block = Block {
            encoded: encoded.into(),
            records: self.pending.len() as u32,
            first_ns,
            drops,
            prelude: self.pending.iter().filter(|r| Prelude::wants(r)).copied().collect(),
            tgids: tgids.into(),
        };
        self.pending.clear();
        self.written += block.encoded.len() as u64;
        self.bytes += block.bytes();
        self.blocks.push_back(block);
        while self.bytes > self.limit && self.blocks.len() > 1 {
            self.let_go();
        }
        Ok(())
    }

    fn let_go(&mut self) {
        let Some(old) = self.blocks.pop_front() else { return };
        self.bytes -= old.bytes();
        self.before += u64::from(old.records);
        old.prelude.iter().for_each(|record| self.prelude.apply(record));
    }
}

impl Flown {
    /// Records that were let go of before the first one.
    #[must_use]
    pub const fn before(&self) -> u64 {
        self.before
    }

    /// From the first record that is kept to the last one, ns.
    #[must_use]
    pub const fn span_ns(&self) -> u64 {
        self.span_ns
    }

    /// Writes it as a trace. The header is told how much is missing before its beginning.
    ///
    /// # Errors
    /// Those of [`Writer::new`].
    pub fn write<W: Write>(
        self,
        out: W,
        header: &TraceHeader,
        definitions: impl IntoIterator<Item = Definition>,
    ) -> Result<Summary, TraceError> {
        let writer = Writer::new(out, &self.header(header))?;
        self.fill(writer, definitions)
    }

    /// Writes it as a trace of that name, which is created or replaced.
    ///
    /// # Errors
    /// Those of [`Writer::create`].
    pub fn create(
        self,
        path: impl AsRef<Path>,
        header: &TraceHeader,
        definitions: impl IntoIterator<Item = Definition>,
    ) -> Result<Summary, TraceError> {
        let writer = Writer::create(path, &self.header(header))?;
        self.fill(writer, definitions)
    }

    fn header(&self, header: &TraceHeader) -> TraceHeader {
        TraceHeader { records_before: self.before, ..header.clone() }
    }

    fn fill<W: Write>(
        self,
        mut writer: Writer<W>,
        definitions: impl IntoIterator<Item = Definition>,
    ) -> Result<Summary, TraceError> {
        // Records have theirs already, and what defines must agree with them.
        writer.use_pseudonyms(self.pseudonyms);
        definitions.into_iter().try_for_each(|definition| writer.define(&definition))?;
        self.prelude.iter().try_for_each(|record| writer.write(record))?;
        self.blocks.iter().try_for_each(|block| writer.put_made(block))?;
        writer.finish()
    }
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { limit, bytes, before, .. } = self;
        write!(f, "Flight {{ {bytes} of {limit} bytes, {before} records before }}")
    }
}

impl std::fmt::Debug for Flown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flown {{ {} blocks, {} records before }}", self.blocks.len(), self.before)
    }
}

fn failed(source: std::io::Error) -> TraceError {
    TraceError::Write { source, records: 0, bytes: 0 }
}

#[cfg(test)]
mod tests;
