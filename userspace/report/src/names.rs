//! Entities, processes, references and frames in words. Every name from outside passes through [`escape`].

use gemscope_common::kernel_str;
use gemscope_engine::{Doubt, Entity, Finding, Holder, HolderKind, Stamp};
use gemscope_policy::Kind;
use gemscope_trace::{Definitions, Frame, StackKind, Symbol};

use crate::attribution::{self, Test};
use crate::context::Context;
use crate::directory::{Directory, FileFacts};
use crate::escape;
use crate::judgement::Judgement;

/// Everything that is needed to call things by name.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// header facts
    pub context: &'a Context,
    /// what the engine said
    pub judgement: &'a Judgement,
    /// files and dma-bufs
    pub directory: &'a Directory,
    /// processes, stacks, symbols
    pub definitions: &'a Definitions,
}

impl Names<'_> {
    /// Name of a process, escaped; empty when not known.
    #[must_use]
    pub fn comm(&self, tgid: u32) -> String {
        if let Some(comm) = self.judgement.comms.get(&tgid) {
            return escape::name(comm);
        }
        self.definitions.process(tgid).map(|p| escape::name(p.comm.as_bytes())).unwrap_or_default()
    }

    /// `gemclient (pid 12)`
    #[must_use]
    pub fn process(&self, tgid: u32) -> String {
        match self.comm(tgid).as_str() {
            _ if tgid == 0 => "the kernel (pid 0)".to_owned(),
            "" => format!("pid {tgid}"),
            comm => format!("{comm} (pid {tgid})"),
        }
    }

    /// `gemclient (pid 12), thread 14`; the thread only where it is not the main one.
    #[must_use]
    pub fn actor(&self, at: &Stamp) -> String {
        let process = self.process(at.tgid);
        if at.tid == at.tgid || at.tid == 0 { process } else { format!("{process}, thread {}", at.tid) }
    }

    /// The test that a finding belongs to; `None` when no test was running there, or it cannot be told which. Its names are not
    /// escaped.
    #[must_use]
    pub fn test_of_finding(&self, finding: &Finding) -> Option<Test> {
        attribution::test_of_finding(self.definitions, self.context.root_pid, finding)
    }

    /// The test that a finding or broken assertion of this number belongs to; that of an assertion is its greatest contributor's.
    #[must_use]
    pub fn test_of(&self, number: u32) -> Option<Test> {
        if let Some(finding) = self.judgement.findings.iter().find(|f| f.number == number) {
            return self.test_of_finding(finding);
        }
        let breach = self.judgement.outcome.breaches.iter().find(|b| b.number == number)?;
        attribution::test_of(self.definitions, self.context.root_pid, &breach.shares.first()?.taken)
    }

    /// The tests that ran, as far as they did anything with buffers.
    #[must_use]
    pub fn tests(&self) -> Vec<Test> {
        attribution::tests(self.definitions, self.context.root_pid, &self.judgement.findings)
    }

    /// Seconds since the start of the recording, for people: `+0.001234 s`.
    #[must_use]
    pub fn when(&self, at: &Stamp) -> String {
        let ns = at.ts_ns.saturating_sub(self.context.start_ns);
        format!("+{}.{:06} s", ns / 1_000_000_000, ns % 1_000_000_000 / 1000)
    }

    /// `card0 (vgem), client 7`
    #[must_use]
    pub fn file(&self, number: u32) -> String {
        let Some(facts) = self.directory.file(number) else { return format!("DRM file #{number}") };
        let driver = escape::name(kernel_str(&facts.driver));
        let node = node(facts);
        let node = if driver.is_empty() { node } else { format!("{node} ({driver})") };
        // Kernels without client ids: the order of opening tells two files of one node apart.
        match facts.client {
            0 => format!("{node}, file #{number}"),
            client => format!("{node}, client {client}"),
        }
    }

    /// An entity in words.
    #[must_use]
    pub fn entity(&self, entity: Entity) -> String {
        match entity {
            Entity::File { id, minor, client } => self.file_entity(id, minor, client),
            Entity::Object { id, size } => format!("object #{id}{}", size_after(size)),
            Entity::Handle { file, handle, incarnation, object, size } => {
                let again = match incarnation {
                    0 => String::new(),
                    n => format!(" (number given out {} times before)", n),
                };
                let object =
                    if object == 0 { "object not known".to_owned() } else { format!("object #{object}") };
                format!("handle {handle}{again} of {}: {object}{}", self.file(file), size_after(size))
            }
            Entity::Framebuffer { id } => format!("framebuffer {id}"),
            Entity::DmaBuf { ino: 0, id: 0, size } => {
                format!("a dma-buf that was not made{}", size_after(size))
            }
            Entity::DmaBuf { ino, id, size } => {
                let name = if ino == 0 { format!("dma-buf #{id}") } else { format!("dma-buf inode {ino}") };
                let exporter = self.directory.exporter(id).map(|e| escape::name(kernel_str(e)));
                match exporter.filter(|e| !e.is_empty()) {
                    Some(exporter) => format!("{name} ({exporter}){}", size_after(size)),
                    None => format!("{name}{}", size_after(size)),
                }
            }
        }
    }

    fn file_entity(&self, id: u32, minor: u32, client: u64) -> String {
        if self.directory.file(id).is_some() {
            return self.file(id);
        }
        match (minor, client) {
            (u32::MAX, 0) => format!("DRM file #{id}"),
            (u32::MAX, client) => format!("DRM file #{id}, client {client}"),
            (minor, 0) => format!("{}, file #{id}", node(&FileFacts { minor, ..FileFacts::default() })),
            (minor, client) => {
                format!("{}, client {client}", node(&FileFacts { minor, ..FileFacts::default() }))
            }
        }
    }

    /// A reference in words: what it is, not who took it.
    #[must_use]
    pub fn holder(&self, holder: &Holder) -> String {
        match holder.kind {
            HolderKind::Handle(e) => self.entity(e),
            HolderKind::Link(e @ Entity::Object { .. }) => format!("the link from {}", self.entity(e)),
            HolderKind::Link(e) => format!("the link to {}", self.entity(e)),
            HolderKind::Cache { file, handle } => {
                format!("the PRIME cache entry of handle {handle} of {}", self.file(file))
            }
            HolderKind::Importer(e) => format!("the import that became {}", self.entity(e)),
            HolderKind::Exported(e) => format!("{}, exported from it", self.entity(e)),
            HolderKind::Fd { tgid, fd: -1 } => format!("a dma-buf fd of {}", self.process(tgid)),
            HolderKind::Fd { tgid, fd } => format!("dma-buf fd {fd} of {}", self.process(tgid)),
            HolderKind::PathFd { tgid, fd } => {
                format!("O_PATH fd {fd} of {}, which holds the path only", self.process(tgid))
            }
            HolderKind::Mapping { tgid: 0 } => "a user mapping".to_owned(),
            HolderKind::Mapping { tgid } => format!("a user mapping of {}", self.process(tgid)),
            HolderKind::Framebuffer { id } => format!("framebuffer {id}"),
            HolderKind::Attachment => "a device attachment".to_owned(),
        }
    }

    /// A stack's frames in words, innermost first.
    #[must_use]
    pub fn frames(&self, kind: StackKind, id: i32, tgid: u32) -> Vec<String> {
        frames(self.context, self.definitions, kind, id, tgid)
    }
}

