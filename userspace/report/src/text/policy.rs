//! What the project lets pass: how much of it there was, and by whose word.

use std::fmt::{self, Write};

use gemscope_policy::{Entry, Origin, Outcome};

use super::paint::{Palette, paint};
use crate::escape;
use crate::names::{plural, size};

/// What was set aside, a line for each suppression and one for the baseline.
pub(super) fn set_aside(out: &mut dyn Write, palette: &Palette, outcome: &Outcome) -> fmt::Result {
    if outcome.set_aside.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", paint(palette.faint, "set aside:"))?;
    let of = |origin| outcome.entries.iter().filter(move |e: &&Entry| e.origin == origin && e.findings > 0);
    for e in of(Origin::Suppression) {
        let (name, place) = (escape::name(e.name.as_bytes()), escape::long(e.place.as_bytes()));
        writeln!(out, "   by the suppression `{name}` ({place}): {}", much(e.findings, e.count, e.bytes))?;
        writeln!(out, "      {}", escape::long(e.reason.as_bytes()))?;
    }
    let entries = of(Origin::Baseline).count() as u64;
    if entries > 0 {
        let sum = |value: fn(&Entry) -> u64| of(Origin::Baseline).map(value).fold(0, u64::saturating_add);
        let much = much(sum(|e| e.findings), sum(|e| e.count), sum(|e| e.bytes));
        writeln!(out, "   by {} of the baseline: {much}", plural(entries, "entry", "entries"))?;
    }
    writeln!(out)
}

/// `2 findings, 3 references, 12.0 KiB`
fn much(findings: u64, references: u64, bytes: u64) -> String {
    let mut text = plural(findings, "finding", "findings");
    if references > findings {
        text.push_str(&format!(", {}", plural(references, "reference", "references")));
    }
    if bytes > 0 {
        text.push_str(&format!(", {}", size(bytes)));
    }
    text
}
