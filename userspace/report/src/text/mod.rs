//! The report that people read: the answer first, then what it rests on, then each finding with its evidence.

pub(crate) mod breach;
mod explain;
pub(crate) mod finding;
pub(crate) mod group;
pub(crate) mod header;
mod near_miss;
mod notes;
pub(crate) mod outcome;
pub(crate) mod paint;
pub(crate) mod stack;
mod survey;
mod tests;
pub(crate) mod verdict;

use std::fmt::{self, Write};

use group::{Groups, Tell};

pub use explain::{explain, explain_all, explain_assertion};
pub use paint::Palette;
pub use survey::survey;

use crate::names::Names;

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn Write, names: &Names<'_>, palette: &Palette) -> fmt::Result {
    let judgement = names.judgement;
    verdict::summary(out, palette, judgement)?;
    header::header(out, palette, names.context, judgement)?;
    writeln!(out)?;
    let teller = finding::Teller { names, palette };
    // What is set aside is counted below, and told in full by JSON lines.
    let mut groups = Groups::of(judgement.standing());
    for f in judgement.standing() {
        let tell = groups.next(f);
        if tell == Tell::Nothing {
            continue;
        }
        teller.finding(out, f)?;
        if let Tell::AndMore(findings, bytes) = tell {
            teller.and_more(out, findings, bytes)?;
        }
        writeln!(out)?;
    }
    for b in judgement.breaches() {
        teller.breach(out, b)?;
        writeln!(out)?;
    }
    outcome::tell(out, palette, judgement)?;
    near_miss::tell(out, &teller, &judgement.near_misses)?;
    verdict::doubts(out, palette, judgement)?;
    notes::tell(out, palette, names)?;
    tests::tell(out, palette, names)
}

/// Writes the answer in one line only.
///
/// # Errors
/// Those of `out`.
pub fn summary(out: &mut dyn Write, names: &Names<'_>, palette: &Palette) -> fmt::Result {
    verdict::summary(out, palette, names.judgement)
}

/// One finding as [`report`] tells it, or one near miss; empty when there is none with this number.
#[must_use]
pub fn finding_text(names: &Names<'_>, number: u32) -> String {
    let mut out = String::new();
    if let Some(f) = names.judgement.findings.iter().find(|f| f.number == number) {
        // Writing to a string cannot fail.
        let _ = finding::Teller { names, palette: &Palette::plain() }.finding(&mut out, f);
    }
    out
}

/// A finding as something to paste into a bug report: which rule, on which kernel, watched how, and the evidence; empty
/// when there is none with this number.
#[must_use]
pub fn bug_report(names: &Names<'_>, number: u32) -> String {
    let j = names.judgement;
    let Some(f) = j.findings.iter().find(|f| f.number == number) else { return String::new() };
    let palette = &Palette::plain();
    let mut out = format!("{}: {}\n\n", f.rule.name(), f.rule.rule().title);
    if !names.context.gemscope.is_empty() {
        let version = crate::escape::name(names.context.gemscope.as_bytes());
        out.push_str(&format!("gemscope  {version}\n"));
    }
    // Writing to a string cannot fail.
    let _ = header::header(&mut out, palette, names.context, j);
    out.push('\n');
    let _ = finding::Teller { names, palette }.finding(&mut out, f);
    if j.reasons().next().is_some() {
        out.push('\n');
        let _ = verdict::doubts(&mut out, palette, j);
    }
    out
}
