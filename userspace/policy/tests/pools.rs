//! Leaks among pools of every habit: found; pools alone: not a word. Each run is one of many that differ in chance only.

use std::collections::VecDeque;

use gemscope_policy::growth::{Growth, Survivors, default_warm_up, judge};

/// xorshift: the same numbers everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// What a pool gives back when it is full, or when an action ends.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Keeps everything; grows by demand, up to a cap.
    Keeps,
    /// Gives back the oldest.
    OldestFirst,
    /// Gives back the newest.
    NewestFirst,
    /// Gives back any.
    Any,
}

const HABITS: [Habit; 4] = [Habit::Keeps, Habit::OldestFirst, Habit::NewestFirst, Habit::Any];

/// One call site that serves a pool with a cap, and may lose one buffer every so many cycles.
fn run(habit: Habit, cap: u64, renew: u64, leak_every: u32, cycles: u32, chance: &mut Chance) -> Growth {
    let mut pool: VecDeque<u32> = VecDeque::new();
    let mut lost: Vec<u32> = Vec::new();
    let mut longest = 0;
    for cycle in 1..=cycles {
        // Another size of window, another client: so many buffers are renewed.
        for _ in 0..chance.below(renew + 1) {
            let gone = match habit {
                Habit::Keeps => None,
                Habit::OldestFirst => pool.pop_front(),
                Habit::NewestFirst => pool.pop_back(),
                Habit::Any => pool.remove(chance.below(pool.len() as u64) as usize),
            };
            if let Some(born) = gone {
                // Ages are those at marks: what goes in the cycle that it came in was never seen.
                longest = longest.max(cycle - born);
            }
        }
        let demand = chance.below(cap + 1);
        while (pool.len() as u64) < demand {
            pool.push_back(cycle);
        }
        if leak_every > 0 && cycle % leak_every == 0 {
            lost.push(cycle);
        }
    }
    let mut by_cycle: Vec<(u32, u64)> = pool.into_iter().chain(lost).map(|cycle| (cycle, 1)).collect();
    by_cycle.sort_unstable();
    by_cycle.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    judge(&Survivors { by_cycle, longest }, cycles, default_warm_up(cycles))
}

/// So many of a thousand runs were called a leak.
fn called(habit: Habit, cap: u64, renew: u64, leak_every: u32, cycles: u32) -> usize {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    (0..1000)
        .filter(|_| matches!(run(habit, cap, renew, leak_every, cycles, &mut chance), Growth::Steady(_)))
        .count()
}

#[test]
fn pools_are_no_leaks() {
    for habit in HABITS {
        for cap in [1, 4, 12, 40, 200] {
            for renew in [0, 1, 3] {
                for cycles in [12, 30, 60, 200] {
                    let wrong = called(habit, cap, renew, 0, cycles);
                    assert!(
                        wrong <= 5,
                        "{habit:?} cap {cap} renew {renew}: {wrong} of 1000 runs of {cycles} cycles"
                    );
                }
            }
        }
    }
}

#[test]
fn a_leak_beside_a_pool_is_found() {
    // The leak has a call site of its own.
    for cycles in [70, 140] {
        assert_eq!(called(Habit::Keeps, 0, 0, 7, cycles), 1000);
    }
    // It shares the call site of a pool that is filled or that is renewed quickly.
    for (habit, cap, renew) in [(Habit::Keeps, 12, 0), (Habit::OldestFirst, 4, 3)] {
        let found = called(habit, cap, renew, 7, 140);
        assert!(found >= 900, "{habit:?} cap {cap} renew {renew}: found in {found} of 1000 runs");
    }
}
