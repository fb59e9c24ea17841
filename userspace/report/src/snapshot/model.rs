//! The data of a snapshot. The doc comments here are the schema's descriptions; the schema is committed as
//! `schema/snapshot.schema.json`, and fields are only ever added.

use serde::{Deserialize, Serialize};

/// Version of the lines.
pub(super) const SCHEMA: u32 = 1;

/// Who had which buffer at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When, where, and what could not be seen.
    pub header: Header,
    /// Processes that have something to do with buffers, by number.
    pub processes: Vec<Process>,
    /// The dma-bufs.
    pub buffers: Vec<Buffer>,
    /// The open DRM files.
    pub clients: Vec<Client>,
}

/// When, where, and what could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Header {
    /// version of these lines
    pub schema: u32,
    /// version of gemscope
    pub gemscope: String,
    /// the kernel
    pub kernel: Kernel,
    /// names this boot: inode numbers and pids mean something within one boot only
    pub boot: String,
    /// when it began, seconds since 1970
    pub time_s: u64,
    /// how long it took, in microseconds: nothing of this is one instant
    pub took_us: u64,
    /// as whom it was read
    pub user: User,
    /// was everything seen? The sources say what was not
    pub complete: bool,
    /// processes that were looked at, without kernel threads
    pub looked_at: u32,
    /// processes that could not be read
    pub unreadable: u32,
    /// what was read, and what could not be
    pub sources: Vec<Source>,
    /// what was asked for only; the rest is left out
    pub filters: Vec<String>,
}

/// The kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Kernel {
    /// `uname -r`
    pub release: String,
    /// `uname -m`
    pub machine: String,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct User {
    /// its number
    pub uid: u32,
    /// its login name; empty when not known
    pub name: String,
}

/// Something that is read for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Source {
    /// `processes`, `kernel-list`, `bufinfo`
    pub name: String,
    /// how much of it was read
    pub state: SourceState,
    /// what it gave; or why it could not be read
    pub text: String,
    /// what is not known without it; empty where another source tells the same
    pub blind: String,
    /// what to do about it; empty when there is nothing
    pub advice: String,
}

/// How much of a source was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// all of it
    Read,
    /// a part of it
    Partial,
    /// nothing of it
    #[default]
    Missing,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Process {
    /// its number
    pub pid: u32,
    /// its name
    pub process: String,
    /// when it began, in clock ticks since boot: with the number it names one process
    pub start: u64,
    /// fds of sync_files: fences, which hold no buffer
    pub sync_files: u32,
}

/// A dma-buf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Buffer {
    /// inode number: its public name
    pub inode: u64,
    /// size; 0 when not known
    pub bytes: u64,
    /// who exported it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter: Option<String>,
    /// the name that user space gave it; empty without one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// its references
    pub references: References,
    /// who holds it
    pub held_by: HeldBy,
    /// the processes that have it
    pub holders: Vec<Holder>,
    /// the devices that are attached; left out when that is not known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attachment>>,
}

/// References on the file of a dma-buf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct References {
    /// all of them, as the kernel counts; left out when not known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// by fds that were seen
    pub fds: u64,
    /// by mappings that were seen
    pub mappings: u64,
    /// what no fd and no mapping that was seen explains
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<u64>,
}

/// Who holds a dma-buf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    /// at least one process, by an fd or a mapping
    Processes,
    /// nobody in user space: a handle, framebuffer or importer
    Kernel,
    /// nobody that could be seen, and not everything could be
    #[default]
    Unknown,
}

/// What a process has of a dma-buf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Holder {
    /// the process
    pub pid: u32,
    /// its name
    pub process: String,
    /// fds
    pub fds: Vec<i32>,
    /// fds opened with `O_PATH`: they hold no reference
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path_fds: Vec<i32>,
    /// mappings
    pub mappings: u64,
    /// bytes that are mapped
    pub mapped_bytes: u64,
}

/// A device that is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Attachment {
    /// its name
    pub device: String,
    /// how often
    pub count: u64,
}

/// An open DRM file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Client {
    /// its node, as `/dev/dri/card0`
    pub node: String,
    /// major number of the device
    pub major: u32,
    /// minor number of the device
    pub minor: u32,
    /// the kernel's number of this open file; without it every fd of a process stands for itself, and two may be one file
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<u64>,
    /// driver; empty when it does not tell
    pub driver: String,
    /// the device's place on its bus; empty when the driver does not tell
    pub pdev: String,
    /// name that the client gave itself
    pub name: String,
    /// who has it open
    pub users: Vec<ClientUser>,
    /// its memory by region; empty when the driver does not tell
    pub memory: Vec<Region>,
}

/// A process that has a DRM file open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ClientUser {
    /// the process
    pub pid: u32,
    /// its name
    pub process: String,
    /// fds
    pub fds: Vec<i32>,
}

/// Memory of a DRM file in one region, in bytes. What the driver does not tell is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Region {
    /// as the driver calls it
    pub region: String,
    /// all
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// of buffers that more than one handle refers to
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<u64>,
    /// that is there
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
    /// that may be taken away
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purgeable: Option<u64>,
    /// that the device is at work with
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<u64>,
}

impl Holder {
    /// Does it keep the buffer alive? An `O_PATH` fd alone does not.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.fds.is_empty() || self.mappings > 0
    }
}

impl Header {
    /// Was every process looked at? Then what no process explains is in the kernel.
    #[must_use]
    pub fn saw_all_processes(&self) -> bool {
        self.sources.iter().any(|s| s.name == "processes" && s.state == SourceState::Read)
    }
}

impl Snapshot {
    /// Sum of the sizes of all dma-bufs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, b| sum.saturating_add(b.bytes))
    }

    /// The processes that hold a dma-buf, each once.
    #[must_use]
    pub fn holding(&self) -> usize {
        let pids = self.buffers.iter().flat_map(|b| &b.holders).filter(|h| h.holds()).map(|h| h.pid);
        pids.collect::<std::collections::BTreeSet<_>>().len()
    }
}
