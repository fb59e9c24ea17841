//! Completes what the BPF programs leave out because an earlier record of the same thread has it: the arguments of a
//! return ([`ProbeId::is_joined`]), and the stacks of a call within another ([`ProbeId::within`]).
//!
//! It sees every record in the ring's order, so a call's entry comes before its return. Where one was lost, nothing is
//! made up: after a loss all that was open is forgotten.

use gemscope_common::{Flags, Phase, ProbeId, Record};
use rustc_hash::FxHashMap;

/// Calls that may be open at a time. Only returns that were lost leave any behind.
const LIMIT: usize = 1 << 16;

/// The calls that are open.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    open: FxHashMap<(u32, u16), Record>,
    drops: u64,
}

impl Joiner {
    /// Completes one record.
    pub(crate) fn see(&mut self, record: &mut Record) {
        let header = &record.header;
        let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else { return };
        if header.drops != self.drops {
            self.drops = header.drops;
            self.open.clear();
        }
        let key = (header.tid, header.probe);
        match phase {
            Phase::Entry => {
                self.give_stacks(probe, record);
                if probe.is_joined() || probe.gives_stacks() {
                    if self.open.len() == LIMIT {
                        self.open.clear();
                    }
                    self.open.insert(key, *record);
                }
            }
            Phase::Return if probe.is_joined() || probe.gives_stacks() => {
                let entry = self.open.remove(&key);
                if let Some(entry) = entry.filter(|_| header.flags & Flags::NO_ARGS != 0 && probe.is_joined())
                {
                    complete(record, &entry);
                }
            }
            Phase::Return | Phase::Point => {}
        }
    }

    /// A call within another has the stacks that were taken there.
    fn give_stacks(&self, probe: ProbeId, record: &mut Record) {
        let header = &mut record.header;
        if header.kstack != Record::NO_STACK || header.ustack != Record::NO_STACK {
            return;
        }
        let tid = header.tid;
        let outer =
            probe.within().into_iter().flatten().find_map(|outer| self.open.get(&(tid, outer as u16)));
        if let Some(outer) = outer {
            (header.kstack, header.ustack) = (outer.header.kstack, outer.header.ustack);
        }
    }
}

/// What a return tells is zero at the entry, and what it does not tell is zero in it.
fn complete(record: &mut Record, entry: &Record) {
    for (word, argument) in record.words_mut().iter_mut().zip(entry.words()) {
        *word |= argument;
    }
    record.header.flags &= !Flags::NO_ARGS;
    // The task is the same.
    record.header.flags |= entry.header.flags & (Flags::READ_FAULT | Flags::KTHREAD | Flags::EXITING);
}

#[cfg(test)]
mod tests {
    use gemscope_common::{Gem, Prime};

    use super::*;

    fn record<P: gemscope_common::Payload>(probe: ProbeId, phase: Phase, tid: u32, payload: &P) -> Record {
        let mut record = Record::new(probe, phase, payload);
        record.header.tid = tid;
        if phase == Phase::Return && probe.is_joined() {
            record.header.flags = Flags::NO_ARGS;
        }
        record
    }

    fn seen(joiner: &mut Joiner, mut record: Record) -> Record {
        joiner.see(&mut record);
        record
    }

    const OBJECT: Gem = Gem {
        file: 1,
        obj: 2,
        dev: 3,
        dma_buf: 4,
        import_attach: 5,
        size: 6,
        handle_count: 7,
        name: 8,
        refcount: 9,
        handle: 10,
    };

    #[test]
    fn a_return_has_its_threads_arguments() {
        let mut joiner = Joiner::default();
        let other = Gem { obj: 99, ..OBJECT };
        joiner.see(&mut record(ProbeId::HandlePut, Phase::Entry, 1, &OBJECT));
        joiner.see(&mut record(ProbeId::HandlePut, Phase::Entry, 2, &other));
        let back = seen(&mut joiner, record(ProbeId::HandlePut, Phase::Return, 1, &Gem::default()));
        assert_eq!((back.payload::<Gem>(), back.header.flags), (&OBJECT, 0));
        let back = seen(&mut joiner, record(ProbeId::HandlePut, Phase::Return, 2, &Gem::default()));
        assert_eq!(back.payload::<Gem>(), &other);
        // Once.
        let back = seen(&mut joiner, record(ProbeId::HandlePut, Phase::Return, 2, &Gem::default()));
        assert_eq!((back.payload::<Gem>(), back.header.flags), (&Gem::default(), Flags::NO_ARGS));
    }

