//! A way as a table: a column for each thread, a row for each step, as kernel developers write races down in mails.
//!
//! What runs alone, before and after, is told by its calls only, but for the call in which it goes wrong.

use std::fmt::{self, Write};

use gemscope_model::{Did, Line, Machine, Part, Way};
use gemscope_report::escape;
use gemscope_report::text::Palette;

/// Columns of text that a table takes, where its threads leave it the choice.
const WIDTH: usize = 100;
/// The narrowest that a thread's column gets.
const NARROWEST: usize = 22;
/// The widest: a single thread needs no more.
const WIDEST: usize = 60;
/// Number and mark at the left.
const GUTTER: usize = 6;
/// Between columns.
const GAP: usize = 2;

/// Writes the table.
pub(super) fn table(out: &mut dyn Write, palette: &Palette, m: &Machine, way: &Way) -> fmt::Result {
    // Nothing after the last thing that goes wrong has to do with it.
    let wrong = way.lines.iter().rposition(|l| !l.wrong.is_empty());
    let lines = &way.lines[..wrong.map_or(way.lines.len(), |ix| ix + 1)];
    let busy = |column: &usize| lines.iter().any(|l| l.part == Part::Beside && l.column == *column);
    let (columns, idle): (Vec<usize>, Vec<usize>) = (1..way.columns.len()).partition(busy);
    Table { out, palette, m, way, lines, width: width(columns.len()), columns, idle, step: 0 }.all()
}

/// The width of each thread's column.
fn width(threads: usize) -> usize {
    let threads = threads.max(1);
    let room = WIDTH - GUTTER - GAP * (threads - 1).min(8);
    (room / threads).clamp(NARROWEST, WIDEST)
}

struct Table<'a> {
    out: &'a mut dyn Write,
    palette: &'a Palette,
    m: &'a Machine,
    way: &'a Way,
    lines: &'a [Line],
    /// Threads that do something, by their columns in the way.
    columns: Vec<usize>,
    /// Threads that do nothing.
    idle: Vec<usize>,
    width: usize,
    step: usize,
}

