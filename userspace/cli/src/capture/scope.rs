//! What the verdict is about, beside the command: processes that are there already, or the whole machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use gemscope_policy::Scope;
use gemscope_report::escape;

use super::children::pids;
use super::options::cgroup_folder;

/// Processes that are there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Everything.
    pub machine: bool,
    /// The roots of trees, rising.
    pub roots: Vec<u32>,
}

/// Finds the processes.
///
/// # Errors
/// There is none of what was named.
pub fn resolve(scopes: &[Scope]) -> anyhow::Result<Watched> {
    let mut watched = Watched::default();
    for scope in scopes {
        match scope {
            Scope::Machine => watched.machine = true,
            Scope::Pid(pid) if Path::new("/proc").join(pid.to_string()).exists() => watched.roots.push(*pid),
            Scope::Pid(pid) => bail!("no process has the pid `{pid}`: nothing of it could be judged"),
            Scope::Comm(name) => {
                let found = named(name);
                if found.is_empty() {
                    let shown = escape::name(name.as_bytes());
                    bail!("no process is called `{shown}` now: start it before, or let the command start it");
                }
                watched.roots.extend(found);
            }
            Scope::Cgroup(path) => {
                let folder = cgroup_folder(path);
                let mut found = Vec::new();
                in_cgroup(&folder, &mut found)?;
                if found.is_empty() {
                    bail!("no process is in the cgroup `{}` now", escape::long(path.as_bytes()));
                }
                watched.roots.extend(found);
            }
        }
    }
    watched.roots.sort_unstable();
    watched.roots.dedup();
    Ok(watched)
}

/// Processes of this name.
fn named(name: &str) -> Vec<u32> {
    pids().filter(|pid| comm(*pid).is_some_and(|comm| is_called(&comm, name))).collect()
}

/// The name of a process; `None` when it is gone.
pub fn comm(pid: u32) -> Option<Vec<u8>> {
    let mut comm = fs::read(format!("/proc/{pid}/comm")).ok()?;
    comm.pop_if(|last| *last == b'\n');
    Some(comm)
}

/// Is this its name, as far as the kernel keeps names?
pub fn is_called(comm: &[u8], name: &str) -> bool {
    const KEPT: usize = gemscope_common::COMM_LEN - 1;
    comm == &name.as_bytes()[..name.len().min(KEPT)]
}

/// Processes of a cgroup and of those below it.
fn in_cgroup(folder: &PathBuf, found: &mut Vec<u32>) -> anyhow::Result<()> {
    let list = fs::read_to_string(folder.join("cgroup.procs")).with_context(|| {
        format!("no cgroup `{}` (version 2): `systemd-cgls` lists them", folder.display())
    })?;
    found.extend(list.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            in_cgroup(&entry.path(), found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_number_and_by_name() {
        let me = std::process::id();
        let own = String::from_utf8(comm(me).unwrap()).unwrap();
        let watched = resolve(&[Scope::Pid(me), Scope::Comm(own), Scope::Pid(me)]).unwrap();
        assert!(!watched.machine && watched.roots.contains(&me));
        assert_eq!(watched.roots.iter().filter(|pid| **pid == me).count(), 1);
        assert_eq!(resolve(&[Scope::Machine]).unwrap(), Watched { machine: true, roots: Vec::new() });
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (scope, word) in [
            (Scope::Pid(u32::MAX), "4294967295"),
            (Scope::Comm("no such \x1b[m".to_owned()), "no such \\x1b[m"),
            (Scope::Cgroup("/no/such".to_owned()), "/no/such"),
        ] {
            let error = resolve(&[scope]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn names_are_compared_as_the_kernel_keeps_them() {
        assert!(is_called(b"gnome-session-b", "gnome-session-binary"));
        assert!(
            is_called(b"weston", "weston") && !is_called(b"weston", "westo") && !is_called(b"", "weston")
        );
    }
}
