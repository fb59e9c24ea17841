//! A block of records as bytes: columns in which little changes, each compressed by itself.
//!
//! Records of one thread lie together (a thread repeats itself; four interleaved do not). Each record is told as a
//! *template* applied to the last record of the same shape (probe, phase, flags): a template is the list of fields that
//! differ and where each new value comes from: zero, a field of a record shortly before, a small difference, a value of
//! the block's dictionary, or a new value. Rounds of buffer work repeat their templates, so most of a record is one
//! number that zstd makes almost nothing of; what remains is time, order, and values never seen before.
//!
//! Everything the decoder needs is in the block: blocks can be read in any order, and neither the payload structs nor
//! the probe table of the reader matter.

mod decode;
mod encode;
mod streams;

pub(crate) use decode::Decoder;
pub(crate) use encode::Encoder;

/// A record as 16 little-endian words: 0 time, 1 drops, 2 return value, 3 tid and tgid, 4 stacks, 5 probe phase flags
/// cpu, 6 to 15 payload.
pub(crate) type Words = [u64; WORDS];

pub(crate) const WORDS: usize = 16;
const TS: usize = 0;
const THREAD: usize = 3;
const STACKS: usize = 4;
const SHAPE: usize = 5;
/// The first payload word.
const PAYLOAD: usize = 6;

const _: () = assert!(WORDS * 8 == gemscope_common::RECORD_MAX);

/// Part of a word that an op changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Part {
    Full = 0,
    Low = 1,
    High = 2,
}

/// Where an op's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum From {
    /// it is 0
    Zero = 0,
    /// a field of this record or of one shortly before, in thread order
    Copy = 1,
    /// the old value and a signed difference of 8 bits
    Delta8 = 2,
    /// the same of 16 bits
    Delta16 = 3,
    /// the same of 32 bits
    Delta32 = 4,
    /// a new value of the block's dictionary, by number (16 bits)
    Known = 5,
    /// a value that the dictionary did not have; it joins it
    New = 6,
}

/// One change of a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Op {
    word: u8,
    part: Part,
    from: From,
    /// `Copy`: the word to copy from
    source: u8,
    /// `Copy`: the part to copy from
    source_part: Part,
    /// `Copy`: how many records back; 0 is a word of this record that an earlier op has set
    back: u8,
}

impl Op {
    const fn new(word: usize, part: Part, from: From) -> Self {
        Self { word: word as u8, part, from, source: 0, source_part: Part::Full, back: 0 }
    }

    /// The op as a number, for the encoder's table of templates and for the file (3 bytes for `Copy`, else 2).
    const fn pack(self) -> u32 {
        self.word as u32
            | (self.from as u32) << 4
            | (self.part as u32) << 8
            | (self.source as u32) << 10
            | (self.source_part as u32) << 14
            | (self.back as u32) << 16
    }

    /// The inverse of [`Op::pack`]; `None` for what no encoder writes.
    fn unpack(value: u32) -> Option<Self> {
        let part = |bits: u32| match bits & 3 {
            0 => Some(Part::Full),
            1 => Some(Part::Low),
            2 => Some(Part::High),
            _ => None,
        };
        let from = match value >> 4 & 15 {
            0 => From::Zero,
            1 => From::Copy,
            2 => From::Delta8,
            3 => From::Delta16,
            4 => From::Delta32,
            5 => From::Known,
            6 => From::New,
            _ => return None,
        };
        let op = Self {
            word: (value & 15) as u8,
            part: part(value >> 8)?,
            from,
            source: (value >> 10 & 15) as u8,
            source_part: part(value >> 14)?,
            back: (value >> 16) as u8,
        };
        let word = usize::from(op.word);
        let takes_word = matches!(op.from, From::Known | From::New);
        let fits = word != TS && word != THREAD && (word != SHAPE || op.part == Part::High);
        let sized = op.part == Part::Full || !takes_word;
        let sourced = match op.from {
            From::Copy => (op.part == Part::Full) == (op.source_part == Part::Full),
            _ => op.source == 0 && op.source_part == Part::Full && op.back == 0,
        };
        (fits && sized && sourced && value >> 24 == 0).then_some(op)
    }
}

/// The columns of a block, in the order they lie in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
enum Column {
    /// threads and templates
    Meta = 0,
    /// which thread, per record, in record order: low bytes
    Order,
    /// the same, high bytes; empty with 256 threads or fewer
    OrderHigh,
    /// which template, per record, in thread order: low bytes
    Template,
    /// the same, high bytes; empty with 256 templates or fewer
    TemplateHigh,
    /// zigzag time difference to the record before, in record order: low bytes
    Time,
    /// the same, high bytes; 0xffff in both is in `TimeLong`
    TimeHigh,
    /// long time differences, 8 planes
    TimeLong,
    /// operands of `Delta8`
    Delta8,
    /// operands of `Delta16`, 2 planes
    Delta16,
    /// operands of `Delta32`, 4 planes
    Delta32,
    /// operands of `Known`, 2 planes
    Known,
    /// operands of `New`, 8 planes
    New,
}

const COLUMNS: usize = Column::New as usize + 1;

#[cfg(test)]
mod tests;
