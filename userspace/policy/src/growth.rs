//! Does something grow with every few cycles, or has a pool been filled?
//!
//! Counts alone cannot tell: they go up and down with every pool. But here each reference is known for as long as it lives, so the
//! question is put to the survivors: what was taken in which cycle, and is still there at the end?
//!
//! * A leak leaves survivors of the whole run, at a steady rate.
//! * A pool that has reached its cap leaves survivors of the time when it filled, and none since.
//! * A pool that is renewed leaves survivors of the latest cycles only: what is younger than half as much again as anything that
//!   this place ever gave back may still be given back, and is not judged.
//! * A leak that stops is none.

/// The cycles in which a place took what is still there.
#[derive(Clone, Debug, Default)]
pub struct Survivors {
    /// cycle, from 1, and how many
    pub by_cycle: Vec<(u32, u64)>,
    /// the greatest age, in cycles, at which this place gave something back
    pub longest: u32,
}

/// What the survivors say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// Nothing that is not explained by a pool.
    None,
    /// It grows now and then: too seldom, or too late, to be sure.
    Seldom {
        /// in so many cycles of those judged
        grew_in: u32,
        /// that were judged
        cycles: u32,
    },
    /// It grew in every cycle that could be judged, but these are too few to tell a leak from a pool.
    TooFew {
        /// that were judged
        cycles: u32,
    },
    /// It grows steadily.
    Steady(Rate),
}

/// A steady rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// survivors a cycle
    pub per_cycle: f64,
    /// the least that it is
    pub low: f64,
    /// the most that it is
    pub high: f64,
    /// cycles judged
    pub cycles: u32,
    /// in how many of them it grew
    pub grew_in: u32,
}

/// The confidence of [`Rate`]'s bounds.
pub const CONFIDENCE: f64 = 0.95;
/// The quantile of the normal distribution that goes with it.
const Z: f64 = 1.96;
/// A chance below this is none.
const UNLIKELY: f64 = 0.05;
/// In at least so many cycles it must have grown, and in so many of the latter half. A pool that fills by chance demand grows now
/// and then for ever, as records are broken: with a chance of 1 in N in the Nth cycle. So often it does not.
const LEAST: u32 = 5;
const LEAST_LATE: u32 = 3;
/// The least number of cycles in which steady growth can be told from a pool that fills.
const FEWEST: u32 = 6;

/// Cycles left out at the beginning when nobody says how many.
#[must_use]
pub const fn default_warm_up(cycles: u32) -> u32 {
    let quarter = cycles / 4;
    if quarter == 0 { 1 } else { quarter }
}

/// The last cycle that is judged of what was given back at the greatest age `longest`: what is younger may be given back still.
const fn last_judged(longest: u32, cycles: u32) -> u32 {
    let mut young = longest.saturating_add(longest.div_ceil(2));
    if young < 2 {
        young = 2;
    }
    if young < cycles / 10 {
        young = cycles / 10;
    }
    cycles.saturating_sub(young)
}

/// How many of so many cycles can be judged at best.
#[must_use]
pub const fn judged_of(cycles: u32, warm_up: u32) -> u32 {
    last_judged(0, cycles).saturating_sub(warm_up)
}

/// Judges what survives of so many cycles.
#[must_use]
pub fn judge(survivors: &Survivors, cycles: u32, warm_up: u32) -> Growth {
    let last = last_judged(survivors.longest, cycles);
    let judged = last.saturating_sub(warm_up);
    let inside: Vec<(u32, u64)> = {
        let within = |(cycle, n): &(u32, u64)| *cycle > warm_up && *cycle <= last && *n > 0;
        survivors.by_cycle.iter().copied().filter(within).collect()
    };
    let grew_in = inside.len() as u32;
    if grew_in == 0 {
        return Growth::None;
    }
    if judged < FEWEST {
        return if grew_in == judged {
            Growth::TooFew { cycles: judged }
        } else {
            Growth::Seldom { grew_in, cycles: judged }
        };
    }
    let half = warm_up + judged / 2;
    let late = inside.iter().filter(|(cycle, _)| *cycle > half).count() as u32;
    let latest = inside.iter().map(|(cycle, _)| *cycle).max().unwrap_or(0);
    // Were growth steady: how likely is it that so little of it falls into the latter half, and none after the latest?
    let share = f64::from(last - half) / f64::from(judged);
    let stopped = (1.0 - f64::from(last - latest) / f64::from(judged)).powi(grew_in.cast_signed());
    if at_most(late, grew_in, share) < UNLIKELY || stopped < UNLIKELY {
        return Growth::None;
    }
    if grew_in < LEAST || late < LEAST_LATE {
        return Growth::Seldom { grew_in, cycles: judged };
    }
    let taken: u64 = inside.iter().map(|(_, n)| n).sum();
    let each = taken as f64 / f64::from(grew_in);
    let (low, high) = wilson(grew_in, judged);
    Growth::Steady(Rate {
        per_cycle: taken as f64 / f64::from(judged),
        low: low * each,
        high: high * each,
        cycles: judged,
        grew_in,
    })
}

