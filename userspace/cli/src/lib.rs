//! The `gemscope` command: arguments, wiring, exit codes.
//!
//! What it is not for: rules (the engine), words (report), the kernel (live). A library beside the binary, so that
//! tests and benches reach everything that does not need a kernel.

pub mod args;
mod beside;
mod capture;
mod commands;
pub mod exit;
mod explore;
#[cfg(test)]
mod fixture;
mod mistake;
mod model;
pub mod pipeline;
mod play;
mod policy;
mod reports;
mod scenario;
mod snapshot;
pub mod source;
mod top;
mod ui;
mod values;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use gemscope_live::{remover, repeat};

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::ui::Ui;

/// Runs gemscope with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    // The helpers that remove probes after a crash, and that do an action again and again, are this same binary.
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == remover::ARGUMENT => {
            let group = words.next().unwrap_or_default();
            return ExitCode::from(remover::main(&group.to_string_lossy()));
        }
        Some(word) if word == repeat::ARGUMENT => return ExitCode::from(repeat::main(words)),
        _ => {}
    }
    let cli = Cli::parse();
    let ui = Ui::new(cli.color, cli.verbose);
    speak_up(cli.verbose);
    match run(cli.command, &ui) {
        Ok(exit) => exit.into(),
        Err(error) => {
            match error.downcast_ref::<mistake::Mistakes>() {
                // They show the lines at fault: more than a paragraph.
                Some(mistakes) => ui::say(&mistakes.to_string()),
                None => ui::say(&paragraph(&error)),
            }
            Exit::CannotRun.into()
        }
    }
}

/// Messages of gemscope's own doing, and with `-vv` those of the programs in the kernel, go to stderr.
fn speak_up(verbose: u8) {
    use tracing::Level;
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::prelude::*;
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The loader's own steps are of no use to a user: of other crates only what goes wrong is said.
    let ours =
        |meta: &tracing::Metadata<'_>| meta.target().starts_with("gemscope") || *meta.level() <= Level::WARN;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| ui::Beside)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_filter(level)
        .with_filter(filter_fn(ours));
    tracing_subscriber::registry().with(lines).init();
}

fn run(command: Command, ui: &Ui) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => commands::demo::run(&args, ui),
        Command::Top(args) => top::run(&args, ui),
        Command::Check(args) => commands::check::run(&args, ui),
        Command::Mark(args) => commands::mark::run(&args),
        Command::Record(args) => commands::record::run(args, ui),
        Command::Replay(args) => commands::replay::run(&args, ui),
        Command::Snapshot(args) => commands::snapshot::run(&args, ui),
        Command::Export(args) => commands::export::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Explore(args) => commands::explore::run(&args, ui),
        Command::Explain(args) => commands::explain::run(&args, ui),
        Command::Doctor(args) => commands::doctor::run(&args, ui),
        Command::Probes(args) => commands::probes::run(&args, ui),
    }
}

/// An error with its causes as one paragraph. Paths and names in it come from outside.
fn paragraph(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Many errors already tell their cause.
        if !causes.iter().any(|said| said.contains(&text)) {
            causes.push(text);
        }
    }
    gemscope_report::escape::cut(causes.join(": ").as_bytes(), 1000).replace("\\\\", "\\")
}
