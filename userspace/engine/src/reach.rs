//! Processes: who is in the scope of the verdict, who inherited from whom, who died of a signal.

use gemscope_common::{COMM_LEN, kernel_str};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

use crate::view::ProcessView;

/// A process, as far as fork, exec and exit records tell.
#[derive(Clone)]
pub(crate) struct Process {
    pub parent: u32,
    /// Record position of its fork; 0 when older than the trace.
    pub forked: u64,
    pub in_scope: bool,
    /// Of a tree of the scope that was there before and goes on.
    pub watched: bool,
    pub comm: [u8; COMM_LEN],
    pub exit_code: Option<u32>,
}

impl Process {
    /// Does the verdict wait for its end?
    const fn awaited(&self) -> bool {
        self.in_scope && !self.watched
    }
}

/// All processes that matter.
#[derive(Clone, Default)]
pub(crate) struct Reach {
    processes: FxHashMap<u32, Process>,
    exited: VecDeque<u32>,
    /// `None`: no scope was set. `Some(0)`: the whole machine.
    root: Option<u32>,
    alive: u32,
}

impl Reach {
    /// Exited processes kept for attribution.
    const KEEP_EXITED: usize = 16384;

    pub fn set_scope(&mut self, root: u32, watched: bool) {
        // A tree that is watched beside the whole machine changes nothing.
        if self.root == Some(0) {
            return;
        }
        self.root = Some(root);
        if root != 0 {
            let process = self.process(root);
            if !process.in_scope {
                (process.in_scope, process.watched) = (true, watched);
                self.alive += u32::from(!watched);
            }
        }
    }

    /// Is it of the scope, and goes on whatever the command does? What it holds is no leak.
    pub fn goes_on(&self, tgid: u32) -> bool {
        self.processes.get(&tgid).is_some_and(|p| p.watched && p.exit_code.is_none())
    }

    fn process(&mut self, tgid: u32) -> &mut Process {
        self.processes.entry(tgid).or_insert(Process {
            parent: 0,
            forked: 0,
            in_scope: false,
            watched: false,
            comm: [0; COMM_LEN],
            exit_code: None,
        })
    }

    /// Is the verdict about this process? Without a scope, about every one.
    pub fn in_scope(&self, tgid: u32) -> bool {
        match self.root {
            None | Some(0) => true,
            Some(_) => self.processes.get(&tgid).is_some_and(|p| p.in_scope),
        }
    }

    pub fn fork(&mut self, seq: u64, parent: u32, child: u32, comm: [u8; COMM_LEN]) {
        let parents = self.processes.get(&parent).filter(|_| self.root.is_some_and(|r| r != 0));
        let (in_scope, watched) = parents.map_or((false, false), |p| (p.in_scope, p.watched));
        let process = Process { parent, forked: seq, in_scope, watched, comm, exit_code: None };
        let old = self.processes.insert(child, process);
        // A pid that comes again without a seen exit: the older process is gone.
        if old.is_some_and(|p| p.awaited() && p.exit_code.is_none()) {
            self.alive = self.alive.saturating_sub(1);
        }
        self.alive += u32::from(in_scope && !watched);
    }

    pub fn named(&mut self, tgid: u32, comm: [u8; COMM_LEN]) {
        self.process(tgid).comm = comm;
    }

    pub fn exit(&mut self, tgid: u32, code: u32) {
        let process = self.process(tgid);
        let was_alive = process.exit_code.replace(code).is_none();
        if process.awaited() && was_alive {
            self.alive = self.alive.saturating_sub(1);
        }
        self.exited.push_back(tgid);
        if self.exited.len() > Self::KEEP_EXITED
            && let Some(old) = self.exited.pop_front()
            && self.processes.get(&old).is_some_and(|p| p.exit_code.is_some())
        {
            self.processes.remove(&old);
        }
    }

    /// Did it die of a signal? `None` when its exit was not seen.
    pub fn killed(&self, tgid: u32) -> Option<bool> {
        Some(self.processes.get(&tgid)?.exit_code? & 0x7f != 0)
    }

    /// Is the process with this number still the one that had it when the trace began?
    pub fn is_from_before(&self, tgid: u32) -> bool {
        self.processes.get(&tgid).is_none_or(|p| p.forked == 0 && p.exit_code.is_none())
    }

    pub fn comm(&self, tgid: u32) -> Option<&[u8]> {
        let comm = kernel_str(&self.processes.get(&tgid)?.comm);
        (!comm.is_empty()).then_some(comm)
    }

    /// For those who show it.
    pub fn view(&self, tgid: u32) -> Option<ProcessView> {
        let p = self.processes.get(&tgid)?;
        Some(ProcessView { parent: p.parent, exit_code: p.exit_code, in_scope: p.in_scope })
    }

    /// For [`Engine::digest`](crate::Engine::digest): number, parent, exit code and whether in the scope.
    pub fn processes(&self) -> impl Iterator<Item = (u32, u32, Option<u32>, bool)> {
        self.processes.iter().map(|(tgid, p)| (*tgid, p.parent, p.exit_code, p.in_scope))
    }

    /// Processes of the command's tree that have not exited.
    pub const fn alive(&self) -> u32 {
        self.alive
    }

    /// Was `ancestor` at record position `seq` a forebear of `tgid`, so that what it held then was inherited?
    pub fn inherits(&self, mut tgid: u32, ancestor: u32, seq: u64) -> bool {
        for _ in 0..64 {
            let Some(p) = self.processes.get(&tgid) else { return false };
            if p.forked == 0 {
                // Older than the trace: its parent is not known, and neither is what it inherited.
                return false;
            }
            if p.forked < seq {
                return false;
            }
            if p.parent == ancestor {
                return true;
            }
            tgid = p.parent;
        }
        false
    }
}
