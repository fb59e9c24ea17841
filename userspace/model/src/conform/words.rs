//! Words for what was observed and what was predicted.

use std::fmt::Write as _;

use gemscope_common::{
    Attachment, Buf, BufExport, BufIoctl, ChangeHandle, DrmFile, Framebuffer, Gem, Layout, Mapping, Phase,
    Prime, ProbeId, Record,
};

use super::world::World;
use crate::code::Reg;
use crate::ops::NEW;
use crate::state::{Ptr, buf_state, handle_state};

const fn mark(phase: Phase) -> &'static str {
    match phase {
        Phase::Entry => "> ",
        Phase::Return => "< ",
        Phase::Point => "",
    }
}

impl World {
    pub fn obj_words(&self, p: Ptr) -> String {
        self.objs.number(p).map_or_else(|| "a new object".to_owned(), |n| format!("o{n}"))
    }

    pub fn buf_words(&self, p: Ptr) -> String {
        self.bufs.number(p).map_or_else(|| "a new dma-buf".to_owned(), |n| format!("d{n}"))
    }

    pub fn file_words(&self, f: u8) -> String {
        self.file_of(f).map_or_else(|| "a file".to_owned(), |f| format!("f{}", f.number))
    }

    fn obj_at(&self, addr: u64) -> String {
        match (addr, self.objs.number_at(addr)) {
            (0, _) => "no object".to_owned(),
            (_, Some(n)) => format!("o{n}"),
            (_, None) => "an unknown object".to_owned(),
        }
    }

    fn buf_at(&self, addr: u64) -> String {
        match (addr, self.bufs.number_at(addr)) {
            (0, _) => "no dma-buf".to_owned(),
            (_, Some(n)) => format!("d{n}"),
            (_, None) => "an unknown dma-buf".to_owned(),
        }
    }

    fn file_at(&self, addr: u64) -> String {
        let file = self.files.iter().rev().find(|f| f.addr == addr);
        file.map_or_else(|| "an unknown file".to_owned(), |f| format!("f{}", f.number))
    }

    /// A record as it was observed.
    pub fn observed(&self, record: &Record) -> String {
        let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else {
            return "an unknown record".to_owned();
        };
        let mut out = format!("{}{}", mark(phase), probe.name());
        let back = phase == Phase::Return;
        let _ = match probe.layout() {
            Layout::Gem => {
                let p: &Gem = record.payload();
                if p.file != 0 {
                    let _ = write!(out, " {}", self.file_at(p.file));
                }
                if p.handle != 0 {
                    let _ = write!(out, " handle {}", p.handle);
                }
                if p.obj != 0 {
                    let link = if p.dma_buf == 0 {
                        String::new()
                    } else {
                        format!(", link {}", self.buf_at(p.dma_buf))
                    };
                    let import = if p.import_attach == 0 { "" } else { ", import" };
                    let _ = write!(out, " {} (count {}{link}{import})", self.obj_at(p.obj), p.handle_count);
                }
                Ok(())
            }
            Layout::DrmFile => {
                let p: &DrmFile = record.payload();
                let left = if p.cache_root == 0 { "" } else { ", cache not empty" };
                write!(out, " {}{left}", self.file_at(p.file))
            }
            Layout::Prime => {
                let p: &Prime = record.payload();
                let buf = if p.dma_buf == 0 { String::new() } else { format!(" {}", self.buf_at(p.dma_buf)) };
                write!(out, " {} handle {}{buf}", self.file_at(p.file), p.handle)
            }
            Layout::ChangeHandle => {
                let p: &ChangeHandle = record.payload();
                write!(out, " {} handle {} to {}", self.file_at(p.file), p.handle, p.new_handle)
            }
            Layout::BufExport => {
                let p: &BufExport = record.payload();
                write!(out, " {} of {}", self.buf_at(p.dma_buf), self.obj_at(p.private))
            }
            Layout::Buf => write!(out, " {}", self.buf_at(record.payload::<Buf>().dma_buf)),
            Layout::BufIoctl => {
                let p: &BufIoctl = record.payload();
                write!(out, " {} {:#x}", self.buf_at(p.dma_buf), p.cmd)
            }
            Layout::Attachment => write!(out, " {}", self.buf_at(record.payload::<Attachment>().dma_buf)),
            Layout::Framebuffer => {
                let p: &Framebuffer = record.payload();
                write!(out, " {}", self.obj_at(p.obj[0]))
            }
            Layout::Mapping => {
                let p: &Mapping = record.payload();
                if p.obj != 0 {
                    write!(out, " {}", self.obj_at(p.obj))
                } else {
                    write!(out, " {}", self.buf_at(p.dma_buf))
                }
            }
            _ => Ok(()),
        };
        if back {
            let ret = record.header.ret;
            let int = i64::from(record.ret_i32());
            // A pointer says no more than that it is one.
            let _ = match ret {
                _ if int == ret || ret >> 32 == 0 => write!(out, " = {int}"),
                _ if (-4095..0).contains(&ret) => write!(out, " = {ret}"),
                _ => Ok(()),
            };
        }
        out
    }

