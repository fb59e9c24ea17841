//! Joins the programs to the kernel's functions, probe by probe: what fails becomes a missing probe with a reason,
//! never an error.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::Ebpf;
use aya::programs::{KProbe, Program, ProgramError};
use gemscope_common::{Phase, ProbeId};
use gemscope_probes::catalogue::{Emits, ProgramKind, Row};
use gemscope_probes::plan::{Outcome, Plan, Site};

use crate::events::{Events, Place};
use crate::load::chain;
use crate::perf;

/// How the kernel's functions are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By events in tracefs: returns are kept for many calls at a time, and misses are counted.
    Tracefs,
    /// By the kprobe PMU, for this reason: returns of calls that wait may be missed, and misses are not counted.
    Pmu(String),
}

/// What is attached. Dropping it detaches.
#[derive(Debug)]
pub struct Attached {
    how: How,
    events: Option<Events>,
    /// Closing one takes its program off its event.
    perf: Vec<OwnedFd>,
    /// By event name.
    named: BTreeMap<String, (ProbeId, Phase)>,
    /// The kernel counts a page fault in a probe as a miss, although the probe goes on: its misses mean nothing.
    faults_are_misses: bool,
}

/// Attaches everything that the plan names, and corrects the plan where the kernel refuses.
///
/// `faults_are_misses`: this kernel counts page faults of a probe, which reading user stacks makes, as misses.
pub fn attach(
    ebpf: &mut Ebpf,
    plan: &mut Plan,
    events: Result<Events, String>,
    faults_are_misses: bool,
) -> Attached {
    let (events, how) = match events {
        Ok(events) => (Some(events), How::Tracefs),
        Err(why) => (None, How::Pmu(why)),
    };
    let mut attached = Attached { how, events, perf: Vec::new(), named: BTreeMap::new(), faults_are_misses };
    let cpu = perf::online_cpu();
    for planned in &mut plan.probes {
        let Outcome::Attach { sites, notes } = &mut planned.outcome else { continue };
        let row = planned.row;
        let mut refused = Vec::new();
        let wanted = std::mem::take(sites);
        for group in wanted.chunk_by(|a, b| a.symbol == b.symbol && a.module == b.module) {
            match attached.group(ebpf, row, group, cpu) {
                Ok(()) => sites.extend_from_slice(group),
                Err(why) => refused.push(why),
            }
        }
        if sites.is_empty() {
            planned.outcome = Outcome::Missing { reason: refused.join("; "), blinds: true };
        } else {
            notes.append(&mut refused);
        }
    }
    attached
}

impl Attached {
    /// How it was done.
    #[must_use]
    pub const fn how(&self) -> &How {
        &self.how
    }

    /// Hits and misses so far, by probe and phase; nothing where tracefs cannot be used.
    pub fn hits(&mut self) -> Vec<(ProbeId, Phase, crate::events::Hits)> {
        let Some(events) = &mut self.events else { return Vec::new() };
        let mut sums: BTreeMap<(ProbeId, Phase), crate::events::Hits> = BTreeMap::new();
        for (name, hits) in events.hits() {
            if let Some(&key) = self.named.get(&name) {
                let sum = sums.entry(key).or_default();
                sum.hits += hits.hits;
                sum.missed += if self.faults_are_misses { 0 } else { hits.missed };
            }
        }
        sums.into_iter().map(|((id, phase), hits)| (id, phase, hits)).collect()
    }

    /// Takes the programs off the kernel's functions. Events and programs stay, so that they can still be counted.
    pub fn quiet(&mut self) {
        // A kprobe is disarmed when the last fd of its event is gone: entries before their returns.
        while self.perf.pop().is_some() {}
    }

