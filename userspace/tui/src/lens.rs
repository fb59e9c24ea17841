//! A look at the world through names: everything that a view wants in words.

use gemscope_engine::{Engine, Entity, Holder, HolderKind, Stamp};
use gemscope_report::survey::World;
use gemscope_report::{Judgement, Names, escape};
use gemscope_trace::StackKind;

use crate::text;

/// Lets names find the process too that only the engine has heard of.
pub(crate) fn know(judgement: &mut Judgement, engine: &Engine, tgid: u32) {
    if tgid != 0
        && !judgement.comms.contains_key(&tgid)
        && let Some(comm) = engine.comm(tgid)
    {
        judgement.comms.insert(tgid, comm.to_vec());
    }
}

/// The world, and names for it.
#[derive(Clone, Copy)]
pub(crate) struct Lens<'a> {
    pub world: &'a World<'a>,
    pub names: Names<'a>,
    /// the moment that is shown, `CLOCK_MONOTONIC` ns
    pub now_ns: u64,
}

impl<'a> Lens<'a> {
    pub fn new(world: &'a World<'a>, judgement: &'a Judgement, now_ns: u64) -> Self {
        let names = Names {
            context: world.context,
            judgement,
            directory: world.directory,
            definitions: world.definitions,
        };
        Self { world, names, now_ns }
    }

    /// `weston 812`
    pub fn process(&self, tgid: u32) -> String {
        match self.world.comm(tgid).as_str() {
            _ if tgid == 0 => BEFORE.to_owned(),
            "" => format!("pid {tgid}"),
            comm => format!("{comm} {tgid}"),
        }
    }

    /// `weston 812`, or with its thread `weston 812/815`
    pub fn actor(&self, at: &Stamp) -> String {
        let process = self.process(at.tgid);
        if at.tid == at.tgid || at.tid == 0 || at.tgid == 0 {
            process
        } else {
            format!("{process}/{}", at.tid)
        }
    }

    pub fn age(&self, at: &Stamp) -> String {
        if at.is_known() { text::age(self.now_ns.saturating_sub(at.ts_ns)) } else { "?".to_owned() }
    }

    /// `+0.123456 s`, since the start of the recording.
    pub fn when(&self, at: &Stamp) -> String {
        if at.is_known() { self.names.when(at) } else { "before".to_owned() }
    }

    /// Where something was done: the innermost frame of the program itself, and who called it.
    pub fn place(&self, kstack: i32, ustack: i32, tgid: u32) -> String {
        self.world.place(kstack, ustack, tgid)
    }

    /// Both stacks, frame by frame, as `(user?, frame)`, the user's first.
    pub fn stacks(&self, at: &Stamp) -> Vec<(bool, String)> {
        let user = self.world.stack(StackKind::User, at.ustack, at.tgid);
        let kernel = self.world.stack(StackKind::Kernel, at.kstack, 0);
        user.into_iter().map(|f| (true, f)).chain(kernel.into_iter().map(|f| (false, f))).collect()
    }

    /// A DRM file, shortly: `card0 client 7`.
    pub fn file(&self, number: u32) -> String {
        let full = self.names.file(number);
        let driver = full.find(" (").and_then(|from| Some((from, full.find("), ")?)));
        let short =
            driver.and_then(|(from, to)| Some(format!("{} {}", full.get(..from)?, full.get(to + 3..)?)));
        short.unwrap_or(full)
    }

    /// A reference, shortly: for a line that has more to say.
    pub fn reference(&self, holder: &Holder) -> String {
        let object = |e: Entity| match e {
            Entity::Object { id, .. } => format!("object #{id}"),
            Entity::DmaBuf { ino: 0, id, .. } => format!("dma-buf #{id}"),
            Entity::DmaBuf { ino, .. } => format!("dma-buf ino {ino}"),
            other => self.names.entity(other),
        };
        match holder.kind {
            HolderKind::Handle(Entity::Handle { file, handle, .. }) => {
                format!("handle {handle} of {}", self.file(file))
            }
            HolderKind::Link(e @ Entity::Object { .. }) => format!("link from {}", object(e)),
            HolderKind::Link(e) => format!("link to {}", object(e)),
            HolderKind::Cache { file, handle } => format!("cache of handle {handle}, {}", self.file(file)),
            HolderKind::Importer(e) => format!("imported as {}", object(e)),
            HolderKind::Exported(e) => format!("exported as {}", object(e)),
            HolderKind::Fd { tgid, fd: -1 } => format!("fd of {}", self.process(tgid)),
            HolderKind::Fd { tgid, fd } => format!("fd {fd} of {}", self.process(tgid)),
            HolderKind::PathFd { tgid, fd } => format!("path fd {fd} of {}", self.process(tgid)),
            HolderKind::Mapping { tgid } if tgid != 0 => format!("mapping of {}", self.process(tgid)),
            _ => self.names.holder(holder),
        }
    }

    /// The driver behind a dma-buf or, without one, behind a file that has a handle on the buffer; escaped.
    pub fn exporter(&self, dmabuf: u32, file: u32) -> String {
        escape::name(exporter(self.world, dmabuf, file))
    }
}

/// The same as it came, not escaped.
pub(crate) fn exporter<'a>(world: &World<'a>, dmabuf: u32, file: u32) -> &'a [u8] {
    let named = world.directory.exporter(dmabuf).filter(|name| name.first().is_some_and(|b| *b != 0));
    let bytes = match named {
        Some(name) => name,
        None => world.directory.file(file).map_or(&[][..], |f| &f.driver),
    };
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// Nobody is known for it.
pub(crate) const BEFORE: &str = "(before the trace)";
