//! The records themselves, one line each: what `replay --events` prints.
//!
//! Addresses are replaced by the engine's public names (`f1` a DRM file, `o1` an object, `d1` a dma-buf), so a line can
//! be pasted anywhere. `>` is a call's entry, `<` its return, `.` an instant. A line shows the fields as the kernel had
//! them at that instant, at an entry before the call's effect.

use std::fmt::Write as _;

use gemscope_common::{
    Attachment, Buf, BufAccess, BufExport, BufIoctl, ChangeHandle, DrmFile, Flags, Framebuffer, Gem, Layout,
    Mapping, Missed, Phase, Prime, ProbeId, Process, Record, Scope, SeenFd, Settle, err_ptr, kernel_str,
    reservation, seen,
};
use gemscope_engine::{Engine, Entity};

/// Names that were looked up before a record was taken in: a death's names are gone afterwards.
#[derive(Clone, Debug, Default)]
pub struct Names {
    file: Option<String>,
    object: Option<String>,
    dmabuf: Option<String>,
}

impl Names {
    /// The names that the engine has now for the addresses in this record.
    #[must_use]
    pub fn of(engine: &Engine, record: &Record) -> Self {
        let (file, object, dmabuf) = addresses(record);
        Self {
            file: engine.file_at(file).map(short),
            object: engine.object_at(object).map(short),
            dmabuf: engine.dmabuf_at(dmabuf).map(short),
        }
    }

    /// These names, and where one is missing the other's: births are named after the record was taken in.
    #[must_use]
    pub fn or(self, later: Self) -> Self {
        Self {
            file: self.file.or(later.file),
            object: self.object.or(later.object),
            dmabuf: self.dmabuf.or(later.dmabuf),
        }
    }
}

fn short(entity: Entity) -> String {
    match entity {
        Entity::File { id, .. } => format!("f{id}"),
        Entity::Object { id, .. } => format!("o{id}"),
        Entity::Handle { file, handle, .. } => format!("f{file}/h{handle}"),
        Entity::DmaBuf { id, .. } => format!("d{id}"),
        Entity::Framebuffer { id } => format!("fb{id}"),
    }
}

/// The addresses of a file, an object and a dma-buf that a record speaks of; 0 where it has none.
fn addresses(record: &Record) -> (u64, u64, u64) {
    match record.probe().map(ProbeId::layout) {
        Some(Layout::Gem) => {
            let p: &Gem = record.payload();
            (p.file, p.obj, p.dma_buf)
        }
        Some(Layout::DrmFile) => (record.payload::<DrmFile>().file, 0, 0),
        Some(Layout::Prime) => {
            let p: &Prime = record.payload();
            (p.file, p.obj, p.dma_buf)
        }
        Some(Layout::ChangeHandle) => (record.payload::<ChangeHandle>().file, 0, 0),
        Some(Layout::BufExport) => {
            let p: &BufExport = record.payload();
            (0, p.private, p.dma_buf)
        }
        Some(Layout::Buf) => {
            let p: &Buf = record.payload();
            (0, 0, p.dma_buf)
        }
        Some(Layout::BufIoctl) => (0, 0, record.payload::<BufIoctl>().dma_buf),
        Some(Layout::Attachment) => (0, 0, record.payload::<Attachment>().dma_buf),
        Some(Layout::BufAccess) => (0, 0, record.payload::<BufAccess>().dma_buf),
        Some(Layout::Mapping) => {
            let p: &Mapping = record.payload();
            (0, p.obj, p.dma_buf)
        }
        _ => (0, 0, 0),
    }
}

/// One record as one line, without a line break. `start_ns` is the time that is told as zero.
#[must_use]
pub fn line(seq: u64, record: &Record, names: &Names, comm: &str, start_ns: u64) -> String {
    let h = &record.header;
    let mut s = String::new();
    let seconds = h.ts_ns.saturating_sub(start_ns) as f64 / 1e9;
    let name = record.probe().map_or_else(|| format!("probe-{}", h.probe), |p| p.name().to_owned());
    let mark = match record.phase() {
        Some(Phase::Entry) => '>',
        Some(Phase::Return) => '<',
        Some(Phase::Point) => '.',
        None => '?',
    };
    let _ = write!(s, "{seq:>7} {seconds:>11.6} {comm}/{}:{} {mark} {name}", h.tgid, h.tid);
    fields(&mut s, record, names);
    if record.phase() == Some(Phase::Return) {
        match err_ptr(h.ret as u64)
            .or_else(|| (record.ret_i32() < 0 && h.ret >> 32 == 0).then(|| record.ret_i32()))
        {
            Some(errno) => s.push_str(&format!(" = {errno}")),
            None if h.ret as u64 >= 1 << 63 => s.push_str(" = ptr"),
            None => s.push_str(&format!(" = {}", h.ret)),
        }
    }
    for (bit, word) in [
        (Flags::NO_ARGS, "no-args"),
        (Flags::READ_FAULT, "read-fault"),
        (Flags::KTHREAD, "kthread"),
        (Flags::EXITING, "exiting"),
    ] {
        if h.flags & bit != 0 {
            s.push_str(&format!(" [{word}]"));
        }
    }
    s
}

