//! Snapshots with everything in them, hostile names too, as text, as JSON lines, as a grid, and beside one another.

use gemscope_report::escape;
use gemscope_report::snapshot::*;
use gemscope_report::text::Palette;
use snapbox::{assert_data_eq, file};

fn holder(pid: u32, process: &str, fds: &[i32], mappings: u64) -> Holder {
    Holder {
        pid,
        process: process.to_owned(),
        fds: fds.to_vec(),
        mappings,
        mapped_bytes: mappings * 16384,
        ..Holder::default()
    }
}

fn buffer(inode: u64, bytes: u64, total: u64, holders: Vec<Holder>) -> Buffer {
    let fds = holders.iter().map(|h| h.fds.len() as u64).sum();
    let mappings = holders.iter().map(|h| h.mappings).sum();
    let held = holders.iter().any(Holder::holds);
    Buffer {
        inode,
        bytes,
        exporter: Some("virtio_gpu".to_owned()),
        name: Some(String::new()),
        references: References {
            total: Some(total),
            fds,
            mappings,
            other: total.checked_sub(fds + mappings),
        },
        held_by: if held { HeldBy::Processes } else { HeldBy::Kernel },
        holders,
        attachments: Some(Vec::new()),
    }
}

fn source(name: &str, state: SourceState, words: [&str; 3]) -> Source {
    let [text, blind, advice] = words.map(str::to_owned);
    Source { name: name.to_owned(), state, text, blind, advice }
}

/// A desktop with a compositor, a client and something that only the kernel holds.
fn desktop() -> Snapshot {
    let mut shared =
        buffer(12, 8 << 20, 7, vec![holder(812, "compositor", &[31, 32], 1), holder(900, "player", &[9], 0)]);
    shared.name = Some("scanout".to_owned());
    shared.attachments = Some(vec![
        Attachment { device: "0000:00:02.0".to_owned(), count: 1 },
        Attachment { device: "vgem".to_owned(), count: 2 },
    ]);
    shared.holders[1].path_fds = vec![12];
    let client = Client {
        node: "/dev/dri/renderD128".to_owned(),
        major: 226,
        minor: 128,
        client: Some(41),
        driver: "amdgpu".to_owned(),
        pdev: "0000:0b:00.0".to_owned(),
        users: vec![
            ClientUser { pid: 812, process: "compositor".to_owned(), fds: vec![11, 12] },
            ClientUser { pid: 900, process: "player".to_owned(), fds: vec![4] },
        ],
        memory: vec![
            Region {
                region: "vram".to_owned(),
                total: Some(96 << 20),
                resident: Some(90 << 20),
                shared: Some(8 << 20),
                ..Region::default()
            },
            Region { region: "gtt".to_owned(), total: Some(0), ..Region::default() },
        ],
        ..Client::default()
    };
    let bare = Client {
        node: "/dev/dri/card1".to_owned(),
        major: 226,
        minor: 1,
        users: vec![ClientUser { pid: 900, process: "player".to_owned(), fds: vec![5] }],
        ..Client::default()
    };
    let process = |pid, name: &str, sync_files| Process {
        pid,
        process: name.to_owned(),
        start: u64::from(pid) * 10,
        sync_files,
    };
    Snapshot {
        header: Header {
            schema: 1,
            gemscope: "0.1.0".to_owned(),
            kernel: Kernel { release: "6.18.1".to_owned(), machine: "x86_64".to_owned() },
            boot: "b-1".to_owned(),
            time_s: 1_790_000_000,
            took_us: 12_345,
            user: User { uid: 0, name: "root".to_owned() },
            complete: true,
            looked_at: 212,
            unreadable: 0,
            sources: vec![
                source("processes", SourceState::Read, ["212 processes", "", ""]),
                source("kernel-list", SourceState::Read, ["3 dma-bufs", "", ""]),
                source("bufinfo", SourceState::Read, ["3 dma-bufs", "", ""]),
            ],
            filters: Vec::new(),
        },
        processes: vec![process(812, "compositor", 3), process(900, "player", 0)],
        buffers: vec![
            shared,
            buffer(13, 16384, 3, Vec::new()),
            buffer(14, 65536, 1, vec![holder(900, "player", &[10], 0)]),
        ],
        clients: vec![client, bare],
    }
}

