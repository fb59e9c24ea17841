//! Every key, once: what it is, where it works, what the help says of it and what it does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    Help,
    Tab(usize),
    NextTab,
    PreviousTab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Open,
    Back,
    Filter,
    Sort,
    Reverse,
    Pause,
    Mark,
    Unmark,
    Group,
    NearMisses,
    Save,
    Scan,
    Happening(i64),
    Record(i64),
    NextFinding,
    PreviousFinding,
    Faster,
    Slower,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// in the table of a view
    Table,
    /// in the table of buffers
    Buffers,
    /// in the table of findings
    Findings,
    /// with a finding selected or open
    Finding,
    /// while watching a machine
    Live,
    /// while a recording is played
    Replay,
}

/// A line of the help.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub keys: &'static [KeyCode],
    pub shown: &'static str,
    pub help: &'static str,
    /// the word in the bottom line, for those that have one
    pub hint: &'static str,
    pub when: When,
    pub command: Command,
}

const fn bind(
    keys: &'static [KeyCode],
    shown: &'static str,
    hint: &'static str,
    when: When,
    command: Command,
    help: &'static str,
) -> Binding {
    Binding { keys, shown, help, hint, when, command }
}

use Command as C;
use KeyCode::{Backspace, Char, Enter, Esc, Left, Right};

/// The table. The first that fits is taken.
pub(crate) const BINDINGS: &[Binding] = &[
    bind(&[Char('?'), KeyCode::F(1)], "?", "help", When::Always, C::Help, "this help, and what is blind"),
    bind(&[Char('q')], "q  ^C", "quit", When::Always, C::Quit, "quit"),
    bind(&[Enter], "Enter", "open", When::Always, C::Open, "open the row; unfold the line"),
    bind(&[Esc, Backspace], "Esc", "", When::Always, C::Back, "back; take the filter away"),
    bind(&[Char('/')], "/", "filter", When::Table, C::Filter, "show only rows with this text"),
    bind(&[Char('s')], "s", "sort", When::Table, C::Sort, "sort by the next column (or click its head)"),
    bind(&[Char('S')], "S", "", When::Table, C::Reverse, "sort the other way round"),
    bind(&[Char('g')], "g", "group", When::Buffers, C::Group, "group by the stack that made them"),
    bind(&[Char('n')], "n", "near misses", When::Findings, C::NearMisses, "show or hide near misses"),
    bind(&[Char('w')], "w", "save", When::Finding, C::Save, "write the finding to a file, for a bug report"),
    bind(&[Char('m')], "m", "mark", When::Always, C::Mark, "mark this moment: tables show growth since"),
    bind(&[Char('M')], "M", "", When::Always, C::Unmark, "take the mark away"),
    bind(
        &[Char('p'), Char(' ')],
        "p  Space",
        "pause",
        When::Live,
        C::Pause,
        "hold the picture; watching goes on",
    ),
    bind(&[Char('r')], "r", "", When::Live, C::Scan, "look at the fds of all processes now"),
    bind(&[Char(' '), Char('p')], "Space", "play", When::Replay, C::Pause, "play or hold"),
    bind(&[Left, Char(',')], "←  ,", "", When::Replay, C::Happening(-1), "back to the previous happening"),
    bind(&[Right, Char('.')], "→  .", "", When::Replay, C::Happening(1), "on to the next happening"),
    bind(&[Char('<')], "<", "", When::Replay, C::Record(-1), "back by one record"),
    bind(&[Char('>')], ">", "", When::Replay, C::Record(1), "on by one record"),
    bind(&[Char(']')], "]", "next finding", When::Replay, C::NextFinding, "on to the next finding"),
    bind(&[Char('[')], "[", "", When::Replay, C::PreviousFinding, "back to the previous finding"),
    bind(&[Char('+'), Char('=')], "+", "", When::Replay, C::Faster, "play twice as fast"),
    bind(&[Char('-')], "-", "", When::Replay, C::Slower, "play half as fast"),
    bind(&[KeyCode::Up, Char('k')], "↑  k", "", When::Always, C::Up, "up"),
    bind(&[KeyCode::Down, Char('j')], "↓  j", "", When::Always, C::Down, "down"),
    bind(&[KeyCode::PageUp], "PgUp", "", When::Always, C::PageUp, "up by a page (^B)"),
    bind(&[KeyCode::PageDown], "PgDn", "", When::Always, C::PageDown, "down by a page (^F)"),
    bind(&[KeyCode::Home], "Home", "", When::Always, C::Home, "to the beginning"),
    bind(&[KeyCode::End, Char('G')], "End  G", "", When::Always, C::End, "to the end"),
    bind(&[Char('1')], "1", "", When::Always, C::Tab(0), "processes"),
    bind(&[Char('2')], "2", "", When::Always, C::Tab(1), "buffers"),
    bind(&[Char('3')], "3", "", When::Always, C::Tab(2), "findings"),
    bind(&[Char('4')], "4", "", When::Always, C::Tab(3), "call sites"),
    bind(&[Char('5')], "5", "", When::Always, C::Tab(4), "the buffer that was opened last"),
    bind(&[KeyCode::Tab], "Tab", "", When::Always, C::NextTab, "next view"),
    bind(&[KeyCode::BackTab], "Shift-Tab", "", When::Always, C::PreviousTab, "previous view"),
];

/// The command of a key, where `works` tells which places it is pressed in.
pub(crate) fn command(key: &KeyEvent, works: impl Fn(When) -> bool) -> Option<Command> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            Char('c' | 'C') => Some(C::Quit),
            Char('f') => Some(C::PageDown),
            Char('b') => Some(C::PageUp),
            _ => None,
        };
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let found = BINDINGS.iter().find(|b| works(b.when) && b.keys.contains(&key.code));
    found.map(|b| b.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings_in_one_place() {
        let together = |a: When, b: When| {
            let apart =
                [(When::Live, When::Replay), (When::Buffers, When::Findings), (When::Buffers, When::Finding)];
            !apart.contains(&(a, b)) && !apart.contains(&(b, a))
        };
        for (i, a) in BINDINGS.iter().enumerate() {
            for b in BINDINGS.iter().skip(i + 1).filter(|b| together(a.when, b.when)) {
                assert!(a.keys.iter().all(|k| !b.keys.contains(k)), "{} and {}", a.help, b.help);
            }
        }
    }
}
