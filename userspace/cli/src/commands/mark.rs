//! `gemscope mark NAME`: a mark in what another gemscope watches.

use crate::args::MarkArgs;
use crate::capture;
use crate::exit::Exit;

pub fn run(args: &MarkArgs) -> anyhow::Result<Exit> {
    capture::ask(&args.name, args.to.as_deref())?;
    Ok(Exit::Clean)
}
