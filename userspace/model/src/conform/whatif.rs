//! What if: the operations of a recorded run, under the rules of another kernel.
//!
//! They are made one after the other, in the order of their first records, by one thread; an fd of a dma-buf lives as long as
//! it did in the recording. User space uses what it was given: where the other kernel gives another handle, later calls
//! use that one. What is wrong is what the model knows to be wrong, less what is wrong in the same way by the recorded rules.

use gemscope_common::{
    Buf, BufExport, ChangeHandle, DrmFile, Framebuffer, Gem, Phase, Prime, ProbeId, Record,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::compare::narrow;
use super::programs::Kind;
use super::search::recognise;
use super::trace::{Attached, Trace, result};
use super::world::machine;
use crate::asm::Asm;
use crate::code::{Do, Instr};
use crate::era::Era;
use crate::machine::Machine;
use crate::ops;
use crate::state::{File, Kernel, MAX_DEVICES, Ptr, Thread};
use crate::truth::{About, Fact, Wrong};

/// Everything is one process's, and one thread's.
const PROCESS: u8 = 0;
const MAX_FILES: usize = 127;
/// As many fds and handles at a time as the model can number.
const MOST: usize = 16_000;

/// What would have gone wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// The first record of the operation that it comes with, from 1.
    pub record: u64,
    /// The operation.
    pub operation: &'static str,
    /// What is wrong.
    pub wrong: Wrong,
    /// With what.
    pub about: String,
}

/// A call that would have come to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otherwise {
    /// Its first record, from 1.
    pub record: u64,
    /// The operation.
    pub operation: &'static str,
    /// By the recorded rules.
    pub here: String,
    /// By the other rules.
    pub there: String,
}

/// A run under other rules.
#[derive(Clone, Debug, Default)]
pub struct WhatIf {
    /// Operations that were made again.
    pub operations: u64,
    /// Operations that were not: they failed for a reason that is not in the trace, or are not known to the model.
    pub left_out: u64,
    /// What would have gone wrong, in order.
    pub wrong: Vec<Then>,
    /// What would have come to something else.
    pub otherwise: Vec<Otherwise>,
}

/// What user space asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Open {
        f: u8,
    },
    CloseFile {
        f: u8,
    },
    Create {
        f: u8,
    },
    Close {
        f: u8,
        h: u16,
        dumb: bool,
    },
    Export {
        f: u8,
        h: u16,
        buf: u32,
    },
    Import {
        f: u8,
        buf: u32,
    },
    Flink {
        f: u8,
        h: u16,
    },
    OpenName {
        f: u8,
        name: u16,
    },
    Move {
        f: u8,
        h: u16,
        new: u16,
    },
    AddFb {
        fb: u64,
        f: u8,
        h: u16,
    },
    RmFb {
        fb: u64,
    },
    GetFb {
        f: u8,
    },
    /// A dma-buf by an exporter that is no DRM driver.
    Make {
        buf: u32,
    },
    CloseFd {
        buf: u32,
        last: bool,
    },
}

/// An operation, with what it came to in the recording.
#[derive(Clone, Copy, Debug)]
struct Op {
    record: u32,
    words: &'static str,
    dev: u8,
    ask: Ask,
    failed: bool,
    /// The handle, or the name, that it gave.
    gave: u16,
}

/// What an operation came to in the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Came {
    ret: i16,
    number: u16,
    facts: Vec<Fact>,
}

/// Makes the operations of a recorded run again, by the rules of another kernel.
#[must_use]
pub fn what_if(recorded: Era, other: Era, attached: &Attached, records: &[Record]) -> WhatIf {
    let trace = Trace::new(records, attached);
    let (ops, unknown) = Asked::default().all(&trace, &recognise(recorded, attached, records));
    let mut skip = FxHashSet::default();
    let first = run(recorded, &ops, &skip, trace.settled);
    for (ix, (op, came)) in ops.iter().zip(&first).enumerate() {
        if op.failed != (came.ret < 0) {
            skip.insert(ix);
        }
    }
    let here = run(recorded, &ops, &skip, trace.settled);
    let there = run(other, &ops, &skip, trace.settled);
    let mut out = WhatIf {
        operations: (ops.len() - skip.len()) as u64,
        left_out: skip.len() as u64 + unknown,
        ..WhatIf::default()
    };
    let known: FxHashSet<Fact> = here.iter().flat_map(|c| c.facts.iter().copied()).collect();
    let last = Op { record: records.len().saturating_sub(1) as u32, words: "the end", ..Op::nothing() };
    for (op, (here, there)) in ops.iter().chain([&last]).zip(here.iter().zip(&there)) {
        let (record, operation) = (u64::from(op.record) + 1, op.words);
        for fact in there.facts.iter().filter(|f| !known.contains(f)) {
            out.wrong.push(Then { record, operation, wrong: fact.wrong(), about: about(fact.about()) });
        }
        if (here.ret, here.number) != (there.ret, there.number) {
            let (here, there) = (here.words(), there.words());
            out.otherwise.push(Otherwise { record, operation, here, there });
        }
    }
    out
}

