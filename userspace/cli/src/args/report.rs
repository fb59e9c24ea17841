//! Arguments of `report`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gemscope_common::Profile;

use super::AtExit;
use crate::place::Place;
use crate::values::{self, Source};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = REPORT_CODES)]
pub struct ReportArgs {
    /// The trace
    #[arg(required_unless_present = "source")]
    pub file: Option<PathBuf>,
    /// The page to write; `-` for stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Place,
    /// Judge by the rules of another kernel era
    #[arg(long, value_name = "PROFILE", value_parser = values::profile, conflicts_with = "source")]
    pub profile: Option<Profile>,
    /// What to make of things open at a normal exit [default: as recorded]
    #[arg(long, value_enum, value_name = "MODE")]
    pub at_exit: Option<AtExit>,
    /// Instead of a trace one run of a scenario in the model: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`
    #[arg(
        long,
        value_name = "SOURCE",
        value_parser = values::source,
        conflicts_with = "file",
        help_heading = "Model"
    )]
    pub source: Option<Source>,
    /// Which interleaving runs: the same number always gives the same one
    #[arg(long, value_name = "N", default_value_t = 1, requires = "source", help_heading = "Model")]
    pub seed: u64,
    /// Run the shortest interleaving that goes wrong, if there is one
    #[arg(long, requires = "source", conflicts_with = "seed", help_heading = "Model")]
    pub worst: bool,
}

const REPORT_CODES: &str = "\
One file that loads nothing: a browser shows it, on a phone too, and prints it. `page.html#finding-3`
leads to the third finding.

Exit codes are about the writing; `gemscope replay` and `gemscope check` have the verdict in theirs:
  0  written
  2  could not: usage, input or output
  3  written from a damaged trace, of which only a part could be read: the page says so on top";
