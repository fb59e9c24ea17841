//! Scans of made-up `/proc` trees.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

/// A tree under the system's temporary directory; gone when it is dropped.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn thread(&self, pid: u32, tid: u32) -> PathBuf {
        let dir = self.0.path().join(format!("{pid}/task/{tid}"));
        for part in ["fd", "fdinfo"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        fs::write(dir.join("maps"), "").unwrap();
        dir
    }

    /// A process with one thread.
    fn process(&self, pid: u32, comm: &str, maps: &str) {
        self.thread(pid, pid);
        let dir = self.0.path().join(pid.to_string());
        fs::write(dir.join("comm"), format!("{comm}\n")).unwrap();
        fs::write(dir.join("maps"), maps).unwrap();
    }

    /// How the paths of this tree's dma-bufs begin: they are files of one byte that can be found.
    fn dmabuf(&self) -> PathBuf {
        self.0.path().join("dmabuf:")
    }

    fn file(&self, fd: (u32, u32, i32), target: &Path, flags: &str) {
        let (pid, tid, fd) = fd;
        let dir = self.thread(pid, tid);
        symlink(target, dir.join(format!("fd/{fd}"))).unwrap();
        let info = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n");
        fs::write(dir.join(format!("fdinfo/{fd}")), info).unwrap();
    }

    /// An fd of a dma-buf: process, thread, number.
    fn fd(&self, fd: (u32, u32, i32), flags: &str) {
        fs::write(self.dmabuf(), "x").unwrap();
        self.file(fd, &self.dmabuf(), flags);
    }

    fn scan(&self, same_files: fn(u32, u32) -> Option<bool>) -> Scan {
        let dmabuf = self.dmabuf();
        let dmabuf = dmabuf.as_os_str().as_bytes();
        Scanner { proc: self.0.path(), dmabuf, same_files, at_start: true }.scan().unwrap()
    }

    /// Lines of `maps`: two of one dma-buf and one of something else.
    fn maps(&self) -> String {
        let path = self.dmabuf();
        let path = path.display();
        format!(
            "7f0000000000-7f0000010000 rw-s 00000000 00:0f 42                         {path}scanout\n\
             7f0000010000-7f0000020000 rw-s 00010000 00:0f 42                         {path}scanout\n\
             7f0000030000-7f0000031000 r--p 00000000 08:01 7 /usr/lib/libdrm.so\n"
        )
    }
}

/// What a scan saw, without inodes and sizes.
fn told(scan: &Scan) -> Vec<(u32, i32, u32)> {
    scan.users.iter().map(|u| (u.tgid, u.fd, u.kind)).collect()
}

#[test]
fn lines_of_maps() {
    let check = |line: &str| mapping(line.as_bytes(), DMABUF);
    let line = "7f0000000000-7f0000010000 rw-s 00000000 00:0f 42                         /dmabuf:scanout";
    assert_eq!(check(line), Some((42, 0x10000)));
    assert_eq!(check("7f0000000000-7f0000010000 r--p 00000000 08:01 42 /usr/lib/libdrm.so"), None);
    assert_eq!(check("7f0000000000-7f0000010000 rw-p 00000000 00:00 0"), None);
    assert_eq!(check("nonsense /dmabuf:"), None);
}

#[test]
fn an_o_path_fd_is_known_by_its_flags() {
    assert!(is_path(b"pos:\t0\nflags:\t012000000\nmnt_id:\t15\n"));
    assert!(!is_path(b"pos:\t0\nflags:\t02100002\nmnt_id:\t15\n"));
    assert!(!is_path(b"flags:\tnonsense") && !is_path(b""));
}

#[test]
fn mappings_are_seen_once_and_their_process_is_named() {
    let tree = Tree::new();
    tree.process(812, "compositor", &tree.maps());
    tree.process(813, "bystander", "");
    let scan = tree.scan(|_, _| None);
    let seen = SeenFd { ino: 42, size: 0x10000, tgid: 812, fd: -1, kind: seen::MAPPING, at_start: 1 };
    assert_eq!(scan.users, [seen]);
    assert_eq!(scan.processes.len(), 1);
    assert_eq!(scan.processes[0].comm.as_bytes(), b"compositor");
    assert!(scan.is_complete());
}

#[test]
fn memory_is_seen_when_the_first_thread_has_ended() {
    let tree = Tree::new();
    tree.process(812, "compositor", "");
    fs::write(tree.thread(812, 815).join("maps"), tree.maps()).unwrap();
    assert_eq!(told(&tree.scan(|_, _| None)), [(812, -1, seen::MAPPING)]);
}

#[test]
fn fds_are_told_by_kind() {
    let tree = Tree::new();
    tree.process(812, "compositor", "");
    tree.fd((812, 812, 3), "02100002");
    tree.fd((812, 812, 17), "012000000");
    tree.file((812, 812, 4), Path::new("/dev/null"), "02");
    // Closed since the directory was read: no link, no file.
    tree.file((812, 812, 5), &tree.0.path().join("dmabuf:gone"), "02");
    let scan = tree.scan(|_, _| None);
    assert_eq!(told(&scan), [(812, 3, seen::FD), (812, 17, seen::PATH)]);
    let ino = fs::metadata(tree.dmabuf()).unwrap().ino();
    assert!(scan.users.iter().all(|u| (u.ino, u.size, u.at_start) == (ino, 1, 1)));
    assert!(scan.is_complete());
}

#[test]
fn a_thread_with_its_own_table_is_looked_at() {
    let tree = Tree::new();
    tree.process(812, "player", "");
    tree.fd((812, 812, 3), "02");
    tree.fd((812, 813, 3), "02");
    tree.fd((812, 814, 4), "02");
    let both = [(812, 3, seen::FD), (812, 4, seen::FD)];
    assert_eq!(told(&tree.scan(|_, _| None)), both);
    assert_eq!(told(&tree.scan(|a, b| Some(a.max(b) == 813))), both);
    assert_eq!(told(&tree.scan(|_, _| Some(true))), both[..1]);
}

#[test]
fn what_may_not_be_read_is_counted_and_what_has_ended_is_not() {
    let tree = Tree::new();
    tree.process(812, "ended", "");
    fs::remove_dir_all(tree.0.path().join("812")).unwrap();
    fs::create_dir_all(tree.0.path().join("812")).unwrap();
    assert!(tree.scan(|_, _| None).is_complete());
    // A directory in the place of a file is an answer that no ended process gives.
    tree.process(813, "strange", "");
    let maps = tree.0.path().join("813/maps");
    fs::remove_file(&maps).unwrap();
    fs::create_dir(&maps).unwrap();
    assert_eq!(tree.scan(|_, _| None).unreadable, 1);
}

#[test]
fn hidden_processes_make_a_scan_incomplete() {
    let line = |options| {
        format!("22 1 0:21 / /proc rw,nosuid - proc proc rw,{options}\n23 1 0:5 / /dev rw - x x rw")
    };
    assert!(hides(&line("hidepid=invisible")) && hides(&line("gid=4,hidepid=2")));
    assert!(!hides(&line("hidepid=0")) && !hides(&line("gid=4")) && !hides(""));
    assert!(!Scan { hidden: true, ..Scan::default() }.is_complete());
}

#[test]
fn the_own_process_can_be_read() {
    // A machine without DRM has no dma-buf; the scan itself must work.
    let scan = dmabuf_users(When::Settle).unwrap();
    assert!(scan.users.iter().all(|u| u.tgid != 0 && u.at_start == 0));
}
