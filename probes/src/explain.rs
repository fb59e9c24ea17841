//! The catalogue and a plan in words: what `gemscope probes` and `gemscope doctor` say.

use gemscope_common::Phase;

use crate::catalogue::{self, Row};
use crate::fields::Field;
use crate::plan::{Outcome, Plan, Planned};

/// A row of the catalogue in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The probe's name.
    pub name: &'static str,
    /// Its stable number.
    pub number: u16,
    /// What it is attached to, one line for every alternative: symbol, module, kernels.
    pub attach: Vec<String>,
    /// C prototypes.
    pub prototypes: Vec<&'static str>,
    /// What its records hold.
    pub captures: &'static str,
    /// Fields it cannot do without.
    pub required: Vec<String>,
    /// Fields it reads when they are known.
    pub optional: Vec<String>,
    /// The phases of its records.
    pub phases: Vec<&'static str>,
    /// Its programs in the BPF object.
    pub programs: Vec<String>,
    /// Which stacks it takes and when; empty when none.
    pub stacks: String,
    /// Off unless asked for.
    pub hot: bool,
    /// `R13` and so on.
    pub rules: Vec<String>,
    /// Findings that rest on it.
    pub findings: Vec<&'static str>,
    /// What cannot be seen without it.
    pub blind: &'static str,
    /// What a self-check has to look at; empty when nothing.
    pub caution: &'static str,
}

/// The name of a phase in reports.
#[must_use]
pub const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Entry => "entry",
        Phase::Return => "return",
        Phase::Point => "point",
    }
}

/// A row in words.
#[must_use]
pub fn explain(row: &Row) -> Explanation {
    let one = |target: &catalogue::Target| {
        let symbols = target.symbols.iter().map(|s| format!("{} [{}] {}", s.name, s.module, s.kernels));
        symbols.collect::<Vec<_>>().join(", else ")
    };
    let attach = row.targets.iter().map(one).collect();
    let field = |f: &Field| format!("{}.{}", f.type_name(), f.path());
    let stacks = match row.stacks {
        None => String::new(),
        Some(s) if s.kernel => format!("user and kernel at {}", phase_name(s.at)),
        Some(s) => format!("user at {}", phase_name(s.at)),
    };
    Explanation {
        name: row.id.name(),
        number: row.id as u16,
        attach,
        prototypes: row.prototypes.to_vec(),
        captures: row.captures,
        required: row.required.iter().map(field).collect(),
        optional: row.optional.iter().copied().flatten().map(field).collect(),
        phases: row.emits.phases().iter().map(|&p| phase_name(p)).collect(),
        programs: row.programs().into_iter().map(|p| p.name).collect(),
        stacks,
        hot: row.hot,
        rules: row.rules.iter().map(|n| format!("R{n}")).collect(),
        findings: row.findings.to_vec(),
        blind: row.blind,
        caution: row.caution,
    }
}

/// One word and one sentence about what becomes of a row.
#[must_use]
pub fn status(planned: &Planned) -> (&'static str, String) {
    match &planned.outcome {
        Outcome::Attach { sites, notes } => {
            let mut symbols: Vec<&str> = sites.iter().map(|s| s.symbol.as_str()).collect();
            symbols.dedup();
            let notes = notes.iter().map(|n| format!("; {n}")).collect::<String>();
            let word = if notes.is_empty() { "ok" } else { "partly" };
            (word, format!("{}{notes}", symbols.join(", ")))
        }
        Outcome::Missing { reason, blinds: true } => ("missing", reason.clone()),
        Outcome::Missing { reason, blinds: false } => ("not needed", reason.clone()),
        Outcome::Off { reason } => ("off", reason.clone()),
    }
}

/// How much of a rule, or of what a finding rests on, can be seen on one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Every probe that serves it is there.
    Whole,
    /// Some are missing.
    Partial,
    /// None is there.
    Blind,
    /// The probes that serve it fire often and are off: ask for hot probes.
    Off,
    /// This kernel does not have what it is about.
    NotNeeded,
    /// No probe serves it: it is not judged.
    Unserved,
}

/// What a kernel lets be seen of one rule or finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// `R13`, or the finding's name.
    pub name: String,
    /// How much can be seen.
    pub sight: Sight,
    /// The probes that serve it and are there.
    pub served_by: Vec<&'static str>,
    /// The probes that serve it and are missing, with what is blind without each.
    pub missing: Vec<(&'static str, &'static str)>,
}

fn coverage(
    plan: &Plan,
    name: String,
    serves: impl Fn(&Row) -> bool,
    unseen: impl Fn(&Planned) -> bool,
) -> Coverage {
    let (mut served_by, mut missing) = (Vec::new(), Vec::new());
    let (mut off, mut any) = (false, false);
    for planned in plan.probes.iter().filter(|p| serves(p.row)) {
        any = true;
        match &planned.outcome {
            Outcome::Attach { .. } if unseen(planned) => {
                missing.push((planned.row.id.name(), planned.row.blind));
            }
            Outcome::Attach { .. } => served_by.push(planned.row.id.name()),
            // Hot probes are a bonus: being off by default takes nothing away from what is promised by default.
            Outcome::Off { .. } if planned.row.hot => off = true,
            _ if planned.blinds() => missing.push((planned.row.id.name(), planned.row.blind)),
            _ => {}
        }
    }
    let sight = match (served_by.is_empty(), missing.is_empty()) {
        (false, true) => Sight::Whole,
        (false, false) => Sight::Partial,
        (true, false) => Sight::Blind,
        (true, true) if off => Sight::Off,
        (true, true) if any => Sight::NotNeeded,
        (true, true) => Sight::Unserved,
    };
    Coverage { name, sight, served_by, missing }
}

/// What can be seen, rule by rule.
#[must_use]
pub fn rules(plan: &Plan) -> Vec<Coverage> {
    let of = |&n: &u8| coverage(plan, format!("R{n}"), |row| row.rules.contains(&n), |_| false);
    catalogue::RULES.iter().map(of).collect()
}

/// What can be seen, finding by finding, by name.
#[must_use]
pub fn findings(plan: &Plan) -> Vec<Coverage> {
    let mut names: Vec<&str> = catalogue::rows().flat_map(|row| row.findings).copied().collect();
    names.sort_unstable();
    names.dedup();
    let of = |n: &str| {
        coverage(plan, n.to_owned(), |row| row.findings.contains(&n), |planned| planned.hides(n).is_some())
    };
    names.into_iter().map(of).collect()
}

/// A plain table of all probes and what becomes of each; without a plan, of the catalogue alone.
#[must_use]
pub fn table(plan: Option<&Plan>) -> String {
    let mut lines = Vec::new();
    match plan {
        None => lines.extend(catalogue::rows().map(|row| {
            let e = explain(row);
            [e.number.to_string(), e.name.to_owned(), e.phases.join("+"), first_symbol(row).to_owned()]
        })),
        Some(plan) => lines.extend(plan.probes.iter().map(|p| {
            let (word, text) = status(p);
            [(p.row.id as u16).to_string(), p.row.id.name().to_owned(), word.to_owned(), text]
        })),
    }
    let width =
        |column: usize| lines.iter().filter_map(|l| l.get(column)).map(String::len).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut out = String::new();
    for [number, name, word, text] in &lines {
        let [w0, w1, w2] = widths;
        out.push_str(&format!("{number:>w0$}  {name:w1$}  {word:w2$}  {text}\n"));
    }
    out
}

fn first_symbol(row: &Row) -> &'static str {
    row.symbols().next().map_or("", |s| s.name)
}
