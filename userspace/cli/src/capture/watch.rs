//! The session itself: start, wait for the end, settle.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use gemscope_common::scope::{IGNORE, WATCHED};
use gemscope_common::{ProbeId, Record, Scope, SeenFd};
use gemscope_live::command::{self, Given, Running};
use gemscope_live::privileges::Invoker;
use gemscope_live::scan::{self, Scan, When};
use gemscope_live::{DmabufList, Found, Options, Session, prereq, repeat};
use gemscope_policy::Limits;
use gemscope_report::plural;
use gemscope_trace::{Definitions, TraceHeader};

use super::children;
use super::control::{self, Control};
use super::cycles::{Cycles, Cycling, Step};
use super::flight::{self, Because, Flight, Keeper};
use super::header::{self, Facts};
use super::marks::{Due, Marks};
use super::output::{self, Output, Written};
use super::recorder::Recorder;
use super::scope;
use super::signals::{self, Asks, Signals};
use crate::pipeline::Judge;
use crate::place::Place;
use crate::ui;

/// How often everything but the ring is looked at.
pub(super) const TICK: Duration = Duration::from_millis(20);
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
    /// whom the verdict is about beside the command
    pub scope: scope::Watched,
    /// processes of these names may go on
    pub survivors: Vec<String>,
    /// the command is an action that is done again and again
    pub cycles: Option<Cycles>,
    /// what is asserted beyond the rules
    pub limits: Limits,
    /// the path of the control socket; without one it has a name only
    pub control: Option<PathBuf>,
    /// end after this time
    pub limit: Option<Duration>,
    /// kill the command when the time is over
    pub kill: bool,
    /// the trace to write
    pub output: Option<Place>,
    /// that trace gets another name when it is known to be wanted
    pub renamed_later: bool,
    /// keep the last records in memory
    pub flight: Option<Flight>,
    /// keep kernel addresses in traces
    pub raw_addresses: bool,
    /// what to tell the user once the probes are attached
    pub ready: Option<&'static str>,
}

impl Request {
    /// What a report tells of whom it is about, and of how the command is run.
    fn told(&self) -> impl Iterator<Item = String> {
        let scope::Watched { machine, roots } = &self.scope;
        let watched = match (machine, roots.as_slice()) {
            (true, _) => Some("judged is what every process of the machine does".to_owned()),
            (false, []) => None,
            (false, roots) => {
                let pids: Vec<String> = roots.iter().map(u32::to_string).collect();
                Some(format!("judged too: what was running as pid {}, and what that starts", pids.join(", ")))
            }
        };
        let cycles = self.cycles.map(|Cycles { times, .. }| {
            let who = if roots.is_empty() { "every process" } else { "the command and those" };
            let times = plural(u64::from(times), "time", "times");
            format!("the command is run {times}, and growth judged of {who}")
        });
        watched.into_iter().chain(cycles)
    }
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
    /// of a command that was done again and again: whether that went well to the end, and what to tell of it
    pub cycles: Option<(bool, String)>,
    /// why watching ended
    pub ending: Ending,
    /// the flight recorder, with all that it still has
    pub flight: Option<Keeper>,
    /// what became of the trace
    pub written: Option<Written>,
}

impl Watched {
    /// Was there a command, and did it fail?
    #[must_use]
    pub fn failed(&self, request: &Request) -> bool {
        let went_well = match &self.cycles {
            Some((whole, _)) => *whole,
            None => self.status.is_some_and(|status| status.success()),
        };
        !request.command.is_empty() && !went_well
    }
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
    let more = [signals::MARK, signals::WRITE];
    let signals = Signals::take(if request.flight.is_some() { &more } else { &more[..1] })?;
    let invoker = Invoker::from_sudo()?;
    output::with_file(request.output.as_ref().and_then(Place::file), invoker.as_ref(), || {
        started(request, invoker.as_ref(), &signals)
    })
}

