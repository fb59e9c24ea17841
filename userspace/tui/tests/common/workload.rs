//! A busy machine, made of synthetic records: many processes with buffers that live, a third of them exported, some of
//! those imported by a second device. For tests and benches.

use gemscope_common::*;
use gemscope_engine::Config;
use gemscope_report::scene::Scene;
use gemscope_trace::{Definition, Definitions, Stack, StackKind, Symbol};

pub const PROCESSES: u32 = 40;
const PLACES: u32 = 60;
const FIRST_TGID: u32 = 1000;
const SHELL: u32 = 900;

pub struct Machine {
    pub scene: Scene,
    pub definitions: Definitions,
    records: Vec<Record>,
    ts: u64,
    tgid: u32,
    place: i32,
}

impl Machine {
    /// A machine with so many live buffers, which processes of these names made.
    pub fn with(buffers: u32, names: &[&[u8]]) -> Self {
        let mut m = Self {
            scene: Scene::new(Config { profile: Profile::V7_0, ..Config::default() }),
            definitions: definitions(names),
            records: Vec::new(),
            ts: 1_000_000_000,
            tgid: SHELL,
            place: 0,
        };
        for p in 0..=PROCESSES {
            m.tgid = if p == PROCESSES { SHELL } else { FIRST_TGID + p };
            let mut driver = [0; 16];
            driver[..4].copy_from_slice(b"vgem");
            let file = DrmFile {
                file: file(p),
                minor: p % 2,
                client_id: u64::from(p) + 1,
                driver,
                ..DrmFile::default()
            };
            m.emit(ProbeId::FileOpen, Phase::Return, file.file as i64, &file);
        }
        for slot in 0..buffers {
            m.birth(slot);
        }
        m.flush();
        m
    }

