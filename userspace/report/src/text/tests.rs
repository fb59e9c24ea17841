//! The last lines after a test run: how many findings each test has.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::paint::{Palette, paint};
use crate::escape;
use crate::names::{Names, number, plural};

/// Tests told; more are counted only.
const TESTS: usize = 50;

/// Writes the table, when a finding belongs to a test.
pub(super) fn tell(out: &mut dyn Write, palette: &Palette, names: &Names<'_>) -> fmt::Result {
    let mut by_test: BTreeMap<_, u64> = BTreeMap::new();
    let mut outside = 0u64;
    for finding in &names.judgement.findings {
        match names.test_of_finding(finding) {
            Some(test) => *by_test.entry(test).or_default() += 1,
            None => outside += 1,
        }
    }
    if by_test.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<_> = by_test.into_iter().collect();
    // Those of one count stay in the order of their names.
    rows.sort_by_key(|(_, findings)| std::cmp::Reverse(*findings));
    writeln!(out, "{}", paint(palette.strong, "Findings by test"))?;
    for (test, findings) in rows.iter().take(TESTS) {
        let runner = paint(palette.faint, format!("({})", test.runner.name()));
        writeln!(out, "{:>7}  {} {runner}", number(*findings), escape::long(test.text().as_bytes()))?;
    }
    let more = rows.get(TESTS..).unwrap_or_default();
    if !more.is_empty() {
        let findings: u64 = more.iter().map(|(_, findings)| findings).sum();
        let tests = plural(more.len() as u64, "more test", "more tests");
        writeln!(out, "{:>7}  in {tests}; --json tells them all", number(findings))?;
    }
    if outside > 0 {
        writeln!(out, "{:>7}  in no test that could be told", number(outside))?;
    }
    writeln!(out)
}
