//! Call sites as a flame graph with its root above: process, then the program's frames from `main` inwards, then the kernel's.
//!
//! Own code: the known library for these brings a script of its own, under a licence that does not fit.

use gemscope_trace::StackKind;
use maud::{Markup, html};

use super::axis::px;
use super::graph::cut;
use super::{Moment, Report, tables};
use crate::names::{Names, number, plural, size};
use crate::text::stack::trim_runtime;

const WIDTH: f64 = 1000.0;
const ROW: f64 = 19.0;
/// Frames from the root; deeper ones are left out.
const DEEP: usize = 48;
/// Narrower ones are left out.
const NARROW: f64 = 1.2;
/// Frames drawn.
const MOST: usize = 4000;

/// A frame with what was taken below it.
struct Frame {
    label: String,
    kind: &'static str,
    weight: u64,
    bytes: u64,
    count: u64,
    callees: Vec<Frame>,
}

impl Frame {
    fn new(label: String, kind: &'static str) -> Self {
        Self { label, kind, weight: 0, bytes: 0, count: 0, callees: Vec::new() }
    }

    fn callee(&mut self, label: String, kind: &'static str) -> &mut Self {
        let ix = match self.callees.iter().position(|f| f.kind == kind && f.label == label) {
            Some(ix) => ix,
            None => {
                self.callees.push(Self::new(label, kind));
                self.callees.len() - 1
            }
        };
        // It is there: found, or pushed above.
        &mut self.callees[ix]
    }

    fn add(&mut self, weight: u64, bytes: u64, count: u64) {
        self.weight = self.weight.saturating_add(weight);
        self.bytes = self.bytes.saturating_add(bytes);
        self.count = self.count.saturating_add(count);
    }

    /// Heaviest first, and by name where they weigh the same.
    fn sort(&mut self) {
        self.callees.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.label.cmp(&b.label)));
        self.callees.iter_mut().for_each(Self::sort);
    }
}

/// A frame in its place.
struct Placed<'a> {
    frame: &'a Frame,
    x: f64,
    width: f64,
    depth: usize,
}

/// The section of the flame graph.
pub(super) fn section(report: &Report<'_>) -> Markup {
    let moment = &report.taken;
    let sites = &moment.survey.sites;
    let by_bytes = sites.iter().all(|s| s.bytes > 0);
    html! {
        section #flame aria-labelledby="flame-h" {
            h2 #flame-h { "Where it was taken" }
            @if sites.is_empty() {
                p { "No reference that gemscope saw being taken was outstanding at any time that was looked at." }
            } @else {
                p.note {
                    "Handles, dma-buf fds, attachments and framebuffers that were outstanding " (moment.when())
                    ", by the code that took them. A frame is as wide as "
                    @if by_bytes { "the bytes of what was taken below it" } @else { "the number of references taken below it" }
                    "; a buffer that is held twice counts twice. A tap or click widens a frame."
                }
                (drawing(&report.names, moment, by_bytes))
                (tables::sites(&report.names, moment))
            }
        }
    }
}

fn drawing(names: &Names<'_>, moment: &Moment<'_>, by_bytes: bool) -> Markup {
    let mut root = tree(names, moment, by_bytes);
    root.sort();
    let mut placed = Vec::new();
    let mut left_out = 0usize;
    place(&root, 0.0, WIDTH, 0, &mut placed, &mut left_out);
    let rows = placed.iter().map(|p| p.depth + 1).max().unwrap_or(1);
    let height = rows as f64 * ROW + 2.0;
    html! {
        p #flame-told .told aria-live="polite" { (told(&root)) }
        div.scroll tabindex="0" role="group" aria-label="call sites, drawn" {
            svg #flame-svg .flame role="group" aria-labelledby="flame-title" width=(px(WIDTH)) height=(px(height))
                viewBox=(format!("0 0 {} {}", px(WIDTH), px(height))) {
                title #flame-title { "Call sites: " (told(&root)) }
                @for p in &placed { (one(p)) }
            }
        }
        @if left_out > 0 {
            p.note { (plural(left_out as u64, "frame is", "frames are")) " too narrow or too deep to be drawn." }
        }
    }
}

fn tree(names: &Names<'_>, moment: &Moment<'_>, by_bytes: bool) -> Frame {
    let mut root = Frame::new("everything".to_owned(), "all");
    for site in &moment.survey.sites {
        let weight = if by_bytes { site.bytes } else { site.count };
        let mut user = names.frames(StackKind::User, site.ustack, site.tgid);
        trim_runtime(&mut user);
        let kernel = names.frames(StackKind::Kernel, site.kstack, 0);
        root.add(weight, site.bytes, site.count);
        let mut frame = root.callee(moment.process(site.tgid), "process");
        frame.add(weight, site.bytes, site.count);
        let user = user.into_iter().rev().filter(|f| !f.starts_with('…')).map(|f| (f, "user"));
        let kernel = kernel.into_iter().rev().map(|f| (f, "kernel"));
        let last = std::iter::once((site.kind.name().to_owned(), "what"));
        for (label, kind) in user.chain(kernel).take(DEEP).chain(last) {
            frame = frame.callee(label, kind);
            frame.add(weight, site.bytes, site.count);
        }
    }
    root
}

fn place<'a>(
    frame: &'a Frame,
    x: f64,
    width: f64,
    depth: usize,
    placed: &mut Vec<Placed<'a>>,
    left_out: &mut usize,
) {
    if width < NARROW || placed.len() >= MOST {
        *left_out += 1;
        return;
    }
    placed.push(Placed { frame, x, width, depth });
    let mut at = x;
    for callee in &frame.callees {
        let wide = width * callee.weight as f64 / frame.weight.max(1) as f64;
        place(callee, at, wide, depth + 1, placed, left_out);
        at += wide;
    }
}

/// What a frame says of itself.
fn told(frame: &Frame) -> String {
    let references = if frame.count == 1 { "reference" } else { "references" };
    let bytes = if frame.bytes == 0 { String::new() } else { format!(", {}", size(frame.bytes)) };
    format!("{}: {} {references}{bytes}", frame.label, number(frame.count))
}

fn one(p: &Placed<'_>) -> Markup {
    let fits = ((p.width - 8.0) / 6.6).max(0.0) as usize;
    let class = format!("frame {}", p.frame.kind);
    let y = p.depth as f64 * ROW + 1.0;
    html! {
        g class=(class) data-l=(p.frame.label) data-d=(p.depth) {
            title { (told(p.frame)) }
            rect x=(px(p.x)) y=(px(y)) width=(px((p.width - 0.6).max(0.6))) height=(px(ROW - 1.5)) rx="2" {}
            // The script fills it in when the frame is wide enough.
            text x=(px(p.x + 4.0)) y=(px(y + 13.0)) { @if fits > 2 { (cut(&p.frame.label, fits)) } }
        }
    }
}
