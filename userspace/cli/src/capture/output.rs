//! The trace that is written beside what is watched.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use gemscope_common::Record;
use gemscope_live::privileges::Invoker;
use gemscope_trace::{Definition, TraceError, TraceHeader, Writer};

use crate::place::Place;
use crate::ui;

/// What a crash may lose of a trace.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A trace being written.
pub struct Output {
    place: Place,
    writer: Option<Writer<File>>,
    flushed: Instant,
}

impl Output {
    /// Begins it.
    ///
    /// # Errors
    /// It cannot be written there.
    fn create(place: Place, header: &TraceHeader) -> anyhow::Result<Self> {
        let writer = place.trace(header)?;
        Ok(Self { place, writer: Some(writer), flushed: Instant::now() })
    }

    /// Begins the trace, if one was asked for.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn of(place: Option<Place>, header: &TraceHeader) -> anyhow::Result<Option<Self>> {
        place.map(|place| Self::create(place, header)).transpose()
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
        Written { place: self.place, summary }
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
    /// where it is
    pub place: Place,
    /// records, definitions and bytes; `None` when writing failed before the end
    pub summary: Option<gemscope_trace::Summary>,
}

/// Begins to watch with the file of a trace already there: root without sudo loses the right to write everywhere. Who used sudo
/// writes as themselves, later.
///
/// # Errors
/// The file cannot be created, or those of `start`: nothing of worth is in the file then, and it goes again.
pub fn with_file<T>(
    path: Option<&Path>,
    invoker: Option<&Invoker>,
    start: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let early = path.filter(|_| invoker.is_none());
    if let Some(path) = early {
        drop(Writer::create(path, &TraceHeader::default())?);
    }
    let started = start();
    if let (Err(_), Some(path)) = (&started, early) {
        let _ = fs::remove_file(path);
    }
    started
}