/// A stack's frames in words, innermost first.
pub(crate) fn frames(
    context: &Context,
    definitions: &Definitions,
    kind: StackKind,
    id: i32,
    tgid: u32,
) -> Vec<String> {
    definitions.frames(kind, id, tgid).flat_map(|f| frame(context, kind, &f)).collect()
}

fn frame(context: &Context, kind: StackKind, frame: &Frame<'_>) -> Vec<String> {
    match (kind, frame.symbol) {
        (StackKind::Kernel, None) if !context.raw_addresses => vec!["(no symbol)".to_owned()],
        (_, None) => vec![format!("{:#x}", frame.addr)],
        (StackKind::Kernel, Some(symbol)) => vec![kernel_frame(symbol)],
        (StackKind::User, Some(symbol)) => user_frames(symbol),
    }
}

/// The function of a frame, as [`Names::frames`] writes it, without its place and offset.
pub(crate) fn function(frame: &str) -> &str {
    let name = frame.split(" (").next().unwrap_or(frame);
    name.rsplit_once("+0x").map_or(name, |(name, _)| name)
}

/// Does this frame, as [`Names::frames`] writes it, only pass a call on to the kernel?
pub(crate) fn is_wrapper(frame: &str) -> bool {
    gemscope_policy::is_wrapper(frame.split(['+', ' ']).next().unwrap_or_default(), frame)
}

