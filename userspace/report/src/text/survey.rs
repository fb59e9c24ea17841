//! What the monitor shows, as text: for where there is no terminal.

use std::fmt::{self, Write};

use super::paint::{Palette, paint};
use crate::escape;
use crate::names::{number, plural, size};
use crate::survey::{Process, Site, Survey, World};

/// Rows of a table; more are counted only.
const ROWS: usize = 20;

/// Writes the state in a screenful: processes, call sites, totals.
///
/// # Errors
/// Those of `out`.
pub fn survey(out: &mut dyn Write, world: &World<'_>, drops: u64, palette: &Palette) -> fmt::Result {
    let survey = Survey::of(world);
    head(out, world, &survey, drops, palette)?;
    processes(out, world, &survey, palette)?;
    sites(out, world, &survey, palette)
}

fn head(
    out: &mut dyn Write,
    world: &World<'_>,
    survey: &Survey,
    drops: u64,
    palette: &Palette,
) -> fmt::Result {
    let t = &survey.totals;
    writeln!(
        out,
        "{}",
        paint(
            palette.strong,
            format_args!(
                "{} in {}; {}, {}, {}",
                size(t.bytes),
                plural(t.buffers as u64, "buffer", "buffers"),
                plural(t.handles as u64, "handle", "handles"),
                plural(t.dmabufs as u64, "dma-buf", "dma-bufs"),
                plural(t.files as u64, "DRM file", "DRM files"),
            )
        )
    )?;
    let c = world.context;
    let findings = world.engine.findings();
    let certain = findings.iter().filter(|f| !f.tainted).count() as u64;
    let found = match (certain, findings.len() as u64 - certain) {
        (0, 0) => "no finding so far".to_owned(),
        (n, 0) => plural(n, "finding", "findings"),
        (n, m) => format!("{}, {} undecided", plural(n, "finding", "findings"), number(m)),
    };
    let lost = if drops == 0 { "none lost".to_owned() } else { format!("{} LOST", number(drops)) };
    let records = plural(world.engine.records(), "record", "records");
    writeln!(
        out,
        "{}",
        paint(
            palette.faint,
            format_args!(
                "{found}; {records}, {lost}; {} attached, {} missing",
                plural(c.attached as u64, "probe", "probes"),
                c.missing.len()
            )
        )
    )?;
    for why in &c.damage {
        writeln!(out, "{}", paint(palette.warn, format_args!("damaged: {}", escape::long(why.as_bytes()))))?;
    }
    Ok(())
}

fn processes(out: &mut dyn Write, world: &World<'_>, survey: &Survey, palette: &Palette) -> fmt::Result {
    let mut rows: Vec<&Process> = survey.processes.iter().collect();
    rows.sort_by_key(|p| (std::cmp::Reverse(p.own + p.shared), p.tgid));
    if rows.is_empty() {
        return writeln!(out, "nothing yet: no process has used a DRM device or a dma-buf");
    }
    let title = format!(
        "{:>7} {:<16} {:>7} {:>7} {:>5} {:>11} {:>11}",
        "PID", "NAME", "HANDLES", "DMABUFS", "FBS", "OWN", "SHARED"
    );
    writeln!(out, "\n{}", paint(palette.faint, title))?;
    for p in rows.iter().take(ROWS) {
        let (pid, name) = match p.tgid {
            0 => (String::new(), "(before)".to_owned()),
            tgid => (tgid.to_string(), world.comm(tgid)),
        };
        writeln!(
            out,
            "{pid:>7} {name:<16} {:>7} {:>7} {:>5} {:>11} {:>11}",
            number(p.handles.into()),
            number(p.dmabufs.into()),
            number(p.framebuffers.into()),
            size(p.own),
            size(p.shared)
        )?;
    }
    more(out, rows.len(), palette)
}

fn sites(out: &mut dyn Write, world: &World<'_>, survey: &Survey, palette: &Palette) -> fmt::Result {
    if survey.sites.is_empty() {
        return Ok(());
    }
    let title = format!("{:>7} {:>11}  {}", "COUNT", "BYTES", "TAKEN AND NOT GIVEN BACK, BY CALL SITE");
    writeln!(out, "\n{}", paint(palette.faint, title))?;
    for site in survey.sites.iter().take(ROWS) {
        let Site { kind, tgid, kstack, ustack, count, bytes, .. } = site;
        let place = world.place(*kstack, *ustack, *tgid);
        writeln!(
            out,
            "{:>7} {:>11}  {}, {}: {place}",
            number(*count),
            size(*bytes),
            if *count == 1 { kind.name().to_owned() } else { format!("{}s", kind.name()) },
            world.comm(*tgid),
        )?;
    }
    more(out, survey.sites.len(), palette)
}

fn more(out: &mut dyn Write, rows: usize, palette: &Palette) -> fmt::Result {
    match rows.saturating_sub(ROWS) {
        0 => Ok(()),
        left => writeln!(
            out,
            "{}",
            paint(palette.faint, format_args!("        … and {} more", number(left as u64)))
        ),
    }
}
