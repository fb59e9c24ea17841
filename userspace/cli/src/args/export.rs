//! Arguments of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::place::Place;
use crate::values::{self, Source};

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ExportArgs {
    /// The trace
    #[arg(required_unless_present = "source", conflicts_with = "source")]
    pub file: Option<PathBuf>,
    /// What to make of it
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Format,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Option<Place>,
    /// Stop after the record with this number
    #[arg(long, value_name = "SEQ")]
    pub until: Option<u64>,
    /// csv: which table [default: events]
    #[arg(long, value_enum, value_name = "TABLE", help_heading = "CSV")]
    pub table: Option<Table>,
    /// folded: what a stack's number is [default: bytes]
    #[arg(long, value_enum, value_name = "VALUE", help_heading = "Folded stacks")]
    pub value: Option<Value>,
    /// folded: which references [default: all, told apart by the second frame]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Folded stacks")]
    pub what: Option<What>,
    /// folded: at which moment: `end`, `peak` (most bytes in live buffers; with `--value count`, most live handles), or
    /// after the record with this number [default: end]
    #[arg(long, value_name = "SEQ", value_parser = moment, conflicts_with = "until", help_heading = "Folded stacks")]
    pub at: Option<Moment>,
    /// folded: two numbers for each stack: what stood after this record, and what stood at the moment of --at
    #[arg(long, value_name = "SEQ", help_heading = "Folded stacks")]
    pub since: Option<u64>,
    /// Take the records of one run of a scenario in the model instead of a file: `model:SCENARIO[@PROFILE]`, as in
    /// `gemscope explore`
    #[arg(long, value_name = "SOURCE", value_parser = values::source, help_heading = "Model")]
    pub source: Option<Source>,
    /// Which interleaving runs: the same number always gives the same one
    #[arg(long, value_name = "N", default_value_t = 1, requires = "source", help_heading = "Model")]
    pub seed: u64,
}

const EXIT_CODES: &str = "\
docs/export.md tells what is in each format.

Exit codes:
  0  the whole trace was exported, or as much of it as was asked for
  2  could not run: usage, input or output
  3  the trace is damaged or cut: what can be read of it was exported";

/// Formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Perfetto's native trace: tracks of processes, files, handles and buffers, flows, counters
    Perfetto,
    /// Folded stacks for flame graphs: what stands, by the stacks that took it
    Folded,
    /// A table with commas
    Csv,
    /// JSON lines: everything that happened, then everything that was found
    Jsonl,
}

/// Tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// Everything that happened, in order
    #[default]
    Events,
    /// What buffers live at the end
    Buffers,
    /// Who holds something at the end
    Processes,
    /// Where what stands at the end was taken
    Sites,
    /// Findings and near misses
    Findings,
}

/// What a folded stack's number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Value {
    /// Bytes of the buffers referred to
    #[default]
    Bytes,
    /// References
    Count,
}

/// Which references are folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// GEM handles
    Handles,
    /// dma-buf fds
    Fds,
    /// Attachments of devices
    Attachments,
    /// Framebuffers
    Framebuffers,
    /// All of them
    #[default]
    All,
}

/// A moment of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// After the last record.
    #[default]
    End,
    /// When most was alive.
    Peak,
    /// After this record.
    After(u64),
}

fn moment(text: &str) -> Result<Moment, String> {
    match text {
        "end" => Ok(Moment::End),
        "peak" => Ok(Moment::Peak),
        number => {
            let seq =
                number.parse().map_err(|_| "give the number of a record, `peak` or `end`".to_owned())?;
            Ok(Moment::After(seq))
        }
    }
}