impl Came {
    fn words(&self) -> String {
        match (self.ret, self.number) {
            (..0, _) => format!("{}", self.ret),
            (_, 0) => "0".to_owned(),
            (_, n) => format!("number {n}"),
        }
    }
}

fn about(about: About) -> String {
    match about {
        About::Object(n) => format!("object {n}"),
        About::Buf(n) => format!("dma-buf {n}"),
        About::File(f) => format!("file {}", f + 1),
        About::Handle(f, h) => format!("handle {h} of file {}", f + 1),
        About::Framebuffer(n) => format!("framebuffer {n}"),
        About::Nothing => "the machine".to_owned(),
    }
}

impl Op {
    const fn nothing() -> Self {
        Self { record: 0, words: "", dev: 0, ask: Ask::Open { f: 0 }, failed: false, gave: 0 }
    }
}

/// Reads from a trace what was asked for.
#[derive(Default)]
struct Asked {
    files: Vec<Option<u64>>,
    devs: Vec<u64>,
    /// The dma-buf at an address: its number.
    bufs: FxHashMap<u64, u32>,
    made: u32,
    /// Exports whose dma-buf has its number already.
    told: FxHashSet<u32>,
    /// Which handle an object was last made under.
    objs: FxHashMap<u64, (u8, u16)>,
}

impl Asked {
    fn all(mut self, trace: &Trace<'_>, kinds: &[Option<Kind>]) -> (Vec<Op>, u64) {
        let (mut ops, mut unknown) = (Vec::new(), 0);
        for (ix, record) in trace.records.iter().enumerate() {
            let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else { continue };
            let ix = ix as u32;
            if (probe, phase) == (ProbeId::HandleCreate, Phase::Return) && result(record, false) == 0 {
                let p: &Gem = record.payload();
                if let Some(f) = self.file(p.file) {
                    self.objs.insert(p.obj, (f, narrow(p.handle)));
                }
            }
            let kind = kinds.get(ix as usize).copied().flatten();
            let ask = self.ask(trace, ix, record, (probe, phase), kind);
            match ask {
                Some((ask, dev, failed, gave)) => {
                    let words = kind.map_or_else(|| words(&ask), Kind::words);
                    ops.push(Op { record: ix, words, dev, ask, failed, gave });
                }
                // What follows by itself is no operation of user space's.
                None => {
                    unknown += u64::from(kind.is_some_and(|k| !matches!(k, Kind::LastFput | Kind::Destroy)))
                }
            }
        }
        (ops, unknown)
    }

    fn file(&self, addr: u64) -> Option<u8> {
        self.files.iter().position(|f| *f == Some(addr)).map(|f| f as u8)
    }

    fn dev(&mut self, addr: u64) -> Option<u8> {
        let known = self.devs.iter().position(|d| *d == addr).or_else(|| {
            (self.devs.len() < MAX_DEVICES).then(|| {
                self.devs.push(addr);
                self.devs.len() - 1
            })
        });
        known.map(|d| d as u8)
    }

    fn new_buf(&mut self, addr: u64) -> u32 {
        self.made += 1;
        self.bufs.insert(addr, self.made);
        self.made
    }

