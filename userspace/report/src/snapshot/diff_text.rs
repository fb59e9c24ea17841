//! What lies between two snapshots, for people and as JSON lines.

use std::fmt::{self, Write};
use std::io;

use serde::Serialize;

use super::diff::{BufferChange, Change, ClientChange, Diff, Moved, ProcessChange};
use super::model::SCHEMA;
use super::text::{client_title, named, title};
use crate::json::write_line;
use crate::names::{number, plural, size};
use crate::text::Palette;
use crate::text::paint::{paint, prose};

/// One line of `gemscope snapshot --diff A B --json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    /// The first line.
    Diff(Head<'a>),
    /// A process that holds more or less than before.
    Process(&'a ProcessChange),
    /// A dma-buf that is new, gone, or held otherwise.
    Buffer(&'a BufferChange),
    /// A DRM file that is new, gone, or has other memory.
    Client(&'a ClientChange),
}

/// Both snapshots in all.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Head<'a> {
    /// version of these lines
    schema: u32,
    /// seconds from the first to the second
    seconds: i64,
    /// reasons why the two cannot be compared in full
    notes: &'a [String],
    /// all dma-bufs
    buffers: Moved,
    /// their sizes in all
    bytes: Moved,
}

/// Writes a JSON object per line.
///
/// # Errors
/// Those of `out`.
pub fn diff_json(out: &mut dyn io::Write, diff: &Diff) -> io::Result<()> {
    let Diff { seconds, notes, buffers, bytes, of_buffers, of_processes, of_clients } = diff;
    let head = Head { schema: SCHEMA, seconds: *seconds, notes, buffers: *buffers, bytes: *bytes };
    write_line(out, &Line::Diff(head))?;
    for change in of_processes {
        write_line(out, &Line::Process(change))?;
    }
    for change in of_buffers {
        write_line(out, &Line::Buffer(change))?;
    }
    for change in of_clients {
        write_line(out, &Line::Client(change))?;
    }
    Ok(())
}

/// Writes it for people.
///
/// # Errors
/// Those of `out`.
pub fn diff_text(out: &mut dyn Write, diff: &Diff, palette: &Palette) -> fmt::Result {
    let count = |change| diff.of_buffers.iter().filter(|b| b.change == change).count() as u64;
    let (new, gone) = (count(Change::New), count(Change::Gone));
    let first = format!(
        "gemscope: {} new, {} gone; {} after {} s",
        plural(new, "dma-buf", "dma-bufs"),
        number(gone),
        bytes(diff.bytes),
        diff.seconds
    );
    writeln!(out, "{}", paint(palette.strong, first))?;
    for note in &diff.notes {
        prose(out, palette.warn, "note      ", "          ", note)?;
    }
    if !diff.of_processes.is_empty() {
        writeln!(out, "\n{}", paint(palette.strong, "processes"))?;
    }
    for change in &diff.of_processes {
        let ProcessChange { change, pid, process, buffers, bytes: held, fds, mappings, sync_files } = change;
        let told = [
            counted("dma-bufs", *buffers),
            (held.before != held.after).then(|| bytes(*held)),
            counted("fds", *fds),
            counted("mappings", *mappings),
            counted("sync_files", *sync_files),
        ];
        let told: Vec<_> = told.into_iter().flatten().collect();
        writeln!(out, "  {:<8} {}: {}", word(*change), named(process, *pid), told.join(", "))?;
    }
    if !diff.of_buffers.is_empty() {
        writeln!(out, "\n{}", paint(palette.strong, "dma-bufs"))?;
    }
    for change in &diff.of_buffers {
        buffer(out, change)?;
    }
    if !diff.of_clients.is_empty() {
        writeln!(out, "\n{}", paint(palette.strong, "DRM files"))?;
    }
    for ClientChange { change, client, bytes: memory } in &diff.of_clients {
        let users: Vec<_> = client.users.iter().map(|u| named(&u.process, u.pid)).collect();
        let memory =
            if memory.before == memory.after { String::new() } else { format!("; {}", bytes(*memory)) };
        writeln!(out, "  {:<8} {}: {}{memory}", word(*change), client_title(client), users.join(", "))?;
    }
    Ok(())
}

fn buffer(out: &mut dyn Write, change: &BufferChange) -> fmt::Result {
    let BufferChange { change, buffer, processes, fds, mappings, references } = change;
    write!(out, "  {:<8} {}", word(*change), title(buffer))?;
    if matches!(change, Change::New | Change::Gone) {
        let holders: Vec<_> =
            buffer.holders.iter().filter(|h| h.holds()).map(|h| named(&h.process, h.pid)).collect();
        return match holders.as_slice() {
            [] => writeln!(out),
            holders => writeln!(out, ": {}", holders.join(", ")),
        };
    }
    let told = [
        counted("processes", *processes),
        counted("fds", *fds),
        counted("mappings", *mappings),
        references.and_then(|r| counted("references", r)),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    writeln!(out, ": {}", told.join(", "))
}

const fn word(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Gone => "gone",
        Change::Grew => "grew",
        Change::Shrank => "shrank",
        Change::Changed => "changed",
    }
}

/// `fds 3 -> 5`, or nothing where they are equal.
fn counted(what: &str, moved: Moved) -> Option<String> {
    let Moved { before, after } = moved;
    (before != after).then(|| format!("{what} {} -> {}", number(before), number(after)))
}

/// `16.0 KiB -> 32.0 KiB`
fn bytes(moved: Moved) -> String {
    format!("{} -> {}", size(moved.before), size(moved.after))
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(super::Line<'_>);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/snapshot-diff.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }
}
