//! One buffer: who holds it as a tree, every reference with who took it and where, and its life story. It stays when the
//! buffer is gone.

use gemscope_engine::{Entity, Holder, HolderKind, Stamp, What};
use gemscope_report::chronicle::Subject;
use gemscope_report::graph::Graph;
use gemscope_report::happening::Happening;
use gemscope_report::survey::{Buffer, World};

use super::{Sight, buffers, graph, stories};
use crate::lens::Lens;
use crate::page::{Line, Page};
use crate::theme::Tone;

/// A screen this wide shows the story beside the references.
const WIDE: usize = 130;
/// References listed at most.
const LISTED: usize = 1000;

/// What is known of a buffer, kept for when it is gone.
#[derive(Clone, Debug)]
pub(crate) struct BufferPage {
    pub key: Subject,
    pub page: Page,
    buffer: Buffer,
    graph: Graph,
    holders: Vec<Holder>,
    story: Vec<Happening>,
    left_out: u64,
    alive: bool,
}

impl BufferPage {
    pub fn new(buffer: &Buffer) -> Self {
        Self {
            key: buffer.key(),
            page: Page::default(),
            buffer: buffer.clone(),
            graph: Graph::default(),
            holders: Vec::new(),
            story: Vec::new(),
            left_out: 0,
            alive: true,
        }
    }

