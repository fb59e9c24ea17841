//! A synthetic workload that looks like real ones, for tests and measurements. Not part of the interface.
//!
//! Threads create buffers, export them, import them into a second file, and close them again, with slab-like addresses
//! that are reused, timestamps that jitter, threads that interleave, and stacks from a small set.

use std::collections::VecDeque;

use gemscope_common::{Attachment, Buf, BufExport, Gem, Payload, Phase, Prime, ProbeId, Record};

use Phase::{Entry, Point, Return};

/// How big and how wild.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// threads at work
    pub threads: usize,
    /// buffers that each thread keeps alive
    pub live: usize,
    /// start of the random numbers
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { threads: 4, live: 250, seed: 7 }
    }
}

/// An endless trace.
#[derive(Debug)]
pub struct Workload {
    threads: Vec<Thread>,
    ino: u64,
    random: Random,
    shape: Shape,
}

impl Default for Workload {
    fn default() -> Self {
        Self::new(Shape::default())
    }
}

#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 16) % n.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Pages in no order, and none twice.
#[derive(Debug)]
struct Pages(u64);

impl Pages {
    /// Each thread's own: what one frees and another takes in the same instant would need a lock in its order of records.
    const PER_THREAD: u64 = 1 << 16;

    fn take(&mut self) -> u64 {
        self.0 += 1;
        0xffff_8880_0000_0000 + (self.0.wrapping_mul(0x9e37_79b1) & 0xff_ffff) * 0x8000
    }
}

/// Freed addresses come back last in, first out, as a slab's do.
#[derive(Debug, Default)]
struct Slab {
    free: Vec<u64>,
    page: u64,
    left: u64,
}

impl Slab {
    fn take(&mut self, size: u64, pages: &mut Pages) -> u64 {
        if let Some(address) = self.free.pop() {
            return address;
        }
        if self.left == 0 {
            self.page = pages.take();
            self.left = 0x8000 / size;
        }
        self.left -= 1;
        self.page + self.left * size
    }
}

#[derive(Debug)]
struct Heap {
    pages: Pages,
    objects: Slab,
    bufs: Slab,
    attaches: Slab,
}

impl Heap {
    fn new(thread: u32) -> Self {
        let pages = Pages(u64::from(thread) * Pages::PER_THREAD);
        Self { pages, objects: Slab::default(), bufs: Slab::default(), attaches: Slab::default() }
    }
}

#[derive(Debug)]
struct Thread {
    tid: u32,
    tgid: u32,
    cpu: u32,
    clock: u64,
    /// exporter and importer files
    files: [u64; 2],
    free_handles: [Vec<u32>; 2],
    next_handle: [u32; 2],
    live: Vec<Shared>,
    queue: VecDeque<Record>,
    heap: Heap,
}

#[derive(Clone, Copy, Debug)]
struct Shared {
    gem: Gem,
    ino: u64,
    buf: u64,
    fd: i32,
    imported: Option<(Gem, u64)>,
}

const DEVS: [u64; 2] = [0xffff_8881_0234_0000, 0xffff_8881_0235_8000];
const OPS: u64 = 0xffff_ffff_c05a_1240;
const RESV: u64 = 0xa0;

impl Workload {
    /// A workload of this shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let mut random = Random(shape.seed | 1);
        let threads = (0..shape.threads as u32)
            .map(|i| Thread {
                tid: 4100 + i,
                tgid: if i % 2 == 0 { 4100 } else { 4100 + i },
                cpu: i % 8,
                clock: 1_000_000_000_000 + random.below(5000),
                files: [
                    0xffff_8881_4400_0000 + u64::from(i) * 0x2800,
                    0xffff_8881_4400_1400 + u64::from(i) * 0x2800,
                ],
                free_handles: [Vec::new(), Vec::new()],
                next_handle: [1, 1],
                live: Vec::new(),
                queue: VecDeque::new(),
                heap: Heap::new(i),
            })
            .collect();
        Self { threads, ino: 900, random, shape }
    }
}

