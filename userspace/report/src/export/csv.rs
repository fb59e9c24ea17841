//! Tables with commas, for spreadsheets and data frames. The columns are documented in `docs/export.md`; new ones are
//! only ever added at the end.
//!
//! Names come from outside: a cell that a spreadsheet would take for a formula begins with an apostrophe.

use std::io::{self, Write};

use gemscope_engine::{Finding, Stamp};

use super::feed::Now;
use super::stacks;
use crate::happening::Happening;
use crate::names::Names;
use crate::survey::{Survey, World};

/// The columns of the table of events.
pub const EVENTS: &[&str] = &[
    "id",
    "seq",
    "time_ns",
    "what",
    "pid",
    "tid",
    "process",
    "file",
    "handle",
    "object",
    "dma_buf",
    "inode",
    "fd",
    "bytes",
    "kernel_stack",
    "user_stack",
];

/// The columns of the table of buffers.
pub const BUFFERS: &[&str] = &[
    "object",
    "dma_buf",
    "inode",
    "bytes",
    "born_seq",
    "born_ns",
    "creator_pid",
    "creator",
    "handles",
    "fds",
    "mappings",
    "attachments",
    "framebuffers",
    "kernel_refs",
    "importers",
    "pids",
    "stale",
    "released",
    "kernel_stack",
    "user_stack",
];

/// The columns of the table of processes.
pub const PROCESSES: &[&str] = &[
    "pid",
    "process",
    "files",
    "handles",
    "dma_bufs",
    "fds",
    "mappings",
    "framebuffers",
    "own_bytes",
    "shared_bytes",
    "oldest_ns",
    "findings",
    "ended",
];

/// The columns of the table of call sites.
pub const SITES: &[&str] =
    &["kind", "pid", "process", "count", "bytes", "oldest_ns", "newest_ns", "kernel_stack", "user_stack"];

/// The columns of the table of findings.
pub const FINDINGS: &[&str] = &[
    "id",
    "rule",
    "class",
    "certain",
    "proven",
    "what",
    "count",
    "bytes",
    "seq",
    "time_ns",
    "event",
    "pid",
    "process",
    "earlier_seq",
    "earlier_ns",
    "earlier",
    "kernel_stack",
    "user_stack",
];

/// The table of events, written as they come.
pub struct Events<W: Write> {
    rows: csv::Writer<W>,
    last: (u64, u32),
}

impl<W: Write> Events<W> {
    /// Begins the table.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(out: W) -> io::Result<Self> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(EVENTS)?;
        Ok(Self { rows, last: (0, 0) })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn happening(&mut self, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        let names = now.names();
        let nth = super::jsonl::nth(&mut self.last, h.at.seq);
        let (kernel, user) = stacks(&names, &h.at);
        self.rows.write_record([
            format!("{}.{nth}", h.at.seq),
            h.at.seq.to_string(),
            since(&names, &h.at),
            h.what.text().to_owned(),
            h.at.tgid.to_string(),
            h.at.tid.to_string(),
            cell(&names.comm(h.at.tgid)),
            known(h.file),
            known(h.handle),
            known(h.object),
            known(h.dmabuf),
            known(now.ledger.buf(h.dmabuf).ino),
            if h.fd < 0 { String::new() } else { h.fd.to_string() },
            known(h.size),
            cell(&kernel.join(" < ")),
            cell(&user.join(" < ")),
        ])?;
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

/// Writes the table of what buffers live.
///
/// # Errors
/// Those of `out`.
pub fn buffers(out: impl Write, world: &World<'_>, names: &Names<'_>) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(BUFFERS)?;
    for b in Survey::of(world).buffers {
        let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let (kernel, user) = stacks(names, &b.born);
        rows.write_record([
            known(b.object),
            known(b.dmabuf),
            known(b.ino),
            known(b.size),
            known(b.born.seq),
            since(names, &b.born),
            known(b.creator()),
            cell(&world.comm(b.creator())),
            b.handles.to_string(),
            b.fds.to_string(),
            b.maps.to_string(),
            b.attachments.to_string(),
            b.framebuffers.to_string(),
            b.kernel_refs.to_string(),
            list(&b.importers),
            list(&b.processes),
            b.stale.to_string(),
            b.released.to_string(),
            cell(&kernel.join(" < ")),
            cell(&user.join(" < ")),
        ])?;
    }
    rows.flush()
}

/// Writes the table of processes that hold something.
///
/// # Errors
/// Those of `out`.
pub fn processes(out: impl Write, world: &World<'_>, names: &Names<'_>) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(PROCESSES)?;
    for p in Survey::of(world).processes {
        rows.write_record([
            p.tgid.to_string(),
            cell(&world.comm(p.tgid)),
            p.files.to_string(),
            p.handles.to_string(),
            p.dmabufs.to_string(),
            p.fds.to_string(),
            p.maps.to_string(),
            p.framebuffers.to_string(),
            p.own.to_string(),
            p.shared.to_string(),
            since(names, &p.oldest),
            p.findings.to_string(),
            p.ended.to_string(),
        ])?;
    }
    rows.flush()
}

