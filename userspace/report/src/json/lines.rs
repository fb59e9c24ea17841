//! What the lines are made of. The doc comments here are the schema's descriptions.

use std::collections::BTreeMap;

use serde::Serialize;

/// One line of the report.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// The first line: whose rules, what was watched, what was not.
    Header(Box<Header>),
    /// A rule was broken, with the evidence.
    Finding(Box<Finding>),
    /// Legal today, and a bug in another era or one step further; no part of the answer.
    NearMiss(Box<Finding>),
    /// Something that the project asserted, and that is not so.
    Breach(Box<Breach>),
    /// Something that the project asserted, and that is so.
    Kept(Kept),
    /// Something that the project asserted, and that could not be judged: the answer cannot be clean.
    Unjudged(Kept),
    /// A suppression or a baseline entry, and what it set aside.
    Entry(Entry),
    /// Something that is told but not judged.
    Note(Note),
    /// The last line: the answer.
    Summary(Summary),
}

/// Whose rules, what was watched, what was not.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Header {
    /// version of these lines; fields are added without changing it
    pub schema: u32,
    /// version of gemscope that observed; empty when not known
    pub gemscope: String,
    /// the observed kernel
    pub kernel: Kernel,
    /// what was observed and what was not
    pub probes: Probes,
    /// rules that cannot be judged, one sentence each
    pub blinded: Vec<String>,
    /// filters that were active in the kernel: they blind
    pub filters: Vec<String>,
    /// the command traced; empty when there was none
    pub command: Vec<String>,
    /// what became of the command, in words; empty when not known
    pub command_status: String,
    /// root of the process tree that the verdict is about; 0 is everything
    pub scope_root_pid: u32,
    /// what was made of things open at exit: `strict`, `growth`, `ignore`
    pub at_exit: String,
    /// the trace that was read or written; empty when there is none
    pub trace: String,
    /// parts of the trace that could not be read, one sentence each
    pub damage: Vec<String>,
    /// anything else worth saying, one sentence each
    pub notes: Vec<String>,
}

/// The observed kernel and its rules.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// `uname -r`; empty when not known
    pub release: String,
    /// `uname -m`
    pub machine: String,
    /// distribution
    pub distro: String,
    /// the rule profile that was judged by
    pub profile: String,
    /// the profile of the recording, when another one was asked for
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_profile: Option<String>,
    /// features that backports carry
    pub features: Vec<String>,
}

/// What was observed and what was not.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probes {
    /// how many observed
    pub attached: usize,
    /// wanted and not available
    pub missing: Vec<Missing>,
    /// not asked for
    pub off: Vec<String>,
}

/// A probe that was wanted and not available.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Missing {
    /// stable name
    pub probe: String,
    /// why
    pub reason: String,
    /// what cannot be seen without it
    pub blind: String,
}

/// A rule was broken, with the evidence.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// running number, from 1
    pub number: u32,
    /// the rule's stable name
    pub rule: String,
    /// `leak`, `violation`, `misuse`, `near-miss`
    pub class: String,
    /// what was found, in one line
    pub title: String,
    /// false: loss could have changed it, and the verdict does not rest on it
    pub certain: bool,
    /// the kernel's own fields show it: no loss can make it wrong
    pub proven: bool,
    /// what it is about; for a group the first one
    pub entity: Entity,
    /// how many entities of the same stack it speaks for
    pub count: u64,
    /// their bytes together
    pub bytes: u64,
    /// the test of a test run that it belongs to, where that can be told
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// the event that broke the rule, or the last chance to keep it
    pub event: Event,
    /// the earlier event that it conflicts with; for leaks the acquisition
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Event>,
    /// who still holds the entity, at the moment of the finding; of a leak also who was seen to hold it at the end
    pub holders: Vec<Holder>,
    /// the entity's story so far, oldest first, without stacks
    pub life: Vec<Event>,
    /// what to do
    pub advice: String,
    /// what set it aside: it is no part of the answer then
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
}

/// What set a finding or a broken assertion aside.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SetAside {
    /// `suppression`, `baseline`
    pub by: String,
    /// what the entry is called: a suppression's name, a baseline entry's fingerprint
    pub name: String,
    /// why; empty when nobody said
    pub reason: String,
    /// where the entry is written
    pub place: String,
}

/// A test, as its runner names it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Test {
    /// `meson`, `ctest`, `cargo`, `nextest`, `igt`, `pytest`, `prove`, `make`
    pub runner: String,
    /// what the runner groups it by, where it does
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// its name
    pub name: String,
}

/// Something that the project asserted, and that is not so.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Breach {
    /// running number, on from those of the findings
    pub number: u32,
    /// the assertion's stable name: `steady-growth`, `growth-limit`, `age-limit`, `budget`, `shortfall`
    pub rule: String,
    /// always `assertion`
    pub class: String,
    /// what broke it, in one line
    pub title: String,
    /// false: loss could have changed it, and the verdict does not rest on it
    pub certain: bool,
    /// of what there is too much: `handles`, `dma-bufs`, `attachments`, `framebuffers`, `objects`, `bytes`
    pub kind: String,
    /// the marks by which it was judged; empty without
    pub series: String,
    /// how much there is; for limits of growth, by how much it grew
    pub count: u64,
    /// how much was allowed, for an age limit in nanoseconds
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// bytes of what is too much; 0 when not known
    pub bytes: u64,
    /// age of the oldest in nanoseconds, for an age limit
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ns: Option<u64>,
    /// how it grew, for steady growth
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slope: Option<Slope>,
    /// the same in words
    pub text: String,
    /// when it was seen
    pub at: Stamp,
    /// who contributed, most first
    pub shares: Vec<Share>,
    /// what to do
    pub advice: String,
    /// what set it aside: it is no part of the answer then
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
}