impl Iterator for Workload {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        for thread in &mut self.threads {
            if thread.queue.is_empty() {
                thread.round(&mut self.ino, &mut self.random, self.shape.live);
            }
        }
        let earliest =
            self.threads.iter_mut().min_by_key(|t| t.queue.front().map_or(u64::MAX, |r| r.header.ts_ns))?;
        earliest.queue.pop_front()
    }
}

impl Thread {
    fn put<P: Payload>(&mut self, random: &mut Random, probe: ProbeId, phase: Phase, ret: i64, payload: &P) {
        let mut record = Record::new(probe, phase, payload);
        // short steps, sometimes a wait
        self.clock += match random.below(200) {
            0 => 20_000 + random.below(200_000),
            1..40 => 1000 + random.below(4000),
            _ => 180 + random.below(900),
        };
        if random.below(3000) == 0 {
            self.cpu = random.below(8) as u32;
        }
        let header = &mut record.header;
        (header.ts_ns, header.ret, header.tid, header.tgid, header.cpu) =
            (self.clock, ret, self.tid, self.tgid, self.cpu);
        let takes = match probe {
            ProbeId::ObjectInit | ProbeId::Attach => true,
            ProbeId::BufExport | ProbeId::HandleCreate | ProbeId::CacheAdd | ProbeId::Import => {
                phase != Entry
            }
            _ => false,
        };
        if takes {
            header.kstack = (probe as i32 * 7919 + (random.below(3) / 2) as i32 * 4093) & 0x3fff;
            header.ustack = (probe as i32 * 5741 + random.below(4) as i32 * 2311) & 0x3fff;
        }
        self.queue.push_back(record);
    }

    fn handle(&mut self, side: usize) -> u32 {
        self.free_handles[side].pop().unwrap_or_else(|| {
            self.next_handle[side] += 1;
            self.next_handle[side] - 1
        })
    }

    fn round(&mut self, ino: &mut u64, random: &mut Random, live: usize) {
        let mut shared = self.create(random);
        if random.chance(85) {
            self.export(&mut shared, ino, random);
            if random.chance(80) {
                self.import(&mut shared, random);
            }
            if random.chance(30) {
                self.export_again(&shared, random);
            }
        }
        self.live.push(shared);
        if self.live.len() > live {
            let victim = random.below(self.live.len() as u64) as usize;
            let victim = self.live.swap_remove(victim);
            self.close(victim, random);
        }
    }

    fn create(&mut self, random: &mut Random) -> Shared {
        let size = 4096 << random.below(8);
        let obj = self.heap.objects.take(0x1a0, &mut self.heap.pages);
        let mut gem = Gem { obj, dev: DEVS[0], size, ..Gem::default() };
        self.put(random, ProbeId::ObjectInit, Point, 0, &gem);
        gem.file = self.files[0];
        gem.refcount = 1;
        self.put(random, ProbeId::HandleCreate, Entry, 0, &gem);
        gem.handle = self.handle(0);
        gem.handle_count = 1;
        gem.refcount = 2;
        self.put(random, ProbeId::HandleCreate, Return, 0, &gem);
        Shared { gem, ino: 0, buf: 0, fd: -1, imported: None }
    }

