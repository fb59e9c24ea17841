//! `gemscope check`: run a command, or read a trace, and assert that nothing leaks and no rule is broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gemscope_common::scope;
use gemscope_live::privileges::Invoker;
use gemscope_report::Names;
use gemscope_trace::Reader;

use crate::args::{AtExit, CheckArgs};
use crate::capture::{self, Ending, Flight, Request, Watched};
use crate::commands::report::{self, Input};
use crate::exit::Exit;
use crate::model::Run;
use crate::place::Place;
use crate::policy::Policy;
use crate::reports::Reports;
use crate::source::{self, Judged, Options};
use crate::ui::{self, Sink, Ui};
use crate::values::Source;

pub fn run(args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    // What is wrong with it is told before anything is begun.
    let policy = Policy::load(&args.policy)?;
    room(args, &policy)?;
    if let Some(kernel) = &args.vm.in_vm {
        return super::in_vm::run(kernel, args, &policy.written(args)?);
    }
    match (&args.trace, &args.model.source) {
        (Some(path), _) => trace(path, args, policy, ui),
        (None, Some(source)) => model(source, args, policy, ui),
        (None, None) => command(args, policy, ui),
    }
}

/// A trace on stdout has it to itself.
fn room(args: &CheckArgs, policy: &Policy) -> anyhow::Result<()> {
    let Some(place) = args.output.as_ref().filter(|place| place.is_stdout()) else { return Ok(()) };
    ensure!(args.command.is_empty(), "CMD keeps its stdout: give the trace a file with `-o FILE`");
    ensure!(
        !policy.prints(&args.report)?,
        "the trace would go to stdout, and something else too: give each a place of its own"
    );
    place.takes("a trace")
}

