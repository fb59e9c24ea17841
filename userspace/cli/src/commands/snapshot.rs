//! `gemscope snapshot`: who holds which buffer now; or what lies between two saved snapshots.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use gemscope_live::privileges::{self, Invoker};
use gemscope_live::snapshot as live;
use gemscope_report::snapshot::{self, Selection};

use crate::args::snapshot::SnapshotArgs;
use crate::exit::Exit;
use crate::snapshot::join;
use crate::ui::{self, Sink, Ui};

pub fn run(args: &SnapshotArgs, ui: &Ui) -> anyhow::Result<Exit> {
    if let [before, after] = args.diff.as_slice() {
        return diff(before, after, args, ui);
    }
    let invoker = Invoker::from_sudo()?;
    let opened = live::open();
    // What is read now was chosen by other programs, and the file belongs to the user.
    privileges::give_up(invoker.as_ref())?;
    let mut sink = Sink::of(args.output.as_ref())?;
    let gathered = opened.gather().context("cannot read `/proc`; is it mounted?")?;
    let mut taken = join(&gathered);
    Selection { pids: args.pid.clone(), comms: args.comm.clone(), sort: args.sort.into() }.apply(&mut taken);
    let bytes = if args.json {
        let mut bytes = Vec::new();
        snapshot::write(&mut bytes, &taken)?;
        bytes
    } else if args.csv {
        snapshot::grid(&taken)?
    } else {
        let mut out = String::new();
        snapshot::text(&mut out, &taken, args.by.into(), &ui.palette(&sink))?;
        out.into_bytes()
    };
    sink.write(&bytes)?;
    Ok(Exit::of_snapshot(taken.header.complete))
}

fn diff(before: &Path, after: &Path, args: &SnapshotArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let read = |path: &Path| -> anyhow::Result<_> {
        let shown = ui::shown(path);
        let bytes = fs::read(path).with_context(|| format!("cannot open `{shown}`"))?;
        snapshot::read(&bytes).with_context(|| format!("cannot compare `{shown}`"))
    };
    let diff = snapshot::diff(&read(before)?, &read(after)?);
    let mut sink = Sink::of(args.output.as_ref())?;
    let mut bytes = Vec::new();
    if args.json {
        snapshot::diff_json(&mut bytes, &diff)?;
    } else {
        let mut out = String::new();
        snapshot::diff_text(&mut out, &diff, &ui.palette(&sink))?;
        bytes = out.into_bytes();
    }
    sink.write(&bytes)?;
    // It says what changed and judges nothing.
    Ok(Exit::Clean)
}
