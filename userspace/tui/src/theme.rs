//! Tones of text and the styles that they become. Meaning is never in the colour alone: words and signs carry it.

use ratatui::style::{Color, Modifier, Style};

use crate::interface::Colour;

/// What a piece of text is, whatever the terminal makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// secondary
    Faint,
    /// titles and names that matter
    Strong,
    Good,
    /// uncertain, lost or missing
    Warn,
    /// something is wrong
    Bad,
    /// where to look: keys, arrows, the sorted column
    Accent,
}

/// Styles for a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Theme(pub Colour);

impl Theme {
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        match (self.0, tone) {
            (_, Tone::Plain) => plain,
            (_, Tone::Strong) => plain.add_modifier(Modifier::BOLD),
            (Colour::None, Tone::Faint) => plain,
            (Colour::None, Tone::Good | Tone::Accent | Tone::Bad) => plain.add_modifier(Modifier::BOLD),
            (Colour::None, Tone::Warn) => plain.add_modifier(Modifier::UNDERLINED),
            (Colour::Sixteen, Tone::Faint) => plain.add_modifier(Modifier::DIM),
            (Colour::Rich, Tone::Faint) => plain.fg(Color::Indexed(244)),
            (Colour::Rich, Tone::Accent) => plain.fg(Color::Indexed(74)),
            (_, Tone::Good) => plain.fg(Color::Green),
            (_, Tone::Warn) => plain.fg(Color::Yellow),
            (_, Tone::Bad) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Colour::Sixteen, Tone::Accent) => plain.fg(Color::Cyan),
        }
    }

    /// The line of column heads, and a heading of a page.
    pub fn head(self, sorted: bool) -> Style {
        let style = Style::new().add_modifier(Modifier::UNDERLINED);
        if sorted { style.add_modifier(Modifier::BOLD) } else { self.style(Tone::Faint).patch(style) }
    }

    /// The selected row, the chosen tab.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
