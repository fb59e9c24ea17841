//! The page as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gemscope_model::{About, Fact, Limits, Line, Machine, Wrong, tell_way};

use super::{Column, History, Row, Walked};

const HEAD: &str = include_str!("head.md");
const RACES: &str = include_str!("races.md");

pub(super) fn text(history: &History) -> String {
    let mut out = String::from(HEAD);
    totals(history, &mut out);
    races(history, &mut out);
    out.push_str("\n## What can go wrong\n\n");
    out.push_str("As each era was first released, without what was carried back to it later:\n\n");
    table(history, |c| c.plain, &mut out);
    out.push_str("\nWindows between releases, and the stock kernels of the test matrix:\n\n");
    for column in history.columns.iter().filter(|c| !c.plain) {
        let _ = writeln!(out, "* {}: `{}`", column.name, column.era.name());
    }
    out.push('\n');
    table(history, |c| !c.plain, &mut out);
    legend(history, &mut out);
    out.push_str("\n## The shortest ways to it\n\n");
    out.push_str(WAYS);
    for row in &history.rows {
        ways(history, row, &mut out);
    }
    out
}

/// Of a single thread so many lines are shown.
const LAST: usize = 12;

const WAYS: &str = "\
For each scenario in which something can go wrong, the fewest steps to it in the oldest and in the newest column that has it. Each thread has
a column; time goes downwards. What runs before and after the threads, alone, is one line; of a single thread only the last steps are shown,
there is but one order of them.
";

