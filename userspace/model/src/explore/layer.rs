//! The walk, layer by layer.

use std::sync::Mutex;

use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

use super::{Crew, Found, Limits, Move, Outcome, symmetry};
use crate::machine::Machine;
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

/// A state of a layer.
#[derive(Clone)]
struct Node {
    state: Kernel,
    /// Where it came from: an index into the layer before.
    parent: u32,
    go: Move,
    /// Ways to it.
    ways: u128,
}

/// What workers made for one shard, by worker.
type Made = Vec<Vec<(u64, Node)>>;

/// What one worker made of its part.
#[derive(Default)]
struct Part {
    /// By shard.
    made: Made,
    steps: u64,
    stuck: Vec<u32>,
}

/// Shards for each worker: enough that they end at about the same time.
const SHARDS_A_HAND: usize = 4;
/// States in one part.
const PART: usize = 512;

pub(super) fn walk(
    m: &Machine,
    limits: &Limits,
    crew: &dyn Crew,
    progress: &mut dyn FnMut(&Progress),
) -> Outcome {
    let mut out = Outcome { states: 1, exhausted: true, ..Outcome::default() };
    let mut state = m.start();
    symmetry::canonical(m, limits, &mut state);
    let mut layer = vec![Node { state, parent: 0, go: Move::default(), ways: 1 }];
    // Of each layer only who came from where is kept.
    let mut back: Vec<Vec<(u32, Move)>> = Vec::new();
    let mut kept = 0;
    while !layer.is_empty() {
        progress(&Progress { depth: back.len(), states: out.states, width: layer.len() });
        note(m, &layer, &back, &mut out);
        if kept + layer.len() * node_size() * 2 > limits.memory || out.states > limits.states {
            out.exhausted = false;
            break;
        }
        let next = expand(m, limits, crew, &layer, &back, &mut out);
        kept += layer.len() * size_of::<(u32, Move)>();
        back.push(layer.iter().map(|n| (n.parent, n.go)).collect());
        out.states += next.len() as u64;
        layer = next;
    }
    out.longest = back.len().saturating_sub(1);
    out
}

const fn node_size() -> usize {
    size_of::<Node>() + 32
}

/// What is wrong in this layer that was not wrong before, and what has come to its end.
fn note(m: &Machine, layer: &[Node], back: &[Vec<(u32, Move)>], out: &mut Outcome) {
    for node in layer {
        for fact in node.state.facts.iter() {
            if !out.found.iter().any(|f| f.fact == *fact) {
                out.found.push(Found { fact: *fact, way: way(node, back) });
            }
        }
        if m.is_over(&node.state) {
            out.ends += 1;
            out.bad_ends += u64::from(!node.state.facts.is_empty());
            out.interleavings = out.interleavings.saturating_add(node.ways);
        }
    }
}

fn way(node: &Node, back: &[Vec<(u32, Move)>]) -> Vec<Move> {
    let mut way = Vec::new();
    let (mut at, mut go) = (node.parent, node.go);
    for layer in back.iter().rev() {
        way.push(go);
        let Some((parent, before)) = layer.get(at as usize) else { break };
        (at, go) = (*parent, *before);
    }
    way.reverse();
    way
}

fn expand(
    m: &Machine,
    limits: &Limits,
    crew: &dyn Crew,
    layer: &[Node],
    back: &[Vec<(u32, Move)>],
    out: &mut Outcome,
) -> Vec<Node> {
    let parts = layer.len().div_ceil(PART);
    let shards = if parts == 1 { 1 } else { crew.hands() * SHARDS_A_HAND };
    let done: Vec<Mutex<Part>> = (0..parts).map(|_| Mutex::default()).collect();
    let work = |ix: usize| {
        let from = ix * PART;
        let to = (from + PART).min(layer.len());
        let part = expand_part(m, limits, layer, from..to, shards);
        if let Ok(mut place) = done[ix].lock() {
            *place = part;
        }
    };
    crew.each(parts, &work);
    let mut by_shard: Vec<Mutex<Made>> = (0..shards).map(|_| Mutex::default()).collect();
    for part in done.into_iter().filter_map(|p| p.into_inner().ok()) {
        out.steps += part.steps;
        for ix in part.stuck {
            let node = &layer[ix as usize];
            let fact = Fact::new(Wrong::Deadlock, About::Nothing);
            if !out.found.iter().any(|f| f.fact == fact) {
                out.found.push(Found { fact, way: way(node, back) });
            }
            out.bad_ends += 1;
            out.ends += 1;
            out.interleavings = out.interleavings.saturating_add(node.ways);
        }
        for (shard, made) in by_shard.iter_mut().zip(part.made) {
            if let Ok(shard) = shard.get_mut() {
                shard.push(made);
            }
        }
    }
    let merged: Vec<Mutex<Vec<Node>>> = (0..shards).map(|_| Mutex::default()).collect();
    let merge_one = |ix: usize| {
        let made = by_shard[ix].lock().map(|mut s| std::mem::take(&mut *s)).unwrap_or_default();
        if let Ok(mut place) = merged[ix].lock() {
            *place = merge(made);
        }
    };
    crew.each(shards, &merge_one);
    let mut next = Vec::new();
    for shard in merged.into_iter().filter_map(|s| s.into_inner().ok()) {
        if next.is_empty() {
            next = shard;
        } else {
            next.extend(shard);
        }
    }
    next
}

fn expand_part(
    m: &Machine,
    limits: &Limits,
    layer: &[Node],
    range: std::ops::Range<usize>,
    shards: usize,
) -> Part {
    let mut part = Part { made: (0..shards).map(|_| Vec::new()).collect(), ..Part::default() };
    for ix in range {
        let node = &layer[ix];
        let mut any = false;
        for go in m.moves(&node.state) {
            any = true;
            part.steps += 1;
            let mut state = node.state.clone();
            m.advance(&mut state, go, limits, &mut ());
            symmetry::canonical(m, limits, &mut state);
            let hash = FxBuildHasher.hash_one(&state);
            let shard = (hash >> 32) as usize % shards;
            part.made[shard].push((hash, Node { state, parent: ix as u32, go, ways: node.ways }));
        }
        if !any && !m.is_over(&node.state) {
            part.stuck.push(ix as u32);
        }
    }
    part
}

/// One of each state; the ways to it add up.
fn merge(made: Made) -> Vec<Node> {
    let total = made.iter().map(Vec::len).sum();
    let mut seen: FxHashMap<u64, u32> = FxHashMap::with_capacity_and_hasher(total, FxBuildHasher);
    let mut nodes: Vec<Node> = Vec::with_capacity(total);
    for (mut hash, node) in made.into_iter().flatten() {
        loop {
            match seen.get(&hash) {
                Some(ix) if nodes[*ix as usize].state == node.state => {
                    let known = &mut nodes[*ix as usize];
                    known.ways = known.ways.saturating_add(node.ways);
                    break;
                }
                // Another state with the same hash: the next number is as good.
                Some(_) => hash = hash.wrapping_add(1),
                None => {
                    seen.insert(hash, nodes.len() as u32);
                    nodes.push(node);
                    break;
                }
            }
        }
    }
    nodes
}
