//! The report that people read: the answer first, then what it rests on, then each finding with its evidence.

mod explain;
mod finding;
mod header;
mod paint;
mod stack;
mod verdict;

use std::fmt::{self, Write};

pub use explain::{explain, explain_all};
pub use paint::Palette;
pub(crate) use verdict::note_lines;

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
    for f in &judgement.findings {
        teller.finding(out, f)?;
        writeln!(out)?;
    }
    verdict::doubts(out, palette, judgement)?;
    verdict::notes(out, palette, judgement)
}

/// Writes the answer in one line only.
///
/// # Errors
/// Those of `out`.
pub fn summary(out: &mut dyn Write, names: &Names<'_>, palette: &Palette) -> fmt::Result {
    verdict::summary(out, palette, names.judgement)
}
