//! `gemscope probes`: the catalogue as a table.

use std::fmt::Write as _;

use gemscope_common::Phase;
use gemscope_probes::catalogue::{self, Emits, Row};
use gemscope_report::json;
use serde::Serialize;

use crate::args::ProbesArgs;
use crate::exit::Exit;
use crate::ui::{self, Sink, Ui};

pub fn run(args: &ProbesArgs, _ui: &Ui) -> anyhow::Result<Exit> {
    let rows: Vec<&'static Row> =
        catalogue::rows().filter(|r| args.probe.is_none_or(|p| p == r.id)).collect();
    if args.json {
        let mut out = Vec::new();
        for row in rows {
            json::write_line(&mut out, &Line::of(row))?;
        }
        Sink::Stdout.write(&out)?;
        return Ok(Exit::Clean);
    }
    let mut out = String::new();
    match (args.probe, rows.as_slice()) {
        (Some(_), [row]) => one(&mut out, row)?,
        (_, rows) => table(&mut out, rows)?,
    }
    ui::print(&out)?;
    Ok(Exit::Clean)
}

fn table(out: &mut String, rows: &[&'static Row]) -> std::fmt::Result {
    let width = rows.iter().map(|r| r.id.name().len()).max().unwrap_or(0);
    writeln!(out, "{:<width$}  {:<7} {:<3} attached to", "probe", "records", "hot")?;
    for row in rows {
        let hot = if row.hot { "hot" } else { "" };
        let places = places(row);
        let place = match places.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, more @ ..] => format!("{first}, and {} more", more.len()),
        };
        writeln!(out, "{:<width$}  {:<7} {hot:<3} {place}", row.id.name(), emits(row.emits))?;
    }
    writeln!(
        out,
        "\n{} probes; `gemscope probes NAME` tells what one serves, and what is blind without it",
        rows.len()
    )
}

fn one(out: &mut String, row: &Row) -> std::fmt::Result {
    writeln!(out, "{}\n", row.id.name())?;
    let mut line = |label: &str, text: &str| {
        if text.is_empty() { Ok(()) } else { writeln!(out, "{label:<12} {text}") }
    };
    for (i, place) in places(row).iter().enumerate() {
        line(if i == 0 { "attached to" } else { "" }, place)?;
    }
    for (i, prototype) in row.prototypes.iter().enumerate() {
        line(if i == 0 { "prototype" } else { "" }, prototype)?;
    }
    line("records", emits(row.emits))?;
    line("captures", row.captures)?;
    line("needs", &fields(row.required.iter()).join(", "))?;
    line("reads too", &fields(row.optional.iter().copied().flatten()).join(", "))?;
    line("stacks", stacks(row))?;
    line("hot", if row.hot { "fires often: attached with `--hot` only" } else { "" })?;
    line("rules", &rules(row).join(", "))?;
    line("findings", &row.findings.join(", "))?;
    line("without it", row.blind)?;
    line("caution", row.caution)
}

const fn emits(emits: Emits) -> &'static str {
    match emits {
        Emits::Point => "point",
        Emits::Bracket => "bracket",
        Emits::Return => "return",
    }
}

fn stacks(row: &Row) -> &'static str {
    match row.stacks {
        None => "",
        Some(s) => match (s.kernel, s.at) {
            (true, Phase::Return) => "kernel and user, at return",
            (true, _) => "kernel and user, at entry",
            (false, Phase::Return) => "user, at return",
            (false, _) => "user, at entry",
        },
    }
}

fn places(row: &Row) -> Vec<String> {
    let target = |t: &catalogue::Target| {
        let names: Vec<_> = t.symbols.iter().map(|s| format!("{} [{}]", s.name, s.module)).collect();
        names.join(" or ")
    };
    row.targets.iter().map(target).collect()
}

fn fields<'a>(fields: impl Iterator<Item = &'a gemscope_probes::fields::Field>) -> Vec<String> {
    fields.map(|f| format!("{}.{}", f.type_name(), f.path())).collect()
}

fn rules(row: &Row) -> Vec<String> {
    row.rules.iter().map(|n| format!("R{n}")).collect()
}

/// A row as a line of JSON.
#[derive(Serialize)]
struct Line {
    r#type: &'static str,
    probe: &'static str,
    number: u16,
    attached_to: Vec<Place>,
    prototypes: &'static [&'static str],
    records: &'static str,
    captures: &'static str,
    needs: Vec<String>,
    optional: Vec<String>,
    stacks: &'static str,
    hot: bool,
    rules: Vec<String>,
    findings: &'static [&'static str],
    blind: &'static str,
    caution: &'static str,
}

/// Where a row may be attached.
#[derive(Serialize)]
struct Place {
    kind: &'static str,
    name: &'static str,
    module: &'static str,
    kernels: &'static str,
}

impl Line {
    fn of(row: &'static Row) -> Self {
        let attached_to: Vec<Place> = row
            .symbols()
            .map(|s| Place { kind: "kprobe", name: s.name, module: s.module, kernels: s.kernels })
            .collect();
        Self {
            r#type: "probe",
            probe: row.id.name(),
            number: row.id as u16,
            attached_to,
            prototypes: row.prototypes,
            records: emits(row.emits),
            captures: row.captures,
            needs: fields(row.required.iter()),
            optional: fields(row.optional.iter().copied().flatten()),
            stacks: stacks(row),
            hot: row.hot,
            rules: rules(row),
            findings: row.findings,
            blind: row.blind,
            caution: row.caution,
        }
    }
}
