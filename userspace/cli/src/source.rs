//! A trace as the source of a judgement: from the file to the report's facts.

use std::io::{self, IsTerminal as _, Read, Seek, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use gemscope_common::{Profile, Record};
use gemscope_engine::Config;
use gemscope_policy::{Limits, Outcome};
use gemscope_probes::catalogue::Row;
use gemscope_report::{Context, Names, events, number, plural};
use gemscope_trace::{Definitions, End, PrefetchReader, Reader, TraceHeader};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::Keeper;
use crate::pipeline::{Judge, at_exit_word};

/// How to judge a trace.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// stop after the record with this number
    pub until: Option<u64>,
    /// judge by this profile instead of the recorded one
    pub profile: Option<Profile>,
    /// what to make of things open at exit; `None` as recorded
    pub at_exit: Option<u32>,
    /// print every record as a line on stdout
    pub events: bool,
    /// what is asserted beyond the kernel's rules
    pub limits: Limits,
}

/// A trace that has been judged.
pub struct Judged {
    judge: Judge,
    judgement: gemscope_report::Judgement,
    context: Context,
    definitions: Definitions,
}

impl Judged {
    /// Everything that a report is made of.
    #[must_use]
    pub const fn names(&self) -> Names<'_> {
        Names {
            context: &self.context,
            judgement: &self.judgement,
            directory: self.judge.directory(),
            definitions: &self.definitions,
        }
    }

    /// The trace of it is in this file.
    pub(crate) fn written_to(&mut self, path: &Path) {
        self.context.trace = path.to_string_lossy().into_owned();
    }

    /// Writes what a flight recorder has of it. Was it written?
    pub(crate) fn write_flight(&self, keeper: Keeper) -> bool {
        keeper.finish(true, &self.judge, &self.definitions)
    }

    /// Takes in what the policy says: the verdict is that of what stands. The last one counts.
    pub fn apply(&mut self, outcome: Outcome) {
        self.judgement.apply(self.judge.engine(), outcome);
    }

    /// What the engine and the policy said.
    #[must_use]
    pub const fn judgement(&self) -> &gemscope_report::Judgement {
        &self.judgement
    }
}

/// Reads a whole trace and judges it. `name` is how the report calls it.
///
/// # Errors
/// The trace cannot be read, or nothing of it can.
pub fn judge<R: Read + Seek + Send + 'static>(
    reader: Reader<R>,
    name: &str,
    options: &Options,
) -> anyhow::Result<Judged> {
    let header = reader.header().clone();
    let mut context = context(&header);
    context.trace = name.to_owned();
    let mut judging = Judging {
        judge: Judge::asserting(config(&header, options, &mut context), options.limits.clone()),
        events: options.events.then(|| Events::new(header.clock.start_ns)),
    };
    let read = read(reader, options.until, &mut context, &mut judging);
    if let Some(events) = &mut judging.events {
        events.end()?;
    }
    let definitions = read?;
    judging.judge.finish();
    Ok(conclude(judging.judge, context, definitions))
}

/// A judge, and the lines that are printed of what it is given.
struct Judging {
    judge: Judge,
    events: Option<Events>,
}

impl Taker for Judging {
    fn gap(&mut self) {
        self.judge.gap();
    }

    fn take(&mut self, records: &[Record], definitions: &Definitions) -> anyhow::Result<()> {
        match &mut self.events {
            Some(events) => events.tell(&mut self.judge, records, definitions)?,
            None => self.judge.ingest(records),
        }
        Ok(())
    }
}

/// What takes the records of a trace in.
pub(crate) trait Taker {
    /// Records are missing here.
    fn gap(&mut self);

    /// Takes in records, in order.
    ///
    /// # Errors
    /// What keeps it from going on.
    fn take(&mut self, records: &[Record], definitions: &Definitions) -> anyhow::Result<()>;
}

/// Reads a trace from its beginning, to its end or to the record of number `until`. What of it cannot be read goes into the context,
/// whose `trace` is how it is called.
///
/// # Errors
/// The trace cannot be read, nothing of it can, or the taker's.
pub(crate) fn read<R: Read + Seek + Send + 'static>(
    reader: Reader<R>,
    until: Option<u64>,
    context: &mut Context,
    taker: &mut dyn Taker,
) -> anyhow::Result<Definitions> {
    let ending = Ending::of(&reader);
    let progress = progress(reader.len());
    let mut reader = PrefetchReader::new(reader)?;
    let mut records: Vec<Record> = Vec::new();
    let (mut done, until) = (0, until.unwrap_or(u64::MAX));
    while done < until {
        let Some(batch) = reader.next_batch(&mut records)? else { break };
        if let Some(gap) = batch.gap {
            taker.gap();
            context.damage.push(gap.why.to_string());
        }
        // Numbers of records count those that this version does not know: the cut is by what is shown.
        records.truncate(usize::try_from(until - done).unwrap_or(usize::MAX));
        done += records.len() as u64;
        taker.take(&records, reader.definitions())?;
        progress.inc(records.len() as u64);
    }
    progress.finish_and_clear();
    if done < until
        && let Some(why) = ending.missing(&context.damage)
    {
        taker.gap();
        context.damage.push(why.to_owned());
    }
    nothing_read(done, context)?;
    if done == until {
        context.notes.push(format!("judged up to record {} only, as asked", number(until)));
    }
    context.notes.extend(ending.names_missing());
    Ok(reader.definitions().clone())
}

