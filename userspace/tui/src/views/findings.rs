//! Findings, the newest first; what is certain, what is undecided and what is legal stand apart.

use gemscope_engine::{Class, Finding};

use super::{Sight, contains};
use crate::order::{Order, name_key};
use crate::table::{Cell, Column, Row, Table};
use crate::text;
use crate::theme::Tone;

pub(crate) const COLUMNS: &[Column] = &[
    Column::number("#", 4, 0),
    Column::name("rule", 21, 0),
    Column::name("class", 9, 5),
    Column::name("certain?", 9, 4),
    Column::number("count", 5, 0),
    Column::number("bytes", 6, 0),
    Column::name("who", 15, 0),
    Column::flex("what", 18),
    Column::number("ago", 6, 3),
];

/// A row: what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Heading(&'static str),
    Finding(usize),
    Near(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Findings {
    pub table: Table,
    pub near_misses: bool,
    /// the number of the selected one
    pub chosen: Option<u32>,
    items: Vec<Item>,
}

impl Default for Findings {
    fn default() -> Self {
        Self { table: Table::sorted_by(0), near_misses: false, chosen: None, items: Vec::new() }
    }
}

impl Findings {
    /// `most` findings and near misses are shown: those that were there when the picture was held.
    pub fn refresh(&mut self, sight: &Sight<'_>, most: (usize, usize)) {
        let engine = sight.lens.world.engine;
        let findings = engine.findings().get(..most.0).unwrap_or(engine.findings());
        let near = engine.near_misses().get(..most.1).unwrap_or(engine.near_misses());
        self.items.clear();
        self.section(sight, "certain", findings, |f| !f.tainted, Item::Finding);
        let head = "undecided: something lost or not seen could explain these away";
        self.section(sight, head, findings, |f| f.tainted, Item::Finding);
        if self.near_misses {
            let head = "near misses: legal today, a bug in older kernels";
            let before = self.items.len();
            self.section(sight, head, near, |_| true, Item::Near);
            if self.items.len() == before {
                self.items.push(Item::Heading("near misses: none"));
            }
        }
        self.table.len = self.items.len();
        if self.table.selected > 1
            && let Some(number) = self.chosen
        {
            let same = |i: &Item| matches!(i, Item::Finding(ix) if findings.get(*ix).is_some_and(|f| f.number == number));
            if let Some(place) = self.items.iter().position(same).filter(|p| *p != self.table.selected) {
                self.table.follow(place);
            }
        }
        // The first row is a heading, with nothing to open.
        if self.table.selected == 0 && self.table.len > 1 {
            self.table.selected = 1;
        }
        self.table.show_selected();
        if self.table.selected <= 1 {
            self.table.offset = 0;
        }
        let seen = self.items.iter().skip(self.table.offset).take(self.table.height.max(super::ROWS));
        let rows = seen.map(|item| match item {
            Item::Heading(title) => Row::Heading((*title).to_owned()),
            Item::Finding(ix) => {
                findings.get(*ix).map_or(Row::Heading(String::new()), |f| row(sight, f, false))
            }
            Item::Near(ix) => near.get(*ix).map_or(Row::Heading(String::new()), |f| row(sight, f, true)),
        });
        self.table.rows = rows.collect();
        self.chosen = match self.items.get(self.table.selected) {
            Some(Item::Finding(ix)) => findings.get(*ix).map(|f| f.number),
            _ => None,
        };
    }

    fn section(
        &mut self,
        sight: &Sight<'_>,
        title: &'static str,
        all: &[Finding],
        keep: impl Fn(&Finding) -> bool,
        item: impl Fn(usize) -> Item,
    ) {
        let lens = sight.lens;
        let filter = self.table.filter.as_str();
        let matches = |f: &Finding| {
            filter.is_empty()
                || contains(f.rule.name(), filter)
                || contains(f.rule.class().name(), filter)
                || contains(&lens.process(culprit(f)), filter)
                || contains(&lens.names.entity(f.entity), filter)
        };
        let key = |f: &Finding| match self.table.sort {
            0 => u64::from(f.number),
            1 => f.rule as u64,
            2 => f.rule.class() as u64,
            3 => u64::from(f.tainted),
            4 => f.count,
            5 => f.bytes,
            6 => name_key(lens.world.comm(culprit(f)).as_bytes()),
            7 => name_key(lens.names.entity(f.entity).as_bytes()),
            _ => lens.now_ns.saturating_sub(f.event.at.ts_ns),
        };
        let mut order = Order::default();
        let kept = all.iter().zip(0u32..).filter(|(f, _)| keep(f) && matches(f));
        order.set(kept.map(|(f, ix)| (key(f), ix)), self.table.descending(COLUMNS));
        let rows = order.window(0, order.len());
        if !rows.is_empty() {
            self.items.push(Item::Heading(title));
            self.items.extend(rows.into_iter().map(|ix| item(ix as usize)));
        }
    }
}

/// Whose doing it is: for leaks who took the reference, for the rest who broke the rule.
fn culprit(f: &Finding) -> u32 {
    match &f.conflict {
        Some(taken) if f.rule.class() == Class::Leak => taken.at.tgid,
        _ => f.event.at.tgid,
    }
}

fn row(sight: &Sight<'_>, f: &Finding, near: bool) -> Row {
    let lens = sight.lens;
    let (word, tone) = match (near, f.tainted) {
        (true, _) => ("legal", Tone::Faint),
        (_, false) => ("certain", Tone::Bad),
        (_, true) => ("undecided", Tone::Warn),
    };
    let new = !near && sight.mark.is_some_and(|m| f.number > m.findings);
    let bytes = if f.bytes == 0 { "·".to_owned() } else { text::bytes(f.bytes) };
    Row::Cells(vec![
        Cell::plain(if new { format!("*{}", f.number) } else { f.number.to_string() }),
        Cell(f.rule.name().to_owned(), tone),
        Cell::faint(f.rule.class().name()),
        Cell(word.to_owned(), tone),
        Cell::plain(text::count(f.count)),
        Cell::plain(bytes),
        Cell::plain(lens.process(culprit(f))),
        Cell::plain(lens.names.entity(f.entity)),
        Cell::faint(lens.age(&f.event.at)),
    ])
}
