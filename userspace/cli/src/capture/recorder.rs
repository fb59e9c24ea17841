//! What is done with a record: judged, written, and what it refers to kept.

use gemscope_common::{Payload, Phase, ProbeId, Record};
use gemscope_live::scan::Scan;
use gemscope_report::scene::Scene;
use gemscope_trace::{Definition, Definitions, Process};

use super::flight::Keeper;
use super::output::{Output, Written};
use crate::pipeline::Judge;

/// What learns from records: it judges, or it shows.
pub trait Learner {
    /// Takes in records, in order.
    fn learn(&mut self, records: &[Record]);

    /// The input has ended.
    fn end(&mut self);
}

impl Learner for Judge {
    fn learn(&mut self, records: &[Record]) {
        self.ingest(records);
    }

    fn end(&mut self) {
        self.finish();
    }
}

impl Learner for Scene {
    fn learn(&mut self, records: &[Record]) {
        self.ingest(records, |_, _| {});
    }

    fn end(&mut self) {
        self.finish();
    }
}

/// What learns, trace and names together.
pub struct Recorder<L> {
    /// what learns
    pub learner: L,
    /// what records refer to
    pub definitions: Definitions,
    output: Option<Output>,
    /// the flight recorder, where there is one
    pub flight: Option<Keeper>,
    drops: u64,
}

impl<L: Learner> Recorder<L> {
    /// Begins.
    #[must_use]
    pub fn new(learner: L, output: Option<Output>) -> Self {
        let mut recorder = Self { learner, definitions: Definitions::new(), output, flight: None, drops: 0 };
        // Records of user space are gemscope's own doing.
        let own = Process { tgid: std::process::id(), comm: "gemscope".into(), ..Process::default() };
        recorder.define(Definition::Process(own));
        recorder
    }

    /// Takes records in.
    pub fn records(&mut self, records: &[Record]) {
        self.learner.learn(records);
        if let Some(last) = records.last() {
            self.drops = self.drops.max(last.header.drops);
        }
        if let Some(output) = &mut self.output {
            output.records(records);
        }
        if let Some(flight) = &mut self.flight {
            flight.records(records);
        }
    }

    /// Takes in a record of user space's own.
    pub fn own<P: Payload>(&mut self, probe: ProbeId, payload: &P) {
        self.stamped(Record::new(probe, Phase::Point, payload));
    }

    /// Takes in a record that was made in user space, and gives it its header.
    pub fn stamped(&mut self, mut record: Record) {
        let own = std::process::id();
        record.header.ts_ns = gemscope_live::monotonic_ns();
        (record.header.tid, record.header.tgid, record.header.drops) = (own, own, self.drops);
        self.records(&[record]);
    }

    /// The count of drops is this by now.
    pub fn dropped(&mut self, drops: u64) {
        self.drops = self.drops.max(drops);
    }

    /// Records dropped, as far as is known.
    #[must_use]
    pub const fn drops(&self) -> u64 {
        self.drops
    }

    /// Tells what a look at all processes saw.
    pub fn sightings(&mut self, scan: &Scan) {
        scan.processes.iter().for_each(|process| self.define(Definition::Process(process.clone())));
        scan.users.iter().for_each(|user| self.own(ProbeId::SeenFd, user));
    }

    /// Takes in what records refer to.
    pub fn define(&mut self, definition: Definition) {
        if let Some(output) = &mut self.output {
            output.define(&definition);
        }
        self.definitions.add(definition);
    }

    /// From time to time: makes what was written so far durable.
    pub fn tick(&mut self) {
        if let Some(output) = &mut self.output {
            output.tick();
        }
    }

    /// The end: closes the trace.
    pub fn finish(mut self) -> (L, Definitions, Option<Written>) {
        self.learner.end();
        let written = self.output.map(Output::finish);
        (self.learner, self.definitions, written)
    }
}
