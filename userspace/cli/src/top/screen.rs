//! The terminal: taken over, and given back as it was, whatever happens.

use std::io::{self, IsTerminal as _, Stdout, stdout};
use std::panic;
use std::sync::Once;
use std::time::Duration;

use gemscope_tui::{App, Colour, Settings};
use nix::sys::signal::{Signal, raise};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::args::Color;

/// The terminal while it is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over. A panic gives it back first, so that its message can be read.
    ///
    /// # Errors
    /// The terminal's refusal.
    pub fn open() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).inspect_err(|_| give_back())?;
        Ok(Self { terminal })
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// The terminal's.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        self.terminal.draw(|frame| app.draw(frame)).map(drop)
    }

    /// The next key or click, waiting for it at most this long.
    ///
    /// # Errors
    /// The terminal's: it is gone, most likely.
    pub fn event(&self, patience: Duration) -> io::Result<Option<Event>> {
        if event::poll(patience)? { event::read().map(Some) } else { Ok(None) }
    }

    /// Stops as Ctrl-Z asks, and takes the terminal over again when the shell lets it go on.
    ///
    /// # Errors
    /// The terminal's.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        raise(Signal::SIGSTOP)?;
        take()?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture).inspect_err(|_| give_back())
}

/// As far as it still can be done: the terminal may be gone.
fn give_back() {
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Is there a terminal that can show a screen?
#[must_use]
pub fn can_draw() -> bool {
    stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// What the terminal can show.
#[must_use]
pub fn settings(color: Color, replay: bool) -> Settings {
    let var = |name| std::env::var(name).unwrap_or_default();
    let term = var("TERM");
    let rich = matches!(var("COLORTERM").as_str(), "truecolor" | "24bit") || term.contains("256color");
    let colour = match color {
        Color::Never => Colour::None,
        Color::Auto if !var("NO_COLOR").is_empty() => Colour::None,
        Color::Auto | Color::Always if rich => Colour::Rich,
        Color::Auto | Color::Always => Colour::Sixteen,
    };
    // The first one that is set decides, as setlocale(3) has it.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(var).into_iter().find(|v| !v.is_empty());
    let utf8 = locale.is_some_and(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    });
    // The kernel's own console has few glyphs, whatever the locale says.
    Settings { colour, ascii: !utf8 || term == "linux", replay }
}
