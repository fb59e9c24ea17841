//! Every process of the machine with its fds and mappings of dma-bufs, its DRM files and its sync_files.
//!
//! Nothing is opened that could take a reference: links and `fdinfo` are read, and `stat` gives inode and device
//! numbers.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::fdinfo::{self, DmabufInfo, DrmInfo};
use crate::scan::{self, tables};

/// Major numbers of DRM and of accelerators (`/dev/accel`).
const DRM_MAJORS: [u32; 2] = [226, 261];

/// `PF_KTHREAD`: such a thread has neither fds nor mappings.
const KTHREAD: u64 = 0x0020_0000;

/// A process that has something to do with buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, chosen by itself.
    pub comm: Vec<u8>,
    /// When it began, in ticks since boot: number and beginning together name one process.
    pub start: u64,
    /// Its fds of dma-bufs.
    pub fds: Vec<BufferFd>,
    /// Its mappings of dma-bufs.
    pub mappings: Vec<Mapping>,
    /// Its DRM files.
    pub drm: Vec<DrmFd>,
    /// Its sync_files: no buffers, and often taken for such.
    pub sync_files: u32,
}

impl Process {
    fn holds_something(&self) -> bool {
        let Self { pid: _, comm: _, start: _, fds, mappings, drm, sync_files } = self;
        !fds.is_empty() || !mappings.is_empty() || !drm.is_empty() || *sync_files > 0
    }
}

/// An fd of a dma-buf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BufferFd {
    /// Its number.
    pub fd: i32,
    /// Inode number of the dma-buf.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Opened with `O_PATH`: it keeps the name alive and holds no reference on the dma-buf.
    pub path: bool,
    /// What its `fdinfo` says, where that could be read.
    pub info: Option<DmabufInfo>,
}

/// A mapping of a dma-buf: each holds one reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Inode number of the dma-buf.
    pub ino: u64,
    /// Bytes that are mapped.
    pub bytes: u64,
}

/// An fd of a DRM file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrmFd {
    /// Its number.
    pub fd: i32,
    /// Major number of the device.
    pub major: u32,
    /// Minor number of the device.
    pub minor: u32,
    /// The node as it was opened.
    pub node: Vec<u8>,
    /// What its `fdinfo` says.
    pub info: DrmInfo,
}

/// What a walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Processes that have something to do with buffers, by number.
    pub processes: Vec<Process>,
    /// How many processes there were, kernel threads left out.
    pub looked_at: u32,
    /// How many of them could not be read, for want of permission.
    pub unreadable: u32,
}

/// What a thread's `stat` says of its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stat {
    comm: Vec<u8>,
    flags: u64,
    start: u64,
}

/// Walks over every process below `proc`; `dmabuf` is how links to dma-bufs begin.
pub(super) fn walk(proc: &Path, dmabuf: &[u8]) -> io::Result<Walk> {
    let mut seen = Walk::default();
    for pid in scan::numbers(proc)? {
        let dir = proc.join(pid.to_string());
        // What has ended meanwhile holds nothing.
        let Some(stat) = fs::read(dir.join("stat")).ok().and_then(|text| stat(&text)) else { continue };
        if stat.flags & KTHREAD != 0 {
            continue;
        }
        seen.looked_at += 1;
        let mut process = Process { pid, comm: stat.comm, start: stat.start, ..Process::default() };
        let parts = [fds(&dir, dmabuf, &mut process), mappings(pid, &dir, dmabuf, &mut process.mappings)];
        if parts.iter().any(|part| part.as_ref().is_err_and(|e| !scan::is_gone(e))) {
            seen.unreadable += 1;
        }
        if process.holds_something() {
            seen.processes.push(process);
        }
    }
    Ok(seen)
}

/// `PID (COMM) S …`: the name may hold anything, so it ends at the last bracket.
fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|b| *b == b'(')?;
    let close = text.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // Field 9 of all are the flags, 22 the beginning; 3 is the first after the name.
    let flags = fields.nth(6)?.parse().ok()?;
    let start = fields.nth(12)?.parse().ok()?;
    Some(Stat { comm: text.get(open + 1..close)?.to_vec(), flags, start })
}

