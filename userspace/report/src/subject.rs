//! Findings and breaches as subjects: who, where and on what device, as patterns and fingerprints see them.

use gemscope_common::kernel_str;
use gemscope_engine::{Class, Entity, Finding, HolderKind, Stamp};
use gemscope_policy::{Assertion, Breach, Frame, Subject};
use gemscope_trace::{StackKind, Symbol};

use crate::names::{self, Names};

impl Names<'_> {
    /// The place in a program that took something, in words: the process and the functions of its stack, innermost first. What has the same
    /// words is the same place, whichever process of that name it was in.
    #[must_use]
    pub fn place(&self, at: &Stamp) -> String {
        let process = match self.comm(at.tgid).as_str() {
            "" => self.process(at.tgid),
            comm => comm.to_owned(),
        };
        let mut frames = self.frames(StackKind::User, at.ustack, at.tgid);
        if frames.is_empty() {
            frames = self.frames(StackKind::Kernel, at.kstack, 0);
        }
        if frames.is_empty() {
            return process;
        }
        let from = frames.iter().position(|frame| !names::is_wrapper(frame)).unwrap_or(0);
        let functions: Vec<&str> = frames.iter().skip(from).map(|frame| names::function(frame)).collect();
        format!("{process}: {}", functions.join(" < "))
    }

    /// A finding as a subject.
    #[must_use]
    pub fn subject(&self, f: &Finding) -> Subject {
        let (who, other) = match &f.conflict {
            Some(taken) if f.rule.class() == Class::Leak => (taken.at, Some(f.event.at)),
            earlier => (f.event.at, earlier.as_ref().map(|e| e.at)),
        };
        let mut devices = self.devices(f.entity);
        for holder in &f.holders {
            if let HolderKind::Handle(e) | HolderKind::Exported(e) | HolderKind::Importer(e) = holder.kind {
                devices.extend(self.devices(e));
            }
        }
        Subject {
            number: f.number,
            rule: f.rule.name().to_owned(),
            class: f.rule.class().name().to_owned(),
            processes: self.processes(std::iter::once(who).chain(other)),
            devices: unique(devices),
            user: self.program(&who),
            kernel: self.stack(StackKind::Kernel, &who),
            count: f.count.max(1),
            bytes: f.bytes,
        }
    }

    /// A broken assertion as a subject: that of its greatest contributor.
    #[must_use]
    pub fn subject_of_breach(&self, b: &Breach) -> Subject {
        let who = b.shares.first().map(|share| share.taken).unwrap_or_default();
        Subject {
            number: b.number,
            rule: b.assertion.name().to_owned(),
            class: Assertion::CLASS.to_owned(),
            processes: self.processes(b.shares.iter().map(|share| share.taken)),
            devices: Vec::new(),
            user: self.program(&who),
            kernel: self.stack(StackKind::Kernel, &who),
            count: b.count,
            bytes: b.bytes,
        }
    }

    fn processes(&self, stamps: impl Iterator<Item = Stamp>) -> Vec<String> {
        let known = stamps.filter(|at| at.is_known() && at.tgid != 0);
        unique(known.map(|at| self.comm_as_it_is(at.tgid)).filter(|comm| !comm.is_empty()).collect())
    }

    /// Name of a process, not escaped; empty when not known.
    fn comm_as_it_is(&self, tgid: u32) -> String {
        if let Some(comm) = self.judgement.comms.get(&tgid) {
            return String::from_utf8_lossy(comm).into_owned();
        }
        self.definitions.process(tgid).map(|p| p.comm.to_str_lossy().into_owned()).unwrap_or_default()
    }

    /// Nodes, drivers and exporters that an entity is of.
    fn devices(&self, entity: Entity) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(kernel_str(bytes)).into_owned();
        match entity {
            Entity::File { id: file, .. } | Entity::Handle { file, .. } => {
                let facts = self.directory.file(file);
                facts.map(|facts| vec![names::node(facts), text(&facts.driver)]).unwrap_or_default()
            }
            Entity::DmaBuf { id, .. } => self.directory.exporter(id).map(text).into_iter().collect(),
            Entity::Object { .. } | Entity::Framebuffer { .. } => Vec::new(),
        }
    }

    /// The program's frames; one without a name where there are some, and none could be named.
    fn program(&self, at: &Stamp) -> Vec<Frame> {
        let mut known = self.stack(StackKind::User, at);
        if known.is_empty() && self.definitions.frames(StackKind::User, at.ustack, at.tgid).next().is_some() {
            known.push(Frame::default());
        }
        known
    }

    /// The frames of the stack of an event, innermost first, as they are.
    pub(crate) fn stack(&self, kind: StackKind, at: &Stamp) -> Vec<Frame> {
        let id = match kind {
            StackKind::User => at.ustack,
            StackKind::Kernel => at.kstack,
        };
        let frames = self.definitions.frames(kind, id, at.tgid);
        frames.flat_map(|frame| frame.symbol.map(of_symbol).unwrap_or_default()).collect()
    }
}

/// The functions at an address: those inlined there, and the one they were inlined into.
fn of_symbol(s: &Symbol) -> Vec<Frame> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let module = text(names::base_name(s.module.as_bytes()));
    let inlined = s.inlined.iter().map(|i| Frame {
        function: text(i.name.as_bytes()),
        module: module.clone(),
        file: text(i.file.as_bytes()),
        line: i.line,
    });
    let own = Frame {
        function: text(s.name.as_bytes()),
        module: module.clone(),
        file: text(s.file.as_bytes()),
        line: s.line,
    };
    inlined.chain([own]).collect()
}

/// Each once, in the order of their first coming; without what is empty.
fn unique(all: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(all.len());
    for one in all {
        if !one.is_empty() && !out.contains(&one) {
            out.push(one);
        }
    }
    out
}
