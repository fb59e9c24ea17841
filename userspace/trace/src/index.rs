//! The index at the end of a finished trace: where each block lies, so that a reader can seek without scanning.

use crate::bytes::{Cursor, Short, put_varint};
use crate::wire::{HEAD_LEN, Head, Kind, MAX_RECORDS};

/// A block that a reader cares about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// file offset of the block's head, bytes
    pub(crate) offset: u64,
    /// number of its first record
    pub(crate) first_seq: u64,
    /// records or definitions in it
    pub(crate) count: u32,
    /// timestamp of its first record, ns
    pub(crate) first_ts: u64,
}

impl Entry {
    pub(crate) const fn new(offset: u64, head: &Head) -> Self {
        Self {
            kind: head.kind,
            offset,
            first_seq: head.first_seq,
            count: head.count,
            first_ts: head.first_ts,
        }
    }

    /// Number after the last record.
    pub(crate) fn end_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count))
    }
}

/// The payload of the index block: per block kind, offset difference, count, first timestamp.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 16);
    let mut before = 0;
    for entry in entries {
        out.push(entry.kind.to_wire());
        put_varint(&mut out, entry.offset - before);
        put_varint(&mut out, u64::from(entry.count));
        put_varint(&mut out, entry.first_ts);
        before = entry.offset;
    }
    out
}

/// Reads an index payload of a trace whose blocks end at byte `end`; an error when it contradicts itself.
pub(crate) fn decode(bytes: &[u8], count: u32, end: u64) -> Result<Vec<Entry>, Short> {
    // An entry has four bytes at least: a hostile count cannot reserve memory.
    if count as usize > bytes.len() / 4 {
        return Err(Short);
    }
    let mut cursor = Cursor::new(bytes);
    let mut entries = Vec::with_capacity(count as usize);
    let (mut offset, mut seq) = (0u64, 0u64);
    for _ in 0..count {
        let kind = Kind::from_wire(cursor.u8()?);
        let step = cursor.varint()?;
        if step < HEAD_LEN as u64 && !entries.is_empty() {
            return Err(Short);
        }
        offset = offset.checked_add(step).filter(|&offset| offset < end).ok_or(Short)?;
        let entry =
            Entry { kind, offset, first_seq: seq, count: cursor.varint_u32()?, first_ts: cursor.varint()? };
        if kind == Kind::Records {
            if entry.count > MAX_RECORDS {
                return Err(Short);
            }
            seq = entry.end_seq();
        }
        entries.push(entry);
    }
    if cursor.is_empty() { Ok(entries) } else { Err(Short) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back_and_contradictions_do_not() {
        let entry = |kind, offset, first_seq, count| Entry { kind, offset, first_seq, count, first_ts: 5 };
        let entries = [
            entry(Kind::Definitions, 500, 0, 3),
            entry(Kind::Records, 700, 0, 100),
            entry(Kind::Records, 900, 100, 7),
        ];
        let bytes = encode(&entries);
        assert_eq!(decode(&bytes, 3, 1000).unwrap(), entries);
        assert_eq!(decode(&bytes, 3, 900), Err(Short), "a block after the end");
        assert_eq!(decode(&bytes, 2, 1000), Err(Short), "bytes left over");
        assert_eq!(decode(&bytes, u32::MAX, 1000), Err(Short));
        let close = [entry(Kind::Records, 500, 0, 1), entry(Kind::Records, 501, 1, 1)];
        assert_eq!(decode(&encode(&close), 2, 1000), Err(Short), "blocks that overlap");
    }
}
