//! A state as bytes: as short as it is, compared at once, hashed word by word.
//!
//! An exploration keeps states only like this; what is kept is what must be remembered of a state, no more.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::list::{List, Plain};
use crate::state::{Kernel, MAX_DEVICES};
use crate::truth::Fact;

const LISTS: usize = 14;

/// How a packed state begins. The lists follow, facts first.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Head {
    /// Of each list.
    lens: [u16; LISTS],
    phase: u16,
    born_objs: u16,
    born_bufs: u16,
    names: u16,
    name_locks: [u8; MAX_DEVICES],
}

impl Kernel {
    /// Appends the state, padded to whole words.
    pub(crate) fn pack(&self, out: &mut Vec<u8>) {
        let Self {
            objs,
            bufs,
            files,
            handles,
            cache,
            permits,
            fds,
            attaches,
            maps,
            fbs,
            vmas,
            threads,
            facts,
            vars,
            name_locks,
            born_objs,
            born_bufs,
            names,
            phase,
        } = self;
        let lists: [(&[u8], usize); LISTS] = [
            (facts.as_bytes(), facts.len()),
            (threads.as_bytes(), threads.len()),
            (objs.as_bytes(), objs.len()),
            (bufs.as_bytes(), bufs.len()),
            (files.as_bytes(), files.len()),
            (handles.as_bytes(), handles.len()),
            (cache.as_bytes(), cache.len()),
            (permits.as_bytes(), permits.len()),
            (fds.as_bytes(), fds.len()),
            (attaches.as_bytes(), attaches.len()),
            (maps.as_bytes(), maps.len()),
            (fbs.as_bytes(), fbs.len()),
            (vmas.as_bytes(), vmas.len()),
            (vars.as_bytes(), vars.len()),
        ];
        let head = Head {
            lens: lists.map(|(_, len)| len as u16),
            phase: *phase,
            born_objs: *born_objs,
            born_bufs: *born_bufs,
            names: *names,
            name_locks: *name_locks,
        };
        out.extend_from_slice(head.as_bytes());
        for (bytes, _) in lists {
            out.extend_from_slice(bytes);
        }
        out.resize(out.len().next_multiple_of(8), 0);
    }

    /// Becomes the state that was packed.
    pub(crate) fn unpack(&mut self, packed: &[u8]) {
        let Ok((head, rest)) = Head::read_from_prefix(packed) else { return };
        let Head { lens, phase, born_objs, born_bufs, names, name_locks } = head;
        (self.phase, self.born_objs, self.born_bufs) = (phase, born_objs, born_bufs);
        (self.names, self.name_locks) = (names, name_locks);
        let mut rest = Rest { lens: lens.iter(), rest };
        rest.take(&mut self.facts);
        rest.take(&mut self.threads);
        rest.take(&mut self.objs);
        rest.take(&mut self.bufs);
        rest.take(&mut self.files);
        rest.take(&mut self.handles);
        rest.take(&mut self.cache);
        rest.take(&mut self.permits);
        rest.take(&mut self.fds);
        rest.take(&mut self.attaches);
        rest.take(&mut self.maps);
        rest.take(&mut self.fbs);
        rest.take(&mut self.vmas);
        rest.take(&mut self.vars);
    }
}

struct Rest<'a> {
    lens: std::slice::Iter<'a, u16>,
    rest: &'a [u8],
}

impl Rest<'_> {
    fn take<T: Plain, const N: usize>(&mut self, list: &mut List<T, N>) {
        self.rest = list.fill(self.lens.next().copied().unwrap_or(0), self.rest);
    }
}

/// Which part of the scenario runs in a packed state.
pub(crate) fn phase_of(packed: &[u8]) -> u16 {
    Head::read_from_prefix(packed).map_or(u16::MAX, |(head, _)| head.phase)
}

/// What is wrong in a packed state.
pub(crate) fn facts_of(packed: &[u8]) -> impl Iterator<Item = Fact> {
    let head = Head::read_from_prefix(packed);
    let (facts, rest) = head.map_or((0, packed), |(head, rest)| (usize::from(head.lens[0]), rest));
    rest.chunks_exact(size_of::<Fact>()).take(facts).filter_map(|fact| Fact::read_from_bytes(fact).ok())
}

/// Two words at a time, each pair folded into one of two lanes.
pub(crate) fn hash(packed: &[u8]) -> u64 {
    // Digits of pi: odd, and without a pattern.
    const A: u64 = 0x243f_6a88_85a3_08d3;
    const B: u64 = 0x1319_8a2e_0370_7345;
    let fold = |x: u64, y: u64| {
        let product = u128::from(x) * u128::from(y);
        product as u64 ^ (product >> 64) as u64
    };
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    let (mut one, mut two) = (A ^ packed.len() as u64, B);
    let mut chunks = packed.chunks_exact(32);
    for c in &mut chunks {
        one = fold(one ^ word(c), A ^ word(&c[8..]));
        two = fold(two ^ word(&c[16..]), B ^ word(&c[24..]));
    }
    for c in chunks.remainder().chunks(8) {
        one = fold(one ^ word(c), A);
    }
    fold(one ^ A, two ^ B)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::BUILTIN;
    use crate::{Era, Scenario};

    /// Every state on one way through every scenario comes back as it was.
    #[test]
    fn a_packed_state_is_the_state() {
        for (name, text) in BUILTIN {
            let m =
                Scenario::parse(text).expect(name).machine(Era::of(gemscope_common::Profile::V7_0), false);
            let (mut k, mut back) = (m.start(), Kernel::default());
            while let Some(go) = m.moves(&k).last() {
                m.step(&mut k, usize::from(go.thread), usize::from(go.choice), &mut ());
                let mut packed = Vec::new();
                k.pack(&mut packed);
                back.unpack(&packed);
                assert_eq!(back, k, "{name}");
                assert!(facts_of(&packed).eq(k.facts.iter().copied()), "{name}");
                assert_eq!(phase_of(&packed), k.phase, "{name}");
            }
        }
    }
}
