//! A way, or any single run, on the machine that writes records.
//!
//! A walk goes without records: probes would be steps of their own and multiply the states. To see what probes would
//! have written on a way it is gone a second time, side by side: whatever a thread does on the machine without
//! records, the same thread does on the one with them, together with the probes that lie there.

use gemscope_common::Phase;

use super::{Limits, Made, Move, symmetry};
use crate::code::Instr;
use crate::machine::Machine;
use crate::state::Kernel;
use crate::step::Sink;

/// Goes a way that a walk of this machine found, then on to the end of the scenario, one thread after the other. Gives
/// the state at the end.
pub fn play<S: Sink>(m: &Machine, limits: &Limits, moves: &[Move], sink: &mut S) -> Kernel {
    let with = Machine { records: true, ..m.clone() };
    let mut follower = Follower { k: with.start(), m: &with };
    along(
        m,
        limits,
        moves,
        &mut (),
        &mut |k, made, who, ()| follower.follow(m, k, made, who, sink),
        |_, _| {},
    );
    finish(&with, follower.k, &mut |_| 0, sink)
}

/// Runs the scenario once, from its beginning to its end. Where several steps can come next, `choose` is given their
/// number and says which. Gives the state at the end.
pub fn run<S: Sink>(m: &Machine, choose: &mut dyn FnMut(usize) -> usize, sink: &mut S) -> Kernel {
    finish(m, m.start(), choose, sink)
}

fn finish<S: Sink>(
    m: &Machine,
    mut k: Kernel,
    choose: &mut dyn FnMut(usize) -> usize,
    sink: &mut S,
) -> Kernel {
    let mut moves = Vec::new();
    while !m.is_over(&k) {
        moves.clear();
        moves.extend(m.moves(&k));
        let choice = if moves.len() > 1 { choose(moves.len()) } else { 0 };
        // Without a move nobody can go on.
        let Some(go) = moves.get(choice).or(moves.first()) else { break };
        m.step(&mut k, usize::from(go.thread), usize::from(go.choice), sink);
    }
    k
}

/// Goes a way. Threads keep the names they have in the scenario although a walk may have exchanged them: `made` is
/// told after each single step whose it was, `moved` after each move. Gives the state at the end.
pub(super) fn along<S: Sink>(
    m: &Machine,
    limits: &Limits,
    moves: &[Move],
    sink: &mut S,
    made: &mut impl FnMut(&Kernel, Made, usize, &mut S),
    mut moved: impl FnMut(&[usize], &mut S),
) -> Kernel {
    let mut k = m.start();
    // Which thread of the scenario stands where.
    let mut who: Vec<usize> = (0..k.threads.len()).collect();
    let reorder = |k: &mut Kernel, who: &mut Vec<usize>| {
        if let Some(from) = symmetry::canonical(m, limits, k) {
            *who = from.iter().map(|t| who[*t]).collect();
        }
    };
    reorder(&mut k, &mut who);
    moved(&who, sink);
    for go in moves {
        m.advance_told(&mut k, *go, limits, sink, &mut |k, one, sink| made(k, one, who[one.thread], sink));
        reorder(&mut k, &mut who);
        moved(&who, sink);
    }
    k
}

/// The machine with records, on its way behind the other.
struct Follower<'a> {
    m: &'a Machine,
    k: Kernel,
}

impl Follower<'_> {
    /// Does what the other machine did in one step of its thread: here it is thread `t`.
    fn follow<S: Sink>(&mut self, lead: &Machine, k: &Kernel, made: Made, t: usize, sink: &mut S) {
        while self.k.threads[t].pc != made.from && matches!(self.m.at(&self.k, t), Instr::Emit(..)) {
            self.m.step(&mut self.k, t, 0, sink);
        }
        self.m.step(&mut self.k, t, made.choice, sink);
        while !self.is_there(lead, k, made.thread, t) && self.m.enabled(&self.k, t) {
            self.m.step(&mut self.k, t, 0, sink);
        }
    }

    /// Has this machine done all that the other has? That a call begins is told as late as can be: it is only when it does
    /// something that others could notice.
    fn is_there(&self, lead: &Machine, k: &Kernel, of: usize, t: usize) -> bool {
        if self.k.phase != k.phase {
            return false;
        }
        let begins = matches!(self.m.at(&self.k, t), Instr::Emit(_, Phase::Entry, _));
        self.k.threads[t].pc == k.threads[of].pc
            || begins
                && lead.at(k, of) != Instr::End
                && self.k.vars == k.vars
                && symmetry::holds(&self.k, t) == symmetry::holds(k, of)
    }
}