/// `card0`, `renderD128`, `accel0`
pub(crate) fn node(facts: &FileFacts) -> String {
    match (facts.minor_type, facts.minor) {
        (32, n) => format!("accel{n}"),
        (_, n @ 64..=127) => format!("controlD{n}"),
        (_, n @ 128..=191) => format!("renderD{n}"),
        (_, n) => format!("card{n}"),
    }
}

fn size_after(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!(", {}", size(bytes)) }
}

/// So much of a kind: `3 handles`, `64.0 KiB`.
#[must_use]
pub(crate) fn amount(kind: Kind, n: u64) -> String {
    if kind == Kind::Bytes { size(n) } else { plural(n, kind.one(), kind.name()) }
}

/// Bytes for people: `64.0 KiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A number with thousands separated: `1,234,567`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `2 records`
#[must_use]
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// `function+0x1f [module]`
fn kernel_frame(s: &Symbol) -> String {
    let name = if s.name.is_empty() { "(no symbol)".to_owned() } else { escape::long(s.name.as_bytes()) };
    let module = escape::name(s.module.as_bytes());
    if module.is_empty() {
        format!("{name}+{:#x}", s.offset)
    } else {
        format!("{name}+{:#x} [{module}]", s.offset)
    }
}

/// `function (file:line)`, `function+0x1f (binary)` or `binary+0x1f`, after the functions inlined there.
fn user_frames(s: &Symbol) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(1 + s.inlined.len());
    for inlined in &s.inlined {
        let name = escape::name(inlined.name.as_bytes());
        out.push(match place(inlined.file.as_bytes(), inlined.line) {
            Some(place) => format!("{name} ({place}, inlined)"),
            None => format!("{name} (inlined)"),
        });
    }
    let name = escape::name(s.name.as_bytes());
    let binary = escape::long(base_name(s.module.as_bytes()));
    out.push(match (name.is_empty(), place(s.file.as_bytes(), s.line), binary.is_empty()) {
        (true, _, true) => format!("{:#x}", s.addr),
        (true, _, false) => format!("{binary}+{:#x}", s.offset),
        (false, Some(place), _) => format!("{name} ({place})"),
        (false, None, true) => format!("{name}+{:#x}", s.offset),
        (false, None, false) => format!("{name}+{:#x} ({binary})", s.offset),
    });
    out
}

fn place(file: &[u8], line: u32) -> Option<String> {
    match (file, line) {
        ([], _) => None,
        (file, 0) => Some(escape::long(file)),
        (file, line) => Some(format!("{}:{line}", escape::long(file))),
    }
}

pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

