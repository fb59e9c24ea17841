//! One pass over the ledger for each kind of entity.

use std::collections::BTreeMap;

use gemscope_engine::{Engine, HolderKind, Stamp};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Buffer, Kind, Process, Site, Survey, World};

/// A survey in the making.
#[derive(Default)]
struct Making {
    buffers: Vec<Buffer>,
    of_object: Index,
    of_dmabuf: Index,
    processes: Vec<Process>,
    process_at: FxHashMap<u32, usize>,
    /// the process asked for last, and its place
    last_process: (u32, usize),
    sites: Vec<Site>,
    site_at: FxHashMap<(Kind, u32, i32, i32), usize>,
    /// the place of the site asked for last
    last_site: usize,
}

pub(super) fn survey(world: &World<'_>, old: Survey) -> Survey {
    let engine = world.engine;
    let counts = engine.counts();
    let mut m = Making {
        buffers: old.buffers,
        last_process: (u32::MAX, 0),
        of_object: Index::new(counts.objects),
        of_dmabuf: Index::new(counts.dmabufs),
        ..Making::default()
    };
    m.buffers.clear();
    m.buffers.reserve(counts.objects);
    m.dmabufs(world);
    m.strangers(world);
    m.objects(engine);
    m.files(engine);
    m.handles(engine);
    m.attachments(engine);
    m.framebuffers(engine);
    m.findings(engine);
    m.finish(world)
}

impl Making {
    fn dmabufs(&mut self, world: &World<'_>) {
        for (d, holders) in world.engine.dmabufs_held() {
            let ix = self.buffers.len() as u32;
            let size = match (d.size, world.holdings) {
                (0, Some(holdings)) => holdings.size(d.ino),
                (size, _) => size,
            };
            let mut row = Buffer {
                object: d.exporter,
                dmabuf: d.id,
                ino: d.ino,
                size,
                born: d.born,
                kernel_refs: d.kernel_refs as u32,
                stale: d.stale,
                released: d.released,
                ..Buffer::default()
            };
            // A look at all processes knows better than what was given out once, by what was closed since.
            match world.holdings.filter(|h| d.born.ts_ns < h.at_ns) {
                Some(holdings) => {
                    for kind in holdings.of(d.ino) {
                        let taken = holders.iter().find(|h| h.kind == *kind).map(|h| h.taken);
                        self.held(&mut row, kind, taken.unwrap_or_default());
                    }
                }
                None => holders.iter().for_each(|h| self.held(&mut row, &h.kind, h.taken)),
            }
            self.of_dmabuf.insert(d.id, ix);
            if d.exporter != 0 {
                self.of_object.insert(d.exporter, ix);
            }
            self.buffers.push(row);
        }
    }

    /// dma-bufs that processes hold and that no record has told of: they are older than the trace.
    fn strangers(&mut self, world: &World<'_>) {
        let mut seen: BTreeMap<u64, (u64, Vec<HolderKind>)> = BTreeMap::new();
        for s in world.engine.sightings() {
            let holders = world.holdings.map_or(s.holders, |h| h.of(s.ino).to_vec());
            if s.listed || !holders.is_empty() {
                seen.insert(s.ino, (s.size, holders));
            }
        }
        if let Some(holdings) = world.holdings {
            let mut unknown: FxHashSet<u64> = holdings.inodes().into_iter().collect();
            self.buffers.iter().filter(|b| b.ino != 0).for_each(|b| {
                unknown.remove(&b.ino);
            });
            for ino in unknown {
                seen.entry(ino).or_insert_with(|| (holdings.size(ino), holdings.of(ino).to_vec()));
            }
        }
        for (ino, (size, holders)) in seen {
            let mut row = Buffer { ino, size, ..Buffer::default() };
            holders.iter().for_each(|kind| self.held(&mut row, kind, Stamp::default()));
            self.buffers.push(row);
        }
    }

