//! What records refer to by number: stacks, symbols, processes. Found out while the session runs, in a thread of its
//! own, because a stack's addresses mean something only as long as it is known what was mapped there.

mod maps;
mod process;
mod symbols;
mod tap;
mod test_cases;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, StackTraceMap};
use gemscope_probes::facts::KernelFacts;
use gemscope_trace::{Definition, Stack, StackKind};

use process::Processes;
pub(crate) use process::read_process;
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
    // What a process was told may be gone in a moment, and the names of a stack may take long: two threads.
    let (early, prompt) = mpsc::sync_channel(tap::WAITING);
    let look = move || {
        for sight in sighted {
            let exec = match sight {
                Sight::Exec { tgid, .. } => process::look(tgid),
                _ => None,
            };
            if early.send((sight, exec)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("gemscope-procs".to_owned()).spawn(look)?;
    let run = move || {
        let mut kernel_symbols = KernelSymbols::new(&facts.symbols);
        let mut work = Work {
            kernel,
            user,
            kernel_symbols: &mut kernel_symbols,
            user_symbols: UserSymbols::new(),
            processes: Processes::new(),
            stacks: rustc_hash::FxHashSet::default(),
            sender,
        };
        for (sight, exec) in prompt {
            if work.see(sight, exec).is_none() {
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

struct Work<'a, 'b> {
    kernel: StackTraceMap<MapData>,
    user: StackTraceMap<MapData>,
    kernel_symbols: &'b mut KernelSymbols<'a>,
    user_symbols: UserSymbols,
    processes: Processes,
    stacks: rustc_hash::FxHashSet<(bool, i32)>,
    sender: Sender<Definition>,
}

impl Work<'_, '_> {
    /// `None` when nobody listens.
    fn see(&mut self, sight: Sight, exec: Option<process::Look>) -> Option<()> {
        match sight {
            Sight::Fork { parent, child, comm, ts_ns } => {
                self.processes.fork(parent, child, &comm, ts_ns);
            }
            Sight::Exec { tgid, comm } => {
                self.user_symbols.forget(tgid);
                if let Some(again) = self.processes.exec(tgid, &comm, exec) {
                    self.give(Definition::Process(again))?;
                }
            }
            Sight::Exit { tgid } => self.processes.exit(tgid),
            Sight::Process { tgid } => {
                for definition in self.processes.define(tgid) {
                    self.give(definition)?;
                }
            }
            Sight::KernelStack { id } => self.kernel_stack(id)?,
            Sight::UserStack { id, tgid } => self.user_stack(id, tgid)?,
        }
        Some(())
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

    fn user_stack(&mut self, id: i32, tgid: u32) -> Option<()> {
        let Some(frames) = frames(&self.user, id) else { return Some(()) };
        for (depth, &addr) in frames.iter().enumerate() {
            if !self.user_symbols.is_new(tgid, addr) {
                continue;
            }
            let place = self.processes.place(tgid, addr);
            if let Some(symbol) = self.user_symbols.define(tgid, addr, depth > 0, place.as_ref()) {
                self.give(Definition::Symbol(symbol))?;
            }
        }
        if self.stacks.insert((true, id)) {
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
