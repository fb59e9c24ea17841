//! The container of a block's columns: lengths first, then each column raw or as one zstd frame.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::{COLUMNS, Column};
use crate::bytes::{Cursor, put_varint};

/// Columns shorter than this are stored as they are.
const WORTH_COMPRESSING: usize = 24;

/// The columns of one block, uncompressed.
#[derive(Default)]
pub(super) struct Columns([Vec<u8>; COLUMNS]);

impl Columns {
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn get(&self, column: Column) -> &[u8] {
        &self.0[column as usize]
    }

    pub(super) fn get_mut(&mut self, column: Column) -> &mut Vec<u8> {
        &mut self.0[column as usize]
    }

    /// Appends the columns to `out`; returns their length before compression.
    pub(super) fn write(
        &self,
        zstd: &mut Compressor<'_>,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let mut lengths = Vec::with_capacity(COLUMNS * 6);
        let mut packed = Vec::new();
        for column in &self.0 {
            put_varint(&mut lengths, column.len() as u64);
            scratch.clear();
            if column.len() >= WORTH_COMPRESSING {
                scratch.reserve(zstd::zstd_safe::compress_bound(column.len()));
                zstd.compress_to_buffer(column, scratch)?;
            }
            let smaller = !scratch.is_empty() && scratch.len() < column.len();
            let stored: &[u8] = if smaller { scratch } else { column };
            put_varint(&mut lengths, stored.len() as u64);
            packed.extend_from_slice(stored);
        }
        out.extend_from_slice(&lengths);
        out.extend_from_slice(&packed);
        Ok(self.0.iter().map(Vec::len).sum())
    }

    /// Reads columns whose uncompressed lengths add up to exactly `raw`.
    pub(super) fn read(
        &mut self,
        zstd: &mut Decompressor<'_>,
        payload: &[u8],
        raw: usize,
    ) -> Result<(), &'static str> {
        const SHORT: &str = "column lengths";
        let mut cursor = Cursor::new(payload);
        let mut lengths = [(0usize, 0usize); COLUMNS];
        let mut total = 0usize;
        for (full, stored) in &mut lengths {
            *full = cursor.varint_u32().map_err(|_| SHORT)? as usize;
            *stored = cursor.varint_u32().map_err(|_| SHORT)? as usize;
            total = total.checked_add(*full).ok_or(SHORT)?;
        }
        if total != raw {
            return Err("column lengths do not add up");
        }
        for (column, (full, stored)) in self.0.iter_mut().zip(lengths) {
            let bytes = cursor.take(stored).map_err(|_| "column runs over the block's end")?;
            column.clear();
            if full == stored {
                column.extend_from_slice(bytes);
            } else {
                column.reserve(full);
                // The buffer may have more room than `full`: what came out is checked.
                zstd.decompress_to_buffer(bytes, column).map_err(|_| "column does not decompress")?;
                if column.len() != full {
                    return Err("column has another length than promised");
                }
            }
        }
        if cursor.is_empty() { Ok(()) } else { Err("bytes after the last column") }
    }
}

/// Appends the low `N` bytes of each value as `N` planes: all first bytes, then all second bytes, and so on.
pub(super) fn put_planes<const N: usize>(out: &mut Vec<u8>, values: &[u64]) {
    for plane in 0..N {
        out.extend(values.iter().map(|value| (value >> (8 * plane)) as u8));
    }
}

/// Reads values of `N` planes in order.
pub(super) struct Planes<'a, const N: usize> {
    planes: [&'a [u8]; N],
    at: usize,
}

impl<'a, const N: usize> Planes<'a, N> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let len = bytes.len() / N;
        let mut planes: [&[u8]; N] = [&[]; N];
        if len > 0 {
            for (plane, chunk) in planes.iter_mut().zip(bytes.chunks_exact(len)) {
                *plane = chunk;
            }
        }
        Self { planes, at: 0 }
    }

    /// The next value, or `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u64> {
        let mut value = 0;
        for (i, plane) in self.planes.iter().enumerate() {
            value |= u64::from(*plane.get(self.at)?) << (8 * i);
        }
        self.at += 1;
        Some(value)
    }

    /// The value with number `at`, if it exists.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<u64> {
        let mut value = 0;
        for (i, plane) in self.planes.iter().enumerate() {
            value |= u64::from(*plane.get(at)?) << (8 * i);
        }
        Some(value)
    }

    /// How many values have been read.
    pub(super) fn read(&self) -> usize {
        self.at
    }
}
