//! What a trace says about itself: the machine, the kernel's rules, the probes, the clock, the command.
//!
//! Stored as JSON inside the header block. Every field has a default and unknown fields are ignored, so both older and
//! newer traces of one format version can be read.

use gemscope_common::{Features, ProbeId, Profile};
use serde::{Deserialize, Serialize};

/// The header of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceHeader {
    /// version of gemscope that recorded
    pub gemscope: String,
    /// `uname -r`
    pub kernel_release: String,
    /// `uname -v`
    pub kernel_version: String,
    /// `uname -m`
    pub machine: String,
    /// name of the rule profile; [`TraceHeader::profile`] gives it typed
    pub profile: String,
    /// names of the kernel's features; [`TraceHeader::features`] gives them typed
    pub features: Vec<String>,
    /// every probe of the catalogue and what became of it
    pub probes: Vec<ProbeEntry>,
    /// how payloads lie in this trace; the writer fills it
    pub layouts: Vec<ProbeLayout>,
    /// rules that cannot be judged, with the reason, one sentence each
    pub blinded: Vec<String>,
    /// when the recording began
    pub clock: Clock,
    /// where it was recorded
    pub host: Host,
    /// the command traced, as given; empty when there was none
    pub command: Vec<String>,
    /// which processes the verdict is about
    pub scope: ScopeInfo,
    /// filters that were active in the kernel, as options were given (`--comm=foo`): they blind
    pub filters: Vec<String>,
    /// size of the ring buffer in bytes; 0 when there was none
    pub ring_bytes: u64,
    /// true: kernel addresses are stored as they are. false: the writer replaces them by pseudonyms.
    pub raw_addresses: bool,
    /// where the records come from: empty or `kernel`, or `model`
    pub source: String,
    /// records that were seen before the first one of this trace and are not in it: a flight recorder had let go of them.
    /// 0: nothing is missing at the beginning
    #[serde(skip_serializing_if = "is_zero")]
    pub records_before: u64,
    /// anything else worth saying, one sentence each
    pub notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One probe of the catalogue and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeEntry {
    /// [`ProbeId`] number
    pub number: u16,
    /// stable name
    pub name: String,
    /// what became of it
    #[serde(flatten)]
    pub state: ProbeState,
}

impl ProbeEntry {
    /// An entry for `probe`.
    #[must_use]
    pub fn new(probe: ProbeId, state: ProbeState) -> Self {
        Self { number: probe as u16, name: probe.name().to_owned(), state }
    }
}

/// What became of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ProbeState {
    /// Attached and observing.
    Attached {
        /// kernel function, method or tracepoint
        #[serde(default)]
        symbol: String,
        /// `entry`, `return`, `point`
        #[serde(default)]
        phases: Vec<String>,
    },
    /// Wanted, and not available.
    Missing {
        /// why
        #[serde(default)]
        reason: String,
    },
    /// Not asked for.
    #[default]
    Off,
    /// A state that a newer gemscope knows.
    #[serde(other)]
    Unknown,
}

/// How the payload of one probe lies in this trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeLayout {
    /// [`ProbeId`] number
    pub number: u16,
    /// stable name
    pub name: String,
    /// payload length in 8-byte words
    pub words: u8,
}

/// When the recording began, and how its timestamps map to wall time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// `CLOCK_MONOTONIC` at the start, ns
    pub start_ns: u64,
    /// wall time (Unix epoch) minus monotonic time, ns
    pub realtime_offset_ns: i64,
    /// boot id: monotonic times of two traces compare only when equal
    pub boot_id: String,
}

/// Where it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// host name; left out unless asked for
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// number of cpus online
    pub cpus: u32,
    /// `PRETTY_NAME` of the distribution
    pub distro: String,
    /// memory page size in bytes
    pub page_size: u32,
}

/// Which processes the verdict is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScopeInfo {
    /// root of the process tree; 0 is the whole machine
    pub root_tgid: u32,
    /// what to make of things open at a normal exit
    pub at_exit: AtExit,
}

/// What to make of things open at a normal exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtExit {
    /// They are findings.
    #[default]
    Strict,
    /// Only stacks whose count grew with use are findings.
    Growth,
    /// They are left out.
    Ignore,
    /// A mode that a newer gemscope knows.
    #[serde(other)]
    Unknown,
}

