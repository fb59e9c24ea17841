//! `gemscope explore SCENARIO`: every interleaving of a scenario, by the rules of one kernel or of all.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::bail;
use gemscope_common::Profile;
use gemscope_model::{BUILTIN, Era, Limits, Scenario, builtin};
use gemscope_report::{json, plural, size};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ExploreArgs;
use crate::exit::Exit;
use crate::explore::{self, Crew, Explored, Line, ScenarioLine, Summary};
use crate::model::{Pick, Run};
use crate::place::Place;
use crate::scenario;
use crate::ui::{self, Sink, Ui};
use crate::values::{Eras, newest};

pub fn run(args: &ExploreArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else {
        list(args.json)?;
        return Ok(Exit::Clean);
    };
    let eras = eras(&args.profile);
    if args.output.is_some() && eras.len() > 1 {
        bail!("one trace is of one kernel: give a single --profile with --output");
    }
    args.output.as_ref().map_or(Ok(()), |place| place.takes("a trace"))?;
    let scenario = scenario::load(name)?;
    let limits = Limits { memory: args.memory, ..Limits::default() };
    let crew = Crew::of(args.jobs);
    let mut all: Vec<Explored<'_>> = Vec::new();
    for (ix, era) in eras.iter().enumerate() {
        let explored = explore(&scenario, *era, limits, &crew);
        tell(&explored, &all, args, ui, ix > 0)?;
        all.push(explored);
    }
    if args.json {
        let mut out = Vec::new();
        json::write_line(&mut out, &Line::Summary(Summary::of(&all)))?;
        sink(args).write(&out)?;
    } else if all.len() > 1 {
        let (mut out, mut sink) = ("\n".to_owned(), sink(args));
        explore::overview(&mut out, &ui.palette(&sink), &all)?;
        sink.write(out.as_bytes())?;
    }
    if let Some(explored) = all.first() {
        write(explored, args)?;
    }
    let bad = all.iter().any(Explored::is_bad);
    Ok(Exit::of_exploration(bad, all.iter().all(|e| e.outcome.exhausted)))
}

/// The rules asked for, each once, in the order asked.
fn eras(asked: &[Eras]) -> Vec<Era> {
    let mut eras: Vec<Era> = Vec::new();
    for one in asked {
        match one {
            Eras::All => eras.extend(Profile::ALL.iter().map(|p| Era::of(*p))),
            Eras::One(era) => eras.push(*era),
        }
    }
    if eras.is_empty() {
        eras.push(newest());
    }
    let mut seen = Vec::new();
    eras.retain(|era| {
        !seen.contains(era) && {
            seen.push(*era);
            true
        }
    });
    eras
}

fn explore<'a>(scenario: &'a Scenario, era: Era, limits: Limits, crew: &Crew) -> Explored<'a> {
    /// Most are done before a bar could be read.
    const WORTH_IT: Duration = Duration::from_millis(500);
    let mut bar: Option<ProgressBar> = None;
    let begin = Instant::now();
    let explored = Explored::of(scenario, era, limits, crew, &mut |p| {
        if begin.elapsed() < WORTH_IT {
            return;
        }
        bar.get_or_insert_with(progress).set_message(format!(
            "{}: {}, {} deep",
            era.name(),
            plural(p.states, "state", "states"),
            plural(p.depth as u64, "step", "steps")
        ));
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    explored
}

fn tell(
    explored: &Explored<'_>,
    before: &[Explored<'_>],
    args: &ExploreArgs,
    ui: &Ui,
    gap: bool,
) -> anyhow::Result<()> {
    if args.json {
        let mut out = Vec::new();
        json::write_line(&mut out, &Line::Explored(Box::new(explored.line())))?;
        return sink(args).write(&out);
    }
    let (mut out, mut sink) = (if gap { "\n".to_owned() } else { String::new() }, sink(args));
    let like = before.iter().find(|e| explored.is_like(e)).map(|e| e.era.name());
    explore::tell(&mut out, &ui.palette(&sink), explored, like.as_deref())?;
    sink.write(out.as_bytes())
}

/// Where it is told: a trace has stdout to itself.
fn sink(args: &ExploreArgs) -> Sink {
    if args.output.as_ref().is_some_and(Place::is_stdout) { Sink::Stderr } else { Sink::Stdout }
}

/// Writes the shortest bad interleaving as a trace, if that was asked for.
fn write(explored: &Explored<'_>, args: &ExploreArgs) -> anyhow::Result<()> {
    let Some(place) = &args.output else { return Ok(()) };
    let Some(worst) = explore::worst(&explored.outcome) else {
        ui::say(&format!("nothing goes wrong: `{place}` is not written"));
        return Ok(());
    };
    let way = Pick::Way(&explored.limits, &worst.way);
    let summary = Run::new(explored.scenario, explored.era, way).write(place)?;
    ui::say(&format!(
        "the shortest bad interleaving is {} in {}",
        plural(summary.records, "record", "records"),
        size(summary.bytes)
    ));
    place.say_how_to_judge();
    Ok(())
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Every scenario that comes with gemscope.
fn list(as_json: bool) -> anyhow::Result<()> {
    let scenarios: Vec<Scenario> = BUILTIN.iter().filter_map(|(name, _)| builtin(name)).collect();
    if as_json {
        let mut out = Vec::new();
        for s in &scenarios {
            json::write_line(&mut out, &Line::Scenario(ScenarioLine::of(s)))?;
        }
        return Sink::Stdout.write(&out);
    }
    let width = scenarios.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for s in &scenarios {
        let races = if s.races.is_empty() { String::new() } else { format!(" ({})", s.races.join(", ")) };
        out += &format!("{:<width$}  {}{races}\n", s.name, s.about);
    }
    ui::print(&out)
}