fn fds(dir: &Path, dmabuf: &[u8], process: &mut Process) -> io::Result<()> {
    let task = dir.join("task");
    let mut unreadable = None;
    let tids = tables::distinct(&scan::numbers(&task)?, tables::same_files);
    let comparable = tables::same_files(process.pid, process.pid).is_some();
    for tid in tids {
        match table(&task.join(tid.to_string()), dmabuf, process) {
            Err(error) if !scan::is_gone(&error) => unreadable = Some(error),
            // Tables that cannot be compared are mostly one: what was seen must not count again.
            Ok(()) if !comparable && process.holds_something() => break,
            _ => {}
        }
    }
    unreadable.map_or(Ok(()), Err)
}

/// What is in the table of fds of one thread.
fn table(thread: &Path, dmabuf: &[u8], process: &mut Process) -> io::Result<()> {
    for entry in fs::read_dir(thread.join("fd"))? {
        let entry = entry?;
        let path = entry.path();
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            // An fd that was closed meanwhile has no link any more.
            Err(error) if scan::is_gone(&error) => continue,
            Err(error) => return Err(error),
        };
        let target = target.as_os_str().as_bytes();
        if matches!(target, b"anon_inode:sync_file" | b"anon_inode:[sync_file]") {
            process.sync_files += 1;
            continue;
        }
        let buffer = target.starts_with(dmabuf);
        if !buffer && !target.starts_with(b"/dev/") {
            continue;
        }
        let Some(fd) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
        let Ok(stat) = fs::metadata(&path) else { continue };
        let device = (rustix::fs::major(stat.rdev()), rustix::fs::minor(stat.rdev()));
        if !buffer && !DRM_MAJORS.contains(&device.0) {
            continue;
        }
        let text = fs::read(thread.join("fdinfo").join(entry.file_name())).unwrap_or_default();
        let path = scan::is_path(&text);
        if buffer {
            let info = fdinfo::dmabuf(&text);
            // A file that is called like one: its fdinfo could be read and says nothing of an exporter.
            if info.is_none() && !path && !text.is_empty() {
                continue;
            }
            process.fds.push(BufferFd { fd, ino: stat.ino(), size: stat.size(), path, info });
        } else if !path {
            let (major, minor) = device;
            let mut info = fdinfo::drm(&text);
            if info.driver.is_empty() {
                info.driver = driver(major, minor);
            }
            process.drm.push(DrmFd { fd, major, minor, node: target.to_vec(), info });
        }
    }
    process.fds.sort_by_key(|f| (f.ino, f.fd));
    process.drm.sort_by_key(|f| (f.major, f.minor, f.fd));
    Ok(())
}

/// The driver of a device by debugfs, where that may be read: its own name for itself, which the bus does not know.
fn driver(major: u32, minor: u32) -> Vec<u8> {
    let kind = if major == DRM_MAJORS[0] { "dri" } else { "accel" };
    let text = fs::read(format!("/sys/kernel/debug/{kind}/{minor}/name")).unwrap_or_default();
    text.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec()
}

