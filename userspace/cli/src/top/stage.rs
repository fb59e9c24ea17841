//! What a live session has come to, shared by the thread that takes records in, the one that looks at processes, and
//! the one that draws.
//!
//! Who draws takes the lock to copy what is shown, never while writing to the terminal: a terminal that nobody reads
//! does not keep records from being taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use gemscope_live::scan::{self, Scan, When};
use gemscope_live::{Batches, Found, monotonic_ns};
use gemscope_report::scene::Scene;
use gemscope_report::survey::Holdings;
use gemscope_trace::Definition;
use parking_lot::{FairMutex, FairMutexGuard};

use crate::capture::Recorder;

/// How long the worker waits for records before it looks at other things.
const TICK: Duration = Duration::from_millis(20);

/// What there is to show, what is written beside it, and who holds what.
pub struct Stage {
    /// the state, its names, the trace
    pub recorder: Recorder<Scene>,
    /// the latest look at all processes
    pub holdings: Option<Holdings>,
}

impl Stage {
    /// What a look at all processes found.
    fn looked(&mut self, scan: Scan) {
        self.holdings = Some(Holdings::new(&scan.users, monotonic_ns(), scan.unreadable));
        // They are for names on the screen: the trace has its own looks.
        let definitions = &mut self.recorder.definitions;
        scan.processes.into_iter().for_each(|p| definitions.add(Definition::Process(p)));
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
        let found = batches.drain(TICK, 1, |records| stage.lock().recorder.records(records));
        if found == Found::Closed {
            break;
        }
        let mut stage = stage.lock();
        for _ in 0..MOST {
            let Some(definition) = definitions.and_then(gemscope_live::Definitions::try_next) else { break };
            stage.recorder.define(definition);
        }
        stage.recorder.tick();
    }
    let mut stage = stage.lock();
    while let Some(definition) = definitions.and_then(gemscope_live::Definitions::try_next) {
        stage.recorder.define(definition);
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
