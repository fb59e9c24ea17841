//! A small language for histories, so that a rule's test is two lines.
//!
//! A statement is `tN[@P] OP ARGS`, statements are separated by `;`. Threads `tN` belong to process `N*10` unless
//! `@P` names another. Files are `fN`, objects `oN`, dma-bufs `dN`, handles `hN` (the number N in its file).
//! Operations emit the records that a right kernel of the 6.12 line would; words with `!` leave a step out, and the
//! `raw` operations emit one record, so that a broken kernel can be written down.
//!
//! create fF hH oO · close fF hH [!cache] [!link] [early] · export fF hH -> dD · import fF dD -> hH oO [foreign]
//! · reimport fF dD -> hH oO (same file: no handle) · close-file fF · end-fd dD (last reference by fd goes)
//! · exit CODE · settle [partial] [listed] · die oO · fork P · lose N
//! · seen dD [pP] [mapping | path | alive] [start] (process 999 and fd 5, unless told otherwise)

use gemscope_common::*;
use std::collections::BTreeMap;

#[derive(Default, Clone)]
struct Object {
    count: u32,
    link: Option<u32>,
    foreign: Option<u32>,
    name: u32,
}

/// Turns statements into records.
#[derive(Default)]
pub struct Script {
    pub records: Vec<Record>,
    ts: u64,
    drops: u64,
    objects: BTreeMap<u32, Object>,
    handles: BTreeMap<(u32, u32), u32>,
    cache: BTreeMap<(u32, u32), u32>,
    exporter: BTreeMap<u32, u32>,
    /// dma-buf of an attachment.
    attached: BTreeMap<u32, u32>,
    /// File references of a dma-buf.
    refs: BTreeMap<u32, i32>,
}

const BASE: u64 = 0xffff_8880_0000_0000;

fn addr(kind: u64, n: u32) -> u64 {
    BASE + (kind << 24) + u64::from(n) * 0x400
}

fn number(word: &str, prefix: char) -> u32 {
    word.strip_prefix(prefix)
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("`{word}` is not {prefix}N"))
}

impl Script {
    pub fn run(text: &str) -> Self {
        let mut script = Self::default();
        for line in text.split([';', '\n']).map(str::trim).filter(|l| !l.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().filter(|w| *w != "->").collect();
            let (t, p) = match words[0].split_once('@') {
                Some((t, p)) => (number(t, 't'), p.parse().unwrap()),
                None => (number(words[0], 't'), number(words[0], 't') * 10),
            };
            script.statement((t, p), words[1], &words[2..]);
        }
        script
    }

    fn emit<P: Payload>(&mut self, who: (u32, u32), probe: ProbeId, phase: Phase, ret: i64, payload: &P) {
        self.ts += 1000;
        let mut r = Record::new(probe, phase, payload);
        r.header.ts_ns = self.ts;
        r.header.drops = self.drops;
        (r.header.tid, r.header.tgid, r.header.ret) = (who.0, who.1, ret);
        r.header.ustack = probe as i32;
        self.records.push(r);
    }

    fn gem(&self, f: u32, o: u32, h: u32) -> Gem {
        let state = self.objects.get(&o).cloned().unwrap_or_default();
        Gem {
            file: if f == 0 { 0 } else { addr(1, f) },
            obj: addr(2, o),
            dma_buf: state.link.map_or(0, |d| addr(3, d)),
            import_attach: state.foreign.map_or(0, |d| addr(4, d)),
            size: 4096,
            handle_count: state.count,
            name: state.name,
            handle: h,
            ..Gem::default()
        }
    }

    fn prime(&self, f: u32, h: u32, d: u32, fd: i32) -> Prime {
        let dma_buf = if d == 0 { 0 } else { addr(3, d) };
        Prime { file: addr(1, f), dma_buf, ino: u64::from(d), handle: h, fd, ..Prime::default() }
    }

    fn buf(&self, d: u32, fd: i32) -> Buf {
        Buf { dma_buf: addr(3, d), ino: u64::from(d), fd, ..Buf::default() }
    }

    fn put(&mut self, who: (u32, u32), d: u32) {
        self.emit(who, ProbeId::BufPut, Phase::Point, 0, &self.buf(d, -1));
        *self.refs.entry(d).or_default() -= 1;
    }

