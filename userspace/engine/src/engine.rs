//! The engine itself: one entrance for records, one exit for findings.

use gemscope_common::{Features, Phase, ProbeId, Profile, Record};

use smallvec::SmallVec;

use crate::case::Case;
use crate::entity::BufKey;
use crate::finding::{Doubt, Finding, Notes, Stamp, Verdict};
use crate::near::{Calls, NearMisses};
use crate::on_close::Left;
use crate::reach::Reach;
use crate::rests;
use crate::rules::RuleId;
use crate::seen::Seen;
use crate::state::State;
use crate::thread::{Frame, Threads};

/// What the engine must know before the first record.
#[derive(Clone, Debug)]
pub struct Config {
    /// The rule era of the kernel that the records come from.
    pub profile: Profile,
    /// Its features.
    pub features: Features,
    /// What to make of things open at exit ([`gemscope_common::scope`]); `None` takes it from the `scope` record,
    /// and without one ignores them.
    pub at_exit: Option<u32>,
    /// Probes that this kernel has and that were not attached.
    pub missing: Vec<ProbeId>,
    /// Probes that this kernel has not, or that nobody asked for.
    pub off: Vec<ProbeId>,
    /// Filters left out a part of the machine.
    pub filtered: bool,
    /// Records from before the first one are not there, and were seen once: nothing is known to be closed at the beginning.
    pub midway: bool,
    /// Findings kept; later ones are counted only.
    pub max_findings: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::V6_2,
            features: Features::default(),
            at_exit: None,
            missing: Vec::new(),
            off: Vec::new(),
            filtered: false,
            midway: false,
            max_findings: 10_000,
        }
    }
}

/// How much the engine has seen and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records taken in.
    pub records: u64,
    /// Records of probes that this version does not know.
    pub unknown_records: u64,
    /// Live DRM files.
    pub files: usize,
    /// Live handles.
    pub handles: usize,
    /// Live objects.
    pub objects: usize,
    /// Live dma-bufs.
    pub dmabufs: usize,
    /// Live attachments.
    pub attachments: usize,
    /// Live framebuffers.
    pub framebuffers: usize,
    /// Records lost before the engine, as counted by the source.
    pub drops: u64,
    /// Entities older than the trace.
    pub pre_existing: u64,
}

