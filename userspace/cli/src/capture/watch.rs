//! The session itself: start, wait for the end, settle.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use gemscope_common::{Mark, ProbeId, Scope, SeenFd, Settle};
use gemscope_live::command::{self, Running};
use gemscope_live::privileges::Invoker;
use gemscope_live::scan::{self, Scan, When};
use gemscope_live::{DmabufList, Next, Options, Session, Tail, prereq};
use gemscope_report::plural;
use gemscope_trace::{Definition, Definitions, TraceHeader};

use super::children;
use super::flight::{self, Because, Flight, Keeper};
use super::header::{self, Facts};
use super::output::{self, Output, Written};
use super::recorder::Recorder;
use super::signals::{self, Asks, Signals};
use crate::pipeline::Judge;
use crate::ui;

/// How often everything but the ring is looked at.
const TICK: Duration = Duration::from_millis(20);
/// The least time that deferred work of the kernel gets after the last process has ended.
const LEAST_GRACE: Duration = Duration::from_millis(50);
/// How long the records of an exit may be late before processes are counted in `/proc` instead.
const LATE: Duration = Duration::from_millis(500);

/// What is to be watched.
pub struct Request {
    /// the session's options
    pub options: Options,
    /// filters as the report shall tell them
    pub filters: Vec<String>,
    /// the command; empty without one
    pub command: Vec<OsString>,
    /// what to make of things open at exit
    pub at_exit: u32,
    /// how long to wait for the kernel to finish
    pub grace: Duration,
    /// end after this time
    pub limit: Option<Duration>,
    /// kill the command when the time is over
    pub kill: bool,
    /// the trace to write
    pub output: Option<PathBuf>,
    /// that trace gets another name when it is known to be wanted
    pub renamed_later: bool,
    /// keep the last records in memory
    pub flight: Option<Flight>,
    /// keep kernel addresses in traces
    pub raw_addresses: bool,
    /// what to tell the user once the probes are attached
    pub ready: Option<&'static str>,
}

/// Why watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The command and everything it started have ended.
    Ended,
    /// The time was over.
    TimeOver,
    /// A signal asked for it.
    Asked,
}

/// What was watched.
pub struct Watched {
    /// the judge, at the end of input
    pub judge: Judge,
    /// what records refer to
    pub definitions: Definitions,
    /// the header of the trace, written or not
    pub header: TraceHeader,
    /// how the command ended, if it did
    pub status: Option<ExitStatus>,
    /// why watching ended
    pub ending: Ending,
    /// the flight recorder, with all that it still has
    pub flight: Option<Keeper>,
    /// what became of the trace
    pub written: Option<Written>,
}

/// Watches until the command has ended, the time is over, or a signal asks for the end.
///
/// # Errors
/// What keeps a session from starting, a command from running or a trace from being created.
pub fn watch(request: &Request) -> anyhow::Result<Watched> {
    if let Some(check) = prereq::blocker() {
        return Err(gemscope_live::StartError::Prerequisite(check).into());
    }
    // Before any thread: the mask is inherited.
    let signals = match request.flight {
        Some(_) => Signals::take_with(&[signals::WRITE])?,
        None => Signals::take()?,
    };
    let invoker = Invoker::from_sudo()?;
    output::with_file(request.output.as_deref(), invoker.as_ref(), || {
        started(request, invoker.as_ref(), &signals)
    })
}

fn started(request: &Request, invoker: Option<&Invoker>, signals: &Signals) -> anyhow::Result<Watched> {
    let held = if request.command.is_empty() {
        None
    } else {
        command::adopt_orphans()?;
        Some(command::hold(&request.command, invoker)?)
    };
    let mut session = Session::start(&request.options)?;
    // Now that rights are given up: what is found out at the end would be too late.
    let later = request.output.as_ref().filter(|_| request.renamed_later);
    later.map_or(Ok(()), |path| flight::check_place(path))?;
    let root_tgid = held.as_ref().map_or(0, command::Held::pid);
    let words: Vec<String> = request.command.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let facts = Facts {
        command: &words,
        root_tgid,
        at_exit: request.at_exit,
        filters: &request.filters,
        ring_bytes: request.options.ring_bytes,
        raw_addresses: request.raw_addresses,
    };
    let mut header = header::header(&session, &facts);
    let (before, note) = held_before(&mut session);
    header.notes.extend(note);
    let output = Output::of(request.output.as_deref(), &header)?;
    let mut recorder = Recorder::new(Judge::new(header::config(&session, &header)), output);
    recorder.flight = request.flight.as_ref().map(|plan| Keeper::new(plan, &header)).transpose()?;
    if held.is_some() {
        recorder.own(ProbeId::Scope, &Scope { root_tgid, at_exit: request.at_exit, reserved: 0 });
    }
    recorder.sightings(&before);
    if let Some(ready) = request.ready {
        ui::say(ready);
    }
    let running = held.map(command::Held::release).transpose()?;
    let mut watch = Watch { request, session, recorder, running, root_tgid, status: None };
    let (ending, waited) = watch.wait(signals);
    Ok(watch.settle(ending, waited, header))
}

