//! The fixed-size parts of the file: preamble, block head, footer. `FORMAT.md` is their description.

use crate::bytes::{Cursor, Short};

/// The newest format version this crate reads, and the one it writes.
pub const FORMAT_VERSION: u16 = 1;

/// The first bytes of a trace. The high bit and the newline show text-mode copies.
pub(crate) const MAGIC: [u8; 8] = *b"\x89GEMTRC\n";
/// The first bytes of a block.
pub(crate) const SYNC: [u8; 4] = *b"gBk\xd7";
/// The last bytes of a finished trace.
pub(crate) const END_MAGIC: [u8; 4] = *b"gEnd";

/// Length of the preamble in bytes.
pub(crate) const PREAMBLE_LEN: usize = 16;
/// Length of a block head in bytes.
pub(crate) const HEAD_LEN: usize = 48;
/// Length of the footer in bytes.
pub(crate) const FOOTER_LEN: usize = 32;

/// Most records in one block.
pub(crate) const MAX_RECORDS: u32 = 1 << 16;
/// Most stored (compressed) bytes in one block.
pub(crate) const MAX_STORED: u32 = 32 << 20;
/// Most bytes of a block after decompression.
pub(crate) const MAX_RAW: u32 = 64 << 20;

/// Do these bytes, the beginning of a file, look like a trace?
#[must_use]
pub fn is_trace(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// The preamble for the version this crate writes.
pub(crate) fn preamble() -> [u8; PREAMBLE_LEN] {
    let mut out = [0; PREAMBLE_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&out[..12]);
    out[12..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// What a preamble says.
pub(crate) enum Preamble {
    Version(u16),
    Foreign,
    Damaged,
}

/// Reads a preamble.
pub(crate) fn parse_preamble(bytes: &[u8; PREAMBLE_LEN]) -> Preamble {
    let mut cursor = Cursor::new(bytes);
    let parsed = (|| {
        let magic: [u8; 8] = cursor.array()?;
        let version = u16::from_le_bytes(cursor.array()?);
        let _flags: [u8; 2] = cursor.array()?;
        let crc = u32::from_le_bytes(cursor.array()?);
        Ok::<_, Short>((magic, version, crc))
    })();
    match parsed {
        Ok((magic, version, crc)) if magic == MAGIC => match bytes.get(..12) {
            Some(covered) if crc32fast::hash(covered) == crc && version > 0 => Preamble::Version(version),
            _ => Preamble::Damaged,
        },
        _ => Preamble::Foreign,
    }
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Header,
    Records,
    Definitions,
    Index,
    /// Made by a newer minor version: skipped by its length.
    Other(u8),
}

impl Kind {
    pub(crate) const fn to_wire(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Records => 2,
            Self::Definitions => 3,
            Self::Index => 4,
            Self::Other(n) => n,
        }
    }

    pub(crate) const fn from_wire(value: u8) -> Self {
        match value {
            1 => Self::Header,
            2 => Self::Records,
            3 => Self::Definitions,
            4 => Self::Index,
            n => Self::Other(n),
        }
    }
}

/// The head of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// records, definitions or index entries in the block
    pub(crate) count: u32,
    /// length of the payload in the file, bytes
    pub(crate) stored: u32,
    /// length of the payload after decompression, bytes
    pub(crate) raw: u32,
    /// CRC32 of the stored payload
    pub(crate) crc: u32,
    /// number of the first record in the block, or of the next record for other kinds
    pub(crate) first_seq: u64,
    /// timestamp of the first record, ns; 0 for other kinds
    pub(crate) first_ts: u64,
}

impl Head {
    pub(crate) fn to_bytes(self) -> [u8; HEAD_LEN] {
        let Self { kind, count, stored, raw, crc, first_seq, first_ts } = self;
        let mut out = [0; HEAD_LEN];
        out[..4].copy_from_slice(&SYNC);
        out[4] = kind.to_wire();
        out[8..12].copy_from_slice(&count.to_le_bytes());
        out[12..16].copy_from_slice(&stored.to_le_bytes());
        out[16..20].copy_from_slice(&raw.to_le_bytes());
        out[20..24].copy_from_slice(&crc.to_le_bytes());
        out[24..32].copy_from_slice(&first_seq.to_le_bytes());
        out[32..40].copy_from_slice(&first_ts.to_le_bytes());
        let head_crc = crc32fast::hash(&out[..44]);
        out[44..].copy_from_slice(&head_crc.to_le_bytes());
        out
    }

    /// Reads a head; `None` when these bytes are not one or its sizes cannot be.
    pub(crate) fn parse(bytes: &[u8; HEAD_LEN]) -> Option<Self> {
        let covered = bytes.get(..44)?;
        let mut cursor = Cursor::new(bytes);
        let head = (|| {
            let sync: [u8; 4] = cursor.array()?;
            let kind = Kind::from_wire(cursor.u8()?);
            let _reserved: [u8; 3] = cursor.array()?;
            let count = u32::from_le_bytes(cursor.array()?);
            let stored = u32::from_le_bytes(cursor.array()?);
            let raw = u32::from_le_bytes(cursor.array()?);
            let crc = u32::from_le_bytes(cursor.array()?);
            let first_seq = cursor.u64()?;
            let first_ts = cursor.u64()?;
            let _reserved: [u8; 4] = cursor.array()?;
            let head_crc = u32::from_le_bytes(cursor.array()?);
            Ok::<_, Short>((sync, head_crc, Self { kind, count, stored, raw, crc, first_seq, first_ts }))
        })();
        let (sync, head_crc, head) = head.ok()?;
        let sane = sync == SYNC
            && head.stored <= MAX_STORED
            && head.raw <= MAX_RAW
            && (head.kind != Kind::Records || head.count <= MAX_RECORDS)
            && head.first_seq.checked_add(u64::from(head.count)).is_some();
        (sane && crc32fast::hash(covered) == head_crc).then_some(head)
    }
}

/// The end of a finished trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// file offset of the index block
    pub(crate) index: u64,
    /// records in the whole trace
    pub(crate) records: u64,
    /// definitions in the whole trace
    pub(crate) definitions: u64,
}

