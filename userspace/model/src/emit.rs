//! Records: what a probed kernel would write where the model is.
//!
//! Addresses are made up from slots, so that an address comes again as soon as a slab would give it again. Inode numbers and sizes
//! tell dma-bufs and objects apart: the n-th object is n pages long.

use gemscope_common::{
    Attachment, Buf, BufAccess, BufExport, BufIoctl, ChangeHandle, DrmFile, Flags, Framebuffer, Gem, Mapping,
    Payload, Phase, Prime, ProbeId, Process, Record, Scope, SeenFd, Settle, ops, reservation, scope, seen,
};

use crate::effects::KEPT;
use crate::machine::Machine;
use crate::ops::NEW;
use crate::state::{Kernel, Ptr, buf_state, exporter};
use crate::step::Sink;

/// One page.
pub const PAGE: u64 = 4096;
/// Time between two records of the model, ns.
pub const TICK_NS: u64 = 1000;
/// Process ids are this far apart.
const PIDS: u32 = 100;

const BASE: u64 = 0xffff_8880_0000_0000;

/// The kinds of things that have addresses.
#[derive(Clone, Copy)]
enum Kind {
    File = 1,
    Obj,
    Buf,
    Attach,
    Table,
    Fb,
    Dev,
    Vma,
    Other,
}

const fn addr(kind: Kind, slot: u64) -> u64 {
    if slot == 0 { 0 } else { BASE + ((kind as u64) << 32) + slot * 0x400 }
}

const fn at(kind: Kind, p: Ptr) -> u64 {
    addr(kind, p.slot as u64)
}

/// Makes records of what a machine does, and gives them away one by one.
pub struct Recorder<F> {
    take: F,
    seq: u64,
}

impl<F: FnMut(Record)> Recorder<F> {
    /// Gives each record to `take`.
    pub const fn new(take: F) -> Self {
        Self { take, seq: 0 }
    }

    /// The record that a run begins with: which processes the verdict is about.
    pub fn scope(&mut self, m: &Machine) {
        self.write(scope_record(m));
    }

    /// The records that a run ends with: which dma-bufs are alive, where a kernel could tell, and that all has settled.
    pub fn settle(&mut self, m: &Machine, k: &Kernel) {
        last_look(m, k).into_iter().for_each(|record| self.write(record));
    }

    fn write(&mut self, mut record: Record) {
        self.seq += 1;
        record.header.ts_ns = self.seq * TICK_NS;
        (self.take)(record);
    }
}

impl<F: FnMut(Record)> Sink for Recorder<F> {
    const RECORDS: bool = true;

    fn probe(&mut self, m: &Machine, k: &Kernel, t: usize, probe: ProbeId, phase: Phase, operand: u8) {
        self.write(record(m, k, t, probe, phase, operand));
    }
}

/// The record that a run begins with.
pub(crate) fn scope_record(m: &Machine) -> Record {
    let at_exit = if m.strict { scope::STRICT } else { scope::IGNORE };
    Record::new(ProbeId::Scope, Phase::Point, &Scope { root_tgid: 0, at_exit, ..Scope::default() })
}

/// The records that a run ends with.
pub(crate) fn last_look(m: &Machine, k: &Kernel) -> Vec<Record> {
    let mut look = Vec::new();
    let listed = m.era.lists_bufs();
    for b in k.bufs.iter().filter(|b| listed && b.state == buf_state::LIVE) {
        let p = SeenFd { ino: u64::from(b.serial), fd: -1, kind: seen::ALIVE, ..SeenFd::default() };
        look.push(Record::new(ProbeId::SeenFd, Phase::Point, &p));
    }
    let p = Settle { scan: 1, listed: u32::from(listed), ..Settle::default() };
    look.push(Record::new(ProbeId::Settle, Phase::Point, &p));
    look
}

/// The id of a process.
pub const fn pid(process: u8) -> u32 {
    (process as u32 + 1) * PIDS
}

/// The process and thread numbers of thread `t`: a process that is alone is its own main thread.
#[must_use]
pub fn ids(m: &Machine, k: &Kernel, t: usize) -> (u32, u32) {
    let tgid = pid(m.runner(k, t).map_or(0, |r| r.process));
    (tgid, tgid + t as u32)
}

