//! What a session tells about itself, for the trace's header.

use std::fs;

use gemscope_engine::{Config, RuleId};
use gemscope_live::{How, Session, monotonic_ns};
use gemscope_probes::detect::Answer;
use gemscope_probes::plan::{Outcome, Plan, Planned};
use gemscope_trace::{AtExit, Clock, Host, ProbeEntry, ProbeState, ScopeInfo, TraceHeader};
use rustix::time::{ClockId, clock_gettime};

use gemscope_common::{Phase, scope};

/// What the caller knows.
pub struct Facts<'a> {
    /// the command, as given
    pub command: &'a [String],
    /// root of the process tree, 0 for everything
    pub root_tgid: u32,
    /// what to make of things open at exit
    pub at_exit: u32,
    /// filters as the report shall tell them
    pub filters: &'a [String],
    /// size of the ring, bytes
    pub ring_bytes: usize,
    /// keep kernel addresses
    pub raw_addresses: bool,
}

/// How far the wall clock is ahead of the clock of records, ns.
fn realtime_offset_ns() -> i64 {
    let time = clock_gettime(ClockId::Realtime);
    let wall = time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec);
    wall.saturating_sub(monotonic_ns().cast_signed())
}

/// The header of a session's trace.
#[must_use]
pub fn header(session: &Session, facts: &Facts<'_>) -> TraceHeader {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    TraceHeader {
        gemscope: env!("CARGO_PKG_VERSION").to_owned(),
        kernel_release: text(uname.release()),
        kernel_version: text(uname.version()),
        machine: text(uname.machine()),
        clock: Clock {
            start_ns: session.since_ns(),
            realtime_offset_ns: realtime_offset_ns(),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
        },
        host: Host {
            name: None,
            cpus: std::thread::available_parallelism().map_or(0, |n| n.get() as u32),
            distro: distro(),
            page_size: rustix::param::page_size() as u32,
        },
        command: facts.command.to_vec(),
        scope: ScopeInfo {
            root_tgid: facts.root_tgid,
            at_exit: match facts.at_exit {
                scope::STRICT => AtExit::Strict,
                scope::GROWTH => AtExit::Growth,
                _ => AtExit::Ignore,
            },
        },
        filters: facts.filters.to_vec(),
        ring_bytes: facts.ring_bytes as u64,
        raw_addresses: facts.raw_addresses,
        source: "kernel".to_owned(),
        notes: notes(session),
        ..of_plan(session.plan())
    }
}

/// How to judge what comes of a session with this header.
#[must_use]
pub fn config(session: &Session, header: &TraceHeader) -> Config {
    Config {
        profile: session.plan().profile,
        features: session.plan().features,
        missing: header.missing_probes().collect(),
        off: header.off_probes().collect(),
        filtered: !header.filters.is_empty(),
        ..Config::default()
    }
}

/// What the plan tells: the probes, what is judged without some of them, and the rules' era.
fn of_plan(plan: &Plan) -> TraceHeader {
    let mut header = TraceHeader {
        probes: plan.probes.iter().map(entry).collect(),
        blinded: blinded(plan),
        ..TraceHeader::default()
    };
    header.set_profile(plan.profile);
    header.set_features(plan.features);
    header
}

fn entry(planned: &Planned) -> ProbeEntry {
    let phase = |p: &Phase| match p {
        Phase::Entry => "entry".to_owned(),
        Phase::Return => "return".to_owned(),
        Phase::Point => "point".to_owned(),
    };
    let state = match &planned.outcome {
        Outcome::Attach { sites, .. } => {
            let mut symbols: Vec<&str> = sites.iter().map(|s| s.symbol.as_str()).collect();
            symbols.dedup();
            let phases = planned.row.emits.phases().iter().map(phase).collect();
            ProbeState::Attached { symbol: symbols.join(" "), phases }
        }
        Outcome::Missing { reason, blinds: true } => ProbeState::Missing { reason: reason.clone() },
        // What this kernel does not do needs no probe.
        Outcome::Missing { .. } | Outcome::Off { .. } => ProbeState::Off,
    };
    ProbeEntry::new(planned.row.id, state)
}

/// One sentence for each rule that misses a probe.
#[must_use]
pub fn blinded(plan: &Plan) -> Vec<String> {
    let sentence = |rule: &RuleId| {
        let without: Vec<_> = missing_for(plan, *rule).map(|(p, _)| p.row.id.name()).collect();
        (!without.is_empty()).then(|| format!("{} is judged without {}", rule.name(), without.join(", ")))
    };
    RuleId::ALL.iter().filter_map(sentence).collect()
}

/// The probes that a rule rests on and that this kernel does not offer, or not with what the rule needs; and why.
pub fn missing_for(plan: &Plan, rule: RuleId) -> impl Iterator<Item = (&Planned, String)> {
    plan.probes.iter().filter_map(move |p| Some((p, p.hides(rule.name())?)))
}

fn notes(session: &Session) -> Vec<String> {
    let mut notes = session.facts().problems.clone();
    for detected in session.facts().detected.iter().filter(|d| d.answer == Answer::Unknown) {
        let names: Vec<_> = detected.feature.names().collect();
        notes.push(format!("not known whether this kernel has {}: {}", names.join(", "), detected.evidence));
    }
    if let How::Pmu(reason) = session.how() {
        notes.push(format!(
            "probes are attached by perf, not by tracefs, and misses are not counted: {reason}"
        ));
    }
    notes
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn distro() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use gemscope_probes::plan::{self, PlanOptions};
    use gemscope_report::Context;

    use super::*;
    use crate::fixture;

    /// The header of every report names a probe that was left out, and each rule that is judged without it.
    #[test]
    fn a_probe_that_is_left_out_is_in_the_header() {
        for kernel in fixture::KERNELS {
            let facts = fixture::facts(kernel);
            let whole = plan::plan(&facts, &PlanOptions::default());
            let before = of_plan(&whole).blinded;
            for planned in whole.probes.iter().filter(|p| matches!(p.outcome, Outcome::Attach { .. })) {
                let row = planned.row;
                let name = row.id.name();
                let options = PlanOptions { deny: vec![row.id], ..PlanOptions::default() };
                let context = Context::of_trace(&of_plan(&plan::plan(&facts, &options)), |_| Some(row.blind));
                let missing = context.missing.iter().find(|m| m.probe == name);
                let missing = missing.unwrap_or_else(|| panic!("{kernel}: {name} is not named"));
                assert_eq!(
                    (missing.reason.as_str(), missing.blind.as_str()),
                    ("left out on request", row.blind)
                );
                for rule in RuleId::ALL.iter().map(|r| r.name()).filter(|r| row.findings.contains(r)) {
                    let told = context
                        .blinded
                        .iter()
                        .any(|s| s.starts_with(&format!("{rule} is judged without")) && s.contains(name));
                    assert!(told, "{kernel}: {name}: {rule}: {:?}", context.blinded);
                }
                let others = context.blinded.iter().filter(|s| !s.contains(name));
                assert!(
                    others.clone().all(|s| before.contains(s)),
                    "{kernel}: {name}: {:?}",
                    context.blinded
                );
            }
        }
    }
}