/// Who holds which dma-buf before the command begins, and what to tell when that is not known of every process.
pub fn held_before(session: &mut Session) -> (Scan, Option<String>) {
    let list = listed(session.take_list_at_start(), When::Start);
    match scan::dmabuf_users(When::Start) {
        Ok(mut scan) => {
            scan.users.extend(list.unwrap_or_default());
            let n = u64::from(scan.unreadable);
            let note = (n > 0).then(|| {
                let processes = plural(n, "process", "processes");
                format!("the open files of {processes} could not be read at the start")
            });
            (scan, note)
        }
        Err(error) => (Scan::default(), Some(format!("`/proc` could not be looked at: {error}"))),
    }
}

/// Every dma-buf that has a file, by the kernel's own list.
fn listed(list: Option<DmabufList>, when: When) -> Option<Vec<SeenFd>> {
    let read = list?.read(when);
    read.inspect_err(|error| tracing::warn!("the kernel's list of dma-bufs cannot be read: {error}")).ok()
}

struct Watch<'a> {
    request: &'a Request,
    session: Session,
    recorder: Recorder<Judge>,
    running: Option<Running>,
    root_tgid: u32,
    status: Option<ExitStatus>,
}

impl Watch<'_> {
    /// Waits for the end. Also gives how long the kernel has had since the last process ended.
    fn wait(&mut self, signals: &Signals) -> (Ending, Duration) {
        let begun = Instant::now();
        let (mut root_ended, mut tree_ended): (Option<Instant>, Option<Instant>) = (None, None);
        let mut asked = 0;
        loop {
            let idle = self.take();
            while let Some(arrived) = signals.next() {
                if arrived.asks == Asks::Write {
                    self.write(Because::Asked);
                    continue;
                }
                asked += 1;
                match &self.running {
                    // It decides itself what the signal means; a second one ends the watch.
                    Some(running) if self.status.is_none() && asked == 1 => {
                        if arrived.for_us_alone {
                            let _ = running.signal(arrived.signal);
                        }
                    }
                    _ => return (Ending::Asked, Duration::ZERO),
                }
            }
            if self.request.limit.is_some_and(|limit| begun.elapsed() >= limit) {
                return (Ending::TimeOver, Duration::ZERO);
            }
            if self.root_tgid == 0 {
                continue;
            }
            command::reap_orphans(self.root_tgid);
            if self.status.is_none() {
                self.status = self.running.as_mut().and_then(|r| r.try_wait().ok().flatten());
                if self.status.is_none() {
                    continue;
                }
                root_ended = Some(Instant::now());
            }
            if tree_ended.is_none() && self.tree_has_ended(root_ended) {
                tree_ended = Some(Instant::now());
            }
            if let Some(ended) = tree_ended {
                let waited = ended.elapsed();
                let quiet = idle && waited >= LEAST_GRACE && self.recorder.learner.engine().pending() == 0;
                if quiet || waited >= self.request.grace.max(LEAST_GRACE) {
                    return (Ending::Ended, waited);
                }
            }
        }
    }

    /// Everything that has come since the last time. Was there nothing?
    fn take(&mut self) -> bool {
        /// However much comes, signals and the clock are looked at too.
        const MOST: usize = 64;
        let mut next = self.session.batches().next(TICK);
        let idle = !matches!(next, Next::Batch(_));
        for _ in 0..MOST {
            let Next::Batch(records) = next else { break };
            self.recorder.records(&records);
            next = self.session.batches().try_next();
        }
        while let Some(definition) = self.session.definitions().and_then(gemscope_live::Definitions::try_next)
        {
            self.recorder.define(definition);
        }
        self.recorder.tick();
        if let Some(flight) = &mut self.recorder.flight {
            flight.sweep(&mut self.recorder.definitions, self.recorder.learner.engine());
            if flight.is_due(self.recorder.learner.engine().findings().len()) {
                self.write(Because::Found);
            }
        }
        idle
    }

    /// Writes what the flight recorder has, with the misses that the kernel has counted so far.
    fn write(&mut self, because: Because) {
        self.recorder.dropped(self.session.drops());
        self.session.missed().into_iter().for_each(|record| self.recorder.stamped(record));
        let Recorder { learner, definitions, flight: Some(flight), .. } = &mut self.recorder else { return };
        flight.write(because, learner, definitions);
    }

    /// Have all processes of the command ended? Records say so; when those were lost or filtered, `/proc` does.
    fn tree_has_ended(&self, root_ended: Option<Instant>) -> bool {
        if self.recorder.learner.engine().scope_alive() == 0 {
            return true;
        }
        root_ended.is_some_and(|at| at.elapsed() >= LATE) && children::live().is_empty()
    }

    /// Detaches, looks at who holds what, and says that now may be judged.
    fn settle(self, ending: Ending, waited: Duration, header: TraceHeader) -> Watched {
        let Self { request, session, mut recorder, mut running, root_tgid, mut status } = self;
        let by_proc = if root_tgid == 0 { 0 } else { children::live().len() as u32 };
        let Tail { batches, definitions, drops, missed, hits, list } = session.stop();
        tracing::debug!("hits: {hits:?}");
        loop {
            match batches.next(TICK) {
                Next::Batch(records) => recorder.records(&records),
                Next::Empty => {}
                Next::Closed => break,
            }
        }
        if let Some(definitions) = definitions {
            while let Some(definition) = definitions.try_next() {
                recorder.define(definition);
            }
        }
        recorder.dropped(drops);
        missed.into_iter().for_each(|record| recorder.stamped(record));
        if root_tgid == 0 {
            // No settle point: what other programs are in the middle of is no leak. The mark carries the last count.
            recorder.own(ProbeId::Mark, &end_mark());
        } else {
            let looked = look(&mut recorder, list);
            settle_record(&mut recorder, ending, waited, drops, by_proc, request.kill, &looked);
        }
        if request.kill && ending != Ending::Ended {
            children::kill_all(root_tgid);
        }
        if status.is_none() {
            status = running.as_mut().and_then(|r| r.try_wait().ok().flatten());
        }
        if root_tgid != 0 {
            let text = format!("the command {}", status_words(status));
            recorder.define(Definition::Text(text.into()));
        }
        let flight = recorder.flight.take();
        let (judge, definitions, written) = recorder.finish();
        Watched { judge, definitions, header, status, ending, flight, written }
    }
}

