//! Buffers: every piece of memory, who made it and who holds it by what.

use gemscope_report::chronicle::Subject;
use gemscope_report::survey::Buffer;
use rustc_hash::FxHashSet;

use super::groups::{Grouped, Item};
use super::{Sight, arrange, chosen, contains};
use crate::growth::signed_key;
use crate::lens;
use crate::order::{Order, name_key};
use crate::table::{Cell, Column, Row, Table};
use crate::text;
use crate::theme::Tone;

pub(crate) const COLUMNS: &[Column] = &[
    Column::name("buffer", 18, 0),
    Column::number("size", 6, 0),
    Column::name("exporter", 10, 6),
    Column::flex("made by", 14),
    Column::number("imp", 3, 5),
    Column::number("H", 3, 0),
    Column::number("F", 3, 0),
    Column::number("M", 3, 0),
    Column::number("A", 3, 0),
    Column::number("FB", 3, 0),
    Column::number("refs", 4, 4),
    Column::number("age", 6, 2),
    Column::name("last event", 30, 7),
    Column::name("state", 9, 0),
    Column::delta("Δrefs", 5),
];

#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    pub table: Table,
    pub chosen: Option<Subject>,
    /// of this process only
    pub of: Option<u32>,
    pub grouped: Option<Grouped>,
    order: Order,
}

impl Default for Buffers {
    fn default() -> Self {
        let table = Table::sorted_by(1);
        Self { table, chosen: None, of: None, grouped: None, order: Order::default() }
    }
}

impl Buffers {
    /// `fresh`: what is looked at, or how, has changed; otherwise it was only scrolled.
    pub fn refresh(&mut self, sight: &Sight<'_>, fresh: bool) {
        let all = &sight.survey.buffers;
        if fresh {
            let descending = self.table.descending(COLUMNS);
            let column = self.table.sort;
            let sift = Sift::new(sight, self.of, &self.table.filter);
            let mut number = String::new();
            let kept = all.iter().zip(0u32..).filter(|(b, _)| sift.keeps(sight, b, &mut number));
            let ranks = ranks(sight, column);
            self.order.set(kept.map(|(b, ix)| (key(sight, column, b, &ranks), ix)), descending);
        }
        if let Some(grouped) = &mut self.grouped {
            if fresh {
                grouped.make(sight, &mut self.order, &self.table);
            }
            self.table.len = grouped.items.len();
            self.table.show_selected();
            let seen = grouped.items.iter().skip(self.table.offset).take(self.table.height.max(super::ROWS));
            let rows = seen.map(|item| match item {
                Item::Group(ix) => Row::Heading(grouped.title(sight, *ix)),
                Item::Buffer(ix) => row_at(sight, *ix, "  "),
            });
            self.table.rows = rows.collect();
            self.chosen = match grouped.items.get(self.table.selected) {
                Some(Item::Buffer(ix)) => all.get(*ix as usize).map(Buffer::key),
                _ => None,
            };
            return;
        }
        let before = match self.chosen {
            Some(key) if fresh && self.table.selected > 0 => all.iter().position(|b| b.key() == key),
            _ => None,
        };
        let row = |ix: u32| row_at(sight, ix, "");
        let seen = arrange(&mut self.table, &mut self.order, before.map(|ix| ix as u32), row);
        self.chosen = chosen(&self.table, &seen).and_then(|ix| all.get(ix as usize)).map(Buffer::key);
    }
}

/// What is in question: a process, a filter.
struct Sift<'a> {
    of: Option<u32>,
    filter: &'a str,
    digits: Option<&'a str>,
    /// processes whose name or number has the filter in it
    tgids: FxHashSet<u32>,
}

impl<'a> Sift<'a> {
    fn new(sight: &Sight<'_>, of: Option<u32>, filter: &'a str) -> Self {
        let digits = filter.trim_start_matches("object ").trim_start_matches("ino ").trim_start_matches('#');
        let digits = (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits);
        let mut tgids = FxHashSet::default();
        if !filter.is_empty() {
            for p in &sight.survey.processes {
                if contains(&sight.lens.process(p.tgid), filter) {
                    tgids.insert(p.tgid);
                }
            }
        }
        Self { of, filter, digits, tgids }
    }

    fn keeps(&self, sight: &Sight<'_>, b: &Buffer, number: &mut String) -> bool {
        if self.of.is_some_and(|tgid| !b.processes.contains(&tgid) && b.creator() != tgid) {
            return false;
        }
        if self.filter.is_empty() {
            return true;
        }
        let mut has = |n: u64| {
            number.clear();
            text::add(number, format_args!("{n}"));
            n != 0 && self.digits.is_some_and(|d| number.contains(d))
        };
        if self.digits.is_some() && (has(u64::from(b.object)) || has(b.ino)) {
            return true;
        }
        self.tgids.contains(&b.creator())
            || b.processes.iter().any(|p| self.tgids.contains(p))
            || state(sight, b).0.contains(self.filter)
            || (b.dmabuf != 0 && "dma-buf".contains(self.filter))
            || self.exporter(sight, b)
            || (b.object != 0 && "object".contains(self.filter))
    }

    fn exporter(&self, sight: &Sight<'_>, b: &Buffer) -> bool {
        let bytes = lens::exporter(sight.lens.world, b.dmabuf, b.file);
        let filter = self.filter.as_bytes();
        bytes.windows(filter.len().max(1)).any(|w| w.eq_ignore_ascii_case(filter))
    }
}

