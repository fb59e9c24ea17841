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

/// A state that was made.
pub(super) struct Arrival {
    pub hash: u64,
    /// Where it lies among the bytes of who made it.
    pub bytes: Range<u32>,
    pub parent: u32,
    pub go: Move,
}

/// The states of a shard.
#[derive(Default)]
pub(super) struct Pile {
    states: Packed,
    /// Where each came from: a place in the layer before.
    parents: Vec<(u32, Move)>,
    /// Ways to each.
    ways: Vec<u128>,
    table: Table,
    /// Those where something is wrong.
    remarkable: Vec<u32>,
    /// How many are at the end of everything.
    pub ends: u64,
    /// How many of those have something wrong.
    pub bad_ends: u64,
    over: Vec<u32>,
    /// Only known of a pile that is complete.
    pub ways_to_ends: u128,
}

impl Pile {
    /// The pile with nothing but the beginning.
    pub fn of(m: &Machine, state: &Kernel) -> Self {
        let mut bytes = Vec::new();
        state.pack(&mut bytes);
        let first =
            Arrival { hash: hash(&bytes), bytes: 0..bytes.len() as u32, parent: 0, go: Move::default() };
        let mut pile = Self::default();
        pile.take(m, &[first], &bytes, |_| 1);
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

    pub fn parent(&self, ix: usize) -> (u32, Move) {
        self.parents[ix]
    }

    pub fn come_from(&self) -> impl Iterator<Item = (u32, Move)> {
        self.parents.iter().copied()
    }

    /// The states where something is wrong.
    pub fn remarkable(&self) -> impl Iterator<Item = usize> {
        self.remarkable.iter().map(|ix| *ix as usize)
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        self.states.bytes()
            + self.parents.capacity() * size_of::<(u32, Move)>()
            + self.ways.capacity() * size_of::<u128>()
            + self.table.slots.capacity() * size_of::<u64>()
            + (self.remarkable.capacity() + self.over.capacity()) * size_of::<u32>()
    }

    /// Takes up what is new; the ways to what is not add up.
    pub fn take(&mut self, m: &Machine, arrivals: &[Arrival], bytes: &[u8], ways: impl Fn(u32) -> u128) {
        for Arrival { hash, bytes: range, parent, go } in arrivals {
            let state = &bytes[range.start as usize..range.end as usize];
            let ways = ways(*parent);
            let at = self
                .table
                .find_or_add(*hash, self.len() as u32, |known| self.states.get(known as usize) == state);
            if let Some(known) = at {
                let sum = &mut self.ways[known as usize];
                *sum = sum.saturating_add(ways);
                continue;
            }
            let wrong = facts_of(state).next().is_some();
            if wrong {
                self.remarkable.push(self.len() as u32);
            }
            if m.ends_with(phase_of(state)) {
                self.ends += 1;
                self.bad_ends += u64::from(wrong);
                self.over.push(self.len() as u32);
            }
            self.states.push(state);
            self.parents.push((*parent, *go));
            self.ways.push(ways);
        }
        self.ways_to_ends = self.over.iter().fold(0, |sum, ix| sum.saturating_add(self.ways[*ix as usize]));
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
