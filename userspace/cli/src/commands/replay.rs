//! `gemscope replay FILE`: judge a trace, on any machine.

use gemscope_trace::Reader;

use crate::args::{AtExit, ReplayArgs};
use crate::commands::report::{self, Input};
use crate::exit::Exit;
use crate::reports::Reports;
use crate::source::{self, Options};
use crate::ui::{Sink, Ui};

pub fn run(args: &ReplayArgs, ui: &Ui) -> anyhow::Result<Exit> {
    if args.conformance {
        return super::conform::run(args);
    }
    if let Some(era) = args.what_if {
        return super::what_if::run(args, era);
    }
    let reader = Reader::open(&args.file)?;
    let options = Options {
        until: args.until,
        profile: args.profile,
        at_exit: args.at_exit.map(AtExit::wire),
        events: args.events,
    };
    let reports = Reports::open(&args.report, args.json, Sink::Stdout, true)?;
    let judged = source::judge(reader, &args.file.to_string_lossy(), &options)?;
    let options = Options { events: false, ..options };
    reports
        .write(ui, &judged.names(), &|names| report::page_beside(&Input::Trace(&args.file), &options, names))
}