fn started(request: &Request, invoker: Option<&Invoker>, signals: &Signals) -> anyhow::Result<Watched> {
    let control = Control::open(request.control.as_deref(), invoker)?;
    let (held, cycling) = hold(request, invoker, &control)?;
    let mut session = Session::start(&request.options)?;
    // Now that rights are given up: what is found out at the end would be too late.
    let later = request.output.as_ref().and_then(Place::file).filter(|_| request.renamed_later);
    later.map_or(Ok(()), flight::check_place)?;
    let command = held.as_ref().map_or(0, command::Held::pid);
    let root_tgid = if request.scope.machine { 0 } else { command };
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
    header.notes.extend(request.told());
    let output = Output::of(request.output.clone(), &header)?;
    let judge = Judge::asserting(header::config(&session, &header), request.limits.clone());
    let mut recorder = Recorder::new(judge, output);
    recorder.flight = request.flight.as_ref().map(|plan| Keeper::new(plan, &header)).transpose()?;
    let at_exit = request.at_exit;
    // Without it, what is left at an exit is told and not judged.
    let everybody = request.scope.roots.is_empty() && at_exit != IGNORE;
    if held.is_some() || everybody {
        recorder.own(ProbeId::Scope, &Scope { root_tgid, at_exit, ..Scope::default() });
    }
    for root in &request.scope.roots {
        let watched = Scope { root_tgid: *root, at_exit, watched: WATCHED, ..Scope::default() };
        recorder.own(ProbeId::Scope, &watched);
    }
    recorder.sightings(&before);
    if let Some(ready) = request.ready {
        ui::say(ready);
    }
    let running = held.map(command::Held::release).transpose()?;
    let marks = Marks::default();
    let watch = Watch {
        request,
        session,
        recorder,
        running,
        control,
        marks,
        cycling,
        command,
        root_tgid,
        status: None,
    };
    watch.run(signals, header)
}

/// The command, held before its first instruction; and how it is done again and again, if it is.
fn hold(
    request: &Request,
    invoker: Option<&Invoker>,
    control: &Control,
) -> anyhow::Result<(Option<command::Held>, Option<Cycling>)> {
    let Some(program) = request.command.first() else { return Ok((None, None)) };
    command::adopt_orphans()?;
    let env = vec![(control::VARIABLE.to_owned(), control.address().to_owned())];
    let given = Given { env, ..Given::default() };
    let Some(cycles) = request.cycles else {
        return Ok((Some(command::hold(&request.command, invoker, &given)?), None));
    };
    let (link, other) = repeat::link()?;
    let given = Given { keep: Some(other.fd()), program: Some(program.clone()), ..given };
    let held = command::hold(&other.command(&request.command), invoker, &given)?;
    Ok((Some(held), Some(Cycling::new(cycles, link)?)))
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
pub(super) fn listed(list: Option<DmabufList>, when: When) -> Option<Vec<SeenFd>> {
    let read = list?.read(when);
    read.inspect_err(|error| tracing::warn!("the kernel's list of dma-bufs cannot be read: {error}")).ok()
}

pub(super) struct Watch<'a> {
    pub(super) request: &'a Request,
    pub(super) session: Session,
    pub(super) recorder: Recorder<Judge>,
    pub(super) running: Option<Running>,
    control: Control,
    marks: Marks,
    pub(super) cycling: Option<Cycling>,
    /// its pid; 0 without one
    pub(super) command: u32,
    /// root of the tree that is settled; 0 without one, or where the verdict is about the whole machine
    pub(super) root_tgid: u32,
    pub(super) status: Option<ExitStatus>,
}

