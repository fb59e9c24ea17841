//! From the engine's types to the lines.

use std::collections::BTreeMap;

use gemscope_common::{ProbeId, kernel_str};
use gemscope_engine as engine;
use gemscope_engine::HolderKind;
use gemscope_trace::{Frame, StackKind};

use super::lines;
use crate::context::Context;
use crate::names::{self, Names};
use crate::notes::Note;

/// Version of the lines.
const SCHEMA: u32 = 1;

pub(crate) fn header(c: &Context) -> lines::Header {
    let missing = c.missing.iter().map(|m| lines::Missing {
        probe: m.probe.clone(),
        reason: m.reason.clone(),
        blind: m.blind.clone(),
    });
    lines::Header {
        schema: SCHEMA,
        gemscope: c.gemscope.clone(),
        kernel: lines::Kernel {
            release: c.kernel.clone(),
            machine: c.machine.clone(),
            distro: c.distro.clone(),
            profile: c.profile.clone(),
            recorded_profile: c.recorded_profile.clone(),
            features: c.features.clone(),
        },
        probes: lines::Probes { attached: c.attached, missing: missing.collect(), off: c.off.clone() },
        blinded: c.blinded.clone(),
        filters: c.filters.clone(),
        command: c.command.clone(),
        command_status: c.status.clone(),
        scope_root_pid: c.root_pid,
        at_exit: c.at_exit.clone(),
        trace: c.trace.clone(),
        damage: c.damage.clone(),
        notes: c.notes.clone(),
    }
}

pub(crate) fn finding(names: &Names<'_>, f: &engine::Finding) -> lines::Finding {
    let rule = f.rule.rule();
    let engine::Finding {
        number,
        rule: _,
        entity: about,
        count,
        bytes,
        event: broke,
        conflict,
        holders,
        life,
        tainted,
        proven,
    } = f;
    lines::Finding {
        number: *number,
        rule: rule.id.name().to_owned(),
        class: rule.class.name().to_owned(),
        title: rule.title.to_owned(),
        certain: !tainted,
        proven: *proven,
        entity: entity(names, *about),
        count: *count,
        bytes: *bytes,
        test: names.test_of_finding(f).map(test),
        event: event(names, broke, true),
        earlier: conflict.as_ref().map(|e| event(names, e, true)),
        holders: holders.iter().map(|h| holder(names, h)).collect(),
        life: life.iter().map(|e| event(names, e, false)).collect(),
        advice: rule.advice.to_owned(),
        set_aside: None,
    }
}

fn test(test: crate::attribution::Test) -> lines::Test {
    let crate::attribution::Test { runner, suite, name } = test;
    lines::Test { runner: runner.name().to_owned(), suite, name }
}

fn entity(names: &Names<'_>, e: engine::Entity) -> lines::Entity {
    let mut out = lines::Entity {
        kind: String::new(),
        text: names.entity(e),
        file: None,
        client: None,
        driver: None,
        minor: None,
        handle: None,
        incarnation: None,
        object: None,
        dma_buf: None,
        inode: None,
        framebuffer: None,
        bytes: e.size(),
    };
    match e {
        engine::Entity::File { id, minor, client } => {
            out.kind = "file".to_owned();
            (out.minor, out.client) = ((minor != u32::MAX).then_some(minor), (client != 0).then_some(client));
            file(names, &mut out, id);
        }
        engine::Entity::Object { id, size: _ } => {
            out.kind = "object".to_owned();
            out.object = Some(id);
        }
        engine::Entity::Handle { file: number, handle, incarnation, object, size: _ } => {
            out.kind = "handle".to_owned();
            (out.handle, out.incarnation, out.object) = (Some(handle), Some(incarnation), Some(object));
            file(names, &mut out, number);
        }
        engine::Entity::DmaBuf { ino, id, size: _ } => {
            out.kind = "dma-buf".to_owned();
            (out.dma_buf, out.inode) = (Some(id), (ino != 0).then_some(ino));
        }
        engine::Entity::Framebuffer { id } => {
            out.kind = "framebuffer".to_owned();
            out.framebuffer = Some(id);
        }
    }
    out
}

fn file(names: &Names<'_>, out: &mut lines::Entity, number: u32) {
    out.file = Some(number);
    if let Some(facts) = names.directory.file(number) {
        out.minor = Some(facts.minor);
        out.client = (facts.client != 0).then_some(facts.client);
        out.driver = Some(String::from_utf8_lossy(kernel_str(&facts.driver)).into_owned());
    }
}

fn event(names: &Names<'_>, e: &engine::LifeEvent, stacks: bool) -> lines::Event {
    lines::Event { what: e.what.text().to_owned(), at: stamp(names, &e.at, stacks) }
}

pub(crate) fn stamp(names: &Names<'_>, at: &engine::Stamp, stacks: bool) -> lines::Stamp {
    let stack = |kind, id| {
        let frames = names.definitions.frames(kind, id, at.tgid);
        if stacks { frames.map(|f| frame(names, kind, &f)).collect() } else { Vec::new() }
    };
    lines::Stamp {
        seq: at.seq,
        time_ns: at.ts_ns.saturating_sub(names.context.start_ns),
        pid: at.tgid,
        tid: at.tid,
        process: process(names, at.tgid),
        kernel_stack: stack(StackKind::Kernel, at.kstack),
        user_stack: stack(StackKind::User, at.ustack),
    }
}

fn process(names: &Names<'_>, tgid: u32) -> String {
    let comm = names.judgement.comms.get(&tgid).map(Vec::as_slice);
    let comm = comm.or_else(|| names.definitions.process(tgid).map(|p| p.comm.as_bytes()));
    String::from_utf8_lossy(comm.unwrap_or_default()).into_owned()
}