    /// A record as the model would write it for thread `t`.
    pub fn predicted(&self, t: usize, probe: ProbeId, phase: Phase, operand: u8) -> String {
        let th = &self.k.threads[t];
        let mut out = format!("{}{}", mark(phase), probe.name());
        let handle = if operand & NEW != 0 { th.n } else { th.h };
        let _ = match probe {
            ProbeId::HandleDelete | ProbeId::GemClose | ProbeId::DestroyDumb | ProbeId::CacheRemove => {
                write!(out, " {} handle {handle}", self.file_words(operand))
            }
            ProbeId::CacheAdd => {
                write!(out, " {} handle {handle} {}", self.file_words(operand), self.buf_words(th.d))
            }
            ProbeId::HandleRelease => {
                write!(out, " {} handle {handle} {}", self.file_words(operand), self.obj_words(th.o))
            }
            ProbeId::HandleCreate => {
                write!(out, " {} {}", self.file_words(operand), self.obj_words(th.o))
            }
            ProbeId::BufPut => {
                let reg = if operand == Reg::E as u8 { Reg::E } else { Reg::D };
                write!(out, " {}", self.buf_words(th.reg(reg)))
            }
            ProbeId::Import
            | ProbeId::ExportIoctl
            | ProbeId::Flink
            | ProbeId::GemOpen
            | ProbeId::GetFb
            | ProbeId::GetFb2
            | ProbeId::FileClose
            | ProbeId::PrimeDestroy => write!(out, " {}", self.file_words(operand)),
            _ => match probe.layout() {
                Layout::Gem | Layout::BufExport => write!(out, " {}", self.obj_words(th.o)),
                Layout::Buf | Layout::Attachment => write!(out, " {}", self.buf_words(th.d)),
                _ => Ok(()),
            },
        };
        if phase == Phase::Return {
            let _ = write!(out, " = {}", th.ret);
        }
        out
    }

    /// Why another record than the predicted one may have come.
    pub fn why_another(&self, t: usize, predicted: ProbeId, record: &Record) -> String {
        let th = &self.k.threads[t];
        match (predicted, record.probe()) {
            (_, Some(ProbeId::BufExport))
                if self.k.bufs.iter().any(|b| b.state == buf_state::LIVE && b.object == th.o) =>
            {
                format!("{} has a dma-buf already: this is a second one", self.obj_words(th.o))
            }
            (ProbeId::ObjectRelease | ProbeId::ObjectFree, _) => format!(
                "no reference of {} is left that the model knows of, and it lives on: somebody has one, or it leaks",
                self.obj_words(th.o)
            ),
            (ProbeId::BufPut, Some(ProbeId::CacheRemove)) => {
                format!("handle {} is in the PRIME cache, and its entry stays there", th.h)
            }
            (ProbeId::BufPut, Some(ProbeId::HandlePut)) => {
                format!("the last handle of {} goes, and its link stays", self.obj_words(th.o))
            }
            (ProbeId::ImportDestroy | ProbeId::Detach, _) => {
                format!("the import {} ends, and stays attached", self.obj_words(th.o))
            }
            (_, Some(ProbeId::ObjectRelease | ProbeId::ObjectFree)) => {
                "the object ends, and the model counts references on it".to_owned()
            }
            _ => "it is another record than the one predicted".to_owned(),
        }
    }

