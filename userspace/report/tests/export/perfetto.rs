//! What is written for Perfetto is what it asks for, and says what the engine says.

use std::collections::{BTreeMap, BTreeSet};

use gemscope_engine::{Config, What};
use gemscope_report::Context;
use gemscope_report::export::perfetto::proto::{DebugAnnotation, Trace, TracePacket, kind};
use gemscope_report::export::{Feed, Perfetto, Told};
use gemscope_report::series::Point;
use gemscope_trace::Definitions;
use gemscope_trace::sample::{Shape, Workload};
use prost::Message as _;

use crate::{Outcome, traces};

/// A trace as it was read back.
#[derive(Default)]
pub struct Read {
    /// name, parent, process
    pub tracks: BTreeMap<u64, (String, Option<u64>, Option<i32>)>,
    /// begins and ends by track
    slices: BTreeMap<u64, (u64, u64)>,
    /// slices by category
    begun: BTreeMap<String, u64>,
    /// events that a flow passes through, by category and name
    pub flows: BTreeMap<u64, Vec<String>>,
    /// last values
    counters: BTreeMap<u64, i64>,
    /// highest values
    peaks: BTreeMap<u64, i64>,
    /// moments by category
    pub moments: BTreeMap<String, u64>,
    /// every text
    pub texts: Vec<String>,
}

/// Reads a trace back, and checks everything that holds of every trace.
#[track_caller]
pub fn check(name: &str, bytes: &[u8]) -> Read {
    let trace = Trace::decode(bytes).unwrap();
    let mut read = Read::default();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    // Interned, by sequence: categories, names of notes, texts.
    let mut interned: BTreeMap<(u32, u8, u64), String> = BTreeMap::new();
    assert!(trace.packet[0].clock_snapshot.as_ref().unwrap().primary_trace_clock == Some(3), "{name}");
    for packet in &trace.packet {
        let sequence = packet.trusted_packet_sequence_id.unwrap();
        if packet.sequence_flags.unwrap() & 1 != 0 {
            interned.retain(|key, _| key.0 != sequence);
            assert_eq!(packet.trace_packet_defaults.as_ref().unwrap().timestamp_clock_id, Some(3));
        }
        if let Some(data) = &packet.interned_data {
            for (which, all) in [
                (0, &data.event_categories),
                (1, &data.debug_annotation_names),
                (2, &data.debug_annotation_string_values),
            ] {
                for one in all {
                    let key = (sequence, which, one.iid.unwrap());
                    read.texts.push(one.text.clone().unwrap());
                    assert!(
                        interned.insert(key, one.text.clone().unwrap()).is_none(),
                        "{name}: {key:?} twice"
                    );
                }
            }
        }
        if let Some(track) = &packet.track_descriptor {
            let parent = track.parent_uuid;
            assert!(parent.is_none_or(|p| read.tracks.contains_key(&p)), "{name}: {track:?} has no parent");
            let pid = track.process.as_ref().map(|p| p.pid.unwrap());
            let process_name = track.process.as_ref().and_then(|p| p.process_name.clone());
            let text = track.name.clone().or(process_name).unwrap_or_default();
            read.texts.push(text.clone());
            let before = read.tracks.insert(track.uuid.unwrap(), (text, parent, pid));
            if let Some((_, p, id)) = before {
                assert_eq!((p, id), (parent, pid), "{name}: another track of that number: {track:?}");
            }
        }
        event(name, packet, &mut read, &mut last, &interned);
    }
    for (track, (begins, ends)) in &read.slices {
        assert!(ends <= begins, "{name}: {track} ends more often than it begins");
    }
    read
}

fn event(
    name: &str,
    packet: &TracePacket,
    read: &mut Read,
    last: &mut BTreeMap<u32, u64>,
    interned: &BTreeMap<(u32, u8, u64), String>,
) {
    let Some(event) = &packet.track_event else { return };
    let sequence = packet.trusted_packet_sequence_id.unwrap();
    let (ts, track) = (packet.timestamp.unwrap(), event.track_uuid.unwrap());
    let before = last.insert(sequence, ts).unwrap_or(0);
    assert!(before <= ts, "{name}: time goes back in sequence {sequence}");
    assert!(read.tracks.contains_key(&track), "{name}: {track} is not a track");
    let category = event.category_iids.first().map(|iid| interned[&(sequence, 0, *iid)].clone());
    let category = category.unwrap_or_default();
    read.texts.extend(event.name.clone());
    notes(&event.debug_annotations, true, sequence, interned, &mut read.texts);
    let slices = read.slices.entry(track).or_default();
    match event.r#type.unwrap() {
        kind::BEGIN => {
            slices.0 += 1;
            assert_eq!(slices.0, slices.1 + 1, "{name}: lives overlap on one track");
            *read.begun.entry(category.clone()).or_default() += 1;
        }
        kind::END => {
            slices.1 += 1;
            assert_eq!(slices.0, slices.1, "{name}: an end without a begin");
        }
        kind::INSTANT => *read.moments.entry(category.clone()).or_default() += 1,
        kind::COUNTER => {
            let value = event.counter_value.unwrap();
            let peak = read.peaks.entry(track).or_default();
            *peak = value.max(*peak);
            assert_ne!(read.counters.insert(track, value), Some(value), "{name}: said twice");
        }
        other => panic!("{name}: an event of type {other}"),
    }
    for flow in &event.flow_ids {
        let what = event.name.as_deref().unwrap_or_default();
        read.flows.entry(*flow).or_default().push(what.split(' ').next().unwrap().to_owned());
    }
}

