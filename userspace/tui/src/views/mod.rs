//! The views: what each takes from the world, and the rows or lines that it becomes.

pub(crate) mod buffer_page;
pub(crate) mod buffers;
pub(crate) mod findings;
pub(crate) mod graph;
pub(crate) mod groups;
pub(crate) mod processes;
pub(crate) mod site_page;
pub(crate) mod sites;
pub(crate) mod stories;

use gemscope_report::chronicle::Subject;
use gemscope_report::survey::Survey;
use rustc_hash::FxHashMap;

use crate::growth::{Growth, Mark};
use crate::lens::Lens;
use crate::order::Order;
use crate::table::{Column, Row, Table};

/// What every view may look at.
pub(crate) struct Sight<'a> {
    pub lens: Lens<'a>,
    pub survey: &'a Survey,
    pub growth: &'a Growth,
    pub mark: Option<&'a Mark>,
    /// the latest finding about each buffer
    pub accused: &'a FxHashMap<Subject, u32>,
}

/// Rows made at least, so that a screen that has grown is not empty until the next refresh.
const ROWS: usize = 100;

/// Puts the rows that are seen in order and makes them. `selected` is the row that was selected, where that is to stay
/// so; returns the rows seen.
pub(crate) fn arrange(
    table: &mut Table,
    order: &mut Order,
    selected: Option<u32>,
    mut row: impl FnMut(u32) -> Row,
) -> Vec<u32> {
    table.len = order.len();
    if table.selected > 0
        && let Some(place) = selected.and_then(|row| order.place(row))
        && place != table.selected
    {
        table.follow(place);
    }
    table.show_selected();
    let seen = order.window(table.offset, table.offset + table.height.max(ROWS));
    table.rows = seen.iter().map(|ix| row(*ix)).collect();
    seen
}

/// The row that is selected, of those that are seen.
pub(crate) fn chosen(table: &Table, seen: &[u32]) -> Option<u32> {
    seen.get(table.selected.checked_sub(table.offset)?).copied()
}

/// Order of the whole table for those that are short.
pub(crate) fn sorted<T>(
    table: &Table,
    columns: &[Column],
    all: &[T],
    keep: impl Fn(&T) -> bool,
    key: impl Fn(usize, &T) -> u64,
) -> Order {
    let mut order = Order::default();
    let kept = all.iter().zip(0u32..).filter(|(t, _)| keep(t)).map(|(t, ix)| (key(table.sort, t), ix));
    order.set(kept, table.descending(columns));
    order
}

/// Does a text contain the filter? The filter is in lower case.
pub(crate) fn contains(text: &str, filter: &str) -> bool {
    filter.is_empty() || text.to_lowercase().contains(filter)
}
