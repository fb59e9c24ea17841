//! `gemscope report FILE -o PAGE`: the report as one HTML page.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use gemscope_report::happening::Happening;
use gemscope_report::html::{Lives, Moment, Report};
use gemscope_report::series::Point;
use gemscope_report::survey::Survey;
use gemscope_report::{Names, escape};
use gemscope_trace::Clock;

use crate::args::{AtExit, ModelArgs, ReportArgs};
use crate::exit::Exit;
use crate::model::Run;
use crate::place::Place;
use crate::play::{self, Played};
use crate::source::Options;
use crate::ui::{self, Sink};

pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    args.file.as_ref().map_or(Ok(()), |trace| args.output.spares(trace))?;
    let run = match &args.source {
        Some(source) => {
            Some(Run::of(source, &ModelArgs { source: None, seed: args.seed, worst: args.worst })?)
        }
        None => None,
    };
    let player = match (&run, &args.file) {
        (Some(run), _) => Input::Model(run),
        (None, Some(file)) => Input::Trace(file),
        (None, None) => anyhow::bail!("give a trace, or a scenario with --source"),
    };
    let options =
        Options { profile: args.profile, at_exit: args.at_exit.map(AtExit::wire), ..Options::default() };
    let (page, whole) = page(&player, &options, None, &again(args))?;
    write(&args.output, &page)?;
    Ok(if whole { Exit::Clean } else { Exit::Undecided })
}

/// The page that goes with a report of the same records: with its judgement, and what it says about itself.
///
/// # Errors
/// The records cannot be played again.
pub fn page_beside(player: &Input<'_>, options: &Options, told: &Names<'_>) -> anyhow::Result<String> {
    let again = match player {
        Input::Trace(file) => {
            let file = quoted(&ui::shown(file));
            vec![format!("gemscope replay {file}"), format!("gemscope replay --events {file}")]
        }
        Input::Model(_) => Vec::new(),
    };
    Ok(page(player, options, Some(told), &again)?.0)
}

/// The page, and whether all of the source could be read.
fn page(
    player: &Input<'_>,
    options: &Options,
    told: Option<&Names<'_>>,
    again: &[String],
) -> anyhow::Result<(String, bool)> {
    let mut lives = Lives::default();
    let end = player.play(options, &mut |happening| lives.note(happening))?;
    let survey = Survey::of(&end.scene.world(&end.context, &end.definitions, None, end.scene.last_ns()));
    // When nothing is outstanding any more, the moment to look at is when the most was: that needs a second look at the
    // records.
    let peak = match (survey.sites.is_empty(), peak(end.scene.series().points())) {
        (true, Some(until)) => {
            let options = Options { until: Some(until), ..options.clone() };
            let then = player.play(&options, &mut |_| {})?;
            let now_ns = then.scene.last_ns();
            let survey = Survey::of(&then.scene.world(&then.context, &then.definitions, None, now_ns));
            (!survey.buffers.is_empty()).then_some((then, survey))
        }
        _ => None,
    };
    let at_end = moment(&end, &survey, end.context.start_ns, false);
    let at_peak = peak.as_ref().map(|(then, survey)| moment(then, survey, end.context.start_ns, true));
    let report = Report {
        names: Names {
            context: told.map_or(&end.context, |told| told.context),
            judgement: told.map_or(&end.judgement, |told| told.judgement),
            directory: end.scene.directory(),
            definitions: &end.definitions,
        },
        series: end.scene.series(),
        lives: &lives,
        alive: at_peak.filter(|_| survey.buffers.is_empty()).unwrap_or(at_end),
        taken: at_peak.unwrap_or(at_end),
        started: &started(&end.header.clock),
        again,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok((report.page(), end.context.damage.is_empty()))
}

fn moment<'a>(of: &'a Played, survey: &'a Survey, start_ns: u64, peak: bool) -> Moment<'a> {
    let world = of.scene.world(&of.context, &of.definitions, None, of.scene.last_ns());
    Moment { world, survey, peak, start_ns }
}

/// Where records come from. They may be played again.
pub enum Input<'a> {
    /// a trace
    Trace(&'a Path),
    /// a run of the model
    Model(&'a Run),
}

impl Input<'_> {
    fn play(&self, options: &Options, told: &mut dyn FnMut(&Happening)) -> anyhow::Result<Played> {
        match self {
            Self::Trace(path) => play::trace(path, options, told),
            Self::Model(run) => Ok(run.play(options, told)),
        }
    }
}

/// The record after which the most was alive; `None` when nothing ever was.
fn peak(points: &[Point]) -> Option<u64> {
    let most = points.iter().max_by_key(|p| {
        (p.handles + p.dmabufs > 0, p.bytes, p.handles, p.dmabufs, std::cmp::Reverse(p.seq))
    })?;
    (most.bytes + most.handles + most.dmabufs > 0).then_some(most.seq)
}

/// The beginning of the recording by the wall clock; empty when it is not known.
fn started(clock: &Clock) -> String {
    if clock.start_ns == 0 || clock.realtime_offset_ns == 0 {
        return String::new();
    }
    let ns = i128::from(clock.start_ns) + i128::from(clock.realtime_offset_ns);
    let seconds = i64::try_from(ns.div_euclid(1_000_000_000)).ok();
    let time = seconds.and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.map_or_else(String::new, |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Commands that show the same again.
fn again(args: &ReportArgs) -> Vec<String> {
    let at_exit = match args.at_exit {
        None => "",
        Some(AtExit::Strict) => " --at-exit strict",
        Some(AtExit::Growth) => " --at-exit growth",
        Some(AtExit::Ignore) => " --at-exit ignore",
    };
    let profile = args.profile.map_or_else(String::new, |p| format!(" --profile {}", p.name()));
    match (&args.source, &args.file) {
        (Some(source), _) => {
            let which = if args.worst { " --worst".to_owned() } else { format!(" --seed {}", args.seed) };
            let scenario = escape::long(source.scenario.as_bytes());
            vec![format!("gemscope check --source model:{scenario}@{}{which}{at_exit}", source.era.name())]
        }
        (None, file) => {
            let file = file.as_deref().unwrap_or(Path::new("FILE"));
            let file = quoted(&ui::shown(file));
            vec![
                format!("gemscope replay {file}{profile}{at_exit}"),
                format!("gemscope replay --events {file}{profile}{at_exit}"),
            ]
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn write(place: &Place, page: &str) -> anyhow::Result<()> {
    let Some(path) = place.file() else { return Sink::Stdout.write(page.as_bytes()) };
    fs::write(path, page)
        .with_context(|| format!("cannot write the page to `{place}`; choose another place with `-o FILE`"))
}
