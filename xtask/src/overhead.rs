//! `cargo xtask bench-overhead`: what gemscope costs the traced program, beside a bpftrace script that looks at the same.
//!
//! One guest runs `gemclient bench-loop` (export, import, close the handle, close the fd) several times in turn: bare, under
//! gemscope in its ways, and under bpftrace with `overhead/equivalent.bt`. The client times its own loop, so that loading and
//! attaching do not count. It tells two times of a round, and both are judged:
//! * the program's own processor time: what each call takes longer because somebody looks at it;
//! * the time that passes: with what the tool does in a process of its own, as far as that takes the cpu from the client.
//!
//! The guest's clock counts the instructions of its one cpu ([`Cpus::Counted`](gemscope_vm::qemu::Cpus::Counted)), so that what else
//! this machine does changes nothing, and two runs come to the same within a few hundredths. Instructions are not nanoseconds: a cache
//! miss costs none. `--wall` takes two cpus and the emulated machine's time instead; only a quiet machine gives a number then.
//!
//! It is a fair comparison, since the script
//! * has a kprobe and a kretprobe on the same functions of the kernel, for all processes as gemscope has without filters;
//! * reads the same fields, and takes the stacks of kernel and program at the same events;
//! * sends each event to user space at once, through a ring buffer that all cpus share.
//!
//! What differs in what is asked for is to bpftrace's advantage: it has hardly a probe on what the loop never calls (gemscope has all
//! of its own), keeps from a call's entry only what its return cannot do without, reads three of the 21 registers by which gemscope
//! tells system calls apart, leaves stacks as bare addresses, and writes its text to memory in large pieces. gemscope judges every record
//! meanwhile. How a tool does it is what is measured: when it wakes its reader, for instance, or what of a record its reader completes.
//!
//! A tool that does nothing would win, so the events that each has taken in are counted: none may be lost, and gemscope must have
//! no fewer than bpftrace.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use gemscope_vm::kernels;
use gemscope_vm::qemu::Sinks;
use gemscope_vm::scratch::Scratch;
use serde_json::Value;

use crate::vm::{Boot, SetupArgs};

const SCRIPT: &str = include_str!("overhead/equivalent.bt");
/// Runs of the client in a turn: under one attaching, which takes long. With the default of rounds, gemscope's ring holds a whole
/// run, so that nothing is lost when its reader does not come to it.
const RUNS: u32 = 4;
/// Turns where the clock is the emulated machine's: this machine is never the same for long.
const WALL_TURNS: u32 = 5;
/// A line of the script's output that is an event, not an address of a stack.
const EVENT: &str = "^[a-z-]+ (in|out) [0-9]";
/// gemscope's added cost over bpftrace's that must not be passed, and the one that is aimed at.
const FLOOR: f64 = 1.0;
const GOAL: f64 = 0.7;

/// What the loop runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    Nothing,
    /// `gemscope` with these words before `--`.
    Gemscope(&'static str),
    Bpftrace,
}

/// A way to run the loop.
struct Way {
    name: &'static str,
    /// The beginning of its files' names.
    file: &'static str,
    under: Under,
}

const fn way(name: &'static str, file: &'static str, under: Under) -> Way {
    Way { name, file, under }
}

const BARE: Way = way("bare", "bare", Under::Nothing);
const CHECK: Way = way("`gemscope check`", "check", Under::Gemscope("check --json --report"));
const BPFTRACE: Way = way("bpftrace", "bpftrace", Under::Bpftrace);
/// In the order in which they take turns.
const WAYS: &[Way] = &[
    BARE,
    CHECK,
    BPFTRACE,
    way("`gemscope check --no-stacks`", "no-stacks", Under::Gemscope("check --no-stacks --json --report")),
    way("`gemscope record`", "record", Under::Gemscope("record -o /tmp/trace")),
];

/// What is asked of the bench.
#[derive(Debug, Args)]
pub struct OverheadArgs {
    /// The kernel, as for `vm`: one whose modules have BTF, which is 6.1 and later.
    #[arg(long, value_name = "LINE", default_value = "6.12")]
    kernel: String,
    /// Rounds of the loop in one run of the client, of which each turn has four.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..1_000_000))]
    rounds: u32,
    /// How often each way has its turn: once, or five times with --wall.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    turns: Option<u32>,
    /// Two cpus and the time of the emulated machine, where the default is one that counts its instructions.
    #[arg(long)]
    wall: bool,
    /// A gemscope to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    gemscope: Option<PathBuf>,
    /// A gemclient to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    gemclient: Option<PathBuf>,
    /// The guest's memory, in MiB: bpftrace's libraries alone are a third of one GiB.
    #[arg(long, value_name = "MIB", default_value_t = 3072)]
    memory: u32,
    /// How long the boot may take in all.
    #[arg(long, value_name = "SECS", default_value_t = 1200)]
    timeout: u64,
}

