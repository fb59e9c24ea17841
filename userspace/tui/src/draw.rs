//! Frames: header, tabs, the view, the slider, the bottom line.

use gemscope_report::escape;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, View, Zone};
use crate::keys::BINDINGS;
use crate::slider;
use crate::text;
use crate::theme::Tone;

/// Smaller than this, nothing can be told.
const LEAST: (u16, u16) = (40, 9);
/// Lines of the header, the tabs with them.
const HEAD: u16 = 4;

impl App {
    /// Draws what the last refresh took from the world.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        self.resized(area.width, area.height);
        self.zones.clear();
        self.track = Rect::default();
        let buf = frame.buffer_mut();
        if area.width < LEAST.0 || area.height < LEAST.1 {
            let words = format!("too small: {}x{} needed", LEAST.0, LEAST.1);
            text::put(buf, area.x, area.y, area.width, &words, self.theme.style(Tone::Strong));
        } else {
            self.draw_all(buf, area);
        }
        finish(buf, self.settings.ascii);
    }

    fn draw_all(&mut self, buf: &mut Buffer, area: Rect) {
        let held = match (self.held(), self.settings.replay) {
            (true, _) => "PAUSED",
            (_, true) if self.paused => "REPLAY, HELD",
            (_, true) => "REPLAY",
            _ => "",
        };
        self.head.draw(buf, Rect { height: HEAD - 1, ..area }, held, self.theme);
        self.tabs(buf, Rect { y: area.y + HEAD - 1, height: 1, ..area });
        let mut bottom = area.bottom() - 1;
        self.bottom_line(buf, Rect { y: bottom, height: 1, ..area });
        if let Some(position) = &self.status.position {
            bottom -= 1;
            let line = Rect { y: bottom, height: 1, ..area };
            self.track = slider::draw(buf, line, position, self.theme);
            self.zones.push((self.track, Zone::Slider));
        }
        let top = area.y + HEAD;
        let body = Rect { y: top, height: bottom.saturating_sub(top), ..area };
        self.body(buf, body);
    }

    fn body(&mut self, buf: &mut Buffer, area: Rect) {
        let (theme, mark) = (self.theme, self.mark.is_some());
        if self.page().is_some() {
            let lines = self.page().map(|page| page.draw(buf, area, theme)).unwrap_or_default();
            self.zones.extend(lines.into_iter().map(|(rect, line)| (rect, Zone::Line(line))));
            return;
        }
        let Some((table, columns)) = self.table() else {
            return self.nothing(buf, area);
        };
        table.height = usize::from(area.height.saturating_sub(1));
        let heads = table.draw(buf, area, columns, mark, theme);
        let (offset, rows, none) = (table.offset, table.rows.len(), table.rows.is_empty());
        self.zones.extend(heads.into_iter().map(|(rect, ix)| (rect, Zone::Head(ix))));
        for i in 0..rows.min(usize::from(area.height.saturating_sub(1))) {
            let row = Rect { y: area.y + 1 + i as u16, height: 1, ..area };
            self.zones.push((row, Zone::Row(offset + i)));
        }
        if none {
            self.nothing(buf, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area });
        }
    }

    /// What to do when there is nothing to show.
    fn nothing(&mut self, buf: &mut Buffer, area: Rect) {
        let filtered = self.table().is_some_and(|(t, _)| !t.filter.is_empty()) || self.buffers.of.is_some();
        let replay = self.settings.replay;
        let position = self.status.position.as_ref();
        let later = position.is_some_and(|p| p.marks.iter().any(|m| m.seq > p.seq));
        let words: &[&str] = match self.view {
            View::Buffer => &["no buffer is open", "open one with Enter on a row of Buffers (2)"],
            View::Findings if filtered => &["no finding has this text", "Esc takes the filter away"],
            View::Findings if later => &["no finding so far", "] goes to where the next one is made"],
            View::Findings => &[
                "no finding so far",
                "leaks are judged when a process ends or closes its DRM file;",
                "of one that runs on, look at what grows: Processes (1), Call sites (4), and set a mark (m)",
            ],
            _ if filtered => &["nothing has this text", "Esc takes the filter away"],
            _ if replay => &["nothing yet: no buffer is alive at this point", "go on with → or Space"],
            _ => &["nothing yet: no process has a GPU buffer", "start or use the program that leaks"],
        };
        for (i, line) in words.iter().enumerate() {
            let y = area.y + 1 + i as u16;
            if y < area.bottom() {
                let tone = if i == 0 { Tone::Plain } else { Tone::Faint };
                text::put(buf, area.x + 2, y, area.width.saturating_sub(2), line, self.theme.style(tone));
            }
        }
    }

    fn tabs(&mut self, buf: &mut Buffer, area: Rect) {
        let wide = area.width >= 76;
        let mut x = area.x;
        for (i, view) in View::ALL.into_iter().enumerate() {
            let count = self.counts.get(i).map(|n| format!(" {n}"));
            let count =
                count.or_else(|| self.buffer.as_ref().map(|b| format!(" {}", b.title()))).unwrap_or_default();
            if view == View::Buffer && self.buffer.is_none() && self.view != View::Buffer {
                continue;
            }
            let title = match (wide, view) {
                (_, View::Buffer) => format!(" {}{count} ", i + 1),
                (true, _) => format!(" {} {}{count} ", i + 1, view.title()),
                (false, _) => {
                    format!(" {} {} ", i + 1, view.title().split(' ').next_back().unwrap_or_default())
                }
            };
            let style = if view == self.view {
                self.theme.selected().patch(self.theme.style(Tone::Strong))
            } else if view == View::Findings && self.counts[2] > 0 {
                self.theme.style(Tone::Bad)
            } else {
                self.theme.style(Tone::Plain)
            };
            let used = text::put(buf, x, area.y, (area.right()).saturating_sub(x), &title, style);
            self.zones.push((Rect { x, y: area.y, width: used, height: 1 }, Zone::Tab(i)));
            x += used;
        }
        let words = self.sifted();
        let room = area.right().saturating_sub(x + 1);
        text::put_right(buf, x + 1, area.y, room, &words, self.theme.style(Tone::Warn));
    }

    /// What is left out of the table, in words.
    fn sifted(&mut self) -> String {
        let typing = self.typing;
        let of = self.buffers.of.filter(|_| self.view == View::Buffers);
        let mut words = of.map_or(String::new(), |tgid| format!("of pid {tgid} "));
        if let Some((table, _)) = self.table().filter(|(t, _)| typing || !t.filter.is_empty()) {
            let shown = escape::cut(table.filter.as_bytes(), 24);
            words.push_str(&format!("/{shown}{}", if typing { "_" } else { "" }));
        }
        words
    }

    fn bottom_line(&self, buf: &mut Buffer, area: Rect) {
        if let Some(message) = &self.status.message {
            text::put(buf, area.x, area.y, area.width, message, self.theme.style(Tone::Strong));
            return;
        }
        if self.typing {
            let words = "type what rows must contain: a name, a pid, a number   Enter keep  Esc drop";
            text::put(buf, area.x, area.y, area.width, words, self.theme.style(Tone::Faint));
            return;
        }
        let mut x = area.x;
        for b in BINDINGS.iter().filter(|b| !b.hint.is_empty() && self.works(b.when)) {
            let key = b.shown.split("  ").next().unwrap_or_default();
            let room = |x: u16| area.right().saturating_sub(x);
            if usize::from(room(x)) < text::width(key) + 1 + text::width(b.hint) {
                break;
            }
            x += text::put(buf, x, area.y, room(x), key, self.theme.style(Tone::Accent)) + 1;
            x += text::put(buf, x, area.y, room(x), b.hint, self.theme.style(Tone::Faint)) + 2;
        }
    }
}

/// The last look at every cell: nothing that steers a terminal is in it, and where that is asked for nothing beyond ASCII.
fn finish(buf: &mut Buffer, ascii: bool) {
    for cell in &mut buf.content {
        let symbol = cell.symbol();
        if !ascii {
            if symbol.chars().any(escape::is_hostile) {
                cell.set_char('?');
            }
        } else if !symbol.is_ascii() {
            let c = symbol.chars().next().map_or(' ', text::ascii);
            cell.set_char(c);
        }
    }
}
