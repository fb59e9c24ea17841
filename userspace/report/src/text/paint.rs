//! Colours, indentation and wrapping of the text report.

use std::fmt::{self, Display, Write};

use anstyle::{AnsiColor, Style};

/// What is shown in which style. The plain one has none and writes no escape sequence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    /// something is wrong
    pub bad: Style,
    /// something is uncertain or worth a look
    pub warn: Style,
    /// all is well
    pub good: Style,
    /// titles and names that matter
    pub strong: Style,
    /// labels and what is secondary
    pub faint: Style,
}

impl Palette {
    /// No colours at all.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            bad: Style::new(),
            warn: Style::new(),
            good: Style::new(),
            strong: Style::new(),
            faint: Style::new(),
        }
    }

    /// The sixteen colours that every terminal has, so that the user's own theme holds.
    #[must_use]
    pub const fn coloured() -> Self {
        Self {
            bad: AnsiColor::Red.on_default().bold(),
            warn: AnsiColor::Yellow.on_default(),
            good: AnsiColor::Green.on_default().bold(),
            strong: Style::new().bold(),
            faint: Style::new().dimmed(),
        }
    }

    /// Colours or none.
    #[must_use]
    pub const fn new(colour: bool) -> Self {
        if colour { Self::coloured() } else { Self::plain() }
    }
}

/// Text in a style.
pub(crate) fn paint(style: Style, text: impl Display) -> impl Display {
    struct Painted<T>(Style, T);
    impl<T: Display> Display for Painted<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}{}{}", self.0.render(), self.1, self.0.render_reset())
        }
    }
    Painted(style, text)
}

/// Columns that prose is wrapped at.
const WIDTH: usize = 110;

/// Writes prose, wrapped; `first` begins the first line and `rest` the others. Both are plain text of equal width.
pub(crate) fn prose(out: &mut dyn Write, style: Style, first: &str, rest: &str, text: &str) -> fmt::Result {
    let mut line = String::new();
    let mut lead = first;
    let room = WIDTH.saturating_sub(rest.chars().count()).max(20);
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            writeln!(out, "{}{line}", paint(style, lead))?;
            lead = rest;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{}{line}", paint(style, lead))
}