/// What one way came to in all its turns: nanoseconds per round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Measured {
    /// That passed, sorted.
    passed: Vec<u64>,
    /// Of the client's own, sorted.
    own: Vec<u64>,
    /// Events taken in, in the turn with the fewest; `None` where nothing counts them.
    events: Option<u64>,
}

impl Measured {
    /// What passed, by the lower quartile: another load of the machine only ever adds.
    fn passed(&self) -> u64 {
        quartile(&self.passed)
    }

    /// The client's own, likewise.
    fn own(&self) -> u64 {
        quartile(&self.own)
    }
}

fn quartile(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len() / 4).copied().unwrap_or(0)
}

/// Measures, prints the table; 1 when gemscope adds more than bpftrace does.
///
/// # Errors
/// When the guest cannot be run, a run failed, or events were lost: there is no number then.
pub fn run(args: &OverheadArgs) -> Result<u8> {
    let setup = SetupArgs {
        debian: vec!["bpftrace".to_owned()],
        gemscope: args.gemscope.clone(),
        gemclient: args.gemclient.clone(),
        memory: args.memory,
        timeout: args.timeout,
        counted: !args.wall,
        ..SetupArgs::plain()
    };
    let turns = args.turns.unwrap_or(if args.wall { WALL_TURNS } else { 1 });
    let kernel = kernels::get(&args.kernel)?;
    let programs = setup.programs()?;
    let scratch = Scratch::new("overhead")?;
    let boot = Boot {
        kernel: &kernel,
        setup: &setup,
        programs: &programs,
        files: vec![
            ("equivalent.bt".to_owned(), 0o644, script_for(&kernel.line).into_bytes()),
            ("loop.sh".to_owned(), 0o644, several(args.rounds).into_bytes()),
        ],
        command: Some(commands(turns)),
        out: Some(scratch.path().to_path_buf()),
    };
    let outcome = boot.run(Sinks { out: &mut std::io::stderr(), err: &mut std::io::stderr() })?;
    ensure!(outcome.is_some_and(|outcome| outcome.code == 0), "a run in the guest failed");
    let measured = WAYS
        .iter()
        .map(|way| Ok((way, measured(way, scratch.path(), turns)?)))
        .collect::<Result<Vec<_>>>()?;
    let events = |way| find(&measured, way).and_then(|measured| measured.events).unwrap_or(0);
    let (ours, theirs) = (events(&CHECK), events(&BPFTRACE));
    ensure!(
        theirs >= u64::from(args.rounds * RUNS),
        "bpftrace saw only {theirs} events: does the script fit the kernel?"
    );
    ensure!(ours >= theirs, "gemscope took in {ours} records where bpftrace saw {theirs} events");
    let clock = if args.wall { "the time of two emulated cpus" } else { "a clock of instructions" };
    println!("`{}`, {turns} x {RUNS} runs of {} rounds, by {clock}\n", kernel.version, args.rounds);
    print!("{}", table(&measured, args.rounds * RUNS));
    let ratio_of =
        |of| ratio(&measured, of).context("the loop is no slower under bpftrace: nothing can be compared");
    let (own, passed) = (ratio_of(Measured::own)?, ratio_of(Measured::passed)?);
    println!(
        "\nadded by `gemscope check` / added by bpftrace: {own:.2} to the program's own time, {passed:.2} to the time that \
         passes (goal {GOAL}, at most {FLOOR:.1})"
    );
    Ok(u8::from(own > FLOOR || passed > FLOOR))
}

/// The script, with what a line of kernels calls by another name.
fn script_for(line: &str) -> String {
    match line {
        "6.1" => SCRIPT.replace("kprobe:filp_flush", "kprobe:filp_close"),
        "6.12" => SCRIPT.to_owned(),
        _ => SCRIPT.replace("->f_count.counter", "->f_ref.refcnt.counter"),
    }
}

/// The runs of one turn.
fn several(rounds: u32) -> String {
    format!("for run in $(seq {RUNS}); do gemclient bench-loop --rounds {rounds} || exit 1; done\n")
}

