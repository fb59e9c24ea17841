//! Who holds whom, as a graph: objects, handles, dma-bufs and what keeps them. Without coordinates: who draws lays out.

use gemscope_engine::{Engine, Entity, Finding, Holder, HolderKind, Stamp};

use crate::chronicle::Subject;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A GEM object.
    Object(Entity),
    /// A handle of a DRM file.
    Handle(Entity),
    /// A dma-buf.
    Dmabuf(Entity),
    /// The PRIME cache of a DRM file, by its number, with the handle of the entry.
    Cache(u32, u32),
    /// An fd of a process: tgid, fd (-1 when not known).
    Fd(u32, i32),
    /// An `O_PATH` fd of a process: it holds the path only.
    PathFd(u32, i32),
    /// A user mapping; tgid 0 when not known whose.
    Mapping(u32),
    /// A framebuffer by its id.
    Framebuffer(u32),
    /// A device attachment; the number tells several of one dma-buf apart.
    Attachment(u32),
}

/// What a reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It keeps the other alive.
    Holds,
    /// An object's link to its dma-buf (R5).
    Link,
    /// A dma-buf's reference on the object that it was made from (R4).
    Exported,
    /// An importing object's reference on the foreign dma-buf (R7).
    Imports,
}

impl Tie {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Link => "link",
            Self::Exported => "exported from",
            Self::Imports => "imports",
        }
    }
}

/// A reference: `from` keeps `to` alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// index of the holder among the nodes
    pub from: usize,
    /// index of the held
    pub to: usize,
    /// which reference
    pub tie: Tie,
    /// who took it, and when
    pub taken: Stamp,
}

/// The graph. Nodes are in the order in which they were met, the entity in question first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// the nodes
    pub nodes: Vec<Node>,
    /// the references
    pub edges: Vec<Edge>,
}

impl Graph {
    /// Of a live buffer: everything that keeps it, and what keeps the objects that import it.
    #[must_use]
    pub fn live(engine: &Engine, subject: Subject, importers: &[u32]) -> Self {
        let mut graph = Self::default();
        let entity = match subject {
            Subject::Object(id) => engine.object(id).map(|o| Entity::Object { id, size: o.size }),
            Subject::Dmabuf(id) => engine.dmabuf(id).map(|d| Entity::DmaBuf { ino: d.ino, id, size: d.size }),
            // Nothing but processes is known to hold it: who draws adds them from what was seen.
            Subject::Inode(ino) => Some(Entity::DmaBuf { ino, id: 0, size: 0 }),
        };
        let Some(entity) = entity else { return graph };
        graph.add(entity, &engine.holders(entity));
        for id in importers {
            let Some(o) = engine.object(*id) else { continue };
            let importer = Entity::Object { id: *id, size: o.size };
            graph.add(importer, &engine.holders(importer));
        }
        graph
    }

    /// Of a finding: what held its entity when it was made.
    #[must_use]
    pub fn of_finding(finding: &Finding) -> Self {
        let mut graph = Self::default();
        graph.add(finding.entity, &finding.holders);
        graph
    }

