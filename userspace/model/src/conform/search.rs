//! The search for an order of the silent steps that explains the records.
//!
//! A thread's steps between two of its records are made as late as can be: when its own next record comes, or when another
//! thread waits for a lock that it holds. Where the next record is not as predicted then, other orders are tried: some thread's
//! steps before this record instead of after it, at this record or at an earlier one. States from which no order led on are
//! remembered.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use gemscope_common::{Phase, ProbeId, Record, SeenFd, seen};
use rustc_hash::{FxHashSet, FxHasher};

use super::begin::{Begin, Refusal};
use super::programs::{Kind, Programs};
use super::trace::{Attached, NONE, Trace, unpredicted};
use super::world::{Context, Stop, World, machine};
use super::{Conformance, Difference, Unpredicted};
use crate::era::Era;
use crate::state::buf_state;
use crate::truth::Wrong;

/// So many states are tried beside the first order before nothing is said.
const MOST_STATES: u64 = 400_000;
/// So many records back another order is looked for.
const MOST_BACK: usize = 1024;

/// What a record came to.
#[derive(Clone, Copy)]
enum Told {
    Compared,
    Unpredicted(&'static str),
}

/// Why an order does not lead on.
enum Fail {
    Differs { predicted: String, why: String },
    Room(&'static str),
}

impl Fail {
    fn differs(predicted: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Differs { predicted: predicted.into(), why: why.into() }
    }
}

/// A record before which the order could be another.
struct Junction {
    ix: u32,
    base: World,
    /// States still to be tried; nothing before the first one was asked for.
    queue: Option<VecDeque<World>>,
    seen: FxHashSet<u64>,
}

struct Search<'a> {
    cx: Context<'a>,
    programs: Programs,
    told: Vec<Option<Told>>,
    began: Vec<bool>,
    kinds: Vec<Option<Kind>>,
    states: u64,
    dead: FxHashSet<(u32, u64)>,
}

fn hash(world: &World) -> u64 {
    let mut hasher = FxHasher::default();
    world.hash(&mut hasher);
    hasher.finish()
}

/// A driver broke a rule, or the kernel did what no era does.
const fn is_difference(wrong: Wrong) -> bool {
    matches!(
        wrong,
        Wrong::AttachmentLeft
            | Wrong::MappingLeft
            | Wrong::PinLeft
            | Wrong::VmapLeft
            | Wrong::DirectionConflict
            | Wrong::UnmapWithoutMap
            | Wrong::ForeignDetach
            | Wrong::BadExport
    )
}

/// Compares a trace's records with what the model of the era predicts.
#[must_use]
pub fn conform(era: Era, attached: &Attached, records: &[Record]) -> Conformance {
    let mut search = Search::new(era, attached, records);
    let mut outcome = search.run();
    search.count(&mut outcome);
    outcome
}

/// Which operation each record begins, as far as the records conform.
pub(super) fn recognise(era: Era, attached: &Attached, records: &[Record]) -> Vec<Option<Kind>> {
    let mut search = Search::new(era, attached, records);
    let outcome = search.run();
    if let Some(d) = outcome.difference {
        search.kinds.truncate(d.record as usize);
    }
    search.kinds
}

impl<'a> Search<'a> {
    fn new(era: Era, attached: &'a Attached, records: &'a [Record]) -> Self {
        Self {
            cx: Context { trace: Trace::new(records, attached), machine: machine(era) },
            programs: Programs::new(era),
            told: vec![None; records.len()],
            began: vec![false; records.len()],
            kinds: vec![None; records.len()],
            states: 0,
            dead: FxHashSet::default(),
        }
    }