fn frame(names: &Names<'_>, kind: StackKind, f: &Frame<'_>) -> lines::Frame {
    // Kernel addresses stay inside; user addresses of a process are its own affair and help to find a symbol later.
    let address = (kind == StackKind::User || names.context.raw_addresses).then_some(f.addr);
    let Some(s) = f.symbol else { return lines::Frame { address, ..lines::Frame::default() } };
    let text = |name: &gemscope_trace::Name| (!name.is_empty()).then(|| name.to_str_lossy().into_owned());
    lines::Frame {
        function: text(&s.name),
        offset: Some(s.offset),
        module: text(&s.module),
        file: text(&s.file),
        line: (s.line != 0).then_some(s.line),
        inlined: s.inlined.iter().map(|i| i.name.to_str_lossy().into_owned()).collect(),
        address,
    }
}

fn holder(names: &Names<'_>, h: &engine::Holder) -> lines::Holder {
    let mut out = lines::Holder {
        kind: String::new(),
        text: names.holder(h),
        entity: None,
        holder_pid: None,
        holder_process: None,
        fd: None,
        taken: stamp(names, &h.taken, true),
    };
    let (kind, about) = match h.kind {
        HolderKind::Handle(e) => ("handle", Some(e)),
        HolderKind::Link(e) => ("link", Some(e)),
        HolderKind::Importer(e) => ("importer", Some(e)),
        HolderKind::Exported(e) => ("exported", Some(e)),
        HolderKind::Cache { file, handle } => {
            let e = engine::Entity::Handle { file, handle, incarnation: 0, object: 0, size: 0 };
            ("cache", Some(e))
        }
        HolderKind::Fd { tgid, fd } => {
            (out.holder_pid, out.fd) = (Some(tgid), (fd >= 0).then_some(fd));
            ("fd", None)
        }
        HolderKind::PathFd { tgid, fd } => {
            (out.holder_pid, out.fd) = (Some(tgid), Some(fd));
            ("path-fd", None)
        }
        HolderKind::Mapping { tgid } => {
            out.holder_pid = (tgid != 0).then_some(tgid);
            ("mapping", None)
        }
        HolderKind::Framebuffer { id: _ } => ("framebuffer", None),
        HolderKind::Attachment => ("attachment", None),
    };
    out.kind = kind.to_owned();
    out.holder_process = out.holder_pid.map(|tgid| process(names, tgid)).filter(|name| !name.is_empty());
    out.entity = about.map(|e| entity(names, e));
    if kind == "cache"
        && let Some(e) = &mut out.entity
    {
        (e.incarnation, e.object) = (None, None);
        e.text.clone_from(&out.text);
    }
    out
}

pub(crate) fn note(names: &Names<'_>, n: Note<'_>) -> lines::Note {
    let held = |h: &&engine::Held| lines::Held {
        entity: entity(names, h.entity),
        holders: h.holders.iter().map(|h| holder(names, h)).collect(),
    };
    lines::Note {
        kind: n.name.to_owned(),
        count: n.count,
        text: n.text,
        held: n.held.iter().map(held).collect(),
    }
}

fn by_rule<'a>(findings: impl Iterator<Item = &'a engine::Finding>) -> BTreeMap<String, u64> {
    let mut by_rule = BTreeMap::new();
    for f in findings {
        *by_rule.entry(f.rule.name().to_owned()).or_default() += f.count.max(1);
    }
    by_rule
}

pub(crate) fn summary(names: &Names<'_>) -> lines::Summary {
    let j = names.judgement;
    let n = &j.counts;
    let mut broken = by_rule(j.standing());
    for b in j.breaches() {
        *broken.entry(b.assertion.name().to_owned()).or_default() += 1;
    }
    lines::Summary {
        verdict: j.verdict_name().to_owned(),
        certain: j.certain(),
        uncertain: j.uncertain(),
        breaches: j.breaches().count(),
        set_aside: j.outcome.set_aside.len(),
        by_rule: broken,
        near_misses: by_rule(j.near_misses.iter()),
        doubts: j.doubts.iter().map(|d| doubt(*d)).collect(),
        records: n.records,
        lost: n.drops,
        skipped: n.unknown_records,
        pre_existing: j.notes.pre_existing,
        live: lines::Live {
            files: n.files,
            handles: n.handles,
            objects: n.objects,
            dma_bufs: n.dmabufs,
            attachments: n.attachments,
            framebuffers: n.framebuffers,
        },
    }
}

fn doubt(d: engine::Doubt) -> lines::Doubt {
    use engine::Doubt as D;
    let (kind, count, probe) = match d {
        D::Drops(n) => ("lost", Some(n), None),
        D::Missed(p, n) => ("missed", Some(n), Some(p)),
        D::Gap => ("gap", None, None),
        D::Midway => ("midway", None, None),
        D::StillRunning(n) => ("still-running", Some(u64::from(n)), None),
        D::Unreadable(n) => ("unreadable", Some(u64::from(n)), None),
        D::Blind(p) => ("blind", None, Some(p)),
        D::OpenCalls(n) => ("open-calls", Some(u64::from(n)), None),
        D::HalfCalls(n) => ("half-calls", Some(u64::from(n)), None),
    };
    let (text, advice) = names::doubt(d);
    let probe_name = |p: u16| ProbeId::from_wire(p).map_or_else(|_| p.to_string(), |p| p.name().to_owned());
    lines::Doubt {
        kind: kind.to_owned(),
        count,
        probe: probe.map(probe_name),
        text,
        advice: advice.to_owned(),
    }
}
