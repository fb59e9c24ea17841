//! The flight recorder of a watch: the last records in memory, and a trace of them when something is found or asked for.
//!
//! A finding is known a moment after its record. The trace waits a little longer, so that what follows is in it too; but
//! never so long that what led to it is gone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use gemscope_common::Record;
use gemscope_engine::{Engine, Finding};
use gemscope_report::{Context, Judgement, Names, number, plural, size};
use gemscope_trace::{Definition, Definitions, Flown, TraceHeader};

use crate::pipeline::Judge;
use crate::{beside, source, ui};

/// What the options ask for.
#[derive(Clone, Debug)]
pub struct Flight {
    /// encoded bytes kept in memory
    pub bytes: usize,
    /// the first trace; later ones get a number
    pub path: PathBuf,
    /// how long after a finding it is written
    pub after: Duration,
    /// traces written because of findings while it runs, at most
    pub keep: u32,
    /// there is one trace only, and one that is there already is replaced
    pub replace: bool,
}

/// Why a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Something was found.
    Found,
    /// A signal asked for it.
    Asked,
    /// The recording has ended.
    Ended,
}

/// Keeps the last records, and writes them.
pub struct Keeper {
    plan: Flight,
    header: TraceHeader,
    context: Context,
    /// `None` once it has failed
    flight: Option<gemscope_trace::Flight>,
    /// findings that a trace was written for, or that came when no more were
    told: usize,
    /// traces written because of findings
    written: u32,
    due: Option<Due>,
    writing: Option<JoinHandle<bool>>,
    /// a trace could not be written
    failed: bool,
    swept: usize,
}

/// When a trace is due.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    /// or when so many bytes were encoded in all: the finding is in the middle of what is kept then
    bytes: u64,
}

impl Keeper {
    /// Begins.
    ///
    /// # Errors
    /// There is no memory for it, or traces cannot be written where they are wanted.
    pub fn new(plan: &Flight, header: &TraceHeader) -> anyhow::Result<Self> {
        check_place(&plan.path)?;
        Ok(Self {
            flight: Some(gemscope_trace::Flight::new(plan.bytes, header.raw_addresses)?),
            plan: plan.clone(),
            header: header.clone(),
            context: source::context(header),
            told: 0,
            written: 0,
            due: None,
            writing: None,
            failed: false,
            swept: 0,
        })
    }

    /// Takes records in.
    pub fn records(&mut self, records: &[Record]) {
        let Some(flight) = &mut self.flight else { return };
        if let Some(first) = records.first().filter(|_| self.context.start_ns == 0) {
            self.context.start_ns = first.header.ts_ns;
        }
        if let Err(error) = records.iter().try_for_each(|r| flight.write(r)) {
            ui::say(&format!("the flight recorder has ended: {error}"));
            self.flight = None;
        }
    }

    /// With so many findings by now: is it time to write?
    pub fn is_due(&mut self, findings: usize) -> bool {
        let Some(flight) = self.flight.as_ref().filter(|_| self.plan.keep > 0) else { return false };
        let now = Instant::now();
        if self.due.is_none() && findings > self.told {
            if self.written == self.plan.keep {
                let traces = plural(u64::from(self.plan.keep), "trace was", "traces were");
                ui::say(&format!("{traces} written because of findings (--keep): later ones write none"));
                self.told = usize::MAX;
                return false;
            }
            let bytes = flight.written() + flight.limit() as u64 / 2;
            self.due = Some(Due { at: now + self.plan.after, bytes });
        }
        let idle = self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        idle && self.due.is_some_and(|due| now >= due.at || flight.written() >= due.bytes)
    }

    /// Is there something that no trace was written for, although one was to be?
    fn owes(&self, findings: usize) -> bool {
        self.due.is_some() || findings > self.told
    }

    /// Writes what there is, in a thread of its own: the ring of the kernel does not wait.
    pub fn write(&mut self, because: Because, judge: &Judge, definitions: &Definitions) {
        self.join();
        let Some(flight) = &mut self.flight else { return };
        let flown = match flight.flown() {
            Ok(flown) => flown,
            Err(error) => return ui::say(&error.to_string()),
        };
        let findings = judge.engine().findings();
        let new = findings.get(self.told.min(findings.len())..).unwrap_or_default();
        let why = self.why(because, new);
        let mut header = self.header.clone();
        header.notes.push(kept(&flown));
        let mut texts = vec![format!("the flight recorder wrote this because {why}")];
        self.tell(judge, definitions, &mut texts);
        let texts = texts.into_iter().map(|text| Definition::Text(text.into()));
        let definitions: Vec<Definition> = definitions.to_definitions().chain(texts).collect();
        self.told = self.told.max(findings.len());
        self.written += u32::from(because == Because::Found);
        self.due = None;
        let plan = self.plan.clone();
        let work = move || {
            let stored = store(&flown, &plan, &header, definitions);
            match &stored {
                Ok(told) => ui::say(&format!("{told}, because {why}")),
                Err(error) => ui::say(&format!("{error:#}")),
            }
            stored.is_ok()
        };
        match std::thread::Builder::new().name("flight".to_owned()).spawn(work) {
            Ok(thread) => self.writing = Some(thread),
            Err(error) => {
                ui::say(&format!("cannot start a thread to write a trace: {error}"));
                self.failed = true;
            }
        }
    }

