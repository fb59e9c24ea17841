//! What came of the project's own assertions beside what broke: those that held, what was set aside and by what.

use std::fmt::{self, Write};

use gemscope_policy::{Entry, Origin};

use super::paint::{Palette, paint};
use crate::escape;
use crate::judgement::Judgement;
use crate::names::{number, size};

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
        for e in used {
            let (findings, count, bytes) = (number(e.findings), number(e.count), size(e.bytes));
            writeln!(out, "   {findings:>8} {count:>9} {bytes:>11}  {}", entry(e))?;
        }
        writeln!(out)?;
    }
    let idle: Vec<String> = o.entries.iter().filter_map(idle).collect();
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

/// What to say of an entry that set nothing aside.
pub(crate) fn idle(e: &Entry) -> Option<String> {
    let called = called(e);
    if e.expired {
        let since = escape::name(e.expires.as_bytes());
        return Some(format!(
            "{called} expired on {since} and sets nothing aside any more: repair what it hid, or renew it"
        ));
    }
    match e.origin {
        _ if !e.is_unused() => None,
        Origin::Suppression => Some(format!("{called} was not used: take it out if what it hid is repaired")),
        Origin::Baseline => {
            Some(format!("{called} was not seen: make the baseline anew if that is repaired"))
        }
    }
}