    fn run(&mut self) -> Conformance {
        let mut outcome = Conformance::default();
        let len = self.cx.trace.records.len() as u32;
        let (mut world, mut ix) = (World::new(), 0);
        let mut back: VecDeque<Junction> = VecDeque::new();
        let mut furthest: Option<(u32, Difference)> = None;
        loop {
            let base = (ix < len && self.has_orders(&world, ix)).then(|| world.clone());
            let gone = match (&base, self.states) {
                (Some(base), 1..) => self.dead.contains(&(ix, hash(base))),
                _ => false,
            };
            let result = match () {
                () if gone => Err(None),
                () if ix < len => self.take(&mut world, ix).map_err(Some),
                () => self.end(&mut world).map_err(Some),
            };
            if let Some(base) = base.filter(|_| !gone) {
                back.push_back(Junction { ix, base, queue: None, seen: FxHashSet::default() });
                if back.len() > MOST_BACK {
                    back.pop_front();
                }
            }
            let fail = match result {
                Ok(()) if ix == len => {
                    outcome.known.clone_from(&world.known);
                    return outcome;
                }
                Ok(()) => {
                    ix += 1;
                    continue;
                }
                Err(fail) => fail,
            };
            match fail {
                Some(Fail::Room(why)) => {
                    outcome.undecided = Some(why.to_owned());
                    return outcome;
                }
                Some(Fail::Differs { predicted, why }) if furthest.as_ref().is_none_or(|(f, _)| ix > *f) => {
                    furthest = Some((ix, self.difference(&world, ix, predicted, why)));
                }
                _ => {}
            }
            let next = loop {
                let Some(junction) = back.back_mut() else { break None };
                if let Some(found) = self.another(junction) {
                    break Some((found, junction.ix + 1));
                }
                if let Some(done) = back.pop_back() {
                    self.dead.insert((done.ix, hash(&done.base)));
                }
            };
            outcome.orders = self.states;
            match next {
                Some(_) if self.states >= MOST_STATES => {
                    let record = furthest.map_or(0, |(ix, _)| u64::from(ix) + 1);
                    outcome.undecided = Some(format!(
                        "at record {record} no order of the threads' steps was found that explains it, among the first {MOST_STATES}"
                    ));
                    return outcome;
                }
                Some((found, at)) => (world, ix) = (found, at),
                None => {
                    outcome.known.clone_from(&world.known);
                    outcome.difference = furthest.map(|(_, difference)| difference);
                    return outcome;
                }
            }
        }
    }

    /// Could something have come in another order before this record?
    fn has_orders(&self, world: &World, ix: u32) -> bool {
        let tid = self.cx.trace.get(ix).map_or(0, |r| r.header.tid);
        let by_buf = !self.cx.machine.era.cache_by_handle();
        world.slots.iter().any(|s| s.kind.is_some() && (by_buf || s.tid != tid || s.given.ret < 0))
            || self.cx.trace.get(ix).is_some_and(|r| r.phase() == Some(Phase::Entry))
                && self.cx.trace.return_of(ix).is_some_and(|r| super::trace::result(r, false) < 0)
    }

    /// The next state in which this record is as predicted.
    fn another(&mut self, junction: &mut Junction) -> Option<World> {
        let Junction { ix, base, queue, seen } = junction;
        let queue = queue.get_or_insert_with(|| {
            seen.insert(hash(base));
            VecDeque::from([base.clone()])
        });
        let mut first = seen.len() == 1;
        while let Some(node) = queue.pop_front() {
            if self.states >= MOST_STATES {
                return None;
            }
            let mut add = |world: World| {
                if seen.insert(hash(&world)) {
                    queue.push_back(world);
                }
            };
            for t in 0..node.slots.len() {
                if node.slots[t].kind.is_none() {
                    continue;
                }
                let mut next = node.clone();
                match next.step(&self.cx, t, None) {
                    Ok(Stop::Effect) => add(next),
                    Ok(Stop::Choice) => {
                        for fails in [false, true] {
                            let mut next = next.clone();
                            if matches!(next.step(&self.cx, t, Some(fails)), Ok(Stop::Effect)) {
                                add(next);
                            }
                        }
                    }
                    _ => {}
                }
            }
            self.states += 1;
            let root = std::mem::take(&mut first);
            let mut node = node;
            // A program that begins here may fail before its first record: that is a choice of its own.
            if !root && self.take(&mut node, *ix).is_ok() {
                return Some(node);
            }
        }
        None
    }