/// How a trace ends, and which names it lacks: told in the same words by everyone who reads one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    end: End,
    lost_names: u64,
}

impl Ending {
    /// Of a trace that has been opened.
    pub(crate) const fn of<R: Read + Seek>(reader: &Reader<R>) -> Self {
        Self { end: reader.end(), lost_names: reader.definitions_lost() }
    }

    /// Is its end missing, and nothing else was told of that?
    pub(crate) const fn missing(&self, damage: &[String]) -> Option<&'static str> {
        match (self.end, damage) {
            (End::Unfinished, []) => Some("the recording was not finished: its end is missing"),
            _ => None,
        }
    }

    /// A note, where names are missing.
    pub(crate) fn names_missing(&self) -> Option<String> {
        (self.lost_names > 0).then(|| {
            let blocks = plural(self.lost_names, "block", "blocks");
            format!("{blocks} of names could not be read: some stacks or names are missing")
        })
    }
}

/// An error, where not one record could be read, and why is known.
pub(crate) fn nothing_read(records: u64, context: &Context) -> anyhow::Result<()> {
    match context.damage.first() {
        Some(why) if records == 0 => bail!("no record of `{}` can be read: {why}", context.trace),
        _ => Ok(()),
    }
}

/// Puts together what a report is made of.
#[must_use]
pub fn conclude(judge: Judge, mut context: Context, definitions: Definitions) -> Judged {
    if context.start_ns == 0 {
        context.start_ns = judge.first_ns();
    }
    at_exit_word(judge.at_exit()).clone_into(&mut context.at_exit);
    context.root_pid = judge.scope().map_or(0, |s| s.root_tgid);
    // Of a command that ran just now its end is known already.
    if context.status.is_empty() {
        context.notes.extend(definitions.texts().iter().map(|t| t.to_str_lossy().into_owned()));
    }
    let mut judgement = judge.judgement();
    let outcome = {
        let directory = judge.directory();
        let names = Names { context: &context, judgement: &judgement, directory, definitions: &definitions };
        judge.assess(&|at| names.place(at))
    };
    judgement.apply(judge.engine(), outcome);
    Judged { judgement, judge, context, definitions }
}

/// What a report tells of what comes with this header.
pub(crate) fn context(header: &TraceHeader) -> Context {
    Context::of_trace(header, |p| Row::of(p).map(|row| row.blind))
}

/// How to judge what comes with this header.
pub(crate) fn config(header: &TraceHeader, options: &Options, context: &mut Context) -> Config {
    const NEWEST: Profile = Profile::V7_0;
    let (features, unknown) = header.features();
    if !unknown.is_empty() {
        context.notes.push(format!("features that this gemscope does not know: {}", unknown.join(", ")));
    }
    let profile = options.profile.or_else(|| header.profile()).unwrap_or_else(|| {
        let name = header.profile.as_str();
        let newest = NEWEST.name();
        context
            .notes
            .push(format!("the profile `{name}` is not known here: judged by the newest known, {newest}"));
        NEWEST
    });
    context.judged_by(profile, features);
    Config {
        profile,
        features,
        at_exit: options.at_exit,
        missing: header.missing_probes().collect(),
        off: header.off_probes().collect(),
        filtered: !header.filters.is_empty(),
        midway: header.records_before > 0,
        ..Config::default()
    }
}

pub(crate) fn progress(len: u64) -> ProgressBar {
    /// Fewer are done before a bar could be read.
    const WORTH_IT: u64 = 5_000_000;
    if len < WORTH_IT || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::stderr_with_hz(4));
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} records, {per_sec}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Prints records as lines.
struct Events {
    out: Option<io::BufWriter<io::Stdout>>,
    start_ns: u64,
    seq: u64,
}

impl Events {
    fn new(start_ns: u64) -> Self {
        Self { out: Some(io::BufWriter::new(io::stdout())), start_ns, seq: 0 }
    }

    fn tell(&mut self, judge: &mut Judge, records: &[Record], defs: &Definitions) -> anyhow::Result<()> {
        for record in records {
            self.seq += 1;
            if self.start_ns == 0 {
                self.start_ns = record.header.ts_ns;
            }
            let before = events::Names::of(judge.engine(), record);
            judge.ingest(std::slice::from_ref(record));
            let names = before.or(events::Names::of(judge.engine(), record));
            let tgid = record.header.tgid;
            let comm = match judge.engine().comm(tgid) {
                Some(comm) => gemscope_report::escape::name(comm),
                None => defs
                    .process(tgid)
                    .map_or_else(String::new, |p| gemscope_report::escape::name(p.comm.as_bytes())),
            };
            let line = events::line(self.seq, record, &names, &comm, self.start_ns);
            self.write(|out| writeln!(out, "{line}"))?;
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.write(|out| writeln!(out).and_then(|()| out.flush()))
    }

    /// When nobody reads any more, judging goes on in silence: the exit code still counts.
    fn write(
        &mut self,
        f: impl FnOnce(&mut io::BufWriter<io::Stdout>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        match self.out.as_mut().map_or(Ok(()), f) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.out = None,
            other => other?,
        }
        Ok(())
    }
}
