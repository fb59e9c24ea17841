//! What came of the project's own assertions beside what broke: those that held, what was set aside and by what.

use std::fmt::{self, Write};

use gemscope_policy::{Entry, Origin};

use super::paint::{Palette, paint};
use crate::escape;
use crate::judgement::Judgement;
use crate::names::{number, plural, size};

/// A sentence of the policy, characters.
const SENTENCE_MAX: usize = 480;

/// Writes what there is to tell.
pub(super) fn tell(out: &mut dyn Write, palette: &Palette, j: &Judgement) -> fmt::Result {
    let o = &j.outcome;
    let used: Vec<&Entry> = o.entries.iter().filter(|e| e.findings > 0).collect();
    if !used.is_empty() {
        writeln!(out, "{}", paint(palette.strong, "Set aside (no part of the verdict)"))?;
        let head = format!("   {:>8} {:>9} {:>11}  {}", "findings", "count", "bytes", "by");
        writeln!(out, "{}", paint(palette.faint, head))?;
        let row = |out: &mut dyn Write, sums: [u64; 3], by: &str| {
            let [findings, count, bytes] = sums;
            writeln!(out, "   {:>8} {:>9} {:>11}  {by}", number(findings), number(count), size(bytes))
        };
        let (of_baseline, others): (Vec<&Entry>, Vec<&Entry>) =
            used.into_iter().partition(|e| e.origin == Origin::Baseline);
        for e in others {
            row(out, [e.findings, e.count, e.bytes], &entry(e))?;
        }
        if !of_baseline.is_empty() {
            let sum =
                |value: fn(&Entry) -> u64| of_baseline.iter().map(|e| value(e)).fold(0, u64::saturating_add);
            let by = format!("{} of the baseline", plural(of_baseline.len() as u64, "entry", "entries"));
            row(out, [sum(|e| e.findings), sum(|e| e.count), sum(|e| e.bytes)], &by)?;
        }
        writeln!(out)?;
    }
    let of_file = |e: &&Entry| e.origin == Origin::Suppression;
    let mut idle: Vec<String> = o.entries.iter().filter(of_file).filter_map(idle).collect();
    let gone = o.entries.iter().filter(|e| e.origin == Origin::Baseline && e.is_unused()).count() as u64;
    if gone > 0 {
        let entries = plural(gone, "entry", "entries");
        idle.push(format!(
            "of {entries} of the baseline nothing was found: fixed? --update-baseline takes that out"
        ));
    }
    for line in &idle {
        writeln!(out, "{} {line}", paint(palette.warn, "note:"))?;
    }
    for kept in &o.kept {
        writeln!(out, "{} {}", paint(palette.good, "kept:"), sentence(&kept.text))?;
    }
    for note in &o.notes {
        writeln!(out, "{} {}", paint(palette.faint, "note:"), sentence(note))?;
    }
    if idle.is_empty() && o.kept.is_empty() && o.notes.is_empty() { Ok(()) } else { writeln!(out) }
}

/// A sentence that the policy wrote, which may quote names.
pub(crate) fn sentence(text: &str) -> String {
    escape::cut(text.as_bytes(), SENTENCE_MAX)
}

/// `suppression known-pool (gemscope.toml:12) until 2027-01-31: reason`
pub(crate) fn entry(e: &Entry) -> String {
    let mut text = called(e);
    if !e.expires.is_empty() {
        text.push_str(&format!(" until {}", escape::name(e.expires.as_bytes())));
    }
    if !e.reason.is_empty() {
        text.push_str(&format!(": {}", escape::long(e.reason.as_bytes())));
    }
    text
}

/// `suppression known-pool (gemscope.toml:12)`
fn called(e: &Entry) -> String {
    let place = match e.place.as_str() {
        "" => String::new(),
        place => format!(" ({})", escape::long(place.as_bytes())),
    };
    format!("{} {}{place}", e.origin.name(), escape::name(e.name.as_bytes()))
}

/// What to say of an entry that set nothing aside. Of one that has expired a note tells, with what it would have matched.
pub(crate) fn idle(e: &Entry) -> Option<String> {
    let called = called(e);
    match e.origin {
        _ if !e.is_unused() => None,
        Origin::Suppression => Some(format!("{called} was not used: take it out if what it hid is repaired")),
        Origin::Baseline => {
            Some(format!("{called} was not found: --update-baseline takes it out if that is repaired"))
        }
    }
}
