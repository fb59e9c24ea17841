//! `cargo xtask history`: docs/history.md, what can go wrong between two threads in which era of the kernel.
//!
//! Every scenario that comes with gemscope is walked through all its interleavings under the rules of every era, and of the
//! stock kernels of the lines. A test walks them again and holds the committed page against what it finds.

mod page;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_common::{Features, Profile};
use gemscope_model::{
    Alone, BUILTIN, Era, Found, Limits, Machine, Outcome, Quirks, Scenario, Wrong, explore,
};

use crate::workspace;

const PAGE: &str = "docs/history.md";

/// What is asked of the page.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Compare the committed page instead of writing it.
    #[arg(long)]
    check: bool,
}

/// Writes the page, or compares it.
///
/// # Errors
/// When it cannot be written, is not what it should be, or a scenario is too big to be walked to its end.
pub fn run(args: &HistoryArgs) -> Result<u8> {
    workspace::keep_page(PAGE, &page::text(&walk_all()?), args.check, "the model says", "history")
}

/// Rules under which every scenario is walked.
struct Column {
    /// As its head is.
    name: &'static str,
    era: Era,
    /// As its first release was, and not a stock kernel or a window between two.
    plain: bool,
}

/// The rules of the stock kernels of the matrix, as `gemscope doctor` says them there.
fn stock(line: &str) -> Option<Era> {
    let features = |list: &[Features]| list.iter().fold(Features(0), |all, f| all.with(*f));
    let closes = features(&[Features::CLOSE_HOLDS_ID, Features::CACHE_BY_HANDLE]);
    let newer = closes.with(Features::FB_HANDLE_REFS).with(Features::PUBLICATION_FIX);
    let (profile, features) = match line {
        "5.10" => (Profile::V5_7, closes.with(Features::CACHED_SGT).with(Features::SET_NAME_BUSY)),
        "6.1" => (Profile::V5_7, closes.with(Features::CACHED_SGT).with(Features::PUBLICATION_FIX)),
        "6.12" => (Profile::V6_2, newer.with(Features::CACHED_SGT)),
        "6.18" => {
            (Profile::V6_16, newer.with(Features::CACHE_LOCKED_BY_CALLER).with(Features::CHANGE_HANDLE))
        }
        "newest" => (Profile::V7_0, newer.with(Features::CACHE_LOCKED_BY_CALLER)),
        _ => return None,
    };
    Some(Era { profile, features, quirks: Quirks::default() })
}

/// Everything in the order of history.
fn columns() -> Vec<Column> {
    let mut columns = Vec::new();
    let mut add = |name, era, plain| columns.push(Column { name, era, plain });
    for profile in Profile::ALL {
        let era = Era::of(*profile);
        add(profile.name(), era, true);
        let lines: &[&'static str] = match profile {
            Profile::V5_7 => &["5.10", "6.1"],
            Profile::V6_2 => &["6.12"],
            Profile::V6_16 => &["6.18"],
            Profile::V7_0 => &["newest"],
            _ => &[],
        };
        for line in lines {
            let Some(era) = stock(line) else { continue };
            if *line == "6.18" {
                add("6.18 first", era.quirky(Quirks::CHANGE_HANDLE_LEAKS), false);
            }
            add(line, era, false);
            if *line == "6.18" {
                add("6.18 mended", era.quirky(Quirks::CHANGE_HANDLE_TWO_STAGE), false);
            }
        }
    }
    columns
}

/// The rules of every column, each once.
pub fn eras() -> Vec<Era> {
    let mut eras: Vec<Era> = Vec::new();
    for Column { era, .. } in columns() {
        if !eras.contains(&era) {
            eras.push(era);
        }
    }
    eras
}

/// A scenario under the rules of a column.
struct Walked {
    machine: Machine,
    outcome: Outcome,
}

impl Walked {
    /// What can go wrong, in order.
    fn wrongs(&self) -> BTreeSet<Wrong> {
        self.outcome.found.iter().map(|f| f.fact.wrong()).collect()
    }

    /// What goes wrong after the fewest steps, by the kernel's doing if `by_kernel`.
    fn first(&self, by_kernel: bool) -> Option<&Found> {
        self.outcome.found.iter().find(|f| !(by_kernel && f.fact.wrong().is_misuse()))
    }
}

/// A scenario under all rules.
struct Row {
    scenario: Scenario,
    text: &'static str,
    /// By column.
    walked: Vec<Walked>,
}

struct History {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

fn walk_all() -> Result<History> {
    let columns = columns();
    let mut rows = Vec::new();
    for (name, text) in BUILTIN {
        let scenario = Scenario::parse(text).with_context(|| format!("cannot read scenario `{name}`"))?;
        let mut walked = Vec::new();
        for column in &columns {
            let machine = scenario.machine(column.era, false);
            let outcome = explore(&machine, &Limits::default(), &Alone, &mut |_| {});
            if !outcome.exhausted {
                bail!("`{name}` under {} is too big", column.name);
            }
            walked.push(Walked { machine, outcome });
        }
        rows.push(Row { scenario, text, walked });
    }
    Ok(History { columns, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemscope_vm::kernels::LINES;

    #[test]
    fn the_committed_page_is_what_the_model_says() {
        run(&HistoryArgs { check: true }).expect("the page");
    }

    /// The mended cache of 5.10 is what sets it apart from the first release with its rules.
    #[test]
    fn columns_are_what_they_are_called() {
        let name = |line: &str| stock(line).map(Era::name);
        assert_eq!(name("5.10").as_deref(), Some("v5.7+cache-by-handle"));
        assert_eq!(name("6.18").as_deref(), Some("v6.16+change-handle+cache-locked-by-caller"));
        assert_eq!(name("newest").as_deref(), Some("v7.0-change-handle"));
        for (ix, column) in columns().iter().enumerate() {
            assert!(columns()[..ix].iter().all(|c| c.era != column.era), "{} is there twice", column.name);
        }
    }

    #[test]
    fn every_line_and_every_profile_has_a_column() {
        let columns = columns();
        for name in LINES.iter().map(|l| l.name).chain(Profile::ALL.iter().map(|p| p.name())) {
            assert_eq!(columns.iter().filter(|c| c.name == name).count(), 1, "{name}");
        }
    }
}