/// Writes the table of call sites with what they took and did not give back.
///
/// # Errors
/// Those of `out`.
pub fn sites(out: impl Write, world: &World<'_>, names: &Names<'_>) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(SITES)?;
    for s in Survey::of(world).sites {
        let (kernel, user) = stacks(names, &s.oldest);
        rows.write_record([
            s.kind.name().to_owned(),
            s.tgid.to_string(),
            cell(&world.comm(s.tgid)),
            s.count.to_string(),
            s.bytes.to_string(),
            since(names, &s.oldest),
            since(names, &s.newest),
            cell(&kernel.join(" < ")),
            cell(&user.join(" < ")),
        ])?;
    }
    rows.flush()
}

/// Writes the table of findings, and after them near misses.
///
/// # Errors
/// Those of `out`.
pub fn findings(out: impl Write, names: &Names<'_>) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(FINDINGS)?;
    let findings = names.judgement.findings.iter().map(|f| ("finding", f));
    for (kind, f) in findings.chain(names.judgement.near_misses.iter().map(|f| ("near-miss", f))) {
        finding(&mut rows, names, kind, f)?;
    }
    rows.flush()
}

fn finding<W: Write>(
    rows: &mut csv::Writer<W>,
    names: &Names<'_>,
    kind: &str,
    f: &Finding,
) -> io::Result<()> {
    let rule = f.rule.rule();
    let earlier = f.conflict.map(|c| c.at).unwrap_or_default();
    let taken = if earlier.kstack >= 0 || earlier.ustack >= 0 { earlier } else { f.event.at };
    let (kernel, user) = stacks(names, &taken);
    rows.write_record([
        format!("{kind}-{}", f.number),
        rule.id.name().to_owned(),
        rule.class.name().to_owned(),
        (!f.tainted).to_string(),
        f.proven.to_string(),
        cell(&names.entity(f.entity)),
        f.count.to_string(),
        f.bytes.to_string(),
        known(f.event.at.seq),
        since(names, &f.event.at),
        f.event.what.text().to_owned(),
        known(f.event.at.tgid),
        cell(&names.comm(f.event.at.tgid)),
        known(earlier.seq),
        since(names, &earlier),
        f.conflict.map_or_else(String::new, |c| c.what.text().to_owned()),
        cell(&kernel.join(" < ")),
        cell(&user.join(" < ")),
    ])?;
    Ok(())
}

/// A number, or nothing for one that is not known.
fn known(n: impl Into<u64>) -> String {
    match n.into() {
        0 => String::new(),
        n => n.to_string(),
    }
}

/// Nanoseconds since the start of the recording; nothing for what is not known.
fn since(names: &Names<'_>, at: &Stamp) -> String {
    if at.is_known() { at.ts_ns.saturating_sub(names.context.start_ns).to_string() } else { String::new() }
}

/// A text that no spreadsheet runs, whichever separator it splits at.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for c in text.chars() {
        if begins && matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') {
            out.push('\'');
        }
        begins = matches!(c, ';' | ',' | '"' | '\'') || (begins && c.is_whitespace());
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("gnome-shell"), "gnome-shell");
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("  @SUM(1)"), "  '@SUM(1)");
        assert_eq!(cell("a;=1+1"), "a;'=1+1");
        assert_eq!(cell("x\",-1"), "x\",'-1");
        assert_eq!(cell("f+0x1f [drm]"), "f+0x1f [drm]");
        assert_eq!(cell(""), "");
    }
}