/// How something grew, judged by what survives.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Slope {
    /// survivors for each cycle
    pub per_cycle: f64,
    /// the least that it is, with the confidence
    pub low: f64,
    /// the most that it is, with the confidence
    pub high: f64,
    /// the confidence of the bounds, 0 to 1
    pub confidence: f64,
    /// cycles that were judged
    pub cycles: u32,
    /// in how many of them something was taken that is still there
    pub grew_in: u32,
    /// cycles that were left out at the beginning
    pub warm_up: u32,
}

/// What one call site contributed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// how many
    pub count: u64,
    /// their bytes
    pub bytes: u64,
    /// the taking of the oldest, with the stacks of the call site
    pub taken: Stamp,
    /// the taking of the newest
    pub newest: Stamp,
}

/// Something that the project asserted, and that is so; or that could not be judged.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kept {
    /// the assertion's stable name
    pub rule: String,
    /// what was asserted and what was seen, or why it could not be judged, in words
    pub text: String,
}

/// A suppression or a baseline entry, and what it set aside.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// what it is and where it is written
    #[serde(flatten)]
    pub entry: SetAside,
    /// the day from which it counts no more, as `2027-01-31`; empty for never
    pub expires: String,
    /// that day has come
    pub expired: bool,
    /// it could have set something aside, and did not
    pub unused: bool,
    /// findings and broken assertions that it set aside
    pub findings: u64,
    /// those that it would have, were they not more than it may hide: they stand
    pub beyond: u64,
    /// how many references they spoke for
    pub count: u64,
    /// their bytes
    pub bytes: u64,
}

/// Something with an identity.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entity {
    /// `file`, `object`, `handle`, `dma-buf`
    pub kind: String,
    /// in words
    pub text: String,
    /// number of the DRM file, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<u32>,
    /// the kernel's id of the DRM client, where it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<u64>,
    /// driver of the DRM file
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// minor index of the DRM file's node
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<u32>,
    /// the handle
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<u32>,
    /// how many times the handle's number was given out before
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// number of the object, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u32>,
    /// number of the dma-buf, by order of first sight
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dma_buf: Option<u32>,
    /// inode number of the dma-buf
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// id of the framebuffer
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framebuffer: Option<u32>,
    /// bytes; 0 when not known
    pub bytes: u64,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// what, in words
    pub what: String,
    /// when and by whom
    #[serde(flatten)]
    pub at: Stamp,
}

/// When and by whom.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamp {
    /// position of the record in the stream, from 1; 0 is before the recording
    pub seq: u64,
    /// nanoseconds since the start of the recording
    pub time_ns: u64,
    /// process id
    pub pid: u32,
    /// thread id
    pub tid: u32,
    /// name of the process; empty when not known
    pub process: String,
    /// kernel frames, innermost first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub kernel_stack: Vec<Frame>,
    /// user frames, innermost first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub user_stack: Vec<Frame>,
}

/// One frame of a stack. What is not known is left out.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frame {
    /// function
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// bytes from the function's start, or from the module's when there is no function
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// kernel module or path of the binary
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// source file
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// source line
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// functions inlined here, innermost first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub inlined: Vec<String>,
    /// the address, where it may be told
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
}

/// One reference that keeps an entity alive.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    /// `handle`, `link`, `cache`, `importer`, `exported`, `fd`, `path-fd`, `mapping`, `framebuffer`, `attachment`
    pub kind: String,
    /// in words
    pub text: String,
    /// the entity that holds or is held through it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// process that has the fd or mapping
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_pid: Option<u32>,
    /// its name, where that is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_process: Option<String>,
    /// the fd
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// the event that took it
    pub taken: Stamp,
}

/// Something that is told but not judged.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Note {
    /// stable name
    pub kind: String,
    /// how many
    pub count: u64,
    /// in words
    pub text: String,
    /// the dma-bufs that it speaks of, where they can be named
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub held: Vec<Held>,
}

/// A dma-buf that was still held at the end.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Held {
    /// the dma-buf
    pub entity: Entity,
    /// who holds it, and by what
    pub holders: Vec<Holder>,
}

/// The answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// `clean`, `findings`, `undecided`
    pub verdict: String,
    /// findings and broken assertions that are certain and not set aside
    pub certain: usize,
    /// findings and broken assertions that are neither
    pub uncertain: usize,
    /// broken assertions among both of them
    pub breaches: usize,
    /// findings and broken assertions that are set aside
    pub set_aside: usize,
    /// entities per rule, certain and uncertain together, without what is set aside; of an assertion how often it was broken
    pub by_rule: BTreeMap<String, u64>,
    /// near misses per rule
    pub near_misses: BTreeMap<String, u64>,
    /// what could have been missed
    pub doubts: Vec<Doubt>,
    /// records taken in
    pub records: u64,
    /// records lost on the way
    pub lost: u64,
    /// records of a newer gemscope that were skipped
    pub skipped: u64,
    /// entities older than the recording
    pub pre_existing: u64,
    /// what is alive at the end
    pub live: Live,
}

/// What is alive at the end of the records.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Live {
    /// DRM files
    pub files: usize,
    /// handles
    pub handles: usize,
    /// GEM objects
    pub objects: usize,
    /// dma-bufs
    pub dma_bufs: usize,
    /// attachments
    pub attachments: usize,
    /// framebuffers
    pub framebuffers: usize,
}

/// Why something could have been missed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Doubt {
    /// `lost`, `missed`, `gap`, `midway`, `still-running`, `unreadable`, `blind`, `open-calls`, `half-calls`
    pub kind: String,
    /// how many, where it counts
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// the probe, where it is about one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// in words
    pub text: String,
    /// what to do
    pub advice: String,
}
