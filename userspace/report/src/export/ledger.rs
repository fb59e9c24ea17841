//! The bytes that live, counted as they come and go: what the engine would have to look at every buffer for.

use gemscope_common::{BufExport, Gem, Prime, ProbeId, Record};
use gemscope_engine::{Engine, What};
use rustc_hash::FxHashMap;

use crate::happening::Happening;

/// What is known of a live dma-buf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufFacts {
    /// inode number; 0 when not known
    pub ino: u64,
    /// bytes
    pub size: u64,
    /// the object that it was made from; 0 without one
    pub exporter: u32,
}

/// Sizes of what lives.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// bytes of each object, and whether it stands for memory of another device
    objects: FxHashMap<u32, (u64, bool)>,
    dmabufs: FxHashMap<u32, BufFacts>,
    bytes: u64,
}

impl Ledger {
    /// What a record brought to life or told of. To be called before others are told what happened. What is born
    /// while `importing` is an import, which the engine learns with its handle only.
    pub(super) fn born(&mut self, engine: &Engine, record: &Record, h: &Happening, importing: bool) {
        match h.what {
            What::Born | What::HandleCreated => {
                // Both records have the object in the same place.
                if let Some(o) = engine.object_view_at(record.payload::<Gem>().obj) {
                    self.object(o.id, o.size, o.is_import || (importing && h.what == What::Born));
                }
                if h.dmabuf != 0 {
                    self.known(engine, h.dmabuf);
                }
            }
            What::Exported => {
                if let Some(d) = engine.dmabuf_view_at(record.payload::<BufExport>().dma_buf) {
                    self.dmabuf(d.id, BufFacts { ino: d.ino, size: d.size, exporter: d.exporter });
                }
            }
            What::Imported => {
                if record.probe() == Some(ProbeId::Import) && record.payload::<Prime>().obj != 0 {
                    // A hook's object: it is one of another device's memory now.
                    if let Some(o) = engine.object_view_at(record.payload::<Prime>().obj) {
                        self.object(o.id, o.size, o.is_import);
                    }
                }
                self.known(engine, h.dmabuf);
            }
            _ => {}
        }
    }

    /// What a record ended. To be called when all have been told.
    pub(super) fn died(&mut self, h: &Happening) {
        match h.what {
            What::Died => {
                if let Some((size, import)) = self.objects.remove(&h.object) {
                    self.take_off(if import { 0 } else { size });
                }
            }
            What::Released => {
                if let Some(facts) = self.dmabufs.remove(&h.dmabuf) {
                    self.take_off(foreign(&facts));
                }
            }
            _ => {}
        }
    }

    /// Takes over what the engine knows, after a loss or at the end: ends may have gone unseen.
    pub(super) fn settle(&mut self, engine: &Engine) {
        *self = Self::default();
        for o in engine.objects() {
            self.object(o.id, o.size, o.is_import);
        }
        for d in engine.dmabufs() {
            self.dmabuf(d.id, BufFacts { ino: d.ino, size: d.size, exporter: d.exporter });
        }
    }

    /// Does it hold much more than lives? Then ends went unseen.
    pub(super) fn overgrown(&self, engine: &Engine) -> bool {
        let counts = engine.counts();
        self.objects.len() > 2 * counts.objects + 4096 || self.dmabufs.len() > 2 * counts.dmabufs + 4096
    }

    /// Bytes of all buffers, each counted once.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is known of the dma-buf with this number.
    #[must_use]
    pub fn buf(&self, dmabuf: u32) -> BufFacts {
        self.dmabufs.get(&dmabuf).copied().unwrap_or_default()
    }

    /// Bytes of the object with this number; 0 when not known.
    #[must_use]
    pub fn size(&self, object: u32) -> u64 {
        self.objects.get(&object).map_or(0, |(size, _)| *size)
    }

    fn object(&mut self, id: u32, size: u64, import: bool) {
        let own = |(size, import): (u64, bool)| if import { 0 } else { size };
        let before = self.objects.insert(id, (size, import)).map_or(0, own);
        self.take_off(before);
        self.bytes = self.bytes.saturating_add(own((size, import)));
    }

    fn dmabuf(&mut self, id: u32, facts: BufFacts) {
        let before = self.dmabufs.insert(id, facts).map_or(0, |f| foreign(&f));
        self.take_off(before);
        self.bytes = self.bytes.saturating_add(foreign(&facts));
    }

    /// A dma-buf that is older than the trace comes into view with its first import.
    fn known(&mut self, engine: &Engine, number: u32) {
        if number != 0
            && !self.dmabufs.contains_key(&number)
            && let Some(d) = engine.dmabuf(number)
        {
            self.dmabuf(d.id, BufFacts { ino: d.ino, size: d.size, exporter: d.exporter });
        }
    }

    const fn take_off(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The bytes that no object here stands for.
const fn foreign(facts: &BufFacts) -> u64 {
    if facts.exporter == 0 { facts.size } else { 0 }
}