/// The slowest steady growth that so many cycles can show at best: one in this many cycles.
#[must_use]
pub fn slowest(cycles: u32, warm_up: u32) -> Option<u32> {
    let judged = judged_of(cycles, warm_up);
    (judged >= FEWEST).then_some(judged / LEAST)
}

/// The chance that at most `k` of `n` events with a chance of `p` each happen.
fn at_most(k: u32, n: u32, p: f64) -> f64 {
    let mut chance = (1.0 - p).powi(n.cast_signed());
    let mut sum = chance;
    for i in 1..=k.min(n) {
        chance *= f64::from(n - i + 1) / f64::from(i) * p / (1.0 - p);
        sum += chance;
    }
    sum.min(1.0)
}

/// Wilson's score interval of a proportion.
fn wilson(k: u32, n: u32) -> (f64, f64) {
    let (n, p) = (f64::from(n), f64::from(k) / f64::from(n));
    let z2 = Z * Z;
    let middle = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let below = 1.0 + z2 / n;
    (((middle - spread) / below).max(0.0), ((middle + spread) / below).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survivors(cycles: impl IntoIterator<Item = u32>, longest: u32) -> Survivors {
        Survivors { by_cycle: cycles.into_iter().map(|c| (c, 1)).collect(), longest }
    }

    #[track_caller]
    fn check(cycles: u32, of: impl IntoIterator<Item = u32>, longest: u32, want: &str) {
        let got = judge(&survivors(of, longest), cycles, default_warm_up(cycles));
        let word = match got {
            Growth::None => "none".to_owned(),
            Growth::Seldom { grew_in, cycles } => format!("{grew_in} of {cycles}"),
            Growth::TooFew { cycles } => format!("too few: {cycles}"),
            Growth::Steady(r) => format!("{:.2} ({:.2} to {:.2})", r.per_cycle, r.low, r.high),
        };
        assert_eq!(word, want);
    }

    #[test]
    fn leaks_are_steady() {
        check(60, 1..=60, 0, "1.00 (0.91 to 1.00)");
        check(60, (1..=60).filter(|c| c % 2 == 0), 0, "0.51 (0.36 to 0.66)");
        check(70, (1..=70).filter(|c| c % 7 == 0), 0, "0.15 (0.08 to 0.28)");
        check(12, 1..=12, 0, "1.00 (0.65 to 1.00)");
        // What this place gives back is given back soon.
        check(60, 1..=60, 4, "1.00 (0.91 to 1.00)");
    }

    #[test]
    fn pools_are_not() {
        check(60, 1..=8, 0, "none");
        check(60, 1..=16, 0, "none");
        check(60, 1..=40, 0, "none");
        // It is renewed: the latest only.
        check(60, 50..=60, 8, "none");
        check(60, 20..=60, 40, "none");
        check(60, [], 0, "none");
        check(0, [], 0, "none");
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        // It fills by demand, ever more seldom.
        check(60, [1, 2, 3, 5, 8, 13, 21, 34], 0, "2 of 39");
        check(60, [20, 40], 0, "2 of 39");
        check(6, 1..=6, 0, "too few: 3");
        check(8, [4], 0, "1 of 4");
        check(1, [1], 0, "none");
    }

    #[test]
    fn what_can_be_seen_at_best() {
        assert_eq!(slowest(60, 15), Some(7));
        assert_eq!(slowest(12, 3), Some(1));
        assert_eq!(slowest(6, 1), None);
        assert_eq!(slowest(u32::MAX, 0), Some(773_094_113));
    }

    #[test]
    fn chances() {
        assert!((at_most(0, 1, 0.5) - 0.5).abs() < 1e-9);
        assert!((at_most(1, 2, 0.5) - 0.75).abs() < 1e-9);
        assert!((at_most(5, 5, 0.3) - 1.0).abs() < 1e-9);
        let (low, high) = wilson(5, 10);
        assert!((low - 0.2366).abs() < 1e-3 && (high - 0.7634).abs() < 1e-3, "{low} {high}");
    }
}
