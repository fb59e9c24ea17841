//! Which processes hold which dma-bufs: their fds and their mappings, read from `/proc`.
//!
//! Nothing is opened that could take a reference: links are read, and `stat` gives the inode number, the public name of
//! a dma-buf. A process that ends during the scan holds nothing; one that may not be read is counted.

pub(crate) mod tables;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use gemscope_common::{SeenFd, seen};
use gemscope_trace::Process;
use rustix::thread::CapabilitySet;

use crate::definitions::read_process;

/// How the kernel begins the path of every dma-buf file (`dmabuffs_dname`).
pub(crate) const DMABUF: &[u8] = b"/dmabuf:";

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Who holds what before the first command runs. The probes are attached already, so that nothing falls between.
    Start,
    /// Who holds what when leaks are judged.
    Settle,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Every fd and every mapping of a dma-buf, by process.
    pub users: Vec<SeenFd>,
    /// Who these processes are.
    pub processes: Vec<Process>,
    /// Processes whose fds or mappings could not be read, for want of permission.
    pub unreadable: u32,
    /// There may be processes that `/proc` does not show to this one.
    pub hidden: bool,
}

impl Scan {
    /// Was every process of the machine looked at?
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.unreadable == 0 && !self.hidden
    }
}

/// Scans every process.
///
/// # Errors
/// `/proc` itself could not be read.
pub fn dmabuf_users(when: When) -> io::Result<Scan> {
    let scanner = Scanner {
        proc: Path::new("/proc"),
        dmabuf: DMABUF,
        same_files: tables::same_files,
        at_start: when == When::Start,
    };
    let mut scan = scanner.scan()?;
    scan.hidden = hides_processes();
    Ok(scan)
}

/// May there be processes that `/proc` does not show to this one?
pub(crate) fn hides_processes() -> bool {
    !in_initial_pid_namespace() || processes_are_hidden()
}

/// How a scan is made; tests give it a tree of their own.
struct Scanner<'a> {
    proc: &'a Path,
    /// How the path of a dma-buf begins.
    dmabuf: &'a [u8],
    /// Do these two threads have one table of fds? `None` when the kernel does not tell.
    same_files: fn(u32, u32) -> Option<bool>,
    at_start: bool,
}

