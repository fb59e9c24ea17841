//! Findings on a time axis: the same marks for every plot.

use gemscope_engine::Finding;
use maud::{Markup, html};

use super::axis::{Scale, Window, px};
use super::summary;

/// Marks nearer than this are one.
const NEAR: f64 = 16.0;
/// Marks shown.
const MOST: usize = 40;

/// One mark: where, which findings.
struct Mark {
    x: f64,
    first: u32,
    last: u32,
    count: usize,
}

/// The marks of findings, drawn from `top` to `bottom`. Their numbers stand at the top.
pub(super) fn draw(findings: &[Finding], scale: &Scale, top: f64, bottom: f64) -> Markup {
    let mut sorted: Vec<&Finding> = findings.iter().filter(|f| f.event.at.is_known()).collect();
    sorted.sort_by_key(|f| (f.event.at.ts_ns, f.number));
    let mut marks: Vec<Mark> = Vec::new();
    for f in sorted {
        let x = scale.at(f.event.at.ts_ns);
        let full = marks.len() == MOST;
        match marks.last_mut() {
            Some(mark) if x - mark.x < NEAR => {
                mark.first = mark.first.min(f.number);
                mark.last = mark.last.max(f.number);
                mark.count += 1;
            }
            _ if full => break,
            _ => marks.push(Mark { x, first: f.number, last: f.number, count: 1 }),
        }
    }
    html! {
        @for Mark { x, first, last, count } in &marks {
            @let label = if count == &1 { first.to_string() } else { format!("{first}…{last}") };
            @let title = if count == &1 { format!("finding {first}") } else { format!("{count} findings, {first} to {last}") };
            // Near the right edge a label leans to the left.
            @let anchor = if count == &1 { "middle" } else { "end" };
            // What a group stands for may not be told in this file; the section always is.
            @let to = if count == &1 { summary::link(*first) } else { "#findings".to_owned() };
            a.mark href=(to) aria-label=(title) {
                title { (title) }
                line x1=(px(*x)) x2=(px(*x)) y1=(px(top)) y2=(px(bottom)) {}
                text x=(px(*x)) y=(px(top - 3.0)) text-anchor=(anchor) { (label) }
            }
        }
    }
}

/// A time axis below a plot: lines up to `top`, words below `bottom`.
pub(super) fn time_axis(window: &Window, scale: &Scale, top: f64, bottom: f64) -> Markup {
    html! {
        g.axis {
            @for (at, told) in window.ticks() {
                @let x = px(scale.at(at));
                line x1=(x) x2=(x) y1=(px(top)) y2=(px(bottom)) {}
                text x=(x) y=(px(bottom + 13.0)) text-anchor="middle" { (told) }
            }
        }
    }
}
