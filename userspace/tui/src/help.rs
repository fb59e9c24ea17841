//! The help: every key that works, from the table of keys; what the columns mean; what cannot be seen.

use gemscope_report::survey::World;
use gemscope_report::{escape, names_doubt};

use crate::keys::{BINDINGS, When};
use crate::page::Line;
use crate::text;
use crate::theme::Tone;

/// What is missing, lost or filtered, and what that blinds.
pub(crate) fn blind(world: &World<'_>) -> Vec<Line> {
    let c = world.context;
    let mut out = vec![Line::heading("what cannot be seen")];
    let plain = |text: String| Line::new(format!("  {text}"), Tone::Plain);
    let warn = |text: String| Line::new(format!("  ! {text}"), Tone::Warn);
    for missing in &c.missing {
        let probe = escape::name(missing.probe.as_bytes());
        out.push(warn(format!("{probe} is missing: {}", escape::long(missing.reason.as_bytes()))));
        if !missing.blind.is_empty() {
            out.push(plain(format!("  {}", escape::long(missing.blind.as_bytes()))));
        }
    }
    out.extend(c.blinded.iter().map(|s| warn(escape::long(s.as_bytes()))));
    out.extend(c.damage.iter().map(|s| warn(escape::long(s.as_bytes()))));
    if !c.filters.is_empty() {
        let filters: Vec<_> = c.filters.iter().map(|f| escape::long(f.as_bytes())).collect();
        out.push(warn(format!("filters: {}: what they leave out cannot be judged", filters.join(" "))));
    }
    if !c.off.is_empty() {
        let off: Vec<_> = c.off.iter().map(|f| escape::name(f.as_bytes())).collect();
        out.push(plain(format!("not asked for: {}", off.join(", "))));
    }
    for doubt in world.engine.doubts() {
        let (what, advice) = names_doubt(doubt);
        out.push(warn(what));
        out.push(plain(format!("  -> {advice}")));
    }
    if out.len() == 1 {
        out.push(plain("every probe is attached, nothing was lost, nothing is filtered".to_owned()));
    }
    out
}

/// The whole page.
pub(crate) fn lines(replay: bool, blind: &[Line], columns: usize) -> Vec<Line> {
    let mut out = vec![Line::heading("keys  (Esc closes this help)")];
    for b in BINDINGS.iter().filter(|b| works(b.when, replay)) {
        let place = match b.when {
            When::Buffers => "  (buffers)",
            When::Findings | When::Finding => "  (findings)",
            _ => "",
        };
        let line = Line::new(format!("  {:<11}", b.shown), Tone::Accent).and(b.help, Tone::Plain);
        out.push(line.and(place, Tone::Faint));
    }
    out.push(
        Line::new("  mouse      ", Tone::Accent).and("tabs, rows, column heads, the wheel", Tone::Plain),
    );
    out.push(Line::default());
    out.extend(blind.iter().flat_map(|l| fold(l, columns)));
    out.push(Line::default());
    out.push(Line::heading("words"));
    for (word, meaning) in WORDS {
        for (i, part) in text::fold(meaning, columns.saturating_sub(14), 0).into_iter().enumerate() {
            let word = if i == 0 { word } else { "" };
            out.push(Line::new(format!("  {word:<11}"), Tone::Accent).and(part, Tone::Plain));
        }
    }
    out
}

fn fold(line: &Line, columns: usize) -> Vec<Line> {
    let [(words, tone)] = line.left.as_slice() else { return vec![line.clone()] };
    if line.heading {
        return vec![line.clone()];
    }
    text::fold(words, columns.saturating_sub(1), 6).into_iter().map(|l| Line::new(l, *tone)).collect()
}

const fn works(when: When, replay: bool) -> bool {
    match when {
        When::Live => !replay,
        When::Replay => replay,
        _ => true,
    }
}

const WORDS: &[(&str, &str)] = &[
    ("H F M A FB", "handles, dma-buf fds, user mappings, device attachments, framebuffers on a buffer"),
    ("imp", "objects of other devices that import it"),
    ("own, shared", "bytes that only this process holds, and that others hold too; each buffer once"),
    ("/min", "growth a minute, over two minutes at most; … until five seconds are known"),
    ("stale", "records were lost since everything about it was known"),
    ("undecided", "a finding that something lost or not seen could explain away"),
    ("(older)", "was there before the trace began"),
];