    fn export(&mut self, shared: &mut Shared, ino: &mut u64, random: &mut Random) {
        let gem = &mut shared.gem;
        let mut prime =
            Prime { file: gem.file, handle: gem.handle, fd: -1, flags: 0o2000002, ..Prime::default() };
        self.put(random, ProbeId::ExportIoctl, Entry, 0, &prime);
        self.put(random, ProbeId::ExportToDmabuf, Entry, 0, &prime);
        shared.buf = self.heap.bufs.take(0x140, &mut self.heap.pages);
        *ino += 1;
        shared.ino = *ino;
        let mut exp_name = [0; 24];
        exp_name[..3].copy_from_slice(b"drm");
        let export = BufExport {
            dma_buf: shared.buf,
            ino: shared.ino,
            private: gem.obj,
            ops: OPS,
            resv: gem.obj + RESV,
            size: gem.size,
            flags: 0o2000002,
            gem_exporter: 1,
            ops_bits: 0,
            exp_name,
        };
        let asked = BufExport { dma_buf: 0, ino: 0, exp_name: [0; 24], ..export };
        self.put(random, ProbeId::BufExport, Entry, 0, &asked);
        self.put(random, ProbeId::BufExport, Return, shared.buf as i64, &export);
        gem.dma_buf = shared.buf;
        gem.refcount += 1;
        let cache = Prime {
            file: gem.file,
            dma_buf: shared.buf,
            ino: shared.ino,
            handle: gem.handle,
            ..Prime::default()
        };
        self.put(random, ProbeId::CacheAdd, Entry, 0, &cache);
        self.put(random, ProbeId::CacheAdd, Return, 0, &cache);
        prime.dma_buf = shared.buf;
        prime.ino = shared.ino;
        self.put(random, ProbeId::ExportToDmabuf, Return, shared.buf as i64, &prime);
        shared.fd = 5 + random.below(30) as i32;
        prime.fd = shared.fd;
        self.put(random, ProbeId::ExportIoctl, Return, 0, &prime);
    }

    fn export_again(&mut self, shared: &Shared, random: &mut Random) {
        let gem = shared.gem;
        let mut prime =
            Prime { file: gem.file, handle: gem.handle, fd: -1, flags: 0o2000002, ..Prime::default() };
        self.put(random, ProbeId::ExportIoctl, Entry, 0, &prime);
        self.put(random, ProbeId::ExportToDmabuf, Entry, 0, &prime);
        prime.dma_buf = shared.buf;
        prime.ino = shared.ino;
        self.put(random, ProbeId::ExportToDmabuf, Return, shared.buf as i64, &prime);
        prime.fd = shared.fd + 1;
        self.put(random, ProbeId::ExportIoctl, Return, 0, &prime);
        self.put(
            random,
            ProbeId::BufFdClose,
            Point,
            0,
            &Buf { dma_buf: shared.buf, ino: shared.ino, fd: prime.fd, file_count: 4, ..Buf::default() },
        );
    }

    fn import(&mut self, shared: &mut Shared, random: &mut Random) {
        let mut prime = Prime { file: self.files[1], fd: shared.fd, ..Prime::default() };
        self.put(random, ProbeId::Import, Entry, 0, &prime);
        let buf = Buf {
            dma_buf: shared.buf,
            ino: shared.ino,
            private: shared.gem.obj,
            file_count: 3,
            fd: shared.fd,
            ..Buf::default()
        };
        self.put(random, ProbeId::BufGet, Return, shared.buf as i64, &buf);
        let attach = self.heap.attaches.take(0x80, &mut self.heap.pages);
        let attachment = Attachment {
            dma_buf: shared.buf,
            ino: shared.ino,
            attach,
            device: DEVS[1] + 0x10,
            attached_to: shared.buf,
            ..Attachment::default()
        };
        self.put(random, ProbeId::Attach, Return, attach as i64, &attachment);
        let obj = self.heap.objects.take(0x1a0, &mut self.heap.pages);
        let mut gem = Gem { obj, dev: DEVS[1], size: shared.gem.size, ..Gem::default() };
        self.put(random, ProbeId::ObjectInit, Point, 0, &gem);
        prime.obj = obj;
        prime.dma_buf = shared.buf;
        self.put(random, ProbeId::ImportNoMap, Return, obj as i64, &prime);
        (gem.file, gem.dma_buf, gem.import_attach, gem.refcount) = (self.files[1], shared.buf, attach, 1);
        self.put(random, ProbeId::HandleCreate, Entry, 0, &gem);
        (gem.handle, gem.handle_count, gem.refcount) = (self.handle(1), 1, 2);
        self.put(random, ProbeId::HandleCreate, Return, 0, &gem);
        prime.handle = gem.handle;
        prime.ino = shared.ino;
        self.put(random, ProbeId::CacheAdd, Entry, 0, &prime);
        self.put(random, ProbeId::CacheAdd, Return, 0, &prime);
        self.put(random, ProbeId::BufPut, Point, 0, &Buf { file_count: 5, fd: -1, ..buf });
        self.put(random, ProbeId::Import, Return, 0, &prime);
        shared.imported = Some((gem, attach));
    }

