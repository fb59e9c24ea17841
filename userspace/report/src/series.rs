//! How much was alive when: points in time for plots and sparklines, in bounded memory.

use gemscope_engine::Engine;

/// How much was alive at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// `CLOCK_MONOTONIC` ns
    pub ts_ns: u64,
    /// records taken in so far
    pub seq: u64,
    /// live handles
    pub handles: u64,
    /// live dma-bufs
    pub dmabufs: u64,
    /// bytes of all buffers, each counted once
    pub bytes: u64,
}

impl Point {
    /// Counts what is alive now. Looks at every buffer.
    #[must_use]
    pub fn now(engine: &Engine, ts_ns: u64) -> Self {
        let counts = engine.counts();
        let objects = engine.objects().filter(|o| !o.is_import).map(|o| o.size);
        let foreign = engine.dmabufs().filter(|d| d.exporter == 0).map(|d| d.size);
        Self {
            ts_ns,
            seq: counts.records,
            handles: counts.handles as u64,
            dmabufs: counts.dmabufs as u64,
            bytes: objects.chain(foreign).fold(0, u64::saturating_add),
        }
    }
}

/// Points of a whole recording. When there are too many, every second one goes and the distance doubles.
#[derive(Clone, Debug)]
pub struct Series {
    points: Vec<Point>,
    every_ns: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self { points: Vec::new(), every_ns: 1_000_000 }
    }
}

impl Series {
    const MOST: usize = 1024;

    /// Takes a point if it is time for one.
    #[inline]
    pub fn sample(&mut self, engine: &Engine, ts_ns: u64) {
        if self.points.last().is_none_or(|p| ts_ns >= p.ts_ns.saturating_add(self.every_ns)) {
            self.take(engine, ts_ns);
        }
    }

    /// Takes a point now: the end of a recording is worth one.
    #[cold]
    pub fn take(&mut self, engine: &Engine, ts_ns: u64) {
        if self.points.len() >= Self::MOST {
            let mut nth = 0;
            self.points.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.every_ns *= 2;
        }
        self.points.push(Point::now(engine, ts_ns));
    }

    /// The points, oldest first.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}
