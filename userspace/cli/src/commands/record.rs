//! `gemscope record -o FILE`: write what the kernel does into a trace.

use std::path::Path;
use std::time::Duration;

use gemscope_common::scope;
use gemscope_policy::Limits;
use gemscope_report::{escape, plural, size};

use crate::args::RecordArgs;
use crate::capture::{self, Ending, Request};
use crate::exit::Exit;
use crate::model::Run;
use crate::ui::{self, Ui};

pub fn run(args: RecordArgs, ui: &Ui) -> anyhow::Result<Exit> {
    if let Some(source) = &args.model.source {
        let summary = Run::of(source, &args.model)?.write(&args.output)?;
        ui::say(&format!(
            "{} in {}, none lost",
            plural(summary.records, "record", "records"),
            size(summary.bytes)
        ));
        return judge_it(&args.output);
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
        output: Some(args.output),
        raw_addresses: args.raw_addresses,
        ready: (alone && args.duration.is_none()).then_some("recording; end it with Ctrl-C"),
    };
    let watched = capture::watch(&request)?;
    let Some(written) = watched.written else { return Ok(Exit::CannotRun) };
    let Some(summary) = written.summary else {
        // Why was said when it happened.
        return Ok(Exit::CannotRun);
    };
    let counts = watched.judge.engine().counts();
    let lost = ui::lost(counts.drops);
    ui::say(&format!("{} in {}, {lost}", plural(summary.records, "record", "records"), size(summary.bytes)));
    if watched.ending != Ending::Ended && watched.status.is_none() && !alone {
        ui::say("the command goes on, unwatched");
    }
    judge_it(&written.path)
}

fn judge_it(path: &Path) -> anyhow::Result<Exit> {
    ui::say(&format!("judge it: gemscope replay {}", escape::long(path.to_string_lossy().as_bytes())));
    Ok(Exit::Clean)
}
