//! The lines on top that never lie: whose kernel and rules, what is watched, what is missing, what was lost, what is
//! filtered, and what all that came to so far.

use gemscope_engine::Verdict;
use gemscope_report::survey::{Survey, World};
use gemscope_report::{escape, number, plural, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::growth::Mark;
use crate::interface::Status;
use crate::text;
use crate::theme::{Theme, Tone};

/// A piece of a line. The higher `drop`, the sooner it gives way; 0 never does.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    tone: Tone,
    drop: u8,
}

/// What the header says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    lines: [Vec<Part>; 3],
    handles: Vec<u64>,
    bytes: Vec<u64>,
}

fn part(line: &mut Vec<Part>, drop: u8, tone: Tone, text: impl Into<String>) {
    line.push(Part { text: text.into(), tone, drop });
}

impl Head {
    pub fn of(world: &World<'_>, status: &Status, survey: &Survey, mark: Option<&Mark>, now_ns: u64) -> Self {
        let points = world.series.points();
        Self {
            lines: [
                identity(world, status),
                trust(world, status, survey, now_ns),
                totals(survey, mark, now_ns),
            ],
            handles: points.iter().map(|p| p.handles).collect(),
            bytes: points.iter().map(|p| p.bytes).collect(),
        }
    }

    /// Draws three lines. `held` says why the picture stands still.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, held: &str, theme: Theme) {
        for (i, line) in self.lines.iter().enumerate() {
            let y = area.y + i as u16;
            if y >= area.bottom() {
                return;
            }
            let mut room = area.width;
            if i == 0 && !held.is_empty() {
                let word = format!(" {held} ");
                let w = (text::width(&word) as u16).min(room);
                text::put(
                    buf,
                    area.right() - w,
                    y,
                    w,
                    &word,
                    theme.selected().patch(theme.style(Tone::Strong)),
                );
                room = room.saturating_sub(w + 1);
            }
            let mut line = line.clone();
            if i == 2 {
                self.plots(&mut line, room);
            }
            give_way(&mut line, usize::from(room));
            let mut x = area.x;
            for piece in &line {
                let left = (area.x + room).saturating_sub(x);
                x += text::put(buf, x, y, left, &piece.text, theme.style(piece.tone)) + GAP as u16;
            }
        }
    }

    /// Puts the plots behind the numbers that they are of, as wide as there is room.
    fn plots(&self, line: &mut Vec<Part>, room: u16) {
        let left = usize::from(room).saturating_sub(taken(line));
        let each = (left / 2).saturating_sub(GAP).min(24);
        if each < 4 {
            return;
        }
        let plots = [("handle", &self.handles), ("GPU memory", &self.bytes)];
        for (word, values) in plots {
            if let Some(at) = line.iter().position(|p| p.text.contains(word)) {
                let spark = text::spark(values, each);
                line.insert(at + 1, Part { text: spark, tone: Tone::Accent, drop: 9 });
            }
        }
    }
}

const GAP: usize = 2;

fn taken(line: &[Part]) -> usize {
    line.iter().map(|p| text::width(&p.text) + GAP).sum::<usize>().saturating_sub(GAP)
}

fn give_way(line: &mut Vec<Part>, room: usize) {
    while taken(line) > room {
        let weakest = line.iter().enumerate().max_by_key(|(at, p)| (p.drop, *at));
        match weakest {
            Some((at, p)) if p.drop > 0 => {
                line.remove(at);
            }
            _ => return,
        }
    }
}

fn identity(world: &World<'_>, status: &Status) -> Vec<Part> {
    let c = world.context;
    let known = |text: &str| match text {
        "" => "not known".to_owned(),
        text => escape::cut(text.as_bytes(), 40),
    };
    let mut line = Vec::new();
    part(&mut line, 5, Tone::Strong, "gemscope");
    part(&mut line, 0, Tone::Plain, text::cut(&status.source, 32));
    part(&mut line, 3, Tone::Faint, format!("Linux {}", known(&c.kernel)));
    part(&mut line, 2, Tone::Faint, format!("rules {}", known(&c.profile)));
    if let Some(recorded) = &c.recorded_profile {
        part(&mut line, 4, Tone::Warn, format!("recorded under {}", known(recorded)));
    }
    part(&mut line, 4, Tone::Faint, format!("{} probes", c.attached));
    if !c.missing.is_empty() {
        part(&mut line, 0, Tone::Warn, format!("! {} missing (?)", c.missing.len()));
    }
    if !c.damage.is_empty() {
        part(&mut line, 0, Tone::Bad, "! trace damaged (?)");
    }
    if status.ended {
        part(&mut line, 1, Tone::Faint, "ended");
    }
    line
}

