//! A snapshot for people. Every name from outside passes through [`escape`].

use std::fmt::{self, Write};

use super::lines::Totals;
use super::model::{Buffer, Client, Header, HeldBy, Holder, Region, Snapshot, SourceState};
use crate::escape;
use crate::names::{number, plural, size};
use crate::text::Palette;
use crate::text::paint::{paint, prose};

/// Where the text of a labelled line begins.
const INDENT: &str = "          ";

/// What leads to the handles, which nothing shows from outside.
const HANDLES: &str = "handles cannot be read without tracing: `gemscope top` shows them as they come and go, `gemscope check` \
                       whose they are when they leak";

/// What the tree begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// dma-bufs, and who holds each
    #[default]
    Buffer,
    /// processes, and what each holds
    Process,
}

/// Writes the whole snapshot as a tree.
///
/// # Errors
/// Those of `out`.
pub fn text(out: &mut dyn Write, snapshot: &Snapshot, by: By, palette: &Palette) -> fmt::Result {
    verdict(out, snapshot, palette)?;
    header(out, &snapshot.header, palette)?;
    match by {
        By::Buffer => {
            for buffer in &snapshot.buffers {
                writeln!(out, "\n{}", paint(palette.strong, title(buffer)))?;
                references(out, buffer, &snapshot.header)?;
                for holder in &buffer.holders {
                    writeln!(out, "  {}: {}", named(&holder.process, holder.pid), has(holder))?;
                }
                attachments(out, buffer)?;
            }
            clients(out, snapshot, palette)?;
            sync_files(out, snapshot)
        }
        By::Process => processes(out, snapshot, palette),
    }
}

/// The first line: what there is in all.
fn verdict(out: &mut dyn Write, snapshot: &Snapshot, palette: &Palette) -> fmt::Result {
    let t = Totals::of(snapshot);
    let count = |n: usize| n as u64;
    let mut line = format!("gemscope: {}", plural(count(t.buffers), "dma-buf", "dma-bufs"));
    if t.buffers > 0 {
        write!(line, ", {}, held by {}", size(t.bytes), plural(count(t.holding), "process", "processes"))?;
    }
    if t.kernel_only > 0 {
        write!(line, "; {} by the kernel only", number(count(t.kernel_only)))?;
    }
    write!(line, "; {}", plural(count(t.clients), "DRM file", "DRM files"))?;
    if !t.complete {
        line.push_str("; not everything could be seen");
    }
    let style = if t.complete { palette.strong } else { palette.warn };
    writeln!(out, "{}\n", paint(style, line))
}

fn header(out: &mut dyn Write, h: &Header, palette: &Palette) -> fmt::Result {
    let mut line = |label: &str, text: &str| {
        let first = format!("{label:<10}");
        prose(out, palette.faint, &first, INDENT, text)
    };
    let known = |text: &str| escape::name(text.as_bytes());
    line("kernel", &format!("{}, {}", known(&h.kernel.release), known(&h.kernel.machine)))?;
    line("taken", &format!("{}, in {}", utc(h.time_s), millis(h.took_us)))?;
    let user = match h.user.name.as_str() {
        "" => format!("uid {}", h.user.uid),
        name => format!("{} (uid {})", known(name), h.user.uid),
    };
    line("as", &user)?;
    for source in &h.sources {
        let text = escape::long(source.text.as_bytes());
        let label = match source.state {
            SourceState::Read => "read",
            SourceState::Partial => "partly",
            SourceState::Missing => "missing",
        };
        let mut text = format!("{}: {text}", known(&source.name));
        if !source.blind.is_empty() {
            write!(text, "; {}", escape::long(source.blind.as_bytes()))?;
        }
        line(label, &text)?;
        if !source.advice.is_empty() {
            line("", &format!("-> {}", escape::long(source.advice.as_bytes())))?;
        }
    }
    if !h.filters.is_empty() {
        let filters: Vec<_> = h.filters.iter().map(|f| known(f)).collect();
        line("filters", &format!("{}: the rest is left out", filters.join(" ")))?;
    }
    line("note", HANDLES)
}

