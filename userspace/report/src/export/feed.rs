//! Records in, moments out: the engine, and what encoders need beside it.

use std::collections::BTreeMap;
use std::io;

use gemscope_common::{Mark, ProbeId, Process, Record, kernel_str};
use gemscope_engine::{Config, Engine};
use gemscope_trace::Definitions;

use super::ledger::Ledger;
use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::directory::Directory;
use crate::happening::{Happening, Teller};
use crate::judgement::Judgement;
use crate::names::Names;
use crate::series::Series;
use crate::survey::World;

/// What an encoder is told.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// Something happened to a buffer.
    Happening(&'a Happening, &'a Record),
    /// That was all that this record came to.
    Done,
    /// The user named this moment; untrusted bytes.
    Mark(&'a [u8]),
    /// Records were lost before this one, as the kernel side counted.
    Dropped(u64),
    /// The trace is damaged here.
    Gap(&'a str),
    /// The last thread of this process has ended.
    Exited(u32),
    /// Ends may have gone unseen: only what the engine knows still lives.
    Resync,
}

/// What can be asked while one is told.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// the ledger of references
    pub engine: &'a Engine,
    /// sizes
    pub ledger: &'a Ledger,
    /// names of files and dma-bufs
    pub directory: &'a Directory,
    /// processes, stacks, symbols
    pub definitions: &'a Definitions,
    /// header facts
    pub context: &'a Context,
    judgement: &'a Judgement,
    /// number of the record
    pub seq: u64,
    /// its time, `CLOCK_MONOTONIC` ns; never less than that of the one before
    pub ts_ns: u64,
}

impl<'a> Now<'a> {
    /// Everything that things are called by.
    #[must_use]
    pub const fn names(&self) -> Names<'a> {
        Names {
            context: self.context,
            judgement: self.judgement,
            directory: self.directory,
            definitions: self.definitions,
        }
    }
}

/// Takes in records, in order, and tells what they came to.
pub struct Feed {
    engine: Engine,
    ledger: Ledger,
    directory: Directory,
    teller: Teller,
    /// Nothing but the names of processes, as far as records have come.
    judgement: Judgement,
    drops: u64,
    first_ns: Option<u64>,
    last_ns: u64,
    /// what a [`World`] wants and no table needs
    unused: (Chronicle, Series),
}

impl Feed {
    /// A feed before the first record.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let engine = Engine::new(config);
        Self {
            judgement: Judgement::of(&engine),
            engine,
            ledger: Ledger::default(),
            directory: Directory::default(),
            teller: Teller::default(),
            drops: 0,
            first_ns: None,
            last_ns: 0,
            unused: (Chronicle::default(), Series::default()),
        }
    }

    /// Takes in a record, and tells `told` what it came to.
    ///
    /// # Errors
    /// The first of `told`; the record has been taken in all the same.
    pub fn ingest(
        &mut self,
        context: &Context,
        definitions: &Definitions,
        record: &Record,
        mut told: impl FnMut(&Now<'_>, Told<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let h = &record.header;
        if h.ts_ns != 0 {
            self.first_ns.get_or_insert(h.ts_ns);
            self.last_ns = self.last_ns.max(h.ts_ns);
        }
        self.teller.before(&self.engine, record);
        self.engine.ingest(record);
        self.directory.observe(&self.engine, record);
        let mut result = Ok(());
        let lost = h.drops.saturating_sub(self.drops);
        if lost > 0 {
            self.drops = h.drops;
            result = told(&self.now(context, definitions), Told::Dropped(lost));
        }
        if lost > 0 || self.ledger.overgrown(&self.engine) {
            self.ledger.settle(&self.engine);
            result = result.and_then(|()| told(&self.now(context, definitions), Told::Resync));
        }
        self.names(record);
        let Self { engine, ledger, directory, teller, judgement, last_ns, .. } = self;
        let (seq, ts_ns, mut any) = (engine.records(), *last_ns, false);
        let importing = teller.importing(h.tid);
        teller.after(engine, record, |happening| {
            ledger.born(engine, record, &happening, importing);
            let now = Now { engine, ledger, directory, definitions, context, judgement, seq, ts_ns };
            if result.is_ok() {
                result = told(&now, Told::Happening(&happening, record));
            }
            ledger.died(&happening);
            any = true;
        });
        result?;
        if any {
            told(&self.now(context, definitions), Told::Done)?;
        }
        match record.probe() {
            Some(ProbeId::Mark) => {
                let mark: &Mark = record.payload();
                told(&self.now(context, definitions), Told::Mark(kernel_str(&mark.name)))
            }
            Some(ProbeId::Exit) if record.payload::<Process>().last_thread == 1 => {
                told(&self.now(context, definitions), Told::Exited(h.tgid))
            }
            _ => Ok(()),
        }
    }

    /// Records are missing here.
    ///
    /// # Errors
    /// Those of `told`.
    pub fn gap(
        &mut self,
        context: &Context,
        definitions: &Definitions,
        why: &str,
        mut told: impl FnMut(&Now<'_>, Told<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.engine.gap();
        self.ledger.settle(&self.engine);
        let now = self.now(context, definitions);
        told(&now, Told::Gap(why))?;
        told(&now, Told::Resync)
    }

    /// The input has ended: what was pending is judged.
    pub fn finish(&mut self) {
        self.engine.finish();
        self.ledger.settle(&self.engine);
        self.judgement = Judgement::of(&self.engine);
    }

    /// What can be asked now.
    #[must_use]
    pub const fn now<'a>(&'a self, context: &'a Context, definitions: &'a Definitions) -> Now<'a> {
        Now {
            engine: &self.engine,
            ledger: &self.ledger,
            directory: &self.directory,
            definitions,
            context,
            judgement: &self.judgement,
            seq: self.engine.records(),
            ts_ns: self.last_ns,
        }
    }

    /// Everything that can be shown of this moment, for tables. Stories and plots are empty.
    #[must_use]
    pub const fn world<'a>(&'a self, context: &'a Context, definitions: &'a Definitions) -> World<'a> {
        World {
            engine: &self.engine,
            directory: &self.directory,
            definitions,
            chronicle: &self.unused.0,
            series: &self.unused.1,
            context,
            holdings: None,
            now_ns: self.last_ns,
        }
    }

    /// What the engine said; whole after [`Feed::finish`].
    #[must_use]
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Time of the first record that has one, `CLOCK_MONOTONIC` ns; 0 without any.
    #[must_use]
    pub fn first_ns(&self) -> u64 {
        self.first_ns.unwrap_or(0)
    }

    /// Learns what processes are called, from the records that say so.
    fn names(&mut self, record: &Record) {
        /// Processes come and go: the names of those gone are forgotten now and then.
        const MOST: usize = 4096;
        let named = match record.probe() {
            Some(ProbeId::Fork) => record.payload::<Process>().child_tgid,
            Some(ProbeId::Exec) => record.header.tgid,
            _ => return,
        };
        let comms: &mut BTreeMap<u32, Vec<u8>> = &mut self.judgement.comms;
        if let Some(comm) = self.engine.comm(named) {
            comms.insert(named, comm.to_vec());
        }
        if comms.len() > MOST {
            comms.retain(|tgid, _| self.engine.process(*tgid).is_some_and(|p| p.exit_code.is_none()));
        }
    }
}