/// The record that a probe writes here and now.
#[must_use]
pub fn record(m: &Machine, k: &Kernel, t: usize, probe: ProbeId, phase: Phase, operand: u8) -> Record {
    let see = See { m, k, t, operand, back: phase == Phase::Return };
    let ret = i64::from(k.threads[t].ret);
    use gemscope_common::Layout as L;
    let (mut record, ret) = match probe.layout() {
        L::Gem => (see.gem(probe, phase), if probe == ProbeId::HandleGetIfExists { see.said() } else { ret }),
        L::DrmFile => (see.file(probe, phase), see.file_ret(probe)),
        L::Prime => (see.prime(probe, phase), see.prime_ret(probe, ret)),
        L::ChangeHandle => {
            let th = &k.threads[t];
            let p = ChangeHandle {
                file: see.file_addr(operand),
                handle: u32::from(th.h),
                new_handle: u32::from(th.n),
                reserved: 0,
            };
            (make(probe, phase, &p), ret)
        }
        L::BufExport => see.export(probe, phase, ret),
        L::Buf => see.buf(probe, phase, ret),
        L::BufAccess => (see.access(probe, phase), ret),
        L::BufIoctl => {
            let d = k.threads[t].d;
            let p =
                BufIoctl { dma_buf: at(Kind::Buf, d), ino: see.ino(d), cmd: SET_NAME, ..BufIoctl::default() };
            (make(probe, phase, &p), ret)
        }
        L::Attachment => see.attachment(probe, phase, ret),
        L::Framebuffer => (see.framebuffer(probe, phase), ret),
        L::Mapping => (see.mapping(probe, phase), ret),
        L::Process => (see.process(probe, phase), 0),
        L::Scope | L::Settle | L::SeenFd | L::Missed | L::Mark => (make(probe, phase, &Gem::default()), 0),
    };
    (record.header.tgid, record.header.tid) = ids(m, k, t);
    record.header.ret = if phase == Phase::Return { ret } else { 0 };
    record.header.cpu = t as u32;
    if m.runner(k, t).is_some_and(|r| r.exiting) {
        record.header.flags |= Flags::EXITING;
    }
    record
}

/// `DMA_BUF_SET_NAME_B`
const SET_NAME: u32 = 0x4008_6201;

fn make<P: Payload>(probe: ProbeId, phase: Phase, payload: &P) -> Record {
    Record::new(probe, phase, payload)
}

/// Does this probe of an object or a handle see the file?
pub(crate) const fn names_file(probe: ProbeId) -> bool {
    matches!(
        probe,
        ProbeId::HandleCreate
            | ProbeId::HandleDelete
            | ProbeId::HandleRelease
            | ProbeId::GemClose
            | ProbeId::DestroyDumb
            | ProbeId::VmaAllow
            | ProbeId::Flink
            | ProbeId::GemOpen
            | ProbeId::GetFb
            | ProbeId::GetFb2
            | ProbeId::DriverAccess
    )
}

/// What a probe can see.
struct See<'a> {
    m: &'a Machine,
    k: &'a Kernel,
    t: usize,
    operand: u8,
    back: bool,
}

