//! `gemscope top`: the monitor. What it shows is the business of `gemscope-tui`; here are the terminal, the threads and
//! what is behind it: a kernel, a trace, a run of the model.

mod driver;
mod live;
mod player;
mod replay;
mod save;
mod screen;
mod stage;
mod tape;
mod text;

use std::time::{Duration, Instant};

use gemscope_report::escape;
use gemscope_trace::Reader;
use gemscope_tui::{Action, App};
use ratatui::crossterm::event::{Event, KeyCode, KeyModifiers};

use crate::args::TopArgs;
use crate::capture::Signals;
use crate::exit::Exit;
use crate::model::Run;
use crate::source::{self, Ending};
use crate::ui::{self, Ui};

use driver::Driver;
use live::Live;
use player::Player;
use replay::Replay;
use screen::Screen;
use tape::Tape;

/// Runs it.
///
/// # Errors
/// What keeps a session from starting, a trace from being read, or the terminal from being used.
pub fn run(args: &TopArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let draw = args.iterations.is_none() && screen::can_draw();
    let delay = args.delay.unwrap_or(if draw { 0.5 } else { 2.0 });
    let delay = Duration::from_secs_f64(delay.max(0.05));
    // Before any thread: the mask is inherited.
    let signals = Signals::take(&[])?;
    if let Some(mut replay) = recording(args)? {
        if draw {
            drive(&mut replay, args, ui, &signals)?;
        } else {
            text::once(&mut replay, ui)?;
        }
        return Ok(Exit::Clean);
    }
    let mut live = Live::start(args, ui.verbose, delay)?;
    let shown = if draw {
        drive(&mut live, args, ui, &signals)
    } else {
        text::again(&mut live, args, ui, &signals, delay)
    };
    live.stop()?;
    shown.map(|()| Exit::Clean)
}

/// A trace or a run of the model, if one was asked for.
fn recording(args: &TopArgs) -> anyhow::Result<Option<Replay>> {
    if let Some(path) = &args.replay {
        let reader = Reader::open(path)?;
        let (header, definitions) = (reader.header().clone(), reader.definitions().clone());
        let mut context = source::context(&header);
        context.trace = path.to_string_lossy().into_owned();
        let config = source::config(&header, &source::Options::default(), &mut context);
        let ending = Ending::of(&reader);
        let player = Player::new(Tape::file(reader), config, Some(ending))?;
        context.damage.extend_from_slice(player.damage());
        context.notes.extend(ending.names_missing());
        source::nothing_read(player.len(), &context)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = escape::name(name.as_bytes());
        return Replay::new(player, context, definitions, name).map(Some);
    }
    let Some(source) = &args.model.source else { return Ok(None) };
    let run = Run::of(source, &args.model)?;
    let (config, context, definitions, records) = run.into_parts();
    let player = Player::new(Tape::memory(records), config, None)?;
    let name = escape::name(format!("model:{}", source.scenario).as_bytes());
    Replay::new(player, context, definitions, name).map(Some)
}

/// Shows it on the terminal until the user has seen enough.
fn drive(driver: &mut dyn Driver, args: &TopArgs, ui: &Ui, signals: &Signals) -> anyhow::Result<()> {
    // What would be said meanwhile is said when the terminal is given back.
    let _quiet = ui::hold();
    let mut screen = Screen::open()?;
    let mut app =
        App::new(screen::settings(ui.color(), args.replay.is_some() || args.model.source.is_some()));
    loop {
        let over = driver.tick()?;
        driver.show(&mut |world, status| app.refresh(world, status));
        screen.draw(&mut app)?;
        if over || signals.next().is_some() {
            return Ok(());
        }
        if !listen(driver, &mut app, &mut screen, signals)? {
            return Ok(());
        }
    }
}

/// Waits for keys until it is time to show what is new. Is there more to do?
fn listen(
    driver: &mut dyn Driver,
    app: &mut App,
    screen: &mut Screen,
    signals: &Signals,
) -> anyhow::Result<bool> {
    /// Signals are looked at so often.
    const GLANCE: Duration = Duration::from_millis(100);
    /// Keys taken in at once: a held key shall not keep the screen from being drawn.
    const MOST: usize = 64;
    let until = Instant::now() + driver.patience();
    for _ in 0..MOST {
        let left = until.saturating_duration_since(Instant::now());
        let Some(event) = screen.event(left.min(GLANCE))? else {
            if left.is_zero() || signals.is_pending() {
                return Ok(true);
            }
            continue;
        };
        if is_suspend(&event) {
            screen.suspend()?;
            return Ok(true);
        }
        match app.on_event(&event) {
            Some(Action::Quit) => return Ok(false),
            Some(Action::SaveFinding(number)) => save::finding(driver, number),
            Some(action) => driver.act(&action)?,
            None if app.wants_refresh() => {}
            None => {
                screen.draw(app)?;
                continue;
            }
        }
        return Ok(true);
    }
    Ok(true)
}

fn is_suspend(event: &Event) -> bool {
    matches!(event, Event::Key(key) if key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL))
}
