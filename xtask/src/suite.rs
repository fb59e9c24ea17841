//! `cargo xtask offenders`: docs/offenders.md, the suite of small offenders and look-alikes, and what was said of each on each line of
//! kernels.
//!
//! The page is made from the table of cases and from what the guests brought back when the suite last ran: that is kept in
//! tests/fixtures/offenders.jsonl, a line for each case on each line of kernels. Tests hold the page against both, and what was seen
//! against what must be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::kernels::LINES;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rows::{self, Case, Kind};
use crate::workspace;

const PAGE: &str = "docs/offenders.md";
const SEEN: &str = "tests/fixtures/offenders.jsonl";
/// How a client ends that cannot do its part here.
const SKIPPED: &str = "77";

/// What is asked of the page.
#[derive(Debug, Args)]
pub struct OffendersArgs {
    /// Compare the committed page instead of writing it.
    #[arg(long, conflicts_with = "take")]
    check: bool,
    /// First take in what `vm-matrix --filter offender- --filter look-alike- --filter missed-` has left in the build folder.
    #[arg(long)]
    take: bool,
}

/// What was said of one case on one line of kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    case: String,
    line: String,
    /// `uname -r`; empty where nothing was judged.
    kernel: String,
    /// `clean`, `findings`, `undecided`, or `skipped`.
    verdict: String,
    by_rule: BTreeMap<String, u64>,
    /// Judged in one check with the others, and told apart by the name of its process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    together: bool,
}

impl Seen {
    fn is_of(&self, case: &Case, line: &str) -> bool {
        self.case == case.row.name && self.line == line
    }
}

/// Writes the page, or compares it.
///
/// # Errors
/// When it cannot be written, or is not what it should be.
pub fn run(args: &OffendersArgs) -> Result<u8> {
    if args.take {
        take()?;
    }
    workspace::keep_page(PAGE, &page(&seen()?), args.check, "the suite and its last run say", "offenders")
}

fn seen() -> Result<Vec<Seen>> {
    let path = workspace::root().join(SEEN);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let line = |line| serde_json::from_str(line).with_context(|| format!("`{SEEN}` has the line `{line}`"));
    text.lines().map(line).collect()
}

/// Keeps what the last run of the suite left; what was not run stays as it was seen before.
fn take() -> Result<()> {
    let out = workspace::target().join("vm-matrix");
    let before = seen().unwrap_or_default();
    let mut text = String::new();
    for case in rows::cases() {
        for line in LINES {
            let Some(row) = case.row_of(line.name) else { continue };
            let known = || before.iter().find(|seen| seen.is_of(case, line.name)).cloned();
            let folder = out.join(line.name).join(row.name);
            if let Some(seen) = taken(case, line.name, &folder)?.or_else(known) {
                text += &serde_json::to_string(&seen)?;
                text.push('\n');
            }
        }
    }
    let path = workspace::root().join(SEEN);
    fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// What one run left in its folder; `None` when it was not run.
fn taken(case: &Case, line: &str, folder: &Path) -> Result<Option<Seen>> {
    let Ok(code) = fs::read_to_string(folder.join("code")) else { return Ok(None) };
    let stdout = fs::read_to_string(folder.join("stdout")).unwrap_or_default();
    let lines: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| lines.iter().rev().find(|line| line["type"] == kind);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let summary = of("summary");
    let (verdict, by_rule) = match summary {
        Some(summary) => (text(summary.get("verdict")), serde_json::from_value(summary["by_rule"].clone())?),
        None if code.trim() == SKIPPED => ("skipped".to_owned(), BTreeMap::new()),
        None => bail!("`{}` has no verdict", folder.display()),
    };
    let kernel = text(of("header").and_then(|header| header.pointer("/kernel/release")));
    let name = case.row.name.to_owned();
    let line = line.to_owned();
    Ok(Some(Seen { case: name, line, kernel, verdict, by_rule, together: false }))
}

/// What must be seen of a case on a line that its row is for.
fn wanted(case: &Case, line: &str) -> (&'static str, BTreeMap<String, u64>) {
    let rules = case.rules.iter().map(|(rule, count)| ((*rule).to_owned(), count.unsigned_abs())).collect();
    match case.kind {
        _ if case.absent.as_ref().is_some_and(|row| row.lines.hold(line)) => ("skipped", BTreeMap::new()),
        Kind::Offender => ("findings", rules),
        Kind::LookAlike | Kind::Missed => ("clean", rules),
    }
}

/// Rules and how often each was broken, in words.
fn words<'a>(rules: impl Iterator<Item = (&'a str, u64)>) -> String {
    let words: Vec<_> = rules
        .map(|(rule, count)| if count == 1 { rule.to_owned() } else { format!("{rule} ×{count}") })
        .collect();
    words.join(", ")
}

