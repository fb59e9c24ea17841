//! The timeline: handles and dma-bufs as bars, by the process that made them, findings as marks.

use std::collections::BTreeMap;

use gemscope_engine::{Entity, Finding};
use maud::{Markup, html};

use super::axis::{Scale, duration, px};
use super::graph::cut;
use super::lives::{End, Life, Of};
use super::{Report, marks, summary};
use crate::names::number;

/// Bars shown.
pub(super) const MOST: usize = 200;
/// With so few, every bar has its name.
const NAMED: usize = 60;
/// Processes shown apart.
const GROUPS: usize = 40;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 12.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 24.0;
/// A lane with its bar, where bars have names and where they are many.
const NAMED_LANE: (f64, f64) = (18.0, 12.0);
const NARROW_LANE: (f64, f64) = (8.0, 6.0);
const HEAD: f64 = 22.0;

/// A bar that is drawn.
struct Bar<'a> {
    life: &'a Life,
    x: f64,
    width: f64,
    y: f64,
    finding: Option<u32>,
    name: String,
}

/// The section of the timeline.
pub(super) fn section(report: &Report<'_>) -> Markup {
    let lives = report.lives.most(MOST);
    let total = report.lives.total();
    html! {
        section #timeline aria-labelledby="timeline-h" {
            h2 #timeline-h { "Timeline" }
            @if lives.is_empty() {
                p { "No handle and no dma-buf was made while gemscope watched." }
            } @else {
                p.note {
                    "Each bar is the life of a handle (thick) or a dma-buf (thin), by the process that made it. "
                    @if total > lives.len() as u64 {
                        (number(lives.len() as u64)) " of " (number(total)) " are shown, first what was not given back, then the \
                            longest; " (number(total - lives.len() as u64)) " are left out."
                    }
                }
                (legend(report))
                (drawing(report, &lives))
            }
        }
    }
}

fn legend(report: &Report<'_>) -> Markup {
    html! {
        ul.legend {
            li { span.swatch.closed {} "given back" }
            li { span.swatch.left {} "left for the kernel to close with its file" }
            li { span.swatch.alive {} "alive at the end" }
            @if !report.names.judgement.findings.is_empty() { li { span.swatch.found {} "a finding is about it" } }
        }
    }
}

fn drawing(report: &Report<'_>, lives: &[Life]) -> Markup {
    let window = report.window();
    let scale = Scale::new(window.from, window.to, LEFT, WIDTH - LEFT - RIGHT);
    let mut groups: BTreeMap<u32, Vec<&Life>> = BTreeMap::new();
    for life in lives {
        groups.entry(life.begin.tgid).or_default().push(life);
    }
    let about = about(&report.names.judgement.findings);
    let named = lives.len() <= NAMED;
    let (lane_height, _) = if named { NAMED_LANE } else { NARROW_LANE };
    let mut y = TOP;
    let mut heads = Vec::new();
    let mut bars = Vec::new();
    for (tgid, group) in groups.iter().take(GROUPS) {
        heads.push((y + 14.0, report.names_of_process(*tgid), group.len()));
        y += HEAD;
        // Each bar goes to the first lane that is free.
        let mut lanes: Vec<f64> = Vec::new();
        for life in group {
            let x = scale.at(life.begin.ts_ns);
            let width = (scale.at(life.end_ns) - x).max(2.0);
            let name = bar_name(life);
            let text = if named { name.chars().count() as f64 * 6.5 + 10.0 } else { 0.0 };
            let room = if width < text { width + text } else { width };
            let lane = match lanes.iter().position(|end| *end + 1.0 <= x) {
                Some(lane) => lane,
                None => {
                    lanes.push(0.0);
                    lanes.len() - 1
                }
            };
            if let Some(end) = lanes.get_mut(lane) {
                *end = x + room;
            }
            let key = (life.of, life.object);
            bars.push(Bar {
                life,
                x,
                width,
                y: y + lane as f64 * lane_height,
                finding: about.get(&key).copied(),
                name,
            });
        }
        y += lanes.len() as f64 * lane_height + 4.0;
    }
    let hidden = groups.len().saturating_sub(GROUPS);
    let height = y + 24.0;
    html! {
        div.scroll tabindex="0" role="group" aria-label="timeline" {
            svg.timeline role="group" aria-labelledby="timeline-title" width=(px(WIDTH)) height=(px(height))
                viewBox=(format!("0 0 {} {}", px(WIDTH), px(height))) {
                title #timeline-title { "Lives of " (lives.len()) " handles and dma-bufs over " (duration(window.ns())) }
                (marks::time_axis(&window, &scale, TOP, y))
                @for (y, name, n) in &heads {
                    text.head x=(px(LEFT)) y=(px(*y)) { (name) tspan.more { "  " (n) } }
                }
                @for bar in &bars { (one(report, bar, window.zero, named)) }
                (marks::draw(&report.names.judgement.findings, &scale, TOP, y))
            }
        }
        @if hidden > 0 { p.note { "… and the bars of " (hidden) " more processes" } }
    }
}