    /// What the record asks for: with its device, whether it failed, and the number it gave.
    fn ask(
        &mut self,
        trace: &Trace<'_>,
        ix: u32,
        record: &Record,
        at: (ProbeId, Phase),
        kind: Option<Kind>,
    ) -> Option<(Ask, u8, bool, u16)> {
        let gem: &Gem = record.payload();
        let back = trace.return_of(ix);
        let failed = back.is_some_and(|r| result(r, false) < 0);
        let gave = |r: Option<&Record>| r.map_or(0, |r| narrow(r.payload::<Gem>().handle));
        match at {
            (ProbeId::FileOpen, Phase::Return) => {
                let p: &DrmFile = record.payload();
                if result(record, true) < 0 || self.files.len() >= MAX_FILES {
                    return None;
                }
                self.files.push(Some(p.file));
                let dev = self.dev(p.dev)?;
                return Some((Ask::Open { f: self.files.len() as u8 - 1 }, dev, false, 0));
            }
            (ProbeId::BufFdClose, Phase::Point) => {
                let addr = record.payload::<Buf>().dma_buf;
                let buf = *self.bufs.get(&addr)?;
                return Some((Ask::CloseFd { buf, last: trace.is_last_close(addr, ix) }, 0, false, 0));
            }
            (ProbeId::BufExport, Phase::Return) if !self.told.contains(&ix) => {
                let p: &BufExport = record.payload();
                if p.gem_exporter == 1 || result(record, true) < 0 {
                    return None;
                }
                let buf = self.new_buf(p.dma_buf);
                return Some((Ask::Make { buf }, 0, false, 0));
            }
            _ => {}
        }
        Some(match kind? {
            Kind::Create { dev, .. } => {
                let made = trace.next(ix);
                let file = trace.get(made)?.payload::<Gem>().file;
                let back = trace.return_of(made);
                let failed = back.is_some_and(|r| result(r, false) < 0);
                (Ask::Create { f: self.file(file)? }, dev, failed, gave(back))
            }
            Kind::Close { dev, dumb, .. } => {
                let done = trace.return_of(trace.next(ix));
                let failed = done.is_some_and(|r| result(r, false) < 0);
                (Ask::Close { f: self.file(gem.file)?, h: narrow(gem.handle), dumb }, dev, failed, 0)
            }
            Kind::Delete { dev, .. } => {
                (Ask::Close { f: self.file(gem.file)?, h: narrow(gem.handle), dumb: false }, dev, failed, 0)
            }
            Kind::Export { dev, .. } => {
                let p: &Prime = record.payload();
                let made = trace.index_within(ix, ProbeId::BufExport, Phase::Return);
                let buf = match made {
                    Some((at, made)) => {
                        self.told.insert(at);
                        self.new_buf(made.payload::<BufExport>().dma_buf)
                    }
                    None => {
                        let of = [(ProbeId::ExportToDmabuf, Phase::Return), (ProbeId::BufFd, Phase::Return)];
                        let found = of.iter().find_map(|(probe, phase)| trace.within(ix, *probe, *phase));
                        let addr = found.map_or(0, |r| match r.probe() {
                            Some(ProbeId::BufFd) => r.payload::<Buf>().dma_buf,
                            _ => r.payload::<Prime>().dma_buf,
                        });
                        self.bufs.get(&addr).copied().unwrap_or(0)
                    }
                };
                (Ask::Export { f: self.file(p.file)?, h: narrow(p.handle), buf }, dev, failed, 0)
            }
            Kind::Import { dev, .. } => {
                let p: &Prime = record.payload();
                let got = trace.within(ix, ProbeId::BufGet, Phase::Return);
                let addr = got.map_or(0, |r| r.payload::<Buf>().dma_buf);
                let buf = self.bufs.get(&addr).copied().unwrap_or(0);
                let gave = back.map_or(0, |r| narrow(r.payload::<Prime>().handle));
                (Ask::Import { f: self.file(p.file)?, buf }, dev, failed, gave)
            }
            Kind::Flink { dev, .. } => {
                let name = back.map_or(0, |r| narrow(r.payload::<Gem>().name));
                (Ask::Flink { f: self.file(gem.file)?, h: narrow(gem.handle) }, dev, failed, name)
            }
            Kind::OpenName { dev, .. } => {
                (Ask::OpenName { f: self.file(gem.file)?, name: narrow(gem.name) }, dev, failed, gave(back))
            }
            Kind::ChangeHandle { .. } => {
                let p: &ChangeHandle = record.payload();
                let (h, new) = (narrow(p.handle), narrow(p.new_handle));
                (Ask::Move { f: self.file(p.file)?, h, new }, 0, failed, new)
            }
            Kind::FbInit { dev } => {
                let p: &Framebuffer = back.unwrap_or(record).payload();
                let (f, h) = *self.objs.get(&p.obj[0])?;
                (Ask::AddFb { fb: p.fb, f, h }, dev, failed, 0)
            }
            Kind::FbCleanup { dev } => {
                let cleanup = trace.from(ix).find(|(_, r)| r.probe() == Some(ProbeId::FbCleanup));
                (Ask::RmFb { fb: cleanup?.1.payload::<Framebuffer>().fb }, dev, false, 0)
            }
            Kind::GetFb { dev, .. } => {
                // Which framebuffer is not told; the object's newest is as good.
                (Ask::GetFb { f: self.file(gem.file)? }, dev, failed, gave(back))
            }
            Kind::FileClose { dev, .. } => {
                let f = self.file(record.payload::<DrmFile>().file)?;
                self.files[usize::from(f)] = None;
                (Ask::CloseFile { f }, dev, false, 0)
            }
            _ => return None,
        })
    }
}

