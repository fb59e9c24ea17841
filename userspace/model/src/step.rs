//! One micro-step of one thread.

use gemscope_common::{Phase, ProbeId};

use crate::code::{Instr, Lock, Num, Reg};
use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Kernel, Ptr, Thread, flag};
use crate::truth::{About, Fact, Wrong};

/// A variable whose operation failed.
pub(crate) const NEVER: u16 = u16::MAX;

/// What wants to know of steps.
pub trait Sink {
    /// Are records wanted?
    const RECORDS: bool;
    /// A probe was hit by thread `t`.
    fn probe(&mut self, _m: &Machine, _k: &Kernel, _t: usize, _probe: ProbeId, _phase: Phase, _operand: u8) {}
    /// Something was done: the state before and after.
    fn done(&mut self, _m: &Machine, _before: &Thread, _k: &Kernel, _t: usize, _instr: Instr) {}
}

impl Sink for () {
    const RECORDS: bool = false;
}

impl Thread {
    pub(crate) const fn reg(&self, reg: Reg) -> Ptr {
        match reg {
            Reg::D => self.d,
            Reg::E => self.e,
        }
    }

    pub(crate) const fn yes(&self) -> bool {
        self.flags & flag::YES != 0
    }

    pub(crate) const fn say(&mut self, yes: bool) {
        self.flags = self.flags & !flag::YES | if yes { flag::YES } else { 0 };
    }

    const fn num(&self, num: Num) -> u16 {
        match num {
            Num::H => self.h,
            Num::N => self.n,
            Num::X => self.x,
            Num::A => self.a.slot,
            Num::B => self.b.slot,
        }
    }
}

impl Machine {
    /// Makes one step of thread `t`, the `choice`-th way. The thread must be enabled.
    pub fn step<S: Sink>(&self, k: &mut Kernel, t: usize, choice: usize, sink: &mut S) {
        let at = self.at(k, t);
        match at {
            Instr::MayFail(errno, to) => {
                let thread = &mut k.threads[t];
                if choice == 1 {
                    (thread.ret, thread.pc) = (errno, to);
                } else {
                    thread.pc += 1;
                }
                let before = k.threads[t];
                sink.done(self, &before, k, t, at);
            }
            Instr::Lock(_) => {
                self.take_locks(k, t, sink);
                // The lock is taken with what it is taken for.
                let next = self.at(k, t);
                if next.is_step(self.records) && next != Instr::End && self.choices(k, t) == 1 {
                    self.one(k, t, sink);
                }
            }
            _ => {
                if choice == 1 {
                    k.threads[t].flags |= flag::SECOND;
                }
                self.one(k, t, sink);
            }
        }
        if self.settle(k, t, sink) {
            self.wake(k);
            self.next_phase(k);
        } else if self.at(k, t) == Instr::End {
            self.next_phase(k);
        }
    }

    /// Takes every lock that comes next.
    fn take_locks<S: Sink>(&self, k: &mut Kernel, t: usize, sink: &mut S) {
        loop {
            let at = self.at(k, t);
            match at {
                Instr::Lock(lock) => {
                    if usize::from(k.holder(lock, t)) == t + 1 {
                        // It waits for itself, for ever.
                        if let Lock::Resv(reg) = lock {
                            k.fact(Wrong::LockHeld, k.about_buf(k.threads[t].reg(reg)));
                        }
                        k.fact(Wrong::Deadlock, About::Nothing);
                        return self.give_up(k);
                    }
                    let before = k.threads[t];
                    k.set_holder(lock, t, t as u8 + 1);
                    k.threads[t].pc += 1;
                    sink.done(self, &before, k, t, at);
                }
                Instr::Emit(..) if !self.records => k.threads[t].pc += 1,
                _ => return,
            }
        }
    }

    /// Nothing of this scenario will run any more.
    pub(crate) fn give_up(&self, k: &mut Kernel) {
        k.phase = u16::MAX;
    }

    /// Executes the instruction at hand.
    fn one<S: Sink>(&self, k: &mut Kernel, t: usize, sink: &mut S) {
        let instr = self.at(k, t);
        let before = k.threads[t];
        match instr {
            Instr::Emit(probe, phase, operand) if S::RECORDS => {
                sink.probe(self, k, t, probe, phase, operand);
            }
            Instr::Do(what) => k.act(self, t, what),
            _ => {}
        }
        k.threads[t].pc += 1;
        sink.done(self, &before, k, t, instr);
    }

    /// Goes on to the next step: everything up to it concerns nobody else, but that others may wait for a value. Tells
    /// whether one was given.
    pub(crate) fn settle<S: Sink>(&self, k: &mut Kernel, t: usize, sink: &mut S) -> bool {
        let mut gave = false;
        loop {
            let instr = self.at(k, t);
            if instr.is_step(self.records) {
                return gave;
            }
            let thread = &mut k.threads[t];
            match instr {
                Instr::Goto(to) => thread.pc = to,
                Instr::IfFailed(to) => thread.pc = if thread.ret < 0 { to } else { thread.pc + 1 },
                Instr::IfYes(to) => thread.pc = if thread.yes() { to } else { thread.pc + 1 },
                Instr::IfNo(to) => thread.pc = if thread.yes() { thread.pc + 1 } else { to },
                Instr::Load(to, var, skip) => {
                    match k.vars[usize::from(var)] {
                        // Another thread will tell.
                        0 => return gave,
                        NEVER => {
                            thread.ret = errno::ENOENT;
                            thread.pc = skip;
                        }
                        value => {
                            k.put(t, to, value);
                            k.threads[t].pc += 1;
                        }
                    }
                }
                _ => {
                    match instr {
                        Instr::Result(ret) => thread.ret = ret,
                        Instr::Const(to, value) => k.put(t, to, value),
                        Instr::Store(var, from) => {
                            let value = if thread.ret < 0 { NEVER } else { thread.num(from) };
                            k.vars[usize::from(var)] = value;
                            gave = true;
                        }
                        Instr::Clear => {
                            *thread = Thread { pc: thread.pc, ..Thread::default() };
                        }
                        Instr::Unlock(lock) => {
                            let before = *thread;
                            k.set_holder(lock, t, 0);
                            sink.done(self, &before, k, t, instr);
                        }
                        Instr::Do(what) => k.act(self, t, what),
                        _ => {}
                    }
                    k.threads[t].pc += 1;
                }
            }
        }
    }
}

impl Kernel {
    fn put(&mut self, t: usize, to: Num, value: u16) {
        let (a, b) = (self.slot_ptr_attach(value), self.slot_ptr_fb(value));
        let thread = &mut self.threads[t];
        match to {
            Num::H => thread.h = value,
            Num::N => thread.n = value,
            Num::X => thread.x = value,
            Num::A => thread.a = a,
            Num::B => thread.b = b,
        }
    }

    fn slot_ptr_attach(&self, slot: u16) -> Ptr {
        crate::state::ptr(&self.attaches, usize::from(slot).saturating_sub(1))
    }

    fn slot_ptr_fb(&self, slot: u16) -> Ptr {
        crate::state::ptr(&self.fbs, usize::from(slot).saturating_sub(1))
    }

    /// This is wrong: noted once, in order.
    pub(crate) fn fact(&mut self, wrong: Wrong, about: About) {
        let fact = Fact::new(wrong, about);
        if let Err(ix) = self.facts.binary_search(&fact) {
            self.facts.insert(ix, fact);
        }
    }
}