impl Table<'_> {
    fn all(&mut self) -> fmt::Result {
        let lines = self.lines;
        let part = |part: Part| lines.iter().filter(move |l| l.part == part);
        let (before, after) = (part(Part::Before).collect::<Vec<_>>(), part(Part::After).collect::<Vec<_>>());
        self.alone("before, one after the other:", &before)?;
        if part(Part::Beside).next().is_some() {
            if !before.is_empty() {
                writeln!(self.out)?;
            }
            self.head()?;
            for line in part(Part::Beside) {
                self.row(line)?;
                self.wrong(line)?;
            }
        }
        if !after.is_empty() && after.len() < lines.len() {
            writeln!(self.out)?;
        }
        self.alone("after, one after the other:", &after)
    }

    /// What runs alone: a line for each call; the call that goes wrong whole.
    fn alone(&mut self, title: &str, lines: &[&Line]) -> fmt::Result {
        if lines.is_empty() {
            return Ok(());
        }
        let faint = self.palette.faint;
        writeln!(self.out, "{:GUTTER$}{}{title}{}", "", faint.render(), faint.render_reset())?;
        let calls: Vec<&[&Line]> = lines.chunk_by(|_, next| next.did == Did::Step).collect();
        for call in calls {
            let Some((first, steps)) = call.split_first() else { continue };
            let gave = match &first.did {
                Did::Call(Some(gave)) => format!(": {gave}"),
                Did::Call(None) | Did::Step => String::new(),
            };
            let whose = match self.m.processes.len() {
                0 | 1 => String::new(),
                _ => format!("[{}] ", text(&first.process)),
            };
            writeln!(self.out, "{:GUTTER$}  {whose}{}{gave}", "", text(&first.text))?;
            self.wrong(first)?;
            if steps.iter().all(|s| s.wrong.is_empty()) {
                continue;
            }
            for step in steps {
                self.step += 1;
                let number = self.number(step);
                writeln!(self.out, "{number}    {}", text(&step.text))?;
                self.wrong(step)?;
            }
        }
        Ok(())
    }

    /// The threads' names, underlined.
    fn head(&mut self) -> fmt::Result {
        let name = |ix: &usize| self.way.columns.get(*ix).map_or_else(String::new, |n| text(n));
        let names: Vec<String> = self.columns.iter().map(name).collect();
        if !self.idle.is_empty() {
            let idle: Vec<String> = self.idle.iter().map(name).collect();
            let faint = self.palette.faint;
            let says = format!("beside each other ({}: nothing yet):", idle.join(", "));
            writeln!(self.out, "{:GUTTER$}{}{says}{}", "", faint.render(), faint.render_reset())?;
        }
        let rules: Vec<String> = names.iter().map(|_| "-".repeat(self.width)).collect();
        let strong = self.palette.strong;
        for (style, cells) in [(strong, names), (self.palette.faint, rules)] {
            let cells: Vec<String> = cells.iter().map(|c| format!("{c:<w$}", w = self.width)).collect();
            let line = cells.join(&" ".repeat(GAP));
            writeln!(
                self.out,
                "{:GUTTER$}{}{}{}",
                "",
                style.render(),
                line.trim_end(),
                style.render_reset()
            )?;
        }
        Ok(())
    }

    fn row(&mut self, line: &Line) -> fmt::Result {
        let (indent, number) = match line.did {
            Did::Call(_) => ("", " ".repeat(GUTTER)),
            Did::Step => {
                self.step += 1;
                ("  ", self.number(line))
            }
        };
        let column = self.columns.iter().position(|c| *c == line.column).unwrap_or(0);
        let before = " ".repeat((self.width + GAP) * column);
        // In the last column a long line disturbs nobody.
        let last = column + 1 >= self.columns.len();
        let room =
            if last { WIDTH.saturating_sub(GUTTER + before.len()).max(self.width) } else { self.width };
        let mut number = number;
        for (ix, piece) in wrap(&text(&line.text), room - indent.len()).iter().enumerate() {
            let more = if ix == 0 { "" } else { "  " };
            writeln!(self.out, "{number}{before}{indent}{more}{piece}")?;
            number = " ".repeat(GUTTER);
        }
        Ok(())
    }

    /// The number of the step at hand, and a mark where it goes wrong.
    fn number(&self, line: &Line) -> String {
        let mark = if line.wrong.is_empty() { ' ' } else { '!' };
        let style = if line.wrong.is_empty() { self.palette.faint } else { self.palette.bad };
        format!("{}{:>4}{mark}{} ", style.render(), self.step, style.render_reset())
    }

    /// What is wrong from this line on.
    fn wrong(&mut self, line: &Line) -> fmt::Result {
        for (fact, shows) in &line.wrong {
            let wrong = fact.wrong();
            let about = match self.m.about(fact.about()) {
                about if about.is_empty() => about,
                about => format!(" ({})", text(&about)),
            };
            let bad = self.palette.bad;
            let shows = if shows.is_empty() { String::new() } else { format!(": {}", text(shows)) };
            let says = format!("{}{about}: {}{shows}", wrong.name(), wrong.text());
            for (ix, piece) in wrap(&says, WIDTH - GUTTER - 4).iter().enumerate() {
                let lead = if ix == 0 { "!!! " } else { "    " };
                writeln!(self.out, "{:GUTTER$}{}{lead}{piece}{}", "", bad.render(), bad.render_reset())?;
            }
        }
        Ok(())
    }
}

/// Names in a scenario are whoever's wrote it.
fn text(s: &str) -> String {
    escape::long(s.as_bytes())
}

/// Lines of at most `room` characters, the second and later ones two less. Words that are longer are cut.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut left = room;
    let mut fresh = true;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if !fresh && word.len() + 1 > left {
            lines.push(std::mem::take(&mut line));
            left = room - 2;
            fresh = true;
        }
        if !fresh {
            line.push(' ');
            left -= 1;
        }
        while word.len() > left {
            let rest = word.split_off(left);
            line.extend(word);
            lines.push(std::mem::take(&mut line));
            left = room - 2;
            word = rest;
        }
        left -= word.len();
        line.extend(word);
        fresh = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_and_lose_nothing() {
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijklmnop", 10), ["abcdefghij", "klmnop"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("ab abcdefghijkl", 10), ["ab", "abcdefgh", "ijkl"]);
    }

    #[test]
    fn tables_of_few_threads_fit() {
        for threads in 1..=4 {
            assert!(GUTTER + width(threads) * threads + GAP * (threads - 1) <= WIDTH, "{threads}");
        }
        assert_eq!(width(8), NARROWEST);
    }
}