    /// Adds an entity and everything of which a ledger says that it holds it.
    pub fn add(&mut self, entity: Entity, holders: &[Holder]) {
        // A handle is asked about through its object.
        let root = match entity {
            Entity::Handle { object, size, .. } if object != 0 => {
                let object = self.node(Node::Object(Entity::Object { id: object, size }));
                let handle = self.node(Node::Handle(entity));
                // One that was closed holds nothing any more.
                if let Some(known) = holders.iter().find(|h| h.kind == HolderKind::Handle(entity)) {
                    self.edge(handle, object, Tie::Holds, known.taken);
                }
                object
            }
            Entity::Object { .. } => self.node(Node::Object(entity)),
            Entity::DmaBuf { .. } => self.node(Node::Dmabuf(entity)),
            Entity::Framebuffer { id } => self.node(Node::Framebuffer(id)),
            Entity::Handle { .. } => self.node(Node::Handle(entity)),
            Entity::File { .. } => return,
        };
        // What is said of a dma-buf belongs to the one that was exported from the object.
        let exported = holders.iter().find_map(|h| match h.kind {
            HolderKind::Exported(buf) => Some((buf, h.taken)),
            _ => None,
        });
        let buf = match (entity, exported) {
            // A second dma-buf of an object: the ledger tells of what holds the first.
            (Entity::DmaBuf { id, .. }, Some((first @ Entity::DmaBuf { id: other, .. }, taken)))
                if id != other =>
            {
                let node = self.node(Node::Dmabuf(first));
                if let Some(object) = holders.iter().find_map(object_of) {
                    let object = self.node(Node::Object(object));
                    self.edge(node, object, Tie::Exported, taken);
                }
                Some(node)
            }
            (Entity::DmaBuf { .. }, _) => Some(root),
            (_, Some((buf, taken))) => {
                let node = self.node(Node::Dmabuf(buf));
                self.edge(node, root, Tie::Exported, taken);
                Some(node)
            }
            // The object imports it, or its name is not known: then its number is 0.
            _ => {
                let linked = holders.iter().find_map(|h| match h.kind {
                    HolderKind::Link(buf @ Entity::DmaBuf { .. }) => Some(buf),
                    _ => None,
                });
                let unnamed = Entity::DmaBuf { ino: 0, id: 0, size: entity.size() };
                let buf = linked.or_else(|| holders.iter().any(holds_dmabuf).then_some(unnamed));
                buf.map(|buf| self.node(Node::Dmabuf(buf)))
            }
        };
        let mut attachments = 0;
        for holder in holders {
            let taken = holder.taken;
            let of_buf = buf.unwrap_or(root);
            match holder.kind {
                HolderKind::Handle(handle) => {
                    let node = self.node(Node::Handle(handle));
                    let to = match handle {
                        Entity::Handle { object, size, .. } if object != 0 => {
                            self.node(Node::Object(Entity::Object { id: object, size }))
                        }
                        _ => root,
                    };
                    self.edge(node, to, Tie::Holds, taken);
                }
                HolderKind::Link(object @ Entity::Object { .. }) => {
                    let node = self.node(Node::Object(object));
                    self.edge(node, of_buf, Tie::Link, taken);
                }
                HolderKind::Link(dmabuf) => {
                    let node = self.node(Node::Dmabuf(dmabuf));
                    self.edge(root, node, Tie::Link, taken);
                }
                HolderKind::Importer(object) => {
                    let node = self.node(Node::Object(object));
                    self.edge(node, of_buf, Tie::Imports, taken);
                }
                HolderKind::Cache { file, handle } => {
                    let node = self.node(Node::Cache(file, handle));
                    self.edge(node, of_buf, Tie::Holds, taken);
                }
                HolderKind::Fd { tgid, fd } => {
                    let node = self.node(Node::Fd(tgid, fd));
                    self.edge(node, of_buf, Tie::Holds, taken);
                }
                HolderKind::PathFd { tgid, fd } => {
                    let node = self.node(Node::PathFd(tgid, fd));
                    self.edge(node, of_buf, Tie::Holds, taken);
                }
                HolderKind::Mapping { tgid: 0 } => {
                    let node = self.node(Node::Mapping(0));
                    self.edge(node, root, Tie::Holds, taken);
                }
                HolderKind::Mapping { tgid } => {
                    let node = self.node(Node::Mapping(tgid));
                    self.edge(node, of_buf, Tie::Holds, taken);
                }
                HolderKind::Framebuffer { id } => {
                    let node = self.node(Node::Framebuffer(id));
                    self.edge(node, root, Tie::Holds, taken);
                }
                HolderKind::Attachment => {
                    attachments += 1;
                    let node = self.node(Node::Attachment(attachments));
                    self.edge(node, of_buf, Tie::Holds, taken);
                }
                HolderKind::Exported(_) => {}
            }
        }
    }

    fn node(&mut self, node: Node) -> usize {
        match self.nodes.iter().position(|n| same(n, &node)) {
            Some(ix) => ix,
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        }
    }

