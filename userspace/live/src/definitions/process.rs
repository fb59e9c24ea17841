//! The processes of the machine as far as records and `/proc` tell of them, kept beyond their end.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gemscope_common::{COMM_LEN, kernel_str};
use gemscope_trace::{Name, Process, Runner};
use rustc_hash::FxHashMap;

use super::maps::{Elves, Maps, Place};

/// Processes that have ended and are still remembered: those that were defined, with what was mapped in them, and as many others,
/// whose children may live on.
const REMEMBERED: usize = 4096;

/// Ancestors that are followed.
const GENERATIONS: usize = 64;

/// Arguments of a command line that are kept, and bytes of each.
const ARGUMENTS: usize = 64;
const ARGUMENT_BYTES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Processes {
    known: FxHashMap<u32, Known>,
    ended: VecDeque<u32>,
    ended_undefined: VecDeque<u32>,
    elves: Elves,
}

/// What is told of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// What it is.
    Process(Process),
    /// It is a test runner: where it was at its start, and where it is.
    Runner { runner: Runner, process: Process, cwd: [Option<PathBuf>; 2] },
}

#[derive(Debug, Default)]
struct Known {
    process: Process,
    /// `None` until they were read; a fork has its parent's until then.
    maps: Option<Maps>,
    /// Of a test runner, where it was started.
    cwd: Option<PathBuf>,
    defined: bool,
    ended: bool,
}

impl Processes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A process is made: it is its parent, but for the number.
    pub(super) fn fork(&mut self, parent: u32, child: u32, comm: &[u8; COMM_LEN], ts_ns: u64) {
        let (exe, cmdline) = match self.known.get(&parent) {
            Some(known) => (known.process.exe.clone(), known.process.cmdline.clone()),
            None => Default::default(),
        };
        let comm = kernel_str(comm).into();
        let process = Process { tgid: child, parent, comm, exe, cmdline, born_ns: ts_ns };
        self.known.insert(child, Known { process, ..Known::default() });
    }

    /// A process runs another program, and was looked at then. Gives its definition again when it had one.
    pub(super) fn exec(&mut self, tgid: u32, comm: &[u8; COMM_LEN], look: Option<Look>) -> Option<Process> {
        let before = self.known.remove(&tgid);
        let defined = before.as_ref().is_some_and(|known| known.defined);
        let Look { mut process, cwd } =
            look.unwrap_or_else(|| Look { process: Process { tgid, ..Process::default() }, cwd: None });
        process.comm = kernel_str(comm).into();
        if let Some(Known { process: before, .. }) = before {
            process.born_ns = before.born_ns;
            // Who made it may have ended, and the kernel names another parent since.
            if before.parent != 0 {
                process.parent = before.parent;
            }
        }
        let maps = Maps::read(tgid, &mut self.elves).ok();
        let runner = Runner::of(&process.cmdline);
        let again = defined.then(|| process.clone());
        // What has become a runner is defined anew with its tests, when one of them does something.
        let defined = defined && runner.is_none();
        self.known.insert(tgid, Known { process, maps, cwd, defined, ended: false });
        again
    }

    pub(super) fn exit(&mut self, tgid: u32) {
        let Some(known) = self.known.get_mut(&tgid) else { return };
        known.ended = true;
        let ended = if known.defined {
            &mut self.ended
        } else {
            known.maps = None;
            &mut self.ended_undefined
        };
        ended.push_back(tgid);
        while ended.len() > REMEMBERED {
            let Some(oldest) = ended.pop_front() else { return };
            // The number may be a new process's by now.
            if self.known.get(&oldest).is_some_and(|known| known.ended) {
                self.known.remove(&oldest);
            }
        }
    }

    /// A process does something that records tell of. Tells of it the first time, of its ancestors that were not told of yet, and of the
    /// runners among them.
    pub(super) fn define(&mut self, tgid: u32) -> Vec<Told> {
        let elves = &mut self.elves;
        let known = self.known.entry(tgid).or_insert_with(|| Known {
            process: read(tgid).unwrap_or_else(|| Process { tgid, ..Process::default() }),
            ..Known::default()
        });
        if known.maps.is_none() {
            known.maps = Maps::read(tgid, elves).ok();
        }
        if std::mem::replace(&mut known.defined, true) {
            return Vec::new();
        }
        // The fork of a process that is older than the recording.
        if known.process.exe.is_empty()
            && let Some(read) = read(tgid)
        {
            (known.process.exe, known.process.cmdline) = (read.exe, read.cmdline);
        }
        let process = known.process.clone();
        let (parent, born_ns) = (process.parent, process.born_ns);
        let mut told = vec![Told::Process(process)];
        self.define_ancestors(parent, born_ns, &mut told);
        told
    }

    /// The parent of a process that was made at this time, and so on up to this program or the first process.
    fn define_ancestors(&mut self, parent: u32, born_ns: u64, told: &mut Vec<Told>) {
        let (mut tgid, mut child_born_ns) = (parent, born_ns);
        for _ in 0..GENERATIONS {
            if tgid <= 1 || tgid == std::process::id() {
                return;
            }
            let known = match self.known.entry(tgid) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    let Some(process) = read(tgid) else { return };
                    free.insert(Known { process, ..Known::default() })
                }
            };
            // A process that is younger than its child only has the number of what was its parent.
            if known.process.born_ns > child_born_ns || std::mem::replace(&mut known.defined, true) {
                return;
            }
            told.push(Told::Process(known.process.clone()));
            if let Some(runner) = Runner::of(&known.process.cmdline) {
                let now = if known.ended { None } else { cwd(tgid) };
                let process = known.process.clone();
                told.push(Told::Runner { runner, process, cwd: [known.cwd.clone(), now] });
            }
            (tgid, child_born_ns) = (known.process.parent, known.process.born_ns);
        }
    }

    /// What is mapped at an address of a process. Reads again what has changed meanwhile.
    pub(super) fn place(&mut self, tgid: u32, addr: u64) -> Option<Place> {
        let known = self.known.entry(tgid).or_default();
        if let Some(place) = known.maps.as_ref().and_then(|maps| maps.find(addr)) {
            return Some(place);
        }
        if !known.ended
            && let Ok(maps) = Maps::read(tgid, &mut self.elves)
        {
            let place = maps.find(addr);
            // A process on its way out has no mappings any more: what was known stays.
            if place.is_some() || known.maps.is_none() {
                known.maps = Some(maps);
            }
            if place.is_some() {
                return place;
            }
        }
        // A child that ended before it could be read still had what its parent has.
        let parent = known.process.parent;
        self.known.get(&parent)?.maps.as_ref()?.find(addr)
    }
}

