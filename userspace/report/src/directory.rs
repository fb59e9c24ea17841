//! What DRM files and dma-bufs are called, noted while records pass: `card0 (vgem), client 7`.
//!
//! The engine numbers entities and keeps no names. This keeps the names of what is alive, and of what a finding speaks
//! of, so that its size does not grow with the length of a trace.

use rustc_hash::{FxHashMap, FxHashSet};

use gemscope_common::{Buf, BufExport, DrmFile, Phase, ProbeId, Record};
use gemscope_engine::{Engine, Entity, Finding, HolderKind};

/// What is known of a DRM file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// minor index
    pub minor: u32,
    /// 0 primary, 2 render, 32 accel
    pub minor_type: u32,
    /// the kernel's client id; 0 when it has none
    pub client: u64,
    /// driver name, NUL-padded, untrusted
    pub driver: [u8; 16],
}

/// Names of files and dma-bufs, by the engine's numbers.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    file_at: FxHashMap<u64, u32>,
    files: FxHashMap<u32, FileFacts>,
    buf_at: FxHashMap<u64, u32>,
    exporters: FxHashMap<u32, [u8; 24]>,
    kept_files: FxHashSet<u32>,
    kept_bufs: FxHashSet<u32>,
    findings_seen: usize,
    near_misses_seen: usize,
}

impl Directory {
    /// Looks at a record that the engine has just taken in.
    #[inline]
    pub fn observe(&mut self, engine: &Engine, record: &Record) {
        const FILE_OPEN: u16 = ProbeId::FileOpen as u16;
        const FILE_CLOSE: u16 = ProbeId::FileClose as u16;
        const BUF_EXPORT: u16 = ProbeId::BufExport as u16;
        const BUF_RELEASE: u16 = ProbeId::BufRelease as u16;
        if engine.findings().len() != self.findings_seen {
            self.keep(engine.findings().get(self.findings_seen..).unwrap_or_default());
            self.findings_seen = engine.findings().len();
        }
        if engine.near_misses().len() != self.near_misses_seen {
            self.keep(engine.near_misses().get(self.near_misses_seen..).unwrap_or_default());
            self.near_misses_seen = engine.near_misses().len();
        }
        match record.header.probe {
            FILE_OPEN => self.opened(engine, record.payload()),
            FILE_CLOSE if record.phase() == Some(Phase::Return) => self.closed(record.payload()),
            BUF_EXPORT => self.exported(engine, record.payload()),
            BUF_RELEASE => self.released(record.payload()),
            _ => {}
        }
    }

    /// What is known of the file with this number.
    #[must_use]
    pub fn file(&self, number: u32) -> Option<&FileFacts> {
        self.files.get(&number)
    }

    /// Who made the dma-buf with this number; untrusted, NUL-padded.
    #[must_use]
    pub fn exporter(&self, number: u32) -> Option<&[u8]> {
        self.exporters.get(&number).map(<[u8; 24]>::as_slice)
    }

    fn opened(&mut self, engine: &Engine, p: &DrmFile) {
        let Some(Entity::File { id, .. }) = engine.file_at(p.file) else { return };
        let facts =
            FileFacts { minor: p.minor, minor_type: p.minor_type, client: p.client_id, driver: p.driver };
        if let Some(old) = self.file_at.insert(p.file, id) {
            self.drop_file(old);
        }
        self.files.insert(id, facts);
    }

    fn closed(&mut self, p: &DrmFile) {
        if let Some(id) = self.file_at.remove(&p.file) {
            self.drop_file(id);
        }
    }

    fn exported(&mut self, engine: &Engine, p: &BufExport) {
        let Some(Entity::DmaBuf { id, .. }) = engine.dmabuf_at(p.dma_buf) else { return };
        if let Some(old) = self.buf_at.insert(p.dma_buf, id) {
            self.drop_buf(old);
        }
        self.exporters.insert(id, p.exp_name);
    }

    fn released(&mut self, p: &Buf) {
        if let Some(id) = self.buf_at.remove(&p.dma_buf) {
            self.drop_buf(id);
        }
    }

    fn drop_file(&mut self, id: u32) {
        if !self.kept_files.contains(&id) {
            self.files.remove(&id);
        }
    }

    fn drop_buf(&mut self, id: u32) {
        if !self.kept_bufs.contains(&id) {
            self.exporters.remove(&id);
        }
    }

    #[cold]
    fn keep(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.keep_entity(finding.entity);
            for holder in &finding.holders {
                match holder.kind {
                    HolderKind::Handle(e)
                    | HolderKind::Link(e)
                    | HolderKind::Importer(e)
                    | HolderKind::Exported(e) => self.keep_entity(e),
                    HolderKind::Cache { file, .. } => {
                        self.kept_files.insert(file);
                    }
                    HolderKind::Fd { .. }
                    | HolderKind::PathFd { .. }
                    | HolderKind::Mapping { .. }
                    | HolderKind::Framebuffer { .. }
                    | HolderKind::Attachment => {}
                }
            }
        }
    }

    fn keep_entity(&mut self, entity: Entity) {
        match entity {
            Entity::File { id, .. } => {
                self.kept_files.insert(id);
            }
            Entity::Handle { file, .. } => {
                self.kept_files.insert(file);
            }
            Entity::DmaBuf { id, .. } => {
                self.kept_bufs.insert(id);
            }
            Entity::Object { .. } | Entity::Framebuffer { .. } => {}
        }
    }
}
