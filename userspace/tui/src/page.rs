//! Pages of lines that can be scrolled and, where a line stands for something with stacks, unfolded. On a wide screen a page
//! has two panes side by side; the cursor goes from the end of the first into the second.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustc_hash::FxHashSet;

use crate::text;
use crate::theme::{Theme, Tone};

/// A line: pieces from the left, and columns at the right end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub left: Vec<(String, Tone)>,
    pub right: String,
    /// what Enter unfolds
    pub entry: Option<u64>,
    pub heading: bool,
}

impl Line {
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { left: vec![(text.into(), tone)], ..Self::default() }
    }

    pub fn heading(text: impl Into<String>) -> Self {
        Self { heading: true, ..Self::new(text, Tone::Strong) }
    }

    pub fn and(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.left.push((text.into(), tone));
        self
    }

    pub fn right(mut self, text: impl Into<String>) -> Self {
        self.right = text.into();
        self
    }

    pub fn entry(mut self, entry: u64) -> Self {
        self.entry = Some(entry);
        self
    }
}

/// Lines one above the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pane {
    pub lines: Vec<Line>,
    offset: usize,
    height: usize,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub panes: [Pane; 2],
    cursor: usize,
    unfolded: FxHashSet<u64>,
}

impl Page {
    pub fn set(&mut self, first: Vec<Line>, second: Vec<Line>) {
        let [a, b] = &mut self.panes;
        (a.lines, b.lines) = (first, second);
        self.keep();
    }

    pub fn is_unfolded(&self, entry: u64) -> bool {
        self.unfolded.contains(&entry)
    }

    fn len(&self) -> usize {
        self.panes.iter().map(|p| p.lines.len()).sum()
    }

    /// Is there something to point at? Otherwise moving scrolls.
    fn points(&self) -> bool {
        self.panes.iter().flat_map(|p| &p.lines).any(|l| l.entry.is_some())
    }

    pub fn move_by(&mut self, lines: isize) {
        let [first, _] = &mut self.panes;
        let room = first.lines.len().saturating_sub(first.height);
        if self.points() {
            self.cursor = self.cursor.saturating_add_signed(lines).min(self.len().saturating_sub(1));
            self.keep();
        } else {
            let [first, _] = &mut self.panes;
            first.offset = first.offset.saturating_add_signed(lines).min(room);
        }
    }

    pub fn page(&self) -> isize {
        let [first, _] = &self.panes;
        (first.height.max(2) - 1) as isize
    }

    /// Unfolds or folds the line under the cursor.
    pub fn toggle(&mut self) -> bool {
        let Some(entry) = self.at(self.cursor).and_then(|l| l.entry) else { return false };
        if !self.unfolded.remove(&entry) {
            self.unfolded.insert(entry);
        }
        true
    }

    fn at(&self, cursor: usize) -> Option<&Line> {
        self.panes.iter().flat_map(|p| &p.lines).nth(cursor)
    }

    pub fn point_at(&mut self, cursor: usize) {
        self.cursor = cursor;
        self.keep();
    }

    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    fn keep(&mut self) {
        self.cursor = self.cursor.min(self.len().saturating_sub(1));
        let points = self.points();
        let mut before = 0;
        for pane in &mut self.panes {
            let height = pane.height.max(1);
            pane.offset = pane.offset.min(pane.lines.len().saturating_sub(height));
            if let Some(at) = self.cursor.checked_sub(before).filter(|at| points && *at < pane.lines.len()) {
                if at < pane.offset {
                    pane.offset = at;
                } else if at >= pane.offset + height {
                    pane.offset = at + 1 - height;
                }
            }
            before += pane.lines.len();
        }
    }

    /// Draws both panes; returns where which line is.
    pub fn draw(&mut self, buf: &mut Buffer, area: Rect, theme: Theme) -> Vec<(Rect, usize)> {
        let [first, second] = &self.panes;
        let areas = match (first.lines.is_empty(), second.lines.is_empty()) {
            (_, true) => [area, Rect { width: 0, ..area }],
            (true, _) => [Rect { width: 0, ..area }, area],
            _ => {
                let half = area.width / 2;
                let right = Rect { x: area.x + half + 1, width: area.width - half - 1, ..area };
                [Rect { width: half.saturating_sub(1), ..area }, right]
            }
        };
        for (pane, area) in self.panes.iter_mut().zip(areas) {
            pane.height = usize::from(area.height);
        }
        self.keep();
        let points = self.points();
        let mut zones = Vec::new();
        let mut before = 0;
        for (pane, area) in self.panes.iter().zip(areas) {
            for (i, line) in pane.lines.iter().enumerate().skip(pane.offset).take(pane.height) {
                let row = Rect { y: area.y + (i - pane.offset) as u16, height: 1, ..area };
                draw_line(buf, row, line, theme);
                if points && before + i == self.cursor {
                    buf.set_style(row, theme.selected());
                }
                zones.push((row, before + i));
            }
            more(buf, area, pane, theme);
            before += pane.lines.len();
        }
        zones
    }
}

/// Says at the lower right that there is more.
fn more(buf: &mut Buffer, area: Rect, pane: &Pane, theme: Theme) {
    let below = pane.lines.len().saturating_sub(pane.offset + pane.height);
    if below > 0 && area.height > 2 && area.width > 20 {
        let word = format!(" ▼ {below} more ");
        let y = area.bottom() - 1;
        let room = text::width(&word) as u16;
        text::put(buf, area.right() - room, y, room, &word, theme.style(Tone::Accent));
    }
}

fn draw_line(buf: &mut Buffer, row: Rect, line: &Line, theme: Theme) {
    let right = (text::width(&line.right) as u16).min(row.width * 2 / 3);
    let room = row.width - right - u16::from(right > 0);
    let mut x = row.x;
    for (piece, tone) in &line.left {
        let left = (row.x + room).saturating_sub(x);
        x += text::put(buf, x, row.y, left, piece, theme.style(*tone));
    }
    if line.heading && x + 2 < row.x + room {
        let rule = "─".repeat(usize::from(row.x + room - x - 1));
        text::put(buf, x + 1, row.y, room, &rule, theme.style(Tone::Faint));
    }
    if right > 0 {
        text::put(buf, row.right() - right, row.y, right, &line.right, theme.style(Tone::Faint));
    }
}