/// What the guest's shell runs. Each turn leaves `WAY.TURN` with what the client said, and beside it what was counted.
fn commands(turns: u32) -> String {
    let client = "busybox sh /loop.sh";
    let mut out = format!("for turn in $(seq {turns}); do\necho turn $turn of {turns}\n");
    for Way { name: _, file, under } in WAYS {
        let at = format!("/out/{file}.$turn");
        let _ = match under {
            Under::Nothing => writeln!(out, "{client} >{at} || exit 1"),
            Under::Gemscope(words) if words.ends_with("--report") => {
                writeln!(out, "gemscope {words} {at}.json -- {client} >{at} || {{ cat {at}.json; exit 1; }}")
            }
            Under::Gemscope(words) => {
                writeln!(
                    out,
                    "gemscope {words} -- {client} >{at} 2>{at}.said || {{ cat {at}.said; exit 1; }}"
                )
            }
            Under::Bpftrace => writeln!(
                out,
                "bpftrace -B full -o /tmp/events -c '{client}' /equivalent.bt >{at} 2>{at}.said || \
                 {{ cat {at}.said; exit 1; }}\n\
                 grep -cE '{EVENT}' /tmp/events >{at}.events\n\
                 grep -i '^lost' /tmp/events >>{at}.said\nrm /tmp/events"
            ),
        };
    }
    out + "done\n"
}

/// Reads what one way left.
fn measured(way: &Way, dir: &Path, turns: u32) -> Result<Measured> {
    let mut measured = Measured::default();
    for turn in 1..=turns {
        let name = format!("{}.{turn}", way.file);
        let read = |end: &str| {
            let file = dir.join(format!("{name}{end}"));
            fs::read_to_string(&file).with_context(|| format!("the guest left no `{name}{end}`"))
        };
        let said = read("")?;
        let times: Vec<(u64, u64)> = said.lines().filter_map(ns_per_round).collect();
        ensure!(times.len() == RUNS as usize, "`{name}` does not tell {RUNS} times: {said}");
        measured.passed.extend(times.iter().map(|(passed, _)| passed));
        measured.own.extend(times.iter().map(|(_, own)| own));
        let events = match way.under {
            Under::Nothing => None,
            Under::Gemscope(words) if words.ends_with("--report") => Some(records(&read(".json")?)?),
            Under::Gemscope(_) => Some(recorded(&read(".said")?)?),
            Under::Bpftrace => Some(printed(&read(".events")?, &read(".said")?)?),
        };
        measured.events = match (measured.events, events) {
            (Some(before), Some(now)) => Some(now.min(before)),
            (before, now) => now.or(before),
        };
    }
    measured.passed.sort_unstable();
    measured.own.sort_unstable();
    Ok(measured)
}

/// `3000 rounds, 41230 ns per round, 40110 ns of its own`: the two times.
fn ns_per_round(line: &str) -> Option<(u64, u64)> {
    let (passed, own) = line.split_once(" rounds, ")?.1.split_once(" ns per round, ")?;
    Some((passed.parse().ok()?, own.strip_suffix(" ns of its own")?.parse().ok()?))
}

/// The records that a report is about.
fn records(report: &str) -> Result<u64> {
    let mut lines = report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let summary = lines.rfind(|line| line["type"] == "summary").context("a report has no summary")?;
    let number = |key: &str| summary[key].as_u64().with_context(|| format!("a report tells no `{key}`"));
    let lost = number("lost")?;
    ensure!(lost == 0, "gemscope lost {lost} records: ask for fewer `--rounds`");
    ensure!(summary["verdict"] == "clean", "the loop is not clean: {summary}");
    number("records")
}

/// The records of a trace: `gemscope: 123 records in 5.4 KiB, none lost`.
fn recorded(said: &str) -> Result<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("gemscope: ")?.split_once(" records in "));
    let (count, rest) = line.with_context(|| format!("`gemscope record` tells no records: {said}"))?;
    ensure!(rest.ends_with("none lost"), "`gemscope record` lost records: {rest}");
    count.replace(',', "").parse().with_context(|| format!("`{count}` is no count"))
}

/// The events that bpftrace has printed.
fn printed(events: &str, said: &str) -> Result<u64> {
    if let Some(lost) = said.lines().find(|line| line.to_lowercase().contains("lost")) {
        bail!("bpftrace lost events (`{lost}`): ask for fewer `--rounds`");
    }
    events.trim().parse().with_context(|| format!("`{}` is no count", events.trim()))
}