    /// An fd, a mapping or a path of a process.
    fn held(&mut self, row: &mut Buffer, kind: &HolderKind, taken: Stamp) {
        let tgid = match *kind {
            HolderKind::Fd { tgid, .. } => {
                row.fds += 1;
                self.process(tgid).fds += 1;
                self.site(Kind::Fd, &taken, row.size);
                tgid
            }
            HolderKind::Mapping { tgid } => {
                row.maps += 1;
                self.process(tgid).maps += 1;
                tgid
            }
            // It holds the path only.
            _ => return,
        };
        self.took(tgid, &taken);
        if add(row, tgid) {
            self.process(tgid).dmabufs += 1;
        }
    }

    fn objects(&mut self, engine: &Engine) {
        for o in engine.objects() {
            let ix = match (self.of_dmabuf.get(o.imported), self.of_object.get(o.id)) {
                (Some(ix), _) => {
                    if let Some(row) = self.buffers.get_mut(ix as usize) {
                        row.importers.push(o.id);
                        if row.size == 0 {
                            row.size = o.size;
                        }
                    }
                    ix
                }
                (None, Some(ix)) => ix,
                (None, None) => {
                    self.buffers.push(Buffer { object: o.id, size: o.size, ..Buffer::default() });
                    (self.buffers.len() - 1) as u32
                }
            };
            self.of_object.insert(o.id, ix);
            if let Some(row) = self.buffers.get_mut(ix as usize) {
                row.maps += o.maps.max(0) as u32;
                row.stale |= o.stale;
                if row.object == o.id {
                    row.size = row.size.max(o.size);
                    if o.born.is_known() {
                        row.born = o.born;
                    }
                }
            }
        }
    }

    fn files(&mut self, engine: &Engine) {
        for file in engine.files() {
            let process = self.process(file.opened.tgid);
            process.files += 1;
        }
    }

    fn handles(&mut self, engine: &Engine) {
        for h in engine.handles() {
            let tgid = h.created.tgid;
            self.took(tgid, &h.created).handles += 1;
            self.site(Kind::Handle, &h.created, h.size);
            if let Some(row) = row(&mut self.buffers, &self.of_object, h.object) {
                row.handles += 1;
                if row.file == 0 {
                    row.file = h.file;
                }
                add(row, tgid);
            }
        }
    }

    fn attachments(&mut self, engine: &Engine) {
        for a in engine.attachments() {
            let mut size = 0;
            if let Some(row) = row(&mut self.buffers, &self.of_dmabuf, a.dmabuf) {
                row.attachments += 1;
                size = row.size;
            }
            self.site(Kind::Attachment, &a.at, size);
        }
    }

    fn framebuffers(&mut self, engine: &Engine) {
        for fb in engine.framebuffers() {
            let mut size = 0;
            let mut planes = fb.planes;
            planes.sort_unstable();
            planes.dedup();
            for object in planes {
                if let Some(row) = row(&mut self.buffers, &self.of_object, object) {
                    row.framebuffers += 1;
                    size += row.size;
                    add(row, fb.at.tgid);
                }
            }
            self.process(fb.at.tgid).framebuffers += 1;
            self.took(fb.at.tgid, &fb.at);
            self.site(Kind::Framebuffer, &fb.at, size);
        }
    }

    fn findings(&mut self, engine: &Engine) {
        for finding in engine.findings() {
            let by = finding.conflict.filter(|c| c.at.is_known()).map_or(finding.event.at, |c| c.at);
            self.process(by.tgid).findings += 1;
        }
    }

