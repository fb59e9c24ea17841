//! The last lines: what was told but not judged, and who holds what.

use std::fmt::{self, Write};

use gemscope_engine::{Held, Holder, HolderKind};

use super::paint::{Palette, paint};
use crate::names::{Names, number};
use crate::notes::notes;

/// dma-bufs shown of one note, and holders of one of them.
const HELD_MAX: usize = 16;
const HOLDERS_MAX: usize = 8;

/// Things that are told and not judged.
pub(super) fn tell(out: &mut dyn Write, palette: &Palette, names: &Names<'_>) -> fmt::Result {
    let told = notes(names.judgement);
    for note in &told {
        writeln!(out, "{} {}", paint(palette.faint, "note:"), note.text)?;
        held(out, names, &note.held)?;
    }
    if told.is_empty() { Ok(()) } else { writeln!(out) }
}

/// Each dma-buf with its holders below it: who, and by what.
fn held(out: &mut dyn Write, names: &Names<'_>, held: &[&Held]) -> fmt::Result {
    let shown = held.iter().take(HELD_MAX);
    let who = |h: &Holder| names.process(process(h));
    let holders = |h: &&&Held| h.holders.iter().take(HOLDERS_MAX).map(who).collect::<Vec<_>>();
    let widest = shown.clone().flat_map(|h| holders(&h)).map(|w| w.chars().count()).max().unwrap_or(0);
    for h in shown {
        writeln!(out, "      {}", names.entity(h.entity))?;
        for holder in h.holders.iter().take(HOLDERS_MAX) {
            writeln!(out, "         by {:<widest$}  {}", who(holder), by_what(names, holder))?;
        }
        more(out, "         ", h.holders.len().saturating_sub(HOLDERS_MAX))?;
    }
    more(out, "      ", held.len().saturating_sub(HELD_MAX))
}

fn more(out: &mut dyn Write, indent: &str, hidden: usize) -> fmt::Result {
    if hidden == 0 { Ok(()) } else { writeln!(out, "{indent}… and {} more", number(hidden as u64)) }
}

/// Who has it; of a handle, who made it.
const fn process(h: &Holder) -> u32 {
    match h.kind {
        HolderKind::Fd { tgid, .. } | HolderKind::PathFd { tgid, .. } | HolderKind::Mapping { tgid } => tgid,
        _ => h.taken.tgid,
    }
}

fn by_what(names: &Names<'_>, h: &Holder) -> String {
    match h.kind {
        HolderKind::Fd { fd: -1, .. } => "an fd".to_owned(),
        HolderKind::Fd { fd, .. } => format!("fd {fd}"),
        HolderKind::PathFd { fd, .. } => format!("fd {fd}, opened with O_PATH"),
        HolderKind::Mapping { .. } => "a mapping".to_owned(),
        HolderKind::Cache { file, handle } => format!("handle {handle} of {}", names.file(file)),
        _ => names.holder(h),
    }
}