/// Names that should do harm.
fn hostile() -> Snapshot {
    let long = "A".repeat(10_000);
    let names = [
        "\x1b[31mred\x1b]0;t\x07",
        "a\u{202e}b\u{200b}",
        "=cmd|'/c calc'!A1",
        &long,
        "a,b\"c\nd",
        "+1",
        "@x",
    ];
    let mut taken = desktop();
    taken.header.complete = false;
    taken.header.user = User { uid: 1000, name: names[0].to_owned() };
    taken.header.sources[0] = source(
        "processes",
        SourceState::Partial,
        ["3 of 9 could not be read", "what they hold is not seen", "run it as root"],
    );
    taken.header.kernel.release = names[0].to_owned();
    taken.header.filters = vec![names[1].to_owned()];
    taken.processes.clear();
    taken.buffers.clear();
    for (pid, name) in (1u32..).zip(names) {
        taken.processes.push(Process { pid, process: name.to_owned(), start: 1, sync_files: 1 });
        let mut one = buffer(u64::from(pid), 4096, 2, vec![holder(pid, name, &[3], 0)]);
        one.exporter = Some(name.to_owned());
        one.name = Some(name.to_owned());
        one.attachments = Some(vec![Attachment { device: name.to_owned(), count: 1 }]);
        taken.buffers.push(one);
    }
    let name = || names[0].to_owned();
    taken.clients = vec![Client {
        node: format!("/dev/dri/{}", names[1]),
        driver: name(),
        name: names[2].to_owned(),
        users: vec![ClientUser { pid: 1, process: name(), fds: vec![1] }],
        memory: vec![Region { region: name(), total: Some(1), ..Region::default() }],
        ..Client::default()
    }];
    taken
}

fn told(snapshot: &Snapshot, by: By) -> String {
    let mut out = String::new();
    text(&mut out, snapshot, by, &Palette::plain()).unwrap();
    out
}

fn lines(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, snapshot).unwrap();
    out
}

#[test]
fn as_a_tree_of_buffers() {
    assert_data_eq!(told(&desktop(), By::Buffer), file!["golden/snapshot.txt"].raw());
}

#[test]
fn as_a_tree_of_processes() {
    assert_data_eq!(told(&desktop(), By::Process), file!["golden/snapshot-by-process.txt"].raw());
}

#[test]
fn as_json_lines_and_back() {
    let json = lines(&desktop());
    assert_data_eq!(String::from_utf8(json.clone()).unwrap(), file!["golden/snapshot.jsonl"].raw());
    assert_eq!(read(&json).unwrap(), desktop());
    assert_eq!(read(&lines(&hostile())).unwrap(), hostile());
}

#[test]
fn lines_obey_the_schema() {
    let obeys = |name: &str, text: &[u8]| {
        let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let value = serde_json::from_slice(line).unwrap();
            assert!(validator.is_valid(&value), "{name}: {value}");
        }
    };
    for taken in [desktop(), hostile(), Snapshot::default()] {
        obeys("snapshot", &lines(&taken));
    }
    let mut json = Vec::new();
    diff_json(&mut json, &diff(&desktop(), &later())).unwrap();
    obeys("snapshot-diff", &json);
}

#[test]
fn as_a_grid() {
    let csv = String::from_utf8(grid(&desktop()).unwrap()).unwrap();
    assert_data_eq!(csv, file!["golden/snapshot.csv"].raw());
}

/// Fit for a terminal: no escape, nothing that reorders, no line longer than names may be.
#[track_caller]
fn harmless(text: &str) {
    assert!(!text.chars().any(|c| c != '\n' && escape::is_hostile(c)), "{text}");
    assert!(text.lines().all(|l| l.len() < 4000), "{text}");
}

#[test]
fn hostile_names_are_text() {
    let taken = hostile();
    harmless(&told(&taken, By::Buffer));
    harmless(&told(&taken, By::Process));
    let json = String::from_utf8(lines(&taken)).unwrap();
    assert!(!json.chars().any(|c| c != '\n' && escape::is_hostile(c)), "{json}");
    let csv = String::from_utf8(grid(&taken).unwrap()).unwrap();
    harmless(&csv);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), taken.buffers.len());
    for cell in rows.iter().flatten().chain(&head) {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
    let mut out = String::new();
    diff_text(&mut out, &diff(&Snapshot::default(), &taken), &Palette::plain()).unwrap();
    harmless(&out);
}

