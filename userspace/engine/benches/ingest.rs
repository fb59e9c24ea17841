//! The engine alone over an in-memory trace with 100,000 live buffers: records a second and bytes per live entity.
//!
//! Run with `cargo bench -p gemscope-engine`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicIsize, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gemscope_common::*;
use gemscope_engine::{Config, Engine};

/// Counts live bytes, so that memory is measured and not guessed.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged; only a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIVE_BUFFERS: u32 = 100_000;
const FILES: u32 = 16;

struct Trace {
    records: Vec<Record>,
    ts: u64,
    tid: u32,
}

impl Trace {
    fn emit<P: Payload>(&mut self, probe: ProbeId, phase: Phase, ret: i64, payload: &P) {
        self.ts += 700;
        let mut r = Record::new(probe, phase, payload);
        (r.header.ts_ns, r.header.tid, r.header.tgid, r.header.ret) = (self.ts, self.tid, 10, ret);
        r.header.ustack = 7;
        self.records.push(r);
    }

    /// Objects come from a slab: addresses recur in another order.
    fn object(slot: u32) -> u64 {
        0xffff_8880_0000_0000 + u64::from(slot.wrapping_mul(2_654_435_761) % (1 << 20)) * 0x400
    }

    fn gem(slot: u32, count: u32, handle: u32) -> Gem {
        let file = 0xffff_8881_0000_0000 + u64::from(slot % FILES) * 0x1000;
        Gem { file, obj: Self::object(slot), size: 4096, handle_count: count, handle, ..Gem::default() }
    }

    /// create, export, fd closed: the buffer then lives by its handle, link and cache entry.
    fn birth(&mut self, slot: u32) {
        let handle = slot / FILES + 1;
        let g = Self::gem(slot, 0, 0);
        let d = g.obj + (1 << 40);
        let prime =
            Prime { file: g.file, handle, dma_buf: d, ino: u64::from(slot), fd: -1, ..Prime::default() };
        self.emit(ProbeId::ObjectInit, Phase::Point, 0, &g);
        self.emit(ProbeId::HandleCreate, Phase::Entry, 0, &g);
        self.emit(ProbeId::HandleCreate, Phase::Return, 0, &Gem { handle, ..g });
        self.emit(ProbeId::ExportIoctl, Phase::Entry, 0, &prime);
        self.emit(ProbeId::ExportToDmabuf, Phase::Entry, 0, &prime);
        let export =
            BufExport { dma_buf: d, ino: prime.ino, private: g.obj, size: 4096, ..BufExport::default() };
        self.emit(ProbeId::BufExport, Phase::Entry, 0, &export);
        self.emit(ProbeId::BufExport, Phase::Return, d as i64, &export);
        self.emit(ProbeId::CacheAdd, Phase::Entry, 0, &prime);
        self.emit(ProbeId::CacheAdd, Phase::Return, 0, &prime);
        self.emit(ProbeId::ExportToDmabuf, Phase::Return, d as i64, &prime);
        self.emit(ProbeId::ExportIoctl, Phase::Return, 0, &Prime { fd: 5, ..prime });
    }

    fn death(&mut self, slot: u32) {
        let handle = slot / FILES + 1;
        let g = Gem { handle, ..Self::gem(slot, 1, 0) };
        let d = g.obj + (1 << 40);
        let prime = Prime { file: g.file, handle, ..Prime::default() };
        let buf = Buf { dma_buf: d, ino: u64::from(slot), fd: -1, ..Buf::default() };
        self.emit(ProbeId::HandleDelete, Phase::Entry, 0, &g);
        self.emit(ProbeId::HandleRelease, Phase::Entry, 0, &g);
        self.emit(ProbeId::CacheRemove, Phase::Entry, 0, &prime);
        self.emit(ProbeId::BufPut, Phase::Point, 0, &buf);
        self.emit(ProbeId::CacheRemove, Phase::Return, 0, &prime);
        self.emit(ProbeId::HandlePut, Phase::Entry, 0, &Gem { dma_buf: d, ..g });
        self.emit(ProbeId::BufPut, Phase::Point, 0, &buf);
        self.emit(ProbeId::HandlePut, Phase::Return, 0, &g);
        self.emit(ProbeId::HandleRelease, Phase::Return, 0, &g);
        self.emit(ProbeId::HandleDelete, Phase::Return, 0, &g);
        self.emit(ProbeId::BufFileRelease, Phase::Point, 0, &buf);
        self.emit(ProbeId::BufRelease, Phase::Point, 0, &buf);
        self.emit(ProbeId::BufGemRelease, Phase::Point, 0, &Buf { private: g.obj, ..buf });
        self.emit(ProbeId::ObjectFree, Phase::Point, 0, &g);
        self.emit(ProbeId::ObjectRelease, Phase::Point, 0, &Gem { handle_count: 0, ..g });
    }
}

fn bench(c: &mut Criterion) {
    let mut t = Trace { records: Vec::new(), ts: 0, tid: 11 };
    for f in 0..FILES {
        let g = Trace::gem(f, 0, 0);
        t.emit(
            ProbeId::FileOpen,
            Phase::Return,
            g.file as i64,
            &DrmFile { file: g.file, ..DrmFile::default() },
        );
    }
    for slot in 0..LIVE_BUFFERS {
        t.birth(slot);
    }
    let warm_up = std::mem::take(&mut t.records);
    // Steady state: buffers die and are born again all over the set, by four threads.
    for round in 0..60_000u32 {
        t.tid = 11 + round % 4;
        let slot = round.wrapping_mul(7919) % LIVE_BUFFERS;
        t.death(slot);
        t.birth(slot);
    }
    let steady = t.records;

    let before = LIVE.load(Ordering::Relaxed);
    let mut engine = Engine::new(Config::default());
    warm_up.iter().for_each(|r| engine.ingest(r));
    let counts = engine.counts();
    let entities = counts.handles + counts.objects + counts.dmabufs;
    let per_entity = (LIVE.load(Ordering::Relaxed) - before) as f64 / entities as f64;
    println!("memory: {per_entity:.0} B per live entity ({entities} entities)");
    for round in 1..=4 {
        steady.iter().for_each(|r| engine.ingest(r));
        let now = (LIVE.load(Ordering::Relaxed) - before) as f64 / entities as f64;
        println!("memory after {round} more passes of {} records: {now:.0} B per live entity", steady.len());
    }
    assert!(engine.findings().is_empty(), "{:#?}", engine.findings()[0]);
    assert_eq!(engine.counts().objects, LIVE_BUFFERS as usize);

    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(steady.len() as u64)).sample_size(20);
    group.bench_function("ingest, 100,000 live buffers", |b| {
        b.iter(|| steady.iter().for_each(|r| engine.ingest(black_box(r))));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
