//! Everything that can be observed: each different sequence of Records, with every run that shows it.
//!
//! Two runs that write the same Records cannot be told apart by anybody who sees Records only. What is wrong in
//! all of them must be found, and what is right in one of them must not be accused: this is what an engine can be held
//! against, whatever points of a call's interval the records leave open.
//!
//! There are far too many sequences to walk one by one. Whoever watches says by a number what it has made of the records so far;
//! sequences that it makes the same of, and that leave the same states possible, are walked on as one.

use gemscope_common::{Phase, ProbeId, Record};
use std::hash::BuildHasher as _;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Move;
use crate::emit::{self, TICK_NS};
use crate::machine::Machine;
use crate::state::Kernel;
use crate::step::Sink;
use crate::truth::{About, Fact, Wrong};

/// Sees records, one by one.
pub trait Watcher: Clone {
    /// The next record.
    fn see(&mut self, record: &Record);
    /// Equal for watchers that will say the same from here on, whatever they see.
    fn digest(&self) -> u64;
}

/// All runs that a watcher cannot tell apart, at their end.
#[derive(Debug)]
pub struct Observation<'a, W> {
    /// Who saw them.
    pub watcher: &'a W,
    /// What is wrong at each different end, in order.
    pub ends: &'a [Vec<Fact>],
    /// How many interleavings end so, as far as a float counts.
    pub interleavings: f64,
}

/// What an observation of everything has cost and seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// Different pairs of what the watcher made of it and what is possible.
    pub nodes: u64,
    /// Different ends.
    pub ends: u64,
    /// Interleavings that they stand for, as far as a float counts.
    pub interleavings: f64,
    /// Steps made.
    pub steps: u64,
    /// Records seen, once for each node.
    pub records: u64,
    /// Records of the longest run.
    pub longest: usize,
    /// Nothing was left out.
    pub exhausted: bool,
}

/// Catches the one record that a step may write.
struct Catch(Option<Record>);

impl Sink for Catch {
    const RECORDS: bool = true;

    fn probe(&mut self, m: &Machine, k: &Kernel, t: usize, probe: ProbeId, phase: Phase, operand: u8) {
        self.0 = Some(emit::record(m, k, t, probe, phase, operand));
    }
}

/// States that the records so far allow, each with the number of ways to it.
type States = FxHashMap<Kernel, f64>;

/// Shows every run of a scenario to a watcher, and every end to `see`. At most `limit` nodes are walked. The machine must be one
/// with records.
pub fn observe<W: Watcher>(
    m: &Machine,
    mut watcher: W,
    limit: u64,
    see: &mut dyn FnMut(&Observation<'_, W>),
) -> Observed {
    let mut out = Observed { exhausted: true, ..Observed::default() };
    watcher.see(&stamped(emit::scope_record(m), 0));
    let start: States = std::iter::once((m.start(), 1.0)).collect();
    let mut layer = vec![(watcher, start)];
    while !layer.is_empty() {
        out.nodes += layer.len() as u64;
        if out.nodes > limit {
            out.exhausted = false;
            return out;
        }
        out.longest += 1;
        let mut known: FxHashMap<(u64, u64), usize> = FxHashMap::default();
        let mut below: Vec<(W, States)> = Vec::new();
        for (watcher, states) in layer {
            let (next, ends) = next(m, states, &mut out.steps);
            finish(m, &watcher, ends, &mut out, see);
            for (record, states) in next {
                let mut watcher = watcher.clone();
                watcher.see(&stamped(record, out.longest));
                out.records += 1;
                let key = (watcher.digest(), digest(&states));
                match known.get(&key) {
                    Some(ix) => {
                        let same = &mut below[*ix].1;
                        states.into_iter().for_each(|(state, ways)| add(same, state, ways));
                    }
                    None => {
                        known.insert(key, below.len());
                        below.push((watcher, states));
                    }
                }
            }
        }
        layer = below;
    }
    out
}

fn stamped(mut record: Record, position: usize) -> Record {
    record.header.ts_ns = (position as u64 + 1) * TICK_NS;
    record
}

fn add(states: &mut States, state: Kernel, ways: f64) {
    let known = states.entry(state).or_default();
    *known += ways;
}

/// One number for a set of states.
fn digest(states: &States) -> u64 {
    states.keys().fold(states.len() as u64, |all, k| all.wrapping_add(FxBuildHasher.hash_one(k)))
}

/// Every record that can come next, with the states after it; and the states in which none can.
fn next(m: &Machine, mut layer: States, steps: &mut u64) -> (Vec<(Record, States)>, States) {
    let mut next: Vec<(Record, States)> = Vec::new();
    let mut ends = States::default();
    while !layer.is_empty() {
        let mut silent = States::default();
        for (state, ways) in layer {
            let mut any = false;
            for go in moves(m, &state) {
                any = true;
                *steps += 1;
                let mut after = state.clone();
                let mut catch = Catch(None);
                m.step(&mut after, usize::from(go.thread), usize::from(go.choice), &mut catch);
                let place = match catch.0 {
                    None => &mut silent,
                    Some(record) => {
                        let known = next.iter().position(|(r, _)| *r == record);
                        let ix = known.unwrap_or_else(|| {
                            next.push((record, States::default()));
                            next.len() - 1
                        });
                        &mut next[ix].1
                    }
                };
                add(place, after, ways);
            }
            if !any {
                add(&mut ends, state, ways);
            }
        }
        layer = silent;
    }
    (next, ends)
}

/// A silent step that no other thread can notice is made first.
fn moves(m: &Machine, k: &Kernel) -> Vec<Move> {
    let quiet = |t: &usize| m.enabled(k, *t) && m.choices(k, *t) == 1 && m.is_private(k, *t);
    match m.active(k).find(quiet) {
        Some(t) => vec![Move { thread: t as u8, choice: 0 }],
        None => m.moves(k).collect(),
    }
}

/// Runs have ended. What a last look at the machine shows tells some of them apart.
fn finish<W: Watcher>(
    m: &Machine,
    watcher: &W,
    ends: States,
    out: &mut Observed,
    see: &mut dyn FnMut(&Observation<'_, W>),
) {
    let mut looks: Vec<(Vec<Record>, Vec<Vec<Fact>>, f64)> = Vec::new();
    for (state, ways) in ends {
        let mut facts = state.facts.to_vec();
        if !m.is_over(&state) {
            facts.push(Fact::new(Wrong::Deadlock, About::Nothing));
        }
        // Where nobody comes back, nothing settles.
        let stuck = facts.iter().any(|f| f.wrong() == Wrong::Deadlock);
        let look = if stuck { Vec::new() } else { emit::last_look(m, &state) };
        match looks.iter_mut().find(|(l, ..)| *l == look) {
            Some((_, ends, all)) => {
                *all += ways;
                if !ends.contains(&facts) {
                    ends.push(facts);
                }
            }
            None => looks.push((look, vec![facts], ways)),
        }
    }
    for (look, ends, interleavings) in looks {
        let mut watcher = watcher.clone();
        look.into_iter().for_each(|r| watcher.see(&stamped(r, out.longest)));
        out.ends += 1;
        out.interleavings += interleavings;
        see(&Observation { watcher: &watcher, ends: &ends, interleavings });
    }
}
