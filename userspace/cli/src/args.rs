//! Arguments as typed. What they mean together is resolved by the commands.

mod assert;
mod policy;
mod report;
pub mod snapshot;
mod vm;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use gemscope_common::{ProbeId, Profile, scope};
use gemscope_model::Era;
use gemscope_policy::Leniency;

use crate::place::Place;
use crate::reports::{self, Wanted};
use crate::values::{self, Eras, Source};

mod top;
pub use top::TopArgs;
pub mod export;
pub use assert::{LimitArgs, MarkArgs, ScopeArgs};
pub use export::ExportArgs;
pub use policy::PolicyArgs;
pub use report::ReportArgs;
pub use vm::{VmArgs, VmFiles};

/// How long the kernel gets to finish, ms.
pub const GRACE_MS: u64 = 2000;

/// How long what is watched gets after each cycle, ms.
pub const PAUSE_MS: u64 = 100;

/// Exit codes, for the help of every command.
const EXIT_CODES: &str = "\
Exit codes:
  0  clean: nothing was found and nothing could have been missed
  1  findings
  2  could not run: usage, permission, input or output
  3  undecided: something could have been missed; the report says what";

/// Watches GPU buffers from inside the kernel: who leaks them, who breaks the rules of sharing them, who still holds
/// them.
#[derive(Debug, Parser)]
#[command(name = "gemscope", version, max_term_width = 100, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 900)]
    pub color: Color,
    /// Tell what is being done; twice, also what the programs in the kernel say
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 901)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay a bundled trace of a real kernel: no root, no GPU
    Demo(DemoArgs),
    /// Watch every buffer live: who holds it, how it grows, what went wrong
    Top(TopArgs),
    /// Run a command and assert that it leaks no buffer and breaks no rule
    Check(Box<CheckArgs>),
    /// Write what the kernel does into a trace
    Record(RecordArgs),
    /// Set a mark in what another gemscope watches: here, the program should be where it was at the last one
    Mark(MarkArgs),
    /// Judge a trace, on any machine
    Replay(ReplayArgs),
    /// Who holds which buffer now: fds, mappings, attached devices, DRM files
    Snapshot(snapshot::SnapshotArgs),
    /// Make another tool's file of a trace: Perfetto, folded stacks, CSV, JSON lines
    Export(ExportArgs),
    /// Write the report of a trace as one HTML page, for people who do not have it
    Report(ReportArgs),
    /// Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era
    Explore(ExploreArgs),
    /// What a rule or an assertion means; without one, all of them
    Explain(ExplainArgs),
    /// What this kernel offers and what is missing, rule by rule
    Doctor(DoctorArgs),
    /// Every probe: where it sits, what it serves, what is blind without it
    Probes(ProbesArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "It exits with 0: finding the leak is what it is for.")]
pub struct DemoArgs {
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
    /// Print the bundled trace's records too
    #[arg(long, conflicts_with = "json")]
    pub events: bool,
}

/// What to make of things that are open when a program ends normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AtExit {
    /// They are findings
    Strict,
    /// Only stacks whose count grew with use are findings
    Growth,
    /// They are left out
    Ignore,
}

impl AtExit {
    /// The value that records carry.
    #[must_use]
    pub const fn wire(self) -> u32 {
        match self {
            Self::Strict => scope::STRICT,
            Self::Growth => scope::GROWTH,
            Self::Ignore => scope::IGNORE,
        }
    }
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = CHECK_HELP)]
pub struct CheckArgs {
    /// Judge this trace instead of running a command
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "output", "timeout", "grace", "capture", "source", "seed", "worst"])]
    pub trace: Option<PathBuf>,
    /// The model instead of a kernel
    #[command(flatten)]
    pub model: ModelArgs,
    /// Write a trace too; without CMD, `-` is stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Option<Place>,
    /// Write a trace, and keep it only if the verdict is not clean
    #[arg(long, value_name = "FILE", value_parser = values::file(), conflicts_with_all = ["output", "trace"])]
    pub trace_on_failure: Option<PathBuf>,
    /// Keep at most this much for that trace, as 64M: its end, in memory; without it, the whole trace goes to the disk first
    #[arg(long, value_name = "SIZE", value_parser = values::flight, requires = "trace_on_failure")]
    pub trace_limit: Option<usize>,
    /// Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT
    /// the report that goes to stderr else. May be given several times
    #[arg(long, value_name = "[FORMAT=]FILE", value_parser = reports::wanted)]
    pub report: Vec<Wanted>,
    /// What to make of things open when the command's processes end normally [default: strict]
    #[arg(long, value_enum, value_name = "MODE")]
    pub at_exit: Option<AtExit>,
    /// Wait this long for the kernel to finish what the command began, in milliseconds [default: 2000]
    #[arg(long, value_name = "MS", conflicts_with = "source")]
    pub grace: Option<u64>,
    /// Stop the command after this many seconds; the verdict is undecided then
    #[arg(long, value_name = "SECS", value_parser = values::seconds, conflicts_with = "source")]
    pub timeout: Option<f64>,
    /// What to make of CMD when it fails and nothing is found [default: warn]
    #[arg(long, value_name = "HOW", value_parser = values::leniency, requires = "command",
        long_help = "What to make of CMD when it fails, by its exit status or a signal, and the verdict passes: `fail` ends with 4, `pass` with \
                     0, `warn` with 0 and a word on stderr [default: warn]")]
    pub failing_command: Option<Leniency>,
    /// Report as JSON lines
    #[arg(long)]
    pub json: bool,
    /// Limits
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Whom it is about
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What to let pass
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to observe
    #[command(flatten)]
    pub capture: CaptureArgs,
    /// Where to run it all
    #[command(flatten)]
    pub vm: VmArgs,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD", required_unless_present_any = ["trace", "source", "duration", "scope"], conflicts_with_all = ["source", "seed", "worst"])]
    pub command: Vec<OsString>,
}

