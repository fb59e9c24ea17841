//! Perfetto's native trace format, which its web page and its trace processor read.
//!
//! A process has a track for each DRM file it opened, and that a child track for each handle number, on which a slice is
//! the life of a handle. Objects and dma-bufs overlap as they like: they lie on lanes beside the processes. A flow leads from
//! the birth of a dma-buf over the handle it was exported from to every handle it was imported as, in whichever process.
//! What is open at the end of the trace has no end event: Perfetto shows it as not ended.
//!
//! Times are those of the records, `CLOCK_MONOTONIC`, except that none lies before the one of the record before.

mod findings;
mod packets;
mod parts;
#[doc(hidden)]
pub mod proto;
mod tracks;

use std::io::{self, Write};

use gemscope_common::{ChangeHandle, ProbeId, Record, kernel_str};
use gemscope_engine::{Entity, Stamp, What};
use rustc_hash::{FxHashMap, FxHashSet};

use self::packets::{Packets, Value};
use self::proto::{CounterDescriptor, DebugAnnotation, ProcessDescriptor, TrackDescriptor, TrackEvent};
use self::proto::{kind, ordering, unit};
use self::tracks::Lanes;
use super::feed::{Now, Told};
use crate::escape;
use crate::happening::Happening;
use crate::names::{self, size};

/// Writes a trace for Perfetto as its records come.
pub struct Perfetto {
    packets: Packets,
    files: FxHashMap<u32, FileTrack>,
    handles: FxHashMap<(u32, u32), Open>,
    objects: Lanes,
    dmabufs: Lanes,
    processes: FxHashMap<u32, ProcessTrack>,
    /// handles of a process on an object, and the object's bytes
    held: FxHashMap<(u32, u32), (u32, u64)>,
    /// processes whose counters may have changed
    changed: Vec<u32>,
    handles_shown: Option<u64>,
    bytes_shown: Option<u64>,
}

/// A DRM file.
#[derive(Default)]
struct FileTrack {
    /// handle numbers that have a track
    lanes: FxHashSet<u32>,
    /// its opening was seen
    open: bool,
}

/// A live handle whose creation was seen.
#[derive(Clone, Copy)]
struct Open {
    tgid: u32,
    object: u32,
    imported: bool,
}

/// A process that has a track.
#[derive(Default)]
struct ProcessTrack {
    named: String,
    counted: bool,
    ended: bool,
    handles: u64,
    bytes: u64,
    shown: (Option<u64>, Option<u64>),
}

