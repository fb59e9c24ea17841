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

/// The stretch of time that plots show: that in which something happened, and a little around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// the time that is told as zero
    pub zero: u64,
    /// where the plot begins
    pub from: u64,
    /// where it ends
    pub to: u64,
}

impl Window {
    /// Around these times, but not beyond `zero..=end`.
    pub fn around(times: impl Iterator<Item = u64>, zero: u64, end: u64) -> Self {
        let (mut first, mut last) = (u64::MAX, 0);
        for time in times {
            (first, last) = (first.min(time), last.max(time));
        }
        if first > last {
            return Self { zero, from: zero, to: end.max(zero) };
        }
        let air = (last - first) / 25 + 1_000;
        Self {
            zero,
            from: first.saturating_sub(air).max(zero.min(first)),
            to: last.saturating_add(air).min(end.max(last)),
        }
    }

    /// How long it is.
    pub const fn ns(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// Round times inside, and what they are called.
    pub fn ticks(&self) -> Vec<(u64, String)> {
        let unit = match self.ns() {
            0..120_000_000_000 => 1,
            120_000_000_000..7_200_000_000_000 => 60_000_000_000,
            _ => 3_600_000_000_000,
        };
        let step =
            ticks(self.ns() / unit, 6, false).first().copied().unwrap_or(1).max(1).saturating_mul(unit);
        let first = self.from.saturating_sub(self.zero).div_ceil(step);
        (first..first + 16)
            .map_while(|n| n.checked_mul(step))
            .map_while(|t| Some((self.zero.checked_add(t)?, t)))
            .take_while(|(at, _)| *at <= self.to)
            .map(|(at, t)| (at, if t == 0 { "0".to_owned() } else { format!("+{}", duration(t)) }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(10, 4, false), [2, 4, 6, 8, 10]);
        assert_eq!(ticks(100, 4, false), [50, 100]);
        assert_eq!(ticks(7, 4, false), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ticks(70, 4, false), [20, 40, 60]);
        assert_eq!(ticks(3 << 20, 3, true), [1 << 20, 2 << 20, 3 << 20]);
        assert!(ticks(u64::MAX, 4, true).len() <= 8 && ticks(u64::MAX, 4, false).len() <= 8);
        assert_eq!(ticks(0, 4, false), [] as [u64; 0]);
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
    fn a_window_shows_what_happened() {
        const MS: u64 = 1_000_000;
        let window = Window::around([150 * MS, 250 * MS].into_iter(), 100 * MS, 2_000 * MS);
        assert_eq!((window.from / MS, window.to / MS), (145, 254));
        let told: Vec<_> = window.ticks().into_iter().map(|(_, t)| t).collect();
        assert_eq!(told, ["+60 ms", "+80 ms", "+100 ms", "+120 ms", "+140 ms"]);
        assert_eq!(Window::around(std::iter::empty(), 5, 9), Window { zero: 5, from: 5, to: 9 });
        for extreme in [0, 1, u64::MAX] {
            assert!(Window::around([0, extreme].into_iter(), 0, u64::MAX).ticks().len() <= 16);
        }
    }

    #[test]
    fn scales_stay_inside() {
        let scale = Scale::new(10, 20, 100.0, 50.0);
        assert_eq!([scale.at(0), scale.at(15), scale.at(99)], [100.0, 125.0, 150.0]);
        assert_eq!(Scale::new(5, 5, 0.0, 1.0).at(5), 0.0);
        assert_eq!([px(1.0), px(1.25), px(0.0)], ["1", "1.2", "0"]);
    }
}
