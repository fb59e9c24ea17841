//! Finding the blocks: by the index of a finished trace, or by walking from head to head.

use std::io::{Read, Seek};

use crate::error::TraceError;
use crate::index::{self, Entry};
use crate::reader::{End, Source, unpack};
use crate::wire::{FOOTER_LEN, Footer, HEAD_LEN, Head, Kind, SYNC};

/// Bytes read at a time when looking for the next head after damage.
const SEARCH: usize = 64 << 10;

/// One thing that a reader of records comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A block of records; whether its contents are whole is seen when it is read.
    Records(Entry),
    /// Bytes that are no block.
    Hole { offset: u64, to: u64 },
    /// The file ends inside what begins at `offset`.
    Cut { at: u64, offset: u64 },
}

impl Step {
    pub(crate) const fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Records(entry) => Some(entry),
            Self::Hole { .. } | Self::Cut { .. } => None,
        }
    }
}

/// What lies where in a trace.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) steps: Vec<Step>,
    pub(crate) definitions: Vec<Entry>,
    pub(crate) end: End,
}

/// Finds the blocks after the header, which ends at byte `start`.
pub(crate) fn lay_out<R: Read + Seek>(source: &mut Source<R>, start: u64) -> Result<Layout, TraceError> {
    match by_index(source, start)? {
        Some(layout) => Ok(layout),
        None => by_scan(source, start),
    }
}

/// The layout that the index tells; `None` when there is no index or it cannot be trusted.
fn by_index<R: Read + Seek>(source: &mut Source<R>, start: u64) -> Result<Option<Layout>, TraceError> {
    let Some(at) = source.len.checked_sub(FOOTER_LEN as u64) else { return Ok(None) };
    let mut bytes = [0; FOOTER_LEN];
    if !source.read_at(at, &mut bytes)? {
        return Ok(None);
    }
    let Some(footer) = Footer::parse(&bytes) else { return Ok(None) };
    let Some(head) = source.head(footer.index)?.filter(|head| head.kind == Kind::Index) else {
        return Ok(None);
    };
    let mut stored = Vec::new();
    if footer.index < start || !source.payload(footer.index, &head, &mut stored)? {
        return Ok(None);
    }
    let Some(raw) = unpack(&stored, &head) else { return Ok(None) };
    let Ok(entries) = index::decode(&raw, head.count, footer.index) else { return Ok(None) };
    let mut layout = Layout { steps: Vec::new(), definitions: Vec::new(), end: End::Complete };
    let mut records = 0;
    for entry in entries {
        if entry.offset < start {
            return Ok(None);
        }
        match entry.kind {
            Kind::Records => {
                records = entry.end_seq();
                layout.steps.push(Step::Records(entry));
            }
            Kind::Definitions => layout.definitions.push(entry),
            Kind::Header | Kind::Index | Kind::Other(_) => {}
        }
    }
    Ok((records == footer.records).then_some(layout))
}

/// The layout found by walking over the heads.
fn by_scan<R: Read + Seek>(source: &mut Source<R>, start: u64) -> Result<Layout, TraceError> {
    let mut layout = Layout { steps: Vec::new(), definitions: Vec::new(), end: End::Unfinished };
    let (mut offset, mut seq) = (start, 0u64);
    while offset < source.len {
        let Some(head) = source.head(offset)? else {
            // Shorter than a head: a torn one, unless the index was seen and this is what is left of the footer.
            if layout.end == End::Complete && source.len - offset <= FOOTER_LEN as u64 {
                break;
            }
            match next_head(source, offset + 1)? {
                Some(next) => {
                    layout.steps.push(Step::Hole { offset, to: next });
                    offset = next;
                    continue;
                }
                None => return Ok(cut(layout, source.len, offset)),
            }
        };
        let end = offset + HEAD_LEN as u64 + u64::from(head.stored);
        if end > source.len {
            return Ok(cut(layout, source.len, offset));
        }
        let entry = Entry::new(offset, &head);
        match head.kind {
            // Numbers that go back are not a continuation of this trace.
            Kind::Records if entry.first_seq < seq => layout.steps.push(Step::Hole { offset, to: end }),
            Kind::Records => {
                seq = entry.end_seq();
                layout.steps.push(Step::Records(entry));
            }
            Kind::Definitions => layout.definitions.push(entry),
            Kind::Index => layout.end = End::Complete,
            Kind::Header | Kind::Other(_) => {}
        }
        offset = end;
    }
    Ok(layout)
}

fn cut(mut layout: Layout, at: u64, offset: u64) -> Layout {
    layout.steps.push(Step::Cut { at, offset });
    layout.end = End::Cut { at };
    layout
}

/// The first whole head at or after `from`.
fn next_head<R: Read + Seek>(source: &mut Source<R>, from: u64) -> Result<Option<u64>, TraceError> {
    let mut window = Vec::new();
    let mut base = from;
    while base + (HEAD_LEN as u64) <= source.len {
        let len = (source.len - base).min(SEARCH as u64) as usize;
        window.clear();
        window.resize(len, 0);
        if !source.read_at(base, &mut window)? {
            return Ok(None);
        }
        for (i, bytes) in window.windows(HEAD_LEN).enumerate() {
            if bytes.starts_with(&SYNC)
                && let Some(bytes) = bytes.first_chunk::<HEAD_LEN>()
                && Head::parse(bytes).is_some()
            {
                return Ok(Some(base + i as u64));
            }
        }
        // Keep what a head may have begun in.
        base += (len - (HEAD_LEN - 1)) as u64;
    }
    Ok(None)
}