    #[test]
    fn what_the_return_tells_is_kept() {
        let mut joiner = Joiner::default();
        let entry = Prime { file: 1, dev: 2, handle: 3, flags: 4, fd: -1, ..Prime::default() };
        let mut faulty = record(ProbeId::ExportToDmabuf, Phase::Entry, 1, &entry);
        faulty.header.flags = Flags::READ_FAULT | Flags::KTHREAD;
        joiner.see(&mut faulty);
        let result = Prime { dma_buf: 5, ino: 6, fd: -1, ..Prime::default() };
        let back = seen(&mut joiner, record(ProbeId::ExportToDmabuf, Phase::Return, 1, &result));
        assert_eq!(back.payload::<Prime>(), &Prime { dma_buf: 5, ino: 6, ..entry });
        assert_eq!(back.header.flags, Flags::READ_FAULT | Flags::KTHREAD);
    }

    #[test]
    fn a_return_that_has_its_arguments_is_left_alone() {
        let mut joiner = Joiner::default();
        joiner.see(&mut record(ProbeId::HandlePut, Phase::Entry, 1, &OBJECT));
        let mut whole = record(ProbeId::HandlePut, Phase::Return, 1, &Gem { handle_count: 0x100, ..OBJECT });
        whole.header.flags = 0;
        joiner.see(&mut whole);
        assert_eq!(whole.payload::<Gem>().handle_count, 0x100);
    }

    #[test]
    fn nothing_is_made_up_after_a_loss() {
        let mut joiner = Joiner::default();
        joiner.see(&mut record(ProbeId::HandlePut, Phase::Entry, 1, &OBJECT));
        let mut late = record(ProbeId::HandlePut, Phase::Return, 1, &Gem::default());
        late.header.drops = 1;
        let back = seen(&mut joiner, late);
        assert_eq!((back.payload::<Gem>(), back.header.flags), (&Gem::default(), Flags::NO_ARGS));
    }

    #[test]
    fn a_call_within_another_has_its_stacks() {
        let mut joiner = Joiner::default();
        let mut outer = record(ProbeId::ExportIoctl, Phase::Entry, 1, &Prime::default());
        (outer.header.kstack, outer.header.ustack) = (11, 12);
        joiner.see(&mut outer);
        let stacks = |r: &Record| (r.header.kstack, r.header.ustack);
        for probe in [ProbeId::ExportToFd, ProbeId::ExportToDmabuf] {
            let inner = seen(&mut joiner, record(probe, Phase::Entry, 1, &Prime::default()));
            assert_eq!(stacks(&inner), (11, 12), "{probe:?}");
        }
        // Not another thread's, not another call's, and not when it is over.
        let strange = seen(&mut joiner, record(ProbeId::ExportToFd, Phase::Entry, 2, &Prime::default()));
        assert_eq!(stacks(&strange), (-1, -1));
        let strange = seen(&mut joiner, record(ProbeId::HandleCreate, Phase::Entry, 1, &Gem::default()));
        assert_eq!(stacks(&strange), (-1, -1));
        for probe in [ProbeId::ExportToDmabuf, ProbeId::ExportToFd, ProbeId::ExportIoctl] {
            joiner.see(&mut record(probe, Phase::Return, 1, &Prime::default()));
        }
        let after = seen(&mut joiner, record(ProbeId::ExportToFd, Phase::Entry, 1, &Prime::default()));
        assert_eq!(stacks(&after), (-1, -1));
    }

    #[test]
    fn what_is_left_open_does_not_grow_for_ever() {
        let mut joiner = Joiner::default();
        for tid in 0..2 * LIMIT as u32 + 5 {
            joiner.see(&mut record(ProbeId::HandlePut, Phase::Entry, tid, &OBJECT));
        }
        assert!(joiner.open.len() <= LIMIT);
    }

    #[test]
    fn only_calls_with_two_ends_are_joined() {
        for probe in ProbeId::ALL.iter().filter(|probe| probe.is_joined()) {
            let row = gemscope_probes::catalogue::rows().find(|row| row.id == *probe);
            let row = row.unwrap_or_else(|| panic!("{probe:?} is in no catalogue"));
            assert_eq!(row.emits, gemscope_probes::catalogue::Emits::Bracket, "{probe:?}");
        }
    }
}
