//! The engine as a watcher of the model's records.

use gemscope_common::Record;
use gemscope_engine::{Config, Engine};
use gemscope_model::{Era, Watcher};

/// An engine that judges by these rules.
pub fn engine(era: Era) -> Engine {
    Engine::new(Config { profile: era.profile, features: era.features, ..Config::default() })
}

/// An engine that sees one run.
#[derive(Clone)]
pub struct Watch {
    engine: Engine,
    /// With every sequence of records on its own: which one it is.
    history: Option<u64>,
    /// The records themselves, to be shown.
    records: Option<Vec<Record>>,
}

impl Watch {
    pub fn new(era: Era, one_by_one: bool, show: bool) -> Self {
        Self { engine: engine(era), history: one_by_one.then_some(0), records: show.then(Vec::new) }
    }

    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The records, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.records.iter().flatten().enumerate().map(|(ix, r)| line(ix, r)).collect()
    }
}

impl Watcher for Watch {
    fn see(&mut self, record: &Record) {
        self.engine.ingest(record);
        if let Some(records) = &mut self.records {
            records.push(*record);
        }
        if let Some(history) = &mut self.history {
            use std::hash::{DefaultHasher, Hash as _, Hasher as _};
            let mut hasher = DefaultHasher::new();
            (*history, record.words(), record.header.probe, record.header.phase).hash(&mut hasher);
            (record.header.tid, record.header.ret).hash(&mut hasher);
            *history = hasher.finish();
        }
    }

    fn digest(&self) -> u64 {
        self.history.unwrap_or_else(|| self.engine.digest())
    }
}

/// Slots instead of addresses: enough to follow a run.
fn line(ix: usize, record: &Record) -> String {
    use gemscope_common::{Buf, Gem, Layout, Phase, Prime};
    let slot = |address: u64| (address & 0xffff_ffff) / 0x400;
    let what = match record.probe().map(|p| p.layout()) {
        Some(Layout::Gem) => {
            let p: &Gem = record.payload();
            let (f, o, link) = (slot(p.file), slot(p.obj), slot(p.dma_buf));
            format!("f{f} o{o} h{} count {} link d{link}", p.handle, p.handle_count as i32)
        }
        Some(Layout::Prime) => {
            let p: &Prime = record.payload();
            format!("f{} h{} d{} fd {}", slot(p.file), p.handle, slot(p.dma_buf), p.fd)
        }
        Some(Layout::Buf) => {
            let p: &Buf = record.payload();
            format!("d{} fd {} refs {}", slot(p.dma_buf), p.fd, p.file_count)
        }
        _ => String::new(),
    };
    let phase = match record.phase() {
        Some(Phase::Entry) => '>',
        Some(Phase::Return) => '<',
        _ => ' ',
    };
    let name = record.probe().map_or("?", |p| p.name());
    let (tid, ret) = (record.header.tid, record.header.ret as i32);
    format!("{:>4} t{tid} {phase} {name:<22} {what} = {ret}", ix + 1)
}
