//! `gemscope doctor`: what a kernel offers and what is missing, rule by rule; the running one or one on disk.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use gemscope_engine::RuleId;
use gemscope_live::gather;
use gemscope_live::prereq::{self, Check, State};
use gemscope_probes::detect::Answer;
use gemscope_probes::plan::{self, Outcome, Plan, PlanOptions};
use gemscope_probes::{KernelFacts, image};
use gemscope_report::{escape, json};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::capture::missing_for;
use crate::exit::Exit;
use crate::ui::{self, Sink, Ui};

pub fn run(args: &DoctorArgs, _ui: &Ui) -> anyhow::Result<Exit> {
    let (checks, facts) = match &args.image {
        Some(path) => (Vec::new(), Ok(on_disk(path, args.modules.as_deref())?)),
        None => (prereq::checks(), gather::all_kernel_facts()),
    };
    let blocked = checks.iter().any(|c| c.state == State::Missing);
    let (lines, whole) = match &facts {
        Ok(facts) => answers(facts, &PlanOptions { deny: args.deny.clone(), ..PlanOptions::default() }),
        Err(error) => (vec![Line::Problem { text: error.to_string() }], false),
    };
    let mut all: Vec<Line> = checks.iter().map(Line::of_check).collect();
    all.extend(lines);
    if args.json {
        let mut out = Vec::new();
        for line in &all {
            json::write_line(&mut out, line)?;
        }
        Sink::Stdout.write(&out)?;
    } else {
        ui::print(&text(&all)?)?;
    }
    Ok(match (blocked || facts.is_err(), whole) {
        (true, _) => Exit::CannotRun,
        (false, true) => Exit::Clean,
        (false, false) => Exit::Undecided,
    })
}

/// The facts of a kernel from its files.
fn on_disk(path: &Path, modules: Option<&Path>) -> anyhow::Result<KernelFacts> {
    let shown = ui::shown(path);
    let bytes = fs::read(path).with_context(|| format!("cannot read the kernel image `{shown}`"))?;
    let mut found = Vec::new();
    if let Some(dir) = modules {
        find_modules(dir, 0, &mut found)
            .with_context(|| format!("cannot read the modules in `{}`", ui::shown(dir)))?;
        found.sort();
    }
    image::facts(&bytes, found).with_context(|| format!("cannot answer for `{shown}`"))
}

