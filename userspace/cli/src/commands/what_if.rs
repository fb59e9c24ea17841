//! `gemscope replay FILE --what-if PROFILE`: what the recorded run would have come to on another kernel.

use std::fmt::Write as _;

use gemscope_model::{Era, WhatIf, what_if};
use gemscope_report::{escape, json, number, plural};

use super::conform::Whole;
use super::model_lines::{Line, Otherwise, Then, WhatIfLine};
use crate::args::ReplayArgs;
use crate::exit::Exit;
use crate::ui::{self, Sink};

/// What a run that is made again cannot have of the recorded one.
const ASSUMED: &str = "operations come one after the other, in the order of their first records; an fd lives as long as it did; \
                       devices and mappings of drivers are left out";

pub fn run(args: &ReplayArgs, other: Era) -> anyhow::Result<Exit> {
    let whole = Whole::read(&args.file)?;
    let outcome = what_if(whole.era, other, &whole.attached, &whole.records);
    if args.json {
        let mut out = Vec::new();
        json::write_line(&mut out, &line(&whole, other, &outcome))?;
        Sink::Stdout.write(&out)?;
    } else {
        ui::print(&text(&whole, other, &outcome)?)?;
    }
    Ok(if outcome.wrong.is_empty() { Exit::Clean } else { Exit::Findings })
}

fn line(whole: &Whole, other: Era, outcome: &WhatIf) -> Line {
    let then = |t: &gemscope_model::Then| Then {
        record: t.record,
        operation: t.operation,
        wrong: t.wrong.name(),
        text: t.wrong.text(),
        about: t.about.clone(),
    };
    let otherwise = |o: &gemscope_model::Otherwise| Otherwise {
        record: o.record,
        operation: o.operation,
        recorded: o.here.clone(),
        there: o.there.clone(),
    };
    Line::WhatIf(Box::new(WhatIfLine {
        recorded: whole.era.name(),
        profile: other.name(),
        operations: outcome.operations,
        left_out: outcome.left_out,
        assumed: ASSUMED,
        doubts: whole.doubts.clone(),
        wrong: outcome.wrong.iter().map(then).collect(),
        otherwise: outcome.otherwise.iter().map(otherwise).collect(),
    }))
}

fn text(whole: &Whole, other: Era, outcome: &WhatIf) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let name = other.name();
    match (outcome.wrong.len(), outcome.otherwise.len()) {
        (0, 0) => writeln!(out, "gemscope: nothing different on {name}")?,
        (0, n) => writeln!(
            out,
            "gemscope: nothing wrong on {name}; {} would differ",
            plural(n as u64, "result", "results")
        )?,
        (n, _) => {
            let things = plural(n as u64, "thing", "things");
            writeln!(out, "gemscope: {things} would have gone wrong on {name}")?;
        }
    }
    for t in &outcome.wrong {
        let record = number(t.record);
        writeln!(out, "\nrecord {record}, {}: {} with {}", t.operation, t.wrong.name(), t.about)?;
        writeln!(out, "  {}", t.wrong.text())?;
    }
    if !outcome.otherwise.is_empty() {
        writeln!(out)?;
    }
    for o in &outcome.otherwise {
        let record = number(o.record);
        writeln!(out, "record {record}, {}: {} there, {} here", o.operation, o.there, o.here)?;
    }
    if !outcome.wrong.is_empty() || !outcome.otherwise.is_empty() {
        writeln!(out)?;
    }
    for doubt in &whole.doubts {
        writeln!(out, "doubt      {doubt}")?;
    }
    writeln!(
        out,
        "recorded   {}: {}",
        escape::name(whole.header.kernel_release.as_bytes()),
        whole.era.name()
    )?;
    let left_out = match outcome.left_out {
        0 => String::new(),
        n => format!(", {} left out", number(n)),
    };
    writeln!(out, "made again {}{left_out}", plural(outcome.operations, "operation", "operations"))?;
    writeln!(out, "assumed    {ASSUMED}")?;
    Ok(out)
}