fn notes(
    all: &[DebugAnnotation],
    named: bool,
    sequence: u32,
    interned: &BTreeMap<(u32, u8, u64), String>,
    texts: &mut Vec<String>,
) {
    for note in all {
        assert_eq!(note.name_iid.is_some(), named);
        if let Some(iid) = note.name_iid {
            assert!(interned.contains_key(&(sequence, 1, iid)));
        }
        if let Some(iid) = note.string_value_iid {
            assert!(interned.contains_key(&(sequence, 2, iid)));
        }
        texts.extend(note.string_value.clone());
        notes(&note.array_values, false, sequence, interned, texts);
    }
}

impl Read {
    fn slices(&self, category: &str) -> u64 {
        self.begun.get(category).copied().unwrap_or(0)
    }

    /// Slices without an end, on tracks of this name.
    fn open(&self, track: &str) -> u64 {
        let named = |uuid: &u64| self.tracks[uuid].0.starts_with(track);
        self.slices.iter().filter(|(uuid, _)| named(uuid)).map(|(_, (begins, ends))| begins - ends).sum()
    }

    /// The highest value of a counter of the whole machine.
    fn peak(&self, name: &str) -> i64 {
        let is = |uuid: &u64| {
            let (text, parent, _) = &self.tracks[uuid];
            text == name && parent.is_some_and(|parent| self.tracks[&parent].0 == "GPU buffers")
        };
        self.peaks.iter().filter(|(uuid, _)| is(uuid)).map(|(_, peak)| *peak).max().unwrap_or(0)
    }

    fn counter(
        &self,
        name: &str,
        parent: impl Fn(&(String, Option<u64>, Option<i32>)) -> bool,
    ) -> Option<i64> {
        let of = |(_, (text, of, _)): &(&u64, &(String, Option<u64>, Option<i32>))| {
            text == name && of.is_some_and(|of| parent(&self.tracks[&of]))
        };
        let (uuid, _) = self.tracks.iter().find(of)?;
        self.counters.get(uuid).copied()
    }
}

