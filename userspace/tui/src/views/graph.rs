//! Who holds whom, drawn as a tree: what is held on top, its holders below, theirs below them. A holder that stands for
//! many of its kind is drawn a few times and then counted.

use gemscope_engine::Entity;
use gemscope_report::graph::{Graph, Node, Tie};
use gemscope_report::{number, size};

use crate::lens::Lens;
use crate::page::Line;
use crate::theme::Tone;

/// Of one kind and process.
const SHOWN: usize = 3;

pub(crate) fn lines(lens: &Lens<'_>, graph: &Graph, out: &mut Vec<Line>) {
    let mut drawer = Drawer { lens, graph, drawn: vec![false; graph.nodes.len()], out };
    if graph.nodes.is_empty() {
        drawer.out.push(Line::new("  nothing is known to hold it", Tone::Faint));
        return;
    }
    drawer.tree(0, "  ", "  ", None);
}

struct Drawer<'a> {
    lens: &'a Lens<'a>,
    graph: &'a Graph,
    drawn: Vec<bool>,
    out: &'a mut Vec<Line>,
}

impl Drawer<'_> {
    /// Draws a node and below it what holds it. `first` begins its own line, `rest` the lines below.
    fn tree(&mut self, node: usize, first: &str, rest: &str, tie: Option<Tie>) {
        let Some(what) = self.graph.nodes.get(node).copied() else { return };
        let again = self.drawn.get(node).copied().unwrap_or(true);
        let (text, tone) = self.name(&what);
        let mut line = Line::new(first, Tone::Faint).and(text, tone);
        if let Some(word) = tie.and_then(tie_word) {
            line = line.and(format!("  {word}"), Tone::Faint);
        }
        if again {
            self.out.push(line.and("  (above)", Tone::Faint));
            return;
        }
        self.out.push(line);
        if let Some(drawn) = self.drawn.get_mut(node) {
            *drawn = true;
        }
        let mut holders: Vec<(usize, Tie)> =
            self.graph.edges.iter().filter(|e| e.to == node).map(|e| (e.from, e.tie)).collect();
        // A stable sort: within a kind they stay in the order in which they were taken.
        holders.sort_by_key(|(n, _)| self.graph.nodes.get(*n).map(|n| (kind(n), owner(n))));
        let folded = self.fold(&holders);
        let last = folded.len();
        for (i, holder) in folded.into_iter().enumerate() {
            let (branch, below) = if i + 1 == last { ("└◄ ", "   ") } else { ("├◄ ", "│  ") };
            match holder {
                Ok((n, tie)) => {
                    self.tree(n, &format!("{rest}{branch}"), &format!("{rest}{below}"), Some(tie))
                }
                Err(more) => {
                    self.out.push(Line::new(format!("{rest}{branch}"), Tone::Faint).and(more, Tone::Warn));
                }
            }
        }
    }

    /// The first of each kind and process; of the others how many there are.
    fn fold(&self, holders: &[(usize, Tie)]) -> Vec<Result<(usize, Tie), String>> {
        let of = |n: usize| self.graph.nodes.get(n).map(|n| (kind(n), owner(n)));
        let mut out = Vec::new();
        for run in holders.chunk_by(|a, b| of(a.0) == of(b.0)) {
            let shown = if run.len() > SHOWN + 1 { SHOWN } else { run.len() };
            out.extend(run.iter().take(shown).map(|h| Ok(*h)));
            if let (Some((n, _)), more @ 1..) = (run.first(), run.len() - shown) {
                let node = self.graph.nodes.get(*n);
                out.push(Err(format!("… {} more {}", number(more as u64), self.many(node))));
            }
        }
        out
    }

    fn many(&self, node: Option<&Node>) -> String {
        match node {
            Some(Node::Fd(tgid, _)) => format!("fds of {}", self.lens.process(*tgid)),
            Some(Node::PathFd(tgid, _)) => format!("path fds of {}", self.lens.process(*tgid)),
            Some(Node::Mapping(tgid)) => format!("mappings of {}", self.lens.process(*tgid)),
            Some(Node::Handle(Entity::Handle { file, .. })) => {
                format!("handles of {}", self.lens.names.file(*file))
            }
            Some(Node::Cache(file, _)) => format!("PRIME cache entries of {}", self.lens.names.file(*file)),
            Some(Node::Attachment(_)) => "attachments".to_owned(),
            Some(Node::Framebuffer(_)) => "framebuffers".to_owned(),
            _ => "objects".to_owned(),
        }
    }

    fn name(&self, node: &Node) -> (String, Tone) {
        let names = &self.lens.names;
        match *node {
            Node::Object(e) | Node::Dmabuf(e) => (names.entity(e), Tone::Strong),
            Node::Handle(Entity::Handle { file, handle, .. }) => {
                (format!("handle {handle} of {}", names.file(file)), Tone::Plain)
            }
            Node::Handle(e) => (names.entity(e), Tone::Plain),
            Node::Cache(file, handle) => {
                (format!("PRIME cache entry of handle {handle} of {}", names.file(file)), Tone::Faint)
            }
            Node::Fd(tgid, -1) => (format!("a dma-buf fd of {}", self.lens.process(tgid)), Tone::Plain),
            Node::Fd(tgid, fd) => (format!("dma-buf fd {fd} of {}", self.lens.process(tgid)), Tone::Plain),
            Node::PathFd(tgid, fd) => {
                (format!("O_PATH fd {fd} of {} (the path only)", self.lens.process(tgid)), Tone::Faint)
            }
            Node::Mapping(0) => ("user mappings".to_owned(), Tone::Plain),
            Node::Mapping(tgid) => (format!("mapping of {}", self.lens.process(tgid)), Tone::Plain),
            Node::Framebuffer(id) => (format!("framebuffer {id}"), Tone::Plain),
            Node::Attachment(n) => (format!("device attachment {n}"), Tone::Plain),
        }
    }
}

const fn tie_word(tie: Tie) -> Option<&'static str> {
    match tie {
        Tie::Holds => None,
        Tie::Link => Some("by its link"),
        Tie::Exported => Some("exported from it"),
        Tie::Imports => Some("imports it"),
    }
}

const fn kind(node: &Node) -> u8 {
    match node {
        Node::Handle(_) => 0,
        Node::Framebuffer(_) => 1,
        Node::Mapping(_) => 2,
        Node::Cache(..) => 3,
        Node::Fd(..) => 4,
        Node::PathFd(..) => 5,
        Node::Attachment(_) => 6,
        Node::Dmabuf(_) => 7,
        Node::Object(_) => 8,
    }
}

/// Whose it is: the process, or the DRM file.
const fn owner(node: &Node) -> u32 {
    match *node {
        Node::Fd(tgid, _) | Node::PathFd(tgid, _) | Node::Mapping(tgid) => tgid,
        Node::Handle(Entity::Handle { file, .. }) | Node::Cache(file, _) => file,
        _ => 0,
    }
}

/// `16.0 KiB`, or that it is not known.
pub(crate) fn size_or_not(bytes: u64) -> String {
    if bytes == 0 { "size not known".to_owned() } else { size(bytes) }
}
