//! `gemscope demo`: a trace of a real kernel, bundled, so that the first look needs neither root nor a GPU.

use std::io::Cursor;

use anyhow::Context as _;
use gemscope_trace::Reader;

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::source::{self, Options};
use crate::ui::{self, Sink, Ui};

/// Recorded with `gemscope record` while a client forgot one GEM_CLOSE.
const TRACE: &[u8] = include_bytes!("../../../../tests/fixtures/traces/6.12/forget-gem-close.gemtrace");

/// How the bundled trace is called.
const NAME: &str = "bundled: a client on Debian 13 that forgets GEM_CLOSE";

pub fn run(args: &DemoArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let reader = Reader::new(Cursor::new(TRACE), NAME).context("the bundled trace cannot be read")?;
    let judged = source::judge(reader, NAME, &Options { events: args.events, ..Options::default() })?;
    ui.report(&mut Sink::Stdout, &judged.names(), args.json)?;
    if !args.json {
        ui::print(NEXT)?;
    }
    // Whatever the verdict: showing it was the task.
    Ok(Exit::Clean)
}

const NEXT: &str = "\
That was a recording. Next, on this machine:
   gemscope explain handle-leak           what the rule means and where the kernel keeps it
   gemscope demo --events                 every step of the recording
   gemscope doctor                        what this kernel offers, and what is missing
   sudo gemscope check -- YOUR-PROGRAM    run a program and assert that it leaks nothing
";
