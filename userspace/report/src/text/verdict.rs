//! The answer in the first line, and the doubts about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use gemscope_engine::{RuleId, Verdict};

use super::paint::{Palette, paint};
use crate::judgement::Judgement;
use crate::names::{number, plural, size};

/// The answer in one line.
pub(super) fn summary(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    let style = match &j.verdict {
        Verdict::Clean => palette.good,
        Verdict::Findings => palette.bad,
        Verdict::Undecided(_) => palette.warn,
    };
    writeln!(out, "gemscope: {}", paint(style, sentence(j)))
}

/// The answer in words.
pub(crate) fn sentence(j: &Judgement) -> String {
    match &j.verdict {
        Verdict::Clean if j.idle && aside(j) == 0 => {
            let records = plural(j.counts.records, "record", "records");
            format!(
                "clean: but nothing was made that could leak, no handle, dma-buf or framebuffer, in {records}"
            )
        }
        Verdict::Clean => {
            let records = plural(j.counts.records, "record", "records");
            let held = match j.outcome.kept.len() as u64 {
                0 => "nothing leaked and no rule was broken".to_owned(),
                n => format!(
                    "nothing leaked, no rule was broken and {} held",
                    plural(n, "assertion", "assertions")
                ),
            };
            match aside(j) {
                0 => format!("clean: {held} in {records}"),
                n => {
                    format!(
                        "clean: beside {} set aside, {held} in {records}",
                        plural(n, "finding", "findings")
                    )
                }
            }
        }
        Verdict::Findings => {
            let mut text =
                format!("{}: {}", plural(j.certain() as u64, "finding", "findings"), by_rule(j, false));
            let uncertain = j.uncertain();
            if uncertain > 0 {
                text.push_str(&format!("; {} more uncertain", number(uncertain as u64)));
            }
            text.push_str(&and_aside(j));
            text
        }
        Verdict::Undecided(doubts) => {
            let mut reasons = j.reasons_beside(doubts);
            let why = reasons.next().map_or_else(String::new, |(what, _)| format!(": {what}"));
            let mut text = format!("undecided{why}");
            let more = reasons.count() as u64;
            if more > 0 {
                text.push_str(&format!(" (and {})", plural(more, "more reason", "more reasons")));
            }
            if j.uncertain() > 0 {
                text.push_str(&format!("; uncertain: {}", by_rule(j, true)));
            }
            text.push_str(&and_aside(j));
            text
        }
    }
}

/// Findings and broken assertions that are set aside.
fn aside(j: &Judgement) -> u64 {
    j.outcome.set_aside.len() as u64
}

fn and_aside(j: &Judgement) -> String {
    match aside(j) {
        0 => String::new(),
        n => format!("; {} set aside", number(n)),
    }
}

/// `handle-leak ×3 (192.0 KiB), double-close ×1, budget of handles`, in the order of the rules.
fn by_rule(j: &Judgement, uncertain: bool) -> String {
    let mut rules: BTreeMap<RuleId, (u64, u64)> = BTreeMap::new();
    for f in j.standing().filter(|f| f.tainted == uncertain) {
        let entry = rules.entry(f.rule).or_default();
        entry.0 += f.count.max(1);
        entry.1 += f.bytes;
    }
    let rules = rules.iter().map(|(rule, (count, bytes))| match bytes {
        0 => format!("{} ×{}", rule.name(), number(*count)),
        bytes => format!("{} ×{} ({})", rule.name(), number(*count), size(*bytes)),
    });
    let broken = j.breaches().filter(|b| b.tainted == uncertain);
    // Two of one kind may differ in what marked the cycles.
    let broken: BTreeSet<_> = broken.map(|b| (b.assertion, b.kind)).collect();
    let broken = broken.iter().map(|(assertion, kind)| format!("{} of {}", assertion.name(), kind.name()));
    rules.chain(broken).collect::<Vec<_>>().join(", ")
}

/// Why the answer is not certain, a line each.
pub(crate) fn reasons(j: &Judgement) -> String {
    let lines: Vec<String> = j.reasons().map(|(what, help)| format!("{what}; {help}")).collect();
    lines.join("\n")
}

/// Why the answer is not certain, and what to do.
pub(super) fn doubts(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    if j.reasons().next().is_none() {
        return Ok(());
    }
    let head = match j.verdict {
        Verdict::Findings => "something could have been missed beside these findings:",
        Verdict::Clean | Verdict::Undecided(_) => "why the verdict is undecided:",
    };
    writeln!(out, "{}", paint(palette.warn, head))?;
    for (what, advice) in j.reasons() {
        writeln!(out, "   {what}")?;
        writeln!(out, "   {} {advice}", paint(palette.faint, "->"))?;
    }
    writeln!(out)
}
