//! The model's kernel beside the observed one: where each traced thread is in its operation, and what is which.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use gemscope_common::{Gem, Phase, ProbeId};

use super::names::Names;
use super::programs::Kind;
use super::trace::Trace;
use crate::code::{Do, Instr, Reg};
use crate::era::Era;
use crate::machine::Machine;
use crate::state::{Entry, File, Kernel, MAX_DEVICES, Ptr, Thread, buf_state, flag, get_mut, ptr};
use crate::truth::Wrong;

/// As many files at a time as an instruction can name.
const MAX_FILES: usize = 127;
/// As many threads inside calls as a lock can name.
const MAX_THREADS: usize = 250;

/// As many things of a kind at a time as are followed.
const MOST: usize = 16_000;

/// What user space and drivers decided, as observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Given {
    /// The dma-buf behind an fd.
    pub buf: u64,
    /// The global name that was free.
    pub name: u16,
    /// The call's result, where it failed.
    pub ret: i16,
    /// What the look-up of an fd failed with.
    pub get: i16,
    /// The handle that an import gave.
    pub handle: u16,
}

/// A thread of the trace that has been seen in a call.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub tid: u32,
    /// The operation under way.
    pub kind: Option<Kind>,
    code: Rc<[Instr]>,
    pub given: Given,
    /// Inside so many calls that no prediction is made of.
    pub opaque: u32,
    /// The thread's next record.
    pub at: u32,
    /// Its last record.
    pub last: u32,
    /// It was said that the object in hand has no reference left.
    freed: bool,
    /// It was said that the object in hand ends.
    released: bool,
}

/// A DRM file of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenFile {
    pub addr: u64,
    pub dev: u8,
    pub number: u32,
    pub open: bool,
}

/// Where a thread's silent steps end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A step was made that others may notice.
    Effect,
    /// A record is due.
    Emit(ProbeId, Phase, u8),
    /// A lock is held by that thread.
    Blocked(usize),
    /// A call may have failed here.
    Choice,
    End,
}

/// Everything at one instant, in one order of the silent steps.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub k: Kernel,
    pub slots: Vec<Slot>,
    pub files: Vec<OpenFile>,
    pub devs: Vec<u64>,
    pub objs: Names,
    pub bufs: Names,
    pub attaches: Names,
    pub fbs: Names,
    /// References that drivers took by fd: dma-buf, how many.
    pub taken: Vec<(u64, u32)>,
    /// dma-bufs of drivers that no process has had.
    pub private: Vec<u64>,
    /// Bugs of the era that were met, and at which record.
    pub known: Vec<(Wrong, u64)>,
    opened: u32,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { k, slots, files, devs: _, objs, bufs, attaches, fbs, taken, private, known: _, opened: _ } =
            self;
        (k, files, objs, bufs, attaches, fbs, taken, private).hash(state);
        for s in slots {
            (s.tid, s.kind, s.given, s.opaque, s.at).hash(state);
        }
    }
}

/// What steps need beside the world.
pub(super) struct Context<'a> {
    pub trace: Trace<'a>,
    pub machine: Machine,
}

