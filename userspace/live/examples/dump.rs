//! Prints the records of the running kernel: a tool for whoever works on the probes. Needs root.
//!
//! `dump [--hot] [--log] [--filter-tree] [--ring BYTES] [--stall MS] [--quiet] [--debug] [--root] -- COMMAND...`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gemscope_live::{Found, Options, Session, command, privileges, remover};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some(remover::ARGUMENT) {
        return remover::main(args.get(2).map_or("", String::as_str)).into();
    }
    let cut = args.iter().position(|a| a == "--").unwrap_or(args.len());
    let (ours, argv) = args.split_at(cut);
    let flag = |name: &str| ours.iter().any(|a| a == name);
    let value =
        |name: &str| ours.iter().position(|a| a == name).and_then(|i| ours.get(i + 1)?.parse::<u64>().ok());
    if flag("--debug") {
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr).init();
    }
    if flag("--log") {
        log::set_logger(&Print).expect("first");
        log::set_max_level(log::LevelFilter::Debug);
    }
    let mut options = Options { hot: flag("--hot"), kernel_log: flag("--log"), ..Options::default() };
    options.keep_privileges = flag("--root");
    if let Some(ring) = value("--ring") {
        options.ring_bytes = ring as usize;
    }
    options.stall_reader = value("--stall").map(Duration::from_millis);
    options.stacks = !flag("--no-stacks");
    options.definitions = !flag("--no-stacks");

    let invoker = privileges::Invoker::from_sudo().expect("the user");
    let words: Vec<_> = argv.iter().skip(1).map(Into::into).collect();
    let hold = || command::hold(&words, invoker.as_ref(), &command::Given::default()).expect("held");
    let held = (!words.is_empty()).then(hold);
    if let (Some(held), true) = (&held, flag("--filter-tree")) {
        options.filter.tgids = vec![held.pid()];
        options.filter.tree = true;
    }
    let begin = Instant::now();
    let session = match Session::start(&options) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("dump: {error}");
            return ExitCode::from(2);
        }
    };
    eprintln!(
        "started in {:?}: {:?}, profile {}, features {:?}",
        begin.elapsed(),
        session.how(),
        session.plan().profile.name(),
        session.plan().features.names().collect::<Vec<_>>()
    );
    for planned in &session.plan().probes {
        if let Some(text) = planned.degradation() {
            eprintln!("  {text}");
        }
    }
    let quiet = flag("--quiet");
    let batches = session.batches().clone();
    let printer = std::thread::spawn(move || {
        let mut count = 0u64;
        let mut last_drops = 0;
        let mut take = |records: &[gemscope_common::Record]| {
            count += records.len() as u64;
            for record in records {
                last_drops = record.header.drops;
                if !quiet {
                    println!("{record:?}");
                }
            }
        };
        while batches.drain(Duration::from_millis(200), usize::MAX, &mut take) != Found::Closed {}
        (count, last_drops)
    });
    if let Some(held) = held {
        let begin = Instant::now();
        match held.release() {
            Ok(mut running) => eprintln!("the command: {:?} in {:?}", running.wait(), begin.elapsed()),
            Err(error) => eprintln!("dump: {error}"),
        }
        std::thread::sleep(Duration::from_millis(300));
    } else {
        std::thread::sleep(Duration::from_secs(10));
    }
    let begin = Instant::now();
    let tail = session.stop();
    eprintln!("stopped in {:?}", begin.elapsed());
    let (count, last_drops) = printer.join().expect("the printer");
    eprintln!("records {count}, drops {} (last record says {last_drops})", tail.drops);
    for record in &tail.missed {
        eprintln!("{:?}", record.payload::<gemscope_common::Missed>());
    }
    for (id, phase, hits) in tail.hits.iter().filter(|(.., hits)| *hits > 0) {
        eprintln!("hits {} {phase:?} {hits}", id.name());
    }
    let mut definitions = 0;
    while let Some(definition) = tail.definitions.as_ref().and_then(gemscope_live::Definitions::try_next) {
        definitions += 1;
        if !quiet {
            println!("{definition:?}");
        }
    }
    eprintln!("definitions {definitions}");
    ExitCode::SUCCESS
}

struct Print;

impl log::Log for Print {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        eprintln!("[{}] {}", record.level(), record.args());
    }
    fn flush(&self) {}
}
