//! JSON lines: what happened, one object a line, and then what was found.
//!
//! First a `header`, then `happening`, `mark` and `lost` in the order of records, then every `finding` and `near-miss` as
//! `replay --json` gives them, last the `end`. The schema of a line is committed as `schema/export.schema.json`; fields are
//! only ever added. Ids are stable: the same trace gives the same ones.

use std::io::{self, Write};

use serde::Serialize;

use super::feed::{Now, Told};
use crate::escape;
use crate::happening::Happening;
use crate::json::{self, lines, write_line};

/// One line of the export.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// The first line: whose rules, what was watched, what was not.
    Header(Box<lines::Header>),
    /// Something happened to a buffer.
    Happening(Box<HappeningLine>),
    /// The user named this moment.
    Mark(Mark),
    /// Records are missing here.
    Lost(Lost),
    /// A rule was broken, with the evidence.
    Finding(Box<FindingLine>),
    /// Legal today, and a bug in another era or one step further; no part of the answer.
    NearMiss(Box<FindingLine>),
    /// The last line: how it ended. Without it the export is not whole.
    End(End),
}

/// Something that happened to a buffer. A number that does not apply, or is not known, is left out.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HappeningLine {
    /// `SEQ.N`: the record, and which of the things that it came to, from 0
    pub id: String,
    /// what, in words
    pub what: String,
    /// number of the DRM file, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<u32>,
    /// the handle in that file
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<u32>,
    /// id of the framebuffer
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framebuffer: Option<u32>,
    /// number of the object, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u32>,
    /// number of the dma-buf, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dma_buf: Option<u32>,
    /// inode number of the dma-buf
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// the fd
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// bytes, where the record tells them
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// when and by whom
    #[serde(flatten)]
    pub at: lines::Stamp,
}

/// A moment that the user named.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mark {
    /// the name
    pub name: String,
    /// position of the record in the stream, from 1
    pub seq: u64,
    /// nanoseconds since the start of the recording
    pub time_ns: u64,
}

/// Records are missing.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lost {
    /// how many, where that is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// why
    pub why: String,
    /// position of the record at which it showed
    pub seq: u64,
    /// nanoseconds since the start of the recording
    pub time_ns: u64,
}

/// A finding with an id.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FindingLine {
    /// `finding-N` or `near-miss-N`
    pub id: String,
    /// what was found
    #[serde(flatten)]
    pub finding: lines::Finding,
}

/// How it ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct End {
    /// the whole trace was read
    pub complete: bool,
    /// parts of the trace that could not be read, one sentence each
    pub damage: Vec<String>,
    /// bytes of live buffers, each counted once
    pub live_bytes: u64,
    /// the answer
    #[serde(flatten)]
    pub summary: lines::Summary,
}

/// Writes the lines as records come.
#[derive(Debug, Default)]
pub struct Lines {
    last: (u64, u32),
}

impl Lines {
    /// Begins the export.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(out: &mut dyn Write, now: &Now<'_>) -> io::Result<Self> {
        write_line(out, &Line::Header(Box::new(json::build::header(now.context))))?;
        Ok(Self::default())
    }

    /// Writes what it is told.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn told(&mut self, out: &mut dyn Write, now: &Now<'_>, told: Told<'_>) -> io::Result<()> {
        let time_ns = now.ts_ns.saturating_sub(now.context.start_ns);
        let lost = |records, why| Line::Lost(Lost { records, why, seq: now.seq, time_ns });
        let line = match told {
            Told::Happening(h, _) => Line::Happening(Box::new(self.happening(now, h))),
            Told::Mark(name) => {
                Line::Mark(Mark { name: String::from_utf8_lossy(name).into_owned(), seq: now.seq, time_ns })
            }
            Told::Dropped(n) => lost(Some(n), "the ring buffer was full".to_owned()),
            Told::Gap(why) => lost(None, escape::long(why.as_bytes())),
            Told::Done | Told::Exited(_) | Told::Resync => return Ok(()),
        };
        write_line(out, &line)
    }

    /// Ends the export; the feed must have been finished.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(self, out: &mut dyn Write, now: &Now<'_>, complete: bool) -> io::Result<()> {
        let names = now.names();
        for finding in &names.judgement.findings {
            let id = format!("finding-{}", finding.number);
            let finding = json::build::finding(&names, finding);
            write_line(out, &Line::Finding(Box::new(FindingLine { id, finding })))?;
        }
        for near in &names.judgement.near_misses {
            let id = format!("near-miss-{}", near.number);
            let finding = json::build::finding(&names, near);
            write_line(out, &Line::NearMiss(Box::new(FindingLine { id, finding })))?;
        }
        let summary = json::build::summary(&names);
        let damage = now.context.damage.clone();
        write_line(out, &Line::End(End { complete, damage, live_bytes: now.ledger.bytes(), summary }))
    }

    fn happening(&mut self, now: &Now<'_>, h: &Happening) -> HappeningLine {
        use gemscope_engine::What;
        let nth = nth(&mut self.last, h.at.seq);
        let some = |n: u32| (n != 0).then_some(n);
        let framebuffer = matches!(h.what, What::FramebufferMade | What::FramebufferGone);
        let ino = now.ledger.buf(h.dmabuf).ino;
        HappeningLine {
            id: format!("{}.{nth}", h.at.seq),
            what: h.what.text().to_owned(),
            file: some(h.file),
            handle: some(h.handle).filter(|_| !framebuffer),
            framebuffer: some(h.handle).filter(|_| framebuffer),
            object: some(h.object),
            dma_buf: some(h.dmabuf),
            inode: (ino != 0).then_some(ino),
            fd: (h.fd >= 0).then_some(h.fd),
            bytes: (h.size != 0).then_some(h.size),
            at: json::build::stamp(&now.names(), &h.at, true),
        }
    }
}

/// Which of the things that one record came to this is, from 0.
pub(super) const fn nth(last: &mut (u64, u32), seq: u64) -> u32 {
    *last = if last.0 == seq { (seq, last.1 + 1) } else { (seq, 0) };
    last.1
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(super::Line);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/export.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }
}