/// The files of the modules that probes look at, in a folder and those below.
fn find_modules(dir: &Path, depth: usize, found: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    /// As deep as modules lie, and no deeper: a wrong folder may be `/`.
    const DEEPEST: usize = 10;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links (`build`, `source`) lead elsewhere and are not followed.
        if entry.file_type()?.is_dir() {
            if depth < DEEPEST {
                find_modules(&entry.path(), depth + 1, found)?;
            }
        } else if image::module_name(&name).is_some_and(|n| image::wants_module(&n)) {
            found.push((name, fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// Everything there is to say about a kernel. Can every rule be judged?
fn answers(facts: &KernelFacts, options: &PlanOptions) -> (Vec<Line>, bool) {
    let plan = plan::plan(facts, options);
    let known = |d: &&gemscope_probes::detect::Detected| d.answer == Answer::Unknown;
    let mut lines = vec![Line::Kernel {
        profile: facts.profile.name(),
        features: facts.features.names().collect(),
        unknown_features: facts.detected.iter().filter(known).flat_map(|d| d.feature.names()).collect(),
        drm: facts.drm,
    }];
    lines.extend(facts.problems.iter().map(|p| Line::Problem { text: p.clone() }));
    lines.extend(plan.probes.iter().map(Line::of_probe));
    let rules: Vec<Line> = RuleId::ALL.iter().map(|r| Line::of_rule(facts, &plan, *r)).collect();
    let whole = rules.iter().all(|l| matches!(l, Line::Rule { judged: "yes" | "-", .. }));
    lines.extend(rules);
    (lines, whole)
}

/// One thing to say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line {
    /// A prerequisite.
    Check { name: &'static str, state: &'static str, found: String, fix: String },
    /// The kernel.
    Kernel {
        profile: &'static str,
        features: Vec<&'static str>,
        unknown_features: Vec<&'static str>,
        drm: bool,
    },
    /// Something that could not be used.
    Problem { text: String },
    /// A probe.
    Probe {
        probe: &'static str,
        state: &'static str,
        attached_to: Vec<String>,
        why: String,
        blind: &'static str,
    },
    /// A rule.
    Rule { rule: &'static str, class: &'static str, judged: &'static str, because: Vec<String> },
}

impl Line {
    fn of_check(check: &Check) -> Self {
        let state = match check.state {
            State::Ok => "ok",
            State::Degraded => "degraded",
            State::Missing => "missing",
            State::Unknown => "unknown",
        };
        Self::Check { name: check.name, state, found: check.found.clone(), fix: check.fix.clone() }
    }

    fn of_probe(planned: &plan::Planned) -> Self {
        let (state, attached_to, why) = match &planned.outcome {
            Outcome::Attach { sites, notes } => {
                let mut places: Vec<String> = sites.iter().map(plan::Site::qualified).collect();
                places.dedup();
                ("attachable", places, notes.join("; "))
            }
            Outcome::Missing { reason, blinds: true } => ("missing", Vec::new(), reason.clone()),
            Outcome::Missing { reason, blinds: false } => ("not-needed", Vec::new(), reason.clone()),
            Outcome::Off { reason } => ("off", Vec::new(), reason.clone()),
        };
        let blind = if state == "missing" { planned.row.blind } else { "" };
        Self::Probe { probe: planned.row.id.name(), state, attached_to, why, blind }
    }

    fn of_rule(facts: &KernelFacts, plan: &Plan, rule: RuleId) -> Self {
        let because: Vec<String> = missing_for(plan, rule).map(|(_, why)| why).collect();
        let needed = |p: &&plan::Planned| !matches!(p.outcome, Outcome::Missing { blinds: false, .. });
        let rests_on =
            plan.probes.iter().filter(needed).filter(|p| p.row.findings.contains(&rule.name())).count();
        // This kernel has no such rule.
        let here = rule.applies(facts.profile, facts.features);
        let judged = match (because.len(), rests_on) {
            _ if !here => "-",
            (0, _) => "yes",
            (missing, all) if missing == all => "no",
            _ => "partly",
        };
        Self::Rule { rule: rule.name(), class: rule.class().name(), judged, because }
    }
}

fn text(lines: &[Line]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let mut section = "";
    let counts = |state: &str| {
        lines.iter().filter(|l| matches!(l, Line::Probe { state: s, .. } if *s == state)).count()
    };
    for line in lines {
        let title = match line {
            Line::Check { .. } => "prerequisites",
            Line::Kernel { .. } | Line::Problem { .. } => "kernel",
            Line::Probe { .. } => "probes",
            Line::Rule { .. } => "rules",
        };
        if title != section {
            writeln!(out, "{}{title}", if section.is_empty() { "" } else { "\n" })?;
            if title == "probes" {
                let (able, missing) = (counts("attachable"), counts("missing"));
                let (unneeded, off) = (counts("not-needed"), counts("off"));
                writeln!(
                    out,
                    "  {able} can be attached, {missing} missing, {unneeded} not needed here, {off} off"
                )?;
            }
            section = title;
        }
        match line {
            Line::Check { name, state, found, fix } => {
                writeln!(out, "  {state:<9} {name}: {}", escape::long(found.as_bytes()))?;
                if !fix.is_empty() {
                    writeln!(out, "  {:<9} -> {}", "", escape::long(fix.as_bytes()))?;
                }
            }
            Line::Kernel { profile, features, unknown_features, drm } => {
                writeln!(out, "  rule profile {profile}")?;
                writeln!(
                    out,
                    "  features {}",
                    if features.is_empty() { "none".to_owned() } else { features.join(", ") }
                )?;
                if !unknown_features.is_empty() {
                    writeln!(out, "  not known: {}", unknown_features.join(", "))?;
                }
                if !drm {
                    writeln!(out, "  DRM is not there")?;
                }
            }
            Line::Problem { text } => writeln!(out, "  {}", escape::long(text.as_bytes()))?,
            Line::Probe { probe, state, why, blind, .. } => {
                if matches!(*state, "missing") || (*state == "attachable" && !why.is_empty()) {
                    let blind = if blind.is_empty() { String::new() } else { format!("; {blind}") };
                    writeln!(out, "  {probe}: {}{blind}", escape::long(why.as_bytes()))?;
                }
            }
            Line::Rule { rule, judged, because, .. } => {
                writeln!(out, "  {judged:<7} {rule}")?;
                for why in because {
                    writeln!(out, "          {}", escape::long(why.as_bytes()))?;
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use gemscope_probes::catalogue;

    use super::*;
    use crate::fixture;

    /// What is left out is missing, and named with what goes unseen, and under each rule that needs it.
    #[test]
    fn a_probe_that_is_left_out_is_told_rule_by_rule() {
        for kernel in fixture::KERNELS {
            let facts = fixture::facts(kernel);
            let whole = plan::plan(&facts, &PlanOptions::default());
            for planned in whole.probes.iter().filter(|p| matches!(p.outcome, Outcome::Attach { .. })) {
                let row = planned.row;
                let name = row.id.name();
                let options = PlanOptions { deny: vec![row.id], ..PlanOptions::default() };
                let (lines, complete) = answers(&facts, &options);
                // A rule that this kernel does not have is no gap.
                let gap = |line: &Line| matches!(line, Line::Rule { judged: "partly" | "no", .. });
                assert_eq!(complete, !lines.iter().any(gap), "{kernel}: {name}");
                let said = text(&lines).unwrap();
                let probe = format!("  {name}: left out on request; {}\n", row.blind);
                assert!(said.contains(&probe), "{kernel}: no `{probe}` in:\n{said}");
                for line in &lines {
                    let Line::Rule { rule, judged, because, .. } = line else { continue };
                    let because = because.concat();
                    let told = because.contains(&format!("{name} is missing (left out on request)"));
                    assert_eq!(told, row.findings.contains(rule), "{kernel}: {name}: {rule}: {because}");
                    assert!(!told || *judged != "yes", "{kernel}: {name}: {rule}");
                }
            }
        }
    }

    /// What fires often is off until it is asked for, so leaving it out takes nothing away.
    #[test]
    fn a_probe_that_is_off_anyway_blinds_nothing() {
        let facts = fixture::facts("6.12");
        let answer =
            |deny| text(&answers(&facts, &PlanOptions { deny, ..PlanOptions::default() }).0).unwrap();
        let hot = catalogue::rows().filter(|r| r.hot).map(|r| r.id).collect();
        assert_eq!(answer(hot), answer(Vec::new()));
    }
}
