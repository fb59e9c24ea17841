//! Buffers gathered by the stack that made them.

use gemscope_report::number;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Sight;
use super::buffers::COLUMNS;
use crate::order::Order;
use crate::table::Table;
use crate::text;

/// The kernel stack, the user stack and the process.
pub(crate) type Place = (i32, i32, u32);

/// Buffers that were made in one place.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub place: Place,
    count: u64,
    bytes: u64,
    refs: u64,
    oldest_ns: u64,
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Group(usize),
    Buffer(u32),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Grouped {
    groups: Vec<Group>,
    open: FxHashSet<Place>,
    pub items: Vec<Item>,
}

impl Grouped {
    /// Gathers what is in the order; of open groups the buffers too.
    pub fn make(&mut self, sight: &Sight<'_>, order: &mut Order, table: &Table) {
        let all = &sight.survey.buffers;
        let mut at: FxHashMap<Place, usize> = FxHashMap::default();
        let mut open: FxHashMap<usize, Vec<u32>> = FxHashMap::default();
        self.groups.clear();
        // Only where something is open does the order of buffers matter.
        let rows = if self.open.is_empty() { order.rows() } else { order.window(0, order.len()) };
        for ix in rows {
            let Some(b) = all.get(ix as usize) else { continue };
            let place = (b.born.kstack.max(-1), b.born.ustack.max(-1), b.born.tgid);
            let group = *at.entry(place).or_insert_with(|| {
                self.groups.push(Group { place, count: 0, bytes: 0, refs: 0, oldest_ns: u64::MAX });
                self.groups.len() - 1
            });
            if let Some(g) = self.groups.get_mut(group) {
                g.count += 1;
                g.bytes += b.size;
                g.refs += u64::from(b.holders());
                g.oldest_ns = g.oldest_ns.min(b.born.ts_ns);
            }
            if self.open.contains(&place) {
                open.entry(group).or_default().push(ix);
            }
        }
        let key = |g: &Group| match COLUMNS.get(table.sort).map(|c| c.title) {
            Some("size") => g.bytes,
            Some("age") => sight.lens.now_ns.saturating_sub(g.oldest_ns),
            Some("refs" | "H" | "F" | "M" | "A" | "FB") => g.refs,
            _ => g.count,
        };
        let mut sorted = Order::default();
        sorted.set(self.groups.iter().map(key).zip(0..), !table.reverse);
        self.items.clear();
        for group in sorted.window(0, sorted.len()) {
            let group = group as usize;
            self.items.push(Item::Group(group));
            self.items.extend(open.remove(&group).unwrap_or_default().into_iter().map(Item::Buffer));
        }
    }

    /// `▸ 1,234 × 20.3M 1,300 refs  create_dumb (drm.rs:162)  weston 812`
    pub fn title(&self, sight: &Sight<'_>, group: usize) -> String {
        let Some(g) = self.groups.get(group) else { return String::new() };
        let (kstack, ustack, tgid) = g.place;
        let lens = sight.lens;
        let place = match tgid {
            0 => "made before the trace, or nobody saw where".to_owned(),
            _ => format!("{}  {}", lens.place(kstack, ustack, tgid), lens.process(tgid)),
        };
        let sign = if self.open.contains(&g.place) { "▾" } else { "▸" };
        format!(
            "{sign} {:>7} × {:>6} {:>7} refs  {place}",
            number(g.count),
            text::bytes(g.bytes),
            number(g.refs)
        )
    }

    /// Opens or closes the group in this line. Is there one?
    pub fn toggle(&mut self, line: usize) -> bool {
        let Some(Item::Group(ix)) = self.items.get(line) else { return false };
        let Some(group) = self.groups.get(*ix) else { return false };
        if !self.open.remove(&group.place) {
            self.open.insert(group.place);
        }
        true
    }
}
