//! Watches limits and marks while records pass, and says at the end what broke an assertion.

use gemscope_common::{Mark, ProbeId, Record, Scope, kernel_str};
use gemscope_engine::{Doubt, Engine, Stamp, Tally};
use rustc_hash::FxHashMap;

use crate::breach::{Assertion, Breach, Share};
use crate::census::{self, Places};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::outcome::{Kept, Outcome};
use crate::series::Series;

/// How often ages are looked at, ns of the records' time.
const EVERY_NS: u64 = 500_000_000;

/// The most that was held of a kind.
#[derive(Clone, Debug, Default)]
struct Peak {
    most: u64,
    at: Stamp,
    /// Who held it when it was first too much, and each time that it had doubled since.
    shares: Vec<Share>,
    told: u64,
}

/// Watches. Judged is what the scope holds; where an action is done in cycles, and nobody said whose growth is meant, what any
/// process does. Feed it with [`Watcher::look`] after the engine has taken a record in.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    limits: Limits,
    /// processes beside the command are of the scope
    watched: bool,
    everyone: bool,
    /// somebody of those that are judged has made something
    touched: bool,
    before: Tally,
    peaks: FxHashMap<Kind, Peak>,
    /// the most that there was of what there should be at least
    reached: FxHashMap<Kind, u64>,
    series: Vec<Series>,
    /// what was seen to be too old, by its kind and the record that took it
    overdue: FxHashMap<census::Key, Overdue>,
    looked_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Overdue {
    share: Share,
    age_ns: u64,
}

impl Watcher {
    /// One that asserts this.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Looks at the engine after a record.
    #[inline]
    pub fn look(&mut self, engine: &Engine, record: &Record) {
        const SCOPE: u16 = ProbeId::Scope as u16;
        const MARK: u16 = ProbeId::Mark as u16;
        match record.header.probe {
            SCOPE => self.watched |= record.payload::<Scope>().watched != 0,
            MARK => self.mark(engine, record),
            _ => {}
        }
        let tally = engine.tally(self.everyone);
        if tally != self.before {
            self.before = tally;
            self.touched = true;
            self.compare(engine, record, &tally);
        }
        let now = record.header.ts_ns;
        if self.limits.older_ns.is_some() && now >= self.looked_ns.saturating_add(EVERY_NS) {
            self.look_at_ages(engine, now);
        }
    }

    fn compare(&mut self, engine: &Engine, record: &Record, tally: &Tally) {
        for (kind, least) in &self.limits.least {
            let reached = self.reached.entry(*kind).or_default();
            *reached = (*reached).max(kind.of(tally)).min(*least);
        }
        for (kind, limit) in &self.limits.budgets {
            let peak = self.peaks.entry(*kind).or_default();
            let now = kind.of(tally);
            if now <= peak.most {
                continue;
            }
            (peak.most, peak.at) = (now, Stamp::of(engine.records(), record));
            // To look at everybody with every record would take time that grows with what is held.
            if now > *limit && now >= peak.told.saturating_mul(2) {
                peak.told = now;
                peak.shares = census::of_kind(*kind, census::each(engine, self.everyone));
            }
        }
    }

    fn look_at_ages(&mut self, engine: &Engine, now_ns: u64) {
        let Some(limit) = self.limits.older_ns else { return };
        self.looked_ns = now_ns;
        for (key, share) in census::each(engine, self.everyone) {
            let age_ns = now_ns.saturating_sub(share.taken.ts_ns);
            if age_ns > limit {
                self.overdue.insert(key, Overdue { share, age_ns });
            }
        }
    }

    fn mark(&mut self, engine: &Engine, record: &Record) {
        let name = record.payload::<Mark>().name;
        let name = String::from_utf8_lossy(kernel_str(&name)).into_owned();
        self.everyone |= name == Mark::FIRST_CYCLE && !self.watched;
        let at = Stamp::of(engine.records(), record);
        let Some(series) = series_of(&name) else { return };
        let known = self.series.iter_mut().find(|s| s.name == series);
        match known {
            Some(known) => known.mark(engine, at, self.everyone),
            None => {
                let mut new = Series::new(series.to_owned());
                new.mark(engine, at, self.everyone);
                self.series.push(new);
            }
        }
    }

