//! States of one shard of a layer, each once.

use std::ops::Range;

use super::Move;
use crate::machine::Machine;
use crate::pack::{facts_of, hash, phase_of};
use crate::state::Kernel;

/// States packed one behind the other.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packed {
    fn get(&self, ix: usize) -> &[u8] {
        let from = match ix {
            0 => 0,
            _ => self.ends[ix - 1],
        };
        &self.bytes[from..self.ends[ix]]
    }

    fn push(&mut self, state: &[u8]) {
        self.bytes.extend_from_slice(state);
        self.ends.push(self.bytes.len());
    }

    fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Where a state came from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct From {
    /// A place in an earlier layer.
    pub parent: u32,
    pub go: Move,
    /// How many layers earlier.
    pub steps: u16,
}

/// A state that was made.
pub(super) struct Arrival {
    pub hash: u64,
    /// Where it lies among the bytes of who made it.
    pub bytes: Range<u32>,
    pub from: From,
}

/// The states of a shard.
#[derive(Default)]
pub(super) struct Pile {
    states: Packed,
    parents: Vec<From>,
    /// Ways to each.
    ways: Vec<u128>,
    table: Table,
    /// Those where something is wrong.
    remarkable: Vec<u32>,
    /// Those at the end of everything.
    over: Vec<u32>,
    /// How many of those have something wrong.
    pub bad_ends: u64,
}

impl Pile {
    /// The pile with nothing but the beginning.
    pub fn of(m: &Machine, state: &Kernel) -> Self {
        let mut bytes = Vec::new();
        state.pack(&mut bytes);
        let first = Arrival { hash: hash(&bytes), bytes: 0..bytes.len() as u32, from: From::default() };
        let mut pile = Self::default();
        pile.take(m, &first, &bytes, 1);
        pile
    }

    pub fn len(&self) -> usize {
        self.parents.len()
    }

    pub fn state(&self, ix: usize) -> &[u8] {
        self.states.get(ix)
    }

    pub fn ways(&self, ix: usize) -> u128 {
        self.ways[ix]
    }

    pub fn from(&self, ix: usize) -> From {
        self.parents[ix]
    }

    pub fn come_from(&self) -> impl Iterator<Item = From> {
        self.parents.iter().copied()
    }

    /// The states where something is wrong.
    pub fn remarkable(&self) -> impl Iterator<Item = usize> {
        self.remarkable.iter().map(|ix| *ix as usize)
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        self.states.bytes()
            + self.parents.capacity() * size_of::<From>()
            + self.ways.capacity() * size_of::<u128>()
            + self.table.slots.capacity() * size_of::<u64>()
            + (self.remarkable.capacity() + self.over.capacity()) * size_of::<u32>()
    }

    /// Takes up a state if it is new; the ways to one that is not add up.
    pub fn take(&mut self, m: &Machine, arrival: &Arrival, bytes: &[u8], ways: u128) {
        let Arrival { hash, bytes: range, from } = arrival;
        let state = &bytes[range.start as usize..range.end as usize];
        let new = self.len() as u32;
        let same = |known: u32| self.states.get(known as usize) == state;
        if let Some(known) = self.table.find_or_add(*hash, new, same) {
            let sum = &mut self.ways[known as usize];
            *sum = sum.saturating_add(ways);
            return;
        }
        let wrong = facts_of(state).next().is_some();
        if wrong {
            self.remarkable.push(new);
        }
        if m.ends_with(phase_of(state)) {
            self.over.push(new);
            self.bad_ends += u64::from(wrong);
        }
        self.states.push(state);
        self.parents.push(*from);
        self.ways.push(ways);
    }

    /// How many are at the end of everything.
    pub fn ends(&self) -> u64 {
        self.over.len() as u64
    }

    /// The ways to those.
    pub fn ways_to_ends(&self) -> u128 {
        self.over.iter().fold(0, |sum, ix| sum.saturating_add(self.ways[*ix as usize]))
    }
}

/// Finds a state by its hash.
#[derive(Default)]
struct Table {
    /// Half of the hash and, from 1, the place; 0 is free.
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    const LEAST: usize = 64;

    /// The state that `same` says is the one, or nothing: then `new` is the one from now on.
    fn find_or_add(&mut self, hash: u64, new: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let half = hash >> 32;
        let mut at = half as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                self.slots[at] = half << 32 | (u64::from(new) + 1);
                self.used += 1;
                return None;
            }
            let known = slot as u32 - 1;
            if slot >> 32 == half && same(known) {
                return Some(known);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(Self::LEAST);
        let old = std::mem::replace(&mut self.slots, vec![0; len]);
        for slot in old.into_iter().filter(|s| *s != 0) {
            let mut at = (slot >> 32) as usize & (len - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = slot;
        }
    }
}
