//! `gemscope check`: run a command, or read a trace, and assert that nothing leaks and no rule is broken.

use std::process::ExitStatus;
use std::time::Duration;

use gemscope_common::scope;
use gemscope_live::privileges::Invoker;
use gemscope_probes::catalogue::Row;
use gemscope_report::Context;
use gemscope_trace::Reader;

use crate::args::{AtExit, CheckArgs};
use crate::capture::{self, Ending, Request, Watched};
use crate::exit::Exit;
use crate::model::Run;
use crate::source::{self, Options};
use crate::ui::{Sink, Ui};
use crate::values::Source;

pub fn run(args: CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    if let Some(kernel) = &args.vm.in_vm {
        return super::in_vm::run(kernel, &args);
    }
    match (&args.trace, &args.model.source) {
        (Some(path), _) => trace(path, &args, ui),
        (None, Some(source)) => model(source, &args, ui),
        (None, None) => command(args, ui),
    }
}

fn model(source: &Source, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let run = Run::of(source, &args.model)?;
    let mut sink = Sink::file_or(args.report.as_deref(), Sink::Stdout)?;
    if let Some(path) = &args.output {
        run.write(path)?;
    }
    let judged = run.judge(args.output.as_deref(), args.at_exit.map(AtExit::wire));
    ui.report(&mut sink, &judged.names(), args.json)?;
    Ok(Exit::of(&judged.judgement().verdict))
}

fn trace(path: &std::path::Path, args: &CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let reader = Reader::open(path)?;
    // A trace of a command says what it was recorded for. One of a whole machine is asserted strictly.
    let recorded = reader.header().scope.root_tgid != 0;
    let at_exit = args.at_exit.map(AtExit::wire).or_else(|| (!recorded).then_some(scope::STRICT));
    let mut sink = Sink::file_or(args.report.as_deref(), Sink::Stdout)?;
    let judged = source::judge(reader, &path.to_string_lossy(), &Options { at_exit, ..Options::default() })?;
    ui.report(&mut sink, &judged.names(), args.json)?;
    Ok(Exit::of(&judged.judgement().verdict))
}

fn command(args: CheckArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let (options, filters) = capture::resolve(&args.capture, ui.verbose)?;
    // Under sudo the report belongs to the user: it is created when gemscope has become them.
    let early = if Invoker::from_sudo()?.is_none() { Some(sink(&args)?) } else { None };
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
    let mut sink = match early {
        Some(sink) => sink,
        None => sink(&args)?,
    };
    let Watched { judge, definitions, header, status, ending, written } = watched;
    let mut context = Context::of_trace(&header, |p| Row::of(p).map(|row| row.blind));
    context.status = outcome(status, ending, &request);
    if let Some(written) = &written {
        context.trace = written.path.to_string_lossy().into_owned();
    }
    let judged = source::conclude(judge, context, definitions);
    ui.report(&mut sink, &judged.names(), args.json)?;
    Ok(Exit::of(&judged.judgement().verdict))
}

fn sink(args: &CheckArgs) -> anyhow::Result<Sink> {
    Sink::file_or(args.report.as_deref(), Sink::Stderr)
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
