//! A recording behind the monitor: gone through with a slider, step by step, or as fast as it happened.

use std::time::{Duration, Instant};

use gemscope_report::Context;
use gemscope_report::survey::World;
use gemscope_trace::Definitions;
use gemscope_tui::{Action, Position, SliderMark, Status};

use super::driver::Driver;
use super::player::{Landmark, Player};

/// A recording and how it is played.
pub struct Replay {
    player: Player,
    context: Context,
    definitions: Definitions,
    name: String,
    playing: Option<Playing>,
    speed: f64,
    message: Option<String>,
}

/// Since when, and from where.
struct Playing {
    since: Instant,
    from_ns: u64,
}

impl Replay {
    /// Stands where most is alive.
    ///
    /// # Errors
    /// The recording cannot be read.
    pub fn new(
        mut player: Player,
        mut context: Context,
        definitions: Definitions,
        name: String,
    ) -> anyhow::Result<Self> {
        if context.start_ns == 0 {
            context.start_ns = player.span_ns().0;
        }
        player.seek(player.fullest())?;
        Ok(Self { player, context, definitions, name, playing: None, speed: 1.0, message: None })
    }

    fn stop(&mut self) {
        self.playing = None;
    }

    fn play(&mut self) -> anyhow::Result<()> {
        if self.player.at_end() {
            self.player.seek(0)?;
        }
        let from_ns = self.player.scene().last_ns().max(self.player.span_ns().0);
        self.playing = Some(Playing { since: Instant::now(), from_ns });
        Ok(())
    }

    fn position(&self) -> Position {
        let (start_ns, end_ns) = self.player.span_ns();
        Position {
            seq: self.player.seq(),
            len: self.player.len(),
            ts_ns: self.player.scene().last_ns().max(start_ns),
            start_ns,
            end_ns,
            playing: self.playing.is_some(),
            speed: self.speed,
            marks: self.player.landmarks().iter().map(mark).collect(),
        }
    }
}

const fn mark(l: &Landmark) -> SliderMark {
    SliderMark { seq: l.seq, number: l.number, certain: l.certain }
}

impl Driver for Replay {
    fn show(&mut self, look: &mut dyn FnMut(&World<'_>, &Status)) {
        let status = Status {
            source: self.name.clone(),
            drops: self.player.scene().engine().counts().drops,
            position: Some(self.position()),
            message: self.message.clone(),
            ended: self.player.at_end(),
            ..Status::default()
        };
        let scene = self.player.scene();
        look(&scene.world(&self.context, &self.definitions, None, scene.last_ns()), &status);
    }

    fn tick(&mut self) -> anyhow::Result<bool> {
        if let Some(playing) = &self.playing {
            let passed = playing.since.elapsed().as_nanos() as f64 * self.speed;
            // A conversion from a float saturates: the end, at most.
            self.player.play_until(playing.from_ns.saturating_add(passed as u64))?;
            if self.player.at_end() {
                self.stop();
            }
        }
        Ok(false)
    }

    fn act(&mut self, action: &Action) -> anyhow::Result<()> {
        match action {
            Action::Pause(true) => self.stop(),
            Action::Pause(false) => self.play()?,
            Action::Seek(seq) => {
                self.stop();
                self.player.seek(*seq)?;
            }
            Action::Step(by) => {
                self.stop();
                let seq = self.player.seq();
                self.player.seek(seq.saturating_add_signed(*by))?;
            }
            Action::StepHappening(by) => {
                self.stop();
                for _ in 0..by.unsigned_abs().min(64) {
                    self.player.step(*by > 0)?;
                }
            }
            Action::Speed(speed) => {
                self.speed = speed.clamp(0.001, 1000.0);
                if self.playing.is_some() {
                    self.play()?;
                }
            }
            Action::Quit | Action::SaveFinding(_) | Action::Refresh => {}
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(if self.playing.is_some() { 50 } else { 500 })
    }

    fn tell(&mut self, message: String) {
        self.message = Some(message);
    }
}
