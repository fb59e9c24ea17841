//! Who has which buffer now, without a trace before it: what `/proc`, the kernel's list of dma-bufs and debugfs say.
//!
//! What needs root is opened by [`open`]; everything is read by [`Opened::gather`], after privileges were given up. What
//! could not be read is told with the reason and never guessed.

mod bufinfo;
pub mod fdinfo;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gemscope_probes::plan::{self, PlanOptions};

pub use bufinfo::{BufinfoEntry, parse as parse_bufinfo};
pub use walk::{BufferFd, DrmFd, Mapping, Process, Walk};

use crate::dmabufs::{self, DmabufList};
use crate::options::Options;
use crate::scan::{self, When};
use crate::{gather, load};

/// What debugfs says of every dma-buf.
const BUFINFO: &str = "/sys/kernel/debug/dma_buf/bufinfo";

/// Something that could not be read: why, and what would help (empty when nothing would).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Why.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

impl Lack {
    fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

/// What is read with privileges, opened.
#[derive(Debug)]
pub struct Opened {
    lists: Result<(DmabufList, DmabufList), Lack>,
    host: Host,
}

/// The machine and the observer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// `uname -r`
    pub release: String,
    /// `uname -m`
    pub machine: String,
    /// Names this boot: inode numbers and pids mean something within one boot only.
    pub boot: String,
    /// The user as whom it was read.
    pub uid: u32,
    /// Their login name; empty when not known.
    pub user: String,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The machine and the observer.
    pub host: Host,
    /// When it began, seconds since 1970.
    pub time_s: u64,
    /// How long it took: nothing of this is one instant.
    pub took: Duration,
    /// The processes.
    pub walk: Walk,
    /// There may be processes that `/proc` does not show.
    pub hidden: bool,
    /// The kernel's own list, inode numbers with sizes: what was in it before and after the walk. What was born or freed
    /// meanwhile is not in it.
    pub list: Result<BTreeMap<u64, u64>, Lack>,
    /// What debugfs says, in the order of the kernel: what was there before and after the walk.
    pub bufinfo: Result<Vec<BufinfoEntry>, Lack>,
}

/// Opens what needs privileges. What cannot be had is part of the answer.
#[must_use]
pub fn open() -> Opened {
    Opened { lists: lists(), host: host() }
}

impl Opened {
    /// Reads everything.
    ///
    /// # Errors
    /// `/proc` itself could not be read.
    pub fn gather(self) -> io::Result<Gathered> {
        let begin = Instant::now();
        let time_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (before, after) = match self.lists {
            Ok((before, after)) => (Ok(before), Some(after)),
            Err(lack) => (Err(lack), None),
        };
        let before = before.and_then(|list| listed(list, When::Start));
        let info_before = read_bufinfo();

        let walk = walk::walk(Path::new("/proc"), scan::DMABUF)?;

        let info = info_before.and_then(|before| {
            let mut now = read_bufinfo()?;
            now.retain(|entry| before.iter().any(|b| b.ino == entry.ino));
            Ok(now)
        });
        let list = match (before, after) {
            (Ok(before), Some(after)) => listed(after, When::Settle).map(|mut now| {
                now.retain(|ino, _| before.contains_key(ino));
                now
            }),
            (before, _) => before,
        };
        Ok(Gathered {
            host: self.host,
            time_s,
            took: begin.elapsed(),
            walk,
            hidden: scan::hides_processes(),
            list,
            bufinfo: info,
        })
    }
}

fn listed(list: DmabufList, when: When) -> Result<BTreeMap<u64, u64>, Lack> {
    let seen = list.read(when).map_err(|e| Lack::new(format!("reading it failed: {e}"), ""))?;
    Ok(seen.into_iter().map(|s| (s.ino, s.size)).collect())
}

/// The iterator's two lists, without a probe being attached.
fn lists() -> Result<(DmabufList, DmabufList), Lack> {
    let offered = crate::kallsyms::text().is_ok_and(|text| dmabufs::is_offered(&text));
    if !offered {
        let why = "this kernel has no BPF iterator of dma-bufs: Linux 6.16 and later have it";
        return Err(Lack::new(why, ""));
    }
    let root = crate::prereq::privileges();
    if root.state == crate::prereq::State::Missing {
        return Err(Lack::new("loading a BPF program needs root", root.fix));
    }
    let failed = |why: String| Lack::new(why, "`gemscope doctor` says what this kernel offers");
    let facts = gather::kernel_facts().map_err(|e| failed(e.to_string()))?;
    // Of the plan only the offsets of fields are of use: nothing is attached.
    let plan = plan::plan(&facts, &PlanOptions::default());
    let options = Options { ring_bytes: rustix::param::page_size(), ..Options::default() };
    let mut ebpf = load::load(&plan, &options).map_err(|e| failed(e.to_string()))?;
    dmabufs::lists(&mut ebpf).map_err(failed)
}

fn read_bufinfo() -> Result<Vec<BufinfoEntry>, Lack> {
    let text = fs::read(BUFINFO).map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied => "run it as root",
            io::ErrorKind::NotFound if !Path::new("/sys/kernel/debug/dma_buf").exists() => {
                "mount debugfs: `mount -t debugfs debugfs /sys/kernel/debug`"
            }
            _ => "",
        };
        Lack::new(format!("`{BUFINFO}` could not be read: {error}"), fix)
    })?;
    bufinfo::parse(&text).ok_or_else(|| Lack::new(format!("`{BUFINFO}` is not as expected"), ""))
}

fn host() -> Host {
    let uname = rustix::system::uname();
    let uid = nix::unistd::Uid::effective();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Host {
        release: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        boot: boot.trim().to_owned(),
        uid: uid.as_raw(),
        user: nix::unistd::User::from_uid(uid).ok().flatten().map(|u| u.name).unwrap_or_default(),
    }
}
