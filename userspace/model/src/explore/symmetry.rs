//! Threads with the same program and process are interchangeable: of all states that differ only in which of them is
//! where, one stands for all.

use zerocopy::IntoBytes as _;

use super::Limits;
use crate::machine::Machine;
use crate::state::Kernel;

/// Are there interchangeable threads?
pub(super) fn applies(m: &Machine, limits: &Limits) -> bool {
    limits.symmetry && m.threads.windows(2).any(|w| w[0].class == w[1].class)
}

/// Puts interchangeable threads in order. Gives back where each thread came from.
pub(super) fn canonical(m: &Machine, limits: &Limits, k: &mut Kernel) -> Option<Vec<usize>> {
    if !applies(m, limits) {
        return None;
    }
    // Copies stand next to each other.
    let mut from: Vec<usize> = (0..k.threads.len()).collect();
    let mut begin = 0;
    for of_class in m.threads.chunk_by(|a, b| a.class == b.class) {
        let range = begin + 1..begin + 1 + of_class.len();
        begin += of_class.len();
        // Whoever holds a lock is told by the lock, so that the order must look at that too.
        let key = |t: &usize| (k.threads[*t], holds(k, *t));
        from[range].sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.as_bytes().cmp(b.0.as_bytes()).then(a.1.cmp(&b.1))
        });
    }
    if from.iter().enumerate().all(|(ix, t)| ix == *t) {
        return None;
    }
    let threads: Vec<_> = from.iter().map(|t| k.threads[*t]).collect();
    k.threads.copy_from_slice(&threads);
    let renamed = |who: u8| match usize::from(who).checked_sub(1) {
        Some(old) => from.iter().position(|t| *t == old).map_or(who, |new| new as u8 + 1),
        None => 0,
    };
    k.files.iter_mut().for_each(|f| f.prime = renamed(f.prime));
    k.bufs.iter_mut().for_each(|b| b.resv = renamed(b.resv));
    k.name_locks.iter_mut().for_each(|l| *l = renamed(*l));
    Some(from)
}

/// The locks that a thread holds, as bits.
pub(super) fn holds(k: &Kernel, t: usize) -> u64 {
    let who = t as u8 + 1;
    let locks = k.files.iter().map(|f| f.prime).chain(k.bufs.iter().map(|b| b.resv)).chain(k.name_locks);
    locks.enumerate().filter(|(_, l)| *l == who).map(|(ix, _)| 1 << (ix & 0x3f)).sum()
}
