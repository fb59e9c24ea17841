//! Records to bytes.

use std::io;

use gemscope_common::{Layout, ProbeId, Record};
use rustc_hash::FxHashMap;
use zerocopy::{FromBytes, IntoBytes};
use zstd::bulk::Compressor;

use super::streams::{Columns, put_planes};
use super::{Column, From, Op, PAYLOAD, Part, SHAPE, STACKS, TS, WORDS, Words};
use crate::bytes::{put_varint, zigzag};

/// Halves up to this value are told as differences: small numbers are equal by chance.
const SMALL: u32 = 63;
/// How far back a copy is preferred to the dictionary. Far copies rarely repeat, and each makes a template.
const NEAR: u32 = 40;
const NOWHERE: u32 = u32::MAX;

const FULL_SLOTS: usize = 1 << 13;
const HALF_SLOTS: usize = 1 << 11;

/// Where a 64-bit value was last seen.
#[derive(Clone, Copy)]
struct FullSlot {
    value: u64,
    /// number of the record in thread order
    at: u32,
    /// number in the dictionary (28 bits) and word (4 bits)
    place: u32,
}

/// Where a 32-bit value was last seen.
#[derive(Clone, Copy)]
struct HalfSlot {
    value: u32,
    at: u32,
    word: u8,
    part: Part,
}

const NO_DICT: u32 = NOWHERE >> 4;

/// Makes blocks of records; keeps its memory between blocks.
pub(crate) struct Encoder {
    zstd: Compressor<'static>,
    columns: Columns,
    scratch: Vec<u8>,
    thread_numbers: FxHashMap<u64, u32>,
    /// tid and tgid; records; first cpu
    threads: Vec<(u64, u32, u32)>,
    order: Vec<u32>,
    positions: Vec<u32>,
    shape_numbers: FxHashMap<u32, u32>,
    /// last record of the shape; which words are two halves
    shapes: Vec<(u32, u16)>,
    templates: FxHashMap<Box<[u32]>, u32>,
    full: Box<[FullSlot]>,
    half: Box<[HalfSlot]>,
    ops: Vec<u32>,
    template_of: Vec<u64>,
    long_times: Vec<u64>,
    delta16: Vec<u64>,
    delta32: Vec<u64>,
    known: Vec<u64>,
    new: Vec<u64>,
}

