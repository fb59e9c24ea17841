//! Records in, judgement out: the engine, and beside it the names that the engine does not keep.
//!
//! The same for every source: a file, a kernel, the bundled trace.

use gemscope_common::{ProbeId, Record, Scope};
use gemscope_engine::{Config, Engine, Stamp};
use gemscope_policy::{Limits, Outcome, Watcher};
use gemscope_report::{Directory, Judgement};

/// Judges records as they come.
pub struct Judge {
    engine: Engine,
    directory: Directory,
    watcher: Watcher,
    scope: Option<Scope>,
    at_exit: Option<u32>,
    first_ns: Option<u64>,
}

impl Judge {
    /// A judge who has seen nothing, and holds what is to come against the kernel's rules only.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::asserting(config, Limits::default())
    }

    /// One who also holds it against what a project asserts.
    #[must_use]
    pub fn asserting(config: Config, limits: Limits) -> Self {
        let at_exit = config.at_exit;
        Self {
            engine: Engine::new(config),
            directory: Directory::default(),
            watcher: Watcher::new(limits),
            scope: None,
            at_exit,
            first_ns: None,
        }
    }

    /// Takes in records, in order.
    pub fn ingest(&mut self, records: &[Record]) {
        if self.first_ns.is_none() {
            self.first_ns = records.iter().map(|r| r.header.ts_ns).find(|ts| *ts != 0);
        }
        for record in records {
            self.engine.ingest(record);
            self.directory.observe(&self.engine, record);
            self.watcher.look(&self.engine, record);
            if record.header.probe == ProbeId::Scope as u16 {
                // That of the command is the first.
                self.scope.get_or_insert(*record.payload());
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
    }

    /// What the engine says now.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        Judgement { idle: !self.watcher.touched(), ..Judgement::of(&self.engine) }
    }

    /// What broke a project's assertions; see [`Watcher::assess`].
    #[must_use]
    pub fn assess(&self, place: &dyn Fn(&Stamp) -> String) -> Outcome {
        self.watcher.assess(&self.engine, place)
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

    /// Time of the first record that has one, ns; 0 without any.
    #[must_use]
    pub fn first_ns(&self) -> u64 {
        self.first_ns.unwrap_or(0)
    }

    /// The scope that the records set.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// What was made of things open at exit.
    #[must_use]
    pub fn at_exit(&self) -> u32 {
        self.at_exit.or(self.scope.map(|s| s.at_exit)).unwrap_or(gemscope_common::scope::IGNORE)
    }
}

/// The word for what is made of things open at exit.
#[must_use]
pub const fn at_exit_word(wire: u32) -> &'static str {
    match wire {
        gemscope_common::scope::STRICT => "strict",
        gemscope_common::scope::GROWTH => "growth",
        gemscope_common::scope::IGNORE => "ignore",
        _ => "unknown",
    }
}
