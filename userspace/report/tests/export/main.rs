//! Exports of every committed trace, read back; and names that would harm whoever reads them.

mod formats;
mod hostile;
mod perfetto;

use std::fs;
use std::path::{Path, PathBuf};

use gemscope_common::Record;
use gemscope_engine::Config;
use gemscope_report::Context;
use gemscope_report::export::{Feed, Perfetto, Told, csv, jsonl};
use gemscope_report::happening::Happening;
use gemscope_trace::{Definitions, Reader};

/// A trace in memory.
struct Trace {
    name: String,
    context: Context,
    config: Config,
    definitions: Definitions,
    records: Vec<Record>,
}

/// What a trace came to.
struct Outcome {
    happenings: Vec<Happening>,
    feed: Feed,
}

fn traces() -> Vec<Trace> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/traces");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in fs::read_dir(root).unwrap() {
        paths.extend(fs::read_dir(folder.unwrap().path()).unwrap().map(|e| e.unwrap().path()));
    }
    paths.sort();
    assert!(paths.len() > 100);
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Trace {
    let mut reader = Reader::open(path).unwrap();
    let header = reader.header().clone();
    let mut records = Vec::new();
    let mut batch = Vec::new();
    while reader.next_batch(&mut batch).unwrap().is_some() {
        records.append(&mut batch);
    }
    Trace {
        name: path.display().to_string(),
        context: Context::of_trace(&header, |_| None),
        config: Config {
            profile: header.profile().unwrap(),
            features: header.features().0,
            missing: header.missing_probes().collect(),
            off: header.off_probes().collect(),
            ..Config::default()
        },
        definitions: reader.definitions().clone(),
        records,
    }
}

impl Trace {
    /// Feeds it, and gives what it came to before the end is judged.
    fn feed(&self, mut each: impl FnMut(&gemscope_report::export::Now<'_>, Told<'_>)) -> Outcome {
        let mut feed = Feed::new(self.config.clone());
        let mut happenings = Vec::new();
        for record in &self.records {
            feed.ingest(&self.context, &self.definitions, record, |now, told| {
                if let Told::Happening(h, _) = told {
                    happenings.push(*h);
                }
                each(now, told);
                Ok(())
            })
            .unwrap();
        }
        Outcome { happenings, feed }
    }

    /// The bytes for Perfetto.
    fn perfetto(&self) -> (Vec<u8>, Outcome) {
        let mut out = Vec::new();
        let mut encoder = Perfetto::begin(&mut out, self.context.start_ns, 1_000_000_007).unwrap();
        let mut told = self.feed(|now, told| encoder.told(&mut out, now, told).unwrap());
        told.feed.finish();
        encoder.end(&mut out, &told.feed.now(&self.context, &self.definitions)).unwrap();
        (out, told)
    }

    /// The JSON lines.
    fn lines(&self) -> String {
        let mut out = Vec::new();
        let empty = Feed::new(self.config.clone());
        let now = empty.now(&self.context, &self.definitions);
        let mut lines = jsonl::Lines::begin(&mut out, &now).unwrap();
        let mut told = self.feed(|now, told| lines.told(&mut out, now, told).unwrap());
        told.feed.finish();
        lines.end(&mut out, &told.feed.now(&self.context, &self.definitions), true).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// All tables, by name.
    fn tables(&self) -> Vec<(&'static str, &'static [&'static str], String)> {
        let mut events = Vec::new();
        let mut rows = csv::Events::begin(&mut events).unwrap();
        let mut told = self.feed(|now, told| {
            if let Told::Happening(h, _) = told {
                rows.happening(now, h).unwrap();
            }
        });
        rows.end().unwrap();
        told.feed.finish();
        let world = told.feed.world(&self.context, &self.definitions);
        let names = told.feed.now(&self.context, &self.definitions).names();
        let mut tables = [(); 4].map(|()| Vec::new());
        let [buffers, processes, sites, findings] = &mut tables;
        csv::buffers(buffers, &world, &names).unwrap();
        csv::processes(processes, &world, &names).unwrap();
        csv::sites(sites, &world, &names).unwrap();
        csv::findings(findings, &names).unwrap();
        let [buffers, processes, sites, findings] = tables;
        [
            ("events", csv::EVENTS, events),
            ("buffers", csv::BUFFERS, buffers),
            ("processes", csv::PROCESSES, processes),
            ("sites", csv::SITES, sites),
            ("findings", csv::FINDINGS, findings),
        ]
        .map(|(name, columns, bytes)| (name, columns, String::from_utf8(bytes).unwrap()))
        .into()
    }
}
