//! The text that people read: the answer first, then what it rests on, then the interleaving that proves it.

use std::fmt::{self, Write};

use gemscope_report::text::Palette;
use gemscope_report::{escape, number, plural};

use super::{Explored, lines, table};

/// Where the text of a labelled line begins.
const INDENT: usize = 10;
/// Where prose is wrapped.
const WIDTH: usize = 100;

/// The answer in one line.
fn answer(e: &Explored<'_>) -> String {
    let o = &e.outcome;
    if !e.is_bad() {
        return match o.exhausted {
            true => "good: nothing goes wrong in any interleaving".to_owned(),
            false => format!(
                "not exhausted: nothing wrong in the first {}; more of them need more --memory",
                plural(o.states, "state", "states")
            ),
        };
    }
    let mut names: Vec<&str> = Vec::new();
    for found in e.found() {
        let name = found.fact.wrong().name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let who = if e.is_misuse_only() { ", of user space's making" } else { "" };
    let rest = match o.exhausted {
        true if e.is_misuse_only() => "; the kernel keeps its rules",
        true => "",
        false => "; not exhausted: there may be more",
    };
    format!("bad: {}{who}{rest}", names.join(", "))
}

/// Everything about one exploration. `like` is an earlier one, by name, with the very same table.
///
/// # Errors
/// Those of `out`.
pub fn tell(out: &mut dyn Write, palette: &Palette, e: &Explored<'_>, like: Option<&str>) -> fmt::Result {
    let o = &e.outcome;
    let style = match lines::verdict(e.is_bad(), o.exhausted) {
        "good" => palette.good,
        "bad" => palette.bad,
        _ => palette.warn,
    };
    // One line, as long as it is: programs of the shell read it.
    writeln!(out, "gemscope: {}{}{}", style.render(), answer(e), style.render_reset())?;
    let s = e.scenario;
    let races = if s.races.is_empty() { String::new() } else { format!(" ({})", s.races.join(", ")) };
    let scenario = format!("{}: {}{races}", s.name, s.about);
    label(out, palette, "scenario", &escape::cut(scenario.as_bytes(), 1000))?;
    label(out, palette, "rules", &e.era.name())?;
    let seen = format!("{}, {}", plural(o.states, "state", "states"), plural(o.steps, "step", "steps"));
    let explored = if o.exhausted {
        format!(
            "{seen}; {}, each standing for all that differ only in the order of independent steps; {}, {} bad; the \
             longest way has {}",
            interleavings(o.interleavings),
            plural(o.ends, "end", "ends"),
            number(o.bad_ends),
            plural(o.longest as u64, "step", "steps"),
        )
    } else {
        format!("{seen}: every way of up to {}, none further", plural(o.longest as u64, "step", "steps"))
    };
    label(out, palette, "explored", &explored)?;
    for (ix, found) in e.found().iter().enumerate() {
        let wrong = found.fact.wrong();
        let about = match e.machine.about(found.fact.about()) {
            about if about.is_empty() => about,
            about => format!(" ({})", escape::long(about.as_bytes())),
        };
        let title = if ix == 0 { "wrong" } else { "" };
        label(out, palette, title, &format!("{}{about}: {}", wrong.name(), wrong.text()))?;
    }
    if let Some(like) = like {
        return writeln!(out, "\nThe shortest bad interleaving is the one of {like}, step by step.");
    }
    if let Some((_, way)) = e.worst() {
        writeln!(out, "\nThe shortest bad interleaving:\n")?;
        table::table(out, palette, &e.machine, &way)?;
    }
    Ok(())
}

/// The table of one exploration, plain: to see whether two are the same.
#[must_use]
pub(super) fn plain_table(e: &Explored<'_>) -> Option<String> {
    let mut out = String::new();
    let (_, way) = e.worst()?;
    // Writing to a string cannot fail.
    let _ = table::table(&mut out, &Palette::plain(), &e.machine, &way);
    Some(out)
}

impl Explored<'_> {
    /// Is its shortest bad interleaving, step by step, that of another?
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let mine = plain_table(self);
        mine.is_some() && mine == plain_table(other)
    }
}

/// A line for each of several explorations.
///
/// # Errors
/// Those of `out`.
pub fn overview(out: &mut dyn Write, palette: &Palette, all: &[Explored<'_>]) -> fmt::Result {
    let rows: Vec<[String; 3]> = all
        .iter()
        .map(|e| [e.era.name(), number(e.outcome.states), digits(e.outcome.interleavings)])
        .collect();
    let heads = ["rules", "states", "interleavings"];
    let [a, b, c] = [0, 1, 2].map(|ix| {
        let cells = rows.iter().map(|row| row[ix].chars().count());
        cells.chain([heads[ix].len()]).max().unwrap_or(0)
    });
    let faint = palette.faint;
    let head = format!("{:<a$}  {:>b$}  {:>c$}  answer", heads[0], heads[1], heads[2]);
    writeln!(out, "{}{head}{}", faint.render(), faint.render_reset())?;
    let indent = a + b + c + 6;
    for (e, [name, states, ways]) in all.iter().zip(&rows) {
        let lead = format!("{name:<a$}  {states:>b$}  {ways:>c$}  ");
        wrapped(out, &Palette::plain(), &lead, indent, &answer(e))?;
    }
    Ok(())
}

fn interleavings(n: u128) -> String {
    if n == 1 { "1 interleaving".to_owned() } else { format!("{} interleavings", digits(n)) }
}

/// A number with thousands separated; one that is too big to read, by its order of magnitude.
fn digits(n: u128) -> String {
    match u64::try_from(n) {
        Ok(n) if n < 1_000_000_000_000_000 => number(n),
        _ if n == u128::MAX => "more than 3×10^38".to_owned(),
        _ => {
            let digits = n.to_string();
            let (first, rest) = digits.split_at(1);
            format!("{first}.{}×10^{}", &rest[..1], rest.len())
        }
    }
}

/// A labelled line, wrapped.
fn label(out: &mut dyn Write, palette: &Palette, label: &str, text: &str) -> fmt::Result {
    wrapped(out, palette, &format!("{label:<INDENT$}"), INDENT, text)
}

/// Text after a faint lead of `indent` columns, wrapped.
fn wrapped(out: &mut dyn Write, palette: &Palette, lead: &str, indent: usize, text: &str) -> fmt::Result {
    let faint = palette.faint;
    let mut lead = lead.to_owned();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{}{lead}{}{line}", faint.render(), faint.render_reset())?;
            lead = " ".repeat(indent);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{}{lead}{}{line}", faint.render(), faint.render_reset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read() {
        assert_eq!(digits(9_233_509), "9,233,509");
        assert_eq!(digits(1_234_000_000_000_000_000_000), "1.2×10^21");
        assert_eq!(digits(u128::MAX), "more than 3×10^38");
    }
}
