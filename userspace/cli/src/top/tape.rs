//! Records that can be read again from any point: a trace file, or those of a run of the model.

use std::fs::File;

use gemscope_common::Record;
use gemscope_trace::{Reader, TraceError};

/// Records in order, and where in them one is.
pub struct Tape {
    source: Source,
    batch: Vec<Record>,
    first_seq: u64,
    at: usize,
}

enum Source {
    File(Box<Reader<File>>),
    Memory(Vec<Record>),
}

/// A place on the tape to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    first_seq: u64,
    at: usize,
}

/// What the tape gives next.
pub enum Next<'a> {
    /// Records are missing here, and why.
    Gap(String),
    /// Records, in order.
    Records(&'a [Record]),
    /// There are none any more.
    End,
}

impl Tape {
    /// A trace.
    #[must_use]
    pub fn file(reader: Reader<File>) -> Self {
        Self { source: Source::File(Box::new(reader)), batch: Vec::new(), first_seq: 0, at: 0 }
    }

    /// Records in memory.
    #[must_use]
    pub const fn memory(records: Vec<Record>) -> Self {
        Self { source: Source::Memory(records), batch: Vec::new(), first_seq: 0, at: 0 }
    }

    /// At most `most` records.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self, most: usize) -> Result<Next<'_>, TraceError> {
        let (records, at) = match &mut self.source {
            Source::Memory(records) => (&*records, &mut self.at),
            Source::File(reader) => {
                while self.at >= self.batch.len() {
                    let Some(batch) = reader.next_batch(&mut self.batch)? else {
                        self.batch.clear();
                        return Ok(Next::End);
                    };
                    (self.first_seq, self.at) = (batch.first_seq, 0);
                    if let Some(gap) = batch.gap {
                        return Ok(Next::Gap(gap.why.to_string()));
                    }
                }
                (&self.batch, &mut self.at)
            }
        };
        let rest = records.get(*at..).unwrap_or_default();
        let some = rest.get(..most.min(rest.len())).unwrap_or_default();
        *at += some.len();
        Ok(if some.is_empty() { Next::End } else { Next::Records(some) })
    }

    /// Where it is now. Good for going back to once something was read.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { first_seq: self.first_seq, at: self.at }
    }

    /// Goes there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn go(&mut self, place: Place) -> Result<(), TraceError> {
        if let Source::File(reader) = &mut self.source {
            reader.seek(place.first_seq);
            // The gap before these records was told when they came first.
            if reader.next_batch(&mut self.batch)?.is_none() {
                self.batch.clear();
            }
        }
        (self.first_seq, self.at) = (place.first_seq, place.at);
        Ok(())
    }
}