fn name(s: &mut String, address: u64, name: Option<&String>, unknown: &str) {
    match name {
        _ if address == 0 => {}
        Some(name) => s.push_str(&format!(" {name}")),
        None => s.push_str(&format!(" {unknown}?")),
    }
}

/// Whether the caller holds the reservation lock, where that is known.
fn lock(s: &mut String, holder: u32) {
    match holder {
        reservation::HELD => s.push_str(" locked"),
        reservation::NOT_HELD => s.push_str(" unlocked"),
        _ => {}
    }
}

fn fields(s: &mut String, record: &Record, names: &Names) {
    let (file, object, dmabuf) = addresses(record);
    let layout = record.probe().map(ProbeId::layout);
    name(s, file, names.file.as_ref(), "f");
    match layout {
        Some(Layout::Gem) => {
            let p: &Gem = record.payload();
            if p.handle != 0 {
                s.push_str(&format!(" h{}", p.handle));
            }
            name(s, object, names.object.as_ref(), "o");
            if object != 0 && record.phase() != Some(Phase::Return) {
                s.push_str(&format!(" (hc {}", p.handle_count));
                if dmabuf != 0 {
                    s.push_str(&format!(" link {}", names.dmabuf.as_deref().unwrap_or("d?")));
                }
                if p.import_attach != 0 {
                    s.push_str(" import");
                }
                if p.name != 0 {
                    s.push_str(&format!(" name {}", p.name));
                }
                s.push(')');
            }
        }
        Some(Layout::DrmFile) => {
            let p: &DrmFile = record.payload();
            let driver: String = String::from_utf8_lossy(kernel_str(&p.driver)).escape_default().collect();
            if !driver.is_empty() {
                s.push_str(&format!(" minor {} {driver}", p.minor));
            }
            if p.cache_root != 0 {
                s.push_str(" (cache not empty)");
            }
        }
        Some(Layout::ChangeHandle) => {
            let p: &ChangeHandle = record.payload();
            s.push_str(&format!(" h{} -> h{}", p.handle, p.new_handle));
        }
        Some(Layout::Attachment) => {
            name(s, dmabuf, names.dmabuf.as_ref(), "d");
            let p: &Attachment = record.payload();
            if matches!(record.probe(), Some(ProbeId::Map | ProbeId::Unmap)) {
                s.push_str(&format!(" direction {}", p.direction));
            }
            lock(s, p.reservation);
        }
        Some(Layout::BufAccess) => {
            name(s, dmabuf, names.dmabuf.as_ref(), "d");
            let p: &BufAccess = record.payload();
            s.push_str(&format!(" vmaps {}", p.vmapping_counter));
            lock(s, p.reservation);
        }
        Some(Layout::BufIoctl) => {
            name(s, dmabuf, names.dmabuf.as_ref(), "d");
            let p: &BufIoctl = record.payload();
            s.push_str(&format!(" cmd {:#x}", p.cmd));
        }
        Some(Layout::Framebuffer) => s.push_str(&format!(" fb {}", record.payload::<Framebuffer>().id)),
        Some(Layout::Process) => {
            let p: &Process = record.payload();
            match record.probe() {
                Some(ProbeId::Fork) => s.push_str(&format!(" child {}", p.child_tgid)),
                Some(ProbeId::Exit) => s.push_str(&format!(" code {:#x}", p.exit_code)),
                _ => {}
            }
        }
        Some(Layout::Scope) => s.push_str(&format!(" root {}", record.payload::<Scope>().root_tgid)),
        Some(Layout::Settle) => s.push_str(&format!(" alive {}", record.payload::<Settle>().alive)),
        Some(Layout::SeenFd) => {
            let p: &SeenFd = record.payload();
            s.push_str(&format!(" inode {}", p.ino));
            if p.kind != seen::ALIVE {
                s.push_str(&format!(" process {}", p.tgid));
            }
            match p.kind {
                seen::FD => s.push_str(&format!(" fd {}", p.fd)),
                seen::PATH => s.push_str(&format!(" path-fd {}", p.fd)),
                seen::MAPPING => s.push_str(" mapping"),
                seen::ALIVE => s.push_str(" alive"),
                kind => s.push_str(&format!(" kind {kind}")),
            }
            if p.at_start != 0 {
                s.push_str(" at start");
            }
        }
        Some(Layout::Missed) => {
            let p: &Missed = record.payload();
            let probe = ProbeId::from_wire(p.probe).map_or("?", ProbeId::name);
            s.push_str(&format!(" {probe} x{}", p.count));
        }
        _ => {
            if let Some(Layout::Prime) = layout {
                let p: &Prime = record.payload();
                if p.handle != 0 {
                    s.push_str(&format!(" h{}", p.handle));
                }
            }
            name(s, dmabuf, names.dmabuf.as_ref(), "d");
            name(s, object, names.object.as_ref(), "o");
        }
    }
}
