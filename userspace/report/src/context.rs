//! What a report says about itself before it says anything else: whose rules, what was watched, what was not.

use gemscope_common::{Features, ProbeId, Profile};
use gemscope_trace::{AtExit, ProbeState, TraceHeader};

/// The facts of a report's header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// version of gemscope that observed; empty when not known
    pub gemscope: String,
    /// `uname -r` of the observed kernel; empty when not known
    pub kernel: String,
    /// `uname -m`
    pub machine: String,
    /// distribution
    pub distro: String,
    /// the rule profile that was judged by
    pub profile: String,
    /// the kernel's features, by name
    pub features: Vec<String>,
    /// the profile of the recording when another one was asked for
    pub recorded_profile: Option<String>,
    /// how many probes observed
    pub attached: usize,
    /// probes that were wanted and not available
    pub missing: Vec<MissingProbe>,
    /// probes that were not asked for, by name
    pub off: Vec<String>,
    /// rules that cannot be judged, one sentence each
    pub blinded: Vec<String>,
    /// filters that were active in the kernel: they blind
    pub filters: Vec<String>,
    /// the command traced; empty when there was none
    pub command: Vec<String>,
    /// what became of the command, in words; empty when not known
    pub status: String,
    /// root of the process tree that the verdict is about; 0 is everything
    pub root_pid: u32,
    /// what was made of things open at exit: `strict`, `growth`, `ignore`
    pub at_exit: String,
    /// the time that is told as zero, `CLOCK_MONOTONIC` ns
    pub start_ns: u64,
    /// kernel addresses may be shown
    pub raw_addresses: bool,
    /// the trace that was read or written, as given; empty when there is none
    pub trace: String,
    /// parts of the trace that could not be read, one sentence each
    pub damage: Vec<String>,
    /// anything else worth saying, one sentence each
    pub notes: Vec<String>,
}

/// A probe that was wanted and not available.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingProbe {
    /// stable name
    pub probe: String,
    /// why it is missing
    pub reason: String,
    /// what cannot be seen without it; empty when not known
    pub blind: String,
}

impl Context {
    /// What a trace's header says. `blind` tells what cannot be seen without a probe.
    #[must_use]
    pub fn of_trace(header: &TraceHeader, blind: impl Fn(ProbeId) -> Option<&'static str>) -> Self {
        let mut missing = Vec::new();
        let mut off = Vec::new();
        let mut attached = 0;
        for entry in &header.probes {
            match &entry.state {
                ProbeState::Attached { .. } => attached += 1,
                ProbeState::Missing { reason } => missing.push(MissingProbe {
                    probe: entry.name.clone(),
                    reason: reason.clone(),
                    blind: ProbeId::from_wire(entry.number)
                        .ok()
                        .and_then(&blind)
                        .unwrap_or_default()
                        .to_owned(),
                }),
                ProbeState::Off | ProbeState::Unknown => off.push(entry.name.clone()),
            }
        }
        Self {
            gemscope: header.gemscope.clone(),
            kernel: header.kernel_release.clone(),
            machine: header.machine.clone(),
            distro: header.host.distro.clone(),
            profile: header.profile.clone(),
            features: header.features.clone(),
            recorded_profile: None,
            attached,
            missing,
            off,
            blinded: header.blinded.clone(),
            filters: header.filters.clone(),
            command: header.command.clone(),
            status: String::new(),
            root_pid: header.scope.root_tgid,
            at_exit: at_exit_name(header.scope.at_exit).to_owned(),
            start_ns: header.clock.start_ns,
            raw_addresses: header.raw_addresses,
            trace: String::new(),
            damage: Vec::new(),
            notes: header.notes.clone(),
        }
    }

    /// Says by which rules was judged, where they are not those of the recording.
    pub fn judged_by(&mut self, profile: Profile, features: Features) {
        if self.profile != profile.name() {
            self.recorded_profile = Some(std::mem::replace(&mut self.profile, profile.name().to_owned()));
        }
        self.features = features.names().map(str::to_owned).collect();
    }
}

/// The word for what is made of things open at exit.
#[must_use]
pub const fn at_exit_name(mode: AtExit) -> &'static str {
    match mode {
        AtExit::Strict => "strict",
        AtExit::Growth => "growth",
        AtExit::Ignore => "ignore",
        AtExit::Unknown => "unknown",
    }
}
