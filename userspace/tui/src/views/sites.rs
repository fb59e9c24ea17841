//! Call sites: what was taken where and not given back.

use gemscope_engine::Stamp;
use gemscope_report::survey::Site;

use super::{Sight, arrange, chosen, contains, sorted};
use crate::growth::{Amount, SiteKey, rate_key, signed_key};
use crate::order::name_key;
use crate::table::{Cell, Column, Row, Table};
use crate::text;
use crate::theme::Tone;

pub(crate) const COLUMNS: &[Column] = &[
    Column::name("kind", 11, 0),
    Column::number("count", 6, 0),
    Column::number("bytes", 6, 0),
    Column::number("/min", 7, 0),
    Column::number("B/min", 7, 5),
    Column::name("process", 14, 0),
    Column::flex("taken in", 26),
    Column::number("oldest", 6, 3),
    Column::number("newest", 6, 4),
    Column::delta("Δcount", 6),
    Column::delta("Δbytes", 7),
];

#[derive(Clone, Debug)]
pub(crate) struct Sites {
    pub table: Table,
    pub chosen: Option<SiteKey>,
}

impl Default for Sites {
    fn default() -> Self {
        Self { table: Table::sorted_by(2), chosen: None }
    }
}

const fn amount(s: &Site) -> Amount {
    Amount { refs: s.count, bytes: s.bytes }
}

impl Sites {
    pub fn refresh(&mut self, sight: &Sight<'_>) {
        let lens = sight.lens;
        let all = &sight.survey.sites;
        let now = lens.now_ns;
        let rate = |s: &Site| sight.growth.site(&s.key(), amount(s), now);
        let age = |at: &Stamp| now.saturating_sub(at.ts_ns);
        let filter = self.table.filter.clone();
        let keep = |s: &Site| {
            filter.is_empty()
                || contains(s.kind.name(), &filter)
                || contains(&lens.process(s.tgid), &filter)
                || lens.stacks(&s.oldest).iter().any(|(_, frame)| contains(frame, &filter))
        };
        let mut order = sorted(&self.table, COLUMNS, all, keep, |column, s| match column {
            0 => s.kind as u64,
            1 => s.count,
            2 => s.bytes,
            3 => rate_key(rate(s).map(|r| r.refs)),
            4 => rate_key(rate(s).map(|r| r.bytes)),
            5 => name_key(lens.world.comm(s.tgid).as_bytes()),
            6 => name_key(lens.place(s.kstack, s.ustack, s.tgid).as_bytes()),
            7 => age(&s.oldest),
            8 => age(&s.newest),
            9 => signed_key(since(sight, s).map_or(0, |d| d.0)),
            _ => signed_key(since(sight, s).map_or(0, |d| d.1)),
        });
        let before = self.chosen.and_then(|key| all.iter().position(|s| s.key() == key));
        let row = |ix: u32| all.get(ix as usize).map_or(Row::Heading(String::new()), |s| row(sight, s));
        let seen = arrange(&mut self.table, &mut order, before.map(|ix| ix as u32), row);
        self.chosen = chosen(&self.table, &seen).and_then(|ix| all.get(ix as usize)).map(Site::key);
    }
}

fn since(sight: &Sight<'_>, s: &Site) -> Option<(i64, i64)> {
    let then = sight.mark?.moment.sites.get(&s.key()).copied().unwrap_or_default();
    Some(amount(s).since(then))
}

fn row(sight: &Sight<'_>, s: &Site) -> Row {
    let lens = sight.lens;
    let rate = sight.growth.site(&s.key(), amount(s), lens.now_ns);
    let grown = |r: f64| if r > 0.0 { Tone::Warn } else { Tone::Plain };
    let unknown = || Cell::faint("…");
    let (refs, bytes) = since(sight, s).unwrap_or_default();
    Row::Cells(vec![
        Cell::plain(s.kind.name()),
        Cell(text::count(s.count), Tone::Strong),
        Cell::plain(text::bytes(s.bytes)),
        rate.map_or_else(unknown, |r| Cell(text::rate(r.refs), grown(r.refs))),
        rate.map_or_else(unknown, |r| Cell(text::signed_bytes(r.bytes as i64), grown(r.bytes))),
        Cell::plain(lens.process(s.tgid)),
        Cell::plain(lens.place(s.kstack, s.ustack, s.tgid)),
        Cell::faint(lens.age(&s.oldest)),
        Cell::faint(lens.age(&s.newest)),
        Cell(text::signed(refs), grown(refs as f64)),
        Cell(text::signed_bytes(bytes), grown(bytes as f64)),
    ])
}
