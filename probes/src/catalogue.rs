//! The catalogue: one row per kernel probe.
//!
//! A row says everything about a probe that is not code: what it is attached to, on which kernels, what it reads
//! and needs, which rules and findings rest on it, and what is blind without it. The attach plan, `gemscope probes`,
//! `gemscope doctor` and the prototype checks are all made from these rows. It does not say how a record is laid
//! out: that is [`ProbeId::layout`].

mod dmabuf;
mod gem;
mod handle;
mod prime;
mod process;

use gemscope_common::{Phase, ProbeId};

use crate::fields::Field;

/// Everything about one probe.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The probe's stable number.
    pub id: ProbeId,
    /// What it is attached to: *every* target that the kernel has.
    pub targets: &'static [Target],
    /// C prototypes that the programs were written for; a function whose BTF matches none of them is refused.
    pub prototypes: &'static [&'static str],
    /// What the record holds beyond the header, in words.
    pub captures: &'static str,
    /// Fields without which the probe's records mean nothing: it is not attached when one is unknown.
    pub required: &'static [Field],
    /// Fields that are read when known and left zero when not, in groups.
    pub optional: &'static [&'static [Field]],
    /// Which records come of one hit.
    pub emits: Emits,
    /// The stacks that are taken, and at which phase.
    pub stacks: Option<Stacks>,
    /// Fires too often to be on by default.
    pub hot: bool,
    /// Numbers of the rules (R1-R63) that rest on this probe.
    pub rules: &'static [u8],
    /// Stable names of the findings that rest on this probe.
    pub findings: &'static [&'static str],
    /// What cannot be seen without it: one sentence for reports.
    pub blind: &'static str,
    /// Where the symbol may exist and yet not be called: what a self-check has to look at. Empty when it is safe.
    pub caution: &'static str,
}

/// Alternatives for one place in the kernel: the first symbol that exists is the one.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// By falling preference.
    pub symbols: &'static [Symbol],
}

/// A kernel function that a probe may sit on.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    /// Name in kallsyms.
    pub name: &'static str,
    /// The module it lives in where DRM is a module; `vmlinux` for the kernel itself.
    pub module: &'static str,
    /// The kernels that have it, in words.
    pub kernels: &'static str,
}

/// Which records come of one hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emits {
    /// One record at entry; there is no return probe.
    Point,
    /// One record at entry and one at return.
    Bracket,
    /// One record at return; the program at entry only keeps the arguments.
    Return,
}

impl Emits {
    /// The phases of the records, in order.
    #[must_use]
    pub const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Point => &[Phase::Point],
            Self::Bracket => &[Phase::Entry, Phase::Return],
            Self::Return => &[Phase::Return],
        }
    }
}

/// The stacks that a probe takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stacks {
    /// The phase whose record carries them.
    pub at: Phase,
    /// The kernel's stack too, not only the program's.
    pub kernel: bool,
}

/// How a BPF program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// At a function's entry.
    Kprobe,
    /// At a function's return.
    Kretprobe,
}

/// A BPF program of the object file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Program {
    /// Its name in the object file.
    pub name: String,
    /// How it is attached.
    pub kind: ProgramKind,
}

impl Row {
    /// The BPF programs of this probe: the probe's name with `_` for `-`, and `_e` at entry, `_r` at return.
    #[must_use]
    pub fn programs(&self) -> Vec<Program> {
        let base = self.id.name().replace('-', "_");
        let program = |suffix: &str, kind| Program { name: format!("{base}{suffix}"), kind };
        match self.emits {
            Emits::Point => vec![program("_e", ProgramKind::Kprobe)],
            Emits::Bracket | Emits::Return => {
                vec![program("_e", ProgramKind::Kprobe), program("_r", ProgramKind::Kretprobe)]
            }
        }
    }

    /// Every symbol that the row names, with all alternatives.
    pub fn symbols(&self) -> impl Iterator<Item = &'static Symbol> + use<> {
        self.targets.iter().flat_map(|t| t.symbols)
    }

    /// Every field the programs read, required ones first.
    pub fn fields(&self) -> impl Iterator<Item = Field> + use<> {
        self.required.iter().chain(self.optional.iter().copied().flatten()).copied()
    }

    /// The row of a probe; `None` for the ones that user space makes.
    #[must_use]
    pub fn of(id: ProbeId) -> Option<&'static Self> {
        rows().find(|row| row.id == id)
    }
}

/// Every row, by rising probe number.
pub fn rows() -> impl Iterator<Item = &'static Row> + Clone {
    GROUPS.iter().flat_map(|group| group.iter())
}

const GROUPS: [&[Row]; 5] = [gem::ROWS, handle::ROWS, prime::ROWS, dmabuf::ROWS, process::ROWS];

/// Values that the programs need beside the field offsets: addresses of kernel symbols, as `u64` globals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The BPF object's global; 0 when the address is not known.
    pub global: &'static str,
    /// Name in kallsyms.
    pub symbol: &'static str,
    /// What it is compared with.
    pub purpose: &'static str,
    /// The probe that cannot work without it, if any.
    pub required_by: Option<ProbeId>,
}

/// Every address that the programs compare with.
pub const ADDRESSES: &[Address] = &[
    Address {
        global: "ADDR_DMA_BUF_FOPS",
        symbol: "dma_buf_fops",
        purpose: "file->f_op of a dma-buf fd",
        required_by: Some(ProbeId::BufFdClose),
    },
    Address {
        global: "ADDR_GEM_DMABUF_RELEASE",
        symbol: "drm_gem_dmabuf_release",
        purpose: "dma_buf->ops->release of a GEM exporter",
        required_by: None,
    },
];

/// Findings that rest on one field: where it is not known they are not seen, whatever probes there are.
pub const RESTS_ON: &[(Field, &[&str])] =
    &[(Field::ResvOwner, &["reservation-held", "reservation-not-held"])];

/// The rules that kernel behaviour is judged by; rows may serve no other number.
pub const RULES: &[u8] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    29, 30, 31, 32, 33, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 60, 61, 62, 63,
];

// What the rows are written with.

/// Starting point of every row.
const BASE: Row = Row {
    id: ProbeId::ObjectInit,
    targets: &[],
    prototypes: &[],
    captures: "",
    required: &[],
    optional: &[],
    emits: Emits::Point,
    stacks: None,
    hot: false,
    rules: &[],
    findings: &[],
    blind: "",
    caution: "",
};

const fn sym(name: &'static str, module: &'static str, kernels: &'static str) -> Symbol {
    Symbol { name, module, kernels }
}

/// A function that every supported kernel has in drm.ko.
const fn drm(name: &'static str) -> Symbol {
    sym(name, "drm", "all")
}

/// A function that every supported kernel has in vmlinux.
const fn core(name: &'static str) -> Symbol {
    sym(name, "vmlinux", "all")
}

const fn both(at: Phase) -> Option<Stacks> {
    Some(Stacks { at, kernel: true })
}

const fn user(at: Phase) -> Option<Stacks> {
    Some(Stacks { at, kernel: false })
}

/// The fields of a GEM object that records carry.
const GEM: &[Field] = &[
    Field::GemDev,
    Field::GemSize,
    Field::GemHandleCount,
    Field::GemName,
    Field::GemDmaBuf,
    Field::GemImportAttach,
    Field::GemRefcount,
];

/// From a DRM file to its device.
const FILE_DEV: &[Field] = &[Field::FileMinor, Field::MinorDev];

/// From a dma-buf to its public name, the inode number.
const INO: &[Field] = &[Field::BufFile, Field::FileInode, Field::InodeIno];
