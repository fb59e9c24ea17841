//! Marks of one name: at each the program should be where it was at the one before.

use gemscope_engine::{Engine, Stamp, Tally};
use rustc_hash::FxHashMap;

use crate::breach::{Assertion, Breach, Share, Slope};
use crate::census::{self, Call, Key, Places};
use crate::growth::{self, CONFIDENCE, Growth, Survivors};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::outcome::{Kept, Outcome};

/// What one place took and still holds: how much in which cycle, and by which calls.
#[derive(Default)]
struct Taken {
    cycles: FxHashMap<u32, u64>,
    shares: Vec<Share>,
}

/// The name of the series that `--cycles` makes.
const CYCLES: &str = "cycle";

/// The marks of one name, and what was held at each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub name: String,
    marks: Vec<Stamp>,
    first: Tally,
    latest: Tally,
    /// what was held at the latest mark
    held: FxHashMap<Key, Share>,
    /// by who took it: the greatest age at which something was given back, in marks
    longest: FxHashMap<(Kind, Call), (Stamp, u32)>,
}

impl Series {
    pub(crate) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) const fn marks(&self) -> usize {
        self.marks.len()
    }

    /// The cycle in which a record was: 0 before the first mark, 1 before the second.
    fn cycle(&self, seq: u64) -> u32 {
        self.marks.partition_point(|mark| mark.seq < seq) as u32
    }

    /// A mark is set.
    pub(crate) fn mark(&mut self, engine: &Engine, at: Stamp, everyone: bool) {
        self.latest = engine.tally(everyone);
        if self.marks.is_empty() {
            self.first = self.latest;
        }
        let now: FxHashMap<Key, Share> = census::each(engine, everyone).collect();
        let this = self.marks.len() as u32;
        let gone = self.held.iter().filter(|(key, _)| !now.contains_key(key));
        for ((kind, seq), share) in gone {
            let born = self.cycle(*seq);
            // What was there before the first mark is not of this series.
            if born == 0 {
                continue;
            }
            let key = (Kind::of_held(*kind), census::call(&share.taken));
            let longest = self.longest.entry(key).or_insert((share.taken, 0));
            longest.1 = longest.1.max(this - born);
        }
        self.held = now;
        self.marks.push(at);
    }

    /// Judges what was seen.
    pub(crate) fn assess(&self, limits: &Limits, places: &Places<'_>, out: &mut Outcome) {
        let (Some(last), true) = (self.marks.last(), self.marks.len() >= 2) else { return };
        self.limits(limits, *last, places, out);
        self.steady(limits, *last, places, out);
    }

    fn limits(&self, limits: &Limits, last: Stamp, places: &Places<'_>, out: &mut Outcome) {
        for (kind, limit) in &limits.growth {
            let (first, latest) = (kind.of(&self.first), kind.of(&self.latest));
            let grown = latest.saturating_sub(first);
            if grown <= *limit {
                let text = format!(
                    "from the first mark `{}` to the last at most {} more: from {} to {}",
                    self.name,
                    kind.amount(*limit),
                    kind.amount(first),
                    kind.amount(latest)
                );
                out.kept.push(Kept { name: Assertion::GrowthLimit.name(), text });
                continue;
            }
            let since = self.held.iter().filter(|((_, seq), _)| self.cycle(*seq) > 0);
            let shares = census::of_kind(*kind, since.map(|(key, share)| (*key, *share)));
            let shares = places.merged(shares.into_iter().map(|share| (*kind, share)));
            let bytes = if *kind == Kind::Bytes { grown } else { shares.iter().map(|s| s.bytes).sum() };
            out.breaches.push(Breach {
                series: self.name.clone(),
                limit: Some(*limit),
                count: grown,
                bytes,
                shares,
                ..Breach::new(Assertion::GrowthLimit, *kind, last)
            });
        }
    }

    fn steady(&self, limits: &Limits, last: Stamp, places: &Places<'_>, out: &mut Outcome) {
        let cycles = self.marks.len() as u32 - 1;
        let warm_up = limits.warm_up.unwrap_or_else(|| growth::default_warm_up(cycles));
        let mut steady = 0;
        for (kind, survivors, share) in self.survivors(places) {
            let breach = Breach {
                series: self.name.clone(),
                count: share.count,
                bytes: share.bytes,
                shares: vec![share],
                ..Breach::new(Assertion::SteadyGrowth, kind, last)
            };
            match growth::judge(&survivors, cycles, warm_up) {
                Growth::None => {}
                Growth::Seldom { grew_in, cycles } => out.notes.push(format!(
                    "{} taken at {} are still held from {grew_in} of {cycles} cycles: too few to call it growth; more cycles would tell",
                    kind.name(),
                    places.of(&share.taken),
                )),
                Growth::TooFew { cycles: judged } => {
                    steady += 1;
                    let whole = f64::from(judged.max(1));
                    let of = survivors.by_cycle.iter().filter(|(c, _)| *c > warm_up && *c <= warm_up + judged);
                    let per_cycle = of.map(|(_, n)| *n).sum::<u64>() as f64 / whole;
                    let slope = Slope {
                        per_cycle,
                        low: 0.0,
                        high: per_cycle,
                        confidence: 0.0,
                        cycles: judged,
                        grew_in: judged,
                        warm_up,
                    };
                    out.breaches.push(Breach { slope: Some(slope), tainted: true, ..breach });
                }
                Growth::Steady(r) => {
                    steady += 1;
                    let slope = Slope {
                        per_cycle: r.per_cycle,
                        low: r.low,
                        high: r.high,
                        confidence: CONFIDENCE,
                        cycles: r.cycles,
                        grew_in: r.grew_in,
                        warm_up,
                    };
                    out.breaches.push(Breach { slope: Some(slope), ..breach });
                }
            }
        }
        if steady == 0 && growth::judged_of(cycles, warm_up) == 0 {
            let text = format!(
                "what grows with `{}` cannot be told: of {cycles} in all and {warm_up} to warm up, no cycle is left to judge",
                self.name
            );
            // Where a limit was asked for, that is judged; and marks alone ask for nothing.
            if self.name == CYCLES && limits.growth.is_empty() {
                out.unjudged.push(Kept { name: Assertion::SteadyGrowth.name(), text });
            } else {
                out.notes.push(text);
            }
        } else if steady == 0 {
            let seen = match growth::slowest(cycles, warm_up) {
                Some(1) => "a leak in each cycle would show".to_owned(),
                Some(n) => format!("a leak in one of {n} cycles, or more often, would show"),
                None => "but so few cycles show a leak only where each of them leaks".to_owned(),
            };
            let text = format!(
                "nothing grows with `{}` over {cycles} cycles, of which {warm_up} to warm up; {seen}",
                self.name
            );
            out.kept.push(Kept { name: Assertion::SteadyGrowth.name(), text });
        }
    }

    /// What was taken since the first mark and is held at the last, by kind and place, in the order of the oldest.
    fn survivors(&self, places: &Places<'_>) -> Vec<(Kind, Survivors, Share)> {
        type Place = (Kind, String);
        let mut by_place: FxHashMap<Place, Taken> = FxHashMap::default();
        for ((held, seq), share) in &self.held {
            let cycle = self.cycle(*seq);
            if cycle > 0 {
                let entry = by_place.entry((Kind::of_held(*held), places.of(&share.taken))).or_default();
                *entry.cycles.entry(cycle).or_default() += 1;
                entry.shares.push(*share);
            }
        }
        let mut longest: FxHashMap<Place, u32> = FxHashMap::default();
        for ((kind, _), (taken, age)) in &self.longest {
            let known = longest.entry((*kind, places.of(taken))).or_default();
            *known = (*known).max(*age);
        }
        let mut all: Vec<(Kind, Survivors, Share)> = Vec::with_capacity(by_place.len());
        for (key, Taken { cycles, shares }) in by_place {
            let mut by_cycle: Vec<(u32, u64)> = cycles.into_iter().collect();
            by_cycle.sort_unstable();
            let kind = key.0;
            let longest = longest.get(&key).copied().unwrap_or(0);
            if let Some(share) = places.merged(shares.into_iter().map(|s| (kind, s))).first() {
                all.push((kind, Survivors { by_cycle, longest }, *share));
            }
        }
        all.sort_unstable_by_key(|(kind, _, share)| (*kind, share.taken.seq));
        all
    }
}
