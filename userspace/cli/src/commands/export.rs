//! `gemscope export FILE`: a trace in the format of another tool.

mod pump;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context as _, bail};
use gemscope_report::export::{Now, Perfetto, Told, csv, folded, jsonl};
use gemscope_report::survey::Kind;

use self::pump::{Input, Pump};
use crate::args::export::{ExportArgs, Format, Moment, Table, Value, What};
use crate::exit::Exit;
use crate::place::Place;
use crate::source::Ending;
use crate::ui;

pub fn run(args: &ExportArgs) -> anyhow::Result<Exit> {
    check(args)?;
    let input = Input::of(args)?;
    let (pump, end) = (Pump::open(&input)?, args.until.unwrap_or(u64::MAX));
    let mut out = output(args)?;
    let result = match args.format {
        Format::Perfetto => perfetto(pump, end, &mut out),
        Format::Jsonl => lines(pump, end, &mut out),
        Format::Csv => table(pump, end, args.table.unwrap_or_default(), &mut out),
        Format::Folded => fold(pump, &input, args, &mut out),
    };
    match result.and_then(|exit| Ok(out.flush().map(|()| exit)?)) {
        // Nobody reads any more: that is the reader's choice.
        Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => {
            Ok(Exit::Clean)
        }
        Err(e) if e.downcast_ref::<io::Error>().is_some() => Err(e).context("cannot write the export"),
        other => other,
    }
}

/// Options that do not go together.
fn check(args: &ExportArgs) -> anyhow::Result<()> {
    if args.table.is_some() && args.format != Format::Csv {
        bail!("`--table` is of `--format csv` only");
    }
    let folded = [
        ("value", args.value.is_some()),
        ("what", args.what.is_some()),
        ("at", args.at.is_some()),
        ("since", args.since.is_some()),
    ];
    if args.format != Format::Folded
        && let Some((name, _)) = folded.iter().find(|(_, given)| *given)
    {
        bail!("`--{name}` is of `--format folded` only");
    }
    Ok(())
}

fn output(args: &ExportArgs) -> anyhow::Result<Box<dyn Write>> {
    /// Big enough that a write is worth a system call.
    const BUFFER: usize = 1 << 18;
    let place = args.output.as_ref().unwrap_or(&Place::Stdout);
    let Some(path) = place.file() else {
        if args.format == Format::Perfetto {
            place.takes("a Perfetto trace")?;
        }
        return Ok(Box::new(BufWriter::with_capacity(BUFFER, io::stdout())));
    };
    args.file.as_ref().map_or(Ok(()), |trace| place.spares(trace))?;
    let file = File::create(path)
        .with_context(|| format!("cannot write `{}`; choose another place with `-o FILE`", path.display()))?;
    Ok(Box::new(BufWriter::with_capacity(BUFFER, file)))
}

fn perfetto(mut pump: Pump, until: u64, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut encoder = Perfetto::begin(out, pump.context.start_ns, pump.realtime_offset_ns)?;
    pump.advance(until, |now, told| encoder.told(out, now, told))?;
    let exit = pump.finish(|now, told| encoder.told(out, now, told))?;
    encoder.end(out, &pump.now())?;
    Ok(exit)
}

fn lines(mut pump: Pump, until: u64, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut encoder = jsonl::Lines::begin(out, &pump.now())?;
    pump.advance(until, |now, told| encoder.told(out, now, told))?;
    let exit = pump.finish(|now, told| encoder.told(out, now, told))?;
    encoder.end(out, &pump.now(), exit == Exit::Clean && pump.at_end())?;
    Ok(exit)
}

fn table(mut pump: Pump, until: u64, table: Table, out: &mut dyn Write) -> anyhow::Result<Exit> {
    if table == Table::Events {
        let mut rows = csv::Events::begin(out)?;
        let mut tell = |now: &Now<'_>, told: Told<'_>| match told {
            Told::Happening(h, _) => rows.happening(now, h),
            _ => Ok(()),
        };
        pump.advance(until, &mut tell)?;
        let exit = pump.finish(&mut tell)?;
        rows.end()?;
        return Ok(exit);
    }
    pump.advance(until, |_, _| Ok(()))?;
    let exit = pump.finish(|_, _| Ok(()))?;
    let (now, world) = (pump.now(), pump.world());
    let names = now.names();
    match table {
        Table::Buffers => csv::buffers(out, &world, &names)?,
        Table::Processes => csv::processes(out, &world, &names)?,
        Table::Sites => csv::sites(out, &world, &names)?,
        Table::Findings | Table::Events => csv::findings(out, &names)?,
    }
    Ok(exit)
}

fn fold(mut pump: Pump, input: &Input, args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let value = match args.value.unwrap_or_default() {
        Value::Bytes => folded::Value::Bytes,
        Value::Count => folded::Value::Count,
    };
    let kinds: &[Kind] = match args.what.unwrap_or_default() {
        What::Handles => &[Kind::Handle],
        What::Fds => &[Kind::Fd],
        What::Attachments => &[Kind::Attachment],
        What::Framebuffers => &[Kind::Framebuffer],
        What::All => &[Kind::Handle, Kind::Fd, Kind::Attachment, Kind::Framebuffer],
    };
    let at = match args.at.unwrap_or_default() {
        Moment::End => args.until.unwrap_or(u64::MAX),
        Moment::After(seq) => seq,
        Moment::Peak => peak(Pump::open(input)?, value)?,
    };
    let before = match args.since {
        Some(since) if since > at => {
            bail!("`--since` comes after the moment of `--at`, which is record {at}: choose an earlier one");
        }
        Some(since) => {
            pump.advance(since, |_, _| Ok(()))?;
            Some(folded::stacks(&pump.world(), kinds, value))
        }
        None => None,
    };
    pump.advance(at, |_, _| Ok(()))?;
    // What is looked at is this moment: not what a settle point at the end would make of it.
    let stacks = folded::stacks(&pump.world(), kinds, value);
    if stacks.is_empty() && before.is_none() {
        ui::say("no such reference stands at that moment: `--at peak` takes the one with most");
    }
    match before {
        Some(before) => folded::write_difference(out, &before, &stacks)?,
        None => folded::write(out, &stacks)?,
    }
    pump.finish(|_, _| Ok(()))
}

/// The record after which most was alive.
fn peak(mut pump: Pump, value: folded::Value) -> anyhow::Result<u64> {
    let (mut most, mut at) = ((0, 0, 0), 0);
    pump.advance(u64::MAX, |now, told| {
        if matches!(told, Told::Done) {
            let (counts, bytes) = (now.engine.counts(), now.ledger.bytes());
            let (handles, uses) = (counts.handles as u64, (counts.attachments + counts.framebuffers) as u64);
            // Of several moments with as many, the one at which most refers to them.
            let alive = match value {
                folded::Value::Bytes => (bytes, handles, uses),
                folded::Value::Count => (handles, uses, bytes),
            };
            if alive > most {
                (most, at) = (alive, now.seq);
            }
        }
        Ok(())
    })?;
    Ok(at)
}

/// Tells what could not be read.
fn tell_damage(damage: &[String], ending: Ending) {
    for why in damage {
        ui::say(&format!("what can be read was exported: {why}"));
    }
    if let Some(note) = ending.names_missing() {
        ui::say(&note);
    }
}
