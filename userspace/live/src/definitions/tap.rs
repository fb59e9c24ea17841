//! The reader's side: notices what is new in a record, and passes it on without waiting.

use std::sync::mpsc::{self, Receiver, SyncSender};

use gemscope_common::{COMM_LEN, Flags, ProbeId, Process, Record};
use rustc_hash::{FxHashMap, FxHashSet};

/// New things that may wait for the thread of symbols. It holds what a burst of a thousand new stacks needs.
pub(super) const WAITING: usize = 65_536;

/// Something that a record shows for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Fork { parent: u32, child: u32, comm: [u8; COMM_LEN], ts_ns: u64 },
    Exec { tgid: u32, comm: [u8; COMM_LEN] },
    Exit { tgid: u32 },
    Process { tgid: u32 },
    KernelStack { id: i32 },
    UserStack { id: i32, tgid: u32 },
}

/// Sees every record.
#[derive(Debug)]
pub(crate) struct Tap {
    sender: SyncSender<Sight>,
    kernel: FxHashSet<i32>,
    processes: FxHashMap<u32, FxHashSet<i32>>,
}

pub(super) fn channel() -> (Tap, Receiver<Sight>) {
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    (Tap { sender, kernel: FxHashSet::default(), processes: FxHashMap::default() }, receiver)
}

impl Tap {
    /// Looks at one record.
    pub(crate) fn see(&mut self, record: &Record) {
        let header = &record.header;
        let tgid = header.tgid;
        match record.probe() {
            Some(ProbeId::Fork) => {
                let Process { child_tgid: child, comm, .. } = *record.payload();
                self.processes.remove(&child);
                self.tell(Sight::Fork { parent: tgid, child, comm, ts_ns: header.ts_ns });
                return;
            }
            Some(ProbeId::Exec) => {
                let Process { comm, .. } = *record.payload();
                // What was mapped is gone; that the process is known stays.
                if let Some(stacks) = self.processes.get_mut(&tgid) {
                    stacks.clear();
                }
                self.tell(Sight::Exec { tgid, comm });
                return;
            }
            Some(ProbeId::Exit) => {
                self.processes.remove(&tgid);
                self.tell(Sight::Exit { tgid });
                return;
            }
            _ => {}
        }
        if !self.processes.contains_key(&tgid) && self.tell(Sight::Process { tgid }) {
            self.processes.insert(tgid, FxHashSet::default());
        }
        if header.kstack >= 0
            && !self.kernel.contains(&header.kstack)
            && self.tell(Sight::KernelStack { id: header.kstack })
        {
            self.kernel.insert(header.kstack);
        }
        let id = header.ustack;
        if id >= 0 && header.flags & Flags::KTHREAD == 0 {
            let known = self.processes.get(&tgid).is_some_and(|stacks| stacks.contains(&id));
            if !known && self.tell(Sight::UserStack { id, tgid }) {
                self.processes.entry(tgid).or_default().insert(id);
            }
        }
    }

    /// False when there is no room now: it is tried again at the next record that shows it.
    fn tell(&self, sight: Sight) -> bool {
        self.sender.try_send(sight).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use gemscope_common::{Gem, Phase};

    use super::*;

    fn record(tgid: u32, kstack: i32, ustack: i32) -> Record {
        let mut record = Record::new(ProbeId::HandleCreate, Phase::Entry, &Gem::default());
        record.header.tgid = tgid;
        record.header.kstack = kstack;
        record.header.ustack = ustack;
        record
    }

    #[test]
    fn everything_is_told_once_until_the_process_changes() {
        let (mut tap, sighted) = channel();
        tap.see(&record(7, 1, 2));
        tap.see(&record(7, 1, 2));
        tap.see(&record(8, 1, 2));
        let seen: Vec<_> = sighted.try_iter().collect();
        assert_eq!(
            seen,
            [
                Sight::Process { tgid: 7 },
                Sight::KernelStack { id: 1 },
                Sight::UserStack { id: 2, tgid: 7 },
                Sight::Process { tgid: 8 },
                Sight::UserStack { id: 2, tgid: 8 },
            ]
        );
        let mut exec = Record::new(ProbeId::Exec, Phase::Point, &Process::default());
        exec.header.tgid = 7;
        tap.see(&exec);
        tap.see(&record(7, -14, 2));
        let seen: Vec<_> = sighted.try_iter().collect();
        assert_eq!(seen, [Sight::Exec { tgid: 7, comm: [0; COMM_LEN] }, Sight::UserStack { id: 2, tgid: 7 }]);
    }
}