    /// Takes one record.
    fn take(&mut self, world: &mut World, ix: u32) -> Result<(), Fail> {
        let Some(record) = self.cx.trace.get(ix) else { return Ok(()) };
        if let Some(why) = record.probe().and_then(unpredicted) {
            self.told[ix as usize] = Some(Told::Unpredicted(why));
            return Ok(());
        }
        self.began[ix as usize] = false;
        self.kinds[ix as usize] = None;
        let told = self.one(world, ix, record)?;
        self.told[ix as usize] = Some(told);
        for fact in std::mem::take(&mut world.k.facts).iter() {
            let wrong = fact.wrong();
            if is_difference(wrong) {
                return Err(Fail::differs("", format!("{}: {}", wrong.name(), wrong.text())));
            }
            if !wrong.is_misuse() && !world.known.iter().any(|(w, _)| *w == wrong) {
                world.known.push((wrong, u64::from(ix) + 1));
            }
        }
        Ok(())
    }

    fn one(&mut self, world: &mut World, ix: u32, record: &Record) -> Result<Told, Fail> {
        if let Some(t) = world.slot(record.header.tid) {
            if world.slots[t].opaque > 0 {
                return Ok(Told::Unpredicted(world.inside(t, record)));
            }
            if self.reach(world, t, record)? {
                return Ok(Told::Compared);
            }
            world.finish(t);
        }
        match world.begin(&self.cx, &mut self.programs, ix) {
            Ok(Begin::Program(t)) => {
                self.began[ix as usize] = true;
                let kind = world.slots[t].kind;
                self.kinds[ix as usize] = kind;
                if self.reach(world, t, record)? {
                    return Ok(Told::Compared);
                }
                let words = kind.map_or("the call", Kind::words);
                Err(Fail::differs(format!("nothing of {words}"), "the model sees no reason for it"))
            }
            Ok(Begin::Done) => {
                self.began[ix as usize] = true;
                Ok(Told::Compared)
            }
            Ok(Begin::Unpredicted(why)) => Ok(Told::Unpredicted(why)),
            Err(Refusal::Differs(why)) => Err(Fail::differs("", why)),
            Err(Refusal::Room(why)) => Err(Fail::Room(why)),
        }
    }

    /// Runs thread `t` up to its next record, and compares that; leaves whether there was one.
    fn reach(&self, world: &mut World, t: usize, record: &Record) -> Result<bool, Fail> {
        loop {
            match world.step(&self.cx, t, None).map_err(|why| Fail::differs("", why))? {
                Stop::Effect => {}
                Stop::Choice => self.goes_well(world, t)?,
                Stop::Blocked(holder) => self.unblock(world, holder, 0)?,
                Stop::End => return Ok(false),
                Stop::Emit(probe, phase, operand) => {
                    if record.probe() != Some(probe) || record.phase() != Some(phase) {
                        let predicted = world.predicted(t, probe, phase, operand);
                        return Err(Fail::differs(predicted, world.why_another(t, probe, record)));
                    }
                    let same = world.compare(t, (probe, phase, operand), record);
                    same.map_err(|why| Fail::differs(world.predicted(t, probe, phase, operand), why))?;
                    world.pass(&self.cx, t);
                    world.settle(&self.cx, t).map_err(|why| Fail::differs("", why))?;
                    return Ok(true);
                }
            }
        }
    }

    fn goes_well(&self, world: &mut World, t: usize) -> Result<(), Fail> {
        world.step(&self.cx, t, Some(false)).map(drop).map_err(|why| Fail::differs("", why))
    }

    /// A thread that holds a lock goes on.
    fn unblock(&self, world: &mut World, t: usize, depth: usize) -> Result<(), Fail> {
        match world.step(&self.cx, t, None).map_err(|why| Fail::differs("", why))? {
            Stop::Effect => Ok(()),
            Stop::Choice => self.goes_well(world, t),
            Stop::Blocked(other) if depth < world.slots.len() => self.unblock(world, other, depth + 1),
            Stop::Blocked(_) | Stop::End => Err(Fail::differs("", "threads wait for each other's locks")),
            Stop::Emit(probe, phase, operand) => {
                let (tid, next) = (world.slots[t].tid, world.predicted(t, probe, phase, operand));
                let why = format!("it needs a lock that thread {tid} has, which first comes to `{next}`");
                Err(Fail::differs("nothing before that lock is dropped", why))
            }
        }
    }

