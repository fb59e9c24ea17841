//! Tables: what is alive by process and by buffer, and call sites. The script makes heads into buttons that sort; without it
//! they are in a useful order already.

use gemscope_trace::StackKind;
use maud::{Markup, html};

use super::axis::duration;
use super::{Moment, stack};
use crate::names::{Names, number, size};
use crate::survey::{Buffer, Process};
use crate::text::stack::trim_runtime;

/// Rows shown of each.
const BUFFERS: usize = 500;
const PROCESSES: usize = 300;
const SITES: usize = 150;

/// A column's head.
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    number: bool,
}

impl Column {
    pub const fn text(name: &'static str) -> Self {
        Self { name, number: false }
    }

    pub const fn number(name: &'static str) -> Self {
        Self { name, number: true }
    }
}

/// A cell that is sorted by its value.
pub(super) fn cell(value: u64, shown: Markup) -> Markup {
    html! { td.n data-v=(value) { (shown) } }
}

fn count(n: u64) -> Markup {
    cell(n, html! { @if n > 0 { (number(n)) } })
}

fn bytes(n: u64) -> Markup {
    cell(n, html! { @if n > 0 { (size(n)) } })
}

/// A table in a box of its own that scrolls sideways where it must.
pub(super) fn table(
    id: &str,
    caption: &str,
    columns: &[Column],
    rows: impl Iterator<Item = Markup>,
) -> Markup {
    html! {
        div.scroll.tall tabindex="0" role="group" aria-label=(caption) {
            table.sortable id=(id) {
                caption { (caption) }
                thead { tr { @for c in columns { th scope="col" class=[c.number.then_some("n")] { (c.name) } } } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

fn more(hidden: usize, what: &str) -> Markup {
    html! { @if hidden > 0 { p.note { "… and " (number(hidden as u64)) " more " (what) } } }
}

/// The section of tables.
pub(super) fn section(moment: &Moment<'_>) -> Markup {
    let survey = moment.survey;
    html! {
        section #alive aria-labelledby="alive-h" {
            h2 #alive-h { "What was alive " (moment.when()) }
            @if survey.buffers.is_empty() {
                p { "No buffer was alive then." }
            } @else {
                p { (totals(moment)) }
            }
            @if !survey.processes.is_empty() { (processes(moment)) }
            @if !survey.buffers.is_empty() { (buffers(moment)) }
        }
    }
}

fn totals(moment: &Moment<'_>) -> String {
    let t = &moment.survey.totals;
    let each = [
        (t.buffers, "buffer", "buffers"),
        (t.handles, "handle", "handles"),
        (t.dmabufs, "dma-buf", "dma-bufs"),
        (t.files, "DRM file", "DRM files"),
        (t.framebuffers, "framebuffer", "framebuffers"),
        (t.attachments, "device attachment", "device attachments"),
    ];
    let mut words: Vec<String> = each
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| crate::names::plural(n as u64, one, many))
        .collect();
    words.push(format!("{} in all, each byte counted once", size(t.bytes)));
    words.join(", ")
}

fn processes(moment: &Moment<'_>) -> Markup {
    const COLUMNS: &[Column] = &[
        Column::text("process"),
        Column::number("own bytes"),
        Column::number("shared"),
        Column::number("handles"),
        Column::number("dma-bufs"),
        Column::number("DRM files"),
        Column::number("oldest"),
        Column::number("findings"),
    ];
    let mut all: Vec<&Process> = moment.survey.processes.iter().collect();
    all.sort_by_key(|p| (std::cmp::Reverse(p.own.saturating_add(p.shared)), p.tgid));
    let rows = all.iter().take(PROCESSES).map(|p| {
        html! { tr {
            th scope="row" { (moment.process(p.tgid)) @if p.ended { " (ended)" } }
            (bytes(p.own)) (bytes(p.shared)) (count(p.handles.into())) (count(p.dmabufs.into()))
            (count(p.files.into())) (age(moment, &p.oldest)) (count(p.findings.into()))
        } }
    });
    html! {
        (table("processes", "Processes, most bytes first", COLUMNS, rows))
        (more(all.len().saturating_sub(PROCESSES), "processes"))
    }
}

fn age(moment: &Moment<'_>, at: &gemscope_engine::Stamp) -> Markup {
    match moment.world.age(at) {
        Some(ns) => cell(ns, html! { (duration(ns)) }),
        None => cell(u64::MAX, html! { "not known" }),
    }
}

fn buffers(moment: &Moment<'_>) -> Markup {
    const COLUMNS: &[Column] = &[
        Column::text("buffer"),
        Column::number("bytes"),
        Column::number("age"),
        Column::text("made by"),
        Column::text("references"),
        Column::text("processes"),
    ];
    let mut all: Vec<&Buffer> = moment.survey.buffers.iter().collect();
    all.sort_by_key(|b| (std::cmp::Reverse(b.size), b.born.seq, b.object, b.dmabuf));
    let rows = all.iter().take(BUFFERS).map(|b| {
        html! { tr {
            th scope="row" { (name(b)) @if b.stale { " (uncertain)" } @if b.released { " (waits to be destroyed)" } }
            (bytes(b.size)) (age(moment, &b.born))
            td { @if b.born.is_known() { (moment.process(b.born.tgid)) } @else { "older than the trace" } }
            td data-v=(b.holders() + b.kernel_refs) { (references(b)) }
            td { (held_by(moment, b)) }
        } }
    });
    html! {
        (table("buffers", "Buffers, biggest first", COLUMNS, rows))
        (more(all.len().saturating_sub(BUFFERS), "buffers, none of them bigger"))
    }
}

/// `object #1, dma-buf inode 12`
fn name(b: &Buffer) -> String {
    let object = (b.object != 0).then(|| format!("object #{}", b.object));
    let dmabuf = match (b.dmabuf, b.ino) {
        (0, _) => None,
        (n, 0) => Some(format!("dma-buf #{n}")),
        (_, ino) => Some(format!("dma-buf inode {ino}")),
    };
    let words: Vec<_> = object.into_iter().chain(dmabuf).collect();
    words.join(", ")
}

/// `2 handles, 1 fd, 3 of the kernel's own`
fn references(b: &Buffer) -> String {
    let each = [
        (b.handles, "handle", "handles"),
        (b.fds, "fd", "fds"),
        (b.maps, "mapping", "mappings"),
        (b.attachments, "attachment", "attachments"),
        (b.framebuffers, "framebuffer", "framebuffers"),
        (b.kernel_refs, "of the kernel's own", "of the kernel's own"),
    ];
    let some = each.into_iter().filter(|(n, ..)| *n > 0);
    let words: Vec<_> = some.map(|(n, one, many)| crate::names::plural(n.into(), one, many)).collect();
    words.join(", ")
}

fn held_by(moment: &Moment<'_>, b: &Buffer) -> String {
    const MOST: usize = 3;
    let mut words: Vec<_> = b.processes.iter().take(MOST).map(|p| moment.process(*p)).collect();
    if b.processes.len() > MOST {
        words.push(format!("{} more", b.processes.len() - MOST));
    }
    words.join(", ")
}

/// The call sites.
pub(super) fn sites(names: &Names<'_>, moment: &Moment<'_>) -> Markup {
    const COLUMNS: &[Column] = &[
        Column::text("taken in"),
        Column::text("what"),
        Column::number("count"),
        Column::number("bytes"),
        Column::number("oldest"),
        Column::text("process"),
    ];
    let all = &moment.survey.sites;
    let rows = all.iter().take(SITES).map(|s| {
        let place = stack::place(names, &s.oldest);
        let mut frames = names.frames(StackKind::User, s.ustack, s.tgid);
        trim_runtime(&mut frames);
        frames.extend(names.frames(StackKind::Kernel, s.kstack, 0));
        frames.truncate(40);
        html! { tr {
            th scope="row" {
                @if place.is_empty() { "no stack" } @else {
                    details { summary { code { (place.first().map_or("", String::as_str)) } }
                        ol.frames { @for f in &frames { li { (f) } } } }
                }
            }
            td { (s.kind.name()) }
            (count(s.count)) (bytes(s.bytes)) (age(moment, &s.oldest))
            td { (moment.process(s.tgid)) }
        } }
    });
    html! {
        (table("sites", "Call sites, most bytes first", COLUMNS, rows))
        (more(all.len().saturating_sub(SITES), "call sites"))
    }
}