fn mappings(pid: u32, dir: &Path, dmabuf: &[u8], found: &mut Vec<Mapping>) -> io::Result<()> {
    let first = maps(dir, dmabuf, found);
    if !matches!(&first, Ok(0)) && !first.as_ref().is_err_and(scan::is_gone) {
        return first.map(drop);
    }
    // Memory belongs to all threads; a first thread that has ended shows none of it.
    let task = dir.join("task");
    for tid in scan::numbers(&task)?.into_iter().filter(|tid| *tid != pid) {
        match maps(&task.join(tid.to_string()), dmabuf, found) {
            Ok(0) => {}
            Err(error) if scan::is_gone(&error) => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// How many lines there were.
fn maps(dir: &Path, dmabuf: &[u8], found: &mut Vec<Mapping>) -> io::Result<usize> {
    let mut lines = 0;
    for line in BufReader::new(fs::File::open(dir.join("maps"))?).split(b'\n') {
        lines += 1;
        if let Some((ino, bytes)) = scan::mapping(&line?, dmabuf) {
            found.push(Mapping { ino, bytes });
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = |comm: &str| {
            format!(
                "812 ({comm}) S 1 812 812 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 1 0 77 10 20 18446744073709551615\n"
            )
        };
        for comm in ["sh", "a) R 1 2", "x\ny (", "", "=cmd|'/c calc'!A1"] {
            let want = Stat { comm: comm.into(), flags: 4_194_560, start: 77 };
            assert_eq!(stat(line(comm).as_bytes()), Some(want), "{comm}");
        }
        for torn in ["", "812", "812 (sh", "812 (sh)", "812 (sh) S 1 2", ") 1 ("] {
            assert_eq!(stat(torn.as_bytes()), None, "{torn}");
        }
    }

    fn process(root: &Path, pid: u32, flags: u32) -> std::path::PathBuf {
        let dir = root.join(pid.to_string());
        let thread = dir.join(format!("task/{pid}"));
        for part in ["fd", "fdinfo"] {
            fs::create_dir_all(thread.join(part)).unwrap();
        }
        fs::write(dir.join("maps"), "").unwrap();
        let stat = format!("{pid} (player) S 1 1 1 0 -1 {flags} 5 0 0 0 1 2 0 0 20 0 1 0 77 10\n");
        fs::write(dir.join("stat"), stat).unwrap();
        thread
    }

    fn fd(thread: &Path, fd: i32, target: &Path, info: &str) {
        symlink(target, thread.join(format!("fd/{fd}"))).unwrap();
        fs::write(thread.join(format!("fdinfo/{fd}")), info).unwrap();
    }

    #[test]
    fn fds_are_told_by_kind() {
        let tree = tempfile::tempdir().unwrap();
        let buffer = tree.path().join("dmabuf:");
        fs::write(&buffer, "x").unwrap();
        let thread = process(tree.path(), 812, 0);
        process(tree.path(), 2, 0x0020_0000);
        process(tree.path(), 813, 0);
        let text = "flags:\t02\nsize:\t1\ncount:\t2\nexp_name:\tdrm\n";
        fd(&thread, 3, &buffer, text);
        fd(&thread, 4, &buffer, "flags:\t012000000\n");
        fd(&thread, 5, &buffer, "flags:\t02\n");
        fd(&thread, 6, Path::new("anon_inode:sync_file"), "");
        fd(&thread, 7, Path::new("/memfd:dmabuf:"), "");
        fd(&thread, 8, Path::new("/dev/null"), "");
        let maps = format!("7f0000000000-7f0000010000 rw-s 00000000 00:0f 42   {}\n", buffer.display());
        fs::write(tree.path().join("812/maps"), maps.repeat(2)).unwrap();

        let seen = walk(tree.path(), buffer.as_os_str().as_bytes()).unwrap();
        assert_eq!((seen.looked_at, seen.unreadable, seen.processes.len()), (2, 0, 1));
        let found = &seen.processes[0];
        let told: Vec<_> = found.fds.iter().map(|f| (f.fd, f.path, f.info.is_some())).collect();
        assert_eq!(told, [(3, false, true), (4, true, false)]);
        // Two parts of one buffer hold a reference each.
        assert_eq!(found.mappings, [Mapping { ino: 42, bytes: 0x10000 }; 2]);
        assert_eq!((found.sync_files, found.start, &found.comm[..]), (1, 77, &b"player"[..]));
        assert!(found.drm.is_empty());
    }

    #[test]
    fn what_may_not_be_read_is_counted() {
        let tree = tempfile::tempdir().unwrap();
        process(tree.path(), 812, 0);
        let maps = tree.path().join("812/maps");
        fs::remove_file(&maps).unwrap();
        // A directory in the place of a file is an answer that no ended process gives.
        fs::create_dir(&maps).unwrap();
        let seen = walk(tree.path(), b"/dmabuf:").unwrap();
        assert_eq!((seen.looked_at, seen.unreadable), (1, 1));
    }
}
