//! `gemscope record -o FILE`: write what the kernel does into a trace, or with `--ring` its end when something was found.

use std::time::Duration;

use anyhow::ensure;
use gemscope_common::scope;
use gemscope_policy::Limits;
use gemscope_report::{Context, plural, size};
use gemscope_trace::Definitions;

use crate::args::{FlightArgs, RecordArgs};
use crate::capture::{self, Ending, Flight, Keeper, Request};
use crate::exit::Exit;
use crate::model::Run;
use crate::pipeline::Judge;
use crate::source;
use crate::ui::{self, Sink, Ui};

pub fn run(args: RecordArgs, ui: &Ui) -> anyhow::Result<Exit> {
    if args.output.is_stdout() {
        ensure!(args.command.is_empty(), "CMD keeps its stdout: give the trace a file with `-o FILE`");
        ensure!(
            args.flight.ring.is_none(),
            "a flight recorder writes one trace after the other: give it a file with `-o FILE`"
        );
        args.output.takes("a trace")?;
    }
    let flight = flight(&args);
    if let Some(source) = &args.model.source {
        if let Some(plan) = &flight {
            return model(Run::of(source, &args.model)?, plan, &args, ui);
        }
        let summary = Run::of(source, &args.model)?.write(&args.output)?;
        ui::say(&format!(
            "{} in {}, none lost",
            plural(summary.records, "record", "records"),
            size(summary.bytes)
        ));
        args.output.say_how_to_judge();
        return Ok(Exit::Clean);
    }
    let (options, filters) = capture::resolve(&args.capture, ui.verbose)?;
    let alone = args.command.is_empty();
    let request = Request {
        options,
        filters,
        command: args.command,
        at_exit: if alone { scope::IGNORE } else { scope::STRICT },
        grace: Duration::from_millis(args.grace),
        scope: capture::Scope::default(),
        survivors: Vec::new(),
        cycles: None,
        limits: Limits::default(),
        control: None,
        limit: args.duration.map(Duration::from_secs_f64),
        kill: false,
        output: Some(args.output).filter(|_| flight.is_none()),
        renamed_later: false,
        flight,
        raw_addresses: args.raw_addresses,
        ready: (alone && args.duration.is_none()).then_some("recording; end it with Ctrl-C"),
    };
    let watched = capture::watch(&request)?;
    let goes_on = watched.ending != Ending::Ended && watched.status.is_none() && !alone;
    let leave = || {
        if goes_on {
            ui::say("the command goes on, unwatched")
        }
    };
    if let Some(keeper) = watched.flight {
        let written = keeper.finish(args.flight.at_end, &watched.judge, &watched.definitions);
        let context = source::context(&watched.header);
        found(watched.judge, context, watched.definitions, ui)?;
        leave();
        return Ok(if written { Exit::Clean } else { Exit::CannotRun });
    }
    let Some(written) = watched.written else { return Ok(Exit::CannotRun) };
    let Some(summary) = written.summary else {
        // Why was said when it happened.
        return Ok(Exit::CannotRun);
    };
    let counts = watched.judge.engine().counts();
    let lost = ui::lost(counts.drops);
    ui::say(&format!("{} in {}, {lost}", plural(summary.records, "record", "records"), size(summary.bytes)));
    leave();
    written.place.say_how_to_judge();
    Ok(Exit::Clean)
}

/// What the options say of the flight recorder.
fn flight(args: &RecordArgs) -> Option<Flight> {
    let FlightArgs { ring, after, keep, at_end: _ } = args.flight;
    let after = Duration::from_secs_f64(after);
    Some(Flight { bytes: ring?, path: args.output.file()?.to_owned(), after, keep, replace: false })
}

fn model(run: Run, plan: &Flight, args: &RecordArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let mut keeper = Keeper::new(plan, run.header())?;
    let (config, context, definitions, records) = run.into_parts();
    let mut judge = Judge::new(config);
    judge.ingest(&records);
    judge.finish();
    keeper.records(&records);
    let written = keeper.finish(args.flight.at_end, &judge, &definitions);
    found(judge, context, definitions, ui)?;
    Ok(if written { Exit::Clean } else { Exit::CannotRun })
}

/// Tells what was found in all that was seen, of which a trace may have the end only.
fn found(judge: Judge, context: Context, definitions: Definitions, ui: &Ui) -> anyhow::Result<()> {
    let counts = judge.engine().counts();
    let findings = plural(judge.engine().findings().len() as u64, "finding", "findings");
    let seen = plural(counts.records, "record", "records");
    ui::say(&format!("{seen} seen, {}, {findings}", ui::lost(counts.drops)));
    if !judge.engine().findings().is_empty() {
        let judged = source::conclude(judge, context, definitions);
        ui.report(&mut Sink::Stderr, &judged.names(), false)?;
    }
    Ok(())
}