/// `dma-buf inode 7 (virtio_gpu), 16.0 KiB, "scanout"`
pub(super) fn title(buffer: &Buffer) -> String {
    let mut text = format!("dma-buf inode {}", buffer.inode);
    if let Some(exporter) = buffer.exporter.as_deref().filter(|e| !e.is_empty()) {
        text.push_str(&format!(" ({})", escape::name(exporter.as_bytes())));
    }
    match buffer.bytes {
        0 => text.push_str(", size not known"),
        bytes => text.push_str(&format!(", {}", size(bytes))),
    }
    if let Some(name) = buffer.name.as_deref().filter(|n| !n.is_empty()) {
        text.push_str(&format!(", \"{}\"", escape::name(name.as_bytes())));
    }
    text
}

fn references(out: &mut dyn Write, buffer: &Buffer, header: &Header) -> fmt::Result {
    match buffer.held_by {
        HeldBy::Processes => {}
        HeldBy::Kernel => writeln!(out, "  held by the kernel only: a handle, framebuffer or importer")?,
        HeldBy::Unknown => writeln!(out, "  held by nobody that could be seen")?,
    }
    let r = &buffer.references;
    let Some(total) = r.total else { return Ok(()) };
    let mut seen = Vec::new();
    if r.fds > 0 {
        seen.push(plural(r.fds, "fd", "fds"));
    }
    if r.mappings > 0 {
        seen.push(plural(r.mappings, "mapping", "mappings"));
    }
    let mut text = plural(total, "reference", "references");
    if !seen.is_empty() {
        write!(text, ": {}", seen.join(", "))?;
    }
    let explained = r.fds.saturating_add(r.mappings);
    if explained > total {
        text.push_str("; more are seen than counted: it changed meanwhile, or tables of fds are shared");
    } else if let Some(other) = r.other.filter(|n| *n > 0) {
        let whose = if header.saw_all_processes() {
            "in the kernel"
        } else {
            "in the kernel or in what could not be seen"
        };
        if other == total {
            write!(text, ", all {whose}")?;
        } else {
            write!(text, "; {} of {} are {whose}", number(other), number(total))?;
        }
    }
    writeln!(out, "  {text}")
}

/// `player (pid 12)`
pub(super) fn named(process: &str, pid: u32) -> String {
    match escape::name(process.as_bytes()).as_str() {
        "" => format!("pid {pid}"),
        name => format!("{name} (pid {pid})"),
    }
}

/// `fds 3, 4; 1 mapping, 16.0 KiB`
fn has(holder: &Holder) -> String {
    let mut parts = Vec::new();
    match holder.fds.as_slice() {
        [] => {}
        fds => parts.push(fd_list(fds)),
    }
    if holder.mappings > 0 {
        parts.push(format!(
            "{}, {}",
            plural(holder.mappings, "mapping", "mappings"),
            size(holder.mapped_bytes)
        ));
    }
    if !holder.path_fds.is_empty() {
        parts.push(format!("O_PATH {}, no reference", fd_list(&holder.path_fds)));
    }
    parts.join("; ")
}

/// `fd 3`, `fds 3, 4`; of many only the first, and how many more.
fn fd_list(fds: &[i32]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<_> = fds.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = match fds.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {} more", number(more as u64)),
    };
    format!("{} {}{more}", if fds.len() == 1 { "fd" } else { "fds" }, shown.join(", "))
}

fn attachments(out: &mut dyn Write, buffer: &Buffer) -> fmt::Result {
    let Some(attachments) = buffer.attachments.as_ref().filter(|a| !a.is_empty()) else { return Ok(()) };
    let devices: Vec<_> = attachments
        .iter()
        .map(|a| {
            let device = escape::name(a.device.as_bytes());
            if a.count == 1 { device } else { format!("{device} ×{}", number(a.count)) }
        })
        .collect();
    writeln!(out, "  attached: {}", devices.join(", "))
}

fn clients(out: &mut dyn Write, snapshot: &Snapshot, palette: &Palette) -> fmt::Result {
    if snapshot.clients.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint(palette.strong, "DRM files"))?;
    for client in &snapshot.clients {
        let users: Vec<_> = client
            .users
            .iter()
            .map(|u| format!("{} {}", named(&u.process, u.pid), fd_list(&u.fds)))
            .collect();
        writeln!(out, "  {}: {}", client_title(client), users.join("; "))?;
        memory(out, client, "    ")?;
    }
    Ok(())
}

/// `card0 (vgem), client 7`
pub(super) fn client_title(client: &Client) -> String {
    let node = client.node.rsplit('/').next().unwrap_or_default();
    let mut text = match escape::name(node.as_bytes()) {
        node if node.is_empty() => format!("DRM device {}:{}", client.major, client.minor),
        node => node,
    };
    if !client.driver.is_empty() {
        text.push_str(&format!(" ({})", escape::name(client.driver.as_bytes())));
    }
    match client.client {
        Some(id) => text.push_str(&format!(", client {id}")),
        None => text.push_str(", no client id"),
    }
    if !client.name.is_empty() {
        text.push_str(&format!(", \"{}\"", escape::name(client.name.as_bytes())));
    }
    text
}

