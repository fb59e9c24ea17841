//! A trace, record by record, into a feed: as far as one wants, and again from the start where it takes two looks.

use std::io::{self, Cursor, Read, Seek};
use std::path::PathBuf;
use std::{fs::File, sync::Arc};

use anyhow::bail;
use gemscope_common::Record;
use gemscope_report::Context;
use gemscope_report::export::{Feed, Now, Told};
use gemscope_report::survey::World;
use gemscope_trace::{PrefetchReader, Reader};
use indicatif::ProgressBar;

use crate::args::{ExportArgs, ModelArgs};
use crate::exit::Exit;
use crate::model::Run;
use crate::source::{self, Ending, Options};

/// Where a trace comes from.
pub(super) enum Input {
    File(PathBuf),
    /// a run of the model, as a trace
    Model(Arc<[u8]>),
}

impl Input {
    pub(super) fn of(args: &ExportArgs) -> anyhow::Result<Self> {
        match (&args.file, &args.source) {
            (Some(file), _) => Ok(Self::File(file.clone())),
            (None, Some(source)) => {
                let model = ModelArgs { seed: args.seed, ..ModelArgs::default() };
                Ok(Self::Model(Run::of(source, &model)?.bytes()?.into()))
            }
            (None, None) => bail!("give a trace to export"),
        }
    }
}

/// What a trace can be read from.
trait Source: Read + Seek + Send {}
impl Source for File {}
impl Source for Cursor<Arc<[u8]>> {}

/// A trace that is being read.
pub(super) struct Pump {
    feed: Feed,
    pub(super) context: Context,
    pub(super) realtime_offset_ns: i64,
    reader: PrefetchReader,
    ending: Ending,
    records: Vec<Record>,
    at: usize,
    done: u64,
    over: bool,
    /// what is missing before the records at hand
    gap: Option<String>,
    progress: ProgressBar,
}

impl Pump {
    /// Opens it and reads its beginning.
    pub(super) fn open(input: &Input) -> anyhow::Result<Self> {
        let (source, name): (Box<dyn Source>, String) = match input {
            // Its errors say more of a file.
            Input::File(path) => return Self::new(Reader::open(path)?, path.display().to_string()),
            Input::Model(bytes) => (Box::new(Cursor::new(Arc::clone(bytes))), "the model's run".to_owned()),
        };
        Self::new(Reader::new(source, &name)?, name)
    }

    fn new<R: Read + Seek + Send + 'static>(reader: Reader<R>, name: String) -> anyhow::Result<Self> {
        let header = reader.header().clone();
        let mut context = source::context(&header);
        context.trace = name;
        let feed = Feed::new(source::config(&header, &Options::default(), &mut context));
        let ending = Ending::of(&reader);
        let reader = PrefetchReader::new(reader)?;
        let mut pump = Self {
            feed,
            context,
            realtime_offset_ns: header.clock.realtime_offset_ns,
            progress: source::progress(reader.len()),
            reader,
            ending,
            records: Vec::new(),
            at: 0,
            done: 0,
            over: false,
            gap: None,
        };
        pump.fill()?;
        if pump.context.start_ns == 0 {
            let first = pump.records.iter().map(|r| r.header.ts_ns).find(|ts| *ts != 0);
            pump.context.start_ns = first.unwrap_or(0);
        }
        Ok(pump)
    }

    /// Takes in records until as many have been taken in, or there are no more.
    pub(super) fn advance(
        &mut self,
        to: u64,
        mut told: impl FnMut(&Now<'_>, Told<'_>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        while self.done < to && !self.over {
            if let Some(why) = self.gap.take() {
                self.feed.gap(&self.context, self.reader.definitions(), &why, &mut told)?;
                self.context.damage.push(why);
            }
            let left = usize::try_from(to - self.done).unwrap_or(usize::MAX);
            let end = self.at.saturating_add(left).min(self.records.len());
            for record in self.records.get(self.at..end).unwrap_or_default() {
                self.feed.ingest(&self.context, self.reader.definitions(), record, &mut told)?;
            }
            self.progress.inc((end - self.at) as u64);
            self.done += (end - self.at) as u64;
            self.at = end;
            if self.at == self.records.len() {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// The records at hand have been taken in: on to the next.
    fn fill(&mut self) -> anyhow::Result<()> {
        self.at = 0;
        self.records.clear();
        match self.reader.next_batch(&mut self.records)? {
            Some(batch) => self.gap = batch.gap.map(|gap| gap.why.to_string()),
            None => self.over = true,
        }
        Ok(())
    }

    /// Ends it here: what was pending is judged. Says what could not be read.
    pub(super) fn finish(
        &mut self,
        told: impl FnMut(&Now<'_>, Told<'_>) -> io::Result<()>,
    ) -> anyhow::Result<Exit> {
        self.progress.finish_and_clear();
        if self.over
            && let Some(why) = self.ending.missing(&self.context.damage)
        {
            self.feed.gap(&self.context, self.reader.definitions(), why, told)?;
            self.context.damage.push(why.to_owned());
        }
        source::nothing_read(self.done, &self.context)?;
        self.feed.finish();
        super::tell_damage(&self.context.damage, self.ending);
        Ok(if self.context.damage.is_empty() { Exit::Clean } else { Exit::Undecided })
    }

    /// Has every record been taken in?
    pub(super) const fn at_end(&self) -> bool {
        self.over
    }

    /// What can be asked now.
    pub(super) fn now(&self) -> Now<'_> {
        self.feed.now(&self.context, self.reader.definitions())
    }

    /// What can be shown now.
    pub(super) fn world(&self) -> World<'_> {
        self.feed.world(&self.context, self.reader.definitions())
    }
}