    fn close_handle(&mut self, side: usize, gem: &mut Gem, shared: &Shared, random: &mut Random) {
        let by_handle = Gem { file: gem.file, handle: gem.handle, ..Gem::default() };
        self.put(random, ProbeId::GemClose, Point, 0, &by_handle);
        self.put(random, ProbeId::HandleDelete, Entry, 0, &by_handle);
        self.put(random, ProbeId::HandleRelease, Entry, 0, gem);
        let put = Buf { dma_buf: shared.buf, ino: shared.ino, file_count: 2, fd: -1, ..Buf::default() };
        let cache = Prime { file: gem.file, handle: gem.handle, ..Prime::default() };
        self.put(random, ProbeId::CacheRemove, Entry, 0, &cache);
        if shared.buf != 0 {
            self.put(random, ProbeId::BufPut, Point, 0, &put);
        }
        self.put(random, ProbeId::CacheRemove, Return, 0, &cache);
        self.put(random, ProbeId::HandlePut, Entry, 0, gem);
        if shared.buf != 0 {
            self.put(random, ProbeId::BufPut, Point, 0, &put);
        }
        gem.handle_count = 0;
        gem.dma_buf = 0;
        self.put(random, ProbeId::HandlePut, Return, 0, gem);
        self.put(random, ProbeId::HandleRelease, Return, 0, gem);
        self.put(random, ProbeId::HandleDelete, Return, 0, &by_handle);
        self.free_handles[side].push(gem.handle);
    }

    fn close(&mut self, shared: Shared, random: &mut Random) {
        if let Some((mut gem, attach)) = shared.imported {
            self.close_handle(1, &mut gem, &shared, random);
            gem.refcount = 0;
            self.put(random, ProbeId::ObjectDriverFree, Point, 0, &gem);
            let detach = Attachment {
                dma_buf: shared.buf,
                ino: shared.ino,
                attach,
                device: DEVS[1] + 0x10,
                attached_to: shared.buf,
                ..Attachment::default()
            };
            self.put(random, ProbeId::ImportDestroy, Entry, 0, &gem);
            self.put(random, ProbeId::Detach, Point, 0, &detach);
            let put = Buf { dma_buf: shared.buf, ino: shared.ino, file_count: 2, fd: -1, ..Buf::default() };
            self.put(random, ProbeId::BufPut, Point, 0, &put);
            self.put(random, ProbeId::ImportDestroy, Return, 0, &gem);
            self.put(random, ProbeId::ObjectRelease, Point, 0, &gem);
            self.heap.attaches.free.push(attach);
            self.heap.objects.free.push(gem.obj);
        }
        let mut gem = shared.gem;
        self.close_handle(0, &mut gem, &shared, random);
        if shared.buf != 0 {
            let mut buf = Buf { dma_buf: shared.buf, ino: shared.ino, fd: shared.fd, ..Buf::default() };
            self.put(random, ProbeId::BufFdClose, Point, 0, &Buf { file_count: 1, ..buf });
            (buf.fd, buf.private) = (-1, gem.obj);
            self.put(random, ProbeId::BufFileRelease, Point, 0, &buf);
            self.put(random, ProbeId::BufRelease, Point, 0, &buf);
            self.put(random, ProbeId::BufGemRelease, Point, 0, &buf);
            self.heap.bufs.free.push(shared.buf);
        }
        gem.refcount = 0;
        self.put(random, ProbeId::ObjectDriverFree, Point, 0, &gem);
        self.put(random, ProbeId::ObjectRelease, Point, 0, &gem);
        self.heap.objects.free.push(gem.obj);
    }
}
