//! Two snapshots beside each other: what is new, what is gone, what grew.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::{Buffer, Client, Process, Snapshot};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// it was not there before
    New,
    /// it is not there any more
    Gone,
    /// it has more of something, and less of nothing
    Grew,
    /// it has less of something, and more of nothing
    Shrank,
    /// more of one thing and less of another
    Changed,
}

/// A number before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// before
    pub before: u64,
    /// after
    pub after: u64,
}

/// A dma-buf that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BufferChange {
    /// what became of it
    pub change: Change,
    /// as it is now, or was last
    pub buffer: Buffer,
    /// processes that hold it
    pub processes: Moved,
    /// fds
    pub fds: Moved,
    /// mappings
    pub mappings: Moved,
    /// references, where both snapshots know them
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<Moved>,
}

/// A process that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessChange {
    /// what became of what it has
    pub change: Change,
    /// the process
    pub pid: u32,
    /// its name
    pub process: String,
    /// dma-bufs that it holds
    pub buffers: Moved,
    /// their sizes in all
    pub bytes: Moved,
    /// fds of dma-bufs
    pub fds: Moved,
    /// mappings of dma-bufs
    pub mappings: Moved,
    /// fds of sync_files
    pub sync_files: Moved,
}

/// A DRM file whose memory changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClientChange {
    /// what became of it
    pub change: Change,
    /// as it is now, or was last
    pub client: Client,
    /// its memory in all regions
    pub bytes: Moved,
}

/// What lies between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// seconds from the first to the second
    pub seconds: i64,
    /// reasons why the two cannot be compared in full
    pub notes: Vec<String>,
    /// all dma-bufs
    pub buffers: Moved,
    /// their sizes in all
    pub bytes: Moved,
    /// dma-bufs that changed: new, gone, the others; by inode number
    pub of_buffers: Vec<BufferChange>,
    /// processes that changed, by number
    pub of_processes: Vec<ProcessChange>,
    /// DRM files that changed
    pub of_clients: Vec<ClientChange>,
}

impl Moved {
    const fn new(before: u64, after: u64) -> Self {
        Self { before, after }
    }
}

/// What these pairs of numbers amount to; `None` when all are equal.
fn change(numbers: &[Moved]) -> Option<Change> {
    let up = numbers.iter().any(|m| m.after > m.before);
    let down = numbers.iter().any(|m| m.after < m.before);
    match (up, down) {
        (false, false) => None,
        (true, false) => Some(Change::Grew),
        (false, true) => Some(Change::Shrank),
        (true, true) => Some(Change::Changed),
    }
}

/// Compares two snapshots, the older one first.
#[must_use]
pub fn diff(a: &Snapshot, b: &Snapshot) -> Diff {
    let mut notes = Vec::new();
    if a.header.boot != b.header.boot {
        notes.push(
            "they are of two boots or machines: nothing of the first is in the second, whatever the numbers"
                .to_owned(),
        );
    }
    for (which, header) in [("first", &a.header), ("second", &b.header)] {
        if !header.complete {
            notes.push(format!("the {which} did not see everything: what it lacks may have been there"));
        }
    }
    if a.header.filters != b.header.filters {
        notes.push("they were narrowed differently: what one left out looks new or gone".to_owned());
    }
    let seconds = |s: u64| i64::try_from(s).unwrap_or(i64::MAX);
    let same_boot = a.header.boot == b.header.boot;
    Diff {
        seconds: seconds(b.header.time_s).saturating_sub(seconds(a.header.time_s)),
        notes,
        buffers: Moved::new(a.buffers.len() as u64, b.buffers.len() as u64),
        bytes: Moved::new(a.bytes(), b.bytes()),
        of_buffers: buffers(a, b, same_boot),
        of_processes: processes(a, b, same_boot),
        of_clients: clients(a, b, same_boot),
    }
}

/// What is there before, and after.
type Pair<'a, T> = (Option<&'a T>, Option<&'a T>);

/// Everything of both by key; what has a key twice keeps its last.
fn paired<'a, T, K: Ord + Clone>(
    a: &'a [T],
    b: &'a [T],
    same_boot: bool,
    key: impl Fn(&T) -> K,
) -> Vec<Pair<'a, T>> {
    let mut all: BTreeMap<(K, bool), Pair<'_, T>> = BTreeMap::new();
    for item in a {
        all.entry((key(item), false)).or_default().0 = Some(item);
    }
    for item in b {
        // Of another boot nothing is the same.
        all.entry((key(item), !same_boot)).or_default().1 = Some(item);
    }
    all.into_values().collect()
}

