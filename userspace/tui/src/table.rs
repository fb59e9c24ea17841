//! A table on the screen: columns that give way when there is no room, a selection, a sort column, a filter. Rows exist
//! only where they are seen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::text;
use crate::theme::{Theme, Tone};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub title: &'static str,
    pub width: u16,
    /// numbers stand at the right end, and are sorted with the most on top
    pub number: bool,
    /// which one gives way first: the highest; 0 never does
    pub drop: u8,
    /// takes what room is left
    pub flex: bool,
    /// only while there is a mark
    pub since_mark: bool,
}

impl Column {
    pub const fn name(title: &'static str, width: u16, drop: u8) -> Self {
        Self { title, width, number: false, drop, flex: false, since_mark: false }
    }

    pub const fn flex(title: &'static str, width: u16) -> Self {
        Self { flex: true, ..Self::name(title, width, 0) }
    }

    pub const fn number(title: &'static str, width: u16, drop: u8) -> Self {
        Self { number: true, ..Self::name(title, width, drop) }
    }

    pub const fn delta(title: &'static str, width: u16) -> Self {
        Self { since_mark: true, ..Self::number(title, width, 0) }
    }
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell(pub String, pub Tone);

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self(text.into(), Tone::Plain)
    }

    pub fn faint(text: impl Into<String>) -> Self {
        Self(text.into(), Tone::Faint)
    }
}

/// A row: a cell for each column of the table, shown or not; or one text over the whole line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Cells(Vec<Cell>),
    Heading(String),
}

/// What a user did to a table, and the rows that are seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// the selected row, among all
    pub selected: usize,
    /// the first that is seen
    pub offset: usize,
    /// rows in all
    pub len: usize,
    /// rows that there is room for
    pub height: usize,
    /// index of the sort column
    pub sort: usize,
    /// the other way round than the column begins
    pub reverse: bool,
    /// what rows have to contain, in lower case
    pub filter: String,
    /// the rows from `offset` on
    pub rows: Vec<Row>,
}

impl Table {
    pub fn sorted_by(sort: usize) -> Self {
        Self { sort, height: 24, ..Self::default() }
    }

    pub fn move_by(&mut self, rows: isize) {
        self.selected = self.selected.saturating_add_signed(rows).min(self.len.saturating_sub(1));
        self.show_selected();
    }

    /// Keeps the selection among the rows and in sight.
    pub fn show_selected(&mut self) {
        let height = self.height.max(1);
        self.selected = self.selected.min(self.len.saturating_sub(1));
        self.offset = self.offset.min(self.len.saturating_sub(height));
        if self.selected < self.offset {
            self.offset = self.selected;
        } else if self.selected >= self.offset + height {
            self.offset = self.selected + 1 - height;
        }
    }

    /// The selected row is at another place now: it stays where it is on the screen.
    pub fn follow(&mut self, place: usize) {
        let on_screen = self.selected.saturating_sub(self.offset);
        self.selected = place;
        self.offset = place.saturating_sub(on_screen);
    }

    pub fn next_sort(&mut self, columns: &[Column], mark: bool) {
        self.sort = (self.sort + 1) % columns.len().max(1);
        // The columns at the end are there with a mark only.
        if !mark && columns.get(self.sort).is_some_and(|c| c.since_mark) {
            self.sort = 0;
        }
        self.reverse = false;
        self.rewind();
    }

    pub fn sort_by(&mut self, column: usize) {
        self.reverse = self.sort == column && !self.reverse;
        self.sort = column;
        self.rewind();
    }

    pub fn rewind(&mut self) {
        (self.selected, self.offset) = (0, 0);
    }

    /// The highest first?
    pub fn descending(&self, columns: &[Column]) -> bool {
        columns.get(self.sort).is_some_and(|c| c.number) != self.reverse
    }

    /// Draws heads and rows; returns where the heads are.
    pub fn draw(
        &self,
        buf: &mut Buffer,
        area: Rect,
        columns: &[Column],
        mark: bool,
        theme: Theme,
    ) -> Vec<(Rect, usize)> {
        let mut heads = Vec::new();
        let shown = layout(columns, area.width, mark);
        for y in area.y..area.bottom().min(area.y + 1) {
            buf.set_style(Rect { y, height: 1, ..area }, theme.head(false));
        }
        let mut x = area.x;
        for (ix, room) in &shown {
            let Some(column) = columns.get(*ix) else { continue };
            let style = theme.head(*ix == self.sort);
            if column.number {
                text::put_right(buf, x, area.y, *room, column.title, style);
            } else {
                text::put(buf, x, area.y, *room, column.title, style);
            }
            if *ix == self.sort {
                let arrow = if self.descending(columns) { "▼" } else { "▲" };
                let at = if column.number { *room } else { (column.title.len() as u16).min(*room) };
                text::put(buf, x + at, area.y, 1, arrow, theme.style(Tone::Accent));
            }
            heads.push((Rect { x, y: area.y, width: *room, height: 1 }, *ix));
            x += room + 1;
        }
        for (i, row) in self.rows.iter().enumerate().take(usize::from(area.height.saturating_sub(1))) {
            let y = area.y + 1 + i as u16;
            match row {
                Row::Heading(title) => {
                    text::put(buf, area.x, y, area.width, title, theme.style(Tone::Strong));
                }
                Row::Cells(cells) => {
                    let mut x = area.x;
                    for (ix, room) in &shown {
                        if let Some(Cell(cell, tone)) = cells.get(*ix) {
                            let style = theme.style(*tone);
                            if columns.get(*ix).is_some_and(|c| c.number) {
                                text::put_right(buf, x, y, *room, cell, style);
                            } else {
                                text::put(buf, x, y, *room, cell, style);
                            }
                        }
                        x += room + 1;
                    }
                }
            }
            if self.offset + i == self.selected {
                buf.set_style(Rect { y, height: 1, ..area }, theme.selected());
            }
        }
        heads
    }
}

/// Which columns there is room for, and how much each takes.
fn layout(columns: &[Column], width: u16, mark: bool) -> Vec<(usize, u16)> {
    let mut shown: Vec<usize> =
        (0..columns.len()).filter(|i| columns.get(*i).is_some_and(|c| mark || !c.since_mark)).collect();
    let of = |i: &usize| columns.get(*i).copied().unwrap_or(Column::name("", 0, 0));
    let taken = |shown: &[usize]| shown.iter().map(|i| of(i).width + 1).sum::<u16>();
    // The last column needs no gap after it, but the arrow of a sorted one does.
    while taken(&shown) > width {
        let weakest = shown.iter().enumerate().max_by_key(|(at, i)| (of(i).drop, *at));
        match weakest {
            Some((at, i)) if of(i).drop > 0 => {
                shown.remove(at);
            }
            _ => break,
        }
    }
    let mut left = width.saturating_sub(taken(&shown));
    let mut out = Vec::new();
    for i in shown {
        let column = of(&i);
        let more = if column.flex { std::mem::take(&mut left).min(48) } else { 0 };
        out.push((i, column.width + more));
    }
    out
}