impl Footer {
    pub(crate) fn to_bytes(self) -> [u8; FOOTER_LEN] {
        let Self { index, records, definitions } = self;
        let mut out = [0; FOOTER_LEN];
        out[..8].copy_from_slice(&index.to_le_bytes());
        out[8..16].copy_from_slice(&records.to_le_bytes());
        out[16..24].copy_from_slice(&definitions.to_le_bytes());
        let crc = crc32fast::hash(&out[..24]);
        out[24..28].copy_from_slice(&crc.to_le_bytes());
        out[28..].copy_from_slice(&END_MAGIC);
        out
    }

    pub(crate) fn parse(bytes: &[u8; FOOTER_LEN]) -> Option<Self> {
        let covered = bytes.get(..24)?;
        let mut cursor = Cursor::new(bytes);
        let footer =
            Self { index: cursor.u64().ok()?, records: cursor.u64().ok()?, definitions: cursor.u64().ok()? };
        let crc = u32::from_le_bytes(cursor.array().ok()?);
        let magic: [u8; 4] = cursor.array().ok()?;
        (magic == END_MAGIC && crc32fast::hash(covered) == crc).then_some(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_head_is_seen() {
        let head =
            Head { kind: Kind::Records, count: 7, stored: 9, raw: 11, crc: 13, first_seq: 15, first_ts: 17 };
        let bytes = head.to_bytes();
        assert_eq!(Head::parse(&bytes), Some(head));
        for bit in 0..HEAD_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::parse(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_footer_is_seen() {
        let footer = Footer { index: 1, records: 2, definitions: 3 };
        let bytes = footer.to_bytes();
        assert_eq!(Footer::parse(&bytes), Some(footer));
        for bit in 0..FOOTER_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::parse(&flipped), None, "bit {bit}");
        }
    }
}
