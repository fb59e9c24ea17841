//! The first line and the last ones: the answer, its doubts, and what was told but not judged.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use gemscope_engine::{Notes, RuleId, Verdict};

use super::paint::{Palette, paint};
use crate::judgement::Judgement;
use crate::names::{doubt, number, plural, size};

/// The answer in one line.
pub(super) fn summary(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    let (style, text) = match &j.verdict {
        Verdict::Clean => (
            palette.good,
            format!(
                "clean: nothing leaked and no rule was broken in {}",
                plural(j.counts.records, "record", "records")
            ),
        ),
        Verdict::Findings => {
            let mut text =
                format!("{}: {}", plural(j.certain() as u64, "finding", "findings"), by_rule(j, false));
            let uncertain = j.findings.len() - j.certain();
            if uncertain > 0 {
                text.push_str(&format!("; {} more uncertain", number(uncertain as u64)));
            }
            (palette.bad, text)
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
            if !j.findings.is_empty() {
                text.push_str(&format!("; uncertain: {}", by_rule(j, true)));
            }
            (palette.warn, text)
        }
    };
    writeln!(out, "gemscope: {}", paint(style, text))
}

/// `handle-leak ×3 (192.0 KiB), double-close ×1`, in the order of the rules.
fn by_rule(j: &Judgement, uncertain: bool) -> String {
    let mut rules: BTreeMap<RuleId, (u64, u64)> = BTreeMap::new();
    for f in j.findings.iter().filter(|f| f.tainted == uncertain) {
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

/// Things that are told and not judged.
pub(super) fn notes(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    let told = note_lines(&j.notes);
    for (_, _, text) in &told {
        writeln!(out, "{} {text}", paint(palette.faint, "note:"))?;
    }
    if told.is_empty() { Ok(()) } else { writeln!(out) }
}

/// The notes that have something to say: name, count, sentence.
pub(crate) fn note_lines(notes: &Notes) -> Vec<(&'static str, u64, String)> {
    let Notes {
        handles_left_by_signal,
        fds_left_by_signal,
        handles_left_ignored,
        fds_left_ignored,
        pre_existing: _,
        held_outside,
        deferred,
        findings_dropped,
    } = *notes;
    let handles = |n| plural(n, "handle", "handles");
    let fds = |n| plural(n, "dma-buf fd", "dma-buf fds");
    let mut lines = Vec::new();
    let mut add = |name, n: u64, text: String| {
        if n > 0 {
            lines.push((name, n, text));
        }
    };
    add(
        "handles-left-by-signal",
        handles_left_by_signal,
        format!("{} left open by a fatal signal, not judged", handles(handles_left_by_signal)),
    );
    add(
        "fds-left-by-signal",
        fds_left_by_signal,
        format!("{} left open by a fatal signal, not judged", fds(fds_left_by_signal)),
    );
    add(
        "handles-left-ignored",
        handles_left_ignored,
        format!("{} open at file close, not judged in this mode (--at-exit)", handles(handles_left_ignored)),
    );
    add(
        "fds-left-ignored",
        fds_left_ignored,
        format!("{} open at exit, not judged in this mode (--at-exit)", fds(fds_left_ignored)),
    );
    add(
        "held-outside",
        held_outside,
        format!(
            "{} still held by processes outside the scope, not judged",
            plural(held_outside, "dma-buf", "dma-bufs")
        ),
    );
    add(
        "deferred",
        deferred,
        format!("{} wait for an O_PATH holder to be destroyed", plural(deferred, "dma-buf", "dma-bufs")),
    );
    add(
        "findings-dropped",
        findings_dropped,
        format!("{} beyond the limit, counted only", plural(findings_dropped, "finding", "findings")),
    );
    lines
}
