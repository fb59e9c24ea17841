//! Which processes hold which dma-bufs: their fds and their mappings, read from `/proc`.
//!
//! Nothing is opened that could take a reference: links are read, and `stat` gives the inode number, the public name of
//! a dma-buf. A process that ends during the scan holds nothing; one that may not be read is counted.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use gemscope_common::{SeenFd, seen};

/// How the kernel begins the path of every dma-buf file (`dmabuffs_dname`).
const DMABUF: &[u8] = b"/dmabuf:";

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Every fd and every mapping of a dma-buf, by process.
    pub users: Vec<SeenFd>,
    /// Processes whose fds or mappings could not be read, for want of permission.
    pub unreadable: u32,
}

/// Scans every process.
///
/// # Errors
/// `/proc` itself could not be read.
pub fn dmabuf_users() -> io::Result<Scan> {
    scan_in(Path::new("/proc"))
}

fn scan_in(proc: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut pids: Vec<u32> =
        fs::read_dir(proc)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids {
        let dir = proc.join(pid.to_string());
        let fds = fds(&dir, pid, &mut scan.users);
        let maps = mappings(&dir, pid, &mut scan.users);
        if [fds, maps].iter().any(|r| r.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied))
        {
            scan.unreadable += 1;
        }
    }
    Ok(scan)
}

fn fds(dir: &Path, tgid: u32, users: &mut Vec<SeenFd>) -> io::Result<()> {
    for entry in fs::read_dir(dir.join("fd"))? {
        let entry = entry?;
        let path = entry.path();
        // An fd that was closed meanwhile has no link any more.
        let Ok(target) = fs::read_link(&path) else { continue };
        if !target.as_os_str().as_bytes().starts_with(DMABUF) {
            continue;
        }
        let Ok(stat) = fs::metadata(&path) else { continue };
        let fd = entry.file_name().to_str().and_then(|n| n.parse().ok()).unwrap_or(-1);
        users.push(SeenFd { ino: stat.ino(), size: stat.size(), tgid, fd, kind: seen::FD, at_start: 0 });
    }
    Ok(())
}

fn mappings(dir: &Path, tgid: u32, users: &mut Vec<SeenFd>) -> io::Result<()> {
    for line in BufReader::new(fs::File::open(dir.join("maps"))?).split(b'\n') {
        if let Some((ino, size)) = mapping(&line?) {
            users.push(SeenFd { ino, size, tgid, fd: -1, kind: seen::MAPPING, at_start: 0 });
        }
    }
    Ok(())
}

/// Inode number and length of a line of `maps` that is a dma-buf's.
fn mapping(line: &[u8]) -> Option<(u64, u64)> {
    let path = line.iter().position(|b| *b == b'/')?;
    if !line[path..].starts_with(DMABUF) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line =
            b"7f0000000000-7f0000010000 rw-s 00000000 00:0f 42                         /dmabuf:scanout";
        assert_eq!(mapping(line), Some((42, 0x10000)));
        assert_eq!(mapping(b"7f0000000000-7f0000010000 r--p 00000000 08:01 42 /usr/lib/libdrm.so"), None);
        assert_eq!(mapping(b"7f0000000000-7f0000010000 rw-p 00000000 00:00 0"), None);
        assert_eq!(mapping(b"nonsense /dmabuf:"), None);
    }

    #[test]
    fn the_own_process_can_be_read() {
        // A machine without DRM has no dma-buf; the scan itself must work.
        let scan = dmabuf_users().unwrap();
        assert!(scan.users.iter().all(|u| u.tgid != 0));
    }
}