    /// Deferred work: what reached zero references dies now.
    fn task_work(&mut self, who: (u32, u32)) {
        let gone: Vec<u32> = self.refs.iter().filter(|(_, n)| **n <= 0).map(|(d, _)| *d).collect();
        for d in gone {
            self.refs.remove(&d);
            self.emit(who, ProbeId::BufFileRelease, Phase::Point, 0, &self.buf(d, -1));
            self.emit(who, ProbeId::BufRelease, Phase::Point, 0, &self.buf(d, -1));
            if let Some(o) = self.exporter.remove(&d) {
                self.maybe_die(who, o);
            }
        }
    }

    fn maybe_die(&mut self, who: (u32, u32), o: u32) {
        let exported = self.exporter.values().any(|x| *x == o);
        if self.objects.get(&o).is_some_and(|s| s.count == 0) && !exported {
            if let Some(d) = self.objects[&o].foreign {
                self.emit(who, ProbeId::ImportDestroy, Phase::Entry, 0, &self.gem(0, o, 0));
                self.put(who, d);
                self.emit(who, ProbeId::ImportDestroy, Phase::Return, 0, &self.gem(0, o, 0));
            }
            self.emit(who, ProbeId::ObjectRelease, Phase::Point, 0, &self.gem(0, o, 0));
            self.objects.remove(&o);
        }
    }

    fn tail(&mut self, who: (u32, u32), f: u32, h: u32, o: u32) {
        self.emit(who, ProbeId::HandleCreate, Phase::Entry, 0, &self.gem(f, o, 0));
        self.objects.entry(o).or_default().count += 1;
        self.handles.insert((f, h), o);
        self.emit(who, ProbeId::HandleCreate, Phase::Return, 0, &self.gem(f, o, h));
    }

    fn cache_add(&mut self, who: (u32, u32), f: u32, h: u32, d: u32) {
        self.emit(who, ProbeId::CacheAdd, Phase::Entry, 0, &self.prime(f, h, d, -1));
        self.cache.insert((f, h), d);
        *self.refs.entry(d).or_default() += 1;
        self.emit(who, ProbeId::CacheAdd, Phase::Return, 0, &self.prime(f, h, d, -1));
    }

    fn release(&mut self, who: (u32, u32), f: u32, h: u32, skip: &[&str]) {
        let o = self.handles.remove(&(f, h)).unwrap_or_else(|| panic!("f{f} has no h{h}"));
        self.emit(who, ProbeId::HandleRelease, Phase::Entry, 0, &self.gem(f, o, h));
        self.emit(who, ProbeId::CacheRemove, Phase::Entry, 0, &self.prime(f, h, 0, -1));
        if !skip.contains(&"!cache")
            && let Some(d) = self.cache.remove(&(f, h))
        {
            self.put(who, d);
        }
        self.emit(who, ProbeId::CacheRemove, Phase::Return, 0, &self.prime(f, h, 0, -1));
        self.emit(who, ProbeId::HandlePut, Phase::Entry, 0, &self.gem(0, o, 0));
        let state = self.objects.get_mut(&o).unwrap();
        state.count = state.count.saturating_sub(1);
        if state.count == 0 && !skip.contains(&"!link") {
            if let Some(d) = state.link.take() {
                self.put(who, d);
            }
            if !skip.contains(&"!death") {
                self.maybe_die(who, o);
            }
        }
        self.emit(who, ProbeId::HandlePut, Phase::Return, 0, &Gem { obj: addr(2, o), ..Gem::default() });
        self.emit(
            who,
            ProbeId::HandleRelease,
            Phase::Return,
            0,
            &Gem { obj: addr(2, o), file: addr(1, f), handle: h, ..Gem::default() },
        );
    }

    fn framebuffer(&self, b: u32, o: u32) -> Framebuffer {
        Framebuffer { fb: addr(6, b), id: b, obj: [addr(2, o), 0, 0, 0], ..Framebuffer::default() }
    }

