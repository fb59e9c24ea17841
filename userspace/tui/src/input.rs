//! Keys, clicks and sizes: what they change, and what they ask of the driver.

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position as Point;

use crate::app::{App, Detail, View, Zone};
use crate::interface::Action;
use crate::keys::{self, Command, When};
use crate::page::Page;
use crate::slider;

/// Rows that the wheel moves by.
const WHEEL: isize = 3;
/// Longest filter.
const FILTER_MAX: usize = 64;
const SPEED: (f64, f64) = (1.0 / 1024.0, 1024.0);

impl App {
    /// Takes a key, a mouse or a resize event; may ask something of the driver.
    pub fn on_event(&mut self, event: &Event) -> Option<Action> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.on_key(key),
            Event::Mouse(mouse) => self.on_mouse(mouse),
            Event::Resize(width, height) => {
                self.resized(*width, *height);
                None
            }
            _ => None,
        }
    }

    pub(crate) fn resized(&mut self, width: u16, height: u16) {
        if self.size != (width, height) {
            self.size = (width, height);
            self.wants = true;
            self.fill_help();
        }
    }

    fn on_key(&mut self, key: &KeyEvent) -> Option<Action> {
        if self.typing && self.type_filter(key) {
            return None;
        }
        let command = keys::command(key, |when| self.works(when))?;
        self.run(command)
    }

    pub(crate) fn works(&self, when: When) -> bool {
        let table = self.detail.is_none() && self.help.is_none() && self.view != View::Buffer;
        match when {
            When::Always => true,
            When::Table => table,
            When::Buffers => table && self.view == View::Buffers,
            When::Findings => table && self.view == View::Findings,
            When::Finding => {
                self.view == View::Findings
                    && self.help.is_none()
                    && !matches!(self.detail, Some(Detail::Site(..)))
            }
            When::Live => !self.settings.replay,
            When::Replay => self.settings.replay,
        }
    }

    /// Takes a key into the filter. Was it one for it?
    fn type_filter(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let Some((table, _)) = self.table() else { return false };
        match key.code {
            KeyCode::Char('u') if control => table.filter.clear(),
            KeyCode::Char(_) if control => return false,
            KeyCode::Char(c) if table.filter.chars().count() < FILTER_MAX => {
                table.filter.extend(c.to_lowercase());
            }
            KeyCode::Char(_) => {}
            KeyCode::Backspace => {
                table.filter.pop();
            }
            KeyCode::Esc => {
                table.filter.clear();
                self.typing = false;
            }
            KeyCode::Enter => self.typing = false,
            // Rows can be moved in while the filter is typed.
            _ => return false,
        }
        if let Some((table, _)) = self.table() {
            table.rewind();
        }
        self.touched();
        true
    }

    /// What is shown, or its order, is another now.
    fn touched(&mut self) {
        self.changed = true;
        self.wants = true;
    }

    fn run(&mut self, command: Command) -> Option<Action> {
        self.wants = true;
        match command {
            Command::Quit => return Some(Action::Quit),
            Command::Help => {
                self.help = if self.help.is_some() { None } else { Some(Page::default()) };
                self.fill_help();
            }
            Command::Tab(ix) => self.show(View::ALL.get(ix).copied().unwrap_or_default()),
            Command::NextTab => self.step_tab(1),
            Command::PreviousTab => self.step_tab(View::ALL.len() - 1),
            Command::Up => self.move_by(-1),
            Command::Down => self.move_by(1),
            Command::PageUp | Command::PageDown => {
                let rows = self.screenful();
                self.move_by(if command == Command::PageUp { -rows } else { rows });
            }
            Command::Home => self.move_by(isize::MIN / 2),
            Command::End => self.move_by(isize::MAX / 2),
            Command::Open => self.open(),
            Command::Back => self.back(),
            Command::Filter => self.typing = true,
            Command::Sort => {
                let mark = self.mark.is_some();
                if let Some((table, columns)) = self.table() {
                    table.next_sort(columns, mark);
                }
                self.touched();
            }
            Command::Reverse => {
                if let Some((table, _)) = self.table() {
                    table.reverse = !table.reverse;
                    table.rewind();
                }
                self.touched();
            }
            Command::Pause => {
                self.paused = !self.paused;
                return Some(Action::Pause(self.paused));
            }
            Command::Mark => self.mark_asked = true,
            Command::Unmark => {
                self.mark = None;
                self.mark_asked = false;
                self.touched();
            }
            Command::Group => {
                self.buffers.grouped =
                    if self.buffers.grouped.is_some() { None } else { Some(<_>::default()) };
                self.buffers.table.rewind();
                self.touched();
            }
            Command::NearMisses => self.findings.near_misses = !self.findings.near_misses,
            Command::Save => {
                let open = match &self.detail {
                    Some(Detail::Finding(number, _)) => Some(*number),
                    _ => self.findings.chosen,
                };
                return open.map(Action::SaveFinding);
            }
            Command::Scan => return Some(Action::Refresh),
            Command::Happening(by) => return Some(Action::StepHappening(by)),
            Command::Record(by) => return Some(Action::Step(by)),
            Command::NextFinding => return self.finding(true),
            Command::PreviousFinding => return self.finding(false),
            Command::Faster => return self.speed(2.0),
            Command::Slower => return self.speed(0.5),
        }
        None
    }

    /// To where the next finding was made, or the one before.
    fn finding(&self, next: bool) -> Option<Action> {
        let position = self.status.position.as_ref()?;
        let mut marks = position.marks.iter().map(|m| m.seq);
        let seq =
            if next { marks.find(|seq| *seq > position.seq) } else { marks.rfind(|seq| *seq < position.seq) };
        seq.map(Action::Seek)
    }

    fn speed(&self, times: f64) -> Option<Action> {
        let now = self.status.position.as_ref().map_or(1.0, |p| p.speed);
        let now = if now.is_finite() && now > 0.0 { now } else { 1.0 };
        Some(Action::Speed((now * times).clamp(SPEED.0, SPEED.1)))
    }

    fn show(&mut self, view: View) {
        if view == View::Buffer && self.buffer.is_none() {
            // The one that is selected is as good as one that was open.
            self.opening = self.buffers.chosen;
        }
        if view == View::Buffer && self.view != View::Buffer {
            self.came_from = self.view;
        }
        self.view = view;
        (self.detail, self.help, self.typing) = (None, None, false);
        self.touched();
    }

    fn step_tab(&mut self, by: usize) {
        let at = View::ALL.iter().position(|v| *v == self.view).unwrap_or(0);
        self.show(View::ALL.get((at + by) % View::ALL.len()).copied().unwrap_or_default());
    }

    fn move_by(&mut self, rows: isize) {
        if let Some(page) = self.page() {
            page.move_by(rows);
        } else if let Some((table, _)) = self.table() {
            table.move_by(rows);
        }
    }

    fn screenful(&mut self) -> isize {
        if let Some(page) = self.page() {
            return page.page();
        }
        self.table().map_or(1, |(table, _)| (table.height.max(2) - 1) as isize)
    }

    fn open(&mut self) {
        if let Some(page) = self.page() {
            page.toggle();
            return;
        }
        match self.view {
            View::Processes => {
                if let Some(tgid) = self.processes.chosen {
                    self.buffers.of = Some(tgid);
                    self.buffers.table.rewind();
                    self.show(View::Buffers);
                }
            }
            View::Buffers => {
                let line = self.buffers.table.selected;
                if self.buffers.grouped.as_mut().is_some_and(|g| g.toggle(line)) {
                    self.touched();
                } else if let Some(key) = self.buffers.chosen {
                    self.opening = Some(key);
                    self.show(View::Buffer);
                }
            }
            View::Findings => {
                self.detail = self.findings.chosen.map(|n| Detail::Finding(n, Page::default()));
            }
            View::Sites => {
                self.detail = self.sites.chosen.map(|key| Detail::Site(key, Page::default()));
            }
            View::Buffer => {}
        }
    }

    fn back(&mut self) {
        if self.help.take().is_some() || self.detail.take().is_some() {
            return;
        }
        if self.view == View::Buffer {
            let to = if self.came_from == View::Buffer { View::Buffers } else { self.came_from };
            self.show(to);
        } else {
            let filtered = self.table().is_some_and(|(t, _)| !std::mem::take(&mut t.filter).is_empty());
            // The filter goes first, then the process.
            if filtered || (self.view == View::Buffers && self.buffers.of.take().is_some()) {
                self.touched();
            }
        }
    }

    fn on_mouse(&mut self, mouse: &MouseEvent) -> Option<Action> {
        let at = Point::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(-WHEEL),
            MouseEventKind::ScrollDown => self.wheel(WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                let (_, zone) = self.zones.iter().copied().find(|(area, _)| area.contains(at))?;
                return self.click(zone, mouse.column);
            }
            MouseEventKind::Drag(MouseButton::Left) if self.track.width > 0 && at.y == self.track.y => {
                return self.seek(mouse.column);
            }
            _ => {}
        }
        None
    }

    fn wheel(&mut self, by: isize) {
        self.move_by(by);
        self.wants = true;
    }

    fn click(&mut self, zone: Zone, column: u16) -> Option<Action> {
        self.wants = true;
        match zone {
            Zone::Tab(ix) => return self.run(Command::Tab(ix)),
            Zone::Head(ix) => {
                if let Some((table, _)) = self.table() {
                    table.sort_by(ix);
                }
                self.touched();
            }
            Zone::Row(row) => {
                let again = self.table().is_some_and(|(table, _)| {
                    let again = table.selected == row;
                    table.selected = row.min(table.len.saturating_sub(1));
                    again
                });
                // A second click on a row opens it.
                if again {
                    self.open();
                }
            }
            Zone::Line(line) => {
                if let Some(page) = self.page() {
                    let again = page.cursor() == line;
                    page.point_at(line);
                    if again {
                        page.toggle();
                    }
                }
            }
            Zone::Slider => return self.seek(column),
        }
        None
    }

    fn seek(&self, column: u16) -> Option<Action> {
        let position = self.status.position.as_ref()?;
        Some(Action::Seek(slider::record(self.track, column, position)))
    }
}