/// A process as it was found, and where a test runner was.
#[derive(Debug)]
pub(super) struct Look {
    process: Process,
    cwd: Option<PathBuf>,
}

/// Looks at a process; `None` when it is gone.
pub(super) fn look(tgid: u32) -> Option<Look> {
    let process = read(tgid)?;
    let cwd = Runner::of(&process.cmdline).and_then(|_| cwd(tgid));
    Some(Look { process, cwd })
}

fn read(tgid: u32) -> Option<Process> {
    read_process(Path::new("/proc"), tgid)
}

/// What `/proc` says of a process; `None` when it is gone.
pub(crate) fn read_process(proc: &Path, tgid: u32) -> Option<Process> {
    let proc = proc.join(tgid.to_string());
    let mut comm = fs::read(proc.join("comm")).ok()?;
    if comm.last() == Some(&b'\n') {
        comm.pop();
    }
    let exe = fs::read_link(proc.join("exe"))
        .map(|path| Name::from(path.as_os_str().as_bytes()))
        .unwrap_or_default();
    let cmdline = fs::read(proc.join("cmdline")).unwrap_or_default();
    let status = fs::read(proc.join("status")).unwrap_or_default();
    Some(Process {
        tgid,
        parent: parent(&status).unwrap_or(0),
        comm: comm.into(),
        exe,
        cmdline: cmdline
            .strip_suffix(b"\0")
            .map(|line| arguments(line.split(|&b| b == 0)))
            .unwrap_or_default(),
        born_ns: 0,
    })
}

/// As many arguments as are kept, and as much of each.
pub(super) fn arguments<'a>(all: impl Iterator<Item = &'a [u8]>) -> Vec<Name> {
    all.take(ARGUMENTS).map(|bytes| Name::from(&bytes[..bytes.len().min(ARGUMENT_BYTES)])).collect()
}

/// Where a process is now.
fn cwd(tgid: u32) -> Option<PathBuf> {
    fs::read_link(Path::new("/proc").join(tgid.to_string()).join("cwd")).ok()
}

fn parent(status: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(status);
    text.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comm(text: &str) -> [u8; COMM_LEN] {
        let mut bytes = [0; COMM_LEN];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes
    }

    /// The processes that are told of.
    fn processes_of(told: Vec<Told>) -> Vec<Process> {
        let process = |told| match told {
            Told::Process(process) => Some(process),
            Told::Runner { .. } => None,
        };
        told.into_iter().filter_map(process).collect()
    }

    #[test]
    fn this_process_is_defined_once() {
        let mut processes = Processes::new();
        let me = std::process::id();
        let defined = processes_of(processes.define(me));
        let process = defined.first().unwrap();
        assert_eq!(process.tgid, me);
        assert!(process.parent != 0 && !process.exe.is_empty() && !process.cmdline.is_empty());
        assert!(processes.define(me).is_empty());
    }

    #[test]
    fn a_fork_that_is_gone_has_its_parents_mappings() {
        let mut processes = Processes::new();
        let (me, gone) = (std::process::id(), u32::MAX);
        processes.define(me);
        processes.fork(me, gone, &comm("child"), 7);
        let defined = processes_of(processes.define(gone));
        assert_eq!(defined.first().map(|p| (p.comm.clone(), p.born_ns)), Some((Name::from("child"), 7)));
        let here = this_process_is_defined_once as fn() as usize as u64;
        assert!(processes.place(gone, here).is_some());
        processes.exit(gone);
        assert!(processes.place(gone, here).is_some());
        assert!(processes.place(gone, 0).is_none());
    }

    #[test]
    fn ancestors_are_defined_once_and_beyond_their_end() {
        // Numbers that no process has.
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| u32::MAX - n);
        let mut processes = Processes::new();
        processes.fork(std::process::id(), a, &comm("a"), 10);
        processes.fork(a, b, &comm("b"), 20);
        processes.fork(b, c, &comm("c"), 30);
        processes.fork(b, d, &comm("d"), 40);
        processes.exit(b);
        let mut names = |tgid| -> Vec<String> {
            let defined = processes_of(processes.define(tgid));
            defined.iter().map(|p| p.comm.to_str_lossy().into_owned()).collect()
        };
        assert_eq!(names(c), ["c", "b", "a"]);
        assert_eq!(names(d), ["d"]);
    }

    #[test]
    fn who_only_has_the_number_of_the_parent_is_no_ancestor() {
        let [a, b, c] = [1, 2, 3].map(|n| u32::MAX - n);
        let mut processes = Processes::new();
        processes.fork(a, b, &comm("b"), 10);
        processes.fork(b, c, &comm("c"), 20);
        processes.exit(b);
        processes.fork(a, b, &comm("other"), 30);
        let defined = processes_of(processes.define(c));
        assert_eq!(defined.iter().map(|p| p.tgid).collect::<Vec<_>>(), [c]);
    }
}
