//! What is told and not judged: the same notes for people and for programs.

use gemscope_engine::{Held, Notes};

use crate::judgement::Judgement;
use crate::names::plural;

/// One note.
pub(crate) struct Note<'a> {
    /// Stable name.
    pub name: &'static str,
    /// Of how many it speaks.
    pub count: u64,
    /// In words.
    pub text: String,
    /// The dma-bufs that it speaks of, where they can be named.
    pub held: Vec<&'a Held>,
}

/// The notes that have something to say.
pub(crate) fn notes<'a>(j: &'a Judgement) -> Vec<Note<'a>> {
    let Notes {
        handles_left_by_signal,
        fds_left_by_signal,
        handles_left_ignored,
        fds_left_ignored,
        pre_existing: _,
        held_outside,
        deferred,
        findings_dropped,
    } = j.notes;
    let handles = |n| plural(n, "handle", "handles");
    let fds = |n| plural(n, "dma-buf fd", "dma-buf fds");
    let mut lines = Vec::new();
    let mut add = |name, n: u64, text: String, held: Vec<&'a Held>| {
        if n > 0 {
            lines.push(Note { name, count: n, text, held });
        }
    };
    add(
        "handles-left-by-signal",
        handles_left_by_signal,
        format!("{} left open by a fatal signal, not judged", handles(handles_left_by_signal)),
        Vec::new(),
    );
    add(
        "fds-left-by-signal",
        fds_left_by_signal,
        format!("{} left open by a fatal signal, not judged", fds(fds_left_by_signal)),
        Vec::new(),
    );
    add(
        "handles-left-ignored",
        handles_left_ignored,
        format!("{} open at file close, not judged in this mode (--at-exit)", handles(handles_left_ignored)),
        Vec::new(),
    );
    add(
        "fds-left-ignored",
        fds_left_ignored,
        format!("{} open at exit, not judged in this mode (--at-exit)", fds(fds_left_ignored)),
        Vec::new(),
    );
    let held = |want: fn(&Held) -> bool| j.held.iter().filter(move |h| want(h)).collect::<Vec<_>>();
    add(
        "held-outside",
        held_outside,
        format!(
            "{} still held by processes outside the command, not judged",
            plural(held_outside, "dma-buf", "dma-bufs")
        ),
        held(|h| h.outside && !h.deferred),
    );
    let inside = held(|h| !h.outside && !h.deferred);
    add(
        "held-inside",
        inside.len() as u64,
        format!(
            "{} still held by the command's own processes, not judged",
            plural(inside.len() as u64, "dma-buf", "dma-bufs")
        ),
        inside,
    );
    add(
        "deferred",
        deferred,
        format!(
            "{} for an O_PATH holder to be destroyed",
            plural(deferred, "dma-buf waits", "dma-bufs wait")
        ),
        held(|h| h.deferred),
    );
    add(
        "findings-dropped",
        findings_dropped,
        format!("{} beyond the limit, counted only", plural(findings_dropped, "finding", "findings")),
        Vec::new(),
    );
    lines
}
