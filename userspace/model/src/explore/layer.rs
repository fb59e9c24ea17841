//! The walk, layer by layer.
//!
//! A layer is expanded in rounds. In each, workers take parts of the layer and make the states that come next, sorted into
//! shards by their hash; then each shard, by one worker, takes up what it does not have yet. So what is made
//! and thrown away again stays small, and no two workers ever want the same thing.

use std::ops::Range;
use std::sync::Mutex;

use super::pile::{Arrival, Pile};
use super::{Crew, Found, Limits, Move, Outcome, symmetry};
use crate::machine::Machine;
use crate::pack::facts_of;
use crate::state::Kernel;
use crate::truth::{About, Fact, Wrong};

/// How far a walk has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Steps deep.
    pub depth: usize,
    /// States so far.
    pub states: u64,
    /// States of this layer.
    pub width: usize,
}

/// Where each state of a layer came from.
type Back = Vec<(u32, Move)>;

/// Part of a layer: states of one shard.
struct Part {
    shard: usize,
    range: Range<usize>,
    /// The place in the layer of the shard's first state.
    base: usize,
}

/// What one worker made of its part.
#[derive(Default)]
struct Made {
    /// By shard.
    arrivals: Vec<Vec<Arrival>>,
    steps: u64,
    stuck: Vec<usize>,
    bytes: Vec<u8>,
    node: Kernel,
    next: Kernel,
}

/// Shards for each worker: enough that they end at about the same time.
const SHARDS_A_HAND: usize = 4;
/// States in one part.
const PART: usize = 512;
/// Parts that a worker has in one round, where there are several: enough to be worth waiting for the others.
const PARTS_A_HAND: usize = 8;

struct Walk<'a> {
    m: &'a Machine,
    limits: &'a Limits,
    crew: &'a dyn Crew,
    symmetric: bool,
    shards: usize,
    round: usize,
    made: Vec<Made>,
    out: Outcome,
    /// Of each layer only who came from where is kept.
    back: Vec<Back>,
    /// Bytes of that.
    kept: usize,
}

pub(super) fn walk(
    m: &Machine,
    limits: &Limits,
    crew: &dyn Crew,
    progress: &mut dyn FnMut(&Progress),
) -> Outcome {
    let hands = crew.hands().max(1);
    let several = hands > 1;
    let mut walk = Walk {
        m,
        limits,
        crew,
        symmetric: symmetry::applies(m, limits),
        shards: if several { hands * SHARDS_A_HAND } else { 1 },
        round: if several { hands * PARTS_A_HAND } else { 1 },
        made: Vec::new(),
        out: Outcome { states: 1, exhausted: true, ..Outcome::default() },
        back: Vec::new(),
        kept: 0,
    };
    let mut state = m.start();
    if walk.symmetric {
        symmetry::canonical(m, limits, &mut state);
    }
    let mut layer = vec![Pile::of(m, &state)];
    loop {
        let width = layer.iter().map(Pile::len).sum();
        walk.note(&layer);
        progress(&Progress { depth: walk.back.len(), states: walk.out.states, width });
        let come_from = layer.iter().flat_map(Pile::come_from).collect::<Back>();
        walk.kept += come_from.capacity() * size_of::<(u32, Move)>();
        walk.back.push(come_from);
        if width == 0 || !walk.out.exhausted {
            break;
        }
        layer = walk.expand(&layer);
        walk.out.states += layer.iter().map(|p| p.len() as u64).sum::<u64>();
    }
    walk.out.longest = walk.back.iter().rposition(|layer| !layer.is_empty()).unwrap_or(0);
    walk.out
}

/// One after the other by the caller, or by the crew if it is worth it.
fn each(crew: &dyn Crew, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
    if jobs > 1 { crew.each(jobs, job) } else { (0..jobs).for_each(job) }
}

fn put_in_places<T>(things: impl IntoIterator<Item = T>) -> Vec<Mutex<T>> {
    things.into_iter().map(Mutex::new).collect()
}

fn taken_out<T>(places: Vec<Mutex<T>>) -> Vec<T> {
    // A job that panicked has taken the walk with it: a place is never poisoned here.
    places.into_iter().map(|p| p.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)).collect()
}

