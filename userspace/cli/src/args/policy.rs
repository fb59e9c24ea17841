//! Arguments of everything that judges: what to let pass.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::place::Place;
use crate::values;

/// What to let pass: the configuration, suppressions, the baseline.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "policy", multiple = true)]
pub struct PolicyArgs {
    /// Read settings and suppressions from this file [default: gemscope.toml, if it is there]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Policy")]
    pub config: Option<PathBuf>,
    /// Leave gemscope.toml alone
    #[arg(long, help_heading = "Policy")]
    pub no_config: bool,
    /// Read suppressions from this file too; may be given again
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub suppress: Vec<PathBuf>,
    /// Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When
    /// they are printed the report goes to stderr
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::AnyPath,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-",
        help_heading = "Policy"
    )]
    pub gen_suppressions: Option<Place>,
    /// Accept what this file says was there before, and no more of it
    #[arg(long, value_name = "FILE", value_parser = values::file(), help_heading = "Policy")]
    pub baseline: Option<PathBuf>,
    /// Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default
    /// file: gemscope-baseline.toml]
    #[arg(long, help_heading = "Policy")]
    pub update_baseline: bool,
}
