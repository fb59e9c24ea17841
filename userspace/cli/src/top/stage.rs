//! What a live session has come to, shared by the thread that takes records in, the one that looks at processes, and
//! the one that draws.
//!
//! Who draws takes the lock to copy what is shown, never while writing to the terminal: a terminal that nobody reads
//! does not keep records from being taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use gemscope_common::{Payload, Phase, ProbeId, Record};
use gemscope_live::scan::{self, Scan, When};
use gemscope_live::{Batches, Next, monotonic_ns};
use gemscope_report::scene::Scene;
use gemscope_report::survey::Holdings;
use gemscope_trace::{Definition, Definitions};
use parking_lot::{FairMutex, FairMutexGuard};

use crate::capture::Output;

/// How long the worker waits for records before it looks at other things.
const TICK: Duration = Duration::from_millis(20);

/// What there is to show, and what is written beside it.
pub struct Stage {
    /// the state
    pub scene: Scene,
    /// processes, stacks, symbols
    pub definitions: Definitions,
    /// the latest look at all processes
    pub holdings: Option<Holdings>,
    output: Option<Output>,
    drops: u64,
}

impl Stage {
    /// A stage before the first record.
    #[must_use]
    pub fn new(scene: Scene, output: Option<Output>) -> Self {
        Self { scene, definitions: Definitions::new(), holdings: None, output, drops: 0 }
    }

    /// Takes records in.
    pub fn records(&mut self, records: &[Record]) {
        self.scene.ingest(records, |_, _| {});
        if let Some(last) = records.last() {
            self.drops = self.drops.max(last.header.drops);
        }
        if let Some(output) = &mut self.output {
            output.records(records);
        }
    }

    /// Takes in what records refer to.
    pub fn define(&mut self, definition: Definition) {
        if let Some(output) = &mut self.output {
            output.define(&definition);
        }
        self.definitions.add(definition);
    }

    /// Takes in a record of user space's own.
    pub fn own<P: Payload>(&mut self, probe: ProbeId, payload: &P) {
        self.stamped(Record::new(probe, Phase::Point, payload));
    }

    /// Takes in a record that was made in user space, and gives it its header.
    pub fn stamped(&mut self, mut record: Record) {
        let own = std::process::id();
        record.header.ts_ns = monotonic_ns();
        (record.header.tid, record.header.tgid, record.header.drops) = (own, own, self.drops);
        self.records(&[record]);
    }

    /// The count of drops is this by now.
    pub fn dropped(&mut self, drops: u64) {
        self.drops = self.drops.max(drops);
    }

    /// Records dropped, as far as is known.
    #[must_use]
    pub const fn drops(&self) -> u64 {
        self.drops
    }

    /// Tells who was seen to hold what before the first record.
    pub fn held_before(&mut self, scan: &Scan) {
        scan.processes.iter().for_each(|p| self.define(Definition::Process(p.clone())));
        scan.users.iter().for_each(|user| self.own(ProbeId::SeenFd, user));
    }

    /// What a look at all processes found.
    fn looked(&mut self, scan: Scan) {
        self.holdings = Some(Holdings::new(&scan.users, monotonic_ns(), scan.unreadable));
        scan.processes.into_iter().for_each(|p| self.definitions.add(Definition::Process(p)));
    }

    fn tick(&mut self) {
        if let Some(output) = &mut self.output {
            output.tick();
        }
    }

    /// The output, to be finished.
    pub const fn take_output(&mut self) -> Option<Output> {
        self.output.take()
    }
}

/// A stage and the threads that work on it.
pub struct Crew {
    stage: Arc<FairMutex<Stage>>,
    over: Arc<AtomicBool>,
    rescan: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
    scanner: Option<JoinHandle<()>>,
}

impl Crew {
    /// Starts the threads. Call it when privileges have been given up: they are inherited.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        stage: Stage,
        batches: Batches,
        definitions: Option<gemscope_live::Definitions>,
    ) -> anyhow::Result<Self> {
        let stage = Arc::new(FairMutex::new(stage));
        let (over, rescan) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let worker = {
            let stage = Arc::clone(&stage);
            Builder::new().name("judge".into()).spawn(move || work(&stage, &batches, definitions.as_ref()))?
        };
        let scanner = {
            let (stage, over, rescan) = (Arc::clone(&stage), Arc::clone(&over), Arc::clone(&rescan));
            Builder::new().name("scan".into()).spawn(move || look_around(&stage, &over, &rescan))?
        };
        Ok(Self { stage, over, rescan, worker: Some(worker), scanner: Some(scanner) })
    }

    /// The stage, for a moment.
    pub fn stage(&self) -> FairMutexGuard<'_, Stage> {
        self.stage.lock()
    }

    /// Asks for a look at all processes now.
    pub fn rescan(&self) {
        self.rescan.store(true, Ordering::Relaxed);
    }

    /// Has the worker ended although records may still come?
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.worker.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits for the threads, once the session has been stopped, and gives the stage back.
    #[must_use]
    pub fn join(mut self) -> Option<Stage> {
        self.over.store(true, Ordering::Relaxed);
        // One that has panicked has said so; what it had done is still there.
        let _ = self.worker.take().map(JoinHandle::join);
        let _ = self.scanner.take().map(JoinHandle::join);
        Arc::into_inner(self.stage).map(FairMutex::into_inner)
    }
}

/// Takes everything in until the session has ended.
fn work(stage: &FairMutex<Stage>, batches: &Batches, definitions: Option<&gemscope_live::Definitions>) {
    /// However much is known, records come first.
    const MOST: usize = 256;
    loop {
        let next = batches.next(TICK);
        let mut stage = stage.lock();
        match next {
            Next::Batch(records) => stage.records(&records),
            Next::Empty => {}
            Next::Closed => break,
        }
        for _ in 0..MOST {
            let Some(definition) = definitions.and_then(gemscope_live::Definitions::try_next) else { break };
            stage.define(definition);
        }
        stage.tick();
    }
    let mut stage = stage.lock();
    while let Some(definition) = definitions.and_then(gemscope_live::Definitions::try_next) {
        stage.define(definition);
    }
}

/// Looks at all processes from time to time: no more than a twentieth of a processor's time.
fn look_around(stage: &FairMutex<Stage>, over: &AtomicBool, rescan: &AtomicBool) {
    const LEAST: Duration = Duration::from_secs(1);
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match scan::dmabuf_users(When::Settle) {
            Ok(scan) => stage.lock().looked(scan),
            Err(error) => tracing::debug!("processes could not be looked at: {error}"),
        }
        let pause = LEAST.max(begun.elapsed() * 20);
        let until = Instant::now() + pause;
        while Instant::now() < until && !over.load(Ordering::Relaxed) {
            if rescan.swap(false, Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(TICK);
        }
    }
}
