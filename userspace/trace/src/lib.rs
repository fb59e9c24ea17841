//! The trace file: what was observed, on disk, so that it can be judged on any machine.
//!
//! [`Writer`] takes [`Record`](gemscope_common::Record)s and [`Definition`]s and makes blocks of them; [`Reader`]
//! gives them back in order, with [`Definitions`] filled before the first record, and says where something is
//! missing instead of hiding it. `FORMAT.md` beside this crate describes the bytes.
//!
//! What this crate is for: a lossless, compact, seekable file that survives `kill -9`, a full disk and flipped bits up
//! to the last whole block, and never gives a wrong record. What it is not for: judging records (the engine does),
//! finding names for addresses (the live source does), or escaping names for a terminal (the views do).
//!
//! ```
//! use gemscope_common::{Mark, Phase, ProbeId, Record};
//! use gemscope_trace::{Reader, TraceHeader, Writer};
//! use std::io::Cursor;
//!
//! let mut bytes = Vec::new();
//! let mut writer = Writer::new(&mut bytes, &TraceHeader::default())?;
//! writer.write(&Record::new(ProbeId::Mark, Phase::Point, &Mark::default()))?;
//! writer.finish()?;
//!
//! let mut reader = Reader::new(Cursor::new(bytes), "memory")?;
//! let mut records = Vec::new();
//! while let Some(batch) = reader.next_batch(&mut records)? {
//!     assert!(batch.gap.is_none());
//!     assert_eq!(records[0].probe(), Some(ProbeId::Mark));
//! }
//! # Ok::<(), gemscope_trace::TraceError>(())
//! ```

#[cfg(not(target_endian = "little"))]
compile_error!("the trace codec reads the words of a record as little-endian; this target is big-endian");

mod bytes;
mod codec;
mod definition;
mod definitions;
mod error;
mod flight;
mod header;
mod index;
mod pointers;
mod prefetch;
mod prelude;
mod reader;
mod runner;
#[doc(hidden)]
pub mod sample;
mod scan;
mod wire;
mod writer;

pub use definition::{Definition, Inlined, Name, Process, Stack, StackKind, Symbol, TestCase};
pub use definitions::{Definitions, Frame};
pub use error::{Damage, TraceError};
pub use flight::{Flight, Flown};
pub use header::{AtExit, Clock, Host, ProbeEntry, ProbeLayout, ProbeState, ScopeInfo, TraceHeader};
pub use pointers::{Pseudonyms, pointer_words, return_is_pointer};
pub use prefetch::PrefetchReader;
pub use prelude::Prelude;
pub use reader::{Batch, End, Gap, Reader};
pub use runner::{Runner, base_name, script};
pub use wire::{FORMAT_VERSION, is_trace};
pub use writer::{Options, Summary, Writer};