/// The rule engine. Feed it with [`Engine::ingest`], end with [`Engine::finish`].
#[derive(Clone)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) threads: Threads,
    pub(crate) reach: Reach,
    pub(crate) at_exit: u32,
    pub(crate) left: Vec<Left>,
    pub(crate) notes: Notes,
    pub(crate) seen: Seen,
    pub(crate) calls: Calls,
    pub(crate) near_misses: NearMisses,
    /// This kernel's `drm_vma_node_allow` was seen to be hit: that a handle was not allowed yet means something.
    pub(crate) allows_seen: bool,
    /// A handle count above zero was read: that one is zero means something.
    pub(crate) counts_seen: bool,
    pub(crate) findings: Vec<Finding>,
    /// The record that last gave an fd to a process, with the dma-buf and the fd.
    pub(crate) granted: Option<(u64, BufKey, i32)>,
    doubts: Vec<Doubt>,
    seq: u64,
    drops: u64,
    unknown: u64,
    half_calls: u32,
    missed: bool,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let at_exit = config.at_exit.unwrap_or(gemscope_common::scope::IGNORE);
        let doubts = if config.midway { vec![Doubt::Midway] } else { Vec::new() };
        Self {
            threads: Threads::new(config.midway),
            state: State::new(config.midway),
            config,
            reach: Reach::default(),
            at_exit,
            left: Vec::new(),
            notes: Notes::default(),
            seen: Seen::default(),
            calls: Calls::default(),
            near_misses: NearMisses::default(),
            allows_seen: false,
            counts_seen: false,
            findings: Vec::new(),
            granted: None,
            doubts,
            seq: 0,
            drops: 0,
            unknown: 0,
            half_calls: 0,
            missed: false,
        }
    }

    /// Takes in one record, in ring order.
    pub fn ingest(&mut self, record: &Record) {
        self.seq += 1;
        let (Some(probe), Some(phase)) = (record.probe(), record.phase()) else {
            self.unknown += 1;
            return;
        };
        if record.header.drops > self.drops {
            self.drops = record.header.drops;
            self.lost();
            self.doubt_late_findings(record.header.ts_ns);
        }
        let at = Stamp::of(self.seq, record);
        if probe.is_synthetic() {
            return self.on_synthetic(probe, record, at);
        }
        let thread = self.threads.slot(at.tid, self.state.epoch);
        if self.threads.at(thread).epoch != self.state.epoch {
            self.resync_thread(thread);
        }
        if phase == Phase::Entry && is_outermost(probe) {
            if !self.threads.at(thread).frames.is_empty() {
                self.half_call(thread, at.ts_ns);
            }
            let t = self.threads.at(thread);
            (t.unsynced, t.whole) = (false, true);
        }
        match probe {
            ProbeId::ObjectInit
            | ProbeId::ObjectRelease
            | ProbeId::ObjectFree
            | ProbeId::ObjectDriverFree
            | ProbeId::GemMmap
            | ProbeId::GemVmOpen
            | ProbeId::GemVmClose
            | ProbeId::FbInit
            | ProbeId::FbCleanup
            | ProbeId::FbClose
            | ProbeId::DriverAccess => self.on_object(probe, phase, record, at, thread),
            ProbeId::HandleCreate
            | ProbeId::HandleDelete
            | ProbeId::HandleRelease
            | ProbeId::HandlePut
            | ProbeId::HandleGet
            | ProbeId::HandleGetIfExists
            | ProbeId::VmaAllow
            | ProbeId::ChangeHandle
            | ProbeId::GemClose
            | ProbeId::DestroyDumb
            | ProbeId::FileOpen
            | ProbeId::FileClose
            | ProbeId::PrimeDestroy => self.on_handle(probe, phase, record, at, thread),
            ProbeId::ExportIoctl
            | ProbeId::ExportToFd
            | ProbeId::ExportToDmabuf
            | ProbeId::Import
            | ProbeId::CacheAdd
            | ProbeId::CacheRemove
            | ProbeId::ImportDestroy => self.on_prime(probe, phase, record, at, thread),
            ProbeId::BufExport
            | ProbeId::BufFd
            | ProbeId::BufFdInstall
            | ProbeId::BufGet
            | ProbeId::BufPut
            | ProbeId::BufFileRelease
            | ProbeId::BufRelease
            | ProbeId::BufFdClose
            | ProbeId::BufMmap
            | ProbeId::BufIoctl => self.on_dmabuf(probe, phase, record, at, thread),
            ProbeId::Attach
            | ProbeId::Detach
            | ProbeId::Map
            | ProbeId::Unmap
            | ProbeId::Pin
            | ProbeId::Unpin => self.on_attachment(probe, phase, record, at, thread),
            ProbeId::Vmap | ProbeId::Vunmap | ProbeId::MoveNotify => self.on_access(probe, record, at),
            ProbeId::Fork | ProbeId::Exec | ProbeId::Exit => self.on_process(probe, record, at),
            // Brackets whose nested events speak for themselves, and hot probes that serve later rules.
            _ => {}
        }
    }

    /// The source lost an unknown number of records here.
    pub fn gap(&mut self) {
        self.doubt(Doubt::Gap);
        self.lost();
    }

    /// A record reads the count of drops a moment before or after it takes its place on the ring, and the cpu that drops one
    /// counts it a moment later: a loss shows up late. What was found shortly before it did may have come after it.
    fn doubt_late_findings(&mut self, now_ns: u64) {
        const LATE_NS: u64 = 1_000_000_000;
        let since = now_ns.saturating_sub(LATE_NS);
        let late = self.findings.iter_mut().rev().take_while(|f| f.event.at.ts_ns >= since);
        late.filter(|f| !f.proven).for_each(|f| f.tainted = true);
    }

    /// Everything known so far may have changed unseen.
    fn lost(&mut self) {
        self.state.epoch += 1;
        self.state.graveyard.clear();
        self.calls.clear();
    }

    fn resync_thread(&mut self, thread: usize) {
        self.abandon_all(thread);
        let t = self.threads.at(thread);
        (t.epoch, t.unsynced, t.whole) = (self.state.epoch, true, false);
    }

    /// A call of this thread has a beginning without an end, or the other way round: hits went unseen, its own and perhaps
    /// others beside them, although nobody counted them.
    fn half_call(&mut self, thread: usize, now_ns: u64) {
        self.half_calls += 1;
        self.lost();
        self.doubt_late_findings(now_ns);
        self.resync_thread(thread);
    }

    /// The open calls of a thread turned out to be stale: their returns were lost.
    pub(crate) fn abandon_all(&mut self, thread: usize) {
        while let Some(frame) = self.threads.at(thread).frames.pop() {
            self.abandon(&frame);
        }
    }

    /// Nothing certain can be said any more of what a stale call touched.
    fn abandon(&mut self, frame: &Frame) {
        if let Some(o) = frame.object.and_then(|o| self.state.objects.get_mut(o)) {
            o.sure = 0;
            if matches!(frame.probe, ProbeId::HandleCreate | ProbeId::HandlePut) {
                o.in_flight = o.in_flight.saturating_sub(1);
            }
        }
        if let Some(b) = frame.buf.and_then(|b| self.state.bufs.get_mut(b)) {
            b.sure = 0;
        }
        if let Some(f) = frame.file.and_then(|f| self.state.files.get_mut(f)) {
            f.sure = 0;
            if let Some(h) = frame.handle {
                f.creating.retain(|k| *k != h);
            }
        }
        if let Some(h) = frame.handle.and_then(|h| self.state.handles.get_mut(h)) {
            h.sure = 0;
        }
    }

    /// Opens a call on the thread.
    pub(crate) fn push(&mut self, thread: usize, frame: Frame) {
        self.threads.at(thread).frames.push(frame);
    }

    /// Closes a call: frames above it never returned.
    pub(crate) fn pop(&mut self, thread: usize, probe: ProbeId, at: Stamp) -> Option<Frame> {
        let t = self.threads.at(thread);
        if t.frames.last().is_some_and(|f| f.probe == probe) {
            return t.frames.pop();
        }
        let whole = t.whole;
        let open = t.frames.iter().rposition(|f| f.probe == probe);
        let mut stale: SmallVec<[Frame; 4]> =
            open.map(|ix| t.frames.drain(ix..).collect()).unwrap_or_default();
        let frame = (!stale.is_empty()).then(|| stale.remove(0));
        stale.iter().for_each(|stale| self.abandon(stale));
        if whole {
            self.half_call(thread, at.ts_ns);
        }
        frame
    }

    /// The epoch in which something born on this thread now is known: none when its open calls are not known.
    pub(crate) fn sure(&mut self, thread: usize) -> u32 {
        if self.threads.at(thread).unsynced { 0 } else { self.state.epoch }
    }

    /// Files a finding.
    pub(crate) fn file(&mut self, case: Case) {
        if self.findings.len() >= self.config.max_findings {
            self.notes.findings_dropped += 1;
            return;
        }
        let number = self.findings.len() as u32 + 1;
        let doubtful = self.missed || self.half_blind(case.rule());
        self.findings.push(case.close(number, doubtful));
    }

    /// Files a finding of a rule that every call may break: one for each pair of stacks, with a count.
    pub(crate) fn file_once(&mut self, case: Case) {
        const LOOK_BACK: usize = 16;
        let again = self.findings.iter_mut().rev().take(LOOK_BACK).find(|f| case.repeats(f));
        match again {
            Some(known) => {
                known.count += 1;
                known.bytes += case.bytes();
            }
            None => self.file(case),
        }
    }

    /// May what was not observed have made a finding of this rule?
    fn half_blind(&self, rule: RuleId) -> bool {
        self.config.filtered && !rests::shown_by_one_event(rule)
            || rests::on(rule).iter().any(|probe| self.config.missing.contains(probe))
    }

    /// Probes missed hits, nobody knows where: only what is proven stays certain.
    pub(crate) fn missed(&mut self) {
        self.missed = true;
        self.findings.iter_mut().filter(|f| !f.proven).for_each(|f| f.tainted = true);
    }

    pub(crate) fn last_finding(&mut self) -> Option<&mut Finding> {
        self.findings.last_mut()
    }

    pub(crate) fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    pub(crate) fn note_drops(&mut self, total: u64) {
        if total > self.drops {
            self.drops = total;
            self.lost();
        }
    }

    /// All findings so far, in the order they were made.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The overall answer so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|f| !f.tainted) {
            return Verdict::Findings;
        }
        let doubts = self.doubts();
        if doubts.is_empty() && self.findings.is_empty() {
            Verdict::Clean
        } else {
            Verdict::Undecided(doubts)
        }
    }

    /// Every reason to doubt a clean verdict; also worth telling beside certain findings.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = self.doubts.clone();
        if self.drops > 0 {
            doubts.push(Doubt::Drops(self.drops));
        }
        if self.half_calls > 0 {
            doubts.push(Doubt::HalfCalls(self.half_calls));
        }
        doubts.extend(self.blind());
        doubts.sort_unstable();
        doubts
    }

    fn blind(&self) -> impl Iterator<Item = Doubt> {
        let missing = &self.config.missing;
        let brackets = [ProbeId::ExportToFd, ProbeId::ExportToDmabuf];
        let no_bracket = brackets.iter().all(|b| missing.contains(b) || self.config.off.contains(b));
        let essential = missing.iter().filter(|p| ESSENTIAL.contains(p)).copied();
        essential.chain(no_bracket.then_some(ProbeId::ExportToDmabuf)).map(|p| Doubt::Blind(p as u16))
    }

    /// Things that are told but not judged.
    #[must_use]
    pub const fn notes(&self) -> Notes {
        let mut notes = self.notes;
        notes.pre_existing = self.state.pre_existing;
        notes
    }

    /// How much the engine has seen and holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            records: self.seq,
            unknown_records: self.unknown,
            files: self.state.files.len(),
            handles: self.state.handles.len(),
            objects: self.state.objects.len(),
            dmabufs: self.state.bufs.len(),
            attachments: self.state.attachments.len(),
            framebuffers: self.state.framebuffers.len(),
            drops: self.drops,
            pre_existing: self.state.pre_existing,
        }
    }

    /// Records taken in so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.seq
    }

    /// Processes of the scope still alive, by their fork and exit records.
    #[must_use]
    pub const fn scope_alive(&self) -> u32 {
        self.reach.alive()
    }

    /// The last name that a process record gave this process; untrusted bytes.
    #[must_use]
    pub fn comm(&self, tgid: u32) -> Option<&[u8]> {
        self.reach.comm(tgid)
    }
}

/// Without these a clean verdict means nothing. Which export bracket there is depends on the kernel.
const ESSENTIAL: &[ProbeId] = &[
    ProbeId::ObjectInit,
    ProbeId::ObjectRelease,
    ProbeId::HandleCreate,
    ProbeId::HandleDelete,
    ProbeId::HandleRelease,
    ProbeId::HandlePut,
    ProbeId::FileOpen,
    ProbeId::FileClose,
    ProbeId::ExportIoctl,
    ProbeId::Import,
    ProbeId::CacheAdd,
    ProbeId::CacheRemove,
    ProbeId::BufExport,
    ProbeId::BufPut,
    ProbeId::BufFileRelease,
    ProbeId::BufFdClose,
    ProbeId::Fork,
    ProbeId::Exit,
];

/// Calls that are never made from inside another probed call.
const fn is_outermost(probe: ProbeId) -> bool {
    matches!(
        probe,
        ProbeId::ExportIoctl
            | ProbeId::Flink
            | ProbeId::GemOpen
            | ProbeId::ChangeHandle
            | ProbeId::FileClose
            | ProbeId::FbRelease
            | ProbeId::BufIoctl
            | ProbeId::GetFb
            | ProbeId::GetFb2
            | ProbeId::Import
    )
}