    /// attach dD aA · detach dD aA · map aA DIR sS · unmap aA DIR sS · pin aA · unpin aA; words: `dynamic`, `cached`,
    /// and `locked` or `unlocked` where that is not as it should be.
    fn attachment(&mut self, who: (u32, u32), op: &str, a: &[&str]) {
        let word = |w: &str| a.contains(&w);
        let n = number(a[usize::from(matches!(op, "attach" | "detach"))], 'a');
        if op == "attach" {
            self.attached.insert(n, number(a[0], 'd'));
        }
        let on = self.attached.get(&n).copied().unwrap_or(0);
        let d = if op == "detach" { number(a[0], 'd') } else { on };
        let held = match op {
            "attach" | "detach" => word("locked"),
            _ => !word("unlocked"),
        };
        let table = |i: usize| addr(5, a.get(i).map_or(0, |s| number(s, 's')));
        let direction = a.get(1).and_then(|d| d.parse().ok()).unwrap_or(0);
        let p = Attachment {
            dma_buf: addr(3, d),
            ino: u64::from(d),
            attach: addr(4, n),
            attached_to: addr(3, on),
            importer_ops: if word("dynamic") { 1 } else { 0 },
            reservation: if held { 1 } else { 2 },
            ops_bits: 0,
            ..Attachment::default()
        };
        let mapping = Attachment { direction, sgt: if op == "unmap" { table(2) } else { 0 }, ..p };
        match op {
            "attach" => {
                let asked = Attachment { attach: 0, ..p };
                self.emit(who, ProbeId::Attach, Phase::Entry, 0, &asked);
                self.emit(who, ProbeId::Attach, Phase::Return, p.attach as i64, &p);
            }
            "detach" => self.emit(who, ProbeId::Detach, Phase::Point, 0, &p),
            "map" => {
                self.emit(who, ProbeId::Map, Phase::Entry, 0, &mapping);
                self.emit(who, ProbeId::Map, Phase::Return, table(2) as i64, &mapping);
            }
            "unmap" => self.emit(who, ProbeId::Unmap, Phase::Point, 0, &mapping),
            "pin" => self.emit(who, ProbeId::Pin, Phase::Return, 0, &p),
            _ => self.emit(who, ProbeId::Unpin, Phase::Point, 0, &p),
        }
    }