/// Which finding is about which life.
fn about(findings: &[Finding]) -> BTreeMap<(Of, u32), u32> {
    let mut about = BTreeMap::new();
    for f in findings.iter().rev() {
        match f.entity {
            Entity::Handle { file, handle, object, .. } => {
                about.insert((Of::Handle(file, handle), object), f.number);
            }
            Entity::DmaBuf { id, .. } => {
                // A dma-buf's life may know its object or not.
                let object = f.holders.iter().find_map(|h| match h.kind {
                    gemscope_engine::HolderKind::Link(Entity::Object { id, .. }) => Some(id),
                    _ => None,
                });
                for object in object.into_iter().chain([0]) {
                    about.insert((Of::Dmabuf(id), object), f.number);
                }
            }
            _ => {}
        }
    }
    about
}

fn bar_name(life: &Life) -> String {
    match life.of {
        Of::Handle(_, handle) => format!("handle {handle}"),
        Of::Dmabuf(id) => format!("dma-buf #{id}"),
    }
}

fn one(report: &Report<'_>, bar: &Bar<'_>, zero: u64, named: bool) -> Markup {
    let Bar { life, x, width, y, finding, name } = bar;
    let (_, full) = if named { NAMED_LANE } else { NARROW_LANE };
    let (kind, height) = match life.of {
        Of::Handle(..) => ("handle", full),
        Of::Dmabuf(_) => ("dmabuf", full / 2.0),
    };
    let end = match (finding, life.end) {
        (Some(_), _) => "found",
        (None, End::Alive) => "alive",
        (None, End::Left) => "left",
        (None, End::Closed) => "closed",
    };
    let file = match life.of {
        Of::Handle(file, _) => format!(" of {}", report.names.file(file)),
        Of::Dmabuf(_) => String::new(),
    };
    let object = if life.object == 0 { String::new() } else { format!(", object #{}", life.object) };
    let how = match life.end {
        End::Alive => "alive at the end",
        End::Left => "left for the kernel to close",
        End::Closed => "given back",
    };
    let title = format!(
        "{name}{file}{object}: from +{} for {}, {how}",
        duration(life.begin.ts_ns.saturating_sub(zero)),
        duration(life.ns())
    );
    let wide = *width >= name.chars().count() as f64 * 6.5 + 8.0;
    let (text_x, inside) = if wide && height == full { (x + 4.0, true) } else { (x + width + 4.0, false) };
    let drawn = html! {
        title { (title) }
        rect x=(px(*x)) y=(px(y + (full - height) / 2.0)) width=(px(*width)) height=(px(height)) rx="2" {}
        @if named && (inside || text_x < WIDTH - 80.0) {
            text.inside[inside] x=(px(text_x)) y=(px(y + 10.0)) { (cut(name, 24)) }
        }
    };
    let class = format!("bar {kind} {end}");
    match finding {
        Some(number) => html! { a class=(class) href=(summary::link(*number)) { (drawn) } },
        None => html! { g class=(class) { (drawn) } },
    }
}
