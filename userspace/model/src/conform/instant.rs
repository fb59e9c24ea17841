//! What drivers and user space do by themselves: it has no program, only a check and an effect.

use gemscope_common::{
    Attachment, Buf, BufAccess, BufExport, BufIoctl, DrmFile, Gem, Mapping, Phase, ProbeId, Record, ops,
    reservation,
};

use super::begin::{Begin, Refusal};
use super::compare::narrow;
use super::trace::{readable, result};
use super::world::{Context, World};
use crate::code::Do;
use crate::state::{Buf as ModelBuf, Ptr, allocate, buf_state, exporter, get_mut};

const DRIVERS: &str = "of a driver's own doing";
const USERS: &str = "of user space's own doing";

fn differs(why: impl Into<String>) -> Refusal {
    Refusal::Differs(why.into())
}

/// DMA_BUF_SET_NAME, in its two sizes.
const SET_NAME: [u32; 2] = [0x4004_6201, 0x4008_6201];

impl World {
    /// Takes a record that is a call of its own; nothing when it is none.
    pub(super) fn instant(
        &mut self,
        cx: &Context<'_>,
        i: u32,
        record: &Record,
        probe: ProbeId,
        phase: Phase,
    ) -> Result<Option<Begin>, Refusal> {
        let buf = |w: &Self| w.bufs.find(record.payload::<Buf>().dma_buf);
        Ok(match (probe, phase) {
            (ProbeId::FileOpen, Phase::Return) => {
                if result(record, true) == 0 {
                    let p: &DrmFile = record.payload();
                    let room = self.device(p.dev).and_then(|dev| self.open(p.file, dev));
                    room.ok_or(Refusal::Room("more files or devices at a time than the model has room for"))?;
                }
                Some(Begin::Unpredicted(USERS))
            }
            (ProbeId::ObjectRelease | ProbeId::ObjectDriverFree, Phase::Point) => {
                let addr = record.payload::<Gem>().obj;
                let due = match probe {
                    ProbeId::ObjectRelease => self.objs.went(addr),
                    _ => self.objs.is_late(addr),
                };
                due.then_some(Begin::Done)
            }
            (ProbeId::BufExport, Phase::Entry) => Some(Begin::Unpredicted(DRIVERS)),
            (ProbeId::BufExport, Phase::Return) => Some(self.exported(record)?),
            (ProbeId::BufFd, Phase::Return) | (ProbeId::BufFdInstall | ProbeId::BufFdClose, Phase::Point) => {
                let addr = record.payload::<Buf>().dma_buf;
                self.private.retain(|b| *b != addr);
                match buf(self) {
                    Some(d) if self.k.buf(d).is_some_and(|b| b.state == buf_state::LIVE) => Some(Begin::Done),
                    Some(d) => {
                        return Err(differs(format!("{} has an fd after its file's end", self.buf_words(d))));
                    }
                    None => None,
                }
            }
            (ProbeId::BufGet, Phase::Return) => {
                if let Some(d) = buf(self) {
                    self.k.buf_get(d);
                    self.taken_by_driver(record.payload::<Buf>().dma_buf, true);
                }
                Some(Begin::Unpredicted(DRIVERS))
            }
            (ProbeId::BufPut, Phase::Point) => {
                if let Some(d) = buf(self)
                    && self.taken_by_driver(record.payload::<Buf>().dma_buf, false)
                    && let Some(b) = get_mut(&mut self.k.bufs, d)
                {
                    b.refs -= 1;
                }
                Some(Begin::Unpredicted(DRIVERS))
            }
            (
                ProbeId::Attach
                | ProbeId::Detach
                | ProbeId::Map
                | ProbeId::Unmap
                | ProbeId::Pin
                | ProbeId::Unpin,
                _,
            ) => Some(self.device_call(cx, i, record, probe, phase)?),
            (ProbeId::Vmap | ProbeId::Vunmap, _) => {
                let p: &BufAccess = record.payload();
                let needs = cx.machine.era.vmap_needs_lock();
                self.check_lock(p.reservation, needs, false)?;
                if let Some(d) = self.bufs.find(p.dma_buf)
                    && let Some(b) = get_mut(&mut self.k.bufs, d)
                {
                    let one = if probe == ProbeId::Vmap { i8::from(result(record, false) == 0) } else { -1 };
                    b.vmaps = b.vmaps.saturating_add(one);
                    return Ok(Some(Begin::Done));
                }
                None
            }
            (ProbeId::BufIoctl, Phase::Entry) => Some(Begin::Unpredicted(USERS)),
            (ProbeId::BufIoctl, Phase::Return) => Some(self.named_buf(cx, i, record)?),
            (ProbeId::GemMmap, Phase::Return) | (ProbeId::GemVmOpen, Phase::Point) => {
                let o = self.objs.find(record.payload::<Mapping>().obj);
                let good = phase == Phase::Point || result(record, false) == 0;
                // An import's mapping is the dma-buf's.
                if let Some(o) = o.filter(|_| good)
                    && let Some(o) = get_mut(&mut self.k.objs, o).filter(|o| o.import.is_null())
                {
                    o.kref = o.kref.saturating_add(1);
                }
                Some(Begin::Unpredicted(USERS))
            }
            (ProbeId::BufMmap, Phase::Return) | (ProbeId::FbClose, _) => Some(Begin::Unpredicted(USERS)),
            (ProbeId::DriverAccess, Phase::Return) => {
                let p: &Gem = record.payload();
                let f = self.file(p.file);
                let of = f.and_then(|f| self.k.handle(f, narrow(p.handle))).filter(|h| h.slot == 2);
                let import = of.and_then(|h| self.k.obj(h.obj)).is_some_and(|o| !o.import.is_null());
                if import && result(record, false) == 0 {
                    return Err(differs(
                        "a driver gives the CPU access to an import by its handle, which it must refuse",
                    ));
                }
                of.map(|_| Begin::Done)
            }
            _ => None,
        })
    }