#[test]
fn order_and_narrowing() {
    let order = |sort| {
        let mut taken = desktop();
        Selection { sort, ..Selection::default() }.apply(&mut taken);
        taken.buffers.iter().map(|b| b.inode).collect::<Vec<_>>()
    };
    assert_eq!(order(Sort::Size), [12, 14, 13]);
    assert_eq!(order(Sort::Holders), [12, 14, 13]);
    assert_eq!(order(Sort::Inode), [12, 13, 14]);

    let mut taken = desktop();
    Selection { comms: vec!["compositor".to_owned()], ..Selection::default() }.apply(&mut taken);
    // Who else holds what it holds stays, and what only others hold goes.
    assert_eq!(taken.buffers.iter().map(|b| (b.inode, b.holders.len())).collect::<Vec<_>>(), [(12, 2)]);
    assert_eq!((taken.clients.len(), taken.processes.len()), (1, 2));
    assert_eq!(taken.header.filters, ["--comm compositor"]);
    let mut none = desktop();
    Selection { pids: vec![1], ..Selection::default() }.apply(&mut none);
    assert!(none.buffers.is_empty() && none.clients.is_empty() && none.processes.is_empty());
}

/// The desktop ten seconds on: a window was closed, the player leaks, a process has another's number.
fn later() -> Snapshot {
    let mut now = desktop();
    now.header.time_s += 10;
    now.buffers.remove(1);
    now.buffers[1].holders[0].fds = vec![10, 15, 16];
    now.buffers[1].references = References { total: Some(3), fds: 3, mappings: 0, other: Some(0) };
    now.buffers.push(buffer(20, 1 << 20, 1, vec![holder(900, "player", &[20], 0)]));
    now.processes[0].sync_files = 9;
    now.clients[0].memory[0].total = Some(128 << 20);
    now
}

#[test]
fn what_lies_between_two() {
    let mut out = String::new();
    diff_text(&mut out, &diff(&desktop(), &later()), &Palette::plain()).unwrap();
    assert_data_eq!(out, file!["golden/snapshot-diff.txt"].raw());
    let mut json = Vec::new();
    diff_json(&mut json, &diff(&desktop(), &later())).unwrap();
    assert_data_eq!(String::from_utf8(json).unwrap(), file!["golden/snapshot-diff.jsonl"].raw());
}

#[test]
fn nothing_lies_between_a_snapshot_and_itself() {
    let none = diff(&desktop(), &desktop());
    assert!(none.of_buffers.is_empty() && none.of_processes.is_empty() && none.of_clients.is_empty());
    assert!(none.notes.is_empty());
}

#[test]
fn another_boot_has_nothing_in_common() {
    let mut now = desktop();
    now.header.boot = "b-2".to_owned();
    let all = diff(&desktop(), &now);
    assert!(all.notes[0].contains("two boots"), "{:?}", all.notes);
    assert!(all.of_buffers.iter().all(|b| matches!(b.change, Change::New | Change::Gone)));
    assert_eq!(all.of_buffers.len(), 6);
}

#[test]
fn a_number_given_out_again_is_another_process() {
    let mut now = desktop();
    now.processes[1].start += 5;
    let changes = diff(&desktop(), &now).of_processes;
    let told: Vec<_> = changes.iter().map(|c| (c.pid, c.change)).collect();
    assert_eq!(told, [(900, Change::New), (900, Change::Gone)]);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let whole = lines(&desktop());
    assert_eq!(read(b""), Err(ReadError::NotOne));
    assert_eq!(read(b"hello"), Err(ReadError::NotOne));
    assert_eq!(read(b"{\"type\":\"header\"}"), Err(ReadError::NotOne));
    assert_eq!(read(b"{\"type\":\"snapshot\",\"schema\":9}"), Err(ReadError::Newer(9)));
    for end in 0..whole.len() - 1 {
        assert!(read(&whole[..end]).is_err(), "{end}");
    }
    // Lines and fields of later versions are passed over.
    let more =
        [b"{\"type\":\"snapshot\",\"later\":1}\n{\"type\":\"later\"}\n".as_slice(), b"{\"type\":\"totals\"}"]
            .concat();
    assert_eq!(read(&more), Ok(Snapshot::default()));
    let wrong = b"{\"type\":\"snapshot\"}\n{\"type\":\"buffer\",\"inode\":-1}\n";
    assert!(matches!(read(wrong), Err(ReadError::Line(2, _))));
    // Sums of whatever a file says do not overflow.
    let big = Buffer { bytes: u64::MAX, holders: vec![holder(1, "a", &[1], 1)], ..Buffer::default() };
    let huge = Snapshot { buffers: vec![big.clone(), Buffer { inode: 1, ..big }], ..desktop() };
    assert_eq!(huge.bytes(), u64::MAX);
    told(&huge, By::Process);
    told(&huge, By::Buffer);
    assert!(diff(&huge, &huge).of_buffers.is_empty());
}