    /// Calls that were entered and whose return was not seen, by probe. Calls that are under way are among them.
    ///
    /// Not every kernel counts the returns for which it had no room, but all count hits.
    pub fn unreturned(&mut self) -> BTreeMap<ProbeId, u64> {
        let hits: BTreeMap<(ProbeId, Phase), u64> =
            self.hits().into_iter().map(|(id, phase, hits)| ((id, phase), hits.hits)).collect();
        let returns = hits.iter().filter(|((_, phase), _)| *phase == Phase::Return);
        returns
            .map(|((id, _), &returned)| {
                (*id, hits.get(&(*id, Phase::Entry)).copied().unwrap_or(0).saturating_sub(returned))
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Removes the events, and the programs from the kernel.
    pub fn detach(&mut self, ebpf: &mut Ebpf) {
        self.quiet();
        self.events = None;
        for (name, program) in ebpf.programs_mut() {
            let result = match program {
                Program::KProbe(program) => program.unload(),
                _ => Ok(()),
            };
            if let Err(error) = result
                && !matches!(error, ProgramError::NotLoaded)
            {
                tracing::debug!("the program `{name}` could not be unloaded: {error}");
            }
        }
    }

    /// The programs of one symbol: all of them or none.
    fn group(&mut self, ebpf: &mut Ebpf, row: &Row, sites: &[Site], cpu: u32) -> Result<(), String> {
        let (perf, names) = (self.perf.len(), self.named.clone());
        // The return before the entry: a call that comes between gives a return without arguments, which says so
        // itself; the other way round it would be a call without end.
        let in_order = sites.iter().rev();
        for site in in_order {
            if let Err(why) = self.site(ebpf, row, site, cpu) {
                self.perf.truncate(perf);
                let extra: Vec<String> =
                    self.named.keys().filter(|n| !names.contains_key(*n)).cloned().collect();
                self.named = names;
                if let Some(events) = &mut self.events {
                    extra.iter().for_each(|name| events.unmake(name));
                }
                return Err(format!("`{}`: {why}", site.symbol));
            }
        }
        Ok(())
    }

    fn site(&mut self, ebpf: &mut Ebpf, row: &Row, site: &Site, cpu: u32) -> Result<(), String> {
        let program = ebpf
            .program_mut(&site.program)
            .ok_or_else(|| format!("the BPF object has no program `{}`", site.program))?;
        match program {
            Program::KProbe(program) => {
                if program.fd().is_err() {
                    program.load().map_err(refusal)?;
                }
                if self.events.is_none() {
                    return by_pmu(program, site);
                }
                let fd = program.fd().map_err(refusal)?.as_fd();
                self.by_event(row, site, fd, cpu)
            }
            _ => Err(format!("the BPF object's program `{}` is of another kind", site.program)),
        }
    }

    fn by_event(&mut self, row: &Row, site: &Site, fd: BorrowedFd<'_>, cpu: u32) -> Result<(), String> {
        let Some(events) = &mut self.events else { return Err("there is no tracefs".to_owned()) };
        let (place, phase) = match site.kind {
            ProgramKind::Kretprobe => (Place::Return, Phase::Return),
            _ if row.emits == Emits::Point => (Place::Entry, Phase::Point),
            _ => (Place::Entry, Phase::Entry),
        };
        let name = free_name(&self.named, &site.program);
        let symbol = if site.ambiguous { site.qualified() } else { site.symbol.clone() };
        let begin = std::time::Instant::now();
        // Kernels look a name up in their whole table, some of them for a tenth of a second; an address is just taken.
        let by_address = site.address.and_then(|at| events.make(&name, place, &format!("{at:#x}")).ok());
        let made = by_address.map_or_else(|| events.make(&name, place, &symbol), Ok);
        let id = made.map_err(|e| explain(&e, "does not take the probe"))?;
        let made = begin.elapsed();
        self.named.insert(name, (row.id, phase));
        let event = perf::attach(id, cpu, fd).map_err(|e| explain(&e, "does not attach the program"))?;
        tracing::debug!("`{symbol}`: event {made:?}, attached {:?}", begin.elapsed());
        self.perf.push(event);
        Ok(())
    }
}

/// One program may sit on several functions: their events are numbered.
fn free_name(taken: &BTreeMap<String, (ProbeId, Phase)>, program: &str) -> String {
    let mut name = program.to_owned();
    let mut n = 1;
    while taken.contains_key(&name) {
        n += 1;
        name = format!("{program}{n}");
    }
    name
}

fn by_pmu(program: &mut KProbe, site: &Site) -> Result<(), String> {
    let symbol = if site.ambiguous { site.qualified() } else { site.symbol.clone() };
    program.attach(symbol, 0).map_err(refusal)?;
    Ok(())
}

fn explain(error: &io::Error, what: &str) -> String {
    format!("the kernel {what}: {error}")
}

/// A program error in one line: of a verifier's log only the end, which has the reason.
fn refusal(error: ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            tracing::debug!("the verifier says:\n{log}");
            let mut last: Vec<&str> =
                log.lines().rev().filter(|l| !l.is_empty() && !l.starts_with("processed ")).take(2).collect();
            last.reverse();
            format!("the kernel's verifier refuses the program: {io_error}: {}", last.join(" / "))
        }
        other => chain(&other),
    }
}
