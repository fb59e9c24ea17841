//! A recording that can be gone through in both directions.
//!
//! Going back means: take the latest scene that was kept from before, and play from there. Scenes are kept at even
//! distances on the first way through, as many as memory allows.

use gemscope_engine::Config;
use gemscope_report::scene::Scene;
use gemscope_trace::TraceError;

use super::tape::{Next, Place, Tape};
use crate::source::Ending;

/// A recording and a place in it.
pub struct Player {
    tape: Tape,
    scene: Scene,
    kept: Vec<Kept>,
    len: u64,
    landmarks: Vec<Landmark>,
    damage: Vec<String>,
    fullest: u64,
    span_ns: (u64, u64),
    /// what is missing behind the last record
    missing: Option<&'static str>,
    finished: bool,
}

/// A record at which something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// the record
    pub seq: u64,
    /// the finding's number
    pub number: u32,
    /// no loss can have made it
    pub certain: bool,
}

/// A scene to come back to.
struct Kept {
    seq: u64,
    place: Place,
    scene: Scene,
}

impl Player {
    /// Records between two scenes that are kept.
    const STRIDE: u64 = 16_384;
    /// Scenes kept; beyond it every second one goes.
    const MOST: usize = 48;
    /// Entities in all scenes that are kept.
    const ENTITIES: usize = 2_000_000;
    /// Records played at once.
    const GULP: usize = 4096;