/// What was seen of a case on a line, in a word where it is what must be.
fn cell(case: &Case, line: &str, seen: &[Seen]) -> String {
    let Some(row) = case.row_of(line) else { return "–".to_owned() };
    let Some(seen) = seen.iter().find(|seen| seen.is_of(case, line)) else {
        return if row.driver { "no driver".to_owned() } else { "not run".to_owned() };
    };
    let (verdict, by_rule) = wanted(case, line);
    let mark = if seen.together { "\\*" } else { "" };
    let said = match seen.verdict.as_str() {
        "findings" if (verdict, &by_rule) == ("findings", &seen.by_rule) => "found".to_owned(),
        _ if seen.by_rule.is_empty() => seen.verdict.clone(),
        verdict => format!("{verdict}: {}", words(seen.by_rule.iter().map(|(rule, n)| (rule.as_str(), *n)))),
    };
    said + mark
}

fn page(seen: &[Seen]) -> String {
    let mut out = String::from(HEAD);
    let of = |kind: Kind| rows::cases().filter(move |case| case.kind == kind);
    let (offenders, alike) = (of(Kind::Offender).count(), of(Kind::LookAlike).count());
    let _ = writeln!(
        out,
        "{offenders} offenders, {alike} look-alikes. What was seen last was seen on these kernels:\n"
    );
    for line in LINES {
        let kernel = seen.iter().find(|seen| seen.line == line.name && !seen.kernel.is_empty());
        let kernel = kernel.map_or("none".to_owned(), |seen| format!("`{}`", seen.kernel));
        let _ = writeln!(out, "* {}: {kernel}", line.name);
    }
    for (kind, head) in [(Kind::Offender, OFFENDERS), (Kind::LookAlike, ALIKE), (Kind::Missed, MISSED)] {
        let lines: Vec<&str> = LINES.iter().map(|line| line.name).collect();
        let expected = if kind == Kind::Offender { " must find |" } else { "" };
        let _ = writeln!(
            out,
            "\n{head}\n| case | of | what it is | run |{expected} {} |\n|---|---|---|---|{}{}",
            lines.join(" | "),
            if expected.is_empty() { "" } else { "---|" },
            "---|".repeat(lines.len()),
        );
        for case in of(kind) {
            let _ = write!(out, "| {} | {} | {} | `{}` |", case.name(), case.of, case.about, case.client);
            if kind == Kind::Offender {
                let rules = case.rules.iter().map(|(rule, count)| (*rule, count.unsigned_abs()));
                let _ = write!(out, " {} |", words(rules));
            }
            for line in &lines {
                let _ = write!(out, " {} |", cell(case, line, seen));
            }
            out.push('\n');
        }
    }
    out
}

const HEAD: &str = "\
# Offenders and look-alikes

Small histories of programs and drivers, each the small form of a bug that was reported of real ones, and as many that only look like one.
Each runs under `gemscope check` in a guest with a stock kernel of each line, by itself, so that no verdict mixes with another: an offender
must be found by the named rules, so many times each, with certainty and nothing beside; a look-alike must be clean, without a single
finding. `cargo xtask vm-matrix --filter offender- --filter look-alike- --filter missed-` runs them; in every run
of the tests they are judged all together, offenders in one check and look-alikes in another, by the sums of what must be found.

Made by `cargo xtask offenders` from the table of cases and from what the guests brought back (`--take`); a test fails when this page, the
table and what was seen do not agree. U1 to U20 (programs) and K1 to K18 (kernels and drivers) are the reported bugs that rules serve;
`gemscope explain RULE` names them.

* found: exit code 1, exactly the rules that it must find. clean: exit code 0, no finding.
* skipped: the kernel lacks what the case is about, and the client said so (exit code 77).
* no driver: there are no headers to build the driver of `tests/driver` for that kernel, or it was not run there. not run: not part of the
  run that was last taken in.
* \\*: judged in one check with all the others of its kind, and told apart by the name of its process; the next run that is taken in judges
  it by itself.

";

const OFFENDERS: &str = "\
## Offenders

The client is `gemclient` (`tests/clients`), on drivers as they are; `gemclient fault` has the driver of `tests/driver` do it.
";

const ALIKE: &str = "\
## Look-alikes

Most are the offender of the same name with the missing line in its place. Lines of `gemclient fault` are the same driver, doing it right.
";

const MISSED: &str = "\
## Known misses

These are wrong, and gemscope says that they are clean. None leaves anything behind that the ledger knows: what a closing DRM file still has
of framebuffers, and a process of mappings, is not judged, and neither is a close(2) that is refused or hits a lent fd.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_suite_says() {
        run(&OffendersArgs { check: true, take: false }).expect("the page");
    }

    #[test]
    fn what_was_seen_is_what_must_be() {
        for seen in seen().expect("what was seen") {
            let case = rows::cases().find(|case| seen.is_of(case, &seen.line)).expect("a case of the table");
            assert!(case.row_of(&seen.line).is_some(), "{seen:?}");
            let (verdict, by_rule) = wanted(case, &seen.line);
            assert_eq!((seen.verdict.as_str(), &seen.by_rule), (verdict, &by_rule), "{seen:?}");
        }
    }

    #[test]
    fn there_are_enough_of_both_kinds_on_every_line() {
        for line in LINES {
            for kind in [Kind::Offender, Kind::LookAlike] {
                let judged = rows::cases().filter(|c| c.kind == kind && c.row.lines.hold(line.name));
                let by_programs = judged.filter(|case| !case.row.driver).count();
                assert!(by_programs >= 25, "{kind:?} on {}: {by_programs}", line.name);
            }
        }
    }
}
