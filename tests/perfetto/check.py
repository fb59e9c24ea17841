"""Reads what `gemscope export --format perfetto` wrote by Perfetto's own schema, and compares it with the JSON lines of
the same trace, which say what the engine counted.

    check.py FOLDER

FOLDER has pairs of files NAME.pftrace and NAME.jsonl. Prints a line with the totals; exits with 1 at the first difference.
"""

import collections
import json
import pathlib
import sys

from google.protobuf import unknown_fields
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

Event = schema.TrackEvent


class Trace:
    """What a trace says, as its readers understand it: in the order of time, with interned texts put back."""

    def __init__(self, data):
        trace = schema.Trace()
        trace.ParseFromString(data)
        self.tracks = {}
        self.slices = collections.Counter()
        self.moments = collections.Counter()
        self.flows = collections.defaultdict(list)
        self.counters = {}
        depth = collections.Counter()
        interned, events = {}, []
        for packet in trace.packet:
            known(packet)
            sequence = packet.trusted_packet_sequence_id
            if packet.sequence_flags & schema.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED:
                interned[sequence] = ({}, {}, {})
                clock = packet.trace_packet_defaults.timestamp_clock_id
                require(clock == schema.BUILTIN_CLOCK_MONOTONIC, "times are not CLOCK_MONOTONIC")
            categories, labels, texts = interned[sequence]
            data = packet.interned_data
            categories.update((c.iid, c.name) for c in data.event_categories)
            labels.update((n.iid, n.name) for n in data.debug_annotation_names)
            texts.update((t.iid, t.str.decode()) for t in data.debug_annotation_string_values)
            if packet.HasField("track_descriptor"):
                track = packet.track_descriptor
                require(not track.parent_uuid or track.parent_uuid in self.tracks, "a track without its parent")
                self.tracks[track.uuid] = track
            if packet.HasField("track_event"):
                event = packet.track_event
                require(event.track_uuid in self.tracks, "an event on no track")
                category = [categories[iid] for iid in event.category_iids]
                notes = {labels[n.name_iid]: n for n in event.debug_annotations}
                require(all(n.string_value_iid in texts for n in notes.values() if n.string_value_iid), "no text")
                events.append((packet.timestamp, event, category[0] if category else "", notes))
        snapshot = trace.packet[0].clock_snapshot
        require(snapshot.primary_trace_clock == schema.BUILTIN_CLOCK_MONOTONIC, "no primary clock")
        # A stable sort, as readers do it: the order of packets decides between those of one time.
        for _, event, category, notes in sorted(events, key=lambda e: e[0]):
            track = event.track_uuid
            if event.type == Event.TYPE_SLICE_BEGIN:
                depth[track] += 1
                require(depth[track] == 1, "lives overlap on one track")
                self.slices[category] += 1
            elif event.type == Event.TYPE_SLICE_END:
                depth[track] -= 1
                require(depth[track] == 0, "an end without a begin")
            elif event.type == Event.TYPE_INSTANT:
                self.moments[category] += 1
            elif event.type == Event.TYPE_COUNTER:
                self.counters[track] = event.counter_value
            for flow in event.flow_ids:
                self.flows[flow].append(event.name)
            if category in ("finding", "near-miss"):
                require({"rule", "what", "event", "held by", "life"} <= notes.keys(), "a finding without evidence")
            if category == "handle" and event.type == Event.TYPE_SLICE_BEGIN:
                require({"object", "by", "record"} <= notes.keys(), "a handle without its origin")
        self.open = collections.Counter(self.tracks[t].name.split()[0] for t, n in depth.items() if n)

    def counter(self, name, root="GPU buffers"):
        of = lambda t: t.name == name and self.tracks[t.parent_uuid].name == root
        return next(self.counters.get(uuid, 0) for uuid, t in self.tracks.items() if t.HasField("counter") and of(t))


def known(message):
    """Nothing may be there that the schema does not know, or knows as another type."""
    require(len(unknown_fields.UnknownFieldSet(message)) == 0, f"unknown fields in {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in [value] if hasattr(value, "ListFields") else value:
                known(one)


def require(holds, why):
    if not holds:
        raise AssertionError(why)


def same(what, found, expected):
    require(found == expected, f"{what}: {found} in the trace, {expected} by the engine")


def check(folder, name):
    trace = Trace((folder / f"{name}.pftrace").read_bytes())
    lines = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    end = lines[-1]
    require(end["type"] == "end", "the lines have no end")
    happenings = [line for line in lines if line["type"] == "happening"]
    what = collections.Counter(line["what"] for line in happenings)
    same("handles", trace.slices["handle"], what["handle created"] + what["handle moved to another number"])
    same("objects", trace.slices["object"], what["object born"])
    same("dma-bufs", trace.slices["dma-buf"], what["dma-buf exported"])
    same("files", trace.slices["file"], what["DRM file opened"])
    exported = {line["dma_buf"] for line in happenings if line["what"] == "dma-buf exported"}
    imports = collections.Counter(line["dma_buf"] for line in happenings if line["what"] == "imported" and "dma_buf" in line)
    same("flows begun", {f for f, e in trace.flows.items() if e[0].startswith("dma-buf")}, exported)
    through = {f: sum(n.startswith("imported from") for n in names) for f, names in trace.flows.items()}
    same("flows through imports", {f: n for f, n in through.items() if n}, dict(imports))
    same("findings", trace.moments["finding"], sum(line["type"] == "finding" for line in lines))
    same("near misses", trace.moments["near-miss"], sum(line["type"] == "near-miss" for line in lines))
    same("marks", trace.moments["mark"], sum(line["type"] == "mark" for line in lines))
    same("losses", trace.moments["loss"], sum(line["type"] == "lost" for line in lines))
    same("live handles", trace.counter("live handles"), end["live"]["handles"])
    same("live bytes", trace.counter("bytes of live buffers"), end["live_bytes"])
    if end["pre_existing"] == 0:
        same("open handles", trace.open["handle"], end["live"]["handles"])
        same("open objects", trace.open["objects"], end["live"]["objects"])
        same("open dma-bufs", trace.open["dma-bufs"], end["live"]["dma_bufs"])
    return collections.Counter(
        traces=1,
        handles=trace.slices["handle"],
        flows=sum(1 for n in through.values() if n),
        imports=sum(imports.values()),
        open=sum(trace.open.values()),
        counters=len(trace.counters),
        findings=trace.moments["finding"],
    )


def main():
    folder = pathlib.Path(sys.argv[1])
    totals = collections.Counter()
    for path in sorted(folder.glob("*.pftrace")):
        try:
            totals += check(folder, path.stem)
        except (AssertionError, KeyError, StopIteration) as error:
            sys.exit(f"{path.stem}: {error!r}")
    require(totals["traces"] > 0, "no traces")
    print(", ".join(f"{n} {what}" for what, n in totals.items()))


if __name__ == "__main__":
    main()
