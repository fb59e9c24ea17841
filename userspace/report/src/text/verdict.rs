//! The answer in the first line, and the doubts about it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use gemscope_engine::{RuleId, Verdict};

use super::paint::{Palette, paint};
use crate::judgement::Judgement;
use crate::names::{doubt, number, plural, size};

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
        Verdict::Clean => {
            let records = plural(j.counts.records, "record", "records");
            match j.outcome.set_aside.len() as u64 {
                0 => format!("clean: nothing leaked and no rule was broken in {records}"),
                n => format!(
                    "clean: nothing stands of {}, set aside, in {records}",
                    plural(n, "finding", "findings")
                ),
            }
        }
        Verdict::Findings => {
            let mut text =
                format!("{}: {}", plural(j.certain() as u64, "finding", "findings"), by_rule(j, false));
            let uncertain = j.uncertain();
            if uncertain > 0 {
                text.push_str(&format!("; {} more uncertain", number(uncertain as u64)));
            }
            match j.outcome.set_aside.len() as u64 {
                0 => {}
                n => text.push_str(&format!("; {} set aside", number(n))),
            }
            text
        }
        Verdict::Undecided(doubts) => {
            let why = doubts.first().map_or_else(String::new, |d| format!(": {}", doubt(*d).0));
            let mut text = format!("undecided{why}");
            if doubts.len() > 1 {
                text.push_str(&format!(
                    " (and {})",
                    plural(doubts.len() as u64 - 1, "more reason", "more reasons")
                ));
            }
            if j.standing().next().is_some() {
                text.push_str(&format!("; uncertain: {}", by_rule(j, true)));
            }
            text
        }
    }
}

/// `handle-leak ×3 (192.0 KiB), double-close ×1`, in the order of the rules.
fn by_rule(j: &Judgement, uncertain: bool) -> String {
    let mut rules: BTreeMap<RuleId, (u64, u64)> = BTreeMap::new();
    for f in j.standing().filter(|f| f.tainted == uncertain) {
        let entry = rules.entry(f.rule).or_default();
        entry.0 += f.count.max(1);
        entry.1 += f.bytes;
    }
    let words: Vec<_> = rules
        .iter()
        .map(|(rule, (count, bytes))| match bytes {
            0 => format!("{} ×{}", rule.name(), number(*count)),
            bytes => format!("{} ×{} ({})", rule.name(), number(*count), size(*bytes)),
        })
        .collect();
    words.join(", ")
}

/// Why the answer is not certain, and what to do.
pub(super) fn doubts(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    if j.doubts.is_empty() {
        return Ok(());
    }
    let head = match j.verdict {
        Verdict::Findings => "something could have been missed beside these findings:",
        Verdict::Clean | Verdict::Undecided(_) => "why the verdict is undecided:",
    };
    writeln!(out, "{}", paint(palette.warn, head))?;
    for d in &j.doubts {
        let (what, advice) = doubt(*d);
        writeln!(out, "   {what}")?;
        writeln!(out, "   {} {advice}", paint(palette.faint, "->"))?;
    }
    writeln!(out)
}