const CHECK_HELP: &str = "\
CMD keeps stdin, stdout and stderr. The report goes to stderr, or to the file of --report, so
that CMD's stdout stays CMD's own. With --trace or --source there is no CMD and the report goes to
stdout. Reports in other formats are written beside it: --report junit=report.xml.
Under sudo, CMD runs as the user who called sudo.

With --in-vm all of it happens in a virtual machine, for hosts whose kernel cannot be probed:
no root, no GPU. CMD has the host's files, folder and environment there, is root, and has no
stdin. What it writes is gone with the machine, but for gemscope's own files and those of
--vm-out. QEMU, a static busybox and kmod must be installed.

Exit codes are about the verdict; the report tells CMD's own status:
  0  clean: nothing was found and nothing could have been missed
  1  findings
  2  could not run: usage, permission, CMD cannot be started
  3  undecided: something could have been missed; the report says what
  4  with --failing-command fail: the verdict passes, and CMD failed";

/// Arguments of `record`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without CMD it records until Ctrl-C, or for --duration. A recording is not judged: that is\n\
                        `gemscope replay FILE`.\n\
                        With --ring nothing is written until something is found, or until SIGUSR2 asks for it: then FILE,\n\
                        FILE.2, FILE.3 and so on. No file is written over."
)]
pub struct RecordArgs {
    /// The trace to write; without CMD, `-` is stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Place,
    /// Stop after this many seconds
    #[arg(short, long, value_name = "SECS", value_parser = values::seconds, conflicts_with = "source")]
    pub duration: Option<f64>,
    /// Wait this long for the kernel to finish what the command began, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = GRACE_MS, conflicts_with = "source")]
    pub grace: u64,
    /// Store kernel addresses as they are instead of stand-ins
    #[arg(long, conflicts_with = "source")]
    pub raw_addresses: bool,
    /// When to write what
    #[command(flatten)]
    pub flight: FlightArgs,
    /// The model instead of a kernel
    #[command(flatten)]
    pub model: ModelArgs,
    /// How to observe
    #[command(flatten)]
    pub capture: CaptureArgs,
    /// A command to run and record
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["source", "seed", "worst"])]
    pub command: Vec<OsString>,
}

/// The flight recorder: nothing on the disk until it is worth it.
#[derive(Clone, Debug, Default, Args)]
pub struct FlightArgs {
    /// Keep the last records in memory, this much of encoded trace, as 64M; write them when something is found. The buffer of
    /// the kernel is --ring-size
    #[arg(long, value_name = "SIZE", value_parser = values::flight, help_heading = "Flight recorder")]
    pub ring: Option<usize>,
    /// Write so long after a finding that what follows is in the trace too, or before the finding is out of the ring
    #[arg(long, value_name = "SECS", value_parser = values::seconds, default_value = "1", requires = "ring", help_heading = "Flight recorder")]
    pub after: f64,
    /// Write at most so many traces because of findings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 8, requires = "ring", help_heading = "Flight recorder")]
    pub keep: u32,
    /// Write at the end too, whatever was found
    #[arg(long, requires = "ring", help_heading = "Flight recorder")]
    pub at_end: bool,
}

/// The executable kernel as the source of records: no root, no GPU.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    /// Take the records of one run of a scenario in the model instead of the kernel's: `model:SCENARIO[@PROFILE]`, as
    /// in `gemscope explore`
    #[arg(
        long,
        value_name = "SOURCE",
        value_parser = values::source,
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