/// A number in groups of three.
fn number(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (ix, digit) in digits.chars().enumerate() {
        if ix > 0 && (digits.len() - ix).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn totals(history: &History, out: &mut String) {
    let all = || history.rows.iter().flat_map(|r| &r.walked).map(|w| &w.outcome);
    let states: u64 = all().map(|o| o.states).sum();
    let ways = all().fold(0u128, |sum, o| sum.saturating_add(o.interleavings));
    let at_least = if ways == u128::MAX { "at least " } else { "" };
    let _ = writeln!(
        out,
        "{} scenarios under {} sets of rules: {} states and {at_least}{} interleavings that lead through them; none was left out.\n",
        history.rows.len(),
        history.columns.len(),
        number(states.into()),
        number(ways)
    );
}

/// The known races, each with the scenarios that are made for it.
fn races(history: &History, out: &mut String) {
    for line in RACES.lines() {
        let number = line.split_whitespace().nth(1).filter(|_| line.starts_with("| B"));
        let of = |row: &&Row| number.is_some_and(|n| row.scenario.races.iter().any(|race| race == n));
        let names: Vec<&str> = history.rows.iter().filter(of).map(|row| row.scenario.name.as_str()).collect();
        let more = match (line.split_whitespace().nth(1), number) {
            (_, Some(_)) => format!(" {} |", names.join(", ")),
            (Some("|"), _) => " scenarios |".to_owned(),
            _ if line.starts_with("|---") => "---|".to_owned(),
            _ => String::new(),
        };
        let _ = writeln!(out, "{line}{more}");
    }
}

/// What user space did wrong is in brackets.
fn name(wrong: Wrong) -> String {
    if wrong.is_misuse() { format!("({})", wrong.name()) } else { wrong.name().to_owned() }
}

fn table(history: &History, which: impl Fn(&Column) -> bool, out: &mut String) {
    let columns: Vec<usize> = (0..history.columns.len()).filter(|ix| which(&history.columns[*ix])).collect();
    let heads: Vec<&str> = columns.iter().map(|ix| history.columns[*ix].name).collect();
    let _ = writeln!(out, "| scenario | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(columns.len()));
    for row in &history.rows {
        let cell = |ix: &usize| {
            let names: Vec<String> = row.walked[*ix].wrongs().into_iter().map(name).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(", ") }
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let scenario = &row.scenario.name;
        let head = if is_bad(row) { format!("[{scenario}](#{scenario})") } else { scenario.clone() };
        let _ = writeln!(out, "| {head} | {} |", cells.join(" | "));
    }
}

fn is_bad(row: &Row) -> bool {
    row.walked.iter().any(|w| !w.outcome.found.is_empty())
}

fn legend(history: &History, out: &mut String) {
    let all: BTreeSet<Wrong> = history.rows.iter().flat_map(|r| &r.walked).flat_map(Walked::wrongs).collect();
    out.push('\n');
    for wrong in all {
        let _ = writeln!(out, "* {}: {}", name(wrong), wrong.text());
    }
}

fn ways(history: &History, row: &Row, out: &mut String) {
    if !is_bad(row) {
        return;
    }
    // Where the kernel errs, that is what is shown.
    let by_kernel = row.walked.iter().any(|w| w.first(true).is_some());
    let bad: Vec<usize> =
        (0..row.walked.len()).filter(|ix| row.walked[*ix].first(by_kernel).is_some()).collect();
    let races = match row.scenario.races.as_slice() {
        [] => String::new(),
        races => format!(" ({})", races.join(", ")),
    };
    let _ = writeln!(out, "\n### {}\n\n{}{races}\n", row.scenario.name, row.scenario.about);
    let _ = writeln!(out, "```text\n{}\n```", operations(row.text));
    let told = |ix: usize| way(&row.walked[ix], by_kernel);
    let (Some(oldest), Some(newest)) = (bad.first().copied(), bad.last().copied()) else { return };
    let (first, last) = (told(oldest), told(newest));
    let [old, new] = [oldest, newest].map(|ix| history.columns[ix].name);
    if oldest == newest {
        let _ = writeln!(out, "\nOnly in {old}:\n\n```text\n{first}```");
    } else if first == last {
        let _ = writeln!(out, "\nFrom {old} to {new}:\n\n```text\n{first}```");
    } else {
        let _ = writeln!(out, "\nFirst in {old}:\n\n```text\n{first}```");
        let _ = writeln!(out, "\nLast in {new}:\n\n```text\n{last}```");
    }
}

/// The scenario's text without its head, which is told above it.
fn operations(text: &str) -> String {
    let head = |line: &&str| !["scenario ", "about ", "races "].iter().any(|word| line.starts_with(word));
    text.lines().filter(head).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn about(m: &Machine, fact: Fact) -> String {
    let file = |f: u8| m.files.get(usize::from(f)).map_or("?", |f| f.name.as_str());
    match fact.about() {
        About::Object(n) => format!(" obj{n}"),
        About::Buf(n) => format!(" dmabuf{n}"),
        About::File(f) => format!(" {}", file(f)),
        About::Handle(f, n) => format!(" {}: handle {n}", file(f)),
        About::Framebuffer(n) => format!(" framebuffer {n}"),
        About::Nothing => String::new(),
    }
}

/// The way to the first thing that goes wrong, a column for each thread.
fn way(walked: &Walked, by_kernel: bool) -> String {
    let Walked { machine, .. } = walked;
    let Some(found) = walked.first(by_kernel) else { return String::new() };
    let told = tell_way(machine, &Limits::default(), &found.way);
    let end = told.lines.iter().position(|l| l.wrong.iter().any(|(fact, _)| *fact == found.fact));
    let all = &told.lines[..end.map_or(told.lines.len(), |end| end + 1)];
    let single = machine.threads.len() == 1;
    let lines = &all[if single { all.len().saturating_sub(LAST) } else { 0 }..];
    // Column 0 is whoever runs alone: its lines go over all the others.
    let width = |column: usize| {
        let texts = lines.iter().filter(|l| l.column == column).map(|l| l.text.chars().count());
        texts.chain(told.columns.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..told.columns.len()).map(width).collect();
    let indent = |column: usize| -> usize { widths[1..column.max(1)].iter().map(|w| w + 3).sum() };
    let mut out = String::new();
    if told.columns.len() > 2 {
        let heads = told.columns[1..].iter().zip(&widths[1..]);
        let heads: Vec<String> = heads.map(|(name, width)| format!("{name:width$}")).collect();
        let heads = heads.join("   ");
        let _ = writeln!(out, "{}\n{}", heads.trim_end(), "-".repeat(heads.len()));
    }
    if lines.len() < all.len() {
        let _ = writeln!(out, "({} steps)", all.len() - lines.len());
    }
    for run in lines.chunk_by(|a, b| a.column == 0 && b.column == 0) {
        let [.., last] = run else { continue };
        let wrong = last.wrong.iter().any(|(fact, _)| *fact == found.fact);
        let shown: &[Line] = if last.column != 0 || wrong { std::slice::from_ref(last) } else { &[] };
        match run.len() - shown.len() {
            0 => {}
            1 => drop(writeln!(out, "(alone: 1 step)")),
            steps => drop(writeln!(out, "(alone: {steps} steps)")),
        }
        for line in shown {
            let _ = writeln!(out, "{:indent$}{}", "", line.text, indent = indent(line.column));
        }
        if wrong {
            let _ = writeln!(
                out,
                "{:indent$}=> {}{}",
                "",
                found.fact.wrong().name(),
                about(machine, found.fact),
                indent = indent(last.column)
            );
        }
    }
    if end.is_none() {
        // Nobody does a deadlock.
        let _ = writeln!(out, "=> {}{}", found.fact.wrong().name(), about(machine, found.fact));
    }
    out
}