    /// Waits for a trace that is being written.
    fn join(&mut self) {
        if let Some(thread) = self.writing.take() {
            // Why it failed has been said.
            self.failed |= !thread.join().unwrap_or(false);
        }
    }

    /// From time to time: forgets processes that have ended and of which nothing is kept.
    pub fn sweep(&mut self, definitions: &mut Definitions, engine: &Engine) {
        /// Fewer are not worth it.
        const LEAST: usize = 1 << 16;
        let Some(flight) = self.flight.as_ref().filter(|_| definitions.len() > 2 * self.swept + LEAST) else {
            return;
        };
        let mut keep = flight.tgids();
        keep.insert(std::process::id());
        for finding in engine.findings() {
            keep.extend([finding.event.at.tgid, finding.conflict.map_or(0, |c| c.at.tgid)]);
        }
        definitions.retain_processes(|tgid| keep.contains(&tgid) || lives(tgid));
        self.swept = definitions.len();
    }

    fn why(&self, because: Because, new: &[Finding]) -> String {
        let found = || match new {
            [] => "something was found".to_owned(),
            [one] => format!("`{}` was found", one.rule.name()),
            [first, more @ ..] => {
                let more = plural(more.len() as u64, "more finding", "more findings");
                format!("`{}` and {more} were made", first.rule.name())
            }
        };
        match because {
            Because::Found => found(),
            Because::Asked => "SIGUSR2 asked for it".to_owned(),
            Because::Ended if self.due.is_some() || !new.is_empty() => found(),
            Because::Ended => "the recording ended".to_owned(),
        }
    }

    /// The end: writes what is owed, or what there is if `always`. Could everything be written?
    pub fn finish(mut self, always: bool, judge: &Judge, definitions: &Definitions) -> bool {
        if always || self.owes(judge.engine().findings().len()) {
            self.write(Because::Ended, judge, definitions);
        }
        self.join();
        self.flight.is_some() && !self.failed
    }

    /// What was found so far, with all that was seen and not only what is kept.
    fn tell(&self, judge: &Judge, definitions: &Definitions, texts: &mut Vec<String>) {
        /// More are counted only.
        const MOST: usize = 16;
        let findings = judge.engine().findings();
        for finding in findings.iter().take(MOST) {
            let judgement = Judgement::of_one(judge.engine(), finding.number);
            let directory = judge.directory();
            let names = Names { context: &self.context, judgement: &judgement, directory, definitions };
            let sure = if finding.tainted { "uncertain, " } else { "" };
            texts.push(format!(
                "found when it was recorded: #{} {} ({sure}{}): {}, by {}",
                finding.number,
                finding.rule.name(),
                names.when(&finding.event.at),
                names.entity(finding.entity),
                names.actor(&finding.event.at),
            ));
        }
        if let Some(more) = findings.len().checked_sub(MOST).filter(|n| *n > 0) {
            texts.push(format!("and {}", plural(more as u64, "more finding", "more findings")));
        }
    }
}

/// Does a process have this number?
fn lives(tgid: u32) -> bool {
    Path::new("/proc").join(tgid.to_string()).exists()
}

/// What a trace is the end of.
fn kept(flown: &Flown) -> String {
    let seconds = flown.span_ns() as f64 / 1e9;
    match flown.before() {
        0 => "flight recorder: everything since it began".to_owned(),
        _ => format!("flight recorder: the last {seconds:.3} s; what happened before is not in it"),
    }
}

/// Writes a trace under the first name that is free, whole or not at all, and says so.
fn store(
    flown: &Flown,
    plan: &Flight,
    header: &TraceHeader,
    definitions: Vec<Definition>,
) -> anyhow::Result<String> {
    let path = &plan.path;
    let refused = || format!("cannot write a trace beside `{}`", ui::shown(path));
    let mut file = tempfile::NamedTempFile::new_in(beside::folder(path)).with_context(refused)?;
    let summary = flown.clone().write(&mut file, header, definitions)?;
    let mut nth = 1;
    let name = loop {
        let name = numbered(path, nth);
        match if plan.replace { file.persist(&name) } else { file.persist_noclobber(&name) } {
            Ok(_) => break name,
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists && nth < u32::MAX => {
                (file, nth) = (e.file, nth + 1);
            }
            Err(e) => return Err(e.error).with_context(refused),
        }
    };
    let records = plural(summary.records, "record", "records");
    let seconds = flown.span_ns() as f64 / 1e9;
    let (name, bytes, before) = (ui::shown(&name), size(summary.bytes), number(flown.before()));
    Ok(format!("{records} of {seconds:.1} s in `{name}`, {bytes}, {before} before it left out"))
}

/// `FILE`, `FILE.2`, `FILE.3` and so on.
fn numbered(path: &Path, nth: u32) -> PathBuf {
    if nth == 1 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{nth}"));
    name.into()
}

/// Can a file be made in the folder of this one?
///
/// # Errors
/// It cannot.
pub fn check_place(path: &Path) -> anyhow::Result<()> {
    match tempfile::NamedTempFile::new_in(beside::folder(path)) {
        Ok(_) => Ok(()),
        Err(e) => Err(e).with_context(|| {
            format!("cannot write a trace beside `{}`: choose a folder of yours for it", ui::shown(path))
        }),
    }
}