    /// Goes once through the whole recording, and stays at its end. `ending` is that of a trace.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(tape: Tape, config: Config, ending: Option<Ending>) -> Result<Self, TraceError> {
        let mut player = Self {
            tape,
            scene: Scene::new(config),
            kept: Vec::new(),
            len: 0,
            landmarks: Vec::new(),
            damage: Vec::new(),
            fullest: 0,
            span_ns: (0, 0),
            missing: None,
            finished: false,
        };
        let (mut stride, mut entities) = (Self::STRIDE, 0);
        player.keep();
        loop {
            let played = player.play(Self::GULP)?;
            if played == 0 {
                break;
            }
            let last = player.kept.last().map_or(0, |k| k.seq);
            let counts = player.scene.engine().counts();
            let weight = counts.handles + counts.objects + counts.dmabufs;
            if player.seq() >= last + stride && entities + weight < Self::ENTITIES {
                entities += weight;
                player.keep();
                if player.kept.len() > Self::MOST {
                    let mut nth = 0;
                    player.kept.retain(|_| {
                        nth += 1;
                        nth % 2 == 1
                    });
                    stride *= 2;
                }
            }
        }
        player.len = player.seq();
        player.missing = ending.and_then(|e| e.missing(&player.damage));
        player.damage.extend(player.missing.map(str::to_owned));
        player.finish();
        let findings = player.scene.engine().findings().iter();
        player.landmarks = findings
            .map(|f| Landmark { seq: f.event.at.seq, number: f.number, certain: !f.tainted })
            .collect();
        player.landmarks.sort_unstable_by_key(|l| (l.seq, l.number));
        player.fullest = player.scene.fullest();
        player.span_ns = (player.scene.first_ns(), player.scene.last_ns());
        Ok(player)
    }

    fn keep(&mut self) {
        self.kept.push(Kept { seq: self.seq(), place: self.tape.place(), scene: self.scene.clone() });
    }

    /// Plays at most so many records. How many were there?
    fn play(&mut self, most: usize) -> Result<usize, TraceError> {
        loop {
            match self.tape.next(most)? {
                Next::End => return Ok(0),
                Next::Gap(why) => {
                    self.scene.gap();
                    if !self.damage.contains(&why) {
                        self.damage.push(why);
                    }
                    // From here on the beginning is where this gap has been told.
                    if self.scene.engine().records() == 0 {
                        self.kept.clear();
                        self.keep();
                    }
                }
                Next::Records(records) => {
                    let played = records.len();
                    self.scene.ingest(records, |_, _| {});
                    return Ok(played);
                }
            }
        }
    }

    fn finish(&mut self) {
        if !self.finished {
            if self.missing.is_some() {
                self.scene.gap();
            }
            self.scene.finish();
            self.finished = true;
        }
    }

    /// Records played up to here.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.scene.engine().records()
    }

    /// Records in all.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Where something was found, by rising record.
    #[must_use]
    pub fn landmarks(&self) -> &[Landmark] {
        &self.landmarks
    }

    /// What of the recording could not be read.
    #[must_use]
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    /// What there is to show here.
    #[must_use]
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Goes to right behind the record with this number; 0 is the beginning.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn seek(&mut self, seq: u64) -> Result<(), TraceError> {
        let seq = seq.min(self.len);
        if seq == self.seq() {
            return Ok(());
        }
        let kept = self.kept.iter().rev().find(|k| k.seq <= seq);
        if let Some(kept) = kept
            && (seq < self.seq() || kept.seq > self.seq())
        {
            self.tape.go(kept.place)?;
            self.scene = kept.scene.clone();
            self.finished = false;
        }
        while self.seq() < seq {
            let left = usize::try_from(seq - self.seq()).unwrap_or(usize::MAX);
            if self.play(left.min(Self::GULP))? == 0 {
                break;
            }
        }
        if self.seq() >= self.len {
            self.finish();
        }
        Ok(())
    }

    /// Goes to the next thing that happened, or to the one before.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn step(&mut self, forward: bool) -> Result<(), TraceError> {
        if forward { self.step_on() } else { self.step_back() }
    }

    fn step_on(&mut self) -> Result<(), TraceError> {
        while self.seq() < self.len {
            let mut happened = false;
            match self.tape.next(1)? {
                Next::Records(records) => self.scene.ingest(records, |_, _| happened = true),
                Next::Gap(_) => self.scene.gap(),
                Next::End => break,
            }
            if happened {
                break;
            }
        }
        if self.seq() >= self.len {
            self.finish();
        }
        Ok(())
    }

    fn step_back(&mut self) -> Result<(), TraceError> {
        let here = self.seq();
        // From ever earlier scenes, until something happened between one and here.
        let starts: Vec<u64> = self.kept.iter().rev().map(|k| k.seq).filter(|seq| *seq < here).collect();
        for start in starts {
            self.seek(start)?;
            let mut last = None;
            while self.seq() < here.saturating_sub(1) {
                let left = usize::try_from(here - 1 - self.seq()).unwrap_or(usize::MAX);
                match self.tape.next(left.min(Self::GULP))? {
                    Next::Records(records) => {
                        self.scene.ingest(records, |_, happening| last = Some(happening.at.seq));
                    }
                    Next::Gap(_) => self.scene.gap(),
                    Next::End => break,
                }
            }
            if let Some(seq) = last {
                return self.seek(seq);
            }
        }
        self.seek(0)
    }

    /// Plays until the records' clock shows this time, ns.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn play_until(&mut self, ts_ns: u64) -> Result<(), TraceError> {
        while self.scene.last_ns() < ts_ns && self.seq() < self.len {
            if self.play(1)? == 0 {
                break;
            }
        }
        if self.seq() >= self.len {
            self.finish();
        }
        Ok(())
    }

    /// The record up to which most was alive: where there is most to see.
    #[must_use]
    pub const fn fullest(&self) -> u64 {
        self.fullest
    }

    /// Time of the first and of the last record, ns.
    #[must_use]
    pub const fn span_ns(&self) -> (u64, u64) {
        self.span_ns
    }

    /// Is this the end?
    #[must_use]
    pub const fn at_end(&self) -> bool {
        self.seq() >= self.len
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gemscope_report::Context;
    use gemscope_trace::{Definitions, Reader};

    use super::*;
    use crate::source;

    fn player(name: &str) -> Player {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/traces").join(name);
        let reader = Reader::open(path).unwrap();
        let config =
            source::config(&reader.header().clone(), &source::Options::default(), &mut Context::default());
        let ending = Ending::of(&reader);
        Player::new(Tape::file(reader), config, Some(ending)).unwrap()
    }

    /// Everything that is shown at this point.
    fn shown(player: &Player) -> String {
        let (context, definitions) = (Context::default(), Definitions::default());
        let scene = player.scene();
        let world = scene.world(&context, &definitions, None, scene.last_ns());
        let mut out = String::new();
        gemscope_report::text::survey(&mut out, &world, 0, &gemscope_report::text::Palette::plain()).unwrap();
        format!("{} {:?}\n{out}", scene.engine().digest(), scene.engine().counts())
    }

    /// Whichever way one comes to a record, what is shown there is the same.
    #[test]
    fn every_way_to_a_record_shows_the_same() {
        let mut forward = player("6.12/storm-contended.gemtrace");
        let len = forward.len();
        assert!(len > 1000 && forward.at_end());
        let places: Vec<u64> = (0..=10).map(|i| len * i / 10).collect();
        let mut first = Vec::new();
        for place in &places {
            forward.seek(*place).unwrap();
            assert_eq!(forward.seq(), *place);
            first.push(shown(&forward));
        }
        for (place, expected) in places.iter().zip(&first).rev() {
            forward.seek(*place).unwrap();
            assert_eq!(shown(&forward), *expected, "back to {place}");
        }
        forward.seek(places[5]).unwrap();
        forward.seek(places[5] + 1).unwrap();
        forward.seek(places[5]).unwrap();
        assert_eq!(shown(&forward), first[5]);
    }

    #[test]
    fn steps_go_from_happening_to_happening_both_ways() {
        let mut player = player("newest/six-step.gemtrace");
        player.seek(0).unwrap();
        let mut places = Vec::new();
        while !player.at_end() {
            player.step(true).unwrap();
            places.push(player.seq());
        }
        // Its records from the sixth on, as the golden file of happenings has them.
        assert_eq!(places[..7], [3, 5, 7, 11, 13, 14, 15]);
        let back: Vec<u64> = (1..places.len())
            .map(|_| {
                player.step(false).unwrap();
                player.seq()
            })
            .collect();
        let expected: Vec<u64> = places[..places.len() - 1].iter().rev().copied().collect();
        assert_eq!(back, expected);
        player.step(false).unwrap();
        assert_eq!(player.seq(), 0, "before the first there is the beginning");
        player.step(false).unwrap();
        assert_eq!(player.seq(), 0);
    }

    #[test]
    fn landmarks_and_the_fullest_place_are_known() {
        let leak = player("6.12/forget-gem-close.gemtrace");
        let [mark] = leak.landmarks() else { panic!("{:?}", leak.landmarks()) };
        assert!(mark.certain && mark.number == 1 && mark.seq <= leak.len());
        let mut leak = leak;
        leak.seek(leak.fullest()).unwrap();
        assert!(leak.scene().engine().counts().objects > 0);
        let (from, _) = leak.span_ns();
        leak.seek(0).unwrap();
        leak.play_until(from + 60_000_000).unwrap();
        assert!(leak.seq() > 0 && !leak.at_end());
        leak.play_until(u64::MAX).unwrap();
        assert!(leak.at_end());
        assert_eq!(leak.scene().engine().findings().len(), 1);
    }
}
