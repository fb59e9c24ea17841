//! The report that people read: the answer first, then what it rests on, then each finding with its evidence.

mod explain;
pub(crate) mod finding;
pub(crate) mod group;
pub(crate) mod header;
mod near_miss;
mod notes;
pub(crate) mod paint;
pub(crate) mod stack;
pub(crate) mod verdict;

use std::fmt::{self, Write};

use group::{Groups, Tell};

pub use explain::{explain, explain_all};
pub use paint::Palette;

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
    let mut groups = Groups::of(&judgement.findings);
    for f in &judgement.findings {
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
    near_miss::tell(out, &teller, &judgement.near_misses)?;
    verdict::doubts(out, palette, judgement)?;
    notes::tell(out, palette, names)
}

/// Writes the answer in one line only.
///
/// # Errors
/// Those of `out`.
pub fn summary(out: &mut dyn Write, names: &Names<'_>, palette: &Palette) -> fmt::Result {
    verdict::summary(out, palette, names.judgement)
}