const fn words(ask: &Ask) -> &'static str {
    match ask {
        Ask::Open { .. } => "the opening of a DRM file",
        Ask::Make { .. } => "an export outside DRM",
        Ask::CloseFd { .. } => "the close of an fd",
        _ => "a call",
    }
}

/// The other kernel.
struct Run {
    machine: Machine,
    k: Kernel,
    /// What user space calls a handle, and what the kernel does.
    handles: FxHashMap<(u8, u16), u16>,
    names: FxHashMap<u16, u16>,
    fds: FxHashMap<u32, Vec<u16>>,
    fbs: FxHashMap<u64, Ptr>,
}

/// What each operation comes to; at the end, what is left.
fn run(era: Era, ops: &[Op], skip: &FxHashSet<usize>, settled: bool) -> Vec<Came> {
    let mut k = Kernel::default();
    k.threads.push(Thread::default());
    let mut run = Run {
        machine: machine(era),
        k,
        handles: FxHashMap::default(),
        names: FxHashMap::default(),
        fds: FxHashMap::default(),
        fbs: FxHashMap::default(),
    };
    let mut all = Vec::with_capacity(ops.len() + 1);
    let mut known = FxHashSet::default();
    let mut fresh =
        |k: &Kernel| -> Vec<Fact> { k.facts.iter().copied().filter(|f| known.insert(*f)).collect() };
    for (ix, op) in ops.iter().enumerate() {
        let full = run.k.fds.len().max(run.k.handles.len()) > MOST;
        let mut came = if full || skip.contains(&ix) { Came::default() } else { run.make(op) };
        came.facts = fresh(&run.k);
        all.push(came);
    }
    if settled {
        run.k.act(&run.machine, 0, Do::Rest);
    }
    all.push(Came { facts: fresh(&run.k), ..Came::default() });
    all
}

impl Run {
    fn handle(&self, f: u8, h: u16) -> u16 {
        self.handles.get(&(f, h)).copied().unwrap_or(h)
    }

