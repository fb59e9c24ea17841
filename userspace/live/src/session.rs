//! A tracing session, from the plan to the last count.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Instant;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, RingBuf, StackTraceMap};
use aya::programs::{KProbe, Program};
use gemscope_common::{Missed, Phase, ProbeId, Record, missed};
use gemscope_probes::catalogue;
use gemscope_probes::facts::KernelFacts;
use gemscope_probes::plan::{self, Plan, PlanOptions};

use crate::attach::{self, Attached, How};
use crate::counters::Counters;
use crate::definitions::{self, Definer, Definitions};
use crate::dmabufs::{self, DmabufList};
use crate::events::Events;
use crate::kernel_log::KernelLog;
use crate::options::Options;
use crate::prereq::{self, Check};
use crate::privileges::{self, Invoker};
use crate::queue::{self, Batches};
use crate::reader::{Parts, Reader, Window};
use crate::remover::Remover;
use crate::{gather, load};

/// Why no session could be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something that is needed is not there.
    #[error("{}: {}; {}", .0.name, .0.found, .0.fix)]
    Prerequisite(Check),
    /// The kernel could not be looked at.
    #[error(transparent)]
    Gather(#[from] gather::Error),
    /// The BPF object could not be loaded.
    #[error(transparent)]
    Load(#[from] load::Error),
    /// Not one probe could be attached.
    #[error("no probe could be attached: {0}; `gemscope doctor` says what this kernel offers")]
    NoProbe(String),
    /// A map of the object is not as it must be.
    #[error("the BPF object's map `{name}` cannot be used: {source}")]
    Map {
        /// its name
        name: &'static str,
        /// why
        #[source]
        source: MapError,
    },
    /// Privileges could not be given up.
    #[error(transparent)]
    Privileges(#[from] privileges::Error),
    /// The programs' counters could not be mapped.
    #[error("cannot map the counters of the BPF programs: {0}")]
    Counters(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// A running session. Dropping it detaches everything; [`Session::stop`] also says what was counted.
pub struct Session {
    facts: Arc<KernelFacts>,
    plan: Plan,
    ebpf: Ebpf,
    attached: Attached,
    counters: Counters,
    drops_before: u64,
    window: Window,
    reader: Reader,
    definer: Option<Definer>,
    batches: Batches,
    definitions: Option<Definitions>,
    told: BTreeMap<(u16, u8, u8), u64>,
    list_at_start: Option<DmabufList>,
    list: Option<DmabufList>,
    kernel_log: Option<KernelLog>,
    _remover: Option<Remover>,
}

/// What is left when a session has stopped.
#[derive(Debug)]
pub struct Tail {
    /// The records that were not taken yet, then [`Found::Closed`](crate::queue::Found::Closed).
    pub batches: Batches,
    /// The definitions that were not taken yet; all there will be.
    pub definitions: Option<Definitions>,
    /// Records dropped in all, in the kernel and here.
    pub drops: u64,
    /// Every miss that the kernel counted, as records: totals.
    pub missed: Vec<Record>,
    /// How often each probe was hit; empty where that is not counted.
    pub hits: Vec<(ProbeId, Phase, u64)>,
    /// The kernel's own list of dma-bufs, to be read after the last look at processes; `None` where it offers none.
    pub list: Option<DmabufList>,
}

impl Session {
    /// Looks at the kernel, loads, attaches, gives up privileges, and begins to read.
    ///
    /// Call it before any thread is started: privileges belong to threads. What is attached, and what is not and why,
    /// is in [`Self::plan`].
    ///
    /// # Errors
    /// [`StartError`], with what to do about it.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        if let Some(check) = prereq::blocker() {
            return Err(StartError::Prerequisite(check));
        }
        let mut steps = Steps::new();
        let facts = Arc::new(gather::kernel_facts()?);
        steps.done("look at the kernel");
        let wanted = PlanOptions { hot: options.hot, deny: options.deny.clone(), only: options.only.clone() };
        let mut plan = plan::plan(&facts, &wanted);
        let mut ebpf = load::load(&plan, options)?;
        steps.done("plan and load");
        let invoker = Invoker::from_sudo()?;

        let (events, remover) = open_events();
        let attached = attach::attach(&mut ebpf, &mut plan, events, faults_are_misses(&facts));
        steps.done("attach");
        let (list_at_start, list) = dmabufs::open(&mut ebpf, &facts);
        steps.done("open the list of dma-bufs");
        if !plan.attached().any(|row| !matches!(row.id, ProbeId::Fork | ProbeId::Exec | ProbeId::Exit)) {
            return Err(StartError::NoProbe(reasons(&plan)));
        }

        let mut ring: RingBuf<MapData> = take(&mut ebpf, "EVENTS")?;
        let counters = counters(&ebpf)?;
        let kernel: StackTraceMap<MapData> = take(&mut ebpf, "KSTACKS")?;
        let user: StackTraceMap<MapData> = take(&mut ebpf, "USTACKS")?;
        let kernel_log = if options.kernel_log { KernelLog::open(&mut ebpf) } else { None };
        let window = Window::open();
        // Nothing before this moment is told: make room.
        while ring.next().is_some() {}
        let drops_before = counters.drops();

        if !options.keep_privileges {
            privileges::give_up(invoker.as_ref())?;
        }
        let kernel_log = match kernel_log {
            Some(log) => Some(log.start().map_err(StartError::Thread)?),
            None => None,
        };
        let (definer, tap, definitions) = if options.definitions {
            let (definer, tap, definitions) =
                definitions::start(kernel, user, Arc::clone(&facts)).map_err(StartError::Thread)?;
            (Some(definer), Some(tap), Some(definitions))
        } else {
            (None, None, None)
        };
        let (sender, batches) = queue::queue(options.queue_bytes);
        let parts =
            Parts { ring, sender, tap, stall: options.stall_reader, drops_before, window: window.clone() };
        let reader = Reader::start(parts).map_err(StartError::Thread)?;
        Ok(Self {
            facts,
            plan,
            ebpf,
            attached,
            counters,
            drops_before,
            window,
            reader,
            definer,
            batches,
            definitions,
            told: BTreeMap::new(),
            list_at_start,
            list,
            kernel_log,
            _remover: remover,
        })
    }

    /// The kernel's own list of dma-bufs, to be read at the start; `None` where it offers none, and the second time.
    pub const fn take_list_at_start(&mut self) -> Option<DmabufList> {
        self.list_at_start.take()
    }

    /// What was found out about the kernel.
    #[must_use]
    pub fn facts(&self) -> &KernelFacts {
        &self.facts
    }

    /// What is attached: the plan, corrected where the kernel refused.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When the last probe was attached, ns of `CLOCK_MONOTONIC`: no record is older.
    #[must_use]
    pub const fn since_ns(&self) -> u64 {
        self.window.from()
    }

    /// How the probes are attached.
    #[must_use]
    pub const fn how(&self) -> &How {
        self.attached.how()
    }

    /// Where the records come out. Clones may be taken to another thread.
    #[must_use]
    pub const fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Where the definitions come out, once: for whoever wants them elsewhere than in the [`Tail`].
    pub const fn take_definitions(&mut self) -> Option<Definitions> {
        self.definitions.take()
    }

    /// Where the definitions come out; `None` when none were asked for, or they were taken.
    #[must_use]
    pub const fn definitions(&self) -> Option<&Definitions> {
        self.definitions.as_ref()
    }

    /// Records dropped so far, in the kernel and here.
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.drops_in_kernel() + self.reader.drops()
    }

    fn drops_in_kernel(&self) -> u64 {
        self.counters.drops().saturating_sub(self.drops_before)
    }

    /// Misses that the kernel has counted and that were not told before, as records with the total so far. Cheap enough
    /// for once a second.
    pub fn missed(&mut self) -> Vec<Record> {
        let counts = self.misses();
        let mut records = Vec::new();
        for (key, count) in counts {
            if self.told.insert(key, count) != Some(count) {
                records.push(missed_record(key, count));
            }
        }
        records
    }

    /// Detaches everything, reads what is left, and counts.
    #[must_use]
    pub fn stop(mut self) -> Tail {
        let mut steps = Steps::new();
        // What is under way at one of the two moments has returned at the other; what was missed stays missed.
        self.window.close();
        let before = self.attached.unreturned();
        let drops = self.drops_in_kernel();
        self.attached.quiet();
        steps.done("detach");
        let mut misses = self.misses();
        for (id, after) in self.attached.unreturned() {
            let lost = after.min(before.get(&id).copied().unwrap_or(0));
            if lost > 0 {
                let count = misses.entry((id as u16, Phase::Return as u8, missed::PROBE)).or_default();
                *count = lost.max(*count);
            }
        }
        let hits = self.attached.hits();
        self.attached.detach(&mut self.ebpf);
        steps.done("count and remove the events");
        self.reader.finish();
        if let Some(definer) = &mut self.definer {
            definer.finish();
        }
        if let Some(log) = &mut self.kernel_log {
            log.finish();
        }
        steps.done("read what is left");
        Tail {
            drops: drops + self.reader.drops(),
            batches: self.batches.clone(),
            definitions: self.definitions.take(),
            missed: misses.into_iter().map(|(key, count)| missed_record(key, count)).collect(),
            list: self.list.take(),
            hits: hits.into_iter().map(|(id, phase, hits)| (id, phase, hits.hits)).collect(),
        }
    }

    /// Every miss above zero: probe, phase and kind, and how many.
    fn misses(&mut self) -> BTreeMap<(u16, u8, u8), u64> {
        let mut all = BTreeMap::new();
        for (id, phase, hits) in self.attached.hits() {
            all.insert((id as u16, phase as u8, missed::PROBE), hits.missed);
        }
        for row in self.plan.attached() {
            let full = self.counters.args_full(row.id);
            all.insert((row.id as u16, Phase::Return as u8, missed::ARGS), full);
            let phases = program_phases(row);
            for (program, phase) in row.programs().iter().zip(phases) {
                let skipped = self.ebpf.program(&program.name).and_then(recursion_misses).unwrap_or(0);
                all.insert((row.id as u16, phase as u8, missed::RECURSION), skipped);
            }
        }
        all.retain(|_, count| *count > 0);
        all
    }
}

/// Says at debug level how long each step took.
struct Steps(Instant);

impl Steps {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn done(&mut self, what: &str) {
        let now = Instant::now();
        tracing::debug!("{what}: {:?}", now.duration_since(self.0));
        self.0 = now;
    }
}

/// Does this kernel count a page fault in a probe as a miss? It does as long as probes have fault handlers.
fn faults_are_misses(facts: &KernelFacts) -> bool {
    facts.btf.as_ref().is_some_and(|btf| btf.has_member("vmlinux", "kprobe", "fault_handler"))
}

/// The phases of a row's programs, in the order of [`catalogue::Row::programs`].
const fn program_phases(row: &catalogue::Row) -> [Phase; 2] {
    match row.emits {
        catalogue::Emits::Point => [Phase::Point, Phase::Point],
        catalogue::Emits::Bracket | catalogue::Emits::Return => [Phase::Entry, Phase::Return],
    }
}

fn missed_record((probe, phase, kind): (u16, u8, u8), count: u64) -> Record {
    Record::new(ProbeId::Missed, Phase::Point, &Missed { probe, phase, kind, reserved: 0, count })
}

/// How often the kernel did not run a program because another one ran on that cpu; from 5.12 on.
fn recursion_misses(program: &Program) -> Option<u64> {
    let Program::KProbe(program) = program else { return None };
    let fd = KProbe::fd(program).ok()?;
    let info =
        fs::read_to_string(format!("/proc/self/fdinfo/{}", std::os::fd::AsFd::as_fd(fd).as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

/// The events of tracefs and the helper that removes them in any case; or why there are none.
fn open_events() -> (Result<Events, String>, Option<Remover>) {
    let Some(root) = prereq::tracefs() else { return (Err("tracefs is not mounted".to_owned()), None) };
    let group = Events::own_group();
    let remover = match Remover::start(&group) {
        Ok(remover) => Some(remover),
        Err(error) => {
            tracing::warn!("no helper to remove the probes after a crash: {error}");
            None
        }
    };
    let events =
        Events::open(root, &group).map_err(|error| format!("`kprobe_events` cannot be opened: {error}"));
    (events, remover)
}

/// The first few reasons why nothing is attached.
fn reasons(plan: &Plan) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for planned in &plan.probes {
        if let plan::Outcome::Missing { reason, .. } = &planned.outcome
            && !reasons.contains(reason)
        {
            reasons.push(reason.clone());
        }
    }
    reasons.truncate(3);
    if reasons.is_empty() { "none was asked for".to_owned() } else { reasons.join("; ") }
}

/// The programs' counters, mapped.
fn counters(ebpf: &Ebpf) -> Result<Counters, StartError> {
    const NAME: &str = "COUNTERS";
    let Some(Map::Array(array)) = ebpf.map(NAME) else { return Err(load::Error::NoMap(NAME).into()) };
    Counters::map(array.fd()).map_err(StartError::Counters)
}

fn take<T: TryFrom<aya::maps::Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, StartError> {
    let map = ebpf.take_map(name).ok_or(load::Error::NoMap(name))?;
    T::try_from(map).map_err(|source| StartError::Map { name, source })
}
