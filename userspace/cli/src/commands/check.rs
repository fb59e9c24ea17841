//! `gemscope check`: run a command, or read a trace, and assert that nothing leaks and no rule is broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use gemscope_common::scope;
use gemscope_engine::Verdict;
use gemscope_live::privileges::Invoker;
use gemscope_probes::catalogue::Row;
use gemscope_report::{Context, escape};
use gemscope_trace::Reader;

use crate::args::{AtExit, CheckArgs, LimitArgs, Undecided};
use crate::capture::{self, Cycles, Ending, Flight, Request, Watched};
use crate::exit::Exit;
use crate::model::Run;
use crate::source::{self, Judged, Options};
use crate::ui::{self, Sink, Ui};
use crate::values::Source;

pub fn run(args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    match (&args.trace, &args.model.source) {
        (Some(path), _) => trace(path, args, ui),
        (None, Some(source)) => model(source, args, ui),
        (None, None) => command(args, ui),
    }
}

/// The exit code of a judgement, by what is to be made of an undecided one.
pub(super) fn exit(judged: &Judged, limits: &LimitArgs) -> Exit {
    let verdict = &judged.judgement().verdict;
    let undecided = limits.undecided.unwrap_or_default();
    if undecided == Undecided::Warn && matches!(verdict, Verdict::Undecided(_)) {
        ui::say("warning: the verdict is undecided, and passes as --undecided=warn asks");
    }
    Exit::of_check(verdict, undecided)
}

fn model(source: &Source, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let run = Run::of(source, &args.model)?;
    let mut sink = Sink::file_or(args.report.as_deref(), Sink::Stdout)?;
    if let Some(path) = &args.output {
        run.write(path)?;
    }
    let options = Options {
        at_exit: args.at_exit.map(AtExit::wire),
        limits: args.limits.limits(),
        ..Options::default()
    };
    let judged = run.judge(args.output.as_deref(), &options);
    ui.report(&mut sink, &judged.names(), args.json)?;
    let exit = exit(&judged, &args.limits);
    if let Some(path) = args.trace_on_failure.as_deref().filter(|_| exit != Exit::Clean) {
        run.write(path)?;
    }
    Ok(exit)
}

fn trace(path: &Path, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let reader = Reader::open(path)?;
    // A trace of a command says what it was recorded for. One of a whole machine is asserted strictly.
    let recorded = reader.header().scope.root_tgid != 0;
    let at_exit = args.at_exit.map(AtExit::wire).or_else(|| (!recorded).then_some(scope::STRICT));
    let mut sink = Sink::file_or(args.report.as_deref(), Sink::Stdout)?;
    let options = Options { at_exit, limits: args.limits.limits(), ..Options::default() };
    let judged = source::judge(reader, &path.to_string_lossy(), &options)?;
    ui.report(&mut sink, &judged.names(), args.json)?;
    Ok(exit(&judged, &args.limits))
}

fn command(args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let (options, filters) = capture::resolve(&args.capture, ui.verbose)?;
    // Under sudo the report belongs to the user: it is created when gemscope has become them.
    let early = if Invoker::from_sudo()?.is_none() { Some(sink(args)?) } else { None };
    let wanted = args.trace_on_failure.as_deref();
    let flight = args.trace_limit.zip(wanted).map(|(bytes, path)| Flight {
        bytes,
        path: path.to_owned(),
        after: Duration::ZERO,
        // The verdict decides, and that comes at the end.
        keep: 0,
        replace: true,
    });
    let apart = wanted.filter(|_| flight.is_none()).map(beside);
    let request = Request {
        options,
        filters,
        at_exit: args.at_exit.unwrap_or(AtExit::Strict).wire(),
        grace: Duration::from_millis(args.grace),
        scope: capture::scope(&args.scope.scope)?,
        survivors: args.scope.survivor.clone(),
        cycles: args.scope.cycles.map(|times| Cycles { times, pause: args.scope.pause() }),
        limits: args.limits.limits(),
        control: args.scope.control.clone(),
        limit: args.timeout.or(args.scope.duration).map(Duration::from_secs_f64),
        kill: !args.command.is_empty(),
        output: args.output.clone().or(apart.clone()),
        renamed_later: apart.is_some(),
        flight,
        raw_addresses: false,
        ready: (args.command.is_empty() && args.scope.duration.is_none())
            .then_some("watching; end it with Ctrl-C"),
        command: args.command.clone(),
    };
    let watched = capture::watch(&request).inspect_err(|_| apart.iter().for_each(remove))?;
    let mut sink = match early {
        Some(sink) => sink,
        None => sink(args)?,
    };
    let Watched { judge, definitions, header, status, ending, flight, written } = watched;
    let mut context = Context::of_trace(&header, |p| Row::of(p).map(|row| row.blind));
    context.status = outcome(status, ending, &request);
    let mut judged = source::conclude(judge, context, definitions);
    let exit = exit(&judged, &args.limits);
    let failed = exit != Exit::Clean;
    // Why it could not be written is said; the verdict stands.
    let kept = flight.filter(|_| failed).is_some_and(|keeper| judged.write_flight(keeper));
    let trace = match (&apart, wanted) {
        (Some(apart), Some(path)) if failed => {
            let shown = || format!("cannot call the trace `{}`: it is in `{}`", shown(path), shown(apart));
            fs::rename(apart, path).with_context(shown)?;
            Some(path)
        }
        (Some(apart), _) => {
            remove(apart);
            None
        }
        (None, Some(path)) => Some(path).filter(|_| kept),
        (None, None) => written.as_ref().map(|w| w.path.as_path()),
    };
    if let Some(path) = trace {
        judged.written_to(path);
    }
    ui.report(&mut sink, &judged.names(), args.json)?;
    Ok(exit)
}

fn sink(args: &CheckArgs) -> anyhow::Result<Sink> {
    Sink::file_or(args.report.as_deref(), Sink::Stderr)
}

/// Where a trace lies until it is known to be wanted.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Removes a trace that nobody wants.
fn remove(path: &PathBuf) {
    // One that is not there was not created.
    let _ = fs::remove_file(path);
}

fn shown(path: &Path) -> String {
    escape::long(path.to_string_lossy().as_bytes())
}

/// What became of the command, in words.
fn outcome(status: Option<ExitStatus>, ending: Ending, request: &Request) -> String {
    let end = capture::status_words(status);
    match (ending, request.limit) {
        (Ending::Ended, _) => end,
        (Ending::TimeOver, Some(limit)) => {
            format!("ended by gemscope after {} s; {end} then", limit.as_secs_f64())
        }
        (Ending::TimeOver | Ending::Asked, _) => format!("ended by gemscope on a signal; {end} then"),
    }
}
