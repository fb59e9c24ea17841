//! The writer of programs: instructions one after the other, labels, and which call begins where.

use gemscope_common::{Phase, ProbeId};

use crate::code::{Do, Instr, Lock, Num, Point};
use crate::era::Era;

/// A call of a program, for whoever reads what a thread does.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where in the program it begins.
    pub at: u16,
    /// The call as a tracer would print it.
    pub text: String,
    /// The variable that it gives a value to, and what such a value is.
    pub gives: Option<(u8, &'static str)>,
}

/// A place in a program that is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Label(u16);

/// Writes a program.
pub struct Asm {
    pub era: Era,
    code: Vec<Instr>,
    /// Where each label turned out to be.
    places: Vec<u16>,
    /// Calls that fail in the operation under way, and whether they always do.
    pub faults: Vec<(Point, bool)>,
    /// What user space and drivers do is told from outside: the program of an operation that was observed.
    pub given: bool,
    /// The calls of the program, in order.
    pub calls: Vec<Call>,
}

impl Asm {
    pub const fn new(era: Era) -> Self {
        Self {
            era,
            code: Vec::new(),
            places: Vec::new(),
            faults: Vec::new(),
            given: false,
            calls: Vec::new(),
        }
    }

    /// A call begins here.
    pub fn call(&mut self, text: String, gives: Option<(u8, &'static str)>) {
        self.calls.push(Call { at: self.code.len() as u16, text, gives });
    }

    pub fn label(&mut self) -> Label {
        self.places.push(u16::MAX);
        Label(self.places.len() as u16 - 1)
    }

    pub fn place(&mut self, label: Label) {
        self.places[usize::from(label.0)] = self.code.len() as u16;
    }

    pub fn push(&mut self, instr: Instr) {
        self.code.push(instr);
    }

    pub fn act(&mut self, what: Do) {
        self.push(Instr::Do(what));
    }

    pub fn goto(&mut self, to: Label) {
        self.push(Instr::Goto(to.0));
    }

    pub fn if_failed(&mut self, to: Label) {
        self.push(Instr::IfFailed(to.0));
    }

    pub fn if_yes(&mut self, to: Label) {
        self.push(Instr::IfYes(to.0));
    }

    pub fn if_no(&mut self, to: Label) {
        self.push(Instr::IfNo(to.0));
    }

    pub fn result(&mut self, ret: i16) {
        self.push(Instr::Result(ret));
    }

    pub fn lock(&mut self, lock: Lock) {
        self.push(Instr::Lock(lock));
    }

    pub fn unlock(&mut self, lock: Lock) {
        self.push(Instr::Unlock(lock));
    }

    pub fn enter(&mut self, probe: ProbeId, f: u8) {
        self.push(Instr::Emit(probe, Phase::Entry, f));
    }

    pub fn leave(&mut self, probe: ProbeId, f: u8) {
        self.push(Instr::Emit(probe, Phase::Return, f));
    }

    pub fn point(&mut self, probe: ProbeId, f: u8) {
        self.push(Instr::Emit(probe, Phase::Point, f));
    }

    /// The call may fail here, if the operation says so.
    pub fn may_fail(&mut self, point: Point, errno: i16, to: Label) {
        match self.faults.iter().find(|(p, _)| *p == point) {
            Some((_, true)) => {
                self.result(errno);
                self.goto(to);
            }
            Some((_, false)) => self.push(Instr::MayFail(errno, to.0)),
            None => {}
        }
    }

    /// The program, with every jump going where its label is.
    pub fn finish(mut self) -> Vec<Instr> {
        self.push(Instr::End);
        let at = |label: u16| self.places[usize::from(label)];
        self.code
            .iter()
            .map(|instr| match *instr {
                Instr::Goto(l) => Instr::Goto(at(l)),
                Instr::IfFailed(l) => Instr::IfFailed(at(l)),
                Instr::IfYes(l) => Instr::IfYes(at(l)),
                Instr::IfNo(l) => Instr::IfNo(at(l)),
                Instr::MayFail(e, l) => Instr::MayFail(e, at(l)),
                Instr::Load(n, v, l) => Instr::Load(n, v, at(l)),
                other => other,
            })
            .collect()
    }

    /// Takes a variable's value, or jumps to `skip` when there never will be one.
    pub fn load(&mut self, to: Num, var: u8, skip: Label) {
        self.push(Instr::Load(to, var, skip.0));
    }
}
