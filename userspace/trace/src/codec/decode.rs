//! Bytes to records. The bytes are from outside: everything is checked, and what does not fit is an error.

use std::io;

use gemscope_common::Record;
use rustc_hash::FxHashMap;
use zerocopy::{FromBytes, FromZeros, IntoBytes};
use zstd::bulk::Decompressor;

use super::streams::{Columns, Planes};
use super::{Column, From, Op, Part, SHAPE, THREAD, TS, WORDS, Words};
use crate::bytes::{Cursor, unzigzag};

const NOWHERE: u32 = u32::MAX;
const META: &str = "threads or templates";
const SHORT: &str = "a column ends too early";

/// Most ops of a template: two for each word.
const MAX_OPS: usize = 2 * WORDS;

#[derive(Clone, Copy)]
struct Template {
    shape: u32,
    start: u32,
    end: u32,
}

/// Makes records of blocks; keeps its memory between blocks.
pub(crate) struct Decoder {
    zstd: Decompressor<'static>,
    columns: Columns,
    /// tid and tgid; records; first cpu
    threads: Vec<(u64, u32, u32)>,
    positions: Vec<u32>,
    /// probe, phase and flags of a shape; its last record
    shapes: Vec<(u32, u32)>,
    shape_numbers: FxHashMap<u32, u32>,
    templates: Vec<Template>,
    ops: Vec<Op>,
    times: Vec<u64>,
    next: Vec<u32>,
}

impl Decoder {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            zstd: Decompressor::new()?,
            columns: Columns::default(),
            threads: Vec::new(),
            positions: Vec::new(),
            shapes: Vec::new(),
            shape_numbers: FxHashMap::default(),
            templates: Vec::new(),
            ops: Vec::new(),
            times: Vec::new(),
            next: Vec::new(),
        })
    }

    /// Probe, phase and flags (as the low half of a record's word 5) that occur in the block decoded last.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = u32> {
        self.shapes.iter().map(|&(shape, _)| shape)
    }

    /// Replaces `out` by the `count` records of `payload`, whose columns have `raw` bytes in all.
    pub(crate) fn decode(
        &mut self,
        payload: &[u8],
        count: usize,
        raw: usize,
        out: &mut Vec<Record>,
    ) -> Result<(), &'static str> {
        self.columns.read(&mut self.zstd, payload, raw)?;
        self.read_meta(count)?;
        self.read_order(count)?;
        self.read_times(count)?;
        out.truncate(count);
        out.resize(count, Record::new_zeroed());
        let words = <[Words]>::mut_from_bytes(out.as_mut_bytes()).map_err(|_| "records as words")?;
        self.read_records(words)
    }

    fn read_meta(&mut self, count: usize) -> Result<(), &'static str> {
        let Self { columns, threads, shapes, shape_numbers, templates, ops, .. } = self;
        threads.clear();
        shapes.clear();
        shape_numbers.clear();
        templates.clear();
        ops.clear();
        let mut meta = Cursor::new(columns.get(Column::Meta));
        let mut get = || meta.varint_u32().map_err(|_| META);
        let expected = get()? as usize;
        if expected > count {
            return Err(META);
        }
        let mut total = 0usize;
        for _ in 0..expected {
            let thread = u64::from(get()?) | u64::from(get()?) << 32;
            let records = get()?;
            total += records as usize;
            threads.push((thread, records, get()?));
        }
        if total != count {
            return Err(META);
        }
        while !meta.is_empty() {
            let key = meta.varint_u32().map_err(|_| META)?;
            let shape = *shape_numbers.entry(key).or_insert_with(|| {
                shapes.push((key, NOWHERE));
                shapes.len() as u32 - 1
            });
            let len = usize::from(meta.u8().map_err(|_| META)?);
            if len > MAX_OPS {
                return Err(META);
            }
            let start = ops.len() as u32;
            for _ in 0..len {
                let [low, high]: [u8; 2] = meta.array().map_err(|_| META)?;
                let copies = low >> 4 == From::Copy as u8;
                let back = if copies { meta.u8().map_err(|_| META)? } else { 0 };
                ops.push(Op::unpack(u32::from_le_bytes([low, high, back, 0])).ok_or(META)?);
            }
            templates.push(Template { shape, start, end: ops.len() as u32 });
        }
        Ok(())
    }

    /// Computes `positions`: for each record in thread order, its place in record order.
    fn read_order(&mut self, count: usize) -> Result<(), &'static str> {
        const ORDER: &str = "order of threads";
        let Self { columns, threads, positions, next, .. } = self;
        let low = columns.get(Column::Order);
        let high = columns.get(Column::OrderHigh);
        if low.len() != count || (high.len() != count && !(high.is_empty() && threads.len() <= 256)) {
            return Err(ORDER);
        }
        next.clear();
        let mut start = 0u32;
        for &(_, records, _) in threads.iter() {
            next.push(start);
            start += records;
        }
        positions.clear();
        positions.resize(count, NOWHERE);
        for (i, &byte) in low.iter().enumerate() {
            let thread = usize::from(byte) | usize::from(high.get(i).copied().unwrap_or(0)) << 8;
            let at = next.get_mut(thread).ok_or(ORDER)?;
            *positions.get_mut(*at as usize).ok_or(ORDER)? = i as u32;
            *at += 1;
        }
        // Every thread must have had exactly as many records as it said, or a place was given twice.
        let mut end = 0u32;
        for (&(_, records, _), &next) in threads.iter().zip(next.iter()) {
            end += records;
            if next != end {
                return Err(ORDER);
            }
        }
        Ok(())
    }

    fn read_times(&mut self, count: usize) -> Result<(), &'static str> {
        let Self { columns, times, .. } = self;
        let (low, high) = (columns.get(Column::Time), columns.get(Column::TimeHigh));
        if low.len() != count || high.len() != count {
            return Err("times");
        }
        let mut long = Planes::<8>::new(columns.get(Column::TimeLong));
        let mut time = 0u64;
        times.clear();
        times.reserve(count);
        for (&low, &high) in low.iter().zip(high) {
            let short = u16::from_le_bytes([low, high]);
            let delta = if short == 0xffff { long.next().ok_or("times")? } else { u64::from(short) };
            time = time.wrapping_add(unzigzag(delta) as u64);
            times.push(time);
        }
        Ok(())
    }

    fn read_records(&mut self, words: &mut [Words]) -> Result<(), &'static str> {
        let Self { columns, threads, positions, shapes, templates, ops, times, .. } = self;
        let low = columns.get(Column::Template);
        let high = columns.get(Column::TemplateHigh);
        if low.len() != words.len() || (high.len() != words.len() && !high.is_empty()) {
            return Err("templates of records");
        }
        let mut operands = Operands {
            delta8: columns.get(Column::Delta8).iter(),
            delta16: Planes::new(columns.get(Column::Delta16)),
            delta32: Planes::new(columns.get(Column::Delta32)),
            known: Planes::new(columns.get(Column::Known)),
            new: Planes::new(columns.get(Column::New)),
        };
        let mut g = 0usize;
        for &(thread, records, first_cpu) in threads.iter() {
            let mut cpu = u64::from(first_cpu);
            for _ in 0..records {
                let number = usize::from(*low.get(g).ok_or(SHORT)?)
                    | usize::from(high.get(g).copied().unwrap_or(0)) << 8;
                let template = templates.get(number).ok_or("number of a template")?;
                let position = *positions.get(g).ok_or(SHORT)?;
                let shape = shapes.get_mut(template.shape as usize).ok_or(META)?;
                let mut record = words.get(shape.1 as usize).copied().unwrap_or([0; WORDS]);
                shape.1 = position;
                record[SHAPE] = u64::from(shape.0) | cpu << 32;
                let ops = ops.get(template.start as usize..template.end as usize).ok_or(META)?;
                for op in ops {
                    let copied = if op.from != From::Copy {
                        0
                    } else if op.back == 0 {
                        record[usize::from(op.source) % WORDS]
                    } else {
                        let at = g.checked_sub(usize::from(op.back)).ok_or("copy from before the block")?;
                        let source = words.get(*positions.get(at).ok_or(SHORT)? as usize).ok_or(SHORT)?;
                        source[usize::from(op.source) % WORDS]
                    };
                    let word = &mut record[usize::from(op.word) % WORDS];
                    *word = operands.apply(op, *word, copied).ok_or(SHORT)?;
                }
                cpu = record[SHAPE] >> 32;
                record[TS] = *times.get(position as usize).ok_or(SHORT)?;
                record[THREAD] = thread;
                *words.get_mut(position as usize).ok_or(SHORT)? = record;
                g += 1;
            }
        }
        Ok(())
    }
}

