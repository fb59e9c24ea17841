//! The model as a source of records: one run of a scenario, judged or written as a kernel's records are.

use std::io::Write;
use std::path::Path;

use gemscope_common::Record;
use gemscope_engine::Config;
use gemscope_model::{Era, Fact, Limits, Move, Recorder, Scenario, play_way, run};
use gemscope_probes::catalogue::{Row, rows};
use gemscope_report::Context;
use gemscope_report::happening::Happening;
use gemscope_trace::{
    AtExit, Definition, Definitions, Host, ProbeEntry, ProbeState, Process, ScopeInfo, Summary, TraceHeader,
    Writer,
};

use crate::args::ModelArgs;
use crate::explore::{self, Crew};
use crate::pipeline::Judge;
use crate::place::Place;
use crate::play::{OnePass, Played};
use crate::source::{self, Judged, Options};
use crate::values::Source;
use crate::{scenario, ui};

/// The records of one run, and what a trace says about them.
pub struct Run {
    header: TraceHeader,
    processes: Vec<Process>,
    records: Vec<Record>,
}

/// Which interleaving runs.
#[derive(Clone, Copy, Debug)]
pub enum Pick<'a> {
    /// One of many: the same number gives the same one.
    Seed(u64),
    /// A way that an exploration found.
    Way(&'a Limits, &'a [Move]),
}

impl Run {
    /// Runs what the options ask for.
    ///
    /// # Errors
    /// There is no such scenario.
    pub fn of(source: &Source, args: &ModelArgs) -> anyhow::Result<Self> {
        let scenario = scenario::load(&source.scenario)?;
        if !args.worst {
            return Ok(Self::new(&scenario, source.era, Pick::Seed(args.seed)));
        }
        let limits = Limits::default();
        let machine = scenario.machine(source.era, false);
        let outcome = gemscope_model::explore(&machine, &limits, &Crew::all(), &mut |_| {});
        let Some(worst) = explore::worst(&outcome) else {
            ui::say(&format!("no interleaving of it goes wrong: this is the one of --seed {}", args.seed));
            return Ok(Self::new(&scenario, source.era, Pick::Seed(args.seed)));
        };
        Ok(Self::new(&scenario, source.era, Pick::Way(&limits, &worst.way)))
    }

    /// Runs a scenario once.
    #[must_use]
    pub fn new(scenario: &Scenario, era: Era, pick: Pick<'_>) -> Self {
        let mut records = Vec::new();
        let mut recorder = Recorder::new(|record| records.push(record));
        let machine = scenario.machine(era, matches!(pick, Pick::Seed(_)));
        recorder.scope(&machine);
        let (which, k) = match pick {
            Pick::Seed(seed) => {
                let mut state = seed;
                let k = run(&machine, &mut |n| turn(&mut state, n), &mut recorder);
                (format!("the interleaving of seed {seed}"), k)
            }
            Pick::Way(limits, way) => {
                ("the shortest bad interleaving".to_owned(), play_way(&machine, limits, way, &mut recorder))
            }
        };
        recorder.settle(&machine, &k);
        let processes =
            machine.pids().map(|(tgid, name)| Process { tgid, comm: name.into(), ..Process::default() });
        let processes = processes.collect();
        Self { header: header(scenario, era, &which, k.facts()), processes, records }
    }

    /// What a trace of it says about itself.
    #[must_use]
    pub const fn header(&self) -> &TraceHeader {
        &self.header
    }

    fn definitions(&self) -> impl Iterator<Item = Definition> {
        self.processes.iter().cloned().map(Definition::Process)
    }

    /// What is needed to judge it elsewhere: how, what a report says of it, the names, and the records.
    #[must_use]
    pub fn into_parts(self) -> (Config, Context, Definitions, Vec<Record>) {
        let mut context = source::context(&self.header);
        let config = source::config(&self.header, &Options::default(), &mut context);
        let mut definitions = Definitions::new();
        definitions.extend(self.definitions());
        (config, context, definitions, self.records)
    }

    /// Judges it as a trace of it would be. `trace` is the file that it was written to, if it was.
    #[must_use]
    pub fn judge(&self, trace: Option<&Path>, options: &Options) -> Judged {
        let mut context = source::context(&self.header);
        context.trace = trace.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        let config = source::config(&self.header, options, &mut context);
        let mut judge = Judge::asserting(config, options.limits.clone());
        judge.ingest(&self.records);
        judge.finish();
        let mut definitions = Definitions::new();
        self.definitions().for_each(|d| {
            definitions.add(d);
        });
        source::conclude(judge, context, definitions)
    }

    /// Plays it into a scene, to its end or to the record of number `options.until`.
    pub fn play(&self, options: &Options, told: &mut dyn FnMut(&Happening)) -> Played {
        let mut player = OnePass::new(self.header.clone(), options);
        let until = options.until.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        player.ingest(self.records.get(..until).unwrap_or(&self.records), told);
        let mut definitions = Definitions::new();
        definitions.extend(self.definitions());
        player.finish(definitions)
    }

    /// Writes it as a trace.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn write(&self, place: &Place) -> anyhow::Result<Summary> {
        self.fill(place.trace(&self.header)?)
    }

    /// The bytes of such a trace.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.fill(Writer::new(&mut bytes, &self.header)?)?;
        Ok(bytes)
    }

    fn fill<W: Write>(&self, mut writer: Writer<W>) -> anyhow::Result<Summary> {
        self.definitions().try_for_each(|d| writer.define(&d))?;
        self.records.iter().try_for_each(|r| writer.write(r))?;
        Ok(writer.finish()?)
    }
}

/// The next choice among `n`: the numbers of SplitMix64.
fn turn(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % n.max(1) as u64) as usize
}

fn header(scenario: &Scenario, era: Era, which: &str, facts: &[Fact]) -> TraceHeader {
    let mut wrong: Vec<&str> = facts.iter().map(|f| f.wrong().name()).collect();
    wrong.dedup();
    let truth = if wrong.is_empty() { "nothing".to_owned() } else { wrong.join(", ") };
    let mut header = TraceHeader {
        gemscope: env!("CARGO_PKG_VERSION").to_owned(),
        kernel_release: "model".to_owned(),
        probes: rows().map(|row| ProbeEntry::new(row.id, state(row, era))).collect(),
        host: Host { cpus: 1, page_size: 4096, ..Host::default() },
        scope: ScopeInfo {
            root_tgid: 0,
            at_exit: if scenario.strict { AtExit::Strict } else { AtExit::Ignore },
        },
        source: "model".to_owned(),
        notes: vec![format!(
            "the model ran `{}` under {}: {which}; wrong by its own account: {truth}",
            scenario.name,
            era.name()
        )],
        ..TraceHeader::default()
    };
    header.set_profile(era.profile);
    header.set_features(era.features);
    header
}

/// The model has every probe, of what its kernel does.
fn state(row: &Row, era: Era) -> ProbeState {
    use gemscope_common::{Features, ProbeId};
    let has = match row.id {
        ProbeId::ChangeHandle => era.features.has(Features::CHANGE_HANDLE),
        ProbeId::HandleGet | ProbeId::HandleGetIfExists => era.features.has(Features::FB_HANDLE_REFS),
        _ => true,
    };
    if !has {
        return ProbeState::Off;
    }
    let symbol = row.symbols().next().map_or("", |s| s.name);
    let phase = |p: &gemscope_common::Phase| format!("{p:?}").to_lowercase();
    ProbeState::Attached { symbol: symbol.to_owned(), phases: row.emits.phases().iter().map(phase).collect() }
}
