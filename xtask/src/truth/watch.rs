//! The engine as a watcher of the model's records.

use gemscope_common::Record;
use gemscope_engine::{Config, Engine};
use gemscope_model::{Era, Watcher};

/// An engine that sees one run.
#[derive(Clone)]
pub struct Watch {
    engine: Engine,
    /// With every sequence of records on its own: which one it is.
    history: Option<u64>,
}

impl Watch {
    pub fn new(era: Era, one_by_one: bool) -> Self {
        let config = Config { profile: era.profile, features: era.features, ..Config::default() };
        Self { engine: Engine::new(config), history: one_by_one.then_some(0) }
    }

    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl Watcher for Watch {
    fn see(&mut self, record: &Record) {
        self.engine.ingest(record);
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