impl Scanner<'_> {
    fn scan(&self) -> io::Result<Scan> {
        let mut scan = Scan::default();
        for pid in numbers(self.proc)? {
            let mut users = Vec::new();
            // Both are looked at, whatever the other says.
            let (fds, maps) = (self.fds(pid, &mut users), self.mappings(pid, &mut users));
            if [fds, maps].iter().any(|r| r.as_ref().is_err_and(|e| !is_gone(e))) {
                scan.unreadable += 1;
            }
            if users.is_empty() {
                continue;
            }
            // One fd may be seen through the tables of two threads, one buffer be mapped in parts.
            users.sort_unstable_by_key(|u| (u.kind, u.fd, u.ino, u.size));
            users.dedup();
            scan.users.append(&mut users);
            scan.processes.extend(read_process(self.proc, pid));
        }
        Ok(scan)
    }

    fn fds(&self, pid: u32, users: &mut Vec<SeenFd>) -> io::Result<()> {
        let task = self.proc.join(pid.to_string()).join("task");
        let mut unreadable = None;
        for tid in tables::distinct(&numbers(&task)?, self.same_files) {
            match self.table(pid, &task.join(tid.to_string()), users) {
                Err(error) if !is_gone(&error) => unreadable = Some(error),
                // A thread that has ended, maybe the first one: the others have their say.
                _ => {}
            }
        }
        unreadable.map_or(Ok(()), Err)
    }

    /// The dma-bufs in the table of fds of one thread.
    fn table(&self, tgid: u32, thread: &Path, users: &mut Vec<SeenFd>) -> io::Result<()> {
        for entry in fs::read_dir(thread.join("fd"))? {
            let entry = entry?;
            let path = entry.path();
            let target = match fs::read_link(&path) {
                Ok(target) => target,
                // An fd that was closed meanwhile has no link any more.
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            if !target.as_os_str().as_bytes().starts_with(self.dmabuf) {
                continue;
            }
            let Some(fd) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            let Ok(stat) = fs::metadata(&path) else { continue };
            let info = fs::read(thread.join("fdinfo").join(entry.file_name())).unwrap_or_default();
            let kind = if is_path(&info) { seen::PATH } else { seen::FD };
            users.push(self.seen(stat.ino(), stat.size(), tgid, fd, kind));
        }
        Ok(())
    }

    fn mappings(&self, pid: u32, users: &mut Vec<SeenFd>) -> io::Result<()> {
        let dir = self.proc.join(pid.to_string());
        let first = self.maps(pid, &dir, users);
        if !matches!(&first, Ok(0)) && !first.as_ref().is_err_and(is_gone) {
            return first.map(drop);
        }
        // Memory belongs to all threads; a first thread that has ended shows none of it.
        let task = dir.join("task");
        for tid in numbers(&task)?.into_iter().filter(|tid| *tid != pid) {
            match self.maps(pid, &task.join(tid.to_string()), users) {
                Ok(0) => {}
                Err(error) if is_gone(&error) => {}
                other => return other.map(drop),
            }
        }
        Ok(())
    }

    /// How many lines there were.
    fn maps(&self, tgid: u32, dir: &Path, users: &mut Vec<SeenFd>) -> io::Result<usize> {
        let mut lines = 0;
        for line in BufReader::new(fs::File::open(dir.join("maps"))?).split(b'\n') {
            lines += 1;
            if let Some((ino, size)) = mapping(&line?, self.dmabuf) {
                users.push(self.seen(ino, size, tgid, -1, seen::MAPPING));
            }
        }
        Ok(lines)
    }

    fn seen(&self, ino: u64, size: u64, tgid: u32, fd: i32, kind: u32) -> SeenFd {
        SeenFd { ino, size, tgid, fd, kind, at_start: u32::from(self.at_start) }
    }
}

/// The entries of a directory that are numbers, rising.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found: Vec<u32> =
        fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}

/// Is it over with what was asked for? Any other answer means that something is there and was not seen.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// Does this `fdinfo` tell of an fd opened with `O_PATH`? That one holds the directory entry only (B14).
pub(crate) fn is_path(fdinfo: &[u8]) -> bool {
    let text = String::from_utf8_lossy(fdinfo);
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|f| i32::from_str_radix(f.trim(), 8).ok());
    flags.is_some_and(|f| f & libc::O_PATH != 0)
}

/// Inode number and length of a line of `maps` that is a dma-buf's.
pub(crate) fn mapping(line: &[u8], dmabuf: &[u8]) -> Option<(u64, u64)> {
    let path = line.iter().position(|b| *b == b'/')?;
    if !line[path..].starts_with(dmabuf) {
        return None;
    }
    let head = std::str::from_utf8(&line[..path]).ok()?;
    let mut fields = head.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let length = u64::from_str_radix(to, 16).ok()?.checked_sub(u64::from_str_radix(from, 16).ok()?)?;
    // After the range: permissions, offset, device, inode.
    let ino = fields.nth(3)?.parse().ok()?;
    Some((ino, length))
}

/// Elsewhere only a part of the machine's processes can be seen, and under other numbers.
fn in_initial_pid_namespace() -> bool {
    /// `PROC_PID_INIT_INO` of the kernel.
    const INITIAL: u64 = 0xefff_fffc;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|ns| ns.ino() == INITIAL)
}

/// Does `/proc` leave out processes that this one may not trace?
fn processes_are_hidden() -> bool {
    let all = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE));
    !all && hides(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Is `/proc` mounted with `hidepid`?
fn hides(mountinfo: &str) -> bool {
    let proc = mountinfo.lines().filter(|line| line.split(' ').nth(4) == Some("/proc"));
    let options = proc.filter_map(|line| line.rsplit(' ').next()).next_back().unwrap_or_default();
    options.split(',').filter_map(|o| o.strip_prefix("hidepid=")).any(|mode| !matches!(mode, "0" | "off"))
}