    fn edge(&mut self, from: usize, to: usize, tie: Tie, taken: Stamp) {
        if from != to && !self.edges.iter().any(|e| (e.from, e.to, e.tie) == (from, to, tie)) {
            self.edges.push(Edge { from, to, tie, taken });
        }
    }
}

/// Is it a reference that only a dma-buf can have?
const fn holds_dmabuf(holder: &Holder) -> bool {
    matches!(
        holder.kind,
        HolderKind::Cache { .. }
            | HolderKind::Fd { .. }
            | HolderKind::PathFd { .. }
            | HolderKind::Link(Entity::Object { .. })
            | HolderKind::Importer(_)
            | HolderKind::Attachment
    )
}

/// The object that a reference speaks of.
const fn object_of(holder: &Holder) -> Option<Entity> {
    match holder.kind {
        HolderKind::Link(object @ Entity::Object { .. }) => Some(object),
        HolderKind::Handle(Entity::Handle { object, size, .. }) if object != 0 => {
            Some(Entity::Object { id: object, size })
        }
        _ => None,
    }
}

/// The same thing, whatever was known of its size when it was told.
fn same(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Object(Entity::Object { id: a, .. }), Node::Object(Entity::Object { id: b, .. })) => a == b,
        (Node::Dmabuf(Entity::DmaBuf { id: a, .. }), Node::Dmabuf(Entity::DmaBuf { id: b, .. })) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Entity = Entity::Handle { file: 1, handle: 1, incarnation: 0, object: 1, size: 4096 };
    const OBJECT: Entity = Entity::Object { id: 1, size: 4096 };
    const FIRST: Entity = Entity::DmaBuf { ino: 7, id: 1, size: 4096 };
    const SECOND: Entity = Entity::DmaBuf { ino: 8, id: 2, size: 4096 };
    const UNNAMED: Entity = Entity::DmaBuf { ino: 0, id: 0, size: 4096 };

    /// The references as pairs of nodes.
    #[track_caller]
    fn check(entity: Entity, kinds: &[HolderKind], expect: &[(Node, Tie, Node)]) {
        let mut graph = Graph::default();
        let holders: Vec<_> =
            kinds.iter().map(|kind| Holder { kind: *kind, taken: Stamp::default() }).collect();
        graph.add(entity, &holders);
        let edges: Vec<_> =
            graph.edges.iter().map(|e| (graph.nodes[e.from], e.tie, graph.nodes[e.to])).collect();
        assert_eq!(edges, expect);
    }

    #[test]
    fn an_open_handle_holds_its_object() {
        let (handle, object) = (Node::Handle(HANDLE), Node::Object(OBJECT));
        check(HANDLE, &[HolderKind::Handle(HANDLE)], &[(handle, Tie::Holds, object)]);
    }

    #[test]
    fn a_closed_handle_holds_nothing() {
        let kinds = [HolderKind::Link(OBJECT), HolderKind::Cache { file: 1, handle: 1 }];
        let buf = Node::Dmabuf(UNNAMED);
        check(
            HANDLE,
            &kinds,
            &[(Node::Object(OBJECT), Tie::Link, buf), (Node::Cache(1, 1), Tie::Holds, buf)],
        );
    }

    #[test]
    fn a_second_dmabuf_is_not_the_first() {
        let kinds = [HolderKind::Handle(HANDLE), HolderKind::Exported(FIRST), HolderKind::Link(OBJECT)];
        let (handle, object, first) = (Node::Handle(HANDLE), Node::Object(OBJECT), Node::Dmabuf(FIRST));
        let edges =
            [(first, Tie::Exported, object), (handle, Tie::Holds, object), (object, Tie::Link, first)];
        check(SECOND, &kinds, &edges);
    }

    #[test]
    fn what_an_import_caches_is_the_foreign_dmabuf() {
        let kinds = [HolderKind::Link(FIRST), HolderKind::Cache { file: 1, handle: 1 }];
        let (object, first) = (Node::Object(OBJECT), Node::Dmabuf(FIRST));
        check(OBJECT, &kinds, &[(object, Tie::Link, first), (Node::Cache(1, 1), Tie::Holds, first)]);
    }
}