impl Encoder {
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        let mut zstd = Compressor::new(level)?;
        zstd.include_contentsize(false)?;
        Ok(Self {
            zstd,
            columns: Columns::default(),
            scratch: Vec::new(),
            thread_numbers: FxHashMap::default(),
            threads: Vec::new(),
            order: Vec::new(),
            positions: Vec::new(),
            shape_numbers: FxHashMap::default(),
            shapes: Vec::new(),
            templates: FxHashMap::default(),
            full: vec![FullSlot { value: 0, at: NOWHERE, place: NOWHERE }; FULL_SLOTS].into(),
            half: vec![HalfSlot { value: 0, at: NOWHERE, word: 0, part: Part::Low }; HALF_SLOTS].into(),
            ops: Vec::new(),
            template_of: Vec::new(),
            long_times: Vec::new(),
            delta16: Vec::new(),
            delta32: Vec::new(),
            known: Vec::new(),
            new: Vec::new(),
        })
    }

    /// Appends `records` (at most [`MAX_RECORDS`](crate::wire::MAX_RECORDS)) to `out`; returns the length before
    /// compression.
    pub(crate) fn encode(&mut self, records: &[Record], out: &mut Vec<u8>) -> io::Result<usize> {
        let words = <[Words]>::ref_from_bytes(records.as_bytes())
            .map_err(|_| io::Error::other("records are not laid out as words"))?;
        self.reset();
        self.put_order_and_time(words);
        self.put_records(words);
        let Self { columns, template_of, long_times, delta16, delta32, known, new, .. } = self;
        put_planes::<1>(columns.get_mut(Column::Template), template_of);
        if template_of.iter().any(|&t| t > 0xff) {
            columns.get_mut(Column::TemplateHigh).extend(template_of.iter().map(|t| (t >> 8) as u8));
        }
        put_planes::<8>(columns.get_mut(Column::TimeLong), long_times);
        put_planes::<2>(columns.get_mut(Column::Delta16), delta16);
        put_planes::<4>(columns.get_mut(Column::Delta32), delta32);
        put_planes::<2>(columns.get_mut(Column::Known), known);
        put_planes::<8>(columns.get_mut(Column::New), new);
        self.columns.write(&mut self.zstd, &mut self.scratch, out)
    }

    /// The processes of the records that were encoded last, each once or more.
    pub(crate) fn tgids(&self) -> impl Iterator<Item = u32> {
        self.thread_numbers.keys().map(|thread| (thread >> 32) as u32)
    }

    fn reset(&mut self) {
        self.columns.clear();
        self.thread_numbers.clear();
        self.threads.clear();
        self.order.clear();
        self.shape_numbers.clear();
        self.shapes.clear();
        self.templates.clear();
        self.full.fill(FullSlot { value: 0, at: NOWHERE, place: NOWHERE });
        self.half.fill(HalfSlot { value: 0, at: NOWHERE, word: 0, part: Part::Low });
        self.template_of.clear();
        self.long_times.clear();
        self.delta16.clear();
        self.delta32.clear();
        self.known.clear();
        self.new.clear();
    }

    /// Threads, the thread of each record, and times; computes `positions`, the records in thread order.
    fn put_order_and_time(&mut self, words: &[Words]) {
        let Self { columns, thread_numbers, threads, order, positions, long_times, .. } = self;
        let mut last = (0u64, NOWHERE);
        let mut before = 0u64;
        for record in words {
            let thread = record[super::THREAD];
            if last.1 == NOWHERE || last.0 != thread {
                let number = *thread_numbers.entry(thread).or_insert_with(|| {
                    threads.push((thread, 0, (record[SHAPE] >> 32) as u32));
                    threads.len() as u32 - 1
                });
                last = (thread, number);
            }
            threads[last.1 as usize].1 += 1;
            order.push(last.1);
            let delta = zigzag(record[TS].wrapping_sub(before) as i64);
            before = record[TS];
            let short = if delta < 0xffff {
                delta as u16
            } else {
                long_times.push(delta);
                0xffff
            };
            columns.get_mut(Column::Time).push(short as u8);
            columns.get_mut(Column::TimeHigh).push((short >> 8) as u8);
        }
        columns.get_mut(Column::Order).extend(order.iter().map(|&n| n as u8));
        if threads.len() > 256 {
            columns.get_mut(Column::OrderHigh).extend(order.iter().map(|&n| (n >> 8) as u8));
        }
        let meta = columns.get_mut(Column::Meta);
        put_varint(meta, threads.len() as u64);
        let mut next = Vec::with_capacity(threads.len());
        let mut start = 0u32;
        for &(thread, count, cpu) in threads.iter() {
            put_varint(meta, thread & 0xffff_ffff);
            put_varint(meta, thread >> 32);
            put_varint(meta, u64::from(count));
            put_varint(meta, u64::from(cpu));
            next.push(start);
            start += count;
        }
        positions.clear();
        positions.resize(words.len(), 0);
        for (i, &thread) in order.iter().enumerate() {
            let at = &mut next[thread as usize];
            positions[*at as usize] = i as u32;
            *at += 1;
        }
    }

    /// A template and its operands for each record, in thread order.
    fn put_records(&mut self, words: &[Words]) {
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        let positions = std::mem::take(&mut self.positions);
        let mut left = 0u32;
        let mut cpu = 0u64;
        let mut last_shape = (0u32, NOWHERE);
        for (g, &position) in positions.iter().enumerate() {
            if left == 0
                && let Some((_, count, first_cpu)) = threads.next()
            {
                left = count;
                cpu = u64::from(first_cpu);
            }
            left -= 1;
            let record = &words[position as usize];
            let key = record[SHAPE] as u32;
            if last_shape.1 == NOWHERE || last_shape.0 != key {
                let shapes = &mut self.shapes;
                let number = *self.shape_numbers.entry(key).or_insert_with(|| {
                    shapes.push((NOWHERE, halves(key as u16)));
                    shapes.len() as u32 - 1
                });
                last_shape = (key, number);
            }
            let shape = &mut self.shapes[last_shape.1 as usize];
            let base = if shape.0 == NOWHERE { &[0; WORDS] } else { &words[shape.0 as usize] };
            let halves = shape.1;
            shape.0 = position;
            self.ops.clear();
            self.ops.push(last_shape.1);
            self.put_changes(g as u32, record, base, cpu, halves);
            cpu = record[SHAPE] >> 32;
            let template = self.template(key);
            self.template_of.push(u64::from(template));
        }
        self.positions = positions;
    }

    /// Pushes the ops that make `record` of `base`, and their operands.
    fn put_changes(&mut self, g: u32, record: &Words, base: &Words, cpu: u64, halves: u16) {
        if record[SHAPE] >> 32 != cpu {
            self.put_half(g, SHAPE, Part::High, (record[SHAPE] >> 32) as u32, cpu as u32);
        }
        let mut changed = 0u16;
        for w in 0..WORDS {
            changed |= u16::from(record[w] != base[w]) << w;
        }
        changed &= !(1 << TS | 1 << super::THREAD | 1 << SHAPE);
        while changed != 0 {
            let w = changed.trailing_zeros() as usize;
            changed &= changed - 1;
            let (value, old) = (record[w], base[w]);
            if halves >> w & 1 == 1 {
                if value as u32 != old as u32 {
                    self.put_half(g, w, Part::Low, value as u32, old as u32);
                }
                if value >> 32 != old >> 32 {
                    self.put_half(g, w, Part::High, (value >> 32) as u32, (old >> 32) as u32);
                }
            } else {
                self.put_full(g, w, value, old);
            }
        }
    }

    fn put_full(&mut self, g: u32, w: usize, value: u64, old: u64) {
        if value == 0 {
            self.ops.push(Op::new(w, Part::Full, From::Zero).pack());
            return;
        }
        let slot = &mut self.full[(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51) as usize % FULL_SLOTS];
        let seen = if slot.value == value && slot.at != NOWHERE { Some(*slot) } else { None };
        let mut dict = seen.map_or(NO_DICT, |seen| seen.place >> 4);
        let near = seen.filter(|seen| g - seen.at <= NEAR);
        let delta = value.wrapping_sub(old) as i64;
        let op = if let Some(seen) = near {
            let source = (seen.place & 15) as u8;
            Op { source, back: (g - seen.at) as u8, ..Op::new(w, Part::Full, From::Copy) }
        } else if let Ok(delta) = i8::try_from(delta) {
            self.columns.get_mut(Column::Delta8).push(delta as u8);
            Op::new(w, Part::Full, From::Delta8)
        } else if dict <= 0xffff {
            self.known.push(u64::from(dict));
            Op::new(w, Part::Full, From::Known)
        } else if value >> 63 == 0
            && let Ok(delta) = i16::try_from(delta)
        {
            self.delta16.push(delta as u64);
            Op::new(w, Part::Full, From::Delta16)
        } else if value >> 63 == 0
            && let Ok(delta) = i32::try_from(delta)
        {
            self.delta32.push(delta as u64);
            Op::new(w, Part::Full, From::Delta32)
        } else {
            dict = self.new.len() as u32;
            self.new.push(value);
            Op::new(w, Part::Full, From::New)
        };
        *slot = FullSlot { value, at: g, place: dict << 4 | w as u32 };
        self.ops.push(op.pack());
    }

    fn put_half(&mut self, g: u32, w: usize, part: Part, value: u32, old: u32) {
        let mut near = None;
        if value > SMALL && value != u32::MAX {
            let slot = &mut self.half[(value.wrapping_mul(0x9e37_79b9) >> 21) as usize % HALF_SLOTS];
            if slot.value == value && slot.at != NOWHERE && g - slot.at <= NEAR {
                near = Some(*slot);
            }
            *slot = HalfSlot { value, at: g, word: w as u8, part };
        }
        let delta = value.wrapping_sub(old) as i32;
        let op = if let Some(seen) = near {
            let back = (g - seen.at) as u8;
            Op { source: seen.word, source_part: seen.part, back, ..Op::new(w, part, From::Copy) }
        } else if value == 0 {
            Op::new(w, part, From::Zero)
        } else if let Ok(delta) = i8::try_from(delta) {
            self.columns.get_mut(Column::Delta8).push(delta as u8);
            Op::new(w, part, From::Delta8)
        } else if let Ok(delta) = i16::try_from(delta) {
            self.delta16.push(delta as u64);
            Op::new(w, part, From::Delta16)
        } else {
            self.delta32.push(delta as u64);
            Op::new(w, part, From::Delta32)
        };
        self.ops.push(op.pack());
    }

    /// The number of the template in `ops`; a new one is written to the meta column.
    fn template(&mut self, shape: u32) -> u32 {
        if let Some(&number) = self.templates.get(self.ops.as_slice()) {
            return number;
        }
        let number = self.templates.len() as u32;
        self.templates.insert(self.ops.as_slice().into(), number);
        let meta = self.columns.get_mut(Column::Meta);
        put_varint(meta, u64::from(shape));
        let ops = self.ops.get(1..).unwrap_or(&[]);
        meta.push(ops.len() as u8);
        for op in ops {
            let [low, high, back, _] = op.to_le_bytes();
            meta.extend_from_slice(&[low, high]);
            if low >> 4 == From::Copy as u8 {
                meta.push(back);
            }
        }
        number
    }
}

