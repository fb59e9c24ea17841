//! A scenario made ready to run under one era: programs, names, what is fixed.

use crate::asm::Call;
use crate::code::{Do, Instr, Lock, Touches};
use crate::era::Era;
use crate::state::{Kernel, MAX_DEVICES, Thread};

/// A program, and who runs it.
#[derive(Clone, Debug)]
pub struct Runner {
    /// Its name in the scenario.
    pub name: String,
    pub(crate) process: u8,
    pub(crate) code: Vec<Instr>,
    /// Its calls, in order.
    pub(crate) calls: Vec<Call>,
    /// For each place in the program: the files that it still works on, as bits.
    pub(crate) files_ahead: Vec<u32>,
    /// Its process has begun to exit.
    pub(crate) exiting: bool,
    /// For each place in the program: what the step there touches.
    pub(crate) touches: Vec<Touches>,
    /// Runners with the same number have the same program and the same process.
    pub(crate) class: u16,
}

/// A DRM file of the scenario.
#[derive(Clone, Debug)]
pub struct FileDecl {
    /// Its name.
    pub name: String,
    /// The device that it is a file of.
    pub device: u8,
    /// The process that opened it.
    pub process: u8,
}

/// A scenario under an era.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The scenario's name.
    pub name: String,
    /// The rules.
    pub era: Era,
    /// Devices, by name.
    pub devices: Vec<String>,
    /// DRM files.
    pub files: Vec<FileDecl>,
    /// Processes, by name.
    pub processes: Vec<String>,
    /// Names that operations give to their results.
    pub vars: Vec<String>,
    /// What runs before, one after the other.
    pub before: Vec<Runner>,
    /// What runs side by side: threads 1 and up. Thread 0 is whoever runs alone.
    pub threads: Vec<Runner>,
    /// What runs after, one after the other: the scenario's own end, then the end of its processes.
    pub after: Vec<Runner>,
    /// What is left open at a normal exit is wrong.
    pub strict: bool,
    /// Probes are steps of their own.
    pub records: bool,
}

impl Machine {
    /// The state before anything has run.
    #[must_use]
    pub fn start(&self) -> Kernel {
        let mut k = Kernel::default();
        self.files.iter().for_each(|_| k.files.push(crate::state::File::default()));
        self.vars.iter().for_each(|_| k.vars.push(0));
        (0..=self.threads.len()).for_each(|_| k.threads.push(Thread::default()));
        debug_assert!(self.devices.len() <= MAX_DEVICES);
        self.wake(&mut k);
        self.next_phase(&mut k);
        k
    }

    /// Threads that waited for a value go on to their next step if it is there. What fails for want of a value gives a
    /// value in turn.
    pub(crate) fn wake(&self, k: &mut Kernel) {
        let mut gave = true;
        while gave {
            gave = false;
            for t in self.active(k) {
                gave |= !self.at(k, t).is_step(self.records) && self.settle(k, t, &mut ());
            }
        }
    }

    /// The phase in which threads run side by side.
    fn parallel(&self) -> usize {
        self.before.len()
    }

    fn phases(&self) -> usize {
        self.before.len() + 1 + self.after.len()
    }

    /// Whose program thread `t` runs now.
    #[must_use]
    pub fn runner(&self, k: &Kernel, t: usize) -> Option<&Runner> {
        let phase = usize::from(k.phase);
        match t {
            0 if phase < self.parallel() => self.before.get(phase),
            0 => self.after.get(phase.checked_sub(self.parallel() + 1)?),
            _ => self.threads.get(t - 1),
        }
    }

    pub(crate) fn code(&self, k: &Kernel, t: usize) -> &[Instr] {
        const NOTHING: &[Instr] = &[Instr::End];
        self.runner(k, t).map_or(NOTHING, |r| &r.code)
    }

    pub(crate) fn at(&self, k: &Kernel, t: usize) -> Instr {
        self.code(k, t).get(usize::from(k.threads[t].pc)).copied().unwrap_or(Instr::End)
    }

    /// Threads that may have something to do in this phase.
    #[must_use]
    pub fn active(&self, k: &Kernel) -> std::ops::Range<usize> {
        if usize::from(k.phase) == self.parallel() { 1..k.threads.len() } else { 0..1 }
    }

    /// Is everything done?
    #[must_use]
    pub fn is_over(&self, k: &Kernel) -> bool {
        self.ends_with(k.phase)
    }

    /// Is everything done in this phase?
    pub(crate) fn ends_with(&self, phase: u16) -> bool {
        usize::from(phase) >= self.phases()
    }