fn find<'a>(measured: &'a [(&Way, Measured)], wanted: &Way) -> Option<&'a Measured> {
    measured.iter().find(|(way, _)| way.file == wanted.file).map(|(_, measured)| measured)
}

/// What gemscope adds, over what bpftrace adds, to one of the times; `None` where that adds nothing.
fn ratio(measured: &[(&Way, Measured)], of: fn(&Measured) -> u64) -> Option<f64> {
    let bare = of(find(measured, &BARE)?);
    let added = |way| Some(of(find(measured, way)?).saturating_sub(bare));
    let (ours, theirs) = (added(&CHECK)?, added(&BPFTRACE)?);
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one round")]
    (theirs != 0).then(|| ours as f64 / theirs as f64)
}

/// All ways in a table; events are told per round.
fn table(measured: &[(&Way, Measured)], rounds: u32) -> String {
    let (own, passed) = find(measured, &BARE).map_or((0, 0), |measured| (measured.own(), measured.passed()));
    let mut out = String::from(
        "| ns per round, lower quartile | of its own | added | that passed | added | events per round | lost |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (way, of) in measured {
        let _ = write!(out, "| {} | {} |", way.name, of.own());
        let _ = match of.events {
            Some(events) => {
                let each = f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / f64::from(rounds);
                let (more, longer) = (of.own().saturating_sub(own), of.passed().saturating_sub(passed));
                writeln!(out, " {more} | {} | {longer} | {each:.1} | 0 |", of.passed())
            }
            None => writeln!(out, " | {} | | | |", of.passed()),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(ns: [u64; 3]) -> Vec<(&'static Way, Measured)> {
        let times = |ns: u64| vec![ns - 1, ns, ns, ns + 9];
        let of = |ns| Measured { own: times(ns), passed: times(2 * ns), events: (ns > 100).then_some(58) };
        WAYS.iter().zip(ns).map(|(way, ns)| (way, of(ns))).collect()
    }

    #[test]
    fn the_ratio_is_of_what_is_added() {
        let near = |ns, want: f64| {
            let all = [Measured::own, Measured::passed].map(|of| ratio(&ways(ns), of));
            all.into_iter().all(|ratio| ratio.is_some_and(|ratio| (ratio - want).abs() < 1e-9))
        };
        assert!(near([100, 150, 200], 0.5));
        assert!(near([100, 300, 200], 2.0));
        assert_eq!(ratio(&ways([100, 150, 100]), Measured::own), None);
    }

    #[test]
    fn the_table_tells_events_per_round() {
        let text = table(&ways([100, 150, 200]), 2);
        assert!(text.contains("| bare | 100 | | 200 | | | |"), "{text}");
        assert!(text.contains("| bpftrace | 200 | 100 | 400 | 200 | 29.0 | 0 |"), "{text}");
    }

    #[test]
    fn a_time_is_read() {
        assert_eq!(ns_per_round("20 rounds, 41230 ns per round, 40110 ns of its own"), Some((41230, 40110)));
        assert_eq!(ns_per_round("20 rounds"), None);
    }

    #[test]
    fn lost_events_are_no_result() {
        let report = |lost, verdict| {
            format!("{{\"type\":\"summary\",\"verdict\":\"{verdict}\",\"records\":7,\"lost\":{lost}}}\n")
        };
        assert_eq!(records(&report(0, "clean")).ok(), Some(7));
        for bad in [report(1, "clean"), report(0, "undecided"), String::new()] {
            assert!(records(&bad).is_err(), "{bad}");
        }
        assert_eq!(printed("12\n", "Attaching 41 probes...\n").ok(), Some(12));
        assert!(printed("12\n", "WARNING: Lost 3 events\n").is_err());
        assert!(printed("", "").is_err());
        assert_eq!(recorded("gemscope: 123 records in 5.4 KiB, none lost\n").ok(), Some(123));
        assert!(recorded("gemscope: 123 records in 5.4 KiB, 4 lost\n").is_err());
    }

    #[test]
    fn names_of_other_kernels_are_in_the_script() {
        for (line, want, not) in [
            ("6.1", "kprobe:filp_close", "kprobe:filp_flush"),
            ("6.12", "kprobe:filp_flush", "->f_ref."),
            ("6.18", "->f_ref.refcnt.counter", "->f_count."),
        ] {
            let script = script_for(line);
            assert!(script.contains(want) && !script.contains(not), "{line}");
        }
    }
}
