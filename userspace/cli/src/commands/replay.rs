//! `gemscope replay FILE`: judge a trace, on any machine.

use gemscope_report::Names;
use gemscope_trace::Reader;

use crate::args::{AtExit, ReplayArgs};
use crate::commands::report::{self, Input};
use crate::exit::Exit;
use crate::policy::Policy;
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
    let mut policy = Policy::load(&args.policy)?;
    let reader = Reader::open(&args.file)?;
    let options = Options {
        until: args.until,
        profile: args.profile,
        at_exit: args.at_exit.map(AtExit::wire).or(policy.config.check.at_exit),
        events: args.events,
        limits: args.limits.limits(&policy.config),
    };
    // Those of the configuration are a check's: a look at a trace must not write over them.
    args.report.iter().try_for_each(|report| report.place().spares(&args.file))?;
    let reports = Reports::open(&args.report, args.json, policy.sink(Sink::Stdout), true)?;
    let mut judged = source::judge(reader, &args.file.to_string_lossy(), &options)?;
    policy.apply(&mut judged);
    let exit = policy.exit(&judged, &args.limits);
    let options = Options { events: false, ..options };
    let page = |names: &Names<'_>| report::page_beside(&Input::Trace(&args.file), &options, names);
    reports.write(ui, &judged.names(), exit, &page)?;
    policy.finish()?;
    Ok(exit)
}