/// Which words are two 32-bit fields, for a probe number. Only a hint: any choice decodes.
fn halves(probe: u16) -> u16 {
    let payload: u16 = match ProbeId::from_wire(probe).map(ProbeId::layout) {
        Ok(Layout::Gem) => 1 << 6 | 1 << 7,
        Ok(Layout::DrmFile | Layout::Buf) => 1 << 5,
        Ok(Layout::Prime) => 1 << 5 | 1 << 6,
        Ok(Layout::ChangeHandle) => 1 << 1,
        Ok(Layout::BufExport | Layout::Framebuffer) => 1 << 6,
        Ok(Layout::Attachment) => 1 << 6 | 1 << 9,
        Ok(Layout::BufAccess) => 1 << 2,
        Ok(Layout::BufIoctl) => 1 << 3,
        Ok(Layout::Process) => 1 << 0 | 1 << 1 | 1 << 4,
        Ok(Layout::Scope) => 1 << 0,
        Ok(Layout::Settle) => 1 << 1 | 1 << 2 | 1 << 3,
        Ok(Layout::SeenFd) => 1 << 2 | 1 << 3,
        Ok(Layout::Mapping | Layout::Missed | Layout::Mark) | Err(_) => 0,
    };
    payload << PAYLOAD | 1 << STACKS
}
