//! `gemscope replay FILE --conformance`: does the recorded kernel do what the model of it says?

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use gemscope_common::{Missed, Phase, ProbeId, Record};
use gemscope_model::{Attached, Conformance, Era, Quirks, conform};
use gemscope_report::{escape, json, number, plural};
use gemscope_trace::{End, ProbeState, Reader, TraceHeader};

use super::model_lines::{ConformanceLine, Known, Line, Part, Silent};
use crate::args::ReplayArgs;
use crate::exit::Exit;
use crate::ui::{self, Sink};

/// Without these the operations cannot be told from each other, or their effects cannot.
const ESSENTIAL: &[(ProbeId, Phase)] = &[
    (ProbeId::ObjectInit, Phase::Point),
    (ProbeId::ObjectRelease, Phase::Point),
    (ProbeId::HandleCreate, Phase::Entry),
    (ProbeId::HandleCreate, Phase::Return),
    (ProbeId::HandleDelete, Phase::Entry),
    (ProbeId::HandleRelease, Phase::Entry),
    (ProbeId::HandlePut, Phase::Entry),
    (ProbeId::ExportIoctl, Phase::Entry),
    (ProbeId::ExportIoctl, Phase::Return),
    (ProbeId::Import, Phase::Entry),
    (ProbeId::Import, Phase::Return),
    (ProbeId::CacheAdd, Phase::Return),
    (ProbeId::CacheRemove, Phase::Entry),
    (ProbeId::BufExport, Phase::Return),
    (ProbeId::BufGet, Phase::Return),
    (ProbeId::BufPut, Phase::Point),
    (ProbeId::BufFileRelease, Phase::Point),
    (ProbeId::FileOpen, Phase::Return),
    (ProbeId::FileClose, Phase::Entry),
];

/// A whole trace in memory, and why it may not be whole.
pub struct Whole {
    /// What the trace says about itself.
    pub header: TraceHeader,
    /// Its records.
    pub records: Vec<Record>,
    /// Its kernel's rules.
    pub era: Era,
    /// Where probes sat.
    pub attached: Attached,
    /// What may be missing, one sentence each.
    pub doubts: Vec<String>,
}

impl Whole {
    /// Reads a trace.
    ///
    /// # Errors
    /// It cannot be read, or this version does not know its kernel's rules.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let mut reader = Reader::open(file)?;
        let header = reader.header().clone();
        let Some(profile) = header.profile() else {
            let name = escape::name(header.profile.as_bytes());
            bail!("the rules of the recorded kernel, `{name}`, are not known here: there is no model of it");
        };
        let (features, unknown) = header.features();
        let era = Era { profile, features, quirks: Quirks::default() };
        let mut doubts = Vec::new();
        if !unknown.is_empty() {
            doubts.push("its kernel has features that this gemscope does not know".to_owned());
        }
        if header.records_before > 0 {
            doubts.push("the trace begins in mid-run: what happened before is not in it".to_owned());
        }
        if reader.end() == End::Unfinished {
            doubts.push("the recording was not finished: its end is missing".to_owned());
        }
        let (mut records, mut batch) = (Vec::new(), Vec::new());
        while let Some(part) = reader.next_batch(&mut batch)? {
            if let Some(gap) = part.gap {
                doubts.push(format!("a part of the trace is missing: {}", gap.why));
            }
            records.append(&mut batch);
        }
        if !header.filters.is_empty() {
            doubts.push(format!("filters left records out: {}", header.filters.join(" ")));
        }
        let dropped = records.iter().map(|r| r.header.drops).max().unwrap_or(0);
        if dropped > 0 {
            doubts.push(format!("{} were lost on the way", plural(dropped, "record", "records")));
        }
        let missed = records.iter().filter(|r| r.probe() == Some(ProbeId::Missed));
        let missed: u64 = missed.map(|r| r.payload::<Missed>().count).sum();
        if missed > 0 {
            doubts.push(format!("probes missed {}", plural(missed, "hit", "hits")));
        }
        let attached = attached(&header);
        let missing = ESSENTIAL.iter().filter(|(probe, phase)| !attached.has(*probe, *phase));
        let mut missing: Vec<&str> = missing.map(|(probe, _)| probe.name()).collect();
        missing.dedup();
        if !missing.is_empty() {
            doubts.push(format!("not attached: {}", missing.join(", ")));
        }
        Ok(Self { header, records, era, attached, doubts })
    }
}