    /// Judges, at the end of the records: which assertions are broken, which held, and what could not be judged. Nothing is set aside. `place` tells the place in a program that a stamp is of, in words: what has the same words is
    /// one place. Numbers of breaches go on from those of findings.
    #[must_use]
    pub fn assess(&self, engine: &Engine, place: &dyn Fn(&Stamp) -> String) -> Outcome {
        let mut out = Outcome::default();
        let places = Places::new(place);
        for series in &self.series {
            series.assess(&self.limits, &places, &mut out);
        }
        if self.series.iter().all(|s| s.marks() < 2) && !self.limits.growth.is_empty() {
            let text = "growth is judged from mark to mark, and no name was marked twice: --cycles sets marks, and `gemscope mark`";
            if self.limits.growth_is_asked {
                out.unjudged.push(Kept { name: Assertion::GrowthLimit.name(), text: text.to_owned() });
            } else {
                out.notes.push(text.to_owned());
            }
        }
        self.budgets(&places, &mut out);
        self.shortfalls(&mut out);
        self.ages(&places, &mut out);
        let lost =
            |d: &Doubt| matches!(d, Doubt::Drops(_) | Doubt::Missed(..) | Doubt::Gap | Doubt::HalfCalls(_));
        let doubtful = engine.doubts().iter().any(lost);
        let first = engine.findings().len() as u32 + 1;
        for (number, breach) in (first..).zip(&mut out.breaches) {
            breach.number = number;
            breach.tainted |= doubtful;
        }
        out
    }

    fn budgets(&self, places: &Places<'_>, out: &mut Outcome) {
        for (kind, limit) in &self.limits.budgets {
            let peak = self.peaks.get(kind).cloned().unwrap_or_default();
            if peak.most <= *limit {
                let text = format!("at most {}: {} at most", kind.amount(*limit), kind.amount(peak.most));
                out.kept.push(Kept { name: Assertion::Budget.name(), text });
                continue;
            }
            let shares = places.merged(peak.shares.iter().map(|s| (*kind, *s)));
            let bytes = if *kind == Kind::Bytes { peak.most } else { shares.iter().map(|s| s.bytes).sum() };
            out.breaches.push(Breach {
                limit: Some(*limit),
                count: peak.most,
                bytes,
                shares,
                ..Breach::new(Assertion::Budget, *kind, peak.at)
            });
        }
    }

    fn shortfalls(&self, out: &mut Outcome) {
        for (kind, least) in &self.limits.least {
            let reached = self.reached.get(kind).copied().unwrap_or(0);
            if reached >= *least {
                let text = format!("at least {} at some moment", kind.amount(*least));
                out.kept.push(Kept { name: Assertion::Shortfall.name(), text });
                continue;
            }
            out.breaches.push(Breach {
                limit: Some(*least),
                count: reached,
                ..Breach::new(Assertion::Shortfall, *kind, Stamp::default())
            });
        }
    }

    /// Has anybody of those that are judged made anything?
    #[must_use]
    pub const fn touched(&self) -> bool {
        self.touched
    }

    fn ages(&self, places: &Places<'_>, out: &mut Outcome) {
        let Some(limit) = self.limits.older_ns else { return };
        if self.overdue.is_empty() {
            let text = format!("nothing is held for longer than {} s", limit as f64 / 1e9);
            out.kept.push(Kept { name: Assertion::AgeLimit.name(), text });
            return;
        }
        let mut by_kind: Vec<(Kind, Vec<Overdue>)> = Vec::new();
        for ((kind, _), overdue) in &self.overdue {
            let kind = Kind::of_held(*kind);
            match by_kind.iter_mut().find(|(of, _)| *of == kind) {
                Some((_, all)) => all.push(*overdue),
                None => by_kind.push((kind, vec![*overdue])),
            }
        }
        by_kind.sort_unstable_by_key(|(kind, _)| *kind);
        for (kind, all) in by_kind {
            for share in places.merged(all.iter().map(|o| (kind, o.share))) {
                let oldest =
                    all.iter().filter(|o| o.share.taken.seq == share.taken.seq).map(|o| o.age_ns).max();
                out.breaches.push(Breach {
                    limit: Some(limit),
                    count: share.count,
                    bytes: share.bytes,
                    age_ns: oldest.unwrap_or(0),
                    shares: vec![share],
                    ..Breach::new(Assertion::AgeLimit, kind, share.newest)
                });
            }
        }
    }
}

/// Which marks belong together: those of one name, whatever number comes after it. `None` for gemscope's own.
fn series_of(name: &str) -> Option<&str> {
    if name == Mark::END {
        return None;
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = if stem.len() < name.len() { stem.trim_end_matches([' ', '-', '_', '#', ':']) } else { name };
    Some(if stem.is_empty() { name } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_marks_are_a_series() {
        for (name, series) in [
            ("cycle 12", Some("cycle")),
            ("window-3", Some("window")),
            ("closed", Some("closed")),
            ("42", Some("42")),
            ("v4l2", Some("v4l")),
            ("", Some("")),
            (Mark::END, None),
        ] {
            assert_eq!(series_of(name), series, "{name}");
        }
    }
}