impl Walk<'_> {
    /// What is wrong in this layer that was not wrong before, and what has come to its end.
    fn note(&mut self, layer: &[Pile]) {
        let mut base = 0;
        for pile in layer {
            for ix in pile.remarkable() {
                for fact in facts_of(pile.state(ix)) {
                    if !self.out.found.iter().any(|f| f.fact == fact) {
                        let way = self.way(pile.parent(ix));
                        self.out.found.push(Found { fact, way });
                    }
                }
            }
            self.out.ends += pile.ends;
            self.out.bad_ends += pile.bad_ends;
            self.out.interleavings = self.out.interleavings.saturating_add(pile.ways_to_ends);
            base += pile.len();
        }
        debug_assert!(u32::try_from(base).is_ok(), "a layer has fewer states than fit the memory");
    }

    fn way(&self, last: (u32, Move)) -> Vec<Move> {
        let mut way = Vec::new();
        let (mut at, mut go) = last;
        for layer in self.back.iter().rev() {
            way.push(go);
            let Some((parent, before)) = layer.get(at as usize) else { break };
            (at, go) = (*parent, *before);
        }
        way.reverse();
        way
    }

    fn expand(&mut self, layer: &[Pile]) -> Vec<Pile> {
        let parts = parts(layer);
        let shards = if parts.len() > 1 { self.shards } else { 1 };
        let mut next: Vec<Pile> = (0..shards).map(|_| Pile::default()).collect();
        let here: usize = layer.iter().map(Pile::bytes).sum();
        for round in parts.chunks(self.round) {
            self.made.resize_with(self.made.len().max(round.len()), Made::default);
            let made = put_in_places(self.made.drain(..));
            let expand = |ix: usize| {
                if let (Some(part), Some(Ok(mut made))) = (round.get(ix), made.get(ix).map(Mutex::lock)) {
                    made.expand(self.m, self.limits, self.symmetric, shards, layer, part);
                }
            };
            each(self.crew, round.len(), &expand);
            let made = taken_out(made);
            let places = put_in_places(next);
            let take = |ix: usize| {
                if let Some(Ok(mut pile)) = places.get(ix).map(Mutex::lock) {
                    for (made, part) in made.iter().zip(round) {
                        let ways = |parent: u32| layer[part.shard].ways(parent as usize - part.base);
                        let arrivals = made.arrivals.get(ix).map_or(&[][..], Vec::as_slice);
                        pile.take(self.m, arrivals, &made.bytes, ways);
                    }
                }
            };
            each(self.crew, shards, &take);
            next = taken_out(places);
            self.made = made;
            self.stuck(layer, round);
            let made: usize = self.made.iter().map(Made::size).sum();
            let there: usize = next.iter().map(Pile::bytes).sum();
            let states = self.out.states + next.iter().map(|p| p.len() as u64).sum::<u64>();
            if self.kept + here + there + made > self.limits.memory || states > self.limits.states {
                self.out.exhausted = false;
                break;
            }
        }
        next
    }

    /// Takes up what no thread can leave.
    fn stuck(&mut self, layer: &[Pile], round: &[Part]) {
        for (ix, part) in round.iter().enumerate() {
            let made = &mut self.made[ix];
            self.out.steps += std::mem::take(&mut made.steps);
            for at in std::mem::take(&mut made.stuck) {
                let pile = &layer[part.shard];
                let fact = Fact::new(Wrong::Deadlock, About::Nothing);
                if !self.out.found.iter().any(|f| f.fact == fact) {
                    // The layer itself is noted already.
                    let mut way = self.way((part.base as u32 + at as u32, Move::default()));
                    way.pop();
                    self.out.found.push(Found { fact, way });
                }
                self.out.bad_ends += 1;
                self.out.ends += 1;
                self.out.interleavings = self.out.interleavings.saturating_add(pile.ways(at));
            }
        }
    }
}

fn parts(layer: &[Pile]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut base = 0;
    for (shard, pile) in layer.iter().enumerate() {
        for from in (0..pile.len()).step_by(PART) {
            parts.push(Part { shard, range: from..(from + PART).min(pile.len()), base });
        }
        base += pile.len();
    }
    parts
}

impl Made {
    /// Bytes that it takes.
    fn size(&self) -> usize {
        let arrivals: usize = self.arrivals.iter().map(Vec::capacity).sum();
        self.bytes.capacity() + arrivals * size_of::<Arrival>()
    }

    fn expand(
        &mut self,
        m: &Machine,
        limits: &Limits,
        symmetric: bool,
        shards: usize,
        layer: &[Pile],
        part: &Part,
    ) {
        let Self { arrivals, steps, stuck, bytes, node, next } = self;
        arrivals.resize_with(shards, Vec::new);
        arrivals.iter_mut().for_each(Vec::clear);
        bytes.clear();
        for ix in part.range.clone() {
            node.unpack(layer[part.shard].state(ix));
            let before = *steps;
            for go in m.moves(node) {
                *steps += 1;
                next.clone_from(node);
                m.advance(next, go, limits, &mut ());
                if symmetric {
                    symmetry::canonical(m, limits, next);
                }
                let from = bytes.len();
                next.pack(bytes);
                let hash = crate::pack::hash(&bytes[from..]);
                // The other half finds the place in the shard.
                let shard = hash as u32 as usize % shards;
                let range = from as u32..bytes.len() as u32;
                arrivals[shard].push(Arrival { hash, bytes: range, parent: (part.base + ix) as u32, go });
            }
            if *steps == before && !m.is_over(node) {
                stuck.push(ix);
            }
        }
    }
}