    /// A dma-buf by an exporter that is not PRIME.
    fn exported(&mut self, record: &Record) -> Result<Begin, Refusal> {
        let p: &BufExport = record.payload();
        if result(record, true) < 0 || p.dma_buf == 0 {
            return Ok(Begin::Unpredicted(DRIVERS));
        }
        let known = |bit: u16, kind: u8| if p.ops_bits & bit != 0 { kind } else { 0 };
        let of = if p.gem_exporter == 1 { self.objs.find(p.private) } else { None };
        if let Some(o) = of {
            if let Some(d) = self.k.bufs.iter().position(|b| b.state == buf_state::LIVE && b.object == o) {
                let other = crate::state::ptr(&self.k.bufs, d);
                return Err(differs(format!(
                    "{} has a dma-buf already, {}: a second one is exported outside PRIME",
                    self.obj_words(o),
                    self.buf_words(other)
                )));
            }
            if let Some(o) = get_mut(&mut self.k.objs, o) {
                o.kref = o.kref.saturating_add(1);
            }
        }
        let kind = known(ops::PIN, exporter::DYNAMIC) | known(ops::CACHES, exporter::CACHES);
        self.k.born_bufs = self.k.born_bufs.wrapping_add(1);
        let serial = self.k.born_bufs;
        let object = of.unwrap_or(Ptr::NULL);
        // Its first reference is user space's before anybody else can know it.
        let make =
            |gen_| ModelBuf { gen_, serial, object, state: buf_state::LIVE, kind, ..ModelBuf::default() };
        let d = allocate(&mut self.k.bufs, make);
        self.born_buf(d, p.dma_buf).map_err(Refusal::Differs)?;
        self.private.retain(|b| *b != p.dma_buf);
        self.private.push(p.dma_buf);
        Ok(Begin::Unpredicted(DRIVERS))
    }

    /// Counts a reference that a driver took by an fd, or one that it puts; leaves whether there was one.
    fn taken_by_driver(&mut self, addr: u64, more: bool) -> bool {
        let ix = self.taken.iter().position(|t| t.0 == addr);
        match (ix, more) {
            (Some(ix), true) => self.taken[ix].1 += 1,
            (None, true) => self.taken.push((addr, 1)),
            (Some(ix), false) => {
                self.taken[ix].1 -= 1;
                if self.taken[ix].1 == 0 {
                    self.taken.remove(ix);
                }
            }
            (None, false) => return false,
        }
        true
    }

    /// R46: the reservation lock, as the call found it.
    fn check_lock(&self, found: u32, must: bool, must_not: bool) -> Result<(), Refusal> {
        match found {
            reservation::NOT_HELD if must => {
                Err(differs("it needs the reservation lock, and does not have it"))
            }
            reservation::HELD if must_not => {
                Err(differs("it takes the reservation lock, and has it already"))
            }
            _ => Ok(()),
        }
    }

