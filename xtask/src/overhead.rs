//! `cargo xtask bench-overhead`: what gemscope costs the traced program, beside a bpftrace script that looks at the same.
//!
//! One guest runs `gemclient bench-loop` (export, import, close the handle, close the fd) several times in turn: bare, under
//! gemscope in its ways, and under bpftrace with `overhead/equivalent.bt`. The client times its own loop, so that loading and
//! attaching do not count, and the turns are interleaved, so that a machine that slows down slows down all alike. Judged are lower quartiles.
//!
//! It is a fair comparison, since the script
//! * has a kprobe and a kretprobe on the same functions of the kernel, for all processes as gemscope has without filters;
//! * reads the same fields, and takes the stacks of kernel and program at the same events;
//! * sends each event to user space at once, through a ring buffer that all cpus share.
//!
//! What differs in what is asked for is to bpftrace's advantage: it has hardly a probe on what the loop never calls (gemscope has all
//! of its own), keeps from a call's entry only what its return cannot do without (gemscope's return tells the entry's fields again),
//! reads three of the 21 registers by which gemscope tells system calls apart, leaves stacks as bare addresses, and writes its text to
//! memory in large pieces. gemscope judges every record meanwhile. How a tool does it is what is measured: when it wakes its reader, for
//! instance. What it does in a process of its own counts as far as it takes a cpu from the client: the guest has two.
//!
//! A tool that does nothing would win, so the events that each has taken in are counted: none may be lost, and gemscope must have
//! no fewer than bpftrace. Without KVM the times are those of an emulated machine: only the ratio tells something then.

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
/// turn, so that nothing is lost when its reader does not come to run.
const RUNS: u32 = 10;
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
    /// Rounds of the loop in one run of the client, of which each turn has ten.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..1_000_000))]
    rounds: u32,
    /// How often each way has its turn.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
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

/// What one way came to in all its turns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Measured {
    /// Nanoseconds per round, sorted.
    ns: Vec<u64>,
    /// Events taken in, in the turn with the fewest; `None` where nothing counts them.
    events: Option<u64>,
}

impl Measured {
    /// The lower quartile: another load of the machine only ever adds.
    fn quartile(&self) -> u64 {
        self.ns.get(self.ns.len() / 4).copied().unwrap_or(0)
    }

    fn median(&self) -> u64 {
        self.ns.get(self.ns.len() / 2).copied().unwrap_or(0)
    }
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
        ..SetupArgs::plain()
    };
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
        command: Some(commands(args.turns)),
        out: Some(scratch.path().to_path_buf()),
    };
    let outcome = boot.run(Sinks { out: &mut std::io::stderr(), err: &mut std::io::stderr() })?;
    ensure!(outcome.is_some_and(|outcome| outcome.code == 0), "a run in the guest failed");
    let measured =
        WAYS.iter().map(|way| Ok((way, measured(way, scratch.path(), args)?))).collect::<Result<Vec<_>>>()?;
    let events = |way| find(&measured, way).and_then(|measured| measured.events).unwrap_or(0);
    let (ours, theirs) = (events(&CHECK), events(&BPFTRACE));
    ensure!(
        theirs >= u64::from(args.rounds * RUNS),
        "bpftrace saw only {theirs} events: does the script fit the kernel?"
    );
    ensure!(ours >= theirs, "gemscope took in {ours} records where bpftrace saw {theirs} events");
    println!("`{}`, {} turns of {RUNS} runs of {} rounds\n", kernel.version, args.turns, args.rounds);
    print!("{}", table(&measured, args.rounds * RUNS));
    let ratio_of =
        |of| ratio(&measured, of).context("the loop is no slower under bpftrace: nothing can be compared");
    let (ratio, medians) = (ratio_of(Measured::quartile)?, ratio_of(Measured::median)?);
    println!(
        "\nadded by `gemscope check` / added by bpftrace: {ratio:.2} (of medians {medians:.2}; \
         goal {GOAL}, at most {FLOOR:.1})"
    );
    Ok(u8::from(ratio > FLOOR))
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
fn measured(way: &Way, dir: &Path, args: &OverheadArgs) -> Result<Measured> {
    let mut measured = Measured { ns: Vec::new(), events: None };
    for turn in 1..=args.turns {
        let name = format!("{}.{turn}", way.file);
        let read = |end: &str| {
            let file = dir.join(format!("{name}{end}"));
            fs::read_to_string(&file).with_context(|| format!("the guest left no `{name}{end}`"))
        };
        let said = read("")?;
        let times: Vec<u64> = said.lines().filter_map(ns_per_round).collect();
        ensure!(times.len() == RUNS as usize, "`{name}` does not tell {RUNS} times: {said}");
        measured.ns.extend(times);
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
    measured.ns.sort_unstable();
    Ok(measured)
}

/// `3000 rounds, 41230 ns per round`.
fn ns_per_round(line: &str) -> Option<u64> {
    line.split_once(" rounds, ")?.1.strip_suffix(" ns per round")?.parse().ok()
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

/// What gemscope adds, over what bpftrace adds, by one statistic; `None` where that adds nothing.
fn ratio(measured: &[(&Way, Measured)], of: fn(&Measured) -> u64) -> Option<f64> {
    let bare = of(find(measured, &BARE)?);
    let added = |way| Some(of(find(measured, way)?).saturating_sub(bare));
    let (ours, theirs) = (added(&CHECK)?, added(&BPFTRACE)?);
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one round")]
    (theirs != 0).then(|| ours as f64 / theirs as f64)
}

/// All ways in a table; events are told per round.
fn table(measured: &[(&Way, Measured)], rounds: u32) -> String {
    let bare = find(measured, &BARE).map_or(0, Measured::quartile);
    let mut out = String::from(
        "| | ns per round, lower quartile | lowest | median | added to bare | events per round | lost |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (way, of) in measured {
        let (quartile, low) = (of.quartile(), of.ns.first().copied().unwrap_or(0));
        let _ = write!(out, "| {} | {quartile} | {low} | {} |", way.name, of.median());
        let _ = match of.events {
            Some(events) => {
                let each = f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / f64::from(rounds);
                writeln!(out, " {} | {each:.1} | 0 |", quartile.saturating_sub(bare))
            }
            None => writeln!(out, " | | |"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(ns: [u64; 3]) -> Vec<(&'static Way, Measured)> {
        let of = |ns: u64| Measured { ns: vec![ns - 1, ns, ns, ns + 9], events: (ns > 100).then_some(58) };
        WAYS.iter().zip(ns).map(|(way, ns)| (way, of(ns))).collect()
    }

    #[test]
    fn the_ratio_is_of_what_is_added() {
        let near = |ns, want: f64| {
            ratio(&ways(ns), Measured::quartile).is_some_and(|ratio| (ratio - want).abs() < 1e-9)
        };
        assert!(near([100, 150, 200], 0.5));
        assert!(near([100, 300, 200], 2.0));
        assert_eq!(ratio(&ways([100, 150, 100]), Measured::quartile), None);
    }

    #[test]
    fn the_table_tells_events_per_round() {
        let text = table(&ways([100, 150, 200]), 2);
        assert!(text.contains("| bare | 100 | 99 | 100 | | | |"), "{text}");
        assert!(text.contains("| bpftrace | 200 | 199 | 200 | 100 | 29.0 | 0 |"), "{text}");
    }

    #[test]
    fn a_time_is_read() {
        assert_eq!(ns_per_round("20 rounds, 41230 ns per round"), Some(41230));
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
