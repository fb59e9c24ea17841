//! A running kernel behind the monitor.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use gemscope_common::{Mark, ProbeId, scope};
use gemscope_live::privileges::Invoker;
use gemscope_live::{Session, Tail, monotonic_ns};
use gemscope_report::scene::Scene;
use gemscope_report::survey::World;
use gemscope_report::{Context, plural, size};
use gemscope_tui::{Action, ScanAge, Status};

use super::driver::Driver;
use super::stage::{Crew, Stage};
use crate::args::TopArgs;
use crate::capture::{self, Facts, Output, Recorder, Written};
use crate::place::Place;
use crate::{source, ui};

/// How often what only the kernel knows is asked for.
const COUNTED: Duration = Duration::from_secs(1);

/// A session, and who works on what it says.
pub struct Live {
    session: Session,
    crew: Crew,
    context: Context,
    batches: gemscope_live::Batches,
    counted: Instant,
    records: u64,
    rate: f64,
    message: Option<String>,
    patience: Duration,
}

impl Live {
    /// Attaches. Call it before any thread is started.
    ///
    /// # Errors
    /// What keeps a session from starting or a trace from being created.
    pub fn start(args: &TopArgs, verbose: u8, patience: Duration) -> anyhow::Result<Self> {
        let (options, filters) = capture::resolve(&args.capture, verbose)?;
        let invoker = Invoker::from_sudo()?;
        capture::with_file(args.output.as_deref(), invoker.as_ref(), || {
            Self::attach(args, &options, &filters, patience)
        })
    }

    fn attach(
        args: &TopArgs,
        options: &gemscope_live::Options,
        filters: &[String],
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let mut session = Session::start(options)?;
        let facts = Facts {
            command: &[],
            root_tgid: 0,
            at_exit: scope::IGNORE,
            filters,
            ring_bytes: options.ring_bytes,
            raw_addresses: args.raw_addresses,
        };
        let mut header = capture::header(&session, &facts);
        let (before, note) = capture::held_before(&mut session);
        header.notes.extend(note);
        let output = Output::of(args.output.clone().map(Place::File), &header)?;
        let mut recorder = Recorder::new(Scene::new(capture::config(&session, &header)), output);
        recorder.sightings(&before);
        let stage = Stage { recorder, holdings: None };
        let batches = session.batches().clone();
        let crew = Crew::start(stage, batches.clone(), session.take_definitions())
            .context("cannot start a thread")?;
        Ok(Self {
            context: source::context(&header),
            session,
            crew,
            batches,
            counted: Instant::now(),
            records: 0,
            rate: 0.0,
            message: None,
            patience,
        })
    }

    /// Detaches, takes in what is left and says what there was.
    ///
    /// # Errors
    /// The worker did not come to its end.
    pub fn stop(self) -> anyhow::Result<()> {
        let Self { session, crew, .. } = self;
        let Tail { drops, missed, .. } = session.stop();
        let Stage { mut recorder, .. } = crew.join().context("a thread of the monitor did not end")?;
        recorder.dropped(drops);
        missed.into_iter().for_each(|record| recorder.stamped(record));
        recorder.own(ProbeId::Mark, &Mark::named(Mark::END));
        let drops = recorder.drops();
        let (scene, _, output) = recorder.finish();
        let engine = scene.engine();
        let counts = engine.counts();
        let (findings, near) = (engine.findings().len() as u64, engine.near_misses().len() as u64);
        let mut line = plural(counts.records, "record", "records");
        line.push_str(&format!(", {}", ui::lost(drops)));
        line.push_str(&format!("; {}", plural(findings, "finding", "findings")));
        if near > 0 {
            line.push_str(&format!(", {}", plural(near, "near miss", "near misses")));
        }
        ui::say(&line);
        if let Some(output) = output {
            written(&output);
        }
        Ok(())
    }

    /// Asks for what is not among the records, once a second.
    fn count(&mut self) {
        let passed = self.counted.elapsed();
        if passed < COUNTED {
            return;
        }
        self.counted = Instant::now();
        let (drops, missed) = (self.session.drops(), self.session.missed());
        let mut stage = self.crew.stage();
        stage.recorder.dropped(drops);
        missed.into_iter().for_each(|record| stage.recorder.stamped(record));
        let records = stage.recorder.learner.engine().records();
        drop(stage);
        self.rate = records.saturating_sub(self.records) as f64 / passed.as_secs_f64();
        self.records = records;
    }
}

impl Driver for Live {
    fn show(&mut self, look: &mut dyn FnMut(&World<'_>, &Status)) {
        let now_ns = monotonic_ns();
        let stage = self.crew.stage();
        let scan = stage.holdings.as_ref().map(|h| ScanAge { at_ns: h.at_ns, unreadable: h.unreadable });
        let status = Status {
            source: "live".to_owned(),
            events_per_s: self.rate,
            drops: stage.recorder.drops(),
            lag: self.batches.waiting(),
            scan,
            message: self.message.clone(),
            ..Status::default()
        };
        let Recorder { learner: scene, definitions, .. } = &stage.recorder;
        let world = scene.world(&self.context, definitions, stage.holdings.as_ref(), now_ns);
        look(&world, &status);
    }

    fn tick(&mut self) -> anyhow::Result<bool> {
        self.count();
        Ok(self.crew.has_stopped())
    }

    fn act(&mut self, action: &Action) -> anyhow::Result<()> {
        // The picture is held by the monitor itself; the rest moves time.
        if *action == Action::Refresh {
            self.crew.rescan();
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn tell(&mut self, message: String) {
        self.message = Some(message);
    }
}

fn written(written: &Written) {
    // Why it was not written was said when that happened.
    let Some(summary) = &written.summary else { return };
    let path = &written.place;
    ui::say(&format!("{} in {path}; judge it: gemscope replay {path}", size(summary.bytes)));
}