/// A reason for doubt in words, and what to do about it.
#[must_use]
pub fn doubt(doubt: Doubt) -> (String, &'static str) {
    let probe = |n: u16| {
        gemscope_common::ProbeId::from_wire(n).map_or_else(|_| format!("#{n}"), |p| p.name().to_owned())
    };
    match doubt {
        Doubt::Drops(n) => (
            format!("{} lost: the ring buffer was full", plural(n, "record was", "records were")),
            "run again with a bigger --ring-size, or watch fewer processes",
        ),
        Doubt::Missed(id, n) => (
            format!(
                "the probe `{}` missed {}, as the kernel counts them",
                probe(id),
                plural(n, "hit", "hits")
            ),
            "run again with less going on at the same time, or take hot probes out",
        ),
        Doubt::Gap => (
            "the trace is damaged or cut: records are missing".to_owned(),
            "copy the trace again if the original is whole, or record again",
        ),
        Doubt::Midway => (
            "the trace begins in mid-run: what happened before is not in it".to_owned(),
            "record with a bigger --ring, or with -o alone for a trace from the beginning",
        ),
        Doubt::StillRunning(n) => (
            format!(
                "{} still running when the judging ended",
                plural(u64::from(n), "process was", "processes were")
            ),
            "let the command end what it starts, or give it longer with --timeout",
        ),
        Doubt::Unreadable(0) => (
            "the open files of some processes could not be seen".to_owned(),
            "run as root in the initial pid namespace",
        ),
        Doubt::Unreadable(n) => (
            format!("the open files of {} could not be read", plural(u64::from(n), "process", "processes")),
            "run as root in the initial pid namespace",
        ),
        Doubt::Blind(id) => (
            format!("the probe `{}` was not attached, and a clean verdict needs it", probe(id)),
            "`gemscope doctor` tells why, and what would help",
        ),
        Doubt::OpenCalls(n) => (
            format!("{} never returned in the records", plural(u64::from(n), "call", "calls")),
            "run again; if it stays, a kernel thread hangs or records were lost unseen",
        ),
        Doubt::HalfCalls(n) => (
            format!(
                "{} had only a beginning or an end: probes missed hits that the kernel did not count",
                plural(u64::from(n), "call", "calls")
            ),
            "run again with less going on at the same time",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(65536), "64.0 KiB");
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(plural(1, "call", "calls"), "1 call");
    }

    #[test]
    fn wrappers_are_known() {
        for f in ["__ioctl+0x3b (gemclient)", "drmIoctl+0x2 (libdrm.so.2)", "drmModeAddFB2 (a.c:3)", "close"]
        {
            assert!(is_wrapper(f), "{f}");
        }
        assert_eq!(function("open (a.c:3, inlined)"), "open");
        assert_eq!(function("drmIoctl+0x2 (libdrm.so.2)"), "drmIoctl");
        for f in ["create_dumb (drm.rs:162)", "drm_backend_init (b.c:1)", "closer (x.c:2)", "main"] {
            assert!(!is_wrapper(f), "{f}");
        }
    }

    #[test]
    fn frames_say_what_is_known() {
        let full = Symbol {
            name: "main".into(),
            offset: 4,
            module: "/usr/bin/a".into(),
            file: "a.c".into(),
            line: 12,
            inlined: vec![gemscope_trace::Inlined { name: "f".into(), file: "a.c".into(), line: 3 }],
            ..Symbol::default()
        };
        assert_eq!(user_frames(&full), ["f (a.c:3, inlined)", "main (a.c:12)"]);
        let bare = Symbol { offset: 0x40, module: "/usr/lib/libdrm.so.2".into(), ..Symbol::default() };
        assert_eq!(user_frames(&bare), ["libdrm.so.2+0x40"]);
        let named = Symbol { name: "drmIoctl".into(), ..bare };
        assert_eq!(user_frames(&named), ["drmIoctl+0x40 (libdrm.so.2)"]);
        let kernel = Symbol { name: "ioctl".into(), offset: 1, module: "drm".into(), ..Symbol::default() };
        assert_eq!(kernel_frame(&kernel), "ioctl+0x1 [drm]");
        let hostile = Symbol { name: "\x1b[2J".into(), ..Symbol::default() };
        assert_eq!(kernel_frame(&hostile), "\\x1b[2J+0x0");
    }
}