/// Arguments of `explore`.
#[derive(Debug, Args)]
#[command(after_help = EXPLORE_CODES)]
pub struct ExploreArgs {
    /// The name of a scenario that comes with gemscope, a file with one, or `-` for stdin; without it, the names are
    /// listed
    pub scenario: Option<String>,
    /// List the scenarios that come with gemscope
    #[arg(long, conflicts_with = "scenario")]
    pub list: bool,
    /// By the rules of this kernel: a profile, and +FEATURE or -FEATURE after it; `all` is every profile; may be given
    /// again [default: the newest]
    #[arg(long, value_name = "PROFILE", value_parser = values::eras, requires = "scenario")]
    pub profile: Vec<Eras>,
    /// Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath, requires = "scenario")]
    pub output: Option<Place>,
    /// Memory for states, as 512M or 8G
    #[arg(long, value_name = "SIZE", value_parser = values::memory, default_value = "2G")]
    pub memory: usize,
    /// Threads to work with [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

const EXPLORE_CODES: &str = "\
docs/scenarios.md has the language of scenarios.

Exit codes:
  0  every interleaving is good
  1  a bad state was found
  2  could not run: usage, no such scenario, a mistake in it
  3  not exhausted: nothing bad was found in what fits into the memory";

/// How to observe: filters in the kernel, probes, buffers.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "capture", multiple = true, conflicts_with_all = ["source", "seed", "worst"])]
pub struct CaptureArgs {
    /// Only this process; may be given again. What filters leave out cannot be judged
    #[arg(short, long, value_name = "PID", help_heading = "Filters")]
    pub pid: Vec<u32>,
    /// With --pid, also the processes that it starts
    #[arg(long, requires = "pid", help_heading = "Filters")]
    pub tree: bool,
    /// Only threads of this name
    #[arg(long, value_name = "NAME", value_parser = values::comm, help_heading = "Filters")]
    pub comm: Option<String>,
    /// Only processes of this cgroup: a path below /sys/fs/cgroup or an id
    #[arg(long, value_name = "CGROUP", help_heading = "Filters")]
    pub cgroup: Option<String>,
    /// Only this device: a node as card0 or /dev/dri/renderD128, or a driver's name
    #[arg(long, value_name = "DEVICE", help_heading = "Filters")]
    pub device: Option<String>,
    /// Size of the ring buffer, as 512K or 64M [default: 8M]
    #[arg(long, value_name = "SIZE", value_parser = values::ring_size, help_heading = "Probes")]
    pub ring_size: Option<usize>,
    /// Attach this probe although it fires often; may be given again
    #[arg(long, value_name = "PROBE", value_parser = values::probe, help_heading = "Probes")]
    pub hot: Vec<ProbeId>,
    /// Do not attach this probe; may be given again
    #[arg(long, value_name = "PROBE", value_parser = values::probe, help_heading = "Probes")]
    pub deny: Vec<ProbeId>,
    /// Take no stacks
    #[arg(long, help_heading = "Probes")]
    pub no_stacks: bool,
    /// Read the ring this slowly, to test what loss does
    #[arg(long, value_name = "MS", hide = true)]
    pub stall_reader: Option<u64>,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ReplayArgs {
    /// The trace
    pub file: PathBuf,
    /// Stop after the record with this number; what was pending then is not judged
    #[arg(long, value_name = "SEQ", conflicts_with = "update_baseline")]
    pub until: Option<u64>,
    /// Judge by the rules of another kernel era
    #[arg(long, value_name = "PROFILE", value_parser = values::profile)]
    pub profile: Option<Profile>,
    /// What to make of things open at a normal exit [default: as recorded]
    #[arg(long, value_enum, value_name = "MODE")]
    pub at_exit: Option<AtExit>,
    /// Limits
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Print every record as a line before the report
    #[arg(long, conflicts_with = "json")]
    pub events: bool,
    /// Instead of judging, compare every record with what the model of the recorded kernel predicts
    #[arg(long, conflicts_with_all = ["until", "profile", "at_exit", "events", "policy"])]
    pub conformance: bool,
    /// Instead of judging, make the recorded operations again by the rules of another kernel: a profile, with +feature and
    /// -feature
    #[arg(long, value_name = "PROFILE", value_parser = values::era,
          conflicts_with_all = ["until", "profile", "at_exit", "events", "conformance", "policy"])]
    pub what_if: Option<Era>,
    /// Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT
    /// the report that goes to stdout else. May be given several times
    #[arg(long, value_name = "[FORMAT=]FILE", value_parser = reports::wanted, conflicts_with_all = ["conformance", "what_if"])]
    pub report: Vec<Wanted>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
    /// What to let pass
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The name of the rule or assertion
    pub rule: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes:\n  0  every rule can be judged\n  2  nothing can be traced: the list says what is \
                        missing\n  3  something is missing: the verdicts it makes undecided are told"
)]
pub struct DoctorArgs {
    /// Answer for this kernel image (vmlinuz or vmlinux) instead of the running kernel
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Its modules: the directory /lib/modules/RELEASE
    #[arg(long, value_name = "DIR", requires = "image")]
    pub modules: Option<PathBuf>,
    /// Answer as if this probe were not attached; may be given again
    #[arg(long, value_name = "PROBE", value_parser = values::probe)]
    pub deny: Vec<ProbeId>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `probes`.
#[derive(Debug, Args)]
pub struct ProbesArgs {
    /// Only this probe, with all there is to tell
    #[arg(value_parser = values::probe)]
    pub probe: Option<ProbeId>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}
