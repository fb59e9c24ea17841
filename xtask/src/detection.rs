//! `cargo xtask detection`: docs/detection.md, which rule is shown to work on which line of kernels, and by what.
//!
//! The page is made from what the tests are made from: the rows of the matrix, with what they must find and where they must be
//! silent, and the engine's table of rules and its histories. A test holds the committed page against them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_common::{Features, Profile};
use gemscope_engine::{Class, RuleId};
use gemscope_vm::kernels::LINES;

use crate::expect::{Expect, Fact, Is};
use crate::rows::{self, Row};
use crate::workspace;

const PAGE: &str = "docs/detection.md";
/// One history that breaks each rule and one that keeps it.
const HISTORIES: &str = include_str!("../../userspace/engine/tests/rules.rs");

/// What is asked of the page.
#[derive(Debug, Args)]
pub struct DetectionArgs {
    /// Compare the committed page instead of writing it.
    #[arg(long)]
    check: bool,
}

/// Writes the page, or compares it.
///
/// # Errors
/// When it cannot be written, or is not what it should be.
pub fn run(args: &DetectionArgs) -> Result<u8> {
    workspace::keep_page(PAGE, &page()?, args.check, "the rows and rules say", "detection")
}

/// The rules of each line, as its `doctor` row has the kernel say them.
fn rules_of(line: &str) -> Option<(Profile, Features)> {
    Some(match line {
        "5.10" => (Profile::V5_7, Features::SET_NAME_BUSY),
        "6.1" => (Profile::V5_7, Features::default()),
        "6.12" => (Profile::V6_2, Features::default()),
        "6.18" => (Profile::V6_16, Features::CHANGE_HANDLE),
        "newest" => (Profile::V7_0, Features::default()),
        _ => return None,
    })
}

/// How a rule is shown on a line, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// By the kernel itself, its own drivers and programs on it.
    Kernel,
    /// By the driver of the tests, which breaks it on request.
    Driver,
    /// By a written history only.
    Fixture,
    /// The kernel has no such rule, or nothing that could break it.
    NotApplicable,
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "**kernel**",
            Self::Driver => "driver",
            Self::Fixture => "fixture",
            Self::NotApplicable => "–",
        }
    }
}

fn text_of(facts: &[Fact], pointer: &str) -> Option<&'static str> {
    facts.iter().find_map(|(at, is)| match is {
        Is::Text(text) if *at == pointer => Some(*text),
        _ => None,
    })
}

/// Does the row fail unless this rule is found for certain?
fn finds(row: &Row, rule: RuleId) -> bool {
    row.expect.iter().any(|expect| match expect {
        Expect::Line(facts) => {
            let certain = rule.class() == Class::NearMiss || facts.contains(&("/certain", Is::Bool(true)));
            certain && text_of(facts, "/rule") == Some(rule.name())
        }
        _ => false,
    })
}

/// Does the row fail when anything is found?
fn silent(row: &Row) -> bool {
    row.expect.iter().any(|expect| {
        matches!(expect, Expect::Lines(0, [("/type", Is::Text("finding"))]))
            || matches!(
                expect,
                Expect::Lines(0, [("/type", Is::Text("finding")), ("/certain", Is::Bool(true))])
            )
    })
}

/// Does the row fail when this rule is found, whatever else is?
fn silent_about(row: &Row, rule: RuleId) -> bool {
    row.expect.iter().any(
        |expect| matches!(expect, Expect::Lines(0, facts) if text_of(facts, "/rule") == Some(rule.name())),
    )
}

fn shown(rule: RuleId, line: &str) -> Result<(Shown, Option<&'static str>)> {
    let (profile, features) =
        rules_of(line).with_context(|| format!("the rules of line `{line}` are not known"))?;
    // Rows of every run before those that are only run there when they are asked for.
    let of = |driver: bool| {
        rows::table().filter(move |r| r.driver == driver && r.lines.hold(line) && finds(r, rule))
    };
    let best = |driver| of(driver).find(|r| r.usual.hold(line)).or_else(|| of(driver).next());
    if let Some(row) = best(false) {
        return Ok((Shown::Kernel, Some(row.name)));
    }
    if let Some(row) = best(true) {
        return Ok((Shown::Driver, Some(row.name)));
    }
    Ok((if rule.applies(profile, features) { Shown::Fixture } else { Shown::NotApplicable }, None))
}