    fn finish(mut self, world: &World<'_>) -> Survey {
        let mut totals = super::Totals::default();
        for row in &mut self.buffers {
            row.processes.sort_unstable();
            totals.bytes = totals.bytes.saturating_add(row.size);
            totals.stale += usize::from(row.stale);
            let alone = row.processes.len() == 1;
            for tgid in &row.processes {
                let Some(process) = self.process_at.get(tgid).and_then(|ix| self.processes.get_mut(*ix))
                else {
                    continue;
                };
                if alone {
                    process.own = process.own.saturating_add(row.size);
                } else {
                    process.shared = process.shared.saturating_add(row.size);
                }
            }
        }
        let counts = world.engine.counts();
        totals.files = counts.files;
        totals.handles = counts.handles;
        totals.dmabufs = counts.dmabufs;
        totals.framebuffers = counts.framebuffers;
        totals.attachments = counts.attachments;
        totals.buffers = self.buffers.len();
        let mut processes = self.processes;
        processes.sort_unstable_by_key(|p| p.tgid);
        for process in &mut processes {
            process.ended = process.tgid != 0
                && world.engine.process(process.tgid).is_some_and(|p| p.exit_code.is_some());
        }
        let mut sites = self.sites;
        sites.sort_unstable_by_key(|s| (std::cmp::Reverse((s.bytes, s.count)), s.key()));
        Survey { buffers: self.buffers, processes, sites, totals }
    }

    fn process(&mut self, tgid: u32) -> &mut Process {
        if self.last_process.0 != tgid {
            let ix = *self.process_at.entry(tgid).or_insert_with(|| {
                self.processes.push(Process { tgid, ..Process::default() });
                self.processes.len() - 1
            });
            self.last_process = (tgid, ix);
        }
        &mut self.processes[self.last_process.1]
    }

    /// It has taken a reference then.
    fn took(&mut self, tgid: u32, at: &Stamp) -> &mut Process {
        let process = self.process(tgid);
        if at.is_known() && (!process.oldest.is_known() || at.seq < process.oldest.seq) {
            process.oldest = *at;
        }
        process
    }

    fn site(&mut self, kind: Kind, at: &Stamp, bytes: u64) {
        if !at.is_known() {
            return;
        }
        let key = (kind, at.tgid, at.kstack, at.ustack);
        // What was taken one after the other was mostly taken at the same place.
        if self.sites.get(self.last_site).is_none_or(|s| s.key() != key) {
            self.last_site = *self.site_at.entry(key).or_insert_with(|| {
                self.sites.push(Site {
                    kind,
                    tgid: at.tgid,
                    kstack: at.kstack,
                    ustack: at.ustack,
                    count: 0,
                    bytes: 0,
                    oldest: *at,
                    newest: *at,
                });
                self.sites.len() - 1
            });
        }
        let site = &mut self.sites[self.last_site];
        site.count += 1;
        site.bytes = site.bytes.saturating_add(bytes);
        if at.seq < site.oldest.seq {
            site.oldest = *at;
        }
        if at.seq > site.newest.seq {
            site.newest = *at;
        }
    }
}

fn row<'a>(buffers: &'a mut [Buffer], of: &Index, number: u32) -> Option<&'a mut Buffer> {
    buffers.get_mut(of.get(number)? as usize)
}

/// Rows by the number of an entity. Numbers are given out in order, so that those of what lives are mostly close together.
#[derive(Default)]
struct Index {
    dense: Vec<u32>,
    sparse: FxHashMap<u32, u32>,
}

impl Index {
    const NONE: u32 = u32::MAX;

    /// For about so many entities.
    fn new(expected: usize) -> Self {
        Self { dense: vec![Self::NONE; expected.saturating_mul(4) + 1024], sparse: FxHashMap::default() }
    }

    fn insert(&mut self, number: u32, row: u32) {
        match self.dense.get_mut(number as usize) {
            Some(slot) => *slot = row,
            None => {
                self.sparse.insert(number, row);
            }
        }
    }

    /// No entity has the number 0.
    fn get(&self, number: u32) -> Option<u32> {
        match self.dense.get(number as usize) {
            Some(row) => Some(*row).filter(|row| *row != Self::NONE),
            None => self.sparse.get(&number).copied(),
        }
    }
}

/// Notes that the process holds it. Is that new?
fn add(row: &mut Buffer, tgid: u32) -> bool {
    let new = !row.processes.contains(&tgid);
    if new {
        row.processes.push(tgid);
    }
    new
}
