//! One broken assertion, in the style of findings: what there is too much of, how it grew, and which calls took it.

use std::fmt::{self, Write};

use gemscope_policy::{Assertion, Breach, Share, Slope};

use super::finding::{INDENT, Teller};
use super::paint::{paint, prose};
use super::stack::Told;
use crate::escape;
use crate::names::{Names, amount, number, plural, size};

/// Call sites shown.
const SHARES_MAX: usize = 12;

impl Teller<'_> {
    pub fn breach(&self, out: &mut dyn Write, b: &Breach) -> fmt::Result {
        let style = if b.tainted { self.palette.warn } else { self.palette.bad };
        writeln!(
            out,
            "{}. {} [assertion] {}{}",
            b.number,
            paint(style, b.assertion.name()),
            paint(self.palette.strong, b.assertion.title()),
            if b.tainted { paint(self.palette.warn, " (uncertain)").to_string() } else { String::new() },
        )?;
        if b.tainted {
            self.labelled(out, "uncertain", "something was lost or not seen that could explain it away")?;
        }
        self.labelled(out, "what", &what(b))?;
        if let Some(slope) = &b.slope {
            self.labelled(out, "grew", &grew(b, slope))?;
        }
        if let Some(who) = who(self.names, b) {
            self.labelled(out, "who", &who)?;
        }
        let first = format!("   {:<11}", "what to do");
        prose(out, self.palette.faint, &first, INDENT, b.assertion.advice())?;
        if b.at.is_known() {
            self.labelled(out, "seen", &self.names.when(&b.at))?;
        }
        let mut told = Told::default();
        for (i, share) in b.shares.iter().take(SHARES_MAX).enumerate() {
            self.labelled(out, if i == 0 { "taken" } else { "" }, &share_line(self.names, b, share))?;
            told.tell(out, self.names, self.palette, &share.taken, &format!("{INDENT}  "))?;
        }
        match b.shares.len().saturating_sub(SHARES_MAX) {
            0 => {}
            more => self.labelled(out, "", &format!("… and by {more} more call sites"))?,
        }
        self.labelled(out, "more", &format!("gemscope explain {}", b.assertion.name()))
    }
}

/// What there is too much of, and how much was allowed.
pub(crate) fn what(b: &Breach) -> String {
    let bytes = match (b.kind, b.bytes) {
        (gemscope_policy::Kind::Bytes, _) | (_, 0) => String::new(),
        (_, bytes) => format!(", {}", size(bytes)),
    };
    let much = format!("{}{bytes}", amount(b.kind, b.count));
    let allowed = |limit: fn(&Breach, u64) -> String| {
        b.limit.map_or_else(String::new, |n| format!("; at most {} allowed", limit(b, n)))
    };
    let of_kind: fn(&Breach, u64) -> String = |b, n| {
        let is = if n == 1 || b.kind == gemscope_policy::Kind::Bytes { "is" } else { "are" };
        format!("{} {is}", amount(b.kind, n))
    };
    let told = match b.assertion {
        Assertion::SteadyGrowth => format!("{much} taken in the cycles and not given back"),
        Assertion::GrowthLimit => format!("{much} more than at the first mark{}", allowed(of_kind)),
        Assertion::AgeLimit => {
            let limit = allowed(|_, ns| format!("{} is", duration(ns)));
            format!("{much}, the oldest held for {}{limit}", duration(b.age_ns))
        }
        Assertion::Budget => format!("{much} at once{}", allowed(of_kind)),
        Assertion::Shortfall => {
            let least = amount(b.kind, b.limit.unwrap_or(0));
            format!("{much} at once, and not the {least} that there should be at some moment")
        }
    };
    match b.series.as_str() {
        "" => told,
        series => format!("{told}; by the marks `{}`", escape::name(series.as_bytes())),
    }
}

/// `0.143 handles a cycle (0.10 to 0.19 with 95 % confidence), in 7 of 42 cycles`
pub(crate) fn grew(b: &Breach, slope: &Slope) -> String {
    let Slope { per_cycle, low, high, confidence, cycles, grew_in, warm_up } = *slope;
    let first = match warm_up {
        0 => String::new(),
        1 => "; the first was left out as warm-up".to_owned(),
        n => format!("; the first {} were left out as warm-up", number(n.into())),
    };
    // Nothing is counted in halves but a mean.
    let many = if (per_cycle - 1.0).abs() < 0.000_5 { b.kind.one() } else { b.kind.name() };
    format!(
        "{per_cycle:.3} {many} a cycle ({low:.2} to {high:.2} with {:.0} % confidence), in {} of {}{first}",
        confidence * 100.0,
        number(grew_in.into()),
        plural(cycles.into(), "cycle", "cycles"),
    )
}

/// The processes that contributed, most first.
pub(crate) fn who(names: &Names<'_>, b: &Breach) -> Option<String> {
    const MOST: usize = 4;
    let mut tgids: Vec<u32> = Vec::new();
    for share in b.shares.iter().filter(|s| s.taken.is_known()) {
        if !tgids.contains(&share.taken.tgid) {
            tgids.push(share.taken.tgid);
        }
    }
    let mut who: Vec<String> = tgids.iter().take(MOST).map(|tgid| names.process(*tgid)).collect();
    if tgids.len() > MOST {
        who.push(format!("{} more", tgids.len() - MOST));
    }
    (!who.is_empty()).then(|| who.join(", "))
}

/// What one call site took: how much, when, who.
pub(crate) fn share_line(names: &Names<'_>, b: &Breach, share: &Share) -> String {
    let bytes = if share.bytes == 0 || b.kind == gemscope_policy::Kind::Bytes {
        String::new()
    } else {
        format!(", {}", size(share.bytes))
    };
    let count =
        amount(b.kind, if b.kind == gemscope_policy::Kind::Bytes { share.bytes } else { share.count });
    if !share.taken.is_known() {
        return format!("{count}{bytes}: before the recording");
    }
    let to = if share.newest.is_known() && share.newest.seq != share.taken.seq {
        format!(" to {}", names.when(&share.newest))
    } else {
        String::new()
    };
    format!("{}{to}  {count}{bytes}: {}", names.when(&share.taken), names.actor(&share.taken))
}

/// A time for people: `12.500 s`.
fn duration(ns: u64) -> String {
    format!("{}.{:03} s", number(ns / 1_000_000_000), ns % 1_000_000_000 / 1_000_000)
}
