//! Processes: who holds how much of what, and who grows.

use gemscope_report::survey::Process;

use super::{Sight, arrange, chosen, contains, sorted};
use crate::growth::{Amount, rate_key, signed_key};
use crate::order::name_key;
use crate::table::{Cell, Column, Row, Table};
use crate::text;
use crate::theme::Tone;

pub(crate) const COLUMNS: &[Column] = &[
    Column::flex("process", 15),
    Column::number("pid", 7, 0),
    Column::number("files", 5, 6),
    Column::number("handles", 7, 0),
    Column::number("dmabufs", 7, 0),
    Column::number("fbs", 3, 5),
    Column::number("own", 6, 0),
    Column::number("shared", 6, 0),
    Column::number("refs/min", 8, 7),
    Column::number("B/min", 7, 1),
    Column::number("oldest", 6, 4),
    Column::number("find", 4, 0),
    Column::delta("Δrefs", 6),
    Column::delta("Δbytes", 7),
];

#[derive(Clone, Debug)]
pub(crate) struct Processes {
    pub table: Table,
    /// the selected one
    pub chosen: Option<u32>,
}

impl Default for Processes {
    fn default() -> Self {
        Self { table: Table::sorted_by(6), chosen: None }
    }
}

impl Processes {
    pub fn refresh(&mut self, sight: &Sight<'_>) {
        let lens = sight.lens;
        let all = &sight.survey.processes;
        let now = lens.now_ns;
        let rate = |p: &Process| sight.growth.process(p.tgid, Amount::of(p), now);
        let filter = self.table.filter.clone();
        let mut order = sorted(
            &self.table,
            COLUMNS,
            all,
            |p| contains(&lens.process(p.tgid), &filter),
            |column, p| match column {
                0 => name_key(lens.world.comm(p.tgid).as_bytes()),
                1 => u64::from(p.tgid),
                2 => u64::from(p.files),
                3 => u64::from(p.handles),
                4 => u64::from(p.dmabufs),
                5 => u64::from(p.framebuffers),
                // Of the same own bytes whoever holds more in all comes first.
                6 => (p.own << 8) | u64::from(64 - p.shared.leading_zeros()),
                7 => p.shared,
                8 => rate_key(rate(p).map(|r| r.refs)),
                9 => rate_key(rate(p).map(|r| r.bytes)),
                10 => {
                    if p.oldest.is_known() {
                        now.saturating_sub(p.oldest.ts_ns)
                    } else {
                        0
                    }
                }
                11 => u64::from(p.findings),
                12 => signed_key(since(sight, p).map_or(0, |d| d.0)),
                _ => signed_key(since(sight, p).map_or(0, |d| d.1)),
            },
        );
        let before = self.chosen.and_then(|tgid| all.iter().position(|p| p.tgid == tgid));
        let row = |ix: u32| all.get(ix as usize).map_or(Row::Heading(String::new()), |p| row(sight, p));
        let seen = arrange(&mut self.table, &mut order, before.map(|ix| ix as u32), row);
        self.chosen = chosen(&self.table, &seen).and_then(|ix| all.get(ix as usize)).map(|p| p.tgid);
    }
}

fn since(sight: &Sight<'_>, p: &Process) -> Option<(i64, i64)> {
    let then = sight.mark?.moment.processes.get(&p.tgid).copied().unwrap_or_default();
    Some(Amount::of(p).since(then))
}

fn row(sight: &Sight<'_>, p: &Process) -> Row {
    let lens = sight.lens;
    let comm = lens.world.comm(p.tgid);
    let name = match (p.tgid, comm.is_empty(), p.ended) {
        (0, ..) => Cell::faint(crate::lens::BEFORE),
        (_, true, _) => Cell::faint("?"),
        (_, _, true) => Cell(format!("{comm} (ended)"), Tone::Faint),
        _ => Cell(comm, Tone::Strong),
    };
    let rate = sight.growth.process(p.tgid, Amount::of(p), lens.now_ns);
    let grown = |r: f64| if r > 0.0 { Tone::Warn } else { Tone::Plain };
    let unknown = || Cell::faint("…");
    let (refs, bytes) = since(sight, p).unwrap_or_default();
    Row::Cells(vec![
        name,
        Cell::faint(if p.tgid == 0 { "-".to_owned() } else { p.tgid.to_string() }),
        Cell::plain(text::count(p.files)),
        Cell::plain(text::count(p.handles)),
        Cell::plain(text::count(p.dmabufs)),
        Cell::plain(text::count(p.framebuffers)),
        Cell::plain(text::bytes(p.own)),
        Cell::plain(text::bytes(p.shared)),
        rate.map_or_else(unknown, |r| Cell(text::rate(r.refs), grown(r.refs))),
        rate.map_or_else(unknown, |r| Cell(text::signed_bytes(r.bytes as i64), grown(r.bytes))),
        Cell::faint(if p.oldest.is_known() { lens.age(&p.oldest) } else { "·".to_owned() }),
        Cell(text::count(p.findings), if p.findings > 0 { Tone::Bad } else { Tone::Faint }),
        Cell(text::signed(refs), grown(refs as f64)),
        Cell(text::signed_bytes(bytes), grown(bytes as f64)),
    ])
}
