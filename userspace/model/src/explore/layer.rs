//! The walk, layer by layer.
//!
//! A layer is expanded in rounds. In each, workers take parts of the layer and make the states that come next, sorted into
//! shards by their hash; then each shard, by one worker, takes up what it does not have yet. So what is made
//! and thrown away again stays small, and no two workers ever want the same thing.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use super::pile::{Arrival, From, Pile};
use super::{Alone, Crew, Found, Limits, Move, Outcome, symmetry};
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
type Back = Vec<From>;

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
const PART: usize = 256;
/// Parts that a worker has in one round, where there are several: enough to be worth waiting for the others.
const PARTS_A_HAND: usize = 8;

/// What a shard has of the layers that come: the next one first. Steps that are made at once lead farther.
type Ahead = VecDeque<Pile>;

struct Walk<'a> {
    m: &'a Machine,
    limits: &'a Limits,
    crew: &'a dyn Crew,
    symmetric: bool,
    /// Parts in one round.
    round: usize,
    made: Vec<Made>,
    ahead: Vec<Ahead>,
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
        round: if several { hands * PARTS_A_HAND } else { 1 },
        made: Vec::new(),
        ahead: Vec::new(),
        out: Outcome { exhausted: true, ..Outcome::default() },
        back: Vec::new(),
        kept: 0,
    };
    let mut state = m.start();
    if walk.symmetric {
        symmetry::canonical(m, limits, &mut state);
    }
    let shards = if several { hands * SHARDS_A_HAND } else { 1 };
    walk.ahead.resize_with(shards, Ahead::new);
    let mut layer = vec![Pile::of(m, &state)];
    loop {
        let width = layer.iter().map(Pile::len).sum();
        walk.out.states += width as u64;
        walk.note(&layer);
        if width > 0 {
            progress(&Progress { depth: walk.back.len(), states: walk.out.states, width });
            walk.out.longest = walk.back.len();
        }
        let come_from = layer.iter().flat_map(Pile::come_from).collect::<Back>();
        walk.kept += come_from.capacity() * size_of::<From>();
        walk.back.push(come_from);
        if walk.out.exhausted {
            walk.expand(&layer, width);
        }
        if walk.ahead.iter().all(Ahead::is_empty) {
            return walk.out;
        }
        layer = walk.ahead.iter_mut().map(|shard| shard.pop_front().unwrap_or_default()).collect();
    }
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
                        let way = self.way(pile.from(ix));
                        self.out.found.push(Found { fact, way });
                    }
                }
            }
            self.out.ends += pile.ends();
            self.out.bad_ends += pile.bad_ends;
            self.out.interleavings = self.out.interleavings.saturating_add(pile.ways_to_ends());
            base += pile.len();
        }
        debug_assert!(u32::try_from(base).is_ok(), "a layer has fewer states than fit the memory");
    }

    /// The way to a state that comes into the next layer from there.
    fn way(&self, last: From) -> Vec<Move> {
        let mut way = Vec::new();
        let (mut depth, mut from) = (self.back.len(), last);
        while from.steps > 0 {
            way.push(from.go);
            depth -= usize::from(from.steps);
            let Some(before) = self.back.get(depth).and_then(|layer| layer.get(from.parent as usize)) else {
                break;
            };
            from = *before;
        }
        way.reverse();
        way
    }

    fn expand(&mut self, layer: &[Pile], width: usize) {
        let parts = parts(layer);
        // What is little is not worth calling others.
        let crew: &dyn Crew = if width > PART { self.crew } else { &Alone };
        let here: usize = layer.iter().map(Pile::bytes).sum();
        for round in parts.chunks(self.round) {
            self.made.resize_with(self.made.len().max(round.len()), Made::default);
            let made = put_in_places(self.made.drain(..));
            let shards = self.ahead.len();
            let expand = |ix: usize| {
                if let (Some(part), Some(Ok(mut made))) = (round.get(ix), made.get(ix).map(Mutex::lock)) {
                    made.expand(self.m, self.limits, self.symmetric, shards, layer, part);
                }
            };
            crew.each(round.len(), &expand);
            let made = taken_out(made);
            let ahead = put_in_places(self.ahead.drain(..));
            let take = |ix: usize| {
                let Some(Ok(mut ahead)) = ahead.get(ix).map(Mutex::lock) else { return };
                for (made, part) in made.iter().zip(round) {
                    for arrival in made.arrivals.get(ix).into_iter().flatten() {
                        let Arrival { from, .. } = arrival;
                        let ways = layer[part.shard].ways(from.parent as usize - part.base);
                        let far = usize::from(from.steps);
                        if ahead.len() < far {
                            ahead.resize_with(far, Pile::default);
                        }
                        ahead[far - 1].take(self.m, arrival, &made.bytes, ways);
                    }
                }
            };
            crew.each(shards, &take);
            self.ahead = taken_out(ahead);
            self.made = made;
            self.stuck(layer, round);
            let made: usize = self.made.iter().map(Made::size).sum();
            let ahead = || self.ahead.iter().flatten();
            let there: usize = ahead().map(Pile::bytes).sum();
            let states = self.out.states + ahead().map(|p| p.len() as u64).sum::<u64>();
            if self.kept + here + there + made > self.limits.memory || states > self.limits.states {
                self.out.exhausted = false;
                return;
            }
        }
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
                    let parent = (part.base + at) as u32;
                    let mut way = self.way(From { parent, go: Move::default(), steps: 1 });
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
    // What lies at about the same place in its shard came from the same parents, and leads to the same states.
    parts.sort_by_key(|part| part.range.start);
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
                let made = m.advance(next, go, limits, &mut ());
                if symmetric {
                    symmetry::canonical(m, limits, next);
                }
                let from = bytes.len();
                next.pack(bytes);
                let hash = crate::pack::hash(&bytes[from..]);
                // The other half finds the place in the shard.
                let shard = hash as u32 as usize % shards;
                let range = from as u32..bytes.len() as u32;
                let from = From { parent: (part.base + ix) as u32, go, steps: made };
                arrivals[shard].push(Arrival { hash, bytes: range, from });
            }
            if *steps == before && !m.is_over(node) {
                stuck.push(ix);
            }
        }
    }
}