/// How a command ended, in words.
#[must_use]
pub fn status_words(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "was still running".to_owned() };
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The mark that a recording without a settle point ends with.
pub fn end_mark() -> Mark {
    let mut mark = Mark { name: [0; 32] };
    for (to, from) in mark.name.iter_mut().zip(b"end of recording") {
        *to = *from;
    }
    mark
}

/// Who holds what now, as a settle record tells of it.
struct Looked {
    scan: u32,
    unreadable: u32,
    listed: u32,
}

/// Looks at all processes, and then at the kernel's own list: what a process holds when it is looked at and lets go of
/// before the list is read is gone, not leaked.
fn look(recorder: &mut Recorder<Judge>, list: Option<DmabufList>) -> Looked {
    let (scan, unreadable) = match scan::dmabuf_users(When::Settle) {
        Ok(scan) => {
            recorder.sightings(&scan);
            (u32::from(scan.is_complete()), scan.unreadable)
        }
        Err(error) => {
            tracing::warn!("the open files of processes could not be looked at: {error}");
            (2, 0)
        }
    };
    let list = listed(list, When::Settle);
    list.iter().flatten().for_each(|one| recorder.own(ProbeId::SeenFd, one));
    Looked { scan, unreadable, listed: u32::from(list.is_some()) }
}

fn settle_record(
    recorder: &mut Recorder<Judge>,
    ending: Ending,
    waited: Duration,
    drops: u64,
    by_proc: u32,
    judged: bool,
    looked: &Looked,
) {
    let Looked { scan, unreadable, listed } = *looked;
    let settle = Settle {
        drops,
        alive: if ending == Ending::Ended { 0 } else { by_proc.max(1) },
        scan,
        waited_ms: u32::try_from(waited.as_millis()).unwrap_or(u32::MAX),
        // A recording that its user ends is no verdict about a program that goes on.
        cut: u32::from(ending != Ending::Ended && !judged),
        unreadable,
        listed,
    };
    recorder.own(ProbeId::Settle, &settle);
}
