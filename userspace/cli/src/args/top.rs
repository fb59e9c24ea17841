//! Arguments of `top`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;

use super::{CaptureArgs, ModelArgs};
use crate::values;

/// Arguments of `top`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TopArgs {
    /// Go through this trace instead of watching the kernel: no root, no GPU
    #[arg(long, value_name = "FILE", conflicts_with_all = ["capture", "source", "seed", "worst", "output"])]
    pub replay: Option<PathBuf>,
    /// The model instead of a kernel
    #[command(flatten)]
    pub model: ModelArgs,
    /// Write a trace of what is watched too
    #[arg(short, long, value_name = "FILE", value_parser = values::file(), conflicts_with_all = ["source", "seed", "worst"])]
    pub output: Option<PathBuf>,
    /// Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]
    #[arg(short, long, value_name = "SECS", value_parser = values::seconds)]
    pub delay: Option<f64>,
    /// Print as text, so many times; without a terminal, text is printed until the end
    #[arg(short = 'n', long, value_name = "N")]
    pub iterations: Option<NonZeroU64>,
    /// Store kernel addresses as they are instead of stand-ins
    #[arg(long, requires = "output")]
    pub raw_addresses: bool,
    /// How to observe
    #[command(flatten)]
    pub capture: CaptureArgs,
}

const HELP: &str = "\
Keys: `?` shows them all. 1 to 4 choose the view, Enter looks closer, / filters, s sorts, m sets a mark to count growth
from, w writes a finding to a file, q quits.

It exits with 0: it shows, and judges nothing. `gemscope check` does.";