impl See<'_> {
    fn file_addr(&self, f: u8) -> u64 {
        addr(Kind::File, u64::from(f & !NEW) + 1)
    }

    fn dev_of_file(&self, f: u8) -> u8 {
        self.m.files.get(usize::from(f & !NEW)).map_or(0, |f| f.device)
    }

    fn dev_addr(dev: u8) -> u64 {
        addr(Kind::Dev, u64::from(dev) + 1)
    }

    fn ino(&self, p: Ptr) -> u64 {
        let ix = usize::from(p.slot).wrapping_sub(1);
        self.k.bufs.get(ix).map_or(0, |b| u64::from(b.serial))
    }

    fn size_of(&self, o: Ptr) -> u64 {
        let ix = usize::from(o.slot).wrapping_sub(1);
        self.k.objs.get(ix).map_or(0, |o| u64::from(o.serial) * PAGE)
    }

    fn buf_size(&self, p: Ptr) -> u64 {
        match self.k.buf(p).map(|b| b.object) {
            Some(o) if !o.is_null() => self.size_of(o),
            _ => PAGE / 2,
        }
    }

    fn said(&self) -> i64 {
        i64::from(self.k.threads[self.t].yes())
    }

    fn gem(&self, probe: ProbeId, phase: Phase) -> Record {
        let th = &self.k.threads[self.t];
        let by_file = names_file(probe);
        let by_object = !by_file || matches!(probe, ProbeId::HandleCreate | ProbeId::HandleRelease);
        let mut p = Gem::default();
        if by_file {
            p.file = self.file_addr(self.operand);
            p.dev = Self::dev_addr(self.dev_of_file(self.operand));
        }
        if by_object {
            p.obj = at(Kind::Obj, th.o);
            // At a return the object may be gone.
            if let Some(o) = self.k.obj(th.o) {
                p.dev = Self::dev_addr(o.dev);
                p.dma_buf = at(Kind::Buf, o.link);
                p.import_attach = at(Kind::Attach, o.import);
                p.size = self.size_of(th.o);
                p.handle_count = o.count as u32;
                p.name = u32::from(o.name);
                p.refcount = o.kref as u32;
            }
        }
        let made = probe == ProbeId::HandleCreate
            || matches!(probe, ProbeId::GemOpen | ProbeId::GetFb2) && self.back;
        p.handle = match probe {
            _ if made && self.back && th.ret >= 0 => u32::from(th.h),
            _ if made => 0,
            ProbeId::HandleDelete
            | ProbeId::HandleRelease
            | ProbeId::GemClose
            | ProbeId::DestroyDumb
            | ProbeId::Flink
            | ProbeId::DriverAccess => u32::from(th.h),
            _ => 0,
        };
        if probe == ProbeId::GemOpen || probe == ProbeId::Flink && self.back && th.ret >= 0 {
            p.name = u32::from(th.n);
        }
        make(probe, phase, &p)
    }

    fn file(&self, probe: ProbeId, phase: Phase) -> Record {
        let f = self.operand;
        let device = self.dev_of_file(f);
        let mut driver = [0; 16];
        let name = self.m.devices.get(usize::from(device)).map_or(&b"model"[..], |_| b"model");
        driver[..name.len()].copy_from_slice(name);
        let cached = self.k.cache.iter().any(|e| e.file == f);
        let p = DrmFile {
            file: self.file_addr(f),
            dev: Self::dev_addr(device),
            filp: if probe == ProbeId::FileOpen { 0 } else { addr(Kind::Other, u64::from(f) + 1) },
            client_id: u64::from(f) + 1,
            cache_root: if probe == ProbeId::PrimeDestroy && cached { addr(Kind::Other, 0x100) } else { 0 },
            minor: u32::from(device),
            minor_type: 0,
            driver,
        };
        make(probe, phase, &p)
    }

    fn file_ret(&self, probe: ProbeId) -> i64 {
        if probe == ProbeId::FileOpen { self.file_addr(self.operand) as i64 } else { 0 }
    }

    fn prime(&self, probe: ProbeId, phase: Phase) -> Record {
        let th = &self.k.threads[self.t];
        let of_buf = matches!(probe, ProbeId::CacheAdd) || probe == ProbeId::ExportToDmabuf && self.back;
        let good = th.ret >= 0;
        // A return shows the arguments of its entry.
        let buf = if of_buf && (good || probe == ProbeId::CacheAdd) { th.d } else { Ptr::NULL };
        let own_dev = !matches!(probe, ProbeId::CacheAdd | ProbeId::CacheRemove);
        let p = Prime {
            file: self.file_addr(self.operand),
            dma_buf: at(Kind::Buf, buf),
            ino: self.ino(buf),
            dev: if own_dev { Self::dev_addr(self.dev_of_file(self.operand)) } else { 0 },
            handle: match probe {
                ProbeId::Import if !self.back || !good => 0,
                _ if self.operand & NEW != 0 => u32::from(th.n),
                _ => u32::from(th.h),
            },
            fd: match probe {
                ProbeId::Import => i32::from(th.x),
                ProbeId::ExportIoctl | ProbeId::ExportToFd if self.back && good => i32::from(th.x as i16),
                _ => -1,
            },
            ..Prime::default()
        };
        make(probe, phase, &p)
    }

    fn prime_ret(&self, probe: ProbeId, ret: i64) -> i64 {
        match probe {
            ProbeId::ExportToDmabuf if ret >= 0 => at(Kind::Buf, self.k.threads[self.t].d) as i64,
            ProbeId::CacheRemove => 0,
            _ => ret,
        }
    }

    fn ops_bits(kind: u8) -> u16 {
        let bit = |of: u8, bits: u16| if kind & of != 0 { bits } else { 0 };
        let base = ops::KNOWN | ops::MAP | ops::UNMAP | ops::RELEASE;
        base | bit(exporter::DYNAMIC, ops::PIN | ops::UNPIN) | bit(exporter::CACHES, ops::CACHES)
    }

    fn export(&self, probe: ProbeId, phase: Phase, ret: i64) -> (Record, i64) {
        let th = &self.k.threads[self.t];
        let bad = self.operand == 1;
        let made = if self.back && ret >= 0 && !bad { th.d } else { Ptr::NULL };
        let by_gem = !th.o.is_null();
        let private = match by_gem {
            _ if bad => 0,
            true => at(Kind::Obj, th.o),
            false => addr(Kind::Other, 0x200),
        };
        let kind = self.k.buf(made).map_or(0, |b| b.kind);
        let mut exp_name = [0; 24];
        exp_name[..5].copy_from_slice(b"model");
        let p = BufExport {
            dma_buf: at(Kind::Buf, made),
            ino: self.ino(made),
            private,
            ops: addr(Kind::Other, 0x300),
            resv: 0,
            size: if by_gem { self.size_of(th.o) } else { PAGE / 2 },
            flags: 0,
            gem_exporter: if by_gem { 1 } else { 2 },
            ops_bits: Self::ops_bits(kind),
            exp_name,
        };
        (make(probe, phase, &p), if ret < 0 { ret } else { p.dma_buf as i64 })
    }

    fn buf(&self, probe: ProbeId, phase: Phase, ret: i64) -> (Record, i64) {
        let th = &self.k.threads[self.t];
        let reg_e = probe == ProbeId::BufPut && self.operand == crate::code::Reg::E as u8;
        let d = if reg_e { th.e } else { th.d };
        let good = probe != ProbeId::BufGet || ret >= 0;
        let d = if good { d } else { Ptr::NULL };
        let b = self.k.buf(d);
        let p = Buf {
            dma_buf: at(Kind::Buf, d),
            ino: self.ino(d),
            private: match b.map(|b| b.object) {
                Some(o) if probe == ProbeId::BufGemRelease => at(Kind::Obj, o),
                _ => 0,
            },
            filp: 0,
            file_count: if probe == ProbeId::BufPut { b.map_or(0, |b| b.refs.max(0) as u64) } else { 0 },
            fd: match probe {
                ProbeId::BufFd | ProbeId::BufGet | ProbeId::BufFdClose => i32::from(th.x),
                _ => -1,
            },
            vmapping_counter: match probe {
                ProbeId::BufFileRelease | ProbeId::BufRelease => b.map_or(0, |b| b.vmaps.max(0) as u32),
                _ => 0,
            },
            syscall: 0,
        };
        let ret = match probe {
            ProbeId::BufGet if ret >= 0 => p.dma_buf as i64,
            ProbeId::BufFd if ret >= 0 => i64::from(th.x),
            _ => ret,
        };
        (make(probe, phase, &p), ret)
    }

    fn reservation(&self, d: Ptr) -> u32 {
        match self.k.buf(d) {
            Some(b) if usize::from(b.resv) == self.t + 1 => reservation::HELD,
            _ => reservation::NOT_HELD,
        }
    }

    fn access(&self, probe: ProbeId, phase: Phase) -> Record {
        let d = self.k.threads[self.t].d;
        let vmaps = self.k.buf(d).map_or(0, |b| b.vmaps.max(0) as u32);
        let p = BufAccess {
            dma_buf: at(Kind::Buf, d),
            ino: self.ino(d),
            vmapping_counter: vmaps,
            reservation: self.reservation(d),
        };
        make(probe, phase, &p)
    }

    fn table(&self, a: Ptr, table: u16) -> u64 {
        let name = if table == KEPT { u64::from(KEPT) + u64::from(a.slot) } else { u64::from(table) };
        addr(Kind::Table, name)
    }

    fn attachment(&self, probe: ProbeId, phase: Phase, ret: i64) -> (Record, i64) {
        let th = &self.k.threads[self.t];
        let asked = probe == ProbeId::Attach && !self.back;
        let a = if asked || ret < 0 && probe == ProbeId::Attach { Ptr::NULL } else { th.a };
        let attach = self.k.attach(a);
        let on = attach.map_or(Ptr::NULL, |a| a.buf);
        let elsewhere = probe == ProbeId::Detach && self.operand == 1;
        let d = if probe == ProbeId::Attach || elsewhere || attach.is_none() { th.d } else { on };
        let dynamic = match (asked, attach) {
            (false, Some(a)) => a.dynamic != 0,
            _ => self.operand == 1,
        };
        let kept = attach.filter(|a| a.kept != 0);
        // At the end of an import the mapping undone is the one that the import made.
        let table = match attach {
            Some(x) if x.of_import != 0 => {
                let own = self.k.maps.iter().find(|m| m.attach == a).map(|m| m.table);
                own.unwrap_or(KEPT)
            }
            _ => th.n,
        };
        let mapping = matches!(probe, ProbeId::Map | ProbeId::Unmap);
        let p = Attachment {
            dma_buf: at(Kind::Buf, d),
            ino: self.ino(d),
            attach: at(Kind::Attach, a),
            device: addr(Kind::Dev, 0x40),
            sgt: if probe == ProbeId::Unmap { self.table(a, table) } else { 0 },
            importer_ops: if dynamic { addr(Kind::Other, 0x400) } else { 0 },
            direction: if mapping { u32::from(self.operand) } else { 0 },
            reservation: self.reservation(d),
            attached_to: if probe == ProbeId::Detach { at(Kind::Buf, on) } else { 0 },
            cached_sgt: if kept.is_some() { self.table(a, KEPT) } else { 0 },
            cached_direction: kept.map_or(0, |a| u32::from(a.kept_dir)),
            ops_bits: self.k.buf(d).map_or(0, |b| u32::from(Self::ops_bits(b.kind))),
        };
        let ret = match probe {
            ProbeId::Attach if ret >= 0 => p.attach as i64,
            ProbeId::Map if ret >= 0 => self.table(a, th.n) as i64,
            _ => ret,
        };
        (make(probe, phase, &p), ret)
    }

    fn framebuffer(&self, probe: ProbeId, phase: Phase) -> Record {
        let th = &self.k.threads[self.t];
        let fb = crate::state::get(&self.k.fbs, th.b);
        let p = Framebuffer {
            fb: at(Kind::Fb, th.b),
            dev: Self::dev_addr(self.k.obj(th.o).map_or(0, |o| o.dev)),
            obj: [fb.map_or_else(|| at(Kind::Obj, th.o), |b| at(Kind::Obj, b.obj)), 0, 0, 0],
            id: fb.map_or(0, |b| u32::from(b.id)),
            internal_flags: fb.map_or(0, |b| u32::from(b.counted)),
        };
        make(probe, phase, &p)
    }

    fn mapping(&self, probe: ProbeId, phase: Phase) -> Record {
        let th = &self.k.threads[self.t];
        let of_buf = probe == ProbeId::BufMmap;
        let p = Mapping {
            vma: addr(Kind::Vma, u64::from(th.x) + 1),
            obj: if of_buf { 0 } else { at(Kind::Obj, th.o) },
            dma_buf: if of_buf { at(Kind::Buf, th.d) } else { 0 },
            ino: if of_buf { self.ino(th.d) } else { 0 },
            start: 0x7f00_0000_0000 + u64::from(th.x) * PAGE,
            length: if of_buf { self.buf_size(th.d) } else { self.size_of(th.o) },
        };
        make(probe, phase, &p)
    }

    fn process(&self, probe: ProbeId, phase: Phase) -> Record {
        let name = self.m.processes.get(usize::from(self.operand)).map_or("", String::as_str);
        let mut comm = [0; gemscope_common::COMM_LEN];
        let len = name.len().min(comm.len() - 1);
        comm[..len].copy_from_slice(&name.as_bytes()[..len]);
        let p = Process { last_thread: 1, parent_tgid: 1, comm, ..Process::default() };
        make(probe, phase, &p)
    }
}
