//! `gemscope replay FILE`: judge a trace, on any machine.

use gemscope_trace::Reader;

use crate::args::{AtExit, ReplayArgs};
use crate::exit::Exit;
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
        limits: args.limits.limits(),
    };
    let judged = source::judge(reader, &args.file.to_string_lossy(), &options)?;
    ui.report(&mut Sink::Stdout, &judged.names(), args.json)?;
    Ok(super::check::exit(&judged, &args.limits))
}
