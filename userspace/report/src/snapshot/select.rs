//! What of a snapshot is shown, and in which order.

use std::cmp::Reverse;

use super::model::{Process, Snapshot};

/// The order of dma-bufs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// the biggest first
    #[default]
    Size,
    /// those that most processes hold first
    Holders,
    /// the oldest first: inode numbers only rise
    Inode,
}

/// What is asked for. Without anything it is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// only what these processes have
    pub pids: Vec<u32>,
    /// only what processes of these names have
    pub comms: Vec<String>,
    /// the order
    pub sort: Sort,
}

impl Selection {
    /// Is this process asked for?
    fn wants(&self, pid: u32, comm: &str) -> bool {
        self.is_everything() || self.pids.contains(&pid) || self.comms.iter().any(|c| c == comm)
    }

    fn is_everything(&self) -> bool {
        self.pids.is_empty() && self.comms.is_empty()
    }

    /// Narrows and sorts. Of a dma-buf that stays all holders stay: who else has it is the question.
    pub fn apply(&self, snapshot: &mut Snapshot) {
        if !self.is_everything() {
            let pids = self.pids.iter().map(|p| format!("--pid {p}"));
            snapshot.header.filters = pids.chain(self.comms.iter().map(|c| format!("--comm {c}"))).collect();
            snapshot.buffers.retain(|b| b.holders.iter().any(|h| self.wants(h.pid, &h.process)));
            snapshot.clients.retain(|c| c.users.iter().any(|u| self.wants(u.pid, &u.process)));
            let still_told = |p: &Process| {
                let holds = snapshot.buffers.iter().flat_map(|b| &b.holders).any(|h| h.pid == p.pid);
                holds || snapshot.clients.iter().flat_map(|c| &c.users).any(|u| u.pid == p.pid)
            };
            let processes = std::mem::take(&mut snapshot.processes);
            let processes = processes.into_iter().filter(|p| self.wants(p.pid, &p.process) || still_told(p));
            snapshot.processes = processes.collect();
        }
        let processes = |b: &super::Buffer| b.holders.iter().filter(|h| h.holds()).count();
        match self.sort {
            Sort::Size => snapshot.buffers.sort_by_key(|b| (Reverse(b.bytes), b.inode)),
            Sort::Holders => {
                snapshot.buffers.sort_by_key(|b| (Reverse(processes(b)), Reverse(b.bytes), b.inode));
            }
            Sort::Inode => snapshot.buffers.sort_by_key(|b| b.inode),
        }
    }
}
