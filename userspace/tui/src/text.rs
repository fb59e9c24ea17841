//! Text for columns: widths as terminals count them, short sizes, ages and rates, plots of a line.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that takes `columns` at most; `…` shows that something was cut off.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Puts text into a line of cells, cut where its room ends; returns the columns used.
pub(crate) fn put(buf: &mut Buffer, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
    let area = buf.area;
    if room == 0 || x >= area.right() || y >= area.bottom() || x < area.x || y < area.y {
        return 0;
    }
    let text = cut(text, usize::from(room.min(area.right() - x)));
    let (end, _) = buf.set_stringn(x, y, &text, usize::from(room), style);
    end - x
}

/// The same, at the right end of its room.
pub(crate) fn put_right(buf: &mut Buffer, x: u16, y: u16, room: u16, text: &str, style: Style) {
    let text = cut(text, usize::from(room));
    let pad = room.saturating_sub(width(&text) as u16);
    put(buf, x + pad, y, room - pad, &text, style);
}

/// Bytes in at most six columns: `16.0K`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
    if n < 1024 {
        return n.to_string();
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 'K';
    for next in UNITS.into_iter().skip(1) {
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value < 99.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// The same with its sign; `·` for nothing.
pub(crate) fn signed_bytes(n: i64) -> String {
    match n {
        0 => "·".to_owned(),
        n => format!("{}{}", if n < 0 { '-' } else { '+' }, bytes(n.unsigned_abs())),
    }
}

/// A difference with its sign; `·` for none.
pub(crate) fn signed(n: i64) -> String {
    match n {
        0 => "·".to_owned(),
        n => format!("{n:+}"),
    }
}

/// A count for a column: `·` for none, so that what is there stands out.
pub(crate) fn count(n: impl Into<u64>) -> String {
    match n.into() {
        0 => "·".to_owned(),
        n if n >= 10_000_000 => format!("{}M", n / 1_000_000),
        n => n.to_string(),
    }
}

/// How long: five columns, rarely six.
pub(crate) fn age(ns: u64) -> String {
    let (ms, s) = (ns / 1_000_000, ns / 1_000_000_000);
    match s {
        0 => format!("{ms}ms"),
        1..=9 => format!("{s}.{}s", ms % 1000 / 100),
        10..=99 => format!("{s}s"),
        100..=5_999 => format!("{}m{:02}s", s / 60, s % 60),
        6_000..=359_999 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// Time in a recording: `+12.345678 s`, as reports tell it.
pub(crate) fn when(ns: u64) -> String {
    format!("+{}.{:06} s", ns / 1_000_000_000, ns % 1_000_000_000 / 1000)
}

/// Growth: `+12.5/min`.
pub(crate) fn rate(per_minute: f64) -> String {
    let n = per_minute;
    match n.abs() {
        a if a < 0.05 => "·".to_owned(),
        a if a < 99.95 => format!("{n:+.1}"),
        _ => format!("{n:+.0}"),
    }
}

/// A plot of one line: the highest of each part, from zero to the highest of all.
pub(crate) fn spark(values: &[u64], columns: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0);
    if columns == 0 || values.is_empty() {
        return String::new();
    }
    let shown = columns.min(values.len());
    let mut out = String::new();
    for i in 0..shown {
        let (from, to) = (i * values.len() / shown, (i + 1) * values.len() / shown);
        let top = values.get(from..to).unwrap_or_default().iter().copied().max().unwrap_or(0);
        let level = if most == 0 { 0 } else { (top as u128 * 7).div_ceil(u128::from(most)) as usize };
        out.push(LEVELS.get(level).copied().unwrap_or('█'));
    }
    out
}

/// Folds a line at `columns`, at a space where there is one; what follows is indented by `indent`.
pub(crate) fn fold(line: &str, columns: usize, indent: usize) -> Vec<String> {
    let columns = columns.max(8);
    let indent = indent.min(columns / 2);
    let mut out = Vec::new();
    let mut rest = line;
    let mut lead = String::new();
    while width(rest) + lead.len() > columns {
        let room = columns - lead.len();
        let (mut used, mut end, mut space) = (0, 0, None);
        for (at, c) in rest.char_indices() {
            let w = c.width().unwrap_or(0);
            if used + w > room {
                break;
            }
            used += w;
            end = at + c.len_utf8();
            // A space of the indentation is no place to break at.
            if c == ' ' && used > indent + 8 {
                space = Some(at);
            }
        }
        let at = space.unwrap_or(end);
        if at == 0 {
            break;
        }
        out.push(format!("{lead}{}", rest.get(..at).unwrap_or_default()));
        rest = rest.get(at..).unwrap_or_default().trim_start();
        lead = " ".repeat(indent);
    }
    if !rest.is_empty() || out.is_empty() {
        out.push(format!("{lead}{rest}"));
    }
    out
}

/// What replaces characters that a terminal without UTF-8 cannot show. One column for each.
pub(crate) const fn ascii(c: char) -> char {
    match c {
        '\x20'..='\x7e' => c,
        '─' | '━' | '—' | '–' => '-',
        '│' | '┃' => '|',
        '├' | '└' | '┌' | '┐' | '┘' | '┤' | '┬' | '┴' | '┼' => '+',
        '◄' | '◀' | '←' => '<',
        '►' | '▶' | '→' | '▸' => '>',
        '▲' | '↑' => '^',
        '▼' | '↓' | '▾' => 'v',
        '▁' => '_',
        '▂' => '.',
        '▃' | '·' => '-',
        '▄' => '~',
        '▅' => '=',
        '▆' => '+',
        '▇' => '*',
        '█' | '●' => '#',
        '…' => '.',
        'Δ' => 'd',
        '×' => 'x',
        '⏸' | '‖' => '|',
        _ => '?',
    }
}

/// Appends to a text; writing to a string cannot fail.
pub(crate) fn add(out: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("a", 0), "");
    }

    #[test]
    fn numbers_are_short() {
        let sizes = [0, 1023, 1024, 16 << 10, 1 << 20, 1000 << 20, 3_463_249_920, u64::MAX];
        let words: Vec<_> = sizes.into_iter().map(bytes).collect();
        assert_eq!(words, ["0", "1023", "1.0K", "16.0K", "1.0M", "1.0G", "3.2G", "16.0E"]);
        let ages = [0, 450_000_000, 3_400_000_000, 42_000_000_000, 312_000_000_000, 11_220_000_000_000];
        let words: Vec<_> = ages.into_iter().map(age).collect();
        assert_eq!(words, ["0ms", "450ms", "3.4s", "42s", "5m12s", "3h07m"]);
        assert_eq!((signed(3), signed(0), signed_bytes(-2048)), ("+3".into(), "·".into(), "-2.0K".into()));
        assert_eq!((rate(0.0), rate(2.04), rate(-300.0)), ("·".into(), "+2.0".into(), "-300".into()));
    }

    #[test]
    fn plots_go_from_nothing_to_the_most() {
        assert_eq!(spark(&[0, 4, 8], 3), "▁▅█");
        assert_eq!(spark(&[0, 0], 9), "▁▁");
        assert_eq!(spark(&[1, 9, 1, 1], 2), "█▂");
        assert_eq!(spark(&[], 3), "");
    }

    #[test]
    fn lines_are_folded_at_spaces() {
        assert_eq!(fold("one two three four five", 16, 2), ["one two three", "  four five"]);
        assert_eq!(fold("short", 16, 2), ["short"]);
        assert_eq!(fold(&"x".repeat(20), 9, 1), ["xxxxxxxxx", " xxxxxxxx", " xxx"]);
        assert_eq!(fold("", 9, 1), [""]);
    }
}
