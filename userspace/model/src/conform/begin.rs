//! Which operation a thread begins, from its outermost record, and what user space and drivers decided in it.

use gemscope_common::{Buf, ChangeHandle, DrmFile, Framebuffer, Gem, Phase, Prime, ProbeId, Record};

use super::compare::narrow;
use super::programs::{Kind, Programs};
use super::trace::{result, unpredicted};
use super::words::named;
use super::world::{Context, Given, World};
use crate::state::{Ptr, Thread};

/// What came of a record at the beginning of a call.
pub(super) enum Begin {
    /// The thread runs a program, whose first record this should be.
    Program(usize),
    /// It was compared, or took its effect.
    Done,
    /// No prediction is made, and why.
    Unpredicted(&'static str),
}

/// Why an outermost record stops everything.
pub(super) enum Refusal {
    /// It is not what the model predicts.
    Differs(String),
    /// The model has no room.
    Room(&'static str),
}

pub(super) const UNKNOWN: &str =
    "of an object, a dma-buf or a file that is older than the trace, or was lost sight of";
const INSIDE: &str = "inside a call of which no prediction is made";
const NO_CALL: &str = "inside no call that the model knows";
const TOO_MANY: &str = "more threads, files or devices at a time than the model has room for";

/// A program with its registers.
struct Plan {
    kind: Kind,
    given: Given,
    thread: Thread,
}

impl Plan {
    fn new(kind: Kind) -> Self {
        Self { kind, given: Given::default(), thread: Thread::default() }
    }
}

impl World {
    /// Begins what record `i` says.
    ///
    /// # Errors
    /// The record is not what can come now.
    pub fn begin(&mut self, cx: &Context<'_>, programs: &mut Programs, i: u32) -> Result<Begin, Refusal> {
        let Some(record) = cx.trace.get(i) else { return Ok(Begin::Done) };
        let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else {
            return Ok(Begin::Unpredicted("of a probe that this version does not know"));
        };
        if let Some(why) = unpredicted(probe) {
            return Ok(Begin::Unpredicted(why));
        }
        if self.is_full() {
            return Err(Refusal::Room(
                "more buffers, handles or attachments at a time than the model has room for",
            ));
        }
        let plan = match self.plan(cx, i, record, probe, phase)? {
            Some(plan) => plan,
            None => match self.instant(cx, i, record, probe, phase)? {
                Some(begin) => return Ok(begin),
                None => return self.lose(cx, i, record, phase),
            },
        };
        let Some(t) = self.take_slot(record.header.tid, i) else { return Err(Refusal::Room(TOO_MANY)) };
        // Failures are only tried where the call is known to have failed.
        let code = programs.get(plan.kind, plan.given.ret < 0);
        self.start(t, plan.kind, code, plan.given);
        self.k.threads[t] = plan.thread;
        Ok(Begin::Program(t))
    }