    fn statement(&mut self, who: (u32, u32), op: &str, a: &[&str]) {
        let file = |i: usize| number(a[i], 'f');
        let handle = |i: usize| number(a[i], 'h');
        let buf = |i: usize| number(a[i], 'd');
        let object = |i: usize| number(a[i], 'o');
        match op {
            "open" => {
                let p = DrmFile {
                    file: addr(1, file(0)),
                    minor: 0,
                    client_id: u64::from(file(0)),
                    ..DrmFile::default()
                };
                self.emit(who, ProbeId::FileOpen, Phase::Return, p.file as i64, &p);
            }
            "create" => {
                let (f, h, o) = (file(0), handle(1), object(2));
                self.objects.insert(o, Object::default());
                self.emit(who, ProbeId::ObjectInit, Phase::Point, 0, &self.gem(0, o, 0));
                self.tail(who, f, h, o);
            }
            "close" => {
                let (f, h) = (file(0), handle(1));
                let p = Gem { file: addr(1, f), handle: h, ..Gem::default() };
                self.emit(who, ProbeId::HandleDelete, Phase::Entry, 0, &p);
                let ret = if self.handles.contains_key(&(f, h)) {
                    self.release(who, f, h, &a[2..]);
                    0
                } else {
                    -22
                };
                self.emit(who, ProbeId::HandleDelete, Phase::Return, ret, &p);
                self.task_work(who);
            }
            "export" => {
                let (f, h, d) = (file(0), handle(1), buf(2));
                let o = self.handles[&(f, h)];
                self.emit(who, ProbeId::ExportIoctl, Phase::Entry, 0, &self.prime(f, h, 0, -1));
                self.emit(who, ProbeId::ExportToDmabuf, Phase::Entry, 0, &self.prime(f, h, 0, -1));
                if self.objects[&o].link.is_none() || a.contains(&"second") {
                    let p = BufExport {
                        dma_buf: addr(3, d),
                        ino: u64::from(d),
                        private: addr(2, o),
                        size: 4096,
                        gem_exporter: 1,
                        ..BufExport::default()
                    };
                    self.emit(
                        who,
                        ProbeId::BufExport,
                        Phase::Entry,
                        0,
                        &BufExport { private: addr(2, o), ..BufExport::default() },
                    );
                    self.emit(who, ProbeId::BufExport, Phase::Return, addr(3, d) as i64, &p);
                    self.exporter.insert(d, o);
                    self.objects.get_mut(&o).unwrap().link = Some(d);
                    *self.refs.entry(d).or_default() += 1;
                }
                if !self.cache.contains_key(&(f, h)) {
                    self.cache_add(who, f, h, d);
                }
                self.emit(
                    who,
                    ProbeId::ExportToDmabuf,
                    Phase::Return,
                    addr(3, d) as i64,
                    &self.prime(f, h, d, -1),
                );
                *self.refs.entry(d).or_default() += 1;
                self.emit(who, ProbeId::ExportIoctl, Phase::Return, 0, &self.prime(f, h, 0, 100 + d as i32));
            }
            "import" => {
                let (f, d, h, o) = (file(0), buf(1), handle(2), object(3));
                self.emit(who, ProbeId::Import, Phase::Entry, 0, &self.prime(f, 0, 0, 100 + d as i32));
                self.emit(who, ProbeId::BufGet, Phase::Return, addr(3, d) as i64, &self.buf(d, 100));
                *self.refs.entry(d).or_default() += 1;
                if a.contains(&"foreign") {
                    self.objects.insert(o, Object { foreign: Some(d), link: Some(d), ..Object::default() });
                    *self.refs.entry(d).or_default() += 2;
                    self.emit(
                        who,
                        ProbeId::ObjectInit,
                        Phase::Point,
                        0,
                        &Gem { obj: addr(2, o), size: 4096, ..Gem::default() },
                    );
                } else if self.objects[&o].link.is_none() {
                    self.objects.get_mut(&o).unwrap().link = Some(d);
                    *self.refs.entry(d).or_default() += 1;
                }
                self.tail(who, f, h, o);
                self.cache_add(who, f, h, d);
                self.put(who, d);
                self.emit(who, ProbeId::Import, Phase::Return, 0, &self.prime(f, h, 0, 100 + d as i32));
            }
            "reimport" => {
                let (f, d, h) = (file(0), buf(1), handle(2));
                self.emit(who, ProbeId::Import, Phase::Entry, 0, &self.prime(f, 0, 0, 100));
                self.emit(who, ProbeId::BufGet, Phase::Return, addr(3, d) as i64, &self.buf(d, 100));
                *self.refs.entry(d).or_default() += 1;
                self.put(who, d);
                self.emit(who, ProbeId::Import, Phase::Return, 0, &self.prime(f, h, 0, 100));
            }
            "close-file" => {
                let f = file(0);
                let p = DrmFile { file: addr(1, f), ..DrmFile::default() };
                self.emit(who, ProbeId::FileClose, Phase::Entry, 0, &p);
                let left: Vec<u32> =
                    self.handles.keys().filter(|(of, _)| *of == f).map(|(_, h)| *h).collect();
                for h in left {
                    self.release(who, f, h, &[]);
                }
                self.emit(who, ProbeId::FileClose, Phase::Return, 0, &p);
                let cache_root = u64::from(self.cache.keys().any(|(of, _)| *of == f));
                self.emit(who, ProbeId::PrimeDestroy, Phase::Point, 0, &DrmFile { cache_root, ..p });
                self.task_work(who);
            }
            // One fd is closed: nothing is seen of that, only of what it ends.
            "close-fd" => {
                *self.refs.entry(buf(0)).or_default() -= 1;
                self.task_work(who);
            }
            "exit-fd" => {
                self.emit(who, ProbeId::BufFdClose, Phase::Point, 0, &self.buf(buf(0), -1));
                self.records.last_mut().unwrap().header.flags = Flags::EXITING;
                *self.refs.entry(buf(0)).or_default() -= 1;
                self.task_work(who);
            }
            "raw-release" => self.emit(who, ProbeId::BufFileRelease, Phase::Point, 0, &self.buf(buf(0), -1)),
            "raw-die" => self.emit(who, ProbeId::ObjectRelease, Phase::Point, 0, &self.gem(0, object(0), 0)),
            "raw-attach" => {
                let p = Attachment { dma_buf: addr(3, buf(0)), attach: addr(4, 1), ..Attachment::default() };
                self.emit(who, ProbeId::Attach, Phase::Entry, 0, &p);
            }
            "attach" | "detach" | "map" | "unmap" | "pin" | "unpin" => self.attachment(who, op, a),
            "vmap" | "vunmap" | "moved" => {
                let held = !a.contains(&"unlocked");
                let reservation = if held { 1 } else { 2 };
                let p = BufAccess { dma_buf: addr(3, buf(0)), ino: 0, vmapping_counter: 0, reservation };
                let (probe, phase) = match op {
                    "vmap" => (ProbeId::Vmap, Phase::Return),
                    "vunmap" => (ProbeId::Vunmap, Phase::Point),
                    _ => (ProbeId::MoveNotify, Phase::Point),
                };
                self.emit(who, probe, phase, 0, &p);
            }
            "last-put" => {
                let p = Buf { file_count: 1, ..self.buf(buf(0), -1) };
                self.emit(who, ProbeId::BufPut, Phase::Point, 0, &p);
            }
            "raw-release-vmapped" => {
                let p = Buf { vmapping_counter: 1, ..self.buf(buf(0), -1) };
                self.emit(who, ProbeId::BufFileRelease, Phase::Point, 0, &p);
            }
            "bad-export" => {
                let p = BufExport {
                    private: 1,
                    ops: 1,
                    ops_bits: number(a[0], 'b') as u16,
                    ..BufExport::default()
                };
                self.emit(who, ProbeId::BufExport, Phase::Entry, 0, &p);
                self.emit(who, ProbeId::BufExport, Phase::Return, -22, &p);
            }
            "set-name" => {
                let p = BufIoctl { dma_buf: addr(3, buf(0)), cmd: 0x4008_6201, ..BufIoctl::default() };
                self.emit(who, ProbeId::BufIoctl, Phase::Entry, 0, &p);
                self.emit(
                    who,
                    ProbeId::BufIoctl,
                    Phase::Return,
                    if a.contains(&"busy") { -16 } else { 0 },
                    &p,
                );
            }
            "install" | "look-up" => {
                let p = Buf { syscall: number(a[1], 's').into(), ..self.buf(buf(0), 7) };
                let (probe, ret) = match op {
                    "install" => (ProbeId::BufFd, 7),
                    _ => (ProbeId::BufGet, p.dma_buf as i64),
                };
                self.emit(who, probe, Phase::Return, ret, &p);
            }
            "destroy-dumb" | "pread" => {
                let (f, h) = (file(0), handle(1));
                let p = Gem { file: addr(1, f), handle: h, ..Gem::default() };
                if op == "pread" {
                    let ret = if a.contains(&"refused") { -22 } else { 0 };
                    return self.emit(who, ProbeId::DriverAccess, Phase::Return, ret, &p);
                }
                self.emit(who, ProbeId::DestroyDumb, Phase::Point, 0, &p);
                self.statement(who, "close", a);
            }
            "name-object" => self.objects.get_mut(&object(0)).unwrap().name = 1,
            "miscount" => {
                let o = self.objects.get_mut(&object(0)).unwrap();
                o.count = o.count.wrapping_add_signed(a[1].parse().unwrap());
            }
            "add-fb" => {
                let p = self.framebuffer(number(a[0], 'b'), object(1));
                self.emit(who, ProbeId::FbInit, Phase::Entry, 0, &p);
                self.emit(who, ProbeId::FbInit, Phase::Return, 0, &p);
            }
            "remove-fb" => {
                let p = self.framebuffer(number(a[0], 'b'), object(1));
                self.emit(who, ProbeId::FbCleanup, Phase::Entry, 0, &p);
                self.emit(who, ProbeId::FbCleanup, Phase::Return, 0, &p);
            }
            "close-fb" => {
                let p = Framebuffer { id: number(a[0], 'b'), ..Framebuffer::default() };
                self.emit(who, ProbeId::FbClose, Phase::Return, 0, &p);
            }
            // Halves of calls, so that threads can cross each other.
            "create-begins" => {
                let (f, o) = (file(0), object(1));
                self.objects.entry(o).or_default();
                self.emit(who, ProbeId::ObjectInit, Phase::Point, 0, &self.gem(0, o, 0));
                self.emit(who, ProbeId::HandleCreate, Phase::Entry, 0, &self.gem(f, o, 0));
                self.objects.get_mut(&o).unwrap().count += 1;
            }
            "found" => {
                self.handles.insert((file(0), handle(1)), object(2));
            }
            "allowed" => {
                let p = Gem { file: addr(1, file(0)), ..Gem::default() };
                self.emit(who, ProbeId::VmaAllow, Phase::Point, 0, &p);
            }
            "create-ends" => {
                let (f, h, o) = (file(0), handle(1), object(2));
                if !a.contains(&"gone") {
                    self.handles.insert((f, h), o);
                }
                self.emit(who, ProbeId::HandleCreate, Phase::Return, 0, &self.gem(f, o, h));
            }
            "release-begins" | "release-ends" => {
                let (f, h, o) = (file(0), handle(1), object(2));
                let phase = if op == "release-begins" { Phase::Entry } else { Phase::Return };
                self.emit(who, ProbeId::HandleRelease, phase, 0, &self.gem(f, o, h));
            }
            "change-begins" | "change-ends" => {
                let p = ChangeHandle {
                    file: addr(1, file(0)),
                    handle: handle(1),
                    new_handle: handle(2),
                    reserved: 0,
                };
                let phase = if op == "change-begins" { Phase::Entry } else { Phase::Return };
                self.emit(who, ProbeId::ChangeHandle, phase, 0, &p);
                if phase == Phase::Return
                    && let Some(o) = self.handles.remove(&(file(0), handle(1)))
                {
                    self.handles.insert((file(0), handle(2)), o);
                }
            }
            "export-begins" => {
                self.emit(who, ProbeId::ExportIoctl, Phase::Entry, 0, &self.prime(file(0), handle(1), 0, -1));
                self.emit(
                    who,
                    ProbeId::ExportToDmabuf,
                    Phase::Entry,
                    0,
                    &self.prime(file(0), handle(1), 0, -1),
                );
            }
            "export-fails" => {
                let p = self.prime(file(0), handle(1), 0, -1);
                self.emit(who, ProbeId::ExportToDmabuf, Phase::Return, -2, &p);
                self.emit(who, ProbeId::ExportIoctl, Phase::Return, -2, &p);
            }
            "import-begins" => {
                let (f, d) = (file(0), buf(1));
                self.emit(who, ProbeId::Import, Phase::Entry, 0, &self.prime(f, 0, 0, 100));
                self.emit(who, ProbeId::BufGet, Phase::Return, addr(3, d) as i64, &self.buf(d, 100));
            }
            "import-fails" => {
                self.emit(who, ProbeId::Import, Phase::Return, -2, &self.prime(file(0), 0, 0, 100));
            }
            "raw-remove" => {
                let (f, h, d) = (file(0), handle(1), buf(2));
                self.emit(who, ProbeId::CacheRemove, Phase::Entry, 0, &self.prime(f, h, 0, -1));
                self.put(who, d);
                self.emit(who, ProbeId::CacheRemove, Phase::Return, 0, &self.prime(f, h, 0, -1));
            }
            "raw-cache-add" => {
                let (f, h, d) = (file(0), handle(1), buf(2));
                self.cache_add(who, f, h, d);
            }
            "extra-ref" => *self.refs.entry(buf(0)).or_default() += 1,
            "exit" => {
                let p = Process { exit_code: a[0].parse().unwrap(), last_thread: 1, ..Process::default() };
                self.emit(who, ProbeId::Exit, Phase::Point, 0, &p);
            }
            "fork" => {
                let child = a[0].parse().unwrap();
                let p = Process { child_tid: child, child_tgid: child, ..Process::default() };
                self.emit(who, ProbeId::Fork, Phase::Point, 0, &p);
            }
            "scope" => {
                let p = Scope { root_tgid: a[0].parse().unwrap(), ..Scope::default() };
                self.emit(who, ProbeId::Scope, Phase::Point, 0, &p);
            }
            "settle" => {
                let scan = u32::from(!a.contains(&"partial"));
                let listed = u32::from(a.contains(&"listed"));
                let p = Settle { scan, drops: self.drops, listed, ..Settle::default() };
                self.emit(who, ProbeId::Settle, Phase::Point, 0, &p);
            }
            "seen" => {
                let tgid = a.iter().find_map(|w| w.strip_prefix('p')?.parse().ok()).unwrap_or(999);
                let (kind, fd) = match a {
                    _ if a.contains(&"mapping") => (seen::MAPPING, -1),
                    _ if a.contains(&"path") => (seen::PATH, 5),
                    _ if a.contains(&"alive") => (seen::ALIVE, -1),
                    _ => (seen::FD, 5),
                };
                let at_start = u32::from(a.contains(&"start"));
                let p = SeenFd { ino: u64::from(buf(0)), size: 8192, tgid, fd, kind, at_start };
                self.emit(who, ProbeId::SeenFd, Phase::Point, 0, &p);
            }
            "lose" => self.drops += a[0].parse::<u64>().unwrap(),
            _ => panic!("no operation `{op}`"),
        }
    }
}
