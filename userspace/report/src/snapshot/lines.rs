//! A snapshot as JSON lines, and back.

use std::io;

use serde::{Deserialize, Serialize};

use super::model::{Buffer, Client, Header, HeldBy, Process, SCHEMA, Snapshot};
use crate::json::write_line;

/// One line of `gemscope snapshot --json`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Line {
    /// The first line.
    Snapshot(Box<Header>),
    /// A process that has something to do with buffers.
    Process(Process),
    /// A dma-buf.
    Buffer(Buffer),
    /// An open DRM file.
    Client(Client),
    /// The last line: a file without it was cut.
    Totals(Totals),
}

/// What there is in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(super) struct Totals {
    /// was everything seen?
    pub complete: bool,
    /// dma-bufs
    pub buffers: usize,
    /// their sizes in all
    pub bytes: u64,
    /// dma-bufs that nobody in user space holds
    pub kernel_only: usize,
    /// processes that hold a dma-buf
    pub holding: usize,
    /// open DRM files
    pub clients: usize,
    /// fds of sync_files, which hold no buffer
    pub sync_files: u64,
}

impl Totals {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            complete: snapshot.header.complete,
            buffers: snapshot.buffers.len(),
            bytes: snapshot.bytes(),
            kernel_only: snapshot.buffers.iter().filter(|b| b.held_by == HeldBy::Kernel).count(),
            holding: snapshot.holding(),
            clients: snapshot.clients.len(),
            sync_files: snapshot.processes.iter().map(|p| u64::from(p.sync_files)).sum(),
        }
    }
}

/// Writes a snapshot, a JSON object per line.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, snapshot: &Snapshot) -> io::Result<()> {
    let mut header = snapshot.header.clone();
    header.schema = SCHEMA;
    write_line(out, &Line::Snapshot(Box::new(header)))?;
    for process in &snapshot.processes {
        write_line(out, &Line::Process(process.clone()))?;
    }
    for buffer in &snapshot.buffers {
        write_line(out, &Line::Buffer(buffer.clone()))?;
    }
    for client in &snapshot.clients {
        write_line(out, &Line::Client(client.clone()))?;
    }
    write_line(out, &Line::Totals(Totals::of(snapshot)))
}

/// Why a saved snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It is something else.
    NotOne,
    /// Its end is missing.
    Cut,
    /// Of a newer gemscope.
    Newer(u32),
    /// This line, from 1, is not understood.
    Line(usize, String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOne => {
                f.write_str("no snapshot: `gemscope snapshot --json -o FILE` writes what can be compared")
            }
            Self::Cut => f.write_str("the snapshot is cut: its last line is missing; take it again"),
            Self::Newer(schema) => {
                write!(f, "the snapshot is of a newer gemscope (schema {schema}): compare with that one")
            }
            Self::Line(line, why) => write!(f, "line {line} of the snapshot is not understood: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads what [`write`] wrote. Lines and fields of a newer gemscope are passed over.
///
/// # Errors
/// [`ReadError`].
pub fn read(text: &[u8]) -> Result<Snapshot, ReadError> {
    let mut snapshot: Option<Snapshot> = None;
    let mut totals = None;
    for (ix, line) in text.split(|b| *b == b'\n').enumerate().filter(|(_, l)| !l.trim_ascii().is_empty()) {
        let value: serde_json::Value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(_) if snapshot.is_none() => return Err(ReadError::NotOne),
            // A last line without its end.
            Err(e) if e.is_eof() => return Err(ReadError::Cut),
            Err(e) => return Err(ReadError::Line(ix + 1, e.to_string())),
        };
        let kind = value.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
        let known = ["snapshot", "process", "buffer", "client", "totals"].contains(&kind);
        match &mut snapshot {
            None if kind != "snapshot" => return Err(ReadError::NotOne),
            Some(_) if !known => continue,
            _ => {}
        }
        let line: Line = serde_json::from_value(value).map_err(|e| ReadError::Line(ix + 1, e.to_string()))?;
        match (line, &mut snapshot) {
            (Line::Snapshot(header), None) if header.schema > SCHEMA => {
                return Err(ReadError::Newer(header.schema));
            }
            (Line::Snapshot(header), None) => {
                snapshot = Some(Snapshot { header: *header, ..Snapshot::default() });
            }
            (Line::Snapshot(_), Some(_)) => {
                return Err(ReadError::Line(ix + 1, "a second snapshot begins here".to_owned()));
            }
            (Line::Process(process), Some(s)) => s.processes.push(process),
            (Line::Buffer(buffer), Some(s)) => s.buffers.push(buffer),
            (Line::Client(client), Some(s)) => s.clients.push(client),
            (Line::Totals(t), Some(_)) => totals = Some(t),
            (_, None) => return Err(ReadError::NotOne),
        }
    }
    let snapshot = snapshot.ok_or(ReadError::NotOne)?;
    match totals {
        Some(totals) if totals.buffers == snapshot.buffers.len() => Ok(snapshot),
        _ => Err(ReadError::Cut),
    }
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(super::Line);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/snapshot.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }
}