    /// What the model knows of the things that a record is about, and of who is inside a call.
    pub fn knows(&self, record: &Record) -> Vec<String> {
        let mut lines = Vec::new();
        let (obj, buf, file) = named(record);
        let mut objs: Vec<Ptr> = self.objs.find(obj).into_iter().collect();
        let mut bufs: Vec<Ptr> = self.bufs.find(buf).into_iter().collect();
        if let Some(t) = self.slot(record.header.tid) {
            let th = &self.k.threads[t];
            objs.push(th.o);
            bufs.extend([th.d, th.e]);
        }
        bufs.extend(objs.iter().filter_map(|o| self.k.obj(*o)).map(|o| o.link));
        objs.extend(bufs.iter().filter_map(|d| self.k.buf(*d)).map(|b| b.object));
        let tidy = |list: &mut Vec<Ptr>| {
            list.sort_by_key(|p| (p.slot, p.gen_));
            list.dedup();
        };
        tidy(&mut objs);
        tidy(&mut bufs);
        for p in objs {
            let Some(o) = self.k.obj(p) else { continue };
            let link = if o.link.is_null() {
                "no link".to_owned()
            } else {
                format!("link {}", self.buf_words(o.link))
            };
            let import = if o.import.is_null() { "" } else { ", an import" };
            let handles: Vec<String> = self
                .k
                .handles
                .iter()
                .filter(|h| h.obj == p && h.state != handle_state::CLOSED)
                .map(|h| format!("handle {} of {}", h.id, self.file_words(h.file)))
                .collect();
            let handles = if handles.is_empty() { "no handle".to_owned() } else { handles.join(", ") };
            lines.push(format!(
                "{}: {} references, handle count {}, {link}{import}, name {}, {handles}",
                self.obj_words(p),
                o.kref,
                o.count,
                o.name
            ));
        }
        for p in bufs {
            let Some(b) = self.k.buf(p) else { continue };
            let state = match b.state {
                buf_state::LIVE => "alive",
                _ => "its file is gone",
            };
            let who = self.holders(p);
            let who = if who.is_empty() { "nobody inside the kernel".to_owned() } else { who.join(", ") };
            lines.push(format!("{}: {state}; held by {who}", self.buf_words(p)));
        }
        if let Some(f) = self.file(file) {
            let cached = self.k.cache.iter().filter(|e| e.file == f).count();
            let open = self.k.handles.iter().filter(|h| h.file == f && h.slot == 2).count();
            lines.push(format!("{}: {open} handles, {cached} cache entries", self.file_words(f)));
        }
        for s in &self.slots {
            if let Some(kind) = s.kind {
                lines.push(format!("thread {} is in {}", s.tid, kind.words()));
            }
        }
        lines
    }
}

/// The object, dma-buf and file that a record is about.
pub(super) fn named(record: &Record) -> (u64, u64, u64) {
    match record.probe().map(ProbeId::layout) {
        Some(Layout::Gem) => {
            let p: &Gem = record.payload();
            (p.obj, p.dma_buf, p.file)
        }
        Some(Layout::DrmFile) => (0, 0, record.payload::<DrmFile>().file),
        Some(Layout::Prime) => {
            let p: &Prime = record.payload();
            (p.obj, p.dma_buf, p.file)
        }
        Some(Layout::ChangeHandle) => (0, 0, record.payload::<ChangeHandle>().file),
        Some(Layout::BufExport) => {
            let p: &BufExport = record.payload();
            (p.private, p.dma_buf, 0)
        }
        Some(Layout::Buf) => (0, record.payload::<Buf>().dma_buf, 0),
        Some(Layout::BufIoctl) => (0, record.payload::<BufIoctl>().dma_buf, 0),
        Some(Layout::Attachment) => (0, record.payload::<Attachment>().dma_buf, 0),
        Some(Layout::Framebuffer) => (record.payload::<Framebuffer>().obj[0], 0, 0),
        Some(Layout::Mapping) => {
            let p: &Mapping = record.payload();
            (p.obj, p.dma_buf, 0)
        }
        _ => (0, 0, 0),
    }
}
