//! Arguments of `snapshot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use gemscope_report::snapshot::{By, Sort};

use crate::place::Place;
use crate::values;

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
#[command(after_help = CODES, after_long_help = HELP)]
pub struct SnapshotArgs {
    /// Only what this process has; may be given again
    #[arg(short, long, value_name = "PID", conflicts_with = "diff")]
    pub pid: Vec<u32>,
    /// Only what processes of this name have; may be given again
    #[arg(long, value_name = "NAME", value_parser = values::comm, conflicts_with = "diff")]
    pub comm: Vec<String>,
    /// What the tree begins with
    #[arg(long, value_enum, value_name = "WHAT", default_value_t, conflicts_with_all = ["json", "csv", "diff"])]
    pub by: Grouping,
    /// The order of dma-bufs
    #[arg(long, value_enum, value_name = "ORDER", default_value_t, conflicts_with = "diff")]
    pub sort: Order,
    /// Print JSON lines, which `--diff` can compare
    #[arg(long)]
    pub json: bool,
    /// Print a grid for spreadsheets: a row for each dma-buf, two columns for each process
    #[arg(long, conflicts_with_all = ["json", "diff"])]
    pub csv: bool,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Option<Place>,
    /// Compare two snapshots that were saved with --json, the older one first
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"])]
    pub diff: Vec<PathBuf>,
}

/// What the tree begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Grouping {
    /// Dma-bufs, and who holds each
    #[default]
    Buffer,
    /// Processes, and what each holds
    Process,
}

/// The order of dma-bufs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The biggest first
    #[default]
    Size,
    /// Those that most processes hold first
    Holders,
    /// The oldest first
    Inode,
}

impl From<Grouping> for By {
    fn from(grouping: Grouping) -> Self {
        match grouping {
            Grouping::Buffer => Self::Buffer,
            Grouping::Process => Self::Process,
        }
    }
}

impl From<Order> for Sort {
    fn from(order: Order) -> Self {
        match order {
            Order::Size => Self::Size,
            Order::Holders => Self::Holders,
            Order::Inode => Self::Inode,
        }
    }
}

const CODES: &str = "\
Exit codes:
  0  everything was seen; with --diff always
  2  could not run: usage, input or output
  3  something could not be seen: the report says what";

const HELP: &str = "\
Without root it sees what your own processes hold. With root it also sees what nothing in user space
holds: from Linux 6.16 on by the kernel's own list of dma-bufs, before by debugfs.

Before and after something that may leak:
  gemscope snapshot --json -o before
  gemscope snapshot --json -o after
  gemscope snapshot --diff before after

Exit codes:
  0  everything was seen; with --diff always
  2  could not run: usage, input or output
  3  something could not be seen: the report says what";
