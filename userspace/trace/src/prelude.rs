//! What a trace that begins in mid-run has to say first, as records: which processes of the scope live, and which hits were missed.
//!
//! Forks and exits that are let go of are summed up here. Nobody can make them up for later: a process that no record
//! puts into the scope is a stranger to every rule.

use std::collections::BTreeMap;

use gemscope_common::{COMM_LEN, Missed, Phase, ProbeId, Process, Record, Scope};

/// The scope and its processes, as of a place in the trace.
#[derive(Clone, Debug, Default)]
pub struct Prelude {
    scope: Option<Scope>,
    /// who recorded: the tid and tgid of records of user space
    recorder: (u32, u32),
    /// live processes of the scope
    members: BTreeMap<u32, [u8; COMM_LEN]>,
    /// how the root of the scope ended, if it has
    root_exit: Option<u32>,
    /// how often which probe missed a hit, and why: told once, and true of everything
    missed: BTreeMap<(u16, u8, u8), Missed>,
}

impl Prelude {
    /// Does this record say something that a later beginning has to say again?
    #[must_use]
    pub fn wants(record: &Record) -> bool {
        let child = || record.payload::<Process>().child_tgid != record.header.tgid;
        match record.probe() {
            Some(ProbeId::Scope | ProbeId::Exec | ProbeId::Missed) => true,
            Some(ProbeId::Fork) => child(),
            Some(ProbeId::Exit) => record.payload::<Process>().last_thread != 0,
            _ => false,
        }
    }

    /// The trace begins after this record.
    pub fn apply(&mut self, record: &Record) {
        let tgid = record.header.tgid;
        match record.probe().filter(|_| Self::wants(record)) {
            Some(ProbeId::Scope) => {
                let scope: Scope = *record.payload();
                self.recorder = (record.header.tid, record.header.tgid);
                self.scope = Some(scope);
                if scope.root_tgid != 0 {
                    self.members.entry(scope.root_tgid).or_default();
                }
            }
            Some(ProbeId::Fork) => {
                let Process { child_tgid, comm, .. } = *record.payload();
                if self.members.contains_key(&tgid) {
                    self.members.insert(child_tgid, comm);
                } else {
                    // The number of a process whose exit went unseen has come again.
                    self.members.remove(&child_tgid);
                }
            }
            Some(ProbeId::Exec) => {
                if let Some(comm) = self.members.get_mut(&tgid) {
                    *comm = record.payload::<Process>().comm;
                }
            }
            Some(ProbeId::Exit) => {
                let exit_code = record.payload::<Process>().exit_code;
                let was_member = self.members.remove(&tgid).is_some();
                if was_member && self.scope.is_some_and(|s| s.root_tgid == tgid) {
                    self.root_exit = Some(exit_code);
                }
            }
            Some(ProbeId::Missed) => {
                let missed: Missed = *record.payload();
                self.recorder = (record.header.tid, tgid);
                self.missed.insert((missed.probe, missed.phase, missed.kind), missed);
            }
            _ => {}
        }
    }

    /// The records to begin with, at this time and with this many drops counted: every live process of the scope is made
    /// part of it, the root last, because that is what the scope is called by.
    #[must_use]
    pub fn records(&self, ts_ns: u64, drops: u64) -> Vec<Record> {
        let mut records = Vec::with_capacity(2 * self.members.len() + self.missed.len() + 2);
        let mut push = |mut record: Record, (tid, tgid): (u32, u32)| {
            (record.header.ts_ns, record.header.drops) = (ts_ns, drops);
            (record.header.tid, record.header.tgid) = (tid, tgid);
            records.push(record);
        };
        for missed in self.missed.values() {
            push(Record::new(ProbeId::Missed, Phase::Point, missed), self.recorder);
        }
        let Some(scope) = self.scope else { return records };
        let root = scope.root_tgid;
        let members = self.members.keys().copied().filter(|tgid| *tgid != root);
        for root_tgid in members.chain([root]) {
            push(Record::new(ProbeId::Scope, Phase::Point, &Scope { root_tgid, ..scope }), self.recorder);
        }
        for (tgid, comm) in self.members.iter().filter(|(_, comm)| comm.iter().any(|b| *b != 0)) {
            let named = Process { comm: *comm, ..Process::default() };
            push(Record::new(ProbeId::Exec, Phase::Point, &named), (*tgid, *tgid));
        }
        if let Some(exit_code) = self.root_exit.filter(|_| !self.members.contains_key(&root)) {
            let exit = Process { exit_code, last_thread: 1, ..Process::default() };
            push(Record::new(ProbeId::Exit, Phase::Point, &exit), (root, root));
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDER: u32 = 9;

    fn scope(root_tgid: u32) -> Record {
        of(RECORDER, Record::new(ProbeId::Scope, Phase::Point, &Scope { root_tgid, ..Scope::default() }))
    }

    fn of(tgid: u32, mut record: Record) -> Record {
        (record.header.tid, record.header.tgid) = (tgid, tgid);
        record
    }

    fn process(probe: ProbeId, tgid: u32, payload: Process) -> Record {
        of(tgid, Record::new(probe, Phase::Point, &payload))
    }

    fn fork(parent: u32, child_tgid: u32) -> Record {
        let comm = *b"child\0\0\0\0\0\0\0\0\0\0\0";
        process(ProbeId::Fork, parent, Process { child_tgid, comm, ..Process::default() })
    }

    fn exit(tgid: u32) -> Record {
        process(ProbeId::Exit, tgid, Process { exit_code: 0x100, last_thread: 1, ..Process::default() })
    }

    /// What is told of records: the probe and the process that it is about.
    #[track_caller]
    fn check(records: &[Record], want: &[(ProbeId, u32)]) {
        let mut prelude = Prelude::default();
        records.iter().for_each(|r| prelude.apply(r));
        let told = prelude.records(77, 3);
        assert!(told.iter().all(|r| (r.header.ts_ns, r.header.drops) == (77, 3)));
        let about = |r: &Record| match r.probe() {
            Some(ProbeId::Scope) => (ProbeId::Scope, r.payload::<Scope>().root_tgid),
            probe => (probe.unwrap(), r.header.tgid),
        };
        assert_eq!(told.iter().map(about).collect::<Vec<_>>(), want);
    }

    #[test]
    fn who_is_in_the_scope_is_told_with_the_root_last() {
        use ProbeId::{Exec, Exit, Scope};
        check(&[], &[]);
        check(&[fork(1, 2), exit(2)], &[]);
        check(&[scope(0), fork(1, 2)], &[(Scope, 0)]);
        check(&[scope(5)], &[(Scope, 5)]);
        check(
            &[scope(5), fork(5, 3), fork(3, 7)],
            &[(Scope, 3), (Scope, 7), (Scope, 5), (Exec, 3), (Exec, 7)],
        );
        check(&[scope(5), fork(5, 3), exit(3)], &[(Scope, 5)]);
        check(&[scope(5), fork(1, 2)], &[(Scope, 5)]);
        check(&[scope(5), fork(5, 3), exit(5)], &[(Scope, 3), (Scope, 5), (Exec, 3), (Exit, 5)]);
        check(&[scope(5), fork(5, 3), fork(1, 3)], &[(Scope, 5)]);
        let missed = of(RECORDER, Record::new(ProbeId::Missed, Phase::Point, &Missed::default()));
        check(&[missed, missed], &[(ProbeId::Missed, RECORDER)]);
        // A thread is no process, and its end is not the end of one.
        let thread = process(ProbeId::Exit, 5, Process::default());
        check(&[scope(5), fork(5, 5), thread], &[(Scope, 5)]);
    }
}
