//! Who holds whom as a drawing: four columns, so that every reference runs between neighbours.
//!
//! Left what holds the object (handles, framebuffers, mappings), then objects, then dma-bufs, right what holds the dma-buf (fds,
//! PRIME cache entries, attachments, mappings). Ports of a box are spread over its side, so no two lines begin or end at
//! one point, and a label sits on the stub where its line begins.

use gemscope_engine::{Entity, Finding};
use maud::{Markup, html};

use super::axis::px;
use crate::graph::{Edge, Graph, Node, Tie};
use crate::names::{Names, size};

const WIDTH: f64 = 166.0;
const HEIGHT: f64 = 56.0;
/// Between boxes of one column, and between columns.
const BELOW: f64 = 14.0;
const GAP: f64 = 98.0;
const MARGIN: f64 = 10.0;
/// A line is horizontal at both ends, the first of which carries its label. Both are equally long: of two lines between
/// the same boxes none crosses the other.
const STUB: f64 = 38.0;
/// Boxes shown of one column.
const MOST: usize = 16;
/// Characters that fit into a box.
const CHARS: usize = 25;
const BOLD: usize = 20;

/// A box that is shown.
struct Placed {
    node: usize,
    column: usize,
    x: f64,
    y: f64,
}

/// The drawing of a finding's references; `None` when there is nothing to draw. Its ids begin with `id`.
pub(super) fn drawing(names: &Names<'_>, finding: &Finding, id: &str) -> Option<Markup> {
    let graph = Graph::of_finding(finding);
    if graph.nodes.len() < 2 {
        return None;
    }
    let placed = place(&graph);
    let columns = placed.iter().map(|p| p.x as u64).max().unwrap_or(0) as f64;
    let width = columns + WIDTH + MARGIN;
    let height = placed.iter().map(|p| p.y + HEIGHT).fold(0.0, f64::max) + MARGIN;
    let hidden = graph.nodes.len() - placed.len();
    let lines = lines(&graph, &placed);
    Some(html! {
        div.scroll tabindex="0" role="group" aria-label="who holds what, drawn" {
            svg.graph role="img" aria-labelledby=(format!("{id}-title")) width=(px(width)) height=(px(height))
                viewBox=(format!("0 0 {} {}", px(width), px(height))) {
                title id=(format!("{id}-title")) {
                    "Who holds what: " (count(&graph)) ". An arrow points from what holds to what it keeps alive."
                }
                defs {
                    marker id=(format!("{id}-arrow")) viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8"
                        orient="auto" markerUnits="userSpaceOnUse" { path d="M0 0L8 4L0 8z" {} }
                }
                @for line in &lines {
                    g.edge.plain[line.tie == Tie::Holds] {
                        title { (told(names, &graph, line.edge)) }
                        path d=(line.path) marker-end=(format!("url(#{id}-arrow)")) {}
                        text x=(px(line.label.0)) y=(px(line.label.1)) text-anchor=(line.anchor) { (label(line.tie)) }
                    }
                }
                @for p in &placed {
                    @if let Some(node) = graph.nodes.get(p.node) {
                        (boxed(names, node, p, is_root(node, finding)))
                    }
                }
            }
        }
        @if hidden > 0 {
            p.note { "… and " (hidden) " more that are not drawn: the list below has them." }
        }
    })
}

/// Short enough that two lines which run towards each other have room for both.
const fn label(tie: Tie) -> &'static str {
    match tie {
        Tie::Exported => "export",
        Tie::Imports => "import",
        Tie::Link | Tie::Holds => tie.name(),
    }
}

fn count(graph: &Graph) -> String {
    let held = graph.edges.len();
    format!("{} things, {held} references", graph.nodes.len())
}

fn is_root(node: &Node, finding: &Finding) -> bool {
    match (node, finding.entity) {
        (Node::Object(Entity::Object { id, .. }), Entity::Object { id: root, .. })
        | (Node::Dmabuf(Entity::DmaBuf { id, .. }), Entity::DmaBuf { id: root, .. }) => *id == root,
        (Node::Handle(e), root) => *e == root,
        (Node::Framebuffer(id), Entity::Framebuffer { id: root }) => *id == root,
        _ => false,
    }
}

/// Which column a node is in.
fn column(graph: &Graph, node: usize) -> usize {
    match graph.nodes.get(node) {
        Some(Node::Object(_)) => 1,
        Some(Node::Dmabuf(_)) => 2,
        _ => {
            let held = graph.edges.iter().find(|e| e.from == node).and_then(|e| graph.nodes.get(e.to));
            if matches!(held, Some(Node::Dmabuf(_))) { 3 } else { 0 }
        }
    }
}

/// Boxes in their columns, each column in the middle of the height; empty columns take no room.
fn place(graph: &Graph) -> Vec<Placed> {
    let mut columns: [Vec<usize>; 4] = Default::default();
    for node in 0..graph.nodes.len() {
        if let Some(column) = columns.get_mut(column(graph, node))
            && column.len() < MOST
        {
            column.push(node);
        }
    }
    let tall = |n: usize| n as f64 * (HEIGHT + BELOW) - BELOW;
    let most = columns.iter().map(|c| tall(c.len())).fold(0.0, f64::max);
    let mut placed = Vec::new();
    let mut x = MARGIN;
    for (column, nodes) in columns.iter().enumerate().filter(|(_, nodes)| !nodes.is_empty()) {
        let mut y = MARGIN + (most - tall(nodes.len())) / 2.0;
        for node in nodes {
            placed.push(Placed { node: *node, column, x, y });
            y += HEIGHT + BELOW;
        }
        x += WIDTH + GAP;
    }
    placed
}

