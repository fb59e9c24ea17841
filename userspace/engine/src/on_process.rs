//! Processes, and the records that user space makes.

use gemscope_common::{Missed, ProbeId, Process, Record, Scope, SeenFd, Settle, kernel_str};

use crate::engine::Engine;
use crate::finding::{Doubt, Stamp};

impl Engine {
    pub(crate) fn on_process(&mut self, probe: ProbeId, record: &Record, at: Stamp) {
        let p: &Process = record.payload();
        if self.config.midway && probe == ProbeId::Fork {
            self.threads.born(p.child_tid, self.state.epoch);
        }
        match probe {
            // A thread of the same process changes nothing here.
            ProbeId::Fork if p.child_tgid != at.tgid => {
                self.reach.fork(at.seq, at.tgid, p.child_tgid, p.comm)
            }
            ProbeId::Exec => self.reach.named(at.tgid, p.comm),
            ProbeId::Exit if p.last_thread != 0 => {
                // A process may have given itself another name meanwhile; another thread's name is not the process's.
                if at.tid == at.tgid && !kernel_str(&p.comm).is_empty() {
                    self.reach.named(at.tgid, p.comm);
                }
                self.reach.exit(at.tgid, p.exit_code);
            }
            _ => {}
        }
    }

    pub(crate) fn on_synthetic(&mut self, probe: ProbeId, record: &Record, at: Stamp) {
        match probe {
            ProbeId::Scope => {
                let p: &Scope = record.payload();
                self.reach.set_scope(p.root_tgid, p.watched != 0);
                self.at_exit = self.config.at_exit.unwrap_or(p.at_exit);
            }
            ProbeId::SeenFd => {
                let p: &SeenFd = record.payload();
                self.seen.take(p);
            }
            ProbeId::Missed => {
                let p: &Missed = record.payload();
                if p.count > 0 {
                    self.doubt(Doubt::Missed(p.probe, p.count));
                    self.missed();
                }
            }
            ProbeId::Settle => {
                let p: &Settle = record.payload();
                self.note_drops(p.drops);
                self.settle(p, at);
            }
            _ => {}
        }
    }
}
