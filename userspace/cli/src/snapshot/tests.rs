//! What comes of what was read.

use gemscope_live::snapshot::{BufferFd, Mapping, Walk};

use super::*;

fn fd(fd: i32, ino: u64, count: u64) -> BufferFd {
    let info = fdinfo::DmabufInfo { size: 4096, count, exporter: b"drm".to_vec(), name: b"scan".to_vec() };
    BufferFd { fd, ino, size: 4096, path: false, info: Some(info) }
}

fn process(pid: u32, comm: &str) -> Seen {
    Seen { pid, comm: comm.into(), start: u64::from(pid), ..Seen::default() }
}

fn gathered(processes: Vec<Seen>) -> Gathered {
    let lack = || Lack { why: "not there".to_owned(), fix: "fix it".to_owned() };
    Gathered {
        host: Host::default(),
        time_s: 1,
        took: std::time::Duration::from_millis(2),
        walk: Walk { looked_at: processes.len() as u32, processes, unreadable: 0 },
        hidden: false,
        list: Err(lack()),
        bufinfo: Err(lack()),
    }
}

#[test]
fn references_are_explained_by_fds_and_mappings() {
    let mut first = process(10, "a");
    first.fds = vec![fd(3, 7, 6), fd(4, 7, 6)];
    first.mappings = vec![Mapping { ino: 7, bytes: 4096 }; 2];
    let mut second = process(11, "b");
    second.fds = vec![BufferFd { path: true, info: None, ..fd(9, 7, 0) }];
    let taken = join(&gathered(vec![first, second]));
    let [buffer] = taken.buffers.as_slice() else { panic!() };
    let References { total, fds, mappings, other } = buffer.references;
    assert_eq!((total, fds, mappings, other), (Some(6), 2, 2, Some(2)));
    assert_eq!(buffer.held_by, HeldBy::Processes);
    assert_eq!(buffer.holders[0].fds, [3, 4]);
    assert_eq!((buffer.holders[0].mappings, buffer.holders[0].mapped_bytes), (2, 8192));
    // An O_PATH fd is told, and holds nothing.
    assert_eq!((buffer.holders[1].path_fds.as_slice(), buffer.holders[1].holds()), (&[9][..], false));
    assert_eq!(taken.holding(), 1);
}

#[test]
fn only_a_complete_look_says_that_nobody_holds_it() {
    let mut all = gathered(Vec::new());
    all.list = Ok([(7, 4096)].into());
    assert_eq!(join(&all).buffers[0].held_by, HeldBy::Kernel);
    all.walk.unreadable = 1;
    assert_eq!(join(&all).buffers[0].held_by, HeldBy::Unknown);
    all.walk.unreadable = 0;
    all.hidden = true;
    assert_eq!(join(&all).buffers[0].held_by, HeldBy::Unknown);
}

#[test]
fn debugfs_tells_what_is_attached_and_stands_in_for_the_list() {
    let mut all = gathered(Vec::new());
    let entry = BufinfoEntry {
        size: 8192,
        count: 3,
        ino: 7,
        exporter: b"virtio_gpu".to_vec(),
        name: Vec::new(),
        devices: vec![b"vgem".to_vec(), b"vgem".to_vec(), b"0000:00:01.0".to_vec()],
    };
    all.bufinfo = Ok(vec![entry]);
    let taken = join(&all);
    let buffer = &taken.buffers[0];
    assert_eq!((buffer.held_by, buffer.references.other), (HeldBy::Kernel, Some(3)));
    let told: Vec<_> = buffer.attachments.iter().flatten().map(|a| (a.device.as_str(), a.count)).collect();
    assert_eq!(told, [("0000:00:01.0", 1), ("vgem", 2)]);
    // The missing list takes nothing away.
    assert!(taken.header.complete);
    assert_eq!(taken.header.sources[1].blind, "");
}

#[test]
fn what_is_missing_is_told_and_makes_it_partial() {
    let complete = |change: fn(&mut Gathered)| {
        let mut all = gathered(Vec::new());
        all.list = Ok(BTreeMap::new());
        all.bufinfo = Ok(Vec::new());
        change(&mut all);
        let taken = join(&all);
        let blind = taken.header.sources.iter().any(|s| !s.blind.is_empty());
        assert_eq!(taken.header.complete, !blind);
        taken.header.complete
    };
    assert!(complete(|_| {}));
    assert!(!complete(|all| all.walk.unreadable = 1));
    assert!(!complete(|all| all.hidden = true));
    assert!(!complete(|all| all.bufinfo = Err(Lack::default())));
    assert!(complete(|all| all.list = Err(Lack::default())));
}

#[test]
fn a_file_with_an_id_is_one_client_whoever_has_it() {
    let drm = |number, client| DrmFd {
        fd: number,
        major: 226,
        minor: 128,
        node: b"/dev/dri/renderD128".to_vec(),
        info: fdinfo::DrmInfo { client, ..fdinfo::DrmInfo::default() },
    };
    let (mut first, mut second) = (process(10, "a"), process(11, "b"));
    first.drm = vec![drm(3, Some(5)), drm(4, Some(5)), drm(5, None)];
    second.drm = vec![drm(3, Some(5)), drm(6, None)];
    let taken = join(&gathered(vec![first, second]));
    let told: Vec<_> =
        taken.clients.iter().map(|c| (c.client, c.users.len(), c.users[0].fds.len())).collect();
    assert_eq!(told, [(None, 1, 1), (None, 1, 1), (Some(5), 2, 2)]);
}