    /// The program that begins with this record; nothing when none does.
    fn plan(
        &mut self,
        cx: &Context<'_>,
        i: u32,
        record: &Record,
        probe: ProbeId,
        phase: Phase,
    ) -> Result<Option<Plan>, Refusal> {
        let (_, _, file) = named(record);
        let f = self.file(file);
        let dev = f.and_then(|f| self.file_of(f)).map_or(0, |f| f.dev);
        let gem: &Gem = record.payload();
        let obj = self.objs.find(gem.obj);
        let ret_of = |i: u32| cx.trace.return_of(i).map_or(0, |r| result(r, false));
        Ok(match (probe, phase) {
            (ProbeId::ObjectInit, Phase::Point) => {
                let Some(dev) = self.device(gem.dev) else { return Err(Refusal::Room(TOO_MANY)) };
                let next = cx.trace.next(i);
                let made = cx.trace.is(next, ProbeId::HandleCreate, Phase::Entry);
                let into = cx.trace.get(next).filter(|_| made).map(Record::payload::<Gem>);
                let into = into.filter(|p| p.obj == gem.obj).and_then(|p| self.file(p.file));
                Some(match into {
                    Some(f) => {
                        let mut plan = Plan::new(Kind::Create { f, dev });
                        plan.given.ret = ret_of(next);
                        plan
                    }
                    None => Plan::new(Kind::DriverObject { dev }),
                })
            }
            (ProbeId::HandleCreate, Phase::Entry) => f.zip(obj).map(|(f, o)| {
                let mut plan = Plan::new(Kind::HandleFor { f, dev });
                plan.thread.o = o;
                plan.given.ret = ret_of(i);
                plan
            }),
            (ProbeId::GemClose | ProbeId::DestroyDumb, Phase::Point) => f.map(|f| {
                let mut plan = Plan::new(Kind::Close { f, dev, dumb: probe == ProbeId::DestroyDumb });
                plan.thread.h = narrow(gem.handle);
                plan
            }),
            (ProbeId::HandleDelete, Phase::Entry) => f.map(|f| {
                let mut plan = Plan::new(Kind::Delete { f, dev });
                plan.thread.h = narrow(gem.handle);
                plan
            }),
            (ProbeId::ExportIoctl | ProbeId::ExportToDmabuf, Phase::Entry) => f.map(|f| {
                let driver = probe == ProbeId::ExportToDmabuf;
                let kind = if driver { Kind::ExportToDmabuf { f, dev } } else { Kind::Export { f, dev } };
                let mut plan = Plan::new(kind);
                plan.thread.h = narrow(record.payload::<Prime>().handle);
                plan.given.ret = cx.trace.return_of(i).map_or(0, |r| result(r, driver));
                plan
            }),
            (ProbeId::Import, Phase::Entry) => {
                let mut plan = f.map(|f| Plan::new(Kind::Import { f, dev }));
                if let Some(plan) = &mut plan {
                    plan.given.ret = ret_of(i);
                    let back = cx.trace.return_of(i);
                    plan.given.handle = back.map_or(0, |r| narrow(r.payload::<Prime>().handle));
                    match cx.trace.within(i, ProbeId::BufGet, Phase::Return) {
                        Some(got) => {
                            plan.given.get = result(got, true);
                            plan.given.buf = got.payload::<Buf>().dma_buf;
                        }
                        None => plan.given.get = plan.given.ret.min(-1),
                    }
                }
                // A dma-buf that is not known may be anybody's.
                plan.filter(|p| p.given.get < 0 || self.bufs.number_at(p.given.buf).is_some())
            }
            (ProbeId::Flink, Phase::Entry) => f.map(|f| {
                let mut plan = Plan::new(Kind::Flink { f, dev });
                plan.thread.h = narrow(gem.handle);
                plan.given.ret = ret_of(i);
                plan.given.name = cx.trace.return_of(i).map_or(0, |r| narrow(r.payload::<Gem>().name));
                plan
            }),
            (ProbeId::GemOpen, Phase::Entry) => {
                let of = cx.trace.within(i, ProbeId::HandleCreate, Phase::Entry);
                let known = of.is_none_or(|r| self.objs.find(r.payload::<Gem>().obj).is_some());
                f.filter(|_| known).map(|f| {
                    let mut plan = Plan::new(Kind::OpenName { f, dev });
                    plan.thread.n = narrow(gem.name);
                    plan.given.ret = ret_of(i);
                    plan
                })
            }
            (ProbeId::ChangeHandle, Phase::Entry) if cx.machine.era.change_handle() => f.map(|f| {
                let p: &ChangeHandle = record.payload();
                let mut plan = Plan::new(Kind::ChangeHandle { f });
                (plan.thread.h, plan.thread.n) = (narrow(p.handle), narrow(p.new_handle));
                plan.given.ret = ret_of(i);
                plan
            }),
            (ProbeId::GetFb | ProbeId::GetFb2, Phase::Entry) => {
                let old = probe == ProbeId::GetFb;
                match (f, cx.trace.within(i, ProbeId::HandleCreate, Phase::Entry)) {
                    (Some(f), Some(made)) => self.objs.find(made.payload::<Gem>().obj).map(|o| {
                        let mut plan = Plan::new(Kind::GetFb { f, dev, old });
                        plan.thread.o = o;
                        plan.given.ret = ret_of(i);
                        plan
                    }),
                    (Some(f), None) => {
                        let mut plan = Plan::new(Kind::GetFbFailed { f, old });
                        plan.given.ret = ret_of(i);
                        Some(plan)
                    }
                    _ => None,
                }
            }
            (ProbeId::FbInit, Phase::Entry) => {
                let back = cx.trace.return_of(i);
                let p: &Framebuffer = back.unwrap_or(record).payload();
                let one = p.obj[1..].iter().all(|o| *o == 0);
                let good = back.is_some_and(|r| result(r, false) == 0);
                self.objs.find(p.obj[0]).filter(|_| one && good).map(|o| {
                    let dev = self.k.obj(o).map_or(0, |o| o.dev);
                    let mut plan = Plan::new(Kind::FbInit { dev });
                    plan.thread.o = o;
                    plan
                })
            }
            (ProbeId::FbCleanup, Phase::Entry) => self.fb_end(record),
            (ProbeId::ObjectFree | ProbeId::ObjectDriverFree | ProbeId::ObjectRelease, Phase::Point)
                if obj.is_some() =>
            {
                // The end of a framebuffer begins with its put of the object.
                let is_end = |p| {
                    matches!(
                        p,
                        Some(ProbeId::ObjectFree | ProbeId::ObjectDriverFree | ProbeId::ObjectRelease)
                    )
                };
                let cleanup = cx.trace.from(i).find(|(_, r)| !is_end(r.probe()));
                let cleanup = cleanup.filter(|(_, r)| {
                    r.probe() == Some(ProbeId::FbCleanup)
                        && r.phase() == Some(Phase::Entry)
                        && r.payload::<Framebuffer>().obj[0] == gem.obj
                });
                cleanup.and_then(|(_, r)| self.fb_end(r)).or_else(|| {
                    let mut plan = Plan::new(Kind::ObjPut { symbol: probe == ProbeId::ObjectFree });
                    plan.thread.o = obj.unwrap_or(Ptr::NULL);
                    Some(plan)
                })
            }
            (ProbeId::GemVmClose, Phase::Point) => {
                let o = self.objs.find(named(record).0);
                o.map(|o| {
                    let mut plan = Plan::new(Kind::VmClose);
                    plan.thread.o = o;
                    plan
                })
            }
            (ProbeId::FileClose, Phase::Entry) => {
                let f = self.file(record.payload::<DrmFile>().file);
                f.map(|f| {
                    let dev = self.file_of(f).map_or(0, |f| f.dev);
                    Plan::new(Kind::FileClose { f, dev })
                })
            }
            (ProbeId::BufFileRelease | ProbeId::BufRelease, Phase::Point) => {
                let d = self.bufs.find(record.payload::<Buf>().dma_buf);
                d.map(|d| {
                    let last = probe == ProbeId::BufFileRelease;
                    let mut plan = Plan::new(if last { Kind::LastFput } else { Kind::Destroy });
                    plan.thread.d = d;
                    plan
                })
            }
            _ => None,
        })
    }

