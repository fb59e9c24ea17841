//! The engine and everything that is kept beside it to show what it knows: names, stories, plots.
//!
//! Whoever only wants a verdict does without: this costs memory for every buffer that lives.

use gemscope_common::Record;
use gemscope_engine::{Config, Engine};
use gemscope_trace::Definitions;

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::directory::Directory;
use crate::happening::{Happening, Teller};
use crate::series::Series;
use crate::survey::{Holdings, World};

/// A machine's buffers at the point that the records have come to. A clone is a point to come back to.
#[derive(Clone)]
pub struct Scene {
    engine: Engine,
    directory: Directory,
    teller: Teller,
    chronicle: Chronicle,
    series: Series,
    first_ns: Option<u64>,
    last_ns: u64,
    fullest: (usize, u64),
}

impl Scene {
    /// A scene before the first record.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            engine: Engine::new(config),
            directory: Directory::default(),
            teller: Teller::default(),
            chronicle: Chronicle::default(),
            series: Series::default(),
            first_ns: None,
            last_ns: 0,
            fullest: (0, 0),
        }
    }

    /// Takes in records, in order. `told` hears what they came to.
    pub fn ingest(&mut self, records: &[Record], mut told: impl FnMut(&Engine, &Happening)) {
        for record in records {
            self.teller.before(&self.engine, record);
            self.engine.ingest(record);
            self.directory.observe(&self.engine, record);
            let (engine, chronicle) = (&self.engine, &mut self.chronicle);
            self.teller.after(engine, record, |happening| {
                told(engine, &happening);
                chronicle.note(happening);
            });
            let counts = self.engine.counts();
            let alive = counts.handles + counts.objects + counts.dmabufs + counts.framebuffers;
            self.fullest = self.fullest.max((alive, counts.records));
            let ts_ns = record.header.ts_ns;
            if ts_ns != 0 {
                self.first_ns.get_or_insert(ts_ns);
                self.last_ns = self.last_ns.max(ts_ns);
                self.series.sample(&self.engine, self.last_ns);
            }
        }
    }

    /// Records are missing here.
    pub fn gap(&mut self) {
        self.engine.gap();
    }

    /// The input has ended.
    pub fn finish(&mut self) {
        self.engine.finish();
        self.series.take(&self.engine, self.last_ns);
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Names of files and dma-bufs.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The stories.
    #[must_use]
    pub const fn chronicle(&self) -> &Chronicle {
        &self.chronicle
    }

    /// How much was alive when.
    #[must_use]
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// The record after which most was alive, the latest of several.
    #[must_use]
    pub const fn fullest(&self) -> u64 {
        self.fullest.1
    }

    /// Time of the first record that has one, `CLOCK_MONOTONIC` ns; 0 without any.
    #[must_use]
    pub fn first_ns(&self) -> u64 {
        self.first_ns.unwrap_or(0)
    }

    /// Time of the latest record, `CLOCK_MONOTONIC` ns; 0 without any.
    #[must_use]
    pub const fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Everything that can be shown. Ages count to `now_ns`.
    #[must_use]
    pub const fn world<'a>(
        &'a self,
        context: &'a Context,
        definitions: &'a Definitions,
        holdings: Option<&'a Holdings>,
        now_ns: u64,
    ) -> World<'a> {
        World {
            engine: &self.engine,
            directory: &self.directory,
            definitions,
            chronicle: &self.chronicle,
            series: &self.series,
            context,
            holdings,
            now_ns,
        }
    }
}