    /// At the end of the trace: nothing that is due is missing.
    fn end(&mut self, world: &mut World) -> Result<(), Fail> {
        if !self.cx.trace.settled {
            return Ok(());
        }
        for _ in 0..world.slots.len() {
            for t in 0..world.slots.len() {
                while world.slots[t].kind.is_some() {
                    match world.step(&self.cx, t, None).map_err(|why| Fail::differs("", why))? {
                        Stop::Effect => {}
                        Stop::Choice => self.goes_well(world, t)?,
                        Stop::Blocked(_) => break,
                        Stop::End => world.finish(t),
                        Stop::Emit(probe, phase, operand) => {
                            if world.slots[t].at != NONE {
                                break;
                            }
                            let predicted = world.predicted(t, probe, phase, operand);
                            let why = format!("thread {} never came to it", world.slots[t].tid);
                            return Err(Fail::differs(predicted, why));
                        }
                    }
                }
            }
        }
        let by_driver = world.taken.first().and_then(|(addr, n)| Some((world.bufs.find(*addr)?, *n)));
        if let Some((d, n)) = by_driver {
            let why = format!(
                "a driver took {n} reference{} of {} by an fd that it never put",
                if n == 1 { "" } else { "s" },
                world.buf_words(d)
            );
            return Err(Fail::differs("a dmabuf-put for every dmabuf-get", why));
        }
        let holds = |r: &&Record| {
            let p: &SeenFd = r.payload();
            r.probe() == Some(ProbeId::SeenFd) && p.at_start == 0 && p.kind != seen::ALIVE
        };
        if self.cx.trace.records.iter().any(|r| holds(&r)) {
            return Ok(());
        }
        for (ix, b) in world.k.bufs.iter().enumerate() {
            let d = crate::state::ptr(&world.k.bufs, ix);
            if b.state == buf_state::LIVE && b.refs == 0 && world.bufs.number(d).is_some() {
                let why = format!(
                    "no process is left, and nothing that the model knows holds {}",
                    world.buf_words(d)
                );
                return Err(Fail::differs(format!("dmabuf-file-release {}", world.buf_words(d)), why));
            }
        }
        Ok(())
    }

    fn difference(&self, world: &World, ix: u32, predicted: String, why: String) -> Difference {
        let record = self.cx.trace.get(ix);
        Difference {
            record: u64::from(ix.min(self.cx.trace.records.len().saturating_sub(1) as u32)) + 1,
            tid: record.map_or(0, |r| r.header.tid),
            observed: record.map_or_else(|| "the end of the trace".to_owned(), |r| world.observed(r)),
            predicted: if predicted.is_empty() {
                "nothing that breaks this rule".to_owned()
            } else {
                predicted
            },
            why,
            knows: record.map(|r| world.knows(r)).unwrap_or_default(),
        }
    }

    fn count(&self, outcome: &mut Conformance) {
        let upto = outcome.difference.as_ref().map_or(usize::MAX, |d| d.record as usize);
        let mut silent: BTreeMap<(ProbeId, &'static str), u64> = BTreeMap::new();
        let mut threads = FxHashSet::default();
        for (ix, (told, record)) in self.told.iter().zip(self.cx.trace.records).enumerate().take(upto) {
            match (told, record.probe()) {
                (Some(Told::Compared), _) => outcome.compared += 1,
                (Some(Told::Unpredicted(why)), Some(probe)) => *silent.entry((probe, why)).or_default() += 1,
                _ => {}
            }
            if self.began[ix] {
                outcome.operations += 1;
                threads.insert(record.header.tid);
            }
        }
        outcome.threads = threads.len() as u64;
        outcome.unpredicted =
            silent.into_iter().map(|((probe, why), count)| Unpredicted { probe, why, count }).collect();
        outcome.unpredicted.sort_by_key(|u| std::cmp::Reverse(u.count));
    }
}