    fn fb_end(&self, record: &Record) -> Option<Plan> {
        let b = self.fbs.find(record.payload::<Framebuffer>().fb)?;
        let of = crate::state::get(&self.k.fbs, b)?;
        let dev = self.k.obj(of.obj).map_or(0, |o| o.dev);
        let mut plan = Plan::new(Kind::FbCleanup { dev });
        plan.thread.b = b;
        Some(plan)
    }

    /// A call that cannot be followed: what it may change is not known any more.
    fn lose(&mut self, cx: &Context<'_>, i: u32, record: &Record, phase: Phase) -> Result<Begin, Refusal> {
        if phase != Phase::Entry {
            return Ok(Begin::Unpredicted(if phase == Phase::Return { NO_CALL } else { UNKNOWN }));
        }
        let Some(t) = self.take_slot(record.header.tid, i) else { return Err(Refusal::Room(TOO_MANY)) };
        self.slots[t].opaque = 1;
        let mut depth = 0_i32;
        for (_, inner) in cx.trace.from(i) {
            let (obj, _, file) = named(inner);
            if matches!(
                inner.probe(),
                Some(ProbeId::HandleCreate | ProbeId::HandleRelease | ProbeId::FbInit | ProbeId::FbCleanup)
            ) {
                self.objs.forget(obj);
            }
            if let Some(f) = self.file(file) {
                self.close(f);
            }
            depth += match inner.phase() {
                Some(Phase::Entry) => 1,
                Some(Phase::Return) => -1,
                _ => 0,
            };
            if depth <= 0 {
                break;
            }
        }
        Ok(Begin::Unpredicted(UNKNOWN))
    }

    /// A record of thread `t` inside a call that is not followed; leaves the reason.
    pub fn inside(&mut self, t: usize, record: &Record) -> &'static str {
        let s = &mut self.slots[t];
        match record.phase() {
            // Some probes tell only of returns.
            Some(Phase::Entry) => s.opaque += 1,
            Some(Phase::Return) if !matches!(record.probe(), Some(ProbeId::BufGet | ProbeId::BufFd)) => {
                s.opaque -= 1;
            }
            _ => {}
        }
        if s.opaque == 0 {
            self.finish(t);
        }
        INSIDE
    }
}
