//! What can be wrong with a trace, each with the value that shows it and what to do.

use std::io;

/// Why a trace cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file could not be opened.
    #[error("cannot open `{name}`: {source}")]
    Open {
        /// path as given
        name: String,
        /// the system's reason
        source: io::Error,
    },
    /// The file could not be created.
    #[error("cannot create the trace `{name}`: {source}; choose another place with `-o FILE`")]
    Create {
        /// path as given
        name: String,
        /// the system's reason
        source: io::Error,
    },
    /// The path to write to is not something a trace may replace.
    #[error("will not write a trace to `{name}`: it is {what}; choose another place with `-o FILE`")]
    Target {
        /// path as given
        name: String,
        /// what lies there
        what: &'static str,
    },
    /// Reading failed half way.
    #[error("cannot read `{name}` at byte `{offset}`: {source}")]
    Read {
        /// path as given
        name: String,
        /// file offset in bytes
        offset: u64,
        /// the system's reason
        source: io::Error,
    },
    /// Nothing in the file.
    #[error("`{name}` is empty: the recording ended before it began; record again")]
    Empty {
        /// path as given
        name: String,
    },
    /// The file is something else.
    #[error(
        "not a gemscope trace: `{name}` begins with {found}; traces are written by `gemscope record -o FILE`"
    )]
    NotATrace {
        /// path as given
        name: String,
        /// the first bytes, printable
        found: String,
    },
    /// Made by a newer gemscope.
    #[error(
        "`{name}` has format version `{version}` and this gemscope knows versions up to `{known}`; read it with a newer gemscope"
    )]
    Newer {
        /// path as given
        name: String,
        /// version found
        version: u16,
        /// newest version this crate reads
        known: u16,
    },
    /// The file ends inside its header.
    #[error(
        "the trace `{name}` is cut at byte `{at}`, inside its header: no record can be read; record again"
    )]
    CutHeader {
        /// path as given
        name: String,
        /// length of the file in bytes
        at: u64,
    },
    /// The header is damaged, so nothing after it can be understood.
    #[error(
        "the header of the trace `{name}` is damaged ({why}): no record can be read; copy the file again or record again"
    )]
    Header {
        /// path as given
        name: String,
        /// what is wrong
        why: String,
    },
    /// A header that cannot be stored.
    #[error("the trace header cannot be stored: {0}")]
    HeaderTooLarge(String),
    /// Writing failed; said once, later records are counted and dropped.
    #[error(
        "writing the trace failed: {source}; the first `{records}` records ({bytes} bytes) are safe and can be replayed"
    )]
    Write {
        /// the system's reason
        source: io::Error,
        /// records in whole blocks
        records: u64,
        /// length of the readable part in bytes
        bytes: u64,
    },
    /// The decoding thread could not be made or ended early.
    #[error("the thread that reads the trace ahead is gone: {0}")]
    Thread(String),
}

/// Why part of a trace could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A block's contents do not have the checksum that its header promises.
    #[error(
        "the block at byte `{offset}` of the trace is damaged (checksum); copy the file again if you can"
    )]
    Checksum {
        /// file offset of the block
        offset: u64,
    },
    /// A block has the right checksum and contents that make no sense.
    #[error(
        "the block at byte `{offset}` of the trace cannot be decoded ({why}); it was written by a broken program"
    )]
    Contents {
        /// file offset of the block
        offset: u64,
        /// what makes no sense
        why: &'static str,
    },
    /// No block begins where one should.
    #[error(
        "bytes `{offset}` to `{to}` of the trace are not readable as blocks; copy the file again if you can"
    )]
    Hole {
        /// file offset of the first byte
        offset: u64,
        /// file offset after the last byte
        to: u64,
    },
    /// The file ends inside a block.
    #[error("the trace is cut at byte `{at}`: `{records}` records before it are intact")]
    Cut {
        /// length of the file in bytes
        at: u64,
        /// records in whole blocks
        records: u64,
    },
    /// The numbers of the blocks do not follow each other, though each block is whole.
    #[error("the trace has no block for records `{from}` to `{to}`")]
    Missing {
        /// number of the first missing record
        from: u64,
        /// number after the last missing record
        to: u64,
    },
}