/// Is there a history that breaks the rule, and one that keeps it? Near misses are legal by themselves.
fn has_histories(rule: RuleId) -> bool {
    if rule.class() == Class::NearMiss {
        return HISTORIES.contains(&format!("clean ({})", rule.name()));
    }
    let test = format!("fn {}(", rule.name().replace('-', "_"));
    let body = HISTORIES.split_once(&test).map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
    body.contains(&format!("{} findings", rule.name())) && body.contains("\"clean\"")
}

fn page() -> Result<String> {
    let lines: Vec<&str> = LINES.iter().map(|line| line.name).collect();
    let mut out = String::from(HEAD);
    let _ = writeln!(out, "| rule | class | {} | shown by |", lines.join(" | "));
    let _ = writeln!(out, "|---|---|{}---|", "---|".repeat(lines.len()));
    for &rule in RuleId::ALL {
        if !has_histories(rule) {
            bail!("`{}` has no history that breaks it and one that keeps it", rule.name());
        }
        let mut rows: Vec<&str> = Vec::new();
        let mut cells = Vec::new();
        for line in &lines {
            let (shown, row) = shown(rule, line)?;
            cells.push(shown.name());
            rows.extend(row.filter(|row| !rows.contains(row)));
        }
        let quiet: Vec<&str> = rows::table().filter(|r| silent_about(r, rule)).map(|r| r.name).collect();
        let mut by = rows.join(", ");
        if !quiet.is_empty() {
            let _ =
                write!(by, "{}not reported in {}", if by.is_empty() { "" } else { "; " }, quiet.join(", "));
        }
        let _ = writeln!(out, "| {} | {} | {} | {by} |", rule.name(), rule.class().name(), cells.join(" | "));
    }
    out.push_str(CLEAN_HEAD);
    let mut clean: BTreeMap<&str, String> = BTreeMap::new();
    for row in rows::table().filter(|row| silent(row)) {
        let on: Vec<&str> = lines.iter().copied().filter(|line| row.lines.hold(line)).collect();
        let on = if on.len() == lines.len() { "all".to_owned() } else { on.join(", ") };
        let command = row.command.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        clean.insert(row.name, format!("| {} | {on} | `{command}` |", row.name));
    }
    for line in clean.values() {
        let _ = writeln!(out, "{line}");
    }
    Ok(out)
}

const HEAD: &str = "\
# What is detected where

Made by `cargo xtask detection` from the rows of `cargo xtask vm-matrix`, which boots a stock kernel of each line, and from the
engine's rules and their histories; a test fails when this page, the rows and the rules do not agree.

* **kernel**: found on the kernel itself, with its own drivers; the row named last must find it, for certain.
* driver: found on that kernel with the driver of `tests/driver`, which breaks this rule and no other on request; the same operations done
  right, by the same driver, must be clean.
* fixture: nothing on a stock kernel breaks it; found in a written history (`userspace/engine/tests/rules.rs`). Every rule has one history
  that breaks it and one that keeps it, whatever else shows it.
* –: not a rule of that kernel, or nothing there can break it.

Near misses are legal and never part of a verdict.

";

const CLEAN_HEAD: &str = "
## Where it must be silent

What is right must give no finding. In these rows of the matrix a single finding of any rule fails the tests; where loss is provoked, a
single certain one.

| row | lines | command |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_rows_say() {
        run(&DetectionArgs { check: true }).expect("the page");
    }

    #[test]
    fn every_rule_is_found_somewhere_and_every_line_is_silent_somewhere() {
        for line in LINES {
            assert!(rules_of(line.name).is_some(), "{}", line.name);
            assert!(rows::table().any(|row| row.lines.hold(line.name) && silent(row)), "{}", line.name);
        }
        for rule in RuleId::ALL {
            assert!(has_histories(*rule), "{}", rule.name());
        }
    }
}