    fn emit<P: Payload>(&mut self, probe: ProbeId, phase: Phase, ret: i64, payload: &P) {
        self.ts += 50_000;
        let mut r = Record::new(probe, phase, payload);
        (r.header.ts_ns, r.header.tid, r.header.tgid, r.header.ret) = (self.ts, self.tgid, self.tgid, ret);
        (r.header.ustack, r.header.kstack) = (self.place, 0);
        self.records.push(r);
        if self.records.len() >= 4096 {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        self.scene.ingest(&self.records, |_, _| {});
        self.records.clear();
    }

    /// One more buffer.
    pub fn birth(&mut self, slot: u32) {
        let p = slot % PROCESSES;
        (self.tgid, self.place) = (FIRST_TGID + p, (slot.wrapping_mul(7) % PLACES) as i32);
        let handle = slot / PROCESSES + 1;
        let size = 4096 * (1 + u64::from(slot.wrapping_mul(2_654_435_761) % 512));
        let g = Gem { file: file(p), obj: object(slot), size, ..Gem::default() };
        self.emit(ProbeId::ObjectInit, Phase::Point, 0, &g);
        self.emit(ProbeId::HandleCreate, Phase::Entry, 0, &g);
        self.emit(ProbeId::HandleCreate, Phase::Return, 0, &Gem { handle, handle_count: 1, ..g });
        if slot.is_multiple_of(3) {
            self.export(slot, &g, handle);
        }
        if slot.is_multiple_of(9) {
            self.import(slot, size);
        }
    }

    fn export(&mut self, slot: u32, g: &Gem, handle: u32) {
        let d = dmabuf(slot);
        let ino = u64::from(slot) + 7;
        let prime = Prime { file: g.file, handle, dma_buf: d, ino, fd: -1, ..Prime::default() };
        let mut export = BufExport { dma_buf: d, ino, private: g.obj, size: g.size, ..BufExport::default() };
        export.exp_name[..4].copy_from_slice(b"vgem");
        self.emit(ProbeId::ExportIoctl, Phase::Entry, 0, &prime);
        self.emit(ProbeId::ExportToDmabuf, Phase::Entry, 0, &prime);
        self.emit(ProbeId::BufExport, Phase::Entry, 0, &export);
        self.emit(ProbeId::BufExport, Phase::Return, d as i64, &export);
        self.emit(ProbeId::CacheAdd, Phase::Entry, 0, &prime);
        self.emit(ProbeId::CacheAdd, Phase::Return, 0, &prime);
        self.emit(ProbeId::ExportToDmabuf, Phase::Return, d as i64, &prime);
        self.emit(ProbeId::ExportIoctl, Phase::Return, 0, &Prime { fd: 5 + slot as i32, ..prime });
    }

    /// The shell imports it into its own device.
    fn import(&mut self, slot: u32, size: u64) {
        (self.tgid, self.place) = (SHELL, (PLACES - 1) as i32);
        let (d, ino) = (dmabuf(slot), u64::from(slot) + 7);
        let handle = slot + 1;
        let prime = Prime { file: file(PROCESSES), fd: 9, ..Prime::default() };
        let buf = Buf { dma_buf: d, ino, fd: 9, ..Buf::default() };
        let attach = 0xffff_88a0_0000_0000 + u64::from(slot) * 0x80;
        let attachment = Attachment { dma_buf: d, ino, attach, attached_to: d, ..Attachment::default() };
        let g = Gem { file: prime.file, obj: object(slot + (1 << 21)), size, ..Gem::default() };
        self.emit(ProbeId::Import, Phase::Entry, 0, &prime);
        self.emit(ProbeId::BufGet, Phase::Return, d as i64, &buf);
        self.emit(ProbeId::Attach, Phase::Return, attach as i64, &attachment);
        self.emit(ProbeId::ObjectInit, Phase::Point, 0, &g);
        let g = Gem { dma_buf: d, import_attach: attach, ..g };
        self.emit(ProbeId::HandleCreate, Phase::Entry, 0, &g);
        self.emit(ProbeId::HandleCreate, Phase::Return, 0, &Gem { handle, handle_count: 1, ..g });
        let prime = Prime { handle, dma_buf: d, ino, ..prime };
        self.emit(ProbeId::CacheAdd, Phase::Entry, 0, &prime);
        self.emit(ProbeId::CacheAdd, Phase::Return, 0, &prime);
        self.emit(ProbeId::BufPut, Phase::Point, 0, &buf);
        self.emit(ProbeId::Import, Phase::Return, 0, &prime);
    }
}

fn file(p: u32) -> u64 {
    0xffff_8881_0000_0000 + u64::from(p) * 0x1000
}

fn object(slot: u32) -> u64 {
    0xffff_8880_0000_0000 + u64::from(slot) * 0x400
}

fn dmabuf(slot: u32) -> u64 {
    0xffff_8890_0000_0000 + u64::from(slot) * 0x400
}

/// Names of processes and of the places that they call from; `names` are taken in turns.
fn definitions(names: &[&[u8]]) -> Definitions {
    let mut definitions = Definitions::new();
    let name = |i: u32| names.get(i as usize % names.len().max(1)).copied().unwrap_or(b"client");
    let process =
        |tgid: u32, comm: &[u8]| gemscope_trace::Process { tgid, comm: comm.into(), ..<_>::default() };
    definitions.add(Definition::Process(process(SHELL, name(0))));
    for p in 0..PROCESSES {
        let tgid = FIRST_TGID + p;
        definitions.add(Definition::Process(process(tgid, name(p))));
    }
    for place in 0..PLACES {
        let frames = vec![0x1000, 0x2000 + u64::from(place), 0x3000];
        let stack = Stack { id: place as i32, kind: StackKind::User, tgid: FIRST_TGID, frames };
        definitions.add(Definition::Stack(stack));
    }
    let symbol = |tgid: u32, addr: u64, name: Vec<u8>, module: &str, file: &[u8]| {
        let (name, module, file) = (name.into(), module.into(), file.into());
        Definition::Symbol(Symbol { tgid, addr, name, module, file, line: 42, ..Symbol::default() })
    };
    definitions.add(symbol(FIRST_TGID, 0x1000, b"__ioctl".to_vec(), "libc.so.6", b""));
    definitions.add(symbol(FIRST_TGID, 0x3000, b"main".to_vec(), "client", b"main.c"));
    for place in 0..PLACES {
        let function = [b"make_", name(place), format!("_{place}").as_bytes()].concat();
        definitions.add(symbol(FIRST_TGID, 0x2000 + u64::from(place), function, "client", name(place)));
    }
    definitions
}
