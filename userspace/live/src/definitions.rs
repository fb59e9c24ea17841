//! What records refer to by number: stacks, symbols, processes. Found out while the session runs, in a thread of its
//! own, because a stack's addresses mean something only as long as it is known what was mapped there.

mod maps;
mod process;
mod symbols;
mod tap;
mod test_cases;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, StackTraceMap};
use gemscope_probes::facts::KernelFacts;
use gemscope_trace::{Definition, Stack, StackKind};
use rustc_hash::{FxHashMap, FxHashSet};

use maps::Place;
pub(crate) use process::read_process;
use process::{Processes, Told};
use symbols::{KernelSymbols, UserSymbols};
use tap::Sight;
pub(crate) use tap::Tap;

/// The definitions of a session, as they are found. They may come after the records that need them.
#[derive(Debug)]
pub struct Definitions {
    receiver: Receiver<Definition>,
}

impl Definitions {
    /// The next definition, if there is one now.
    pub fn try_next(&self) -> Option<Definition> {
        self.receiver.try_recv().ok()
    }

    /// The next definition, waiting for it at most this long.
    pub fn next(&self, patience: Duration) -> Option<Definition> {
        self.receiver.recv_timeout(patience).ok()
    }
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Definer {
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread.
pub(crate) fn start(
    kernel: StackTraceMap<MapData>,
    user: StackTraceMap<MapData>,
    facts: Arc<KernelFacts>,
) -> std::io::Result<(Definer, Tap, Definitions)> {
    let (sights, sighted) = tap::channel();
    let (sender, receiver) = mpsc::channel();
    // What a process has mapped and was told may be gone in a moment, and the names of a stack may take long: two threads.
    let (jobs, to_do) = mpsc::sync_channel(tap::WAITING);
    let mut looking = Looking { user, processes: Processes::new(), known: FxHashMap::default(), jobs };
    let look = move || {
        for sight in sighted {
            if looking.see(sight).is_none() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("gemscope-procs".to_owned()).spawn(look)?;
    let run = move || {
        let mut naming = Naming {
            kernel,
            kernel_symbols: &mut KernelSymbols::new(&facts.symbols),
            user_symbols: UserSymbols::new(),
            stacks: FxHashSet::default(),
            sender,
        };
        for job in to_do {
            if naming.does(job).is_none() {
                // Nobody wants definitions any more.
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("gemscope-symbols".to_owned()).spawn(run)?;
    Ok((Definer { thread: Some(thread) }, sights, Definitions { receiver }))
}

impl Definer {
    /// Waits until everything seen is defined. The tap must be gone.
    pub(crate) fn finish(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of symbols died: definitions are lost");
        }
    }
}

/// What is left to do when all has been read that may go.
enum Job {
    /// Tell it, with the tests of a runner.
    Tell(Told),
    /// Name what is at the addresses of a stack in the kernel.
    KernelStack(i32),
    /// Name what is at those addresses of a process that were not seen before, and tell the stack.
    UserStack { id: i32, tgid: u32, frames: Vec<u64>, new: Vec<New> },
}

/// An address that was not seen before in its process.
struct New {
    addr: u64,
    /// a call returns to it
    returns: bool,
    place: Option<Place>,
}

/// Looks at processes as soon as records tell of them: a short-lived one is gone before the names of its stack are found.
struct Looking {
    user: StackTraceMap<MapData>,
    processes: Processes,
    /// Per process: addresses that have been asked for.
    known: FxHashMap<u32, FxHashSet<u64>>,
    jobs: SyncSender<Job>,
}

impl Looking {
    /// `None` when nobody listens.
    fn see(&mut self, sight: Sight) -> Option<()> {
        match sight {
            Sight::Fork { parent, child, comm, ts_ns } => {
                self.known.remove(&child);
                self.processes.fork(parent, child, &comm, ts_ns);
            }
            Sight::Exec { tgid, comm } => {
                self.known.remove(&tgid);
                if let Some(again) = self.processes.exec(tgid, &comm, process::look(tgid)) {
                    self.give(Job::Tell(Told::Process(again)))?;
                }
            }
            Sight::Exit { tgid } => self.processes.exit(tgid),
            Sight::Process { tgid } => {
                for told in self.processes.define(tgid) {
                    self.give(Job::Tell(told))?;
                }
            }
            Sight::KernelStack { id } => self.give(Job::KernelStack(id))?,
            Sight::UserStack { id, tgid } => self.user_stack(id, tgid)?,
        }
        Some(())
    }

    fn user_stack(&mut self, id: i32, tgid: u32) -> Option<()> {
        let Some(frames) = frames(&self.user, id) else { return Some(()) };
        let known = self.known.entry(tgid).or_default();
        let mut new = Vec::new();
        for (depth, &addr) in frames.iter().enumerate() {
            if known.insert(addr) {
                new.push(New { addr, returns: depth > 0, place: self.processes.place(tgid, addr) });
            }
        }
        self.give(Job::UserStack { id, tgid, frames, new })
    }

    fn give(&self, job: Job) -> Option<()> {
        self.jobs.send(job).ok()
    }
}

/// Finds names.
struct Naming<'a, 'b> {
    kernel: StackTraceMap<MapData>,
    kernel_symbols: &'b mut KernelSymbols<'a>,
    user_symbols: UserSymbols,
    /// user stacks that were told
    stacks: FxHashSet<i32>,
    sender: Sender<Definition>,
}

impl Naming<'_, '_> {
    /// `None` when nobody listens.
    fn does(&mut self, job: Job) -> Option<()> {
        match job {
            Job::Tell(Told::Process(process)) => self.give(Definition::Process(process)),
            Job::Tell(Told::Runner { runner, process, cwd: [first, now] }) => {
                let cases = test_cases::read(runner, &process, [first.as_deref(), now.as_deref()]);
                cases.into_iter().try_for_each(|case| self.give(Definition::TestCase(case)))
            }
            Job::KernelStack(id) => self.kernel_stack(id),
            Job::UserStack { id, tgid, frames, new } => self.user_stack(id, tgid, frames, &new),
        }
    }

    fn kernel_stack(&mut self, id: i32) -> Option<()> {
        let Some(frames) = frames(&self.kernel, id) else { return Some(()) };
        for (depth, &addr) in frames.iter().enumerate() {
            if let Some(symbol) = self.kernel_symbols.define(addr, depth > 0) {
                self.give(Definition::Symbol(symbol))?;
            }
        }
        self.give(Definition::Stack(Stack { id, kind: StackKind::Kernel, tgid: 0, frames }))
    }

    fn user_stack(&mut self, id: i32, tgid: u32, frames: Vec<u64>, new: &[New]) -> Option<()> {
        for New { addr, returns, place } in new {
            if let Some(symbol) = self.user_symbols.define(tgid, *addr, *returns, place.as_ref()) {
                self.give(Definition::Symbol(symbol))?;
            }
        }
        if self.stacks.insert(id) {
            self.give(Definition::Stack(Stack { id, kind: StackKind::User, tgid, frames }))?;
        }
        Some(())
    }

    fn give(&self, definition: Definition) -> Option<()> {
        self.sender.send(definition).ok()
    }
}

/// The addresses of a stack, innermost first.
fn frames(map: &StackTraceMap<MapData>, id: i32) -> Option<Vec<u64>> {
    let id = u32::try_from(id).ok()?;
    match map.get(&id, 0) {
        Ok(stack) => Some(stack.frames().iter().map(|frame| frame.ip).collect()),
        Err(error) => {
            tracing::debug!("stack `{id}` could not be read: {error}");
            None
        }
    }
}