/// A line that is drawn.
struct Line<'a> {
    edge: &'a Edge,
    tie: Tie,
    path: String,
    label: (f64, f64),
    anchor: &'static str,
}

fn lines<'a>(graph: &'a Graph, placed: &[Placed]) -> Vec<Line<'a>> {
    let find = |node: usize| placed.iter().find(|p| p.node == node);
    let drawn: Vec<(&Edge, &Placed, &Placed)> =
        graph.edges.iter().filter_map(|e| Some((e, find(e.from)?, find(e.to)?))).collect();
    // The ends on one side of a box, from above to below by where their lines lead.
    let port = |own: &Placed, right: bool, edge: &Edge| {
        let side = |other: &Placed| (other.x > own.x) == right;
        let mut ends: Vec<(f64, usize, usize)> = drawn
            .iter()
            .enumerate()
            .filter_map(|(i, (_, from, to))| match () {
                () if from.node == own.node && side(to) => Some((to.y, to.node, i)),
                () if to.node == own.node && side(from) => Some((from.y, from.node, i)),
                () => None,
            })
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let at =
            ends.iter().position(|(_, _, i)| drawn.get(*i).is_some_and(|(e, ..)| std::ptr::eq(*e, edge)));
        own.y + HEIGHT * (at.unwrap_or(0) + 1) as f64 / (ends.len() + 1) as f64
    };
    drawn
        .iter()
        .map(|(edge, from, to)| {
            let right = to.x > from.x;
            let (x0, x1) = if right { (from.x + WIDTH, to.x) } else { (from.x, to.x + WIDTH) };
            let (y0, y1) = (port(from, right, edge), port(to, !right, edge));
            let way = if right { 1.0 } else { -1.0 };
            let path = format!(
                "M{} {}h{}L{} {}h{}",
                px(x0),
                px(y0),
                px(way * STUB),
                px(x1 - way * STUB),
                px(y1),
                px(way * (STUB - 1.0))
            );
            let anchor = if right { "start" } else { "end" };
            Line { edge, tie: edge.tie, path, label: (x0 + way * 5.0, y0 - 4.0), anchor }
        })
        .collect()
}

/// What a line says when asked.
fn told(names: &Names<'_>, graph: &Graph, edge: &Edge) -> String {
    let name = |ix: usize| graph.nodes.get(ix).map(|n| words(names, n).whole).unwrap_or_default();
    let mut text = format!("{} {} {}", name(edge.from), edge.tie.name(), name(edge.to));
    if edge.taken.is_known() {
        text.push_str(&format!("; taken {} by {}", names.when(&edge.taken), names.actor(&edge.taken)));
    }
    text
}

/// The three lines of a box, and all of it in one.
struct Words {
    kind: &'static str,
    name: String,
    more: String,
    whole: String,
}

fn words(names: &Names<'_>, node: &Node) -> Words {
    let new = |kind, name: String, more: String| {
        let mut whole = format!("{kind} {name}").trim().to_owned();
        if !more.is_empty() {
            whole.push_str(&format!(", {more}"));
        }
        Words { kind, name, more, whole }
    };
    let bytes = |n: u64| if n == 0 { String::new() } else { size(n) };
    let fd = |fd: i32| if fd < 0 { String::new() } else { fd.to_string() };
    match *node {
        Node::Object(Entity::Object { id, size }) => new("object", format!("#{id}"), bytes(size)),
        Node::Handle(Entity::Handle { file, handle, .. }) => {
            new("handle", handle.to_string(), names.file(file))
        }
        Node::Dmabuf(e @ Entity::DmaBuf { ino, id, size }) => {
            let name = match (ino, id) {
                (0, 0) => return new("its dma-buf", String::new(), bytes(size)),
                (0, id) => format!("#{id}"),
                (ino, _) => format!("inode {ino}"),
            };
            Words { whole: names.entity(e), ..new("dma-buf", name, bytes(size)) }
        }
        Node::Object(e) | Node::Handle(e) | Node::Dmabuf(e) => new("", names.entity(e), String::new()),
        Node::Cache(file, handle) => {
            new("PRIME cache entry", String::new(), format!("of handle {handle}, {}", names.file(file)))
        }
        Node::Fd(tgid, n) => new("dma-buf fd", fd(n), names.process(tgid)),
        Node::PathFd(tgid, n) => new("O_PATH fd", fd(n), names.process(tgid)),
        Node::Mapping(0) => new("user mapping", String::new(), "of a process not known".to_owned()),
        Node::Mapping(tgid) => new("user mapping", String::new(), names.process(tgid)),
        Node::Framebuffer(id) => new("framebuffer", id.to_string(), String::new()),
        Node::Attachment(n) => new("device attachment", n.to_string(), String::new()),
    }
}

fn boxed(names: &Names<'_>, node: &Node, at: &Placed, root: bool) -> Markup {
    let Words { kind, name, more, whole } = words(names, node);
    let class = ["node c0", "node c1", "node c2", "node c3"].get(at.column).copied().unwrap_or("node");
    let x = px(at.x + 10.0);
    html! {
        g class=(if root { format!("{class} root") } else { class.to_owned() }) {
            title { (whole) }
            rect x=(px(at.x)) y=(px(at.y)) width=(px(WIDTH)) height=(px(HEIGHT)) rx="6" {}
            text.main x=(x) y=(px(at.y + if more.is_empty() { 33.0 } else { 24.0 })) {
                (cut(format!("{kind} {name}").trim(), BOLD))
            }
            @if !more.is_empty() {
                text.more x=(x) y=(px(at.y + 43.0)) { (cut(&more, CHARS)) }
            }
        }
    }
}

/// At most `max` characters.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}