fn attached(header: &TraceHeader) -> Attached {
    let mut attached = Attached::default();
    for entry in &header.probes {
        let (Ok(probe), ProbeState::Attached { phases, .. }) =
            (ProbeId::from_wire(entry.number), &entry.state)
        else {
            continue;
        };
        for phase in phases {
            match phase.as_str() {
                "entry" => attached.add(probe, Phase::Entry),
                "return" => attached.add(probe, Phase::Return),
                "point" => attached.add(probe, Phase::Point),
                _ => {}
            }
        }
    }
    attached
}

pub fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let whole = Whole::read(&args.file)?;
    let outcome = conform(whole.era, &whole.attached, &whole.records);
    let mut doubts = whole.doubts.clone();
    doubts.extend(outcome.undecided.clone());
    // What is missing explains any difference.
    let exit = match (&outcome.difference, doubts.is_empty()) {
        (_, false) => Exit::Undecided,
        (Some(_), true) => Exit::Findings,
        (None, true) => Exit::Clean,
    };
    if args.json {
        let mut out = Vec::new();
        json::write_line(&mut out, &line(&whole, &outcome, &doubts, exit))?;
        Sink::Stdout.write(&out)?;
    } else {
        ui::print(&text(&whole, &outcome, &doubts, exit)?)?;
    }
    Ok(exit)
}

const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Clean => "conforms",
        Exit::Findings => "differs",
        Exit::CannotRun | Exit::Undecided | Exit::CommandFailed => "undecided",
    }
}

fn line(whole: &Whole, outcome: &Conformance, doubts: &[String], exit: Exit) -> Line {
    let silent =
        |u: &gemscope_model::Unpredicted| Silent { probe: u.probe.name(), why: u.why, count: u.count };
    Line::Conformance(Box::new(ConformanceLine {
        verdict: word(exit),
        profile: whole.era.name(),
        records: whole.records.len() as u64,
        compared: outcome.compared,
        operations: outcome.operations,
        threads: outcome.threads,
        orders: outcome.orders,
        doubts: doubts.to_vec(),
        known: outcome.known.iter().map(|(w, record)| Known { wrong: w.name(), record: *record }).collect(),
        unpredicted: outcome.unpredicted.iter().map(silent).collect(),
        difference: outcome.difference.clone().map(|d| Part {
            record: d.record,
            tid: d.tid,
            observed: d.observed,
            predicted: d.predicted,
            why: d.why,
            knows: d.knows,
        }),
    }))
}

fn text(
    whole: &Whole,
    outcome: &Conformance,
    doubts: &[String],
    exit: Exit,
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let compared = plural(outcome.compared, "record", "records");
    match exit {
        Exit::Clean => writeln!(out, "gemscope: conforms: {compared} are what the model predicts")?,
        Exit::Findings => {
            writeln!(out, "gemscope: differs: a kernel that broke the rules, or a model that is wrong")?;
        }
        _ => writeln!(out, "gemscope: undecided: what is missing could explain anything")?,
    }
    if let Some(d) = &outcome.difference {
        writeln!(out, "\nrecord {} of thread {}", number(d.record), d.tid)?;
        writeln!(out, "  observed   {}", d.observed)?;
        writeln!(out, "  predicted  {}", d.predicted)?;
        writeln!(out, "  because    {}", d.why)?;
        for known in &d.knows {
            writeln!(out, "  known      {known}")?;
        }
        writeln!(out)?;
    }
    for doubt in doubts {
        writeln!(out, "doubt      {doubt}")?;
    }
    writeln!(out, "kernel     {}", escape::name(whole.header.kernel_release.as_bytes()))?;
    writeln!(out, "rules      {}", whole.era.name())?;
    let (operations, threads) =
        (plural(outcome.operations, "operation", "operations"), plural(outcome.threads, "thread", "threads"));
    writeln!(out, "seen       {compared} compared, {operations} in {threads}")?;
    if outcome.orders > 0 {
        writeln!(out, "orders     {} tried beside the first", plural(outcome.orders, "state", "states"))?;
    }
    for (wrong, record) in &outcome.known {
        writeln!(out, "known bug  {}: {}, at record {}", wrong.name(), wrong.text(), number(*record))?;
    }
    let silent: u64 = outcome.unpredicted.iter().map(|u| u.count).sum();
    writeln!(out, "silent     {} without a prediction", plural(silent, "record", "records"))?;
    for u in &outcome.unpredicted {
        writeln!(out, "           {:>6} {}: {}", u.count, u.probe.name(), u.why)?;
    }
    Ok(out)
}
