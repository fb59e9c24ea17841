//! The line of time of a replay: where it is, where findings were made, and where a click leads.

use gemscope_report::number;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::interface::Position;
use crate::text;
use crate::theme::{Theme, Tone};

/// Draws the line; returns where its track is.
pub(crate) fn draw(buf: &mut Buffer, area: Rect, at: &Position, theme: Theme) -> Rect {
    let state = if at.playing { "▶" } else { "‖" };
    let left = format!("{state} {}×", speed(at.speed));
    let time = text::when(at.ts_ns.saturating_sub(at.start_ns));
    let right = format!("{time}  {}/{}", number(at.seq), number(at.len));
    let left_width = text::width(&left) as u16 + 1;
    let right_width = text::width(&right) as u16 + 1;
    text::put(buf, area.x, area.y, area.width, &left, theme.style(Tone::Strong));
    let track = Rect {
        x: area.x + left_width.min(area.width),
        width: area.width.saturating_sub(left_width + right_width),
        ..area
    };
    if track.width < 5 {
        text::put_right(buf, area.x, area.y, area.width, &right, theme.style(Tone::Plain));
        return Rect { width: 0, ..track };
    }
    text::put_right(buf, track.right(), area.y, right_width, &right, theme.style(Tone::Plain));
    let place = |seq: u64| {
        let most = u128::from(track.width - 1);
        track.x + (u128::from(seq.min(at.len)) * most / u128::from(at.len.max(1))) as u16
    };
    let now = place(at.seq);
    for x in track.x..track.right() {
        let (sign, tone) = if x < now { ("━", Tone::Accent) } else { ("─", Tone::Faint) };
        text::put(buf, x, area.y, 1, sign, theme.style(tone));
    }
    for mark in &at.marks {
        let tone = if mark.certain { Tone::Bad } else { Tone::Warn };
        text::put(buf, place(mark.seq), area.y, 1, if mark.certain { "▲" } else { "?" }, theme.style(tone));
    }
    text::put(buf, now, area.y, 1, "●", theme.style(Tone::Strong));
    track
}

/// The record that a column of the track stands for.
pub(crate) fn record(track: Rect, column: u16, at: &Position) -> u64 {
    let most = u128::from(track.width.max(2) - 1);
    let from = u128::from(column.clamp(track.x, track.right().max(track.x + 1) - 1) - track.x);
    (from.min(most) * u128::from(at.len) / most) as u64
}

fn speed(speed: f64) -> String {
    if speed >= 1.0 || speed <= 0.0 { format!("{speed:.0}") } else { format!("1/{:.0}", 1.0 / speed) }
}
