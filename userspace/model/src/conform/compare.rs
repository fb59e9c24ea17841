//! A record beside the prediction of it, field by field: only fields that are read where nobody can change them.

use gemscope_common::{
    Attachment, Buf, BufExport, ChangeHandle, DrmFile, Framebuffer, Gem, Layout, Phase, Prime, ProbeId,
    Record,
};

use super::trace::{readable, result};
use super::world::World;
use crate::code::Reg;
use crate::emit::names_file;
use crate::ops::NEW;
use crate::state::Ptr;

/// Numbers beyond what the model counts stand for one that no table gives out.
pub(super) fn narrow(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn same<T: PartialEq + std::fmt::Display>(what: &str, predicted: T, observed: T) -> Result<(), String> {
    if predicted == observed {
        return Ok(());
    }
    Err(format!("{what}: {predicted} predicted, {observed} observed"))
}

fn yes(set: bool) -> &'static str {
    if set { "set" } else { "not set" }
}

impl World {
    /// Compares a record of thread `t` with the model, and learns from it where new things lie.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn compare(
        &mut self,
        t: usize,
        (probe, phase, operand): (ProbeId, Phase, u8),
        record: &Record,
    ) -> Result<(), String> {
        let back = phase == Phase::Return;
        let th = self.k.threads[t];
        match probe.layout() {
            Layout::Gem => self.gem(t, (probe, phase, operand), record),
            Layout::DrmFile => {
                let p: &DrmFile = record.payload();
                self.same_file(operand, p.file)?;
                if probe == ProbeId::PrimeDestroy && readable(record) {
                    let cached = self.k.cache.iter().any(|e| e.file == operand);
                    same("the PRIME cache's root", yes(cached), yes(p.cache_root != 0))?;
                }
                Ok(())
            }
            Layout::Prime => self.prime(t, (probe, phase, operand), record),
            Layout::ChangeHandle => {
                let p: &ChangeHandle = record.payload();
                self.same_file(operand, p.file)?;
                if back { same("the result", th.ret, result(record, false)) } else { Ok(()) }
            }
            Layout::BufExport => {
                let p: &BufExport = record.payload();
                self.same_obj(th.o, p.private)?;
                if !back {
                    return Ok(());
                }
                same("the result", th.ret.min(0), result(record, true))?;
                if th.ret >= 0 {
                    self.born_buf(th.d, p.dma_buf)?;
                }
                Ok(())
            }
            Layout::Buf => self.buf(t, (probe, operand), record),
            Layout::Attachment => {
                let p: &Attachment = record.payload();
                if probe == ProbeId::Detach {
                    let on = self.k.attach(th.a).map_or(Ptr::NULL, |a| a.buf);
                    same("the attachment", self.attaches.addr(th.a).unwrap_or(0) == p.attach, true)?;
                    return self.same_buf(on, p.dma_buf);
                }
                if probe == ProbeId::Unmap || probe == ProbeId::Map {
                    return same("the attachment", self.attaches.addr(th.a).unwrap_or(0) == p.attach, true);
                }
                self.same_buf(th.d, p.dma_buf)?;
                if back {
                    same("the result", th.ret.min(0), result(record, true))?;
                    if th.ret >= 0 {
                        self.attaches.bind(p.attach, th.a);
                    }
                }
                Ok(())
            }
            Layout::Framebuffer => {
                let p: &Framebuffer = record.payload();
                self.same_obj(th.o, p.obj[0])?;
                if probe == ProbeId::FbInit && back {
                    same("the result", th.ret, result(record, false))?;
                    if th.ret >= 0 {
                        let counted = crate::state::get(&self.k.fbs, th.b).is_some_and(|b| b.counted != 0);
                        if readable(record) {
                            same(
                                "the framebuffer's handle reference",
                                yes(counted),
                                yes(p.internal_flags & 1 != 0),
                            )?;
                        }
                        self.fbs.bind(p.fb, th.b);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn same_file(&self, f: u8, addr: u64) -> Result<(), String> {
        let own = self.file_of(f).map_or(0, |f| f.addr);
        same("the file", own == addr, true).map_err(|_| "it is about another file".to_owned())
    }

    fn same_obj(&self, p: Ptr, addr: u64) -> Result<(), String> {
        let own = self.objs.addr(p).unwrap_or(0);
        if own == addr {
            Ok(())
        } else {
            Err(format!("it is about another object than {}", self.obj_words(p)))
        }
    }

    fn same_buf(&self, p: Ptr, addr: u64) -> Result<(), String> {
        let own = self.bufs.addr(p).unwrap_or(0);
        if own == addr {
            Ok(())
        } else {
            Err(format!("it is about another dma-buf than {}", self.buf_words(p)))
        }
    }

    pub(super) fn born_buf(&mut self, p: Ptr, addr: u64) -> Result<(), String> {
        if let Some(old) = self.bufs.find(addr) {
            return Err(format!("it lies where {} lives", self.buf_words(old)));
        }
        self.bufs.bind(addr, p);
        Ok(())
    }

    fn gem(
        &mut self,
        t: usize,
        (probe, phase, operand): (ProbeId, Phase, u8),
        record: &Record,
    ) -> Result<(), String> {
        let p: &Gem = record.payload();
        let (th, back) = (self.k.threads[t], phase == Phase::Return);
        if names_file(probe) {
            self.same_file(operand, p.file)?;
        }
        let by_object = matches!(
            probe,
            ProbeId::ObjectRelease
                | ProbeId::ObjectFree
                | ProbeId::ObjectDriverFree
                | ProbeId::HandleCreate
                | ProbeId::HandleRelease
                | ProbeId::HandlePut
                | ProbeId::HandleGet
                | ProbeId::HandleGetIfExists
                | ProbeId::ImportDestroy
        );
        if probe == ProbeId::ObjectInit {
            if let Some(old) = self.objs.find(p.obj) {
                return Err(format!("it lies where {} lives", self.obj_words(old)));
            }
            self.objs.bind(p.obj, th.o);
        } else if by_object && !(back && self.k.obj(th.o).is_none()) {
            self.same_obj(th.o, p.obj)?;
        }
        let handle = match probe {
            ProbeId::HandleCreate | ProbeId::GemOpen | ProbeId::GetFb | ProbeId::GetFb2 => {
                back && th.ret >= 0
            }
            _ => names_file(probe) && probe != ProbeId::VmaAllow,
        };
        // The result first: a call that failed gives no handle.
        if back {
            match probe {
                ProbeId::HandleGetIfExists => same("the result", i64::from(th.yes()), record.header.ret & 1)?,
                ProbeId::HandlePut | ProbeId::ImportDestroy | ProbeId::HandleRelease => {}
                _ => same("the result", th.ret, result(record, false))?,
            }
        }
        if handle {
            same("the handle", th.h, narrow(p.handle))?;
        }
        if probe == ProbeId::Flink && back && th.ret >= 0 {
            same("the name", th.n, narrow(p.name))?;
        }
        // Entries that are under a lock, or alone with the object.
        let locked = matches!(probe, ProbeId::HandleCreate | ProbeId::HandleGet | ProbeId::ObjectRelease);
        let quiet = matches!(probe, ProbeId::HandlePut | ProbeId::HandleRelease | ProbeId::HandleGetIfExists);
        if !back && readable(record) && (locked || quiet && self.alone(t)) {
            self.object_fields(th.o, p)?;
        }
        Ok(())
    }

    fn object_fields(&self, o: Ptr, p: &Gem) -> Result<(), String> {
        let Some(o) = self.k.obj(o) else { return Ok(()) };
        same("the handle count", i64::from(o.count), i64::from(p.handle_count))?;
        same("the mark of an import", yes(!o.import.is_null()), yes(p.import_attach != 0))?;
        same("the link", yes(!o.link.is_null()), yes(p.dma_buf != 0))?;
        if !o.link.is_null() {
            self.same_buf(o.link, p.dma_buf).map_err(|e| format!("the link: {e}"))?;
        }
        same("the global name", o.name, narrow(p.name))
    }

    fn prime(
        &mut self,
        t: usize,
        (probe, phase, operand): (ProbeId, Phase, u8),
        record: &Record,
    ) -> Result<(), String> {
        let p: &Prime = record.payload();
        let (th, back) = (self.k.threads[t], phase == Phase::Return);
        self.same_file(operand, p.file)?;
        let pointer = probe == ProbeId::ExportToDmabuf;
        if back && probe != ProbeId::CacheRemove {
            same("the result", th.ret.min(0), result(record, pointer))?;
        }
        if probe != ProbeId::Import || back && th.ret >= 0 {
            let own = if operand & NEW != 0 { th.n } else { th.h };
            same("the handle", own, narrow(p.handle))?;
        }
        if probe == ProbeId::CacheAdd || pointer && back && th.ret >= 0 {
            self.same_buf(th.d, p.dma_buf)?;
        }
        Ok(())
    }

    fn buf(&mut self, t: usize, (probe, operand): (ProbeId, u8), record: &Record) -> Result<(), String> {
        let p: &Buf = record.payload();
        let th = self.k.threads[t];
        match probe {
            ProbeId::BufFd => same("the result", th.ret.min(0), result(record, false))?,
            ProbeId::BufGet => {
                same("the result", th.ret.min(0), result(record, true))?;
                if th.ret < 0 {
                    return Ok(());
                }
            }
            _ => {}
        }
        let e = probe == ProbeId::BufPut && operand == Reg::E as u8;
        let d = if e { th.e } else { th.d };
        self.same_buf(d, p.dma_buf)?;
        if probe == ProbeId::BufGemRelease && readable(record) {
            let of = self.k.buf(d).map_or(Ptr::NULL, |b| b.object);
            self.same_obj(of, p.private)?;
        }
        Ok(())
    }
}
