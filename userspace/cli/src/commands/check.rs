//! `gemscope check`: run a command, or read a trace, and assert that nothing leaks and no rule is broken.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use gemscope_common::scope;
use gemscope_live::privileges::Invoker;
use gemscope_probes::catalogue::Row;
use gemscope_report::Context;
use gemscope_trace::Reader;

use crate::args::{AtExit, CheckArgs};
use crate::capture::{self, Ending, Request, Watched};
use crate::commands::report::{self, Input};
use crate::exit::Exit;
use crate::model::Run;
use crate::reports::{self, Reports};
use crate::source::{self, Options};
use crate::ui::{Sink, Ui};
use crate::values::Source;

pub fn run(args: CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    match (&args.trace, &args.model.source) {
        (Some(path), _) => trace(path, &args, ui),
        (None, Some(source)) => model(source, &args, ui),
        (None, None) => command(args, ui),
    }
}

fn model(source: &Source, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let run = Run::of(source, &args.model)?;
    let reports = Reports::open(&args.report, args.json, Sink::Stdout, true)?;
    if let Some(path) = &args.output {
        run.write(path)?;
    }
    let at_exit = args.at_exit.map(AtExit::wire);
    let judged = run.judge(args.output.as_deref(), at_exit);
    let options = Options { at_exit, ..Options::default() };
    reports.write(ui, &judged.names(), &|names| report::page_beside(&Input::Model(&run), &options, names))
}

fn trace(path: &std::path::Path, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let reader = Reader::open(path)?;
    // A trace of a command says what it was recorded for. One of a whole machine is asserted strictly.
    let recorded = reader.header().scope.root_tgid != 0;
    let at_exit = args.at_exit.map(AtExit::wire).or_else(|| (!recorded).then_some(scope::STRICT));
    let reports = Reports::open(&args.report, args.json, Sink::Stdout, true)?;
    let options = Options { at_exit, ..Options::default() };
    let judged = source::judge(reader, &path.to_string_lossy(), &options)?;
    reports.write(ui, &judged.names(), &|names| report::page_beside(&Input::Trace(path), &options, names))
}

fn command(args: CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    reports::sound(&args.report, args.output.is_some())?;
    let (options, filters) = capture::resolve(&args.capture, ui.verbose)?;
    // Under sudo the report belongs to the user: it is created when gemscope has become them.
    let early = if Invoker::from_sudo()?.is_none() { Some(open(&args)?) } else { None };
    let request = Request {
        options,
        filters,
        at_exit: args.at_exit.unwrap_or(AtExit::Strict).wire(),
        grace: Duration::from_millis(args.grace),
        limit: args.timeout.map(Duration::from_secs_f64),
        kill: true,
        output: args.output.clone(),
        raw_addresses: false,
        ready: None,
        command: args.command.clone(),
    };
    let watched = capture::watch(&request)?;
    let reports = match early {
        Some(reports) => reports,
        None => open(&args)?,
    };
    let Watched { judge, definitions, header, status, ending, written } = watched;
    let mut context = Context::of_trace(&header, |p| Row::of(p).map(|row| row.blind));
    context.status = outcome(status, ending, &request);
    if let Some(written) = &written {
        context.trace = written.path.to_string_lossy().into_owned();
    }
    let judged = source::conclude(judge, context, definitions);
    let options = Options { at_exit: Some(request.at_exit), ..Options::default() };
    reports.write(ui, &judged.names(), &|names| {
        let trace = written.as_ref().context("the trace that the page is made of was not written")?;
        report::page_beside(&Input::Trace(&trace.path), &options, names)
    })
}

fn open(args: &CheckArgs) -> anyhow::Result<Reports> {
    Reports::open(&args.report, args.json, Sink::Stderr, args.output.is_some())
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