/// What became of one of a pair, when numbers of both are compared.
fn became<T>(a: Option<&T>, b: Option<&T>, numbers: &[Moved]) -> Option<Change> {
    match (a, b) {
        (None, Some(_)) => Some(Change::New),
        (Some(_), None) => Some(Change::Gone),
        _ => change(numbers),
    }
}

fn buffers(a: &Snapshot, b: &Snapshot, same_boot: bool) -> Vec<BufferChange> {
    let mut changes = Vec::new();
    for (a, b) in paired(&a.buffers, &b.buffers, same_boot, |b| (b.inode, b.bytes)) {
        let Some(buffer) = b.or(a) else { continue };
        let of = |f: fn(&Buffer) -> u64| Moved::new(a.map_or(0, f), b.map_or(0, f));
        let processes = of(|b| b.holders.iter().filter(|h| h.holds()).count() as u64);
        let (fds, mappings) = (of(|b| b.references.fds), of(|b| b.references.mappings));
        let total = |b: Option<&Buffer>| b.map_or(Some(0), |b| b.references.total);
        let references = total(a).zip(total(b)).map(|(before, after)| Moved { before, after });
        let numbers = [processes, fds, mappings, references.unwrap_or_default()];
        if let Some(change) = became(a, b, &numbers) {
            changes.push(BufferChange {
                change,
                buffer: buffer.clone(),
                processes,
                fds,
                mappings,
                references,
            });
        }
    }
    changes.sort_by_key(|c| (c.change, c.buffer.inode));
    changes
}

/// What a process has of dma-bufs: how many, bytes, fds, mappings.
fn holdings(snapshot: &Snapshot, pid: u32) -> [u64; 4] {
    let mut sums = [0u64; 4];
    for buffer in &snapshot.buffers {
        for holder in buffer.holders.iter().filter(|h| h.pid == pid && h.holds()) {
            let here = [1, buffer.bytes, holder.fds.len() as u64, holder.mappings];
            for (sum, more) in sums.iter_mut().zip(here) {
                *sum = sum.saturating_add(more);
            }
        }
    }
    sums
}

fn processes(a: &Snapshot, b: &Snapshot, same_boot: bool) -> Vec<ProcessChange> {
    let mut changes = Vec::new();
    // One number with two beginnings is two processes.
    for (before, after) in paired(&a.processes, &b.processes, same_boot, |p| (p.pid, p.start)) {
        let Some(process) = after.or(before) else { continue };
        let had = before.map_or([0; 4], |p| holdings(a, p.pid));
        let has = after.map_or([0; 4], |p| holdings(b, p.pid));
        let moved = |ix: usize| {
            let of = |numbers: &[u64; 4]| numbers.get(ix).copied().unwrap_or(0);
            Moved::new(of(&had), of(&has))
        };
        let sync = |p: Option<&Process>| p.map_or(0, |p| u64::from(p.sync_files));
        let sync_files = Moved::new(sync(before), sync(after));
        let [buffers, bytes, fds, mappings] = [moved(0), moved(1), moved(2), moved(3)];
        let numbers = [buffers, bytes, fds, mappings, sync_files];
        // A process that only has DRM files open is told with these.
        if let Some(change) = change(&numbers) {
            changes.push(ProcessChange {
                change: became(before, after, &numbers).unwrap_or(change),
                pid: process.pid,
                process: process.process.clone(),
                buffers,
                bytes,
                fds,
                mappings,
                sync_files,
            });
        }
    }
    changes.sort_by_key(|c| (c.pid, c.change));
    changes
}

fn clients(a: &Snapshot, b: &Snapshot, same_boot: bool) -> Vec<ClientChange> {
    let of = |c: &Client| c.memory.iter().filter_map(|r| r.total.or(r.resident)).fold(0, u64::saturating_add);
    // Without an id, a process's files of one device stand for it.
    let key = |c: &Client| {
        let pid = c.users.first().map_or(0, |u| u.pid);
        (c.major, c.minor, c.client, if c.client.is_some() { 0 } else { pid })
    };
    let mut changes = Vec::new();
    for (before, after) in paired(&a.clients, &b.clients, same_boot, key) {
        let Some(client) = after.or(before) else { continue };
        let bytes = Moved::new(before.map_or(0, of), after.map_or(0, of));
        if let Some(change) = became(before, after, &[bytes]) {
            changes.push(ClientChange { change, client: client.clone(), bytes });
        }
    }
    changes.sort_by_key(|c| c.change);
    changes
}