impl Perfetto {
    /// Begins a trace. `realtime_offset_ns` is wall time minus monotonic time, 0 when not known.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(out: &mut dyn Write, start_ns: u64, realtime_offset_ns: i64) -> io::Result<Self> {
        let mut packets = Packets::new(1);
        packets.clocks(out, start_ns, realtime_offset_ns)?;
        let track = |uuid, parent: Option<u64>, name: &str, rank| TrackDescriptor {
            uuid: Some(uuid),
            parent_uuid: parent,
            name: Some(name.to_owned()),
            sibling_order_rank: Some(rank),
            ..TrackDescriptor::default()
        };
        let machine = track(tracks::MACHINE, None, "GPU buffers", 0);
        packets.track(out, TrackDescriptor { child_ordering: Some(ordering::EXPLICIT), ..machine })?;
        packets.track(out, track(tracks::RECORDING, Some(tracks::MACHINE), "recording", 0))?;
        for (uuid, name, rank, unit) in [
            (tracks::HANDLES, "live handles", 1, unit::COUNT),
            (tracks::BYTES, "bytes of live buffers", 2, unit::BYTES),
        ] {
            let counter = Some(CounterDescriptor { unit: Some(unit) });
            let track = track(uuid, Some(tracks::MACHINE), name, rank);
            packets.track(out, TrackDescriptor { counter, ..track })?;
        }
        Ok(Self {
            packets,
            files: FxHashMap::default(),
            handles: FxHashMap::default(),
            objects: Lanes::default(),
            dmabufs: Lanes::default(),
            processes: FxHashMap::default(),
            held: FxHashMap::default(),
            changed: Vec::new(),
            handles_shown: None,
            bytes_shown: None,
        })
    }

    /// Writes what it is told.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn told(&mut self, out: &mut dyn Write, now: &Now<'_>, told: Told<'_>) -> io::Result<()> {
        match told {
            Told::Happening(h, record) => self.happening(out, now, h, record),
            Told::Done => self.counters(out, now),
            Told::Mark(name) => self.recording(out, now, "mark", escape::name(name)),
            Told::Dropped(n) => {
                let text =
                    format!("{} lost: the ring buffer was full", names::plural(n, "record", "records"));
                self.recording(out, now, "loss", text)
            }
            Told::Gap(why) => self.recording(
                out,
                now,
                "loss",
                format!("records are missing: {}", escape::long(why.as_bytes())),
            ),
            Told::Exited(tgid) => {
                if let Some(process) = self.processes.get_mut(&tgid) {
                    process.ended = true;
                    self.changed.push(tgid);
                }
                self.counters(out, now)
            }
            Told::Resync => self.resync(out, now),
        }
    }

    /// Ends the trace; the feed must have been finished. What still lives stays open.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(mut self, out: &mut dyn Write, now: &Now<'_>) -> io::Result<()> {
        self.counters(out, now)?;
        self.recording(out, now, "recording", "end of the trace".to_owned())?;
        self.findings(out, now)
    }

    fn happening(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        h: &Happening,
        record: &Record,
    ) -> io::Result<()> {
        match h.what {
            What::FileOpened => {
                self.file(out, now, h.file, h.at.tgid)?;
                if let Some(file) = self.files.get_mut(&h.file) {
                    file.open = true;
                }
                let notes = self.origin(now, &h.at);
                self.begin_slice(out, now, tracks::file(h.file), "file", "open".to_owned(), notes)
            }
            What::FileClosed => match self.files.remove(&h.file) {
                Some(FileTrack { open: true, .. }) => self.end_slice(out, now, tracks::file(h.file), h, None),
                _ => Ok(()),
            },
            What::HandleCreated => self.handle_created(out, now, h),
            What::HandleClosed | What::HandleClosedByFile => self.handle_closed(out, now, h),
            What::HandleMoved => self.handle_moved(out, now, h, record),
            What::Born => self.born(out, now, h),
            What::Exported => self.exported(out, now, h),
            What::Died => match self.objects.leave(h.object) {
                Some(lane) => self.end_slice(out, now, tracks::object(lane), h, None),
                None => Ok(()),
            },
            What::Released => match self.dmabufs.leave(h.dmabuf) {
                Some(lane) => self.end_slice(out, now, tracks::dmabuf(lane), h, None),
                None => Ok(()),
            },
            // The handle it was exported from: the flow passes there.
            What::Cached => match self.handles.get(&(h.file, h.handle)) {
                Some(Open { imported: false, .. }) if self.dmabufs.of(h.dmabuf).is_some() => {
                    self.flow(out, now, h, "exported as")
                }
                _ => Ok(()),
            },
            What::Imported => self.flow(out, now, h, "imported from"),
            _ => self.other(out, now, h),
        }
    }

    fn handle_created(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        let track = self.handle_track(out, now, h.file, h.handle, h.at.tgid)?;
        if self.handles.contains_key(&(h.file, h.handle)) {
            self.forget(out, now, (h.file, h.handle))?;
        }
        let bytes = now.ledger.size(h.object);
        let mut notes = self.about(now, h.object, h.dmabuf, bytes);
        notes.extend(self.origin(now, &h.at));
        let name = format!("object #{}, {}", h.object, size(bytes));
        self.begin_slice(out, now, track, "handle", name, notes)?;
        self.hold(
            (h.file, h.handle),
            Open { tgid: h.at.tgid, object: h.object, imported: h.dmabuf != 0 },
            bytes,
        );
        Ok(())
    }

    fn handle_closed(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        let track = tracks::handle(h.file, h.handle);
        if self.let_go((h.file, h.handle)).is_some() {
            return self.end_slice(out, now, track, h, None);
        }
        let track = self.handle_track(out, now, h.file, h.handle, h.at.tgid)?;
        let notes = self.about(now, h.object, 0, now.ledger.size(h.object));
        self.instant(
            out,
            now,
            track,
            "handle",
            format!("{}: its creation was not seen", h.what.text()),
            notes,
        )
    }

    /// The slice goes on, on the track of the new number.
    fn handle_moved(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        h: &Happening,
        record: &Record,
    ) -> io::Result<()> {
        let old = match record.probe() {
            Some(ProbeId::ChangeHandle) => record.payload::<ChangeHandle>().handle,
            _ => 0,
        };
        if old == h.handle {
            return Ok(());
        }
        let bytes = now.ledger.size(h.object);
        let mut open = Open { tgid: h.at.tgid, object: h.object, imported: false };
        if let Some(known) = self.let_go((h.file, old)) {
            open = known;
            let note = self.packets.note("moved to handle", Value::Number(u64::from(h.handle)));
            self.end_slice(out, now, tracks::handle(h.file, old), h, Some(note))?;
        }
        let track = self.handle_track(out, now, h.file, h.handle, h.at.tgid)?;
        if self.handles.contains_key(&(h.file, h.handle)) {
            self.forget(out, now, (h.file, h.handle))?;
        }
        let mut notes = self.about(now, h.object, 0, bytes);
        notes.push(self.packets.note("moved from handle", Value::Number(u64::from(old))));
        notes.extend(self.origin(now, &h.at));
        self.begin_slice(out, now, track, "handle", format!("object #{}, {}", h.object, size(bytes)), notes)?;
        self.hold((h.file, h.handle), open, bytes);
        Ok(())
    }

    fn born(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        if h.object == 0 {
            return Ok(());
        }
        let (lane, new) = self.objects.take(h.object);
        if new {
            self.lane(out, tracks::object(lane), "objects", 3)?;
        }
        let mut notes = self.about(now, h.object, 0, h.size);
        notes.extend(self.origin(now, &h.at));
        let name = format!("object #{}, {}", h.object, size(h.size));
        self.begin_slice(out, now, tracks::object(lane), "object", name, notes)
    }

    fn exported(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        if h.dmabuf == 0 {
            return Ok(());
        }
        let (lane, new) = self.dmabufs.take(h.dmabuf);
        if new {
            self.lane(out, tracks::dmabuf(lane), "dma-bufs", 4)?;
        }
        let mut notes = self.about(now, h.object, h.dmabuf, h.size);
        let exporter = now.directory.exporter(h.dmabuf).map(|e| escape::name(kernel_str(e)));
        notes.extend(exporter.map(|e| self.packets.note("exporter", Value::Text(e))));
        notes.extend(self.origin(now, &h.at));
        let event = TrackEvent {
            flow_ids: vec![u64::from(h.dmabuf)],
            ..self.slice(tracks::dmabuf(lane), "dma-buf", self.buf_name(now, h.dmabuf, h.size), notes)
        };
        self.packets.event(out, now.ts_ns, event)
    }

    /// The flow of a dma-buf passes through a handle.
    fn flow(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening, how: &str) -> io::Result<()> {
        if h.dmabuf == 0 || h.handle == 0 {
            return self.other(out, now, h);
        }
        let track = self.handle_track(out, now, h.file, h.handle, h.at.tgid)?;
        let facts = now.ledger.buf(h.dmabuf);
        let mut notes = self.about(now, 0, h.dmabuf, facts.size);
        if h.fd >= 0 {
            notes.push(self.packets.note("fd", Value::Number(u64::from(h.fd.unsigned_abs()))));
        }
        notes.extend(self.origin(now, &h.at));
        let name = format!("{how} {}", self.buf_name(now, h.dmabuf, 0));
        let event = TrackEvent {
            r#type: Some(kind::INSTANT),
            flow_ids: vec![u64::from(h.dmabuf)],
            ..self.slice(track, "dma-buf", name, notes)
        };
        self.packets.event(out, now.ts_ns, event)
    }

    /// Everything else is a moment on the track of what it is about.
    fn other(&mut self, out: &mut dyn Write, now: &Now<'_>, h: &Happening) -> io::Result<()> {
        let lane = match (self.dmabufs.of(h.dmabuf), self.objects.of(h.object)) {
            (Some(lane), _) => tracks::dmabuf(lane),
            (None, Some(lane)) => tracks::object(lane),
            (None, None) if h.file != 0 && self.files.contains_key(&h.file) => tracks::file(h.file),
            (None, None) => self.process(out, now, h.at.tgid)?,
        };
        let mut notes = self.about(now, h.object, h.dmabuf, h.size);
        if h.handle != 0 {
            let framebuffer = matches!(h.what, What::FramebufferMade | What::FramebufferGone);
            let label = if framebuffer { "framebuffer" } else { "handle" };
            notes.push(self.packets.note(label, Value::Number(u64::from(h.handle))));
        }
        if h.fd >= 0 {
            notes.push(self.packets.note("fd", Value::Number(u64::from(h.fd.unsigned_abs()))));
        }
        notes.extend(self.origin(now, &h.at));
        self.instant(out, now, lane, "use", h.what.text().to_owned(), notes)
    }
}