/// A machine that is only asked for its era.
pub(super) fn machine(era: Era) -> Machine {
    Machine {
        name: String::new(),
        era,
        devices: Vec::new(),
        files: Vec::new(),
        processes: Vec::new(),
        vars: Vec::new(),
        before: Vec::new(),
        threads: Vec::new(),
        after: Vec::new(),
        strict: false,
        records: true,
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            k: Kernel::default(),
            slots: Vec::new(),
            files: Vec::new(),
            devs: Vec::new(),
            objs: Names::default(),
            bufs: Names::default(),
            attaches: Names::default(),
            fbs: Names::default(),
            taken: Vec::new(),
            private: Vec::new(),
            known: Vec::new(),
            opened: 0,
        }
    }

    /// Is there more of anything than the model's numbers can count?
    pub fn is_full(&self) -> bool {
        let k = &self.k;
        let lists =
            [k.objs.len(), k.bufs.len(), k.handles.len(), k.attaches.len(), k.maps.len(), k.fbs.len()];
        lists.into_iter().any(|len| len > MOST) || self.taken.iter().any(|t| t.1 as usize > MOST)
    }

    /// The thread that is in a call.
    pub fn slot(&self, tid: u32) -> Option<usize> {
        self.slots.iter().position(|s| s.tid == tid && (s.kind.is_some() || s.opaque > 0))
    }

    /// A place for a thread; nothing when there are too many.
    pub fn take_slot(&mut self, tid: u32, at: u32) -> Option<usize> {
        let fresh = Slot {
            tid,
            kind: None,
            code: Rc::new([]),
            given: Given::default(),
            opaque: 0,
            at,
            last: at,
            freed: false,
            released: false,
        };
        let t = match self.slots.iter().position(|s| s.kind.is_none() && s.opaque == 0) {
            Some(t) => {
                self.slots[t] = fresh;
                t
            }
            None if self.slots.len() < MAX_THREADS => {
                self.slots.push(fresh);
                self.k.threads.push(Thread::default());
                self.slots.len() - 1
            }
            None => return None,
        };
        self.k.threads[t] = Thread::default();
        Some(t)
    }

    /// Thread `t` begins an operation.
    pub fn start(&mut self, t: usize, kind: Kind, code: Rc<[Instr]>, given: Given) {
        let s = &mut self.slots[t];
        (s.kind, s.code, s.given, s.freed) = (Some(kind), code, given, false);
        s.released = false;
    }

    /// Thread `t` is back in user space.
    pub fn finish(&mut self, t: usize) {
        let s = &mut self.slots[t];
        (s.kind, s.opaque, s.given) = (None, 0, Given::default());
        self.k.threads[t] = Thread::default();
    }

    /// Is any other thread inside a call?
    pub fn alone(&self, t: usize) -> bool {
        !self.slots.iter().enumerate().any(|(ix, s)| ix != t && (s.kind.is_some() || s.opaque > 0))
    }

    pub fn file(&self, addr: u64) -> Option<u8> {
        self.files.iter().position(|f| f.open && f.addr == addr).map(|f| f as u8)
    }

    pub fn file_of(&self, f: u8) -> Option<&OpenFile> {
        self.files.get(usize::from(f & 0x7f))
    }

    /// A file is opened; nothing when there are too many.
    pub fn open(&mut self, addr: u64, dev: u8) -> Option<u8> {
        if let Some(old) = self.file(addr) {
            // Its close went unseen.
            self.close(old);
        }
        self.opened += 1;
        let fresh = OpenFile { addr, dev, number: self.opened, open: true };
        let f = match self.files.iter().position(|f| !f.open) {
            Some(f) => {
                self.files[f] = fresh;
                f
            }
            None if self.files.len() < MAX_FILES => {
                self.files.push(fresh);
                self.k.files.push(File::default());
                self.files.len() - 1
            }
            None => return None,
        };
        self.k.files[f] = File { state: 1, prime: 0 };
        Some(f as u8)
    }

    /// Nothing of a closed file matters any more.
    pub fn close(&mut self, f: u8) {
        if let Some(file) = self.files.get_mut(usize::from(f)) {
            file.open = false;
        }
        self.k.handles.retain(|h| h.file != f);
        self.k.cache.retain(|e| e.file != f);
        self.k.permits.retain(|p| p.file != f);
    }

    /// A device's number; nothing when there are too many.
    pub fn device(&mut self, addr: u64) -> Option<u8> {
        let known = self.devs.iter().position(|d| *d == addr);
        let ix = known.or_else(|| {
            (self.devs.len() < MAX_DEVICES).then(|| {
                self.devs.push(addr);
                self.devs.len() - 1
            })
        })?;
        Some(ix as u8)
    }

    fn put(&mut self, p: Ptr) -> Result<(), String> {
        match get_mut(&mut self.k.bufs, p).filter(|b| b.refs > 0) {
            Some(b) => {
                b.refs -= 1;
                Ok(())
            }
            None => Err(format!("a reference of {} is dropped that nobody counts", self.buf_words(p))),
        }
    }

    /// The next instruction of thread `t`, unless it is at its end.
    fn at(&self, t: usize) -> Instr {
        let s = &self.slots[t];
        if s.kind.is_none() {
            return Instr::End;
        }
        s.code.get(usize::from(self.k.threads[t].pc)).copied().unwrap_or(Instr::End)
    }

    /// Is a record due here? Some come only from some drivers, or later.
    fn due(&mut self, cx: &Context<'_>, t: usize, probe: ProbeId, phase: Phase) -> bool {
        if !cx.trace.attached.has(probe, phase) {
            return false;
        }
        let (at, o) = (self.slots[t].at, self.k.threads[t].o);
        let next = cx.trace.is(at, probe, phase);
        match probe {
            ProbeId::ObjectDriverFree => {
                self.slots[t].freed |= next;
                next
            }
            ProbeId::BufFdInstall => next,
            ProbeId::HandleGet if matches!(self.slots[t].kind, Some(Kind::FbInit { .. })) => next,
            ProbeId::ObjectRelease => {
                let addr = self.objs.addr(o).unwrap_or(0);
                let own = next && cx.trace.get(at).is_some_and(|r| r.payload::<Gem>().obj == addr);
                // A driver may free the memory later, from a worker.
                let cut = self.slots[t].freed && !cx.trace.settled;
                let later = cut || cx.trace.ends_after(addr, self.slots[t].last);
                own || !later
            }
            _ => true,
        }
    }

    /// Makes thread `t`'s next step. `fails`: how a call goes that may fail.
    ///
    /// # Errors
    /// The step has no place in a kernel that keeps the rules.
    pub fn step(&mut self, cx: &Context<'_>, t: usize, fails: Option<bool>) -> Result<Stop, String> {
        // Programs have loops, but none without an effect.
        loop {
            let instr = self.at(t);
            let th = &mut self.k.threads[t];
            match instr {
                Instr::MayFail(errno, to) => match fails {
                    None => return Ok(Stop::Choice),
                    Some(true) => {
                        let given = self.slots[t].given.ret;
                        th.ret = if given < 0 { given } else { errno };
                        th.pc = to;
                        return Ok(Stop::Effect);
                    }
                    Some(false) => {
                        th.pc += 1;
                        return Ok(Stop::Effect);
                    }
                },
                Instr::Lock(lock) => {
                    let holder = usize::from(self.k.holder(lock, t));
                    match holder {
                        0 => {}
                        h if h == t + 1 => return Err("it takes a lock that it holds".to_owned()),
                        h => return Ok(Stop::Blocked(h - 1)),
                    }
                    self.k.set_holder(lock, t, t as u8 + 1);
                    self.k.threads[t].pc += 1;
                    return Ok(Stop::Effect);
                }
                Instr::Unlock(lock) => {
                    self.k.set_holder(lock, t, 0);
                    self.k.threads[t].pc += 1;
                    return Ok(Stop::Effect);
                }
                Instr::Emit(probe, phase, operand) => {
                    if self.due(cx, t, probe, phase) {
                        return Ok(Stop::Emit(probe, phase, operand));
                    }
                    self.k.threads[t].pc += 1;
                }
                // Which of several entries of a dma-buf goes is up to the tree.
                Instr::Do(Do::CacheRemoveBuf { f }) if self.several(cx, f, th_e(&self.k, t)) => match fails {
                    None => return Ok(Stop::Choice),
                    Some(second) => {
                        self.k.threads[t].flags |= if second { flag::SECOND } else { 0 };
                        self.one(cx, t)?;
                        return Ok(Stop::Effect);
                    }
                },
                Instr::Do(what) if !is_private(what) => {
                    self.one(cx, t)?;
                    return Ok(Stop::Effect);
                }
                Instr::End => return Ok(Stop::End),
                _ => self.one(cx, t)?,
            }
        }
    }

    fn several(&self, cx: &Context<'_>, f: u8, buf: Ptr) -> bool {
        let of_buf = |e: &&Entry| e.file == f && e.buf.same_address(buf);
        cx.machine.era.cache_is_tree() && self.k.cache.iter().filter(of_buf).count() > 1
    }

    /// Executes an instruction that neither waits nor writes a record.
    fn one(&mut self, cx: &Context<'_>, t: usize) -> Result<(), String> {
        let instr = self.at(t);
        if let Instr::Do(what) = instr {
            self.act(cx, t, what)?;
        }
        let th = &mut self.k.threads[t];
        match instr {
            Instr::Goto(to) => th.pc = to,
            Instr::IfFailed(to) => th.pc = if th.ret < 0 { to } else { th.pc + 1 },
            Instr::IfYes(to) => th.pc = if th.yes() { to } else { th.pc + 1 },
            Instr::IfNo(to) => th.pc = if th.yes() { th.pc + 1 } else { to },
            Instr::Result(ret) => {
                th.ret = ret;
                th.pc += 1;
            }
            _ => th.pc += 1,
        }
        Ok(())
    }

    /// Goes past a record that was as predicted.
    pub fn pass(&mut self, cx: &Context<'_>, t: usize) {
        self.k.threads[t].pc += 1;
        let s = &mut self.slots[t];
        s.released |= cx.trace.is(s.at, ProbeId::ObjectRelease, Phase::Point);
        (s.last, s.at) = (s.at, cx.trace.next(s.at));
    }

    /// Goes on with what nobody else can notice: to the end of the call, if there is nothing else.
    pub fn settle(&mut self, cx: &Context<'_>, t: usize) -> Result<(), String> {
        loop {
            match self.at(t) {
                Instr::Goto(_) | Instr::IfFailed(_) | Instr::IfYes(_) | Instr::IfNo(_) | Instr::Result(_) => {
                }
                Instr::Do(what) if is_private(what) => {}
                Instr::End if self.slots[t].kind.is_some() => {
                    self.finish(t);
                    return Ok(());
                }
                _ => return Ok(()),
            }
            self.one(cx, t)?;
        }
    }

    fn act(&mut self, cx: &Context<'_>, t: usize, what: Do) -> Result<(), String> {
        let th = self.k.threads[t];
        let given = self.slots[t].given;
        match what {
            // From here on the reference is user space's, which is not counted.
            Do::FdInstall { .. } => self.put(th.d)?,
            Do::FdGet { .. } if given.get < 0 => self.k.threads[t].ret = given.get,
            Do::FdGet { .. } => {
                let buf = self.bufs.find(given.buf);
                let buf = buf.ok_or("an fd gives a dma-buf whose last file reference is gone")?;
                self.k.threads[t].d = buf;
                self.k.buf_get(buf);
            }
            Do::Put(reg) => self.put(th.reg(reg))?,
            Do::Get(reg) if self.k.buf(th.reg(reg)).is_none_or(|b| b.state != buf_state::LIVE) => {
                return Err("a reference is taken on a dma-buf that is gone".to_owned());
            }
            Do::FileGone => {
                let refs = self.k.buf(th.d).map_or(0, |b| b.refs);
                if refs > 0 {
                    return Err(format!(
                        "{} has {refs} file references left inside the kernel: {}",
                        self.buf_words(th.d),
                        self.holders(th.d).join(", ")
                    ));
                }
                self.k.act(&cx.machine, t, what);
            }
            Do::CacheFindBuf { f } => {
                // Which of several entries a tree gives is its own affair: the one that was given goes first.
                let of_buf = |e: &Entry| e.file == f && e.buf.same_address(th.d);
                let first = self.k.cache.iter().position(of_buf);
                let meant = self.k.cache.iter().position(|e| of_buf(e) && e.id == given.handle);
                if let (true, Some(first), Some(meant)) = (cx.machine.era.cache_is_tree(), first, meant) {
                    let entry = self.k.cache.remove(meant);
                    self.k.cache.insert(first, entry);
                }
                self.k.act(&cx.machine, t, what);
            }
            // O_PATH fds and the like: they are not known.
            Do::EntryGone => {
                let gone = cx.trace.is(self.slots[t].at, ProbeId::BufRelease, Phase::Point);
                let th = &mut self.k.threads[t];
                th.say(gone);
            }
            Do::NameAlloc => {
                let fresh = self.k.obj(th.o).is_some_and(|o| o.name == 0);
                if fresh {
                    self.k.names = given.name.wrapping_sub(1);
                }
                self.k.act(&cx.machine, t, what);
            }
            Do::ObjDie => {
                let s = &self.slots[t];
                let told = cx.trace.attached.has(ProbeId::ObjectRelease, Phase::Point);
                let late = told && !s.released;
                self.objs.end(th.o, late);
                self.k.act(&cx.machine, t, what);
            }
            Do::BufFree => {
                self.bufs.end(th.d, false);
                self.k.act(&cx.machine, t, what);
            }
            Do::Detach => {
                self.attaches.end(th.a, false);
                self.k.act(&cx.machine, t, what);
            }
            Do::FbFree => {
                self.fbs.end(th.b, false);
                self.k.act(&cx.machine, t, what);
            }
            Do::FileClosed { f } => {
                self.k.act(&cx.machine, t, what);
                self.close(f);
            }
            _ => self.k.act(&cx.machine, t, what),
        }
        Ok(())
    }

    /// Who inside the kernel has a file reference of a dma-buf, as far as the model counts them.
    pub fn holders(&self, d: Ptr) -> Vec<String> {
        let k = &self.k;
        let mut who = Vec::new();
        for (ix, o) in k.objs.iter().enumerate().filter(|(_, o)| o.alive != 0) {
            let p = ptr(&k.objs, ix);
            if o.link == d {
                who.push(format!("the link of {}", self.obj_words(p)));
            }
            if k.attach(o.import).is_some_and(|a| a.buf == d) {
                who.push(format!("the import {}", self.obj_words(p)));
            }
        }
        for e in k.cache.iter().filter(|e| e.buf == d) {
            who.push(format!("the PRIME cache of {} (handle {})", self.file_words(e.file), e.id));
        }
        let addr = self.bufs.addr(d);
        for (_, n) in self.taken.iter().filter(|(a, n)| Some(*a) == addr && *n > 0) {
            who.push(format!("{n} that a driver took by an fd"));
        }
        for (t, s) in self.slots.iter().enumerate() {
            let th = &k.threads[t];
            if let Some(kind) = s.kind.filter(|_| th.reg(Reg::D) == d || th.reg(Reg::E) == d) {
                who.push(format!("thread {} in {}", s.tid, kind.words()));
            }
        }
        who
    }
}

fn th_e(k: &Kernel, t: usize) -> Ptr {
    k.threads[t].e
}

/// Nobody else can tell when it is done.
const fn is_private(what: Do) -> bool {
    matches!(
        what,
        Do::Allow { .. }
            | Do::Revoke { .. }
            | Do::DriverOpen { .. }
            | Do::DriverClose { .. }
            | Do::Created { .. }
            | Do::Closed { .. }
            | Do::Given { .. }
            | Do::ByImport { .. }
            | Do::Shared { .. }
            | Do::CloseBegins { .. }
            | Do::CheckResv(_)
            | Do::No
            | Do::FbCounted
            | Do::FbObj
            | Do::EntryGone
            | Do::ExporterOf
            // Nobody has the file any more.
            | Do::CacheDestroy { .. }
            | Do::FileClosed { .. }
    )
}