    /// Every process that it speaks of.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        let has = |h: &Holder| match h.kind {
            HolderKind::Fd { tgid, .. } | HolderKind::PathFd { tgid, .. } | HolderKind::Mapping { tgid } => {
                tgid
            }
            _ => 0,
        };
        self.holders
            .iter()
            .flat_map(move |h| [h.taken.tgid, has(h)])
            .chain(self.story.iter().map(|h| h.at.tgid))
    }

    /// Looks at it again. Of what is gone the last that was seen stays.
    pub fn look(&mut self, world: &World<'_>, survey: &[Buffer], held: bool) {
        let now = survey.iter().find(|b| b.key() == self.key);
        if let Some(buffer) = now {
            self.buffer = buffer.clone();
        }
        // While the picture is held, what it shows of this buffer is what was there when it was opened first.
        if held && !self.story.is_empty() {
            return;
        }
        let engine = world.engine;
        let (object, dmabuf) = (self.buffer.object, self.buffer.dmabuf);
        let stranger = self.stranger(world);
        self.alive = engine.object(object).is_some() || engine.dmabuf(dmabuf).is_some() || stranger.is_some();
        if let Some(holders) = stranger {
            self.holders = holders;
            self.graph = Graph::default();
            self.graph.add(self.root(), &self.holders);
        } else if self.alive {
            self.graph = Graph::live(engine, self.key, &self.buffer.importers);
            let size = self.buffer.size;
            self.holders = engine.holders(self.root());
            for id in &self.buffer.importers {
                let more = engine.holders(Entity::Object { id: *id, size });
                let new = more.into_iter().filter(|h| !self.holders.contains(h)).collect::<Vec<_>>();
                self.holders.extend(new);
            }
            self.seen_by_scan(world);
        }
        let (story, left_out) = world.chronicle.story(&self.buffer.subjects());
        if !story.is_empty() {
            (self.story, self.left_out) = (story, left_out);
        }
    }

    /// Who holds a dma-buf that no record has told of yet, while it is there.
    fn stranger(&self, world: &World<'_>) -> Option<Vec<Holder>> {
        let Subject::Inode(ino) = self.key else { return None };
        let sighting = world.engine.sightings().into_iter().find(|s| s.ino == ino);
        let listed = sighting.as_ref().is_some_and(|s| s.listed);
        let kinds = match world.holdings {
            Some(scan) => scan.of(ino).to_vec(),
            None => sighting.map(|s| s.holders).unwrap_or_default(),
        };
        (listed || !kinds.is_empty())
            .then(|| kinds.into_iter().map(|kind| Holder { kind, taken: Stamp::default() }).collect())
    }

    /// A look at all processes knows better than records who has fds: as in the survey.
    fn seen_by_scan(&mut self, world: &World<'_>) {
        let Some(scan) = world.holdings.filter(|h| self.buffer.born.ts_ns < h.at_ns) else { return };
        if self.buffer.ino == 0 {
            return;
        }
        let of_process = |k: &HolderKind| {
            matches!(k, HolderKind::Fd { .. } | HolderKind::PathFd { .. })
                || matches!(k, HolderKind::Mapping { tgid } if *tgid != 0)
        };
        let told = std::mem::take(&mut self.holders);
        let taken =
            |kind: &HolderKind| told.iter().find(|h| h.kind == *kind).map(|h| h.taken).unwrap_or_default();
        let seen: Vec<_> =
            scan.of(self.buffer.ino).iter().map(|k| Holder { kind: *k, taken: taken(k) }).collect();
        self.holders = told.iter().filter(|h| !of_process(&h.kind)).cloned().chain(seen).collect();
        self.graph = Graph::default();
        let size = self.buffer.size;
        self.graph.add(self.root(), &self.holders);
        for id in &self.buffer.importers {
            let importer = Entity::Object { id: *id, size };
            self.graph.add(importer, &world.engine.holders(importer));
        }
    }

    fn root(&self) -> Entity {
        let size = self.buffer.size;
        match self.key {
            Subject::Object(id) => Entity::Object { id, size },
            Subject::Dmabuf(id) => Entity::DmaBuf { ino: self.buffer.ino, id, size },
            Subject::Inode(ino) => Entity::DmaBuf { ino, id: 0, size },
        }
    }

    pub fn title(&self) -> String {
        buffers::name(&self.buffer)
    }

    /// Makes the lines.
    pub fn refresh(&mut self, sight: &Sight<'_>, columns: usize) {
        let lens = &sight.lens;
        let wide = columns >= WIDE;
        let room = if wide { columns / 2 - 1 } else { columns };
        let mut first = Vec::new();
        self.head(sight, &mut first);
        first.push(Line::heading(if self.alive { "who holds it" } else { "who held it last" }));
        graph::lines(lens, &self.graph, &mut first);
        first.push(Line::default());
        let references = self.holders.len();
        first.push(
            Line::heading(format!("references ({references})"))
                .right(stories::right("taken in", "by", "age", room)),
        );
        self.ledger(lens, room, &mut first);
        let mut story = vec![Line::heading("life story").right(stories::right("in", "by", "", room))];
        stories::lines(lens, &self.story, self.left_out, &self.page, room, &mut story);
        if wide {
            self.page.set(first, story);
        } else {
            first.push(Line::default());
            first.extend(story);
            self.page.set(first, Vec::new());
        }
    }

    fn head(&self, sight: &Sight<'_>, out: &mut Vec<Line>) {
        let b = &self.buffer;
        let lens = &sight.lens;
        let mut line = Line::new(buffers::name(b), Tone::Strong)
            .and(format!("  {}", graph::size_or_not(b.size)), Tone::Plain);
        line = if b.born.is_known() {
            line.and(format!("  made {} ago by {}", lens.age(&b.born), lens.actor(&b.born)), Tone::Plain)
        } else {
            line.and("  older than the trace", Tone::Faint)
        };
        out.push(line);
        if !self.alive {
            let ended = self.story.iter().rev().find(|h| matches!(h.what, What::Died | What::Released));
            let text = match ended {
                Some(h) => {
                    format!("gone since {} ({}): what was last known", lens.when(&h.at), h.what.text())
                }
                None => "gone: what was last known".to_owned(),
            };
            out.push(Line::new(text, Tone::Warn));
        }
        let accused = sight.accused.get(&Subject::Object(b.object));
        if let Some(n) = accused.or_else(|| sight.accused.get(&Subject::Dmabuf(b.dmabuf))) {
            out.push(Line::new(format!("finding {n} is about it (press 3)"), Tone::Bad));
        }
        if b.stale {
            out.push(Line::new("records were lost since everything about it was known", Tone::Warn));
        }
        if b.released {
            out.push(Line::new("its last file reference is gone, its destruction waits", Tone::Warn));
        }
        out.push(Line::default());
    }

    fn ledger(&self, lens: &Lens<'_>, columns: usize, out: &mut Vec<Line>) {
        for (i, holder) in self.holders.iter().take(LISTED).enumerate() {
            let taken: &Stamp = &holder.taken;
            let entry = i as u64;
            let open = self.page.is_unfolded(entry);
            let line = Line::new(if open { "▾ " } else { "▸ " }, Tone::Faint)
                .and(lens.reference(holder), Tone::Plain)
                .entry(entry);
            let right = if taken.is_known() {
                let frame = lens.place(taken.kstack, taken.ustack, taken.tgid);
                let function = stories::function(&frame);
                stories::right(function, &lens.actor(taken), &lens.age(taken), columns)
            } else {
                stories::right("", "not seen taken", "?", columns)
            };
            out.push(line.right(right));
            if open {
                out.push(Line::new(format!("     taken {}", lens.when(taken)), Tone::Faint));
                stories::stack_lines(lens, taken, columns, out);
            }
        }
        if self.holders.len() > LISTED {
            let more = self.holders.len() - LISTED;
            out.push(Line::new(format!("  … {more} more"), Tone::Warn));
        }
        if self.holders.is_empty() {
            out.push(Line::new("  none that is known", Tone::Faint));
        }
    }
}
