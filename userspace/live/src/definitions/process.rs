//! The processes of the machine as far as records and `/proc` tell of them, kept beyond their end.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use gemscope_common::{COMM_LEN, kernel_str};
use gemscope_trace::{Name, Process};
use rustc_hash::FxHashMap;

use super::maps::{Elves, Maps, Place};

/// Processes that have ended and are still remembered, with what was mapped in them.
const REMEMBERED: usize = 4096;

/// Arguments of a command line that are kept, and bytes of each.
const ARGUMENTS: usize = 64;
const ARGUMENT_BYTES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Processes {
    known: FxHashMap<u32, Known>,
    ended: VecDeque<u32>,
    elves: Elves,
}

#[derive(Debug, Default)]
struct Known {
    process: Process,
    /// `None` until they were read; a fork has its parent's until then.
    maps: Option<Maps>,
    defined: bool,
    ended: bool,
}

impl Processes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A process is made: it is its parent, but for the number.
    pub(super) fn fork(&mut self, parent: u32, child: u32, comm: &[u8; COMM_LEN]) {
        let (exe, cmdline) = match self.known.get(&parent) {
            Some(known) => (known.process.exe.clone(), known.process.cmdline.clone()),
            None => Default::default(),
        };
        let process = Process { tgid: child, parent, comm: kernel_str(comm).into(), exe, cmdline };
        self.known.insert(child, Known { process, ..Known::default() });
    }

    /// A process runs another program. Read at once: it may be over in a moment. Gives its definition again when it had one.
    pub(super) fn exec(&mut self, tgid: u32, comm: &[u8; COMM_LEN]) -> Option<Process> {
        let before = self.known.remove(&tgid);
        let defined = before.as_ref().is_some_and(|known| known.defined);
        let parent = before.map_or(0, |known| known.process.parent);
        let mut process = read(tgid).unwrap_or_else(|| Process { tgid, ..Process::default() });
        process.comm = kernel_str(comm).into();
        if process.parent == 0 {
            process.parent = parent;
        }
        let maps = Maps::read(tgid, &mut self.elves).ok();
        let again = defined.then(|| process.clone());
        self.known.insert(tgid, Known { process, maps, defined, ended: false });
        again
    }

    pub(super) fn exit(&mut self, tgid: u32) {
        match self.known.get_mut(&tgid) {
            Some(known) if known.defined => {
                known.ended = true;
                self.ended.push_back(tgid);
            }
            _ => {
                self.known.remove(&tgid);
            }
        }
        while self.ended.len() > REMEMBERED {
            let Some(oldest) = self.ended.pop_front() else { return };
            // The number may be a new process's by now.
            if self.known.get(&oldest).is_some_and(|known| known.ended) {
                self.known.remove(&oldest);
            }
        }
    }

    /// A process does something that records tell of. Gives its definition the first time.
    pub(super) fn define(&mut self, tgid: u32) -> Option<Process> {
        let elves = &mut self.elves;
        let known = self.known.entry(tgid).or_insert_with(|| Known {
            process: read(tgid).unwrap_or_else(|| Process { tgid, ..Process::default() }),
            ..Known::default()
        });
        if known.maps.is_none() {
            known.maps = Maps::read(tgid, elves).ok();
        }
        if std::mem::replace(&mut known.defined, true) {
            return None;
        }
        Some(known.process.clone())
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
            .map(|line| line.split(|&b| b == 0).take(ARGUMENTS).map(argument).collect())
            .unwrap_or_default(),
    })
}

fn argument(bytes: &[u8]) -> Name {
    Name::from(&bytes[..bytes.len().min(ARGUMENT_BYTES)])
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

    #[test]
    fn this_process_is_defined_once() {
        let mut processes = Processes::new();
        let me = std::process::id();
        let process = processes.define(me).unwrap();
        assert_eq!(process.tgid, me);
        assert!(process.parent != 0 && !process.exe.is_empty() && !process.cmdline.is_empty());
        assert!(processes.define(me).is_none());
    }

    #[test]
    fn a_fork_that_is_gone_has_its_parents_mappings() {
        let mut processes = Processes::new();
        let (me, gone) = (std::process::id(), u32::MAX);
        processes.define(me);
        processes.fork(me, gone, &comm("child"));
        assert_eq!(processes.define(gone).unwrap().comm, Name::from("child"));
        let here = this_process_is_defined_once as fn() as usize as u64;
        assert!(processes.place(gone, here).is_some());
        processes.exit(gone);
        assert!(processes.place(gone, here).is_some());
        assert!(processes.place(gone, 0).is_none());
    }
}
