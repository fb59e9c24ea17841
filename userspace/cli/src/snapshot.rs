//! From what was read of the machine to a snapshot: who holds which dma-buf, and which references nothing explains.

use std::collections::BTreeMap;

use gemscope_live::snapshot::{BufinfoEntry, DrmFd, Gathered, Host, Lack, Process as Seen, fdinfo};
use gemscope_report::snapshot::{
    Attachment, Buffer, Client, ClientUser, Header, HeldBy, Holder, Kernel, Process, References, Region,
    Snapshot, Source, SourceState, User,
};
use gemscope_report::{number, plural};

/// What is not known without each of the sources.
const NO_LIST: &str = "dma-bufs that only the kernel holds are not seen";
const NO_BUFINFO: &str = "attached devices are not known";

/// Puts together what was read.
pub fn join(gathered: &Gathered) -> Snapshot {
    let complete_walk = gathered.walk.unreadable == 0 && !gathered.hidden;
    let sources = sources(gathered);
    let complete = sources.iter().all(|s| s.state == SourceState::Read || s.blind.is_empty());
    let Host { release, machine, boot, uid, user } = gathered.host.clone();
    let processes = gathered.walk.processes.iter();
    Snapshot {
        header: Header {
            gemscope: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: Kernel { release, machine },
            boot,
            time_s: gathered.time_s,
            took_us: u64::try_from(gathered.took.as_micros()).unwrap_or(u64::MAX),
            user: User { uid, name: user },
            complete,
            looked_at: gathered.walk.looked_at,
            unreadable: gathered.walk.unreadable,
            sources,
            ..Header::default()
        },
        processes: processes
            .map(|p| Process {
                pid: p.pid,
                process: lossy(&p.comm),
                start: p.start,
                sync_files: p.sync_files,
            })
            .collect(),
        buffers: buffers(gathered, complete_walk),
        clients: clients(&gathered.walk.processes),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn sources(gathered: &Gathered) -> Vec<Source> {
    let source =
        |name: &str, state, text: String| Source { name: name.to_owned(), state, text, ..Source::default() };
    let mut all = Vec::new();
    let walk = &gathered.walk;
    let looked = plural(u64::from(walk.looked_at), "process", "processes");
    let mut processes = source("processes", SourceState::Read, looked.clone());
    if walk.unreadable > 0 {
        processes.state = SourceState::Partial;
        processes.text = format!("{} of {looked} could not be read", number(u64::from(walk.unreadable)));
        processes.blind = "what they hold is not seen".to_owned();
        let advice = if gathered.host.uid == 0 {
            "root in a container may not look at all: run it outside, with CAP_SYS_PTRACE"
        } else {
            "run it as root"
        };
        processes.advice = advice.to_owned();
    }
    if gathered.hidden {
        processes.state = SourceState::Partial;
        processes.text.push_str(", and `/proc` does not show all processes");
        processes.blind = "what the others hold is not seen".to_owned();
        processes.advice = "run it as root in the initial pid namespace".to_owned();
    }
    all.push(processes);
    // Each of the two lists every dma-buf; only one of them knows the attached devices.
    let missing = |name: &str, lack: &Lack, blind: &str| Source {
        blind: blind.to_owned(),
        advice: if blind.is_empty() { String::new() } else { lack.fix.clone() },
        ..source(name, SourceState::Missing, lack.why.clone())
    };
    all.push(match &gathered.list {
        Ok(list) => {
            source("kernel-list", SourceState::Read, plural(list.len() as u64, "dma-buf", "dma-bufs"))
        }
        Err(lack) => missing("kernel-list", lack, if gathered.bufinfo.is_ok() { "" } else { NO_LIST }),
    });
    all.push(match &gathered.bufinfo {
        Ok(info) => source("bufinfo", SourceState::Read, plural(info.len() as u64, "dma-buf", "dma-bufs")),
        Err(lack) => missing("bufinfo", lack, NO_BUFINFO),
    });
    all
}

fn buffers(gathered: &Gathered, complete_walk: bool) -> Vec<Buffer> {
    let mut all: BTreeMap<u64, Buffer> = BTreeMap::new();
    let entry = |all: &mut BTreeMap<u64, Buffer>, inode: u64, bytes: u64| {
        let buffer = all.entry(inode).or_insert_with(|| Buffer { inode, ..Buffer::default() });
        buffer.bytes = buffer.bytes.max(bytes);
    };
    for (ino, size) in gathered.list.iter().flatten() {
        entry(&mut all, *ino, *size);
    }
    for info in gathered.bufinfo.iter().flatten() {
        entry(&mut all, info.ino, info.size);
        let Some(buffer) = all.get_mut(&info.ino) else { continue };
        let BufinfoEntry { size: _, count, ino: _, exporter, name, devices } = info;
        buffer.references.total = Some(*count);
        buffer.exporter = Some(lossy(exporter));
        buffer.name = Some(lossy(name));
        buffer.attachments = Some(attachments(devices));
    }
    for process in &gathered.walk.processes {
        for fd in &process.fds {
            entry(&mut all, fd.ino, fd.size);
        }
        for mapping in &process.mappings {
            // Of a buffer that is only mapped the size is not known: a mapping may be a part of it.
            all.entry(mapping.ino).or_insert_with(|| Buffer { inode: mapping.ino, ..Buffer::default() });
        }
        hold(&mut all, process);
    }
    for buffer in all.values_mut() {
        let References { total, fds, mappings, .. } = buffer.references;
        buffer.references.other = total.map(|t| t.saturating_sub(fds.saturating_add(mappings)));
        buffer.held_by = match (buffer.holders.iter().any(Holder::holds), complete_walk) {
            (true, _) => HeldBy::Processes,
            (false, true) => HeldBy::Kernel,
            (false, false) => HeldBy::Unknown,
        };
    }
    all.into_values().collect()
}

/// What one process has of every dma-buf.
fn hold(all: &mut BTreeMap<u64, Buffer>, process: &Seen) {
    let new = || Holder { pid: process.pid, process: lossy(&process.comm), ..Holder::default() };
    let mut held: BTreeMap<u64, Holder> = BTreeMap::new();
    for fd in &process.fds {
        let holder = held.entry(fd.ino).or_insert_with(new);
        if fd.path {
            holder.path_fds.push(fd.fd)
        } else {
            holder.fds.push(fd.fd)
        }
        let Some(buffer) = all.get_mut(&fd.ino) else { continue };
        if let Some(fdinfo::DmabufInfo { size: _, count, exporter, name }) = &fd.info {
            // Of two counts the later one is as good, and both are those of one buffer.
            buffer.references.total = Some(*count);
            buffer.exporter = Some(lossy(exporter));
            buffer.name = Some(lossy(name));
        }
    }
    for mapping in &process.mappings {
        let holder = held.entry(mapping.ino).or_insert_with(new);
        holder.mappings += 1;
        holder.mapped_bytes = holder.mapped_bytes.saturating_add(mapping.bytes);
    }
    for (ino, holder) in held {
        let Some(buffer) = all.get_mut(&ino) else { continue };
        buffer.references.fds += holder.fds.len() as u64;
        buffer.references.mappings += holder.mappings;
        buffer.holders.push(holder);
    }
}

/// The devices, each once.
fn attachments(devices: &[Vec<u8>]) -> Vec<Attachment> {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for device in devices {
        *counted.entry(lossy(device)).or_default() += 1;
    }
    counted.into_iter().map(|(device, count)| Attachment { device, count }).collect()
}

/// The open DRM files: one for each client id of a device, or one for each process where the driver tells no id.
fn clients(processes: &[Seen]) -> Vec<Client> {
    let mut all: BTreeMap<(u32, u32, Option<u64>, u32), Client> = BTreeMap::new();
    for process in processes {
        for fd in &process.drm {
            let DrmFd { fd: number, major, minor, node, info } = fd;
            let whose = if info.client.is_some() { 0 } else { process.pid };
            let client = all.entry((*major, *minor, info.client, whose)).or_insert_with(|| Client {
                node: lossy(node),
                major: *major,
                minor: *minor,
                client: info.client,
                driver: lossy(&info.driver),
                pdev: lossy(&info.pdev),
                name: lossy(&info.name),
                users: Vec::new(),
                memory: info.regions.iter().map(region).collect(),
            });
            match client.users.iter_mut().find(|u| u.pid == process.pid) {
                Some(user) => user.fds.push(*number),
                None => client.users.push(ClientUser {
                    pid: process.pid,
                    process: lossy(&process.comm),
                    fds: vec![*number],
                }),
            }
        }
    }
    all.into_values().collect()
}

fn region(region: &fdinfo::Region) -> Region {
    let fdinfo::Region { name, total, shared, resident, purgeable, active } = region;
    Region {
        region: lossy(name),
        total: *total,
        shared: *shared,
        resident: *resident,
        purgeable: *purgeable,
        active: *active,
    }
}

#[cfg(test)]
mod tests;