    fn make(&mut self, op: &Op) -> Came {
        let dev = op.dev;
        let mut a = Asm::new(self.machine.era);
        let mut th = Thread::default();
        // What user space will know the result by.
        let mut gives = None;
        match op.ask {
            Ask::Open { f } => {
                while self.k.files.len() <= usize::from(f) {
                    self.k.files.push(File::default());
                }
                ops::open_file(&mut a, f);
            }
            Ask::CloseFile { f } => ops::close_file(&mut a, f, dev, false),
            Ask::Create { f } => {
                ops::create_dumb(&mut a, f, dev);
                gives = Some((f, op.gave));
            }
            Ask::Close { f, h, dumb } => {
                th.h = self.handle(f, h);
                ops::close(&mut a, f, dev, dumb);
            }
            Ask::Export { f, h, .. } => {
                th.h = self.handle(f, h);
                ops::export(&mut a, f, dev, PROCESS);
            }
            Ask::Import { f, buf } => {
                th.x = self.fds.get(&buf).and_then(|fds| fds.last()).copied().unwrap_or(u16::MAX);
                ops::import(&mut a, f, dev, PROCESS);
                gives = Some((f, op.gave));
            }
            Ask::Flink { f, h } => {
                th.h = self.handle(f, h);
                ops::flink(&mut a, f, dev);
            }
            Ask::OpenName { f, name } => {
                th.n = self.names.get(&name).copied().unwrap_or(u16::MAX);
                ops::open_name(&mut a, f, dev);
                gives = Some((f, op.gave));
            }
            Ask::Move { f, h, new } => {
                (th.h, th.n) = (self.handle(f, h), new);
                ops::change_handle(&mut a, f);
            }
            Ask::AddFb { f, h, .. } => {
                th.h = self.handle(f, h);
                ops::addfb(&mut a, f, dev);
            }
            Ask::RmFb { fb } => {
                let Some(b) = self.fbs.remove(&fb) else { return Came::default() };
                th.b = b;
                ops::rmfb(&mut a, dev);
            }
            Ask::GetFb { f } => {
                let alive = |b: &&crate::state::Framebuffer| b.alive != 0;
                let Some(ix) = self.k.fbs.iter().rposition(|b| alive(&b)) else { return Came::default() };
                th.b = crate::state::ptr(&self.k.fbs, ix);
                ops::getfb2(&mut a, f, dev);
                gives = Some((f, op.gave));
            }
            Ask::Make { .. } => ops::make_other(&mut a, PROCESS, 0),
            Ask::CloseFd { buf, last } => return self.close_fds(buf, last),
        }
        let th = self.execute(a, th);
        let mut number = 0;
        if th.ret >= 0 {
            match op.ask {
                Ask::Export { buf, .. } | Ask::Make { buf } => self.fds.entry(buf).or_default().push(th.x),
                Ask::Flink { .. } => drop(self.names.insert(op.gave, th.n)),
                Ask::AddFb { fb, .. } => drop(self.fbs.insert(fb, th.b)),
                Ask::Move { f, new, .. } => drop(self.handles.insert((f, new), th.n)),
                _ => {}
            }
            if let Some(known_as) = gives {
                number = th.h;
                self.handles.insert(known_as, th.h);
            }
        }
        Came { ret: th.ret, number, facts: Vec::new() }
    }

    /// One of a dma-buf's fds closes; with the last one, all that are left: copies were not told.
    fn close_fds(&mut self, buf: u32, last: bool) -> Came {
        let Some(mut fds) = self.fds.remove(&buf) else { return Came::default() };
        let rest = if last || fds.is_empty() { Vec::new() } else { fds.split_off(1) };
        let (now, kept) = if last || !rest.is_empty() { (fds, rest) } else { (Vec::new(), fds) };
        for x in now {
            let mut a = Asm::new(self.machine.era);
            ops::close_fd(&mut a, PROCESS);
            self.execute(a, Thread { x, ..Thread::default() });
        }
        if !kept.is_empty() {
            self.fds.insert(buf, kept);
        }
        Came::default()
    }

    /// Runs a program, and what waits for its end; leaves its registers as they were before that.
    fn execute(&mut self, a: Asm, th: Thread) -> Thread {
        /// Far more than any program takes.
        const MOST: usize = 1 << 20;
        let mut end = Asm::new(a.era);
        ops::syscall_end(&mut end, None);
        self.k.threads[0] = th;
        let mut came = None;
        for code in [a.finish(), end.finish()] {
            self.k.threads[0].pc = 0;
            for _ in 0..MOST {
                let th = &mut self.k.threads[0];
                let Some(instr) = code.get(usize::from(th.pc)).copied() else { break };
                match instr {
                    Instr::Goto(to) => th.pc = to,
                    Instr::IfFailed(to) => th.pc = if th.ret < 0 { to } else { th.pc + 1 },
                    Instr::IfYes(to) => th.pc = if th.yes() { to } else { th.pc + 1 },
                    Instr::IfNo(to) => th.pc = if th.yes() { th.pc + 1 } else { to },
                    Instr::End => break,
                    other => {
                        match other {
                            Instr::Result(ret) => th.ret = ret,
                            Instr::Do(what) => self.k.act(&self.machine, 0, what),
                            Instr::Lock(lock) if self.k.holder(lock, 0) != 0 => {
                                self.k.fact(Wrong::Deadlock, About::Nothing);
                            }
                            Instr::Lock(lock) => self.k.set_holder(lock, 0, 1),
                            Instr::Unlock(lock) => self.k.set_holder(lock, 0, 0),
                            _ => {}
                        }
                        self.k.threads[0].pc += 1;
                    }
                }
            }
            if came.is_none() {
                came = Some(self.k.threads[0]);
                // Only the final puts that wait go on.
                let Thread { work, waiting, .. } = self.k.threads[0];
                self.k.threads[0] = Thread { work, waiting, ..Thread::default() };
            }
        }
        self.k.threads[0] = Thread::default();
        came.unwrap_or_default()
    }
}
