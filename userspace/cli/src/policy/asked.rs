//! What is asked of a check: an option over the configuration, the configuration over what is usual.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gemscope_policy::{Config, Leniency, Scope};

use crate::args::{CheckArgs, GRACE_MS, PAUSE_MS};
use crate::capture::Cycles;

/// What counts of what options and the configuration say.
#[derive(Debug)]
pub struct Asked {
    /// how long the kernel gets to finish
    pub grace: Duration,
    /// end after this time
    pub limit: Option<Duration>,
    /// whom it is about beside the command
    pub scope: Vec<Scope>,
    /// processes that may go on
    pub survivors: Vec<String>,
    /// how often the command is run
    pub cycles: Option<Cycles>,
    /// the trace to keep when something is found
    pub trace_on_failure: Option<PathBuf>,
    /// what to make of a command that fails
    pub failing_command: Leniency,
}

impl Asked {
    /// Merges both. What the configuration names begins at its `folder`. How long to watch is the configuration's business only without a
    /// command, how long a command may take and how often it is run only with one.
    pub fn of(args: &CheckArgs, config: &Config, folder: &Path) -> Self {
        let (check, growth) = (&config.check, &config.growth);
        let alone = args.command.is_empty();
        let limit = match alone {
            true => args.scope.duration.or(args.timeout).or(check.duration),
            false => args.timeout.or(check.timeout),
        };
        let times = args.scope.cycles.or(growth.cycles).filter(|_| !alone);
        let pause = Duration::from_millis(args.scope.pause.or(growth.pause).unwrap_or(PAUSE_MS));
        Self {
            grace: Duration::from_millis(args.grace.or(check.grace).unwrap_or(GRACE_MS)),
            limit: limit.map(Duration::from_secs_f64),
            scope: or(&args.scope.scope, &check.scope),
            survivors: or(&args.scope.survivor, &check.survivors),
            cycles: times.map(|times| Cycles { times, pause }),
            trace_on_failure: args
                .trace_on_failure
                .clone()
                .or_else(|| check.trace_on_failure.as_ref().map(|path| folder.join(path))),
            failing_command: args.failing_command.or(check.failing_command).unwrap_or(Leniency::Warn),
        }
    }
}

/// What was asked for on the command line, and else what is in the file.
fn or<T: Clone>(args: &[T], config: &[T]) -> Vec<T> {
    if args.is_empty() { config.to_vec() } else { args.to_vec() }
}
