//! Writing packets: one at a time, with what repeats written once and referred to by number.

use std::io;

use gemscope_engine::Stamp;
use gemscope_trace::StackKind;
use rustc_hash::FxHashMap;

use super::proto::{
    Clock, ClockSnapshot, DebugAnnotation, Interned, InternedData, TracePacket, TracePacketDefaults,
    TrackDescriptor, TrackEvent, clock, flags, kind,
};
use crate::export::frames;
use crate::names::Names;

/// A sequence of packets: its own interned texts, its own order of time.
pub(super) struct Packets {
    sequence: u32,
    buffer: Vec<u8>,
    begun: bool,
    last_ns: u64,
    categories: FxHashMap<&'static str, u64>,
    labels: FxHashMap<&'static str, u64>,
    stacks: FxHashMap<(StackKind, i32, u32), u64>,
    /// interned and not written yet
    pending: InternedData,
}

/// What is told of an event beside its name.
pub(super) enum Value {
    Text(String),
    Number(u64),
    Yes(bool),
    List(Vec<String>),
    /// A text that was interned.
    Known(u64),
}

impl Packets {
    /// Stacks that are kept apart; past it, the sequence begins anew.
    const MOST: usize = 1 << 16;

    /// A new sequence.
    pub fn new(sequence: u32) -> Self {
        Self {
            sequence,
            buffer: Vec::with_capacity(1 << 10),
            begun: false,
            last_ns: 0,
            categories: FxHashMap::default(),
            labels: FxHashMap::default(),
            stacks: FxHashMap::default(),
            pending: InternedData::default(),
        }
    }

    /// Tells how the clock of the records relates to wall time, if it does.
    pub fn clocks(&mut self, out: &mut dyn io::Write, start_ns: u64, offset_ns: i64) -> io::Result<()> {
        let clock = |id, ns| Clock { clock_id: Some(id), timestamp: Some(ns) };
        let wall = (offset_ns != 0).then(|| start_ns.checked_add_signed(offset_ns)).flatten();
        let mut clocks = vec![clock(clock::MONOTONIC, start_ns)];
        clocks.extend(wall.map(|ns| clock(clock::REALTIME, ns)));
        let snapshot = ClockSnapshot { clocks, primary_trace_clock: Some(clock::MONOTONIC) };
        self.write(out, TracePacket { clock_snapshot: Some(snapshot), ..TracePacket::default() })
    }

    /// Tells what a track is.
    pub fn track(&mut self, out: &mut dyn io::Write, track: TrackDescriptor) -> io::Result<()> {
        self.write(out, TracePacket { track_descriptor: Some(track), ..TracePacket::default() })
    }

    /// A counter has a new value.
    pub fn counter(&mut self, out: &mut dyn io::Write, ts_ns: u64, track: u64, value: u64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(kind::COUNTER),
            track_uuid: Some(track),
            counter_value: Some(i64::try_from(value).unwrap_or(i64::MAX)),
            ..TrackEvent::default()
        };
        self.event(out, ts_ns, event)
    }

    /// Something on a track. Time never goes back within a sequence: the order of records counts.
    pub fn event(&mut self, out: &mut dyn io::Write, ts_ns: u64, event: TrackEvent) -> io::Result<()> {
        self.last_ns = self.last_ns.max(ts_ns);
        let timestamp = Some(self.last_ns);
        self.write(out, TracePacket { timestamp, track_event: Some(event), ..TracePacket::default() })
    }

    /// The number of a category.
    pub fn category(&mut self, name: &'static str) -> Vec<u64> {
        vec![intern(&mut self.categories, name, &mut self.pending.event_categories, || name.to_owned())]
    }

    /// Something told of an event.
    pub fn note(&mut self, label: &'static str, value: Value) -> DebugAnnotation {
        let names = &mut self.pending.debug_annotation_names;
        let name_iid = Some(intern(&mut self.labels, label, names, || label.to_owned()));
        let mut note = DebugAnnotation { name_iid, ..DebugAnnotation::default() };
        match value {
            Value::Text(text) => note.string_value = Some(text),
            Value::Number(n) => note.uint_value = Some(n),
            Value::Yes(is) => note.bool_value = Some(is),
            Value::Known(iid) => note.string_value_iid = Some(iid),
            Value::List(all) => {
                let text = |t| DebugAnnotation { string_value: Some(t), ..DebugAnnotation::default() };
                note.array_values = all.into_iter().map(text).collect();
            }
        }
        note
    }

    /// The stacks of a stamp as notes, each stack's text written once.
    pub fn stacks(&mut self, notes: &mut Vec<DebugAnnotation>, names: &Names<'_>, at: &Stamp) {
        let both = [
            ("kernel stack", StackKind::Kernel, at.kstack, 0),
            ("user stack", StackKind::User, at.ustack, at.tgid),
        ];
        for (label, kind, id, tgid) in both {
            if id < 0 || !names.definitions.has_stack(kind, id) {
                continue;
            }
            let texts = &mut self.pending.debug_annotation_string_values;
            let frames = || frames(names, kind, id, tgid).join(" < ");
            let iid = intern(&mut self.stacks, (kind, id, tgid), texts, frames);
            notes.push(self.note(label, Value::Known(iid)));
        }
    }

    /// Forgets what was interned when that is much. Not between the making of an event and its writing.
    pub fn renew(&mut self) {
        if self.stacks.len() > Self::MOST {
            self.begun = false;
            self.categories.clear();
            self.labels.clear();
            self.stacks.clear();
        }
    }

    fn write(&mut self, out: &mut dyn io::Write, mut packet: TracePacket) -> io::Result<()> {
        packet.trusted_packet_sequence_id = Some(self.sequence);
        packet.sequence_flags = Some(flags::NEEDED);
        if !self.begun {
            self.begun = true;
            packet.sequence_flags = Some(flags::CLEARED | flags::NEEDED);
            packet.trace_packet_defaults =
                Some(TracePacketDefaults { timestamp_clock_id: Some(clock::MONOTONIC) });
        }
        if self.pending != InternedData::default() {
            packet.interned_data = Some(std::mem::take(&mut self.pending));
        }
        self.buffer.clear();
        prost::encoding::message::encode(1, &packet, &mut self.buffer);
        out.write_all(&self.buffer)
    }
}

/// The number of a text, which is written with the next packet when it is new.
fn intern<K: std::hash::Hash + Eq>(
    known: &mut FxHashMap<K, u64>,
    key: K,
    pending: &mut Vec<Interned>,
    text: impl FnOnce() -> String,
) -> u64 {
    let next = known.len() as u64 + 1;
    *known.entry(key).or_insert_with(|| {
        pending.push(Interned { iid: Some(next), text: Some(text()) });
        next
    })
}
