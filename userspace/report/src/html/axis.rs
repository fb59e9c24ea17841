//! Scales of plots: round ticks, and time as people say it.

/// From values to places on a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    begin: f64,
    length: f64,
}

impl Scale {
    /// Values `from..=to` on the stretch that begins at `begin`; a negative `length` runs backwards.
    pub fn new(from: u64, to: u64, begin: f64, length: f64) -> Self {
        let (from, to) = (from as f64, to as f64);
        Self { from, to: if to > from { to } else { from + 1.0 }, begin, length }
    }

    /// Where a value is.
    pub fn at(&self, value: u64) -> f64 {
        let share = ((value as f64 - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.begin + share * self.length
    }
}

/// Coordinates with one digit: that is enough for a screen and a page, and short.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// About `n` round values in `0..=max`, without 0. In powers of two for bytes, else of ten.
pub(super) fn ticks(max: u64, n: u64, bytes: bool) -> Vec<u64> {
    let rough = (max / n.max(1)).max(1);
    let step = if bytes {
        rough.checked_next_power_of_two().unwrap_or(1 << 63)
    } else {
        let mut decade = 1u64;
        while decade.saturating_mul(10) <= rough {
            decade = decade.saturating_mul(10);
        }
        [1, 2, 5, 10].map(|k| decade.saturating_mul(k)).into_iter().find(|s| *s >= rough).unwrap_or(rough)
    };
    (1..=n.saturating_mul(2)).map_while(|i| step.checked_mul(i)).take_while(|v| *v <= max).collect()
}

/// A stretch of time: `1.234 s`, `12.3 ms`.
pub(super) fn duration(ns: u64) -> String {
    let value = |unit: f64, name: &str| {
        let v = ns as f64 / unit;
        let digits = if v >= 100.0 { 0 } else { usize::from(v < 10.0) + 1 };
        let text = format!("{v:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text} {name}")
    };
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => value(1e3, "µs"),
        1_000_000..1_000_000_000 => value(1e6, "ms"),
        1_000_000_000..120_000_000_000 => value(1e9, "s"),
        120_000_000_000..7_200_000_000_000 => value(6e10, "min"),
        _ => value(3.6e12, "h"),
    }
}

/// Ticks of a time axis that is `ns` long, without 0.
pub(super) fn time_ticks(ns: u64) -> Vec<u64> {
    let unit = match ns {
        0..120_000_000_000 => 1,
        120_000_000_000..7_200_000_000_000 => 60_000_000_000,
        _ => 3_600_000_000_000,
    };
    ticks(ns / unit, 5, false).into_iter().map(|t| t * unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(10, 4, false), [5, 10]);
        assert_eq!(ticks(100, 4, false), [50, 100]);
        assert_eq!(ticks(7, 4, false), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ticks(3 << 20, 3, true), [1 << 20, 2 << 20, 3 << 20]);
        assert!(ticks(u64::MAX, 4, true).len() <= 8 && ticks(u64::MAX, 4, false).len() <= 8);
        assert_eq!(ticks(0, 4, false), [] as [u64; 0]);
        assert_eq!(
            time_ticks(300_000_000_000),
            [60_000_000_000u64, 120_000_000_000, 180_000_000_000, 240_000_000_000, 300_000_000_000]
        );
    }

    #[test]
    fn durations_are_for_people() {
        let said: Vec<_> =
            [0, 999, 1_500, 12_340_000, 1_234_000_000, 60_000_000_000, 150_000_000_000, u64::MAX]
                .map(duration)
                .to_vec();
        assert_eq!(said[..7], ["0 ns", "999 ns", "1.5 µs", "12.3 ms", "1.23 s", "60 s", "2.5 min"]);
    }

    #[test]
    fn scales_stay_inside() {
        let scale = Scale::new(10, 20, 100.0, 50.0);
        assert_eq!([scale.at(0), scale.at(15), scale.at(99)], [100.0, 125.0, 150.0]);
        assert_eq!(Scale::new(5, 5, 0.0, 1.0).at(5), 0.0);
        assert_eq!([px(1.0), px(1.25), px(0.0)], ["1", "1.2", "0"]);
    }
}
