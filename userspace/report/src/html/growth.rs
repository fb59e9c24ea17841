//! The growth plot: live handles, dma-bufs and bytes over time.

use maud::{Markup, html};

use super::Report;
use super::axis::{Scale, px, ticks};
use super::marks;
use crate::names::{number, size};
use crate::series::Point;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 36.0;
const PANEL: f64 = 104.0;
const BETWEEN: f64 = 44.0;
/// Points drawn of one line.
const MOST: usize = 600;

/// One of the three.
struct Panel {
    name: &'static str,
    class: &'static str,
    bytes: bool,
    of: fn(&Point) -> u64,
}

const PANELS: [Panel; 3] = [
    Panel { name: "live handles", class: "handles", bytes: false, of: |p| p.handles },
    Panel { name: "live dma-bufs", class: "dmabufs", bytes: false, of: |p| p.dmabufs },
    Panel { name: "bytes of all buffers", class: "bytes", bytes: true, of: |p| p.bytes },
];

/// The section of the plot.
pub(super) fn section(report: &Report<'_>) -> Markup {
    let points = report.series.points();
    html! {
        section #growth aria-labelledby="growth-h" {
            h2 #growth-h { "How much was alive" }
            @if points.len() < 2 {
                p { "Too little happened for a plot." }
            } @else {
                p.note { "What grows with use and does not fall back is a leak." }
                (drawing(report, points))
            }
        }
    }
}

fn drawing(report: &Report<'_>, points: &[Point]) -> Markup {
    let window = report.window();
    let x = Scale::new(window.from, window.to, LEFT, WIDTH - LEFT - RIGHT);
    let height = TOP + PANELS.len() as f64 * (PANEL + BETWEEN);
    let most = |panel: &Panel| points.iter().map(panel.of).max().unwrap_or(0);
    let told = |panel: &Panel, n: u64| if panel.bytes { size(n) } else { number(n) };
    let words: Vec<String> =
        PANELS.iter().map(|p| format!("at most {} {}", told(p, most(p)), p.name)).collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="how much was alive, plotted" {
            svg.growth role="group" aria-labelledby="growth-title" width=(px(WIDTH)) height=(px(height))
                viewBox=(format!("0 0 {} {}", px(WIDTH), px(height))) {
                title #growth-title { "Over time: " (words.join(", ")) }
                @for (i, panel) in PANELS.iter().enumerate() {
                    @let top = TOP + i as f64 * (PANEL + BETWEEN);
                    @let bottom = top + PANEL;
                    @let max = most(panel);
                    // Some air above, so that the highest is seen to be the highest.
                    @let y = Scale::new(0, max.saturating_add(max / 8).max(1), bottom, -(PANEL - 12.0));
                    (marks::time_axis(&window, &x, top, bottom))
                    g.axis {
                        @for tick in std::iter::once(0).chain(ticks(max, 4, panel.bytes)) {
                            @let at = px(y.at(tick));
                            line x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(at) y2=(at) {}
                            text x=(px(LEFT - 6.0)) y=(px(y.at(tick) + 4.0)) text-anchor="end" { (told(panel, tick)) }
                        }
                    }
                    path class=(format!("line {}", panel.class)) d=(line(points, panel, &x, &y)) {}
                    text.panel x=(px(LEFT)) y=(px(top - 6.0)) { (panel.name) }
                }
                (marks::draw(&report.names.judgement.findings, &x, TOP - 20.0, height - BETWEEN))
            }
        }
    }
}

/// A line of steps: a count stays until it changes.
fn line(points: &[Point], panel: &Panel, x: &Scale, y: &Scale) -> String {
    let step = points.len().div_ceil(MOST).max(1);
    let mut path = String::new();
    let mut last = None;
    for part in points.chunks(step) {
        // Of points that fall together, the highest: a peak is never hidden.
        let Some(point) = part.iter().max_by_key(|p| (panel.of)(p)) else { continue };
        let (px_, py) = (px(x.at(point.ts_ns)), px(y.at((panel.of)(point))));
        match &last {
            None => path.push_str(&format!("M{px_} {py}")),
            Some(old) if *old == py => path.push_str(&format!("H{px_}")),
            Some(_) => path.push_str(&format!("H{px_}V{py}")),
        }
        last = Some(py);
    }
    if let Some(point) = points.last() {
        let end = px(y.at((panel.of)(point)));
        if last.as_ref() != Some(&end) {
            path.push_str(&format!("V{end}"));
        }
    }
    path
}