/// The place of each process in the order of names.
fn ranks(sight: &Sight<'_>, column: usize) -> rustc_hash::FxHashMap<u32, u64> {
    if column != 3 {
        return rustc_hash::FxHashMap::default();
    }
    let mut names: Vec<_> =
        sight.survey.processes.iter().map(|p| (sight.lens.world.comm(p.tgid), p.tgid)).collect();
    names.sort_unstable();
    names.into_iter().zip(1..).map(|((_, tgid), rank)| (tgid, rank)).collect()
}

fn key(sight: &Sight<'_>, column: usize, b: &Buffer, ranks: &rustc_hash::FxHashMap<u32, u64>) -> u64 {
    let world = sight.lens.world;
    match column {
        0 => (u64::from(b.object) << 32) | u64::from(b.dmabuf),
        1 => b.size,
        2 => name_key(lens::exporter(world, b.dmabuf, b.file)),
        3 => ranks.get(&b.creator()).copied().unwrap_or(0),
        4 => b.importers.len() as u64,
        5 => u64::from(b.handles),
        6 => u64::from(b.fds),
        7 => u64::from(b.maps),
        8 => u64::from(b.attachments),
        9 => u64::from(b.framebuffers),
        10 => u64::from(b.holders()),
        // What is older than the trace is the oldest.
        11 => {
            if b.born.is_known() {
                sight.lens.now_ns.saturating_sub(b.born.ts_ns)
            } else {
                u64::MAX
            }
        }
        12 => last_seq(sight, b),
        13 => match state(sight, b).0.as_str() {
            "" => 3,
            "released" => 2,
            "stale" => 1,
            _ => 0,
        },
        _ => signed_key(since(sight, b).unwrap_or(0)),
    }
}

fn last_seq(sight: &Sight<'_>, b: &Buffer) -> u64 {
    let object = (b.object != 0).then_some(Subject::Object(b.object));
    let dmabuf = (b.dmabuf != 0).then_some(Subject::Dmabuf(b.dmabuf));
    let of = |s: Subject| sight.lens.world.chronicle.last_seq(s);
    object.map_or(0, of).max(dmabuf.map_or(0, of))
}

/// More references than at the mark.
fn since(sight: &Sight<'_>, b: &Buffer) -> Option<i64> {
    let then = sight.mark?.buffer(b.key()).unwrap_or(0);
    Some(i64::from(b.holders()) - i64::from(then))
}

/// What is to be known about it: facts only.
fn state(sight: &Sight<'_>, b: &Buffer) -> (String, Tone) {
    if !sight.accused.is_empty() {
        let object = sight.accused.get(&Subject::Object(b.object));
        if let Some(number) = object.or_else(|| sight.accused.get(&Subject::Dmabuf(b.dmabuf))) {
            return (format!("finding {number}"), Tone::Bad);
        }
    }
    match (b.stale, b.released) {
        (true, _) => ("stale".to_owned(), Tone::Warn),
        (_, true) => ("released".to_owned(), Tone::Warn),
        _ => (String::new(), Tone::Plain),
    }
}

/// `object #12 ino 345`
pub(crate) fn name(b: &Buffer) -> String {
    let short = short_name(b);
    if b.object == 0 { short } else { format!("object {short}") }
}

/// `#12 ino 345`: the object's number and the dma-buf's inode number.
fn short_name(b: &Buffer) -> String {
    match (b.object, b.ino) {
        (0, 0) => format!("dma-buf #{}", b.dmabuf),
        (0, ino) => format!("dma-buf ino {ino}"),
        (object, 0) => format!("#{object}"),
        (object, ino) => format!("#{object} ino {ino}"),
    }
}

fn row_at(sight: &Sight<'_>, ix: u32, indent: &str) -> Row {
    let Some(b) = sight.survey.buffers.get(ix as usize) else { return Row::Heading(String::new()) };
    let lens = sight.lens;
    let (word, tone) = state(sight, b);
    let last = lens.world.chronicle.last(&b.subjects()).filter(|h| h.at.ts_ns <= lens.now_ns);
    let last = last.map_or(String::new(), |h| format!("{} {} ago", h.what.text(), lens.age(&h.at)));
    let exporter = match lens.exporter(b.dmabuf, b.file) {
        e if e.is_empty() => Cell::faint("·"),
        e => Cell::plain(e),
    };
    let refs = since(sight, b).unwrap_or(0);
    let new = sight.mark.is_some_and(|m| m.buffer(b.key()).is_none());
    let delta = if new { "new".to_owned() } else { text::signed(refs) };
    let size = if b.size == 0 { "?".to_owned() } else { text::bytes(b.size) };
    Row::Cells(vec![
        Cell::plain(format!("{indent}{}", short_name(b))),
        Cell(size, Tone::Strong),
        exporter,
        if b.born.is_known() { Cell::plain(lens.process(b.creator())) } else { Cell::faint("(older)") },
        Cell::plain(text::count(b.importers.len() as u64)),
        Cell::plain(text::count(b.handles)),
        Cell::plain(text::count(b.fds)),
        Cell::plain(text::count(b.maps)),
        Cell::plain(text::count(b.attachments)),
        Cell::plain(text::count(b.framebuffers)),
        Cell::plain(text::count(b.holders())),
        Cell::faint(lens.age(&b.born)),
        Cell::faint(last),
        Cell(word, tone),
        Cell(delta, if refs > 0 { Tone::Warn } else { Tone::Plain }),
    ])
}