#[test]
fn every_trace_is_whole_and_says_what_the_engine_says() {
    let (mut handles, mut flows, mut imports) = (0, 0, 0);
    for trace in traces() {
        let name = &trace.name;
        let (bytes, Outcome { happenings, feed }) = trace.perfetto();
        let read = check(name, &bytes);
        let now = feed.now(&trace.context, &trace.definitions);
        let (engine, counts) = (now.engine, now.engine.counts());
        let count = |what: &[What]| happenings.iter().filter(|h| what.contains(&h.what)).count() as u64;

        assert_eq!(read.slices("handle"), count(&[What::HandleCreated, What::HandleMoved]), "{name}");
        assert_eq!(read.slices("object"), count(&[What::Born]), "{name}");
        assert_eq!(read.slices("dma-buf"), count(&[What::Exported]), "{name}");
        assert_eq!(read.slices("file"), count(&[What::FileOpened]), "{name}");
        handles += read.slices("handle");

        // What is open at the end is what the engine knows of, as far as its beginning was seen.
        let seen = engine.handles().filter(|h| h.created.is_known()).count() as u64;
        assert_eq!(read.open("handle "), seen, "{name}");
        assert_eq!(
            read.open("objects"),
            engine.objects().filter(|o| o.born.is_known()).count() as u64,
            "{name}"
        );
        assert_eq!(
            read.open("dma-bufs"),
            engine.dmabufs().filter(|d| d.born.is_known()).count() as u64,
            "{name}"
        );

        let machine = |t: &(String, Option<u64>, Option<i32>)| t.0 == "GPU buffers";
        assert_eq!(read.counter("live handles", machine), Some(counts.handles as i64), "{name}");
        let mut peak = 0;
        trace.feed(|now, told| {
            if matches!(told, Told::Done) {
                peak = now.engine.counts().handles.max(peak);
            }
        });
        assert_eq!(read.peak("live handles"), peak as i64, "{name}");
        let point = Point::now(engine, 0);
        assert_eq!(read.counter("bytes of live buffers", machine), Some(point.bytes as i64), "{name}");
        let mut by_process: BTreeMap<u32, i64> = BTreeMap::new();
        engine.handles().filter(|h| h.created.is_known()).for_each(|h| {
            *by_process.entry(h.created.tgid).or_default() += 1;
        });
        for tgid in happenings.iter().filter(|h| h.what == What::HandleCreated).map(|h| h.at.tgid) {
            let said = read.counter("live handles", |t| t.2 == i32::try_from(tgid).ok()).unwrap();
            assert_eq!(said, by_process.get(&tgid).copied().unwrap_or(0), "{name}: {tgid}");
        }

        // A flow for each dma-buf that was born; through every handle that it was imported as.
        let born: BTreeSet<u64> =
            happenings.iter().filter(|h| h.what == What::Exported).map(|h| u64::from(h.dmabuf)).collect();
        let begun = read.flows.iter().filter(|(_, events)| events[0] == "dma-buf");
        assert_eq!(begun.map(|(id, _)| *id).collect::<BTreeSet<_>>(), born, "{name}");
        let imported = |id: u64| {
            happenings.iter().filter(|h| h.what == What::Imported && u64::from(h.dmabuf) == id).count()
        };
        for (id, events) in &read.flows {
            let through = events.iter().filter(|e| *e == "imported").count();
            assert_eq!(through, imported(*id), "{name}: flow {id}");
            flows += u64::from(through > 0);
            imports += through;
        }

        let findings = engine.findings().len() as u64;
        let near = engine.near_misses().len() as u64;
        assert_eq!(read.moments.get("finding").copied().unwrap_or(0), findings, "{name}");
        assert_eq!(read.moments.get("near-miss").copied().unwrap_or(0), near, "{name}");
    }
    println!("{handles} handles, {flows} flows through {imports} imports");
    assert!(handles > 1000 && flows > 100, "{handles} {flows} {imports}: the traces show nothing");
}

#[test]
fn bytes_are_counted_as_they_come_and_go() {
    for trace in traces() {
        let Outcome { feed, .. } = trace.feed(|_, _| {});
        let now = feed.now(&trace.context, &trace.definitions);
        assert_eq!(now.ledger.bytes(), Point::now(now.engine, 0).bytes, "{}", trace.name);
    }
}

/// Records that go missing take ends with them: what the engine gives up ends in the export too.
#[test]
fn losses_are_told_and_leave_nothing_behind() {
    let context = Context { start_ns: 1, ..Context::default() };
    let definitions = Definitions::new();
    for seed in 1..6 {
        let mut feed = Feed::new(Config::default());
        let mut out = Vec::new();
        let mut encoder = Perfetto::begin(&mut out, 1, 0).unwrap();
        let (mut drops, mut losses) = (0, 0);
        let shape = Shape { threads: 3, live: 20, seed };
        for (i, mut record) in Workload::new(shape).take(20_000).enumerate() {
            // A part of every thousand is lost, once in a while as a block of the file.
            if i % 1000 < 100 {
                drops += 1;
                continue;
            }
            if i % 5000 == 100 {
                feed.gap(&context, &definitions, "a block is damaged", |now, told| {
                    encoder.told(&mut out, now, told)
                })
                .unwrap();
                losses += 1;
            }
            losses += u64::from(i % 1000 == 100);
            record.header.drops = drops;
            feed.ingest(&context, &definitions, &record, |now, told| encoder.told(&mut out, now, told))
                .unwrap();
        }
        // What a loss at the very end would clear up.
        feed.gap(&context, &definitions, "the end is missing", |now, told| encoder.told(&mut out, now, told))
            .unwrap();
        feed.finish();
        encoder.end(&mut out, &feed.now(&context, &definitions)).unwrap();
        let read = check("losses", &out);
        let counts = feed.now(&context, &definitions).engine.counts();
        assert_eq!(read.moments["loss"], losses + 1);
        assert!(read.open("handle ") <= counts.handles as u64, "{} {counts:?}", read.open("handle "));
        assert!(read.open("objects") <= counts.objects as u64);
        assert!(read.open("dma-bufs") <= counts.dmabufs as u64);
        let machine = |t: &(String, Option<u64>, Option<i32>)| t.0 == "GPU buffers";
        assert_eq!(read.counter("live handles", machine), Some(counts.handles as i64));
    }
}
