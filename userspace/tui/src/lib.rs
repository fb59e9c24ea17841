//! See ARCHITECTURE.md.
mod interface;
pub use interface::*;
/// stub
pub struct App;
impl App {
    /// stub
    pub fn new(_: Settings) -> Self {
        Self
    }
    /// stub
    pub fn refresh(&mut self, _: &gemscope_report::survey::World<'_>, _: &Status) {}
    /// stub
    pub fn on_event(&mut self, e: &ratatui::crossterm::event::Event) -> Option<Action> {
        e.is_key_press().then_some(Action::Quit)
    }
    /// stub
    pub fn draw(&mut self, _: &mut ratatui::Frame<'_>) {}
    /// stub
    pub fn wants_refresh(&self) -> bool {
        true
    }
}