impl TraceHeader {
    /// The rule profile, if this gemscope knows it.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        Profile::from_name(&self.profile)
    }

    /// Sets the rule profile.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile.name().to_owned();
    }

    /// The features that this gemscope knows, and the names of those it does not.
    #[must_use]
    pub fn features(&self) -> (Features, Vec<&str>) {
        let mut known = Features::default();
        let mut unknown = Vec::new();
        for name in &self.features {
            match Features::from_name(name) {
                Some(feature) => known = known.with(feature),
                None => unknown.push(name.as_str()),
            }
        }
        (known, unknown)
    }

    /// Sets the features.
    pub fn set_features(&mut self, features: Features) {
        self.features = features.names().map(str::to_owned).collect();
    }

    /// Probes that the kernel has and that were not observing, as far as this gemscope knows them.
    pub fn missing_probes(&self) -> impl Iterator<Item = ProbeId> {
        self.probes_that(|state| matches!(state, ProbeState::Missing { .. } | ProbeState::Unknown))
    }

    /// Probes that the kernel has not, or that nobody asked for, as far as this gemscope knows them.
    pub fn off_probes(&self) -> impl Iterator<Item = ProbeId> {
        self.probes_that(|state| matches!(state, ProbeState::Off))
    }

    fn probes_that(&self, is: impl Fn(&ProbeState) -> bool) -> impl Iterator<Item = ProbeId> {
        let known = |entry: &ProbeEntry| ProbeId::from_wire(entry.number).ok();
        self.probes.iter().filter(move |entry| is(&entry.state)).filter_map(known)
    }

    /// Wall time of a record's timestamp, ns since the Unix epoch; `None` when the trace has no wall clock.
    #[must_use]
    pub fn wall_ns(&self, ts_ns: u64) -> Option<i64> {
        let offset = Some(self.clock.realtime_offset_ns).filter(|&o| o != 0)?;
        i64::try_from(ts_ns).ok()?.checked_add(offset)
    }
}

/// The layouts of this build, for the header of a new trace.
pub(crate) fn current_layouts() -> Vec<ProbeLayout> {
    let layout = |&probe: &ProbeId| ProbeLayout {
        number: probe as u16,
        name: probe.name().to_owned(),
        words: (probe.layout().size() / 8) as u8,
    };
    ProbeId::ALL.iter().map(layout).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_header_and_a_newer_one_are_read() {
        assert_eq!(serde_json::from_str::<TraceHeader>("{}").unwrap(), TraceHeader::default());
        let newer = r#"{"profile":"v9.9","features":["cached-sgt","telepathy"],"later":{"a":[1]},
            "probes":[{"number":1,"name":"object-init","state":"asleep","why":"night"},
                      {"number":2,"state":"missing","reason":"no symbol"},{"number":999,"state":"off"}],
            "scope":{"at_exit":"mercy"}}"#;
        let header: TraceHeader = serde_json::from_str(newer).unwrap();
        assert_eq!(header.profile(), None);
        assert_eq!(header.features(), (Features::CACHED_SGT, vec!["telepathy"]));
        assert_eq!(header.probes[0].state, ProbeState::Unknown);
        // Of a state that a newer version made up, the worst is assumed.
        assert_eq!(
            header.missing_probes().collect::<Vec<_>>(),
            [ProbeId::ObjectInit, ProbeId::ObjectRelease]
        );
        assert_eq!(header.scope.at_exit, AtExit::Unknown);
    }

    #[test]
    fn a_full_header_comes_back() {
        let mut header = TraceHeader { kernel_release: "6.12.0".into(), ..TraceHeader::default() };
        header.set_profile(Profile::V6_2);
        header.set_features(Features::PREEMPT_RT.with(Features::CACHED_SGT));
        header.probes = vec![
            ProbeEntry::new(
                ProbeId::Import,
                ProbeState::Attached { symbol: "f".into(), phases: vec!["entry".into()] },
            ),
            ProbeEntry::new(ProbeId::Map, ProbeState::Off),
        ];
        header.layouts = current_layouts();
        let text = serde_json::to_string(&header).unwrap();
        assert_eq!(serde_json::from_str::<TraceHeader>(&text).unwrap(), header);
        assert_eq!(header.profile(), Some(Profile::V6_2));
        assert_eq!(header.off_probes().collect::<Vec<_>>(), [ProbeId::Map]);
    }
}