impl Watch<'_> {
    fn run(mut self, signals: &Signals, header: TraceHeader) -> anyhow::Result<Watched> {
        let waited = self.wait(signals);
        if waited.is_err() {
            children::kill_all(self.command);
        }
        let (ending, waited) = waited?;
        Ok(self.settle(ending, waited, header))
    }

    /// Waits for the end. Also gives how long the kernel has had since the last process ended.
    fn wait(&mut self, signals: &Signals) -> anyhow::Result<(Ending, Duration)> {
        let begun = Instant::now();
        let (mut root_ended, mut tree_ended): (Option<Instant>, Option<Instant>) = (None, None);
        let mut asked = 0;
        loop {
            let idle = self.take();
            self.marks.listen(&mut self.control);
            while let Some(arrived) = signals.next() {
                if arrived.asks == Asks::Mark {
                    self.marks.want("SIGUSR1");
                    continue;
                }
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
                    _ => return Ok((Ending::Asked, Duration::ZERO)),
                }
            }
            if self.request.limit.is_some_and(|limit| begun.elapsed() >= limit) {
                return Ok((Ending::TimeOver, Duration::ZERO));
            }
            if self.command == 0 {
                continue;
            }
            self.cycle()?;
            command::reap_orphans(self.command);
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
                    return Ok((Ending::Ended, waited));
                }
            }
        }
    }

    /// Everything that has come since the last time. Was there nothing?
    fn take(&mut self) -> bool {
        /// However much comes, signals and the clock are looked at too.
        const MOST: usize = 64;
        let batches = self.session.batches().clone();
        // Asked after each batch: what a busy machine has waiting may be more than the flight recorder keeps.
        let found = batches.drain(TICK, MOST, |records| {
            self.records(records);
            self.write_if_due();
        });
        let idle = found != Found::Some;
        if idle {
            // What was asked for has happened a while ago, and so has everything before it.
            while let Some(due) = self.marks.next() {
                self.mark(due);
            }
        }
        self.define();
        self.recorder.tick();
        if let Some(flight) = &mut self.recorder.flight {
            flight.sweep(&mut self.recorder.definitions, self.recorder.learner.engine());
        }
        self.write_if_due();
        idle
    }

    /// Every definition that has come since the last time.
    fn define(&mut self) {
        while let Some(definition) = self.session.definitions().and_then(gemscope_live::Definitions::try_next)
        {
            self.recorder.define(definition);
        }
    }

    /// Writes what the flight recorder has, when a finding is long enough ago.
    fn write_if_due(&mut self) {
        let Recorder { learner, flight: Some(flight), .. } = &mut self.recorder else { return };
        if flight.is_due(learner.engine().findings().len()) {
            self.define();
            self.write(Because::Found);
        }
    }

    /// Writes what the flight recorder has, with the misses that the kernel has counted so far.
    fn write(&mut self, because: Because) {
        self.recorder.dropped(self.session.drops());
        self.session.missed().into_iter().for_each(|record| self.recorder.stamped(record));
        let Recorder { learner, definitions, flight: Some(flight), .. } = &mut self.recorder else { return };
        flight.write(because, learner, definitions);
    }

    /// Takes in records, and sets the marks that were asked for between them.
    fn records(&mut self, mut records: &[Record]) {
        loop {
            let (before, rest) = records.split_at(self.marks.before(records));
            self.recorder.records(before);
            if rest.is_empty() {
                return;
            }
            let Some(due) = self.marks.next() else { return };
            self.mark(due);
            records = rest;
        }
    }

    fn mark(&mut self, due: Due) {
        self.recorder.own(ProbeId::Mark, &due.payload());
        due.done();
    }

    /// The next cycle, when the last one is over.
    fn cycle(&mut self) -> anyhow::Result<()> {
        let Some(cycling) = &mut self.cycling else { return Ok(()) };
        let quiet = || self.recorder.learner.engine().pending() == 0;
        if let Step::Mark(done) = cycling.step(quiet, self.request.grace)? {
            self.marks.want(&format!("cycle {done}"));
            cycling.go_on();
        }
        Ok(())
    }

    /// Have all processes of the command ended? Records say so; when those were lost or filtered, `/proc` does.
    fn tree_has_ended(&self, root_ended: Option<Instant>) -> bool {
        if self.root_tgid != 0 && self.recorder.learner.engine().scope_alive() == 0 {
            return true;
        }
        root_ended.is_some_and(|at| at.elapsed() >= LATE) && self.left().is_empty()
    }

    /// Processes that the command left behind and that are to end.
    pub(super) fn left(&self) -> Vec<u32> {
        let survives = |pid: &u32| {
            let comm = scope::comm(*pid).unwrap_or_default();
            self.request.survivors.iter().any(|name| scope::is_called(&comm, name))
        };
        let mut left = children::live();
        left.retain(|pid| !survives(pid));
        left
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