    /// When every thread of the phase has ended the next one begins.
    pub(crate) fn next_phase(&self, k: &mut Kernel) {
        while !self.is_over(k) && self.active(k).all(|t| self.at(k, t) == Instr::End) {
            k.phase += 1;
            if !self.active(k).contains(&1) {
                k.threads[0] = Thread::default();
            }
            self.wake(k);
        }
    }

    /// Can this thread make a step?
    #[must_use]
    pub fn enabled(&self, k: &Kernel, t: usize) -> bool {
        if !self.active(k).contains(&t) || self.at(k, t) == Instr::End {
            return false;
        }
        let code = self.code(k, t);
        let mut pc = usize::from(k.threads[t].pc);
        // Locks that are taken one after the other are taken together.
        loop {
            match code[pc] {
                Instr::Lock(lock) => {
                    let holder = k.holder(lock, t);
                    if holder != 0 && usize::from(holder) != t + 1 {
                        return false;
                    }
                }
                Instr::Emit(..) if !self.records => {}
                // It waits for a value that another thread will give.
                Instr::Load(..) => return false,
                _ => return true,
            }
            pc += 1;
        }
    }

    /// How many ways the next step can go.
    #[must_use]
    pub fn choices(&self, k: &Kernel, t: usize) -> usize {
        match self.at(k, t) {
            Instr::MayFail(..) => 2,
            Instr::Do(what) if self.era.cache_is_tree() => k.which(t, what),
            _ => 1,
        }
    }

    /// Is the next step of this thread one that no other can tell from a later or an earlier one?
    pub(crate) fn is_private(&self, k: &Kernel, t: usize) -> bool {
        let Some(runner) = self.runner(k, t) else { return false };
        let touches =
            runner.touches.get(usize::from(k.threads[t].pc)).copied().unwrap_or(Touches::Everything);
        match touches {
            Touches::Nothing => true,
            Touches::Everything => false,
            Touches::File(f) => !self.active(k).filter(|other| *other != t).any(|other| {
                let pc = usize::from(k.threads[other].pc);
                self.runner(k, other).is_some_and(|r| r.files_ahead[pc] & 1 << (f & 0x1f) != 0)
            }),
        }
    }
}

impl Kernel {
    /// How many entries of a tree a step may take: which one it finds is up to the tree (R31).
    fn which(&self, t: usize, what: Do) -> usize {
        let (f, buf) = match what {
            Do::CacheFindBuf { f } => (f, self.threads[t].d),
            Do::CacheRemoveBuf { f } => (f, self.threads[t].e),
            _ => return 1,
        };
        self.cache.iter().filter(|e| e.file == f && e.buf.same_address(buf)).count().clamp(1, 2)
    }

    /// Who holds a lock, from 1; 0 is nobody.
    pub(crate) fn holder(&self, lock: Lock, t: usize) -> u8 {
        match lock {
            Lock::Prime(f) => self.files[usize::from(f)].prime,
            Lock::Name(d) => self.name_locks[usize::from(d)],
            Lock::Resv(reg) => self.buf(self.threads[t].reg(reg)).map_or(0, |b| b.resv),
        }
    }

    pub(crate) fn set_holder(&mut self, lock: Lock, t: usize, who: u8) {
        match lock {
            Lock::Prime(f) => self.files[usize::from(f)].prime = who,
            Lock::Name(d) => self.name_locks[usize::from(d)] = who,
            Lock::Resv(reg) => {
                let p = self.threads[t].reg(reg);
                if let Some(b) = crate::state::get_mut(&mut self.bufs, p) {
                    b.resv = who;
                }
            }
        }
    }
}

/// What the step at each place of a program touches.
pub(crate) fn touches(code: &[Instr]) -> Vec<Touches> {
    let touches = |instr: &Instr| match instr {
        // A lock is taken with what it is taken for.
        Instr::Lock(_) => Touches::Everything,
        other => other.touches(),
    };
    code.iter().map(touches).collect()
}

/// Which files the rest of a program works on, for every place in it.
pub(crate) fn files_ahead(code: &[Instr]) -> Vec<u32> {
    // Loops go backwards: what a loop works on is ahead all through it. A whole program works on few files, so the
    // union of everything from here to the end, and of every loop that begins before and ends after, is near enough.
    let mut ahead = vec![0; code.len()];
    let mut all = 0;
    for (pc, instr) in code.iter().enumerate().rev() {
        if let Some(f) = instr.file() {
            all |= 1 << (f & 0x1f);
        }
        ahead[pc] = all;
    }
    for (pc, instr) in code.iter().enumerate() {
        if let Instr::Goto(to) = instr {
            let to = usize::from(*to);
            if to < pc {
                let of_loop = ahead[to];
                ahead[to..=pc].iter_mut().for_each(|a| *a |= of_loop);
            }
        }
    }
    ahead
}