/// The columns of values, read in order.
struct Operands<'a> {
    delta8: std::slice::Iter<'a, u8>,
    delta16: Planes<'a, 2>,
    delta32: Planes<'a, 4>,
    known: Planes<'a, 2>,
    new: Planes<'a, 8>,
}

impl Operands<'_> {
    /// The new value of a word.
    #[inline(always)]
    fn apply(&mut self, op: &Op, old: u64, copied: u64) -> Option<u64> {
        let delta = match op.from {
            From::Zero => return Some(with_part(old, op.part, 0)),
            From::Copy => {
                let value = match op.source_part {
                    Part::High => copied >> 32,
                    Part::Full | Part::Low => copied,
                };
                return Some(with_part(old, op.part, value));
            }
            From::Delta8 => i64::from(*self.delta8.next()? as i8),
            From::Delta16 => i64::from(self.delta16.next()? as u16 as i16),
            From::Delta32 => i64::from(self.delta32.next()? as u32 as i32),
            From::Known => {
                let number = self.known.next()? as usize;
                return if number < self.new.read() { self.new.get(number) } else { None };
            }
            From::New => return self.new.next(),
        };
        let value = match op.part {
            Part::Full => old.wrapping_add(delta as u64),
            Part::Low => u64::from((old as u32).wrapping_add(delta as u32)),
            Part::High => u64::from(((old >> 32) as u32).wrapping_add(delta as u32)),
        };
        Some(with_part(old, op.part, value))
    }
}

#[inline(always)]
const fn with_part(old: u64, part: Part, value: u64) -> u64 {
    match part {
        Part::Full => value,
        Part::Low => old & !0xffff_ffff | value & 0xffff_ffff,
        Part::High => old & 0xffff_ffff | value << 32,
    }
}
