//! What `check` asserts beyond the kernel's rules, and about whom.

use std::path::PathBuf;

use clap::Args;
use gemscope_policy::{Config, Kind, Leniency, Limits, Scope};

use crate::values;

/// Limits that a project sets itself.
#[derive(Clone, Debug, Default, Args)]
pub struct LimitArgs {
    /// What to make of an undecided verdict [default: fail]
    #[arg(long, value_name = "HOW", value_parser = values::leniency,
        help_heading = "Assertions",
        long_help = "What to make of an undecided verdict: `fail` ends with 3, `pass` with 0, `warn` with 0 and a word on stderr [default: fail]"
    )]
    pub undecided: Option<Leniency>,
    /// At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given
    /// again
    #[arg(long, value_name = "KIND=N", value_parser = values::limit, help_heading = "Assertions")]
    pub budget: Vec<(Kind, u64)>,
    /// At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again
    #[arg(long, value_name = "KIND=N", value_parser = values::limit, help_heading = "Assertions")]
    pub at_least: Vec<(Kind, u64)>,
    /// From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs,
    /// attachments and framebuffers each; may be given again
    #[arg(long, value_name = "[KIND=]N", value_parser = values::growth, help_heading = "Assertions")]
    pub max_growth: Vec<values::Growth>,
    /// Nothing that was taken since the start is held for longer than this
    #[arg(long, value_name = "SECS", value_parser = values::seconds, help_heading = "Assertions")]
    pub older: Option<f64>,
    /// So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]
    #[arg(long, value_name = "N", help_heading = "Assertions")]
    pub warm_up: Option<u32>,
}

impl LimitArgs {
    /// As the policy takes them: an option over the configuration, kind by kind.
    #[must_use]
    pub fn limits(&self, config: &Config) -> Limits {
        let growth = self.max_growth.iter().flat_map(|growth| growth.limits());
        Limits {
            growth: over(growth.collect(), &config.growth.max),
            growth_is_asked: !self.max_growth.is_empty(),
            budgets: over(self.budget.clone(), &config.budget),
            least: over(self.at_least.clone(), &config.at_least),
            older_ns: self.older.or(config.growth.older).map(|secs| (secs * 1e9) as u64),
            warm_up: self.warm_up.or(config.growth.warm_up),
        }
    }
}

/// These limits, and of the others those of kinds that are not among them. The last one of a kind counts.
fn over(mut asked: Vec<(Kind, u64)>, others: &[(Kind, u64)]) -> Vec<(Kind, u64)> {
    asked.reverse();
    asked.extend(others);
    asked.sort_by_key(|(kind, _)| *kind);
    asked.dedup_by_key(|(kind, _)| *kind);
    asked
}

/// About whom a verdict is, and when it is made.
#[derive(Clone, Debug, Default, Args)]
pub struct ScopeArgs {
    /// Judge these too, beside CMD and what it starts: pid:N or comm:NAME and what they start, cgroup:PATH, or the whole machine; may
    /// be given again
    #[arg(long, value_name = "WHO", value_parser = values::scope, conflicts_with = "source", help_heading = "Scope",
          long_help = "Judge these too, beside CMD and what it starts: `pid:N` or `comm:NAME` and what they start from now on, `cgroup:PATH` (the \
                       processes in it now and what they start), or the whole `machine`; may be given again. What they held before is not \
                       blamed on anybody. They go on, so that what they still hold at the end is no leak: what they do is held against the \
                       rules, and what they hold against limits and growth. Nothing is filtered in the kernel.")]
    pub scope: Vec<Scope>,
    /// A process of this name outlives CMD on purpose: it is not waited for, and what it holds is no leak; may be given again
    #[arg(long, value_name = "NAME", conflicts_with = "source", help_heading = "Scope")]
    pub survivor: Vec<String>,
    /// Without CMD: judge what happens in so many seconds
    #[arg(short, long, value_name = "SECS", value_parser = values::seconds, conflicts_with_all = ["source", "command"], help_heading = "Scope")]
    pub duration: Option<f64>,
    /// Take CMD as an action that is done so often, and find what grows with it, in whatever process
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), requires = "command", help_heading = "Scope",
          long_help = "Take CMD as an action that is done N times, and find what grows with it: call sites that take something in cycle after cycle \
                       and do not give it back. Growth is judged in every process, or with --scope in CMD and those. A pool that fills to its \
                       cap is not growth; what grows once in seven cycles is found in some sixty. The marks `cycle 0` to `cycle N` are set.")]
    pub cycles: Option<u32>,
    /// After each cycle, give the watched processes this long to finish, in milliseconds [default: 100]
    #[arg(long, value_name = "MS", help_heading = "Scope")]
    pub pause: Option<u64>,
    /// Listen for `mark NAME` on a socket at this path instead of one without a file
    #[arg(long, value_name = "FILE", value_parser = values::file(), conflicts_with = "source", help_heading = "Scope")]
    pub control: Option<PathBuf>,
}

/// Arguments of `mark`.
#[derive(Debug, Args)]
#[command(
    after_help = "It returns once the mark stands in the records. A signal does it too: `kill -USR1 PID` of gemscope sets the mark \
`SIGUSR1`.\n\nMarks of one name, with or without a number at its end, are a series: at each, the program should be where it was at the one before. \
`check` judges what grows from one to the next."
)]
pub struct MarkArgs {
    /// The mark's name, at most 32 bytes
    #[arg(value_parser = values::mark)]
    pub name: String,
    /// Which gemscope: its pid or its socket [default: the one that runs this, or the only one]
    #[arg(long, value_name = "PID|SOCKET")]
    pub to: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_win_over_the_file_kind_by_kind() {
        let config = "[budget]\nhandles = 12\nobjects = 3\n[at-least]\nobjects = 1\nbytes = \"4K\"\n[growth]\nolder = 30\n[growth.max]\nhandles = 1\n";
        let config = Config::parse(config, "").unwrap();
        let args = LimitArgs {
            budget: vec![(Kind::Handles, 1), (Kind::Handles, 2), (Kind::Bytes, 9)],
            ..LimitArgs::default()
        };
        let limits = args.limits(&config);
        assert_eq!(limits.budgets, [(Kind::Handles, 2), (Kind::Objects, 3), (Kind::Bytes, 9)]);
        assert_eq!((limits.growth.as_slice(), limits.growth_is_asked), (&[(Kind::Handles, 1)][..], false));
        assert_eq!(limits.least, [(Kind::Objects, 1), (Kind::Bytes, 4096)]);
        assert_eq!((limits.older_ns, limits.warm_up), (Some(30_000_000_000), None));
    }
}