    /// What a device does to its attachment, under the driver's control.
    fn device_call(
        &mut self,
        cx: &Context<'_>,
        i: u32,
        record: &Record,
        probe: ProbeId,
        phase: Phase,
    ) -> Result<Begin, Refusal> {
        let p: &Attachment = record.payload();
        let era = cx.machine.era;
        let dynamic = p.importer_ops != 0;
        let (must, must_not) = match probe {
            ProbeId::Attach | ProbeId::Detach => (false, era.attach_locks()),
            ProbeId::Pin | ProbeId::Unpin => (true, false),
            _ => (era.map_needs_lock(dynamic), false),
        };
        self.check_lock(p.reservation, must, must_not)?;
        let room = Refusal::Room("more threads at a time than the model has room for");
        if probe == ProbeId::Attach {
            let (true, Some(d)) =
                (phase == Phase::Return && result(record, true) == 0, self.bufs.find(p.dma_buf))
            else {
                return Ok(Begin::Unpredicted(DRIVERS));
            };
            let t = self.take_slot(record.header.tid, i).ok_or(room)?;
            self.k.threads[t].d = d;
            self.k.act(&cx.machine, t, Do::Attach { dynamic, import: false });
            self.k.act(&cx.machine, t, Do::AttachKeep);
            self.attaches.bind(p.attach, self.k.threads[t].a);
            self.finish(t);
            return Ok(Begin::Unpredicted(DRIVERS));
        }
        let Some(a) = self.attaches.find(p.attach) else {
            return Ok(Begin::Unpredicted(super::begin::UNKNOWN));
        };
        let on = self.k.attach(a).map_or(Ptr::NULL, |a| a.buf);
        if probe == ProbeId::Detach && self.bufs.addr(on) != Some(p.dma_buf) {
            return Err(differs(format!(
                "the attachment is on {}, and detached from another",
                self.buf_words(on)
            )));
        }
        if self.bufs.find(self.bufs.addr(on).unwrap_or(0)).is_none() {
            return Err(differs(format!("the attachment is on {}, which is gone", self.buf_words(on))));
        }
        if self.private.contains(&p.dma_buf) && cx.trace.is_last_used(p.dma_buf, i) {
            let buf = self.buf_words(on);
            return Err(differs(format!(
                "the last file reference of {buf} was put before: it is gone already"
            )));
        }
        // Mappings are only told where that was asked for.
        let counted = cx.trace.attached.has(ProbeId::Map, Phase::Return);
        let t = self.take_slot(record.header.tid, i).ok_or(room)?;
        (self.k.threads[t].a, self.k.threads[t].d) = (a, on);
        let dir = p.direction as u8;
        // Tables have names of the model's own.
        let of = |m: &&crate::state::Map| m.attach == a;
        let table = self.k.maps.iter().filter(of).max_by_key(|m| m.dir == dir).map(|m| m.table);
        let kept = p.cached_sgt != 0 && p.cached_sgt == p.sgt;
        self.k.threads[t].n = table.filter(|_| !kept).unwrap_or(crate::effects::KEPT);
        match (probe, phase) {
            (ProbeId::Map, Phase::Return) => {
                self.k.act(&cx.machine, t, Do::Map { dir });
                let (ret, seen) = (self.k.threads[t].ret, result(record, true));
                if ret < 0 && seen == 0 {
                    return Err(differs(format!(
                        "the mapping is in another direction: {ret} predicted, 0 observed"
                    )));
                }
            }
            (ProbeId::Unmap, _) if counted => self.k.act(&cx.machine, t, Do::Unmap { dir }),
            (ProbeId::Detach, _) => {
                self.k.act(&cx.machine, t, Do::Detach);
                self.attaches.end(a, false);
            }
            (ProbeId::Pin, Phase::Return) if result(record, false) == 0 => {
                self.k.act(&cx.machine, t, Do::Pin)
            }
            (ProbeId::Unpin, _) => self.k.act(&cx.machine, t, Do::Unpin),
            _ => {}
        }
        self.finish(t);
        Ok(Begin::Done)
    }

    /// R52: a dma-buf with attachments cannot be named, up to 5.x.
    fn named_buf(&self, cx: &Context<'_>, i: u32, record: &Record) -> Result<Begin, Refusal> {
        let p: &BufIoctl = record.payload();
        let Some(d) = self.bufs.find(p.dma_buf).filter(|_| SET_NAME.contains(&p.cmd) && readable(record))
        else {
            return Ok(Begin::Unpredicted(USERS));
        };
        if cx.trace.attaches_near(p.dma_buf, i) {
            return Ok(Begin::Unpredicted("a device attaches or detaches meanwhile"));
        }
        let attached = self.k.attaches.iter().any(|a| a.alive != 0 && a.buf == d);
        let busy = cx.machine.era.set_name_busy() && attached;
        let seen = result(record, false) == crate::ops::errno::EBUSY;
        if busy == seen {
            return Ok(Begin::Done);
        }
        Err(differs(format!(
            "the name is {} for {}",
            if seen { "refused" } else { "taken" },
            self.buf_words(d)
        )))
    }
}
