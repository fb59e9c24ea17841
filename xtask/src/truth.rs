//! `cargo xtask truth`: the engine held against the model's truth, over every interleaving of every scenario in every
//! profile.
//!
//! The engine sees the Records of each run as a kernel would write them, and nothing else. What is wrong in every run that
//! shows the same Records must be told by a certain finding (else it is missed); and a certain finding must tell something that
//! is wrong in every one of them (else it is a false alarm).

mod drops;
mod match_;
mod watch;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use gemscope_model::{BUILTIN, Era, Scenario, observe};

use crate::history;
use crate::matrix::Tally;
use watch::Watch;

/// What to hold against the truth.
#[derive(Debug, Args)]
pub struct TruthArgs {
    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Only this profile, with features as `v6.16+change-handle`.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Tell every scenario and profile.
    #[arg(long)]
    verbose: bool,
    /// Walk every sequence of records on its own: slow, and a check on what is walked as one.
    #[arg(long)]
    one_by_one: bool,
    /// Show the records of the first run that does not agree.
    #[arg(long)]
    show: bool,
    /// Random runs with random losses for each scenario and profile.
    #[arg(long, value_name = "N", default_value_t = 40)]
    losses: u32,
    /// Nodes to walk at most, for each scenario and profile.
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    limit: u64,
}

/// What came of one scenario under one profile.
#[derive(Default)]
struct Sum {
    nodes: u64,
    steps: u64,
    ends: u64,
    interleavings: f64,
    records: u64,
    lossy: u64,
    /// What does not agree, once each.
    wrong: BTreeSet<String>,
    not_exhausted: bool,
}

/// Runs it.
///
/// # Errors
/// When a profile or a scenario is asked for that does not exist.
pub fn run(args: &TruthArgs) -> Result<u8> {
    let tally = all(args)?;
    Ok(u8::from(tally.failed > 0))
}

fn all(args: &TruthArgs) -> Result<Tally> {
    let eras = match &args.profile {
        Some(name) => match Era::parse(name) {
            Ok(era) => vec![era],
            Err(word) => bail!("`{word}` is no profile and no feature"),
        },
        None => history::eras(),
    };
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|f| name.contains(f.as_str()));
    let mut jobs = Vec::new();
    for (name, text) in BUILTIN.iter().filter(|(name, _)| wanted(name)) {
        let scenario = match Scenario::parse(text) {
            Ok(scenario) => scenario,
            Err(error) => bail!("{name}: {error}"),
        };
        jobs.extend(eras.iter().map(|era| (scenario.clone(), *era)));
    }
    if jobs.is_empty() {
        bail!("no scenario of this name");
    }
    let begin = Instant::now();
    let sums = in_parallel(&jobs, |(scenario, era)| one(scenario, *era, args));
    let mut total = Sum::default();
    let mut tally = Tally::default();
    for ((scenario, era), sum) in jobs.iter().zip(sums) {
        let bad = !sum.wrong.is_empty() || sum.not_exhausted;
        if args.verbose || bad {
            eprintln!(
                "xtask: truth: {:<26} {:<12} {:>9} nodes {:>10.3e} interleavings",
                scenario.name,
                era.name(),
                sum.nodes,
                sum.interleavings
            );
        }
        for line in &sum.wrong {
            eprintln!("xtask: truth:   {line}");
        }
        if sum.not_exhausted {
            eprintln!("xtask: truth:   not exhausted");
        }
        tally.passed += usize::from(!bad);
        tally.failed += usize::from(bad);
        total.nodes += sum.nodes;
        total.steps += sum.steps;
        total.ends += sum.ends;
        total.interleavings += sum.interleavings;
        total.records += sum.records;
        total.lossy += sum.lossy;
    }
    eprintln!(
        "xtask: truth: {} scenarios and profiles, {:.3e} interleavings, {} different states of kernel and engine, {} steps, {} \
         records judged, {} different ends, {} runs with losses: {} agree, {} do not ({} s)",
        jobs.len(),
        total.interleavings,
        total.nodes,
        total.steps,
        total.records,
        total.ends,
        total.lossy,
        tally.passed,
        tally.failed,
        begin.elapsed().as_secs()
    );
    Ok(tally)
}

/// Does every job, on all cores, and gives the results in their order.
fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                loop {
                    let ix = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(ix) else { return };
                    let result = work(job);
                    if let Ok(mut place) = results[ix].lock() {
                        *place = Some(result);
                    }
                }
            });
        }
    });
    results.into_iter().filter_map(|r| r.into_inner().ok().flatten()).collect()
}

fn one(scenario: &Scenario, era: Era, args: &TruthArgs) -> Sum {
    let machine = scenario.machine(era, true);
    let mut sum = Sum::default();
    let watch = Watch::new(era, args.one_by_one, args.show);
    let seen = observe(&machine, watch, args.limit, &mut |o| {
        let lines = match_::compare(o.watcher.engine(), o.ends);
        if args.show && !lines.is_empty() && sum.wrong.is_empty() {
            let findings = o.watcher.engine().findings().iter();
            let findings =
                findings.map(|f| format!("{} tainted {} at {}", f.rule.name(), f.tainted, f.event.at.seq));
            eprintln!(
                "{}\n{lines:#?}\n{:?}\n{:#?}",
                o.watcher.lines().join("\n"),
                o.ends,
                findings.collect::<Vec<_>>()
            );
        }
        sum.wrong.extend(lines);
    });
    (sum.nodes, sum.steps, sum.ends) = (seen.nodes, seen.steps, seen.ends);
    (sum.records, sum.interleavings) = (seen.records, seen.interleavings);
    sum.not_exhausted = !seen.exhausted;
    if !args.one_by_one {
        drops::random_losses(&machine, era, args.losses, &mut sum.wrong);
        sum.lossy = u64::from(args.losses);
    }
    sum
}