fn memory(out: &mut dyn Write, client: &Client, indent: &str) -> fmt::Result {
    for region in &client.memory {
        let Region { region: name, total, shared, resident, purgeable, active } = region;
        let amounts = [
            (total, "in all"),
            (resident, "resident"),
            (shared, "shared"),
            (purgeable, "purgeable"),
            (active, "active"),
        ];
        let told: Vec<_> = amounts
            .iter()
            .filter_map(|(bytes, word)| bytes.map(|b| (b, word)))
            .filter(|(bytes, word)| *bytes > 0 || **word == "in all")
            .map(|(bytes, word)| format!("{} {word}", size(bytes)))
            .collect();
        // A region of which nothing is used says nothing.
        if total.is_some_and(|t| t > 0) || told.len() > 1 || (total.is_none() && !told.is_empty()) {
            writeln!(out, "{indent}{}: {}", escape::name(name.as_bytes()), told.join(", "))?;
        }
    }
    Ok(())
}

fn sync_files(out: &mut dyn Write, snapshot: &Snapshot) -> fmt::Result {
    let with: Vec<_> = snapshot.processes.iter().filter(|p| p.sync_files > 0).collect();
    if with.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nsync_files, which are fences and hold no buffer")?;
    for process in with {
        let fds = plural(u64::from(process.sync_files), "fd", "fds");
        writeln!(out, "  {}: {fds}", named(&process.process, process.pid))?;
    }
    Ok(())
}

fn processes(out: &mut dyn Write, snapshot: &Snapshot, palette: &Palette) -> fmt::Result {
    let of = |buffer: &Buffer, pid: u32| -> Option<Holder> {
        buffer.holders.iter().find(|h| h.pid == pid).cloned()
    };
    for process in &snapshot.processes {
        let held: Vec<_> =
            snapshot.buffers.iter().filter_map(|b| of(b, process.pid).map(|h| (b, h))).collect();
        let bytes =
            held.iter().filter(|(_, h)| h.holds()).fold(0u64, |sum, (b, _)| sum.saturating_add(b.bytes));
        let mut line = format!(
            "{}: {}, {}",
            named(&process.process, process.pid),
            plural(held.len() as u64, "dma-buf", "dma-bufs"),
            size(bytes)
        );
        if process.sync_files > 0 {
            write!(line, "; {}", plural(u64::from(process.sync_files), "sync_file", "sync_files"))?;
        }
        writeln!(out, "\n{}", paint(palette.strong, line))?;
        for (buffer, holder) in held {
            writeln!(out, "  {}: {}", title(buffer), has(&holder))?;
        }
        for client in &snapshot.clients {
            for user in client.users.iter().filter(|u| u.pid == process.pid) {
                writeln!(out, "  {}: {}", client_title(client), fd_list(&user.fds))?;
                memory(out, client, "    ")?;
            }
        }
    }
    let alone: Vec<_> = snapshot.buffers.iter().filter(|b| b.held_by != HeldBy::Processes).collect();
    if !alone.is_empty() {
        let head = if alone.iter().all(|b| b.held_by == HeldBy::Kernel) {
            "held by the kernel only: a handle, framebuffer or importer"
        } else {
            "held by no process that could be seen"
        };
        writeln!(out, "\n{}", paint(palette.strong, head))?;
        for buffer in alone {
            writeln!(out, "  {}", title(buffer))?;
        }
    }
    Ok(())
}

fn millis(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

/// Seconds since 1970 as a date: `2026-09-01 12:00:00 UTC`.
pub(super) fn utc(time_s: u64) -> String {
    let (days, rest) = (time_s / 86_400, time_s % 86_400);
    // Years begin in March here, so that the day of leap years is their last (Hinnant's civil_from_days).
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_709_251_199), "2024-02-29 23:59:59 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59:59 UTC");
        // Whatever a file says.
        assert!(utc(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn many_fds_are_cut() {
        let fds: Vec<i32> = (0..1000).collect();
        assert_eq!(fd_list(&fds[..2]), "fds 0, 1");
        assert!(fd_list(&fds).ends_with(", 15 and 984 more"));
    }
}