/// What was found, and how far that can be trusted.
fn trust(world: &World<'_>, status: &Status, survey: &Survey, now_ns: u64) -> Vec<Part> {
    let engine = world.engine;
    let mut line = Vec::new();
    let all = engine.findings().len();
    let certain = engine.findings().iter().filter(|f| !f.tainted).count();
    match (certain, all - certain) {
        (0, 0) if status.ended => match engine.verdict() {
            Verdict::Clean => part(&mut line, 0, Tone::Good, "clean"),
            Verdict::Findings | Verdict::Undecided(_) => {
                part(&mut line, 0, Tone::Warn, "undecided: no finding (?)")
            }
        },
        (0, 0) => part(&mut line, 0, Tone::Plain, "no finding so far"),
        (0, n) => {
            part(&mut line, 0, Tone::Warn, format!("undecided: {}", plural(n as u64, "finding", "findings")))
        }
        (n, 0) => part(&mut line, 0, Tone::Bad, plural(n as u64, "finding", "findings")),
        (n, m) => {
            let words = format!("{}, {m} more undecided", plural(n as u64, "finding", "findings"));
            part(&mut line, 0, Tone::Bad, words);
        }
    }
    match status.drops.max(engine.counts().drops) {
        0 => part(&mut line, 2, Tone::Faint, "nothing lost"),
        n => part(&mut line, 0, Tone::Bad, format!("! {} lost", number(n))),
    }
    let stale = survey.totals.stale;
    if stale > 0 {
        part(&mut line, 1, Tone::Warn, format!("! {} stale after a loss", number(stale as u64)));
    }
    if !world.context.filters.is_empty() {
        let filters: Vec<_> = world.context.filters.iter().map(|f| escape::cut(f.as_bytes(), 24)).collect();
        part(&mut line, 1, Tone::Warn, format!("! filtered: {}", filters.join(" ")));
    }
    if status.lag > 2 {
        part(&mut line, 1, Tone::Warn, format!("! {} records behind", status.lag));
    }
    let rate = status.events_per_s.clamp(0.0, 1e15);
    part(&mut line, 5, Tone::Faint, format!("{} events/s", number(rate as u64)));
    match (status.scan, status.position.is_some()) {
        (Some(scan), _) => {
            let ago = text::age(now_ns.saturating_sub(scan.at_ns));
            part(&mut line, 6, Tone::Faint, format!("fds read {ago} ago"));
            if scan.unreadable > 0 {
                let words = plural(u64::from(scan.unreadable), "process", "processes");
                part(&mut line, 1, Tone::Warn, format!("! {words} unreadable"));
            }
        }
        (None, false) => part(&mut line, 6, Tone::Faint, "fds not read"),
        (None, true) => {}
    }
    line
}

fn totals(survey: &Survey, mark: Option<&Mark>, now_ns: u64) -> Vec<Part> {
    let t = &survey.totals;
    let since = |now: u64, then: fn(&Mark) -> u64| match mark {
        Some(mark) => format!(" ({})", text::signed(now as i64 - then(mark) as i64)),
        None => String::new(),
    };
    let mut line = Vec::new();
    let (handles, buffers) = (t.handles as u64, t.buffers as u64);
    let words = plural(handles, "handle", "handles");
    part(&mut line, 0, Tone::Plain, words + &since(handles, |m| m.moment.totals.handles as u64));
    part(&mut line, 0, Tone::Plain, format!("{} GPU memory", size(t.bytes)));
    if let Some(mark) = mark {
        let more = t.bytes as i64 - mark.moment.totals.bytes as i64;
        part(&mut line, 1, Tone::Accent, text::signed_bytes(more));
    }
    let words = plural(buffers, "buffer", "buffers");
    part(&mut line, 3, Tone::Plain, words + &since(buffers, |m| m.moment.totals.buffers as u64));
    part(&mut line, 4, Tone::Faint, plural(t.dmabufs as u64, "dma-buf", "dma-bufs"));
    part(&mut line, 5, Tone::Faint, plural(t.framebuffers as u64, "framebuffer", "framebuffers"));
    part(&mut line, 6, Tone::Faint, plural(t.attachments as u64, "attachment", "attachments"));
    part(&mut line, 7, Tone::Faint, plural(t.files as u64, "DRM file", "DRM files"));
    if let Some(mark) = mark {
        let ago = text::age(now_ns.saturating_sub(mark.moment.at_ns));
        part(&mut line, 1, Tone::Accent, format!("Δ since {ago} ago"));
    }
    line
}
