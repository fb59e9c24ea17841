//! What is done with a record: judged, written, and what it refers to kept.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gemscope_common::{Payload, Phase, ProbeId, Record};
use gemscope_engine::Config;
use gemscope_trace::{Definition, Definitions, Process, TraceError, TraceHeader, Writer};

use crate::pipeline::Judge;
use crate::ui;

/// What a crash may lose of a trace.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A trace being written.
pub struct Output {
    path: PathBuf,
    writer: Option<Writer<File>>,
    flushed: Instant,
}

impl Output {
    /// Creates the file.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path, header: &TraceHeader) -> Result<Self, TraceError> {
        let writer = Writer::create(path, header)?;
        Ok(Self { path: path.to_owned(), writer: Some(writer), flushed: Instant::now() })
    }

    /// Writes records.
    pub fn records(&mut self, records: &[Record]) {
        self.with(|w| records.iter().try_for_each(|r| w.write(r)));
    }

    /// Writes what records refer to.
    pub fn define(&mut self, definition: &Definition) {
        self.with(|w| w.define(definition));
    }

    /// From time to time: makes what was written so far durable.
    pub fn tick(&mut self) {
        if self.flushed.elapsed() >= FLUSH_EVERY {
            self.with(Writer::flush_block);
            self.flushed = Instant::now();
        }
    }

    /// Closes the trace.
    pub fn finish(self) -> Written {
        let summary = self.writer.and_then(|writer| match writer.finish() {
            Ok(summary) => Some(summary),
            Err(error) => {
                ui::say(&error.to_string());
                None
            }
        });
        Written { path: self.path, summary }
    }

    fn with(&mut self, f: impl FnOnce(&mut Writer<File>) -> Result<(), TraceError>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = f(writer)
        {
            // The disk is full, say. What is judged live goes on; what is safe in the file stays.
            ui::say(&error.to_string());
            self.writer = None;
        }
    }
}

/// What became of the trace.
#[derive(Clone, Debug)]
pub struct Written {
    /// the file
    pub path: PathBuf,
    /// records, definitions and bytes; `None` when writing failed before the end
    pub summary: Option<gemscope_trace::Summary>,
}

/// Judge, trace and names together.
pub struct Recorder {
    /// the judge
    pub judge: Judge,
    definitions: Definitions,
    output: Option<Output>,
    drops: u64,
}

impl Recorder {
    /// Begins.
    #[must_use]
    pub fn new(config: Config, output: Option<Output>) -> Self {
        let mut recorder =
            Self { judge: Judge::new(config), definitions: Definitions::new(), output, drops: 0 };
        // Records of user space are gemscope's own doing.
        let own = Process { tgid: std::process::id(), comm: "gemscope".into(), ..Process::default() };
        recorder.define(Definition::Process(own));
        recorder
    }

    /// Takes records in.
    pub fn records(&mut self, records: &[Record]) {
        self.judge.ingest(records);
        if let Some(last) = records.last() {
            self.drops = self.drops.max(last.header.drops);
        }
        if let Some(output) = &mut self.output {
            output.records(records);
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
    pub fn finish(mut self) -> (Judge, Definitions, Option<Written>) {
        self.judge.finish();
        let written = self.output.map(Output::finish);
        (self.judge, self.definitions, written)
    }
}
