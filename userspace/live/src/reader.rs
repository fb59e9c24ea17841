//! The thread that empties the ring. It decodes, counts and hands over; it never waits for anybody.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use gemscope_common::Record;
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::definitions::Tap;
use crate::join::Joiner;
use crate::queue::Sender;

/// Records that are handed over together, at most.
const BATCH: usize = 4096;

/// How long records may lie in the ring. The programs wake the reader only when a quarter of the ring is full, so
/// that a record costs no wake-up; otherwise it comes by itself this often.
const PERIOD: Duration = Duration::from_millis(5);

/// The running reader.
#[derive(Debug)]
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    drops: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// What the reader needs.
pub(crate) struct Parts {
    pub(crate) ring: RingBuf<MapData>,
    pub(crate) sender: Sender,
    pub(crate) tap: Option<Tap>,
    pub(crate) stall: Option<Duration>,
    /// Drops that happened before the session began: taken off every record's count.
    pub(crate) drops_before: u64,
    /// When all probes were there.
    pub(crate) window: Window,
}

/// The time during which every probe was attached, ns of `CLOCK_MONOTONIC`. Probes come and go one by one, while the
/// machine goes on: what is recorded before or after tells half stories.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    from: u64,
    until: Arc<AtomicU64>,
}

impl Window {
    /// All probes are attached now.
    pub(crate) fn open() -> Self {
        Self { from: monotonic_ns(), until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// When it opened.
    pub(crate) const fn from(&self) -> u64 {
        self.from
    }

    /// The first probe will be taken off now.
    pub(crate) fn close(&self) {
        self.until.store(monotonic_ns(), Ordering::Release);
    }
}

/// Now, as records carry time: nanoseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

impl Reader {
    /// Starts the thread.
    pub(crate) fn start(parts: Parts) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let drops = Arc::new(AtomicU64::new(0));
        let mut work = Work {
            parts,
            stop: Arc::clone(&stop),
            drops: Arc::clone(&drops),
            joiner: Joiner::default(),
            batch: Vec::new(),
            over: false,
        };
        let thread =
            std::thread::Builder::new().name("gemscope-reader".to_owned()).spawn(move || work.run())?;
        Ok(Self { stop, drops, thread: Some(thread) })
    }

    /// Records that were lost in user space: the queue was full, or they could not be decoded.
    pub(crate) fn drops(&self) -> u64 {
        self.drops.load(Ordering::Relaxed)
    }

    /// Takes what is left in the ring, and ends. The programs must have been detached.
    pub(crate) fn finish(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the reader died: records are lost");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Work {
    parts: Parts,
    stop: Arc<AtomicBool>,
    drops: Arc<AtomicU64>,
    joiner: Joiner,
    batch: Vec<Record>,
    /// A record from after the window has come. The ring's order decides, so all later ones are left out too.
    over: bool,
}

impl Work {
    fn run(&mut self) {
        loop {
            // Asked before the ring is emptied: what was written before the stop is taken.
            let last = self.stop.load(Ordering::Acquire);
            if let Some(stall) = self.parts.stall {
                std::thread::sleep(stall);
            }
            self.drain();
            if last {
                return;
            }
            self.wait();
        }
    }

    fn wait(&self) {
        let mut fds = [PollFd::from_borrowed_fd(self.parts.ring.as_fd(), PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: PERIOD.subsec_nanos().into() };
        // The ring is readable whenever it is not empty, so after a wait for data there is a pause: or every record
        // would be a round of its own.
        if rustix::event::poll(&mut fds, Some(&patience)).is_ok_and(|n| n > 0) && self.parts.stall.is_none() {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn drain(&mut self) {
        loop {
            let lost = self.drops.load(Ordering::Relaxed);
            let Parts { ring, tap, drops_before, window, .. } = &mut self.parts;
            let until = window.until.load(Ordering::Acquire);
            let mut undecodable = 0;
            while let Some(item) = ring.next() {
                match Record::from_ring(&item) {
                    Ok(mut record) => {
                        self.joiner.see(&mut record);
                        let at = record.header.ts_ns;
                        self.over |= at >= until;
                        if self.over || at < window.from {
                            continue;
                        }
                        if let Some(tap) = tap {
                            tap.see(&record);
                        }
                        let drops = record.header.drops.saturating_sub(*drops_before);
                        record.header.drops = drops + lost + undecodable;
                        self.batch.push(record);
                    }
                    Err(error) => {
                        tracing::debug!("bytes on the ring are no record: {error}");
                        undecodable += 1;
                    }
                }
                if self.batch.len() == BATCH {
                    break;
                }
            }
            if undecodable > 0 {
                self.drops.fetch_add(undecodable, Ordering::Relaxed);
            }
            if self.batch.is_empty() {
                return;
            }
            let full = self.batch.len() == BATCH;
            let batch = std::mem::take(&mut self.batch);
            if let Err(back) = self.parts.sender.send(batch) {
                self.drops.fetch_add(back.len() as u64, Ordering::Relaxed);
                self.batch = back;
                self.batch.clear();
            }
            if !full {
                return;
            }
        }
    }
}
