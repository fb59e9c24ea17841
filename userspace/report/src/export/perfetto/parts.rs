//! The parts that events are put together from: slices, notes, descriptions of tracks, counters.

use super::*;

impl Perfetto {
    pub(super) fn slice(
        &mut self,
        track: u64,
        category: &'static str,
        name: String,
        debug_annotations: Vec<DebugAnnotation>,
    ) -> TrackEvent {
        TrackEvent {
            category_iids: self.packets.category(category),
            debug_annotations,
            r#type: Some(kind::BEGIN),
            track_uuid: Some(track),
            name: Some(name),
            ..TrackEvent::default()
        }
    }

    pub(super) fn begin_slice(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        track: u64,
        category: &'static str,
        name: String,
        notes: Vec<DebugAnnotation>,
    ) -> io::Result<()> {
        let event = self.slice(track, category, name, notes);
        self.packets.event(out, now.ts_ns, event)
    }

    pub(super) fn instant(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        track: u64,
        category: &'static str,
        name: String,
        notes: Vec<DebugAnnotation>,
    ) -> io::Result<()> {
        let event = TrackEvent { r#type: Some(kind::INSTANT), ..self.slice(track, category, name, notes) };
        self.packets.event(out, now.ts_ns, event)
    }

    /// The slice on this track ends, by what happened.
    pub(super) fn end_slice(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        track: u64,
        h: &Happening,
        more: Option<DebugAnnotation>,
    ) -> io::Result<()> {
        let actor = now.names().actor(&h.at);
        let notes = [("end", h.what.text().to_owned()), ("ended by", actor)];
        let notes = notes.map(|(label, text)| self.packets.note(label, Value::Text(text)));
        self.end_with(out, now, track, notes.into_iter().chain(more).collect())
    }

    fn end_with(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        track: u64,
        debug_annotations: Vec<DebugAnnotation>,
    ) -> io::Result<()> {
        let event = TrackEvent {
            debug_annotations,
            r#type: Some(kind::END),
            track_uuid: Some(track),
            ..TrackEvent::default()
        };
        self.packets.event(out, now.ts_ns, event)
    }

    /// A slice ends because what it stands for is gone; when, nobody saw.
    fn end_unseen(&mut self, out: &mut dyn Write, now: &Now<'_>, track: u64) -> io::Result<()> {
        let text = "not seen: records are missing".to_owned();
        let note = self.packets.note("end", Value::Text(text));
        self.end_with(out, now, track, vec![note])
    }

    /// A moment of the recording itself.
    pub(super) fn recording(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        category: &'static str,
        name: String,
    ) -> io::Result<()> {
        self.instant(out, now, tracks::RECORDING, category, name, Vec::new())
    }

    /// What something is.
    pub(super) fn about(
        &mut self,
        now: &Now<'_>,
        object: u32,
        dmabuf: u32,
        bytes: u64,
    ) -> Vec<DebugAnnotation> {
        let number = |n: u64| (n != 0).then_some(n);
        let ino = if dmabuf == 0 { 0 } else { now.ledger.buf(dmabuf).ino };
        [
            ("object", number(u64::from(object))),
            ("dma-buf", number(u64::from(dmabuf))),
            ("inode", number(ino)),
            ("bytes", number(bytes)),
        ]
        .into_iter()
        .filter_map(|(label, n)| Some(self.packets.note(label, Value::Number(n?))))
        .collect()
    }

    /// Who did it, in which record, with which stacks.
    pub(super) fn origin(&mut self, now: &Now<'_>, at: &Stamp) -> Vec<DebugAnnotation> {
        let names = now.names();
        let mut notes = vec![
            self.packets.note("by", Value::Text(names.actor(at))),
            self.packets.note("record", Value::Number(at.seq)),
        ];
        self.packets.stacks(&mut notes, &names, at);
        notes
    }

    pub(super) fn buf_name(&self, now: &Now<'_>, dmabuf: u32, bytes: u64) -> String {
        now.names().entity(Entity::DmaBuf { ino: now.ledger.buf(dmabuf).ino, id: dmabuf, size: bytes })
    }

    /// Counts a handle.
    pub(super) fn hold(&mut self, key: (u32, u32), open: Open, bytes: u64) {
        self.handles.insert(key, open);
        let (count, size) = self.held.entry((open.tgid, open.object)).or_insert((0, bytes));
        *count += 1;
        if let Some(process) = self.processes.get_mut(&open.tgid) {
            process.handles += 1;
            if *count == 1 {
                process.bytes = process.bytes.saturating_add(*size);
            }
        }
        self.changed.push(open.tgid);
    }

    /// Counts a handle no more.
    pub(super) fn let_go(&mut self, key: (u32, u32)) -> Option<Open> {
        let open = self.handles.remove(&key)?;
        let held = (open.tgid, open.object);
        let mut bytes = 0;
        if let Some((count, size)) = self.held.get_mut(&held) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                bytes = *size;
                self.held.remove(&held);
            }
        }
        if let Some(process) = self.processes.get_mut(&open.tgid) {
            process.handles = process.handles.saturating_sub(1);
            process.bytes = process.bytes.saturating_sub(bytes);
        }
        self.changed.push(open.tgid);
        Some(open)
    }

    /// The end of this handle was not seen, and something shows that it is gone.
    pub(super) fn forget(&mut self, out: &mut dyn Write, now: &Now<'_>, key: (u32, u32)) -> io::Result<()> {
        self.let_go(key);
        self.end_unseen(out, now, tracks::handle(key.0, key.1))
    }

    /// Ends what the engine does not know any more.
    pub(super) fn resync(&mut self, out: &mut dyn Write, now: &Now<'_>) -> io::Result<()> {
        let live: FxHashSet<(u32, u32)> = now.engine.handles().map(|h| (h.file, h.handle)).collect();
        let mut gone: Vec<(u32, u32)> =
            self.handles.keys().copied().filter(|key| !live.contains(key)).collect();
        gone.sort_unstable();
        for key in gone {
            self.forget(out, now, key)?;
        }
        let live: FxHashSet<u32> = now.engine.objects().map(|o| o.id).collect();
        for id in self.objects.without(|id| live.contains(&id)) {
            if let Some(lane) = self.objects.leave(id) {
                self.end_unseen(out, now, tracks::object(lane))?;
            }
        }
        let live: FxHashSet<u32> = now.engine.dmabufs().map(|d| d.id).collect();
        for id in self.dmabufs.without(|id| live.contains(&id)) {
            if let Some(lane) = self.dmabufs.leave(id) {
                self.end_unseen(out, now, tracks::dmabuf(lane))?;
            }
        }
        let live: FxHashSet<u32> = now.engine.files().map(|f| f.id).collect();
        let mut gone: Vec<u32> = self.files.keys().copied().filter(|id| !live.contains(id)).collect();
        gone.sort_unstable();
        for id in gone {
            if let Some(FileTrack { open: true, .. }) = self.files.remove(&id) {
                self.end_unseen(out, now, tracks::file(id))?;
            }
        }
        self.counters(out, now)
    }

    /// The track of a process. It is told of again when its name has changed.
    pub(super) fn process(&mut self, out: &mut dyn Write, now: &Now<'_>, tgid: u32) -> io::Result<u64> {
        let uuid = tracks::process(tgid);
        let name = if tgid == 0 { "the kernel".to_owned() } else { now.names().comm(tgid) };
        let known = self.processes.contains_key(&tgid);
        let process = self.processes.entry(tgid).or_default();
        if known && (process.named == name || name.is_empty()) {
            return Ok(uuid);
        }
        process.named.clone_from(&name);
        let track = TrackDescriptor { uuid: Some(uuid), ..TrackDescriptor::default() };
        // A number that is none: it would be taken for the idle task.
        let track = match i32::try_from(tgid) {
            Ok(pid) if pid != 0 => {
                let process_name = (!name.is_empty()).then_some(name);
                TrackDescriptor { process: Some(ProcessDescriptor { pid: Some(pid), process_name }), ..track }
            }
            _ => TrackDescriptor { name: Some(name), ..track },
        };
        self.packets.track(out, track)?;
        Ok(uuid)
    }

    /// The track of a DRM file, in the process that opened it or was seen first with it.
    pub(super) fn file(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        file: u32,
        tgid: u32,
    ) -> io::Result<u64> {
        let uuid = tracks::file(file);
        if self.files.contains_key(&file) {
            return Ok(uuid);
        }
        let parent = self.process(out, now, tgid)?;
        self.files.insert(file, FileTrack::default());
        let track = TrackDescriptor {
            uuid: Some(uuid),
            parent_uuid: Some(parent),
            name: Some(now.names().file(file)),
            child_ordering: Some(ordering::EXPLICIT),
            sibling_order_rank: i32::try_from(file).ok(),
            ..TrackDescriptor::default()
        };
        self.packets.track(out, track)?;
        Ok(uuid)
    }

    /// The track of a handle number.
    pub(super) fn handle_track(
        &mut self,
        out: &mut dyn Write,
        now: &Now<'_>,
        file: u32,
        handle: u32,
        tgid: u32,
    ) -> io::Result<u64> {
        let uuid = tracks::handle(file, handle);
        let parent = self.file(out, now, file, tgid)?;
        // Whoever creates it has counters.
        self.process(out, now, tgid)?;
        let new = self.files.get_mut(&file).is_some_and(|f| f.lanes.insert(handle));
        if new {
            let track = TrackDescriptor {
                uuid: Some(uuid),
                parent_uuid: Some(parent),
                name: Some(format!("handle {handle}")),
                sibling_order_rank: i32::try_from(handle).ok(),
                ..TrackDescriptor::default()
            };
            self.packets.track(out, track)?;
        }
        Ok(uuid)
    }

    /// A lane of things that are of no one process. Perfetto shows lanes of one name together.
    pub(super) fn lane(&mut self, out: &mut dyn Write, uuid: u64, name: &str, rank: i32) -> io::Result<()> {
        let track = TrackDescriptor {
            uuid: Some(uuid),
            parent_uuid: Some(tracks::MACHINE),
            name: Some(name.to_owned()),
            sibling_order_rank: Some(rank),
            ..TrackDescriptor::default()
        };
        self.packets.track(out, track)
    }

    /// Writes counters that have changed.
    pub(super) fn counters(&mut self, out: &mut dyn Write, now: &Now<'_>) -> io::Result<()> {
        self.packets.renew();
        let handles = now.engine.counts().handles as u64;
        if self.handles_shown.replace(handles) != Some(handles) {
            self.packets.counter(out, now.ts_ns, tracks::HANDLES, handles)?;
        }
        let bytes = now.ledger.bytes();
        if self.bytes_shown.replace(bytes) != Some(bytes) {
            self.packets.counter(out, now.ts_ns, tracks::BYTES, bytes)?;
        }
        let mut changed = std::mem::take(&mut self.changed);
        for tgid in changed.drain(..) {
            self.process_counters(out, now, tgid)?;
        }
        self.changed = changed;
        Ok(())
    }

    fn process_counters(&mut self, out: &mut dyn Write, now: &Now<'_>, tgid: u32) -> io::Result<()> {
        let Some(process) = self.processes.get_mut(&tgid) else { return Ok(()) };
        let values = (process.handles, process.bytes);
        let (shown, counted) = (process.shown, process.counted);
        let any = counted || values.0 != 0;
        process.counted = any;
        process.shown = (Some(values.0), Some(values.1));
        if process.ended && values.0 == 0 {
            self.processes.remove(&tgid);
        }
        if !any {
            return Ok(());
        }
        let (handles, bytes) = (tracks::process_handles(tgid), tracks::process_bytes(tgid));
        if !counted {
            for (uuid, name, unit) in
                [(handles, "live handles", unit::COUNT), (bytes, "bytes behind handles", unit::BYTES)]
            {
                let track = TrackDescriptor {
                    uuid: Some(uuid),
                    parent_uuid: Some(tracks::process(tgid)),
                    name: Some(name.to_owned()),
                    counter: Some(CounterDescriptor { unit: Some(unit) }),
                    ..TrackDescriptor::default()
                };
                self.packets.track(out, track)?;
            }
        }
        if shown.0 != Some(values.0) {
            self.packets.counter(out, now.ts_ns, handles, values.0)?;
        }
        if shown.1 != Some(values.1) {
            self.packets.counter(out, now.ts_ns, bytes, values.1)?;
        }
        Ok(())
    }
}