/// What stands by the policy, reported.
fn conclude(
    mut judged: Judged,
    mut policy: Policy,
    reports: Reports,
    args: &CheckArgs,
    ui: &Ui,
    keep: impl FnOnce(&mut Judged, Exit) -> anyhow::Result<()>,
    page: &dyn Fn(&Names<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<Exit> {
    policy.apply(&mut judged);
    let exit = policy.exit(&judged, &args.limits);
    keep(&mut judged, exit)?;
    reports.write(ui, &judged.names(), exit, page)?;
    policy.finish()?;
    Ok(exit)
}

fn model(source: &Source, args: &CheckArgs, policy: Policy, ui: &Ui) -> anyhow::Result<Exit> {
    let run = Run::of(source, &args.model)?;
    let traced = args.output.as_ref().is_some_and(Place::is_stdout);
    let people = if traced { Sink::Stderr } else { Sink::Stdout };
    let reports = policy.reports(&args.report, args.json, people, true)?;
    if let Some(place) = &args.output {
        run.write(place)?;
    }
    let options = Options {
        at_exit: at_exit(args, &policy),
        limits: args.limits.limits(&policy.config),
        ..Options::default()
    };
    let judged = run.judge(args.output.as_ref().and_then(Place::file), &options);
    let keep = |_: &mut Judged, exit: Exit| match args.trace_on_failure.as_deref() {
        Some(path) if exit != Exit::Clean => run.write(&Place::File(path.to_owned())).map(drop),
        _ => Ok(()),
    };
    let page = |names: &Names<'_>| report::page_beside(&Input::Model(&run), &options, names);
    conclude(judged, policy, reports, args, ui, keep, &page)
}

fn trace(path: &Path, args: &CheckArgs, policy: Policy, ui: &Ui) -> anyhow::Result<Exit> {
    let reader = Reader::open(path)?;
    // A trace of a command says what it was recorded for. One of a whole machine is asserted strictly.
    let recorded = reader.header().scope.root_tgid != 0;
    let at_exit = at_exit(args, &policy).or_else(|| (!recorded).then_some(scope::STRICT));
    let reports = policy.reports(&args.report, args.json, Sink::Stdout, true)?;
    let options = Options { at_exit, limits: args.limits.limits(&policy.config), ..Options::default() };
    let judged = source::judge(reader, &path.to_string_lossy(), &options)?;
    let page = |names: &Names<'_>| report::page_beside(&Input::Trace(path), &options, names);
    conclude(judged, policy, reports, args, ui, |_, _| Ok(()), &page)
}

fn command(args: &CheckArgs, mut policy: Policy, ui: &Ui) -> anyhow::Result<Exit> {
    let asked = policy.asked(args);
    let wanted = asked.trace_on_failure.as_deref();
    // A page needs the trace, and a trace that is kept on failure only may be gone.
    let kept = args.output.as_ref().and_then(Place::file);
    let pages = kept.is_some();
    let open = || policy.reports(&args.report, args.json, Sink::Stderr, pages);
    policy.sound(&args.report, pages)?;
    let (options, filters) = capture::resolve(&args.capture, ui.verbose)?;
    // Under sudo the report belongs to the user: it is created when gemscope has become them.
    let early = if Invoker::from_sudo()?.is_none() { Some(open()?) } else { None };
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
        at_exit: at_exit(args, &policy).unwrap_or(scope::STRICT),
        grace: asked.grace,
        scope: capture::scope(&asked.scope)?,
        survivors: asked.survivors,
        cycles: asked.cycles,
        limits: args.limits.limits(&policy.config),
        control: args.scope.control.clone(),
        limit: asked.limit,
        kill: !args.command.is_empty(),
        output: args.output.clone().or(apart.clone().map(Place::File)),
        renamed_later: apart.is_some(),
        flight,
        raw_addresses: false,
        ready: (args.command.is_empty() && asked.limit.is_none()).then_some("watching; end it with Ctrl-C"),
        command: args.command.clone(),
    };
    let watched = capture::watch(&request).inspect_err(|_| apart.iter().for_each(remove))?;
    let reports = match early {
        Some(reports) => reports,
        None => open()?,
    };
    policy.failed = watched.failed(&request).then_some(asked.failing_command);
    let Watched { judge, definitions, header, status, cycles, ending, flight, written } = watched;
    let mut context = source::context(&header);
    context.status = outcome(status, cycles, ending, &request);
    let judged = source::conclude(judge, context, definitions);
    let options =
        Options { at_exit: Some(request.at_exit), limits: request.limits.clone(), ..Options::default() };
    let page = |names: &Names<'_>| {
        let trace = kept.context("the trace that the page is made of was not written")?;
        report::page_beside(&Input::Trace(trace), &options, names)
    };
    let keep = |judged: &mut Judged, exit: Exit| {
        let failed = exit != Exit::Clean;
        // Why it could not be written is said; the verdict stands.
        let kept = flight.filter(|_| failed).is_some_and(|keeper| judged.write_flight(keeper));
        let trace = match (&apart, wanted) {
            (Some(apart), Some(path)) if failed => {
                let why = || {
                    format!("cannot call the trace `{}`: it is in `{}`", ui::shown(path), ui::shown(apart))
                };
                fs::rename(apart, path).with_context(why)?;
                Some(path)
            }
            (Some(apart), _) => {
                remove(apart);
                None
            }
            (None, Some(path)) => Some(path).filter(|_| kept),
            (None, None) => written.as_ref().and_then(|w| w.place.file()),
        };
        if let Some(path) = trace {
            judged.written_to(path);
        }
        Ok(())
    };
    conclude(judged, policy, reports, args, ui, keep, &page)
}

/// What to make of things open at exit, where anybody says.
fn at_exit(args: &CheckArgs, policy: &Policy) -> Option<u32> {
    args.at_exit.map(AtExit::wire).or(policy.config.check.at_exit)
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

/// What became of the command, in words.
fn outcome(
    status: Option<ExitStatus>,
    cycles: Option<(bool, String)>,
    ending: Ending,
    request: &Request,
) -> String {
    if request.command.is_empty() {
        return String::new();
    }
    let end = cycles.map_or_else(|| capture::status_words(status), |(_, told)| told);
    match (ending, request.limit) {
        (Ending::Ended, _) => end,
        (Ending::TimeOver, Some(limit)) => {
            format!("ended by gemscope after {} s; {end} then", limit.as_secs_f64())
        }
        (Ending::TimeOver | Ending::Asked, _) => format!("ended by gemscope on a signal; {end} then"),
    }
}
