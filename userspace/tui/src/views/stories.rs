//! A buffer's story in lines: when, what, by whom, from where.

use gemscope_report::happening::Happening;

use crate::lens::Lens;
use crate::page::{Line, Page};
use crate::text;
use crate::theme::Tone;

/// Columns at the right end of a line: function, process, age.
pub(crate) fn right(function: &str, who: &str, age: &str, columns: usize) -> String {
    let pad = |text: &str, room: usize| {
        let text = text::cut(text, room);
        let spaces = " ".repeat(room.saturating_sub(text::width(&text)));
        text + &spaces
    };
    let mut out = String::new();
    if columns >= 60 {
        out.push_str(&pad(function, (columns / 4).min(32)));
        out.push_str("  ");
    }
    out.push_str(&pad(who, 16));
    if !age.is_empty() {
        text::add(&mut out, format_args!(" {age:>6}"));
    }
    out
}

/// The function of a frame, without where it is.
pub(crate) fn function(frame: &str) -> &str {
    frame.split(" (").next().unwrap_or(frame)
}

/// The lines of an unfolded entry.
pub(crate) fn stack_lines(lens: &Lens<'_>, at: &gemscope_engine::Stamp, columns: usize, out: &mut Vec<Line>) {
    let stacks = lens.stacks(at);
    if stacks.is_empty() {
        out.push(Line::new("       stack not recorded", Tone::Faint));
    }
    let mut before = None;
    for (user, frame) in stacks {
        let label = match before.replace(user) {
            Some(b) if b == user => "      ",
            _ if user => "user  ",
            _ => "kernel",
        };
        for (i, part) in text::fold(&frame, columns.saturating_sub(13), 2).into_iter().enumerate() {
            let label = if i == 0 { label } else { "      " };
            out.push(Line::new(format!("     {label} "), Tone::Faint).and(part, Tone::Plain));
        }
    }
}

/// What distinguishes this happening from others of its kind.
fn detail(h: &Happening) -> String {
    use gemscope_engine::What as W;
    match h.what {
        W::FramebufferMade | W::FramebufferGone => format!(" {}", h.handle),
        W::FdGiven | W::FdClosed | W::FdClosedAtExit | W::Imported if h.fd >= 0 => format!(" (fd {})", h.fd),
        _ if h.handle != 0 => format!(" ({})", h.handle),
        _ => String::new(),
    }
}

/// The story, oldest first.
pub(crate) fn lines(
    lens: &Lens<'_>,
    story: &[Happening],
    left_out: u64,
    page: &Page,
    columns: usize,
    out: &mut Vec<Line>,
) {
    let mut told = false;
    for (i, h) in story.iter().enumerate() {
        if left_out > 0 && i > 0 && !told && i == STORY_BEGIN.min(story.len() - 1) {
            told = true;
            out.push(Line::new(format!("  … {left_out} happenings are left out …"), Tone::Warn));
        }
        let entry = (1 << 60) | (h.at.seq << 8) | h.what as u64;
        let open = page.is_unfolded(entry);
        let frame = lens.place(h.at.kstack, h.at.ustack, h.at.tgid);
        let sign = if open { "▾ " } else { "▸ " };
        let line = Line::new(sign, Tone::Faint)
            .and(lens.when(&h.at), Tone::Faint)
            .and(format!("  {}{}", h.what.text(), detail(h)), Tone::Plain)
            .right(right(function(&frame), &lens.actor(&h.at), "", columns))
            .entry(entry);
        out.push(line);
        if open {
            stack_lines(lens, &h.at, columns, out);
        }
    }
    if story.is_empty() {
        out.push(Line::new("  nothing was seen to happen to it", Tone::Faint));
    }
}

/// What a chronicle keeps of a story's beginning; what it leaves out comes after.
const STORY_BEGIN: usize = 16;
