//! From the policy's types to the lines.

use gemscope_policy as policy;

use super::{build, lines};
use crate::names::Names;
use crate::text::breach as words;

pub(super) fn breach(names: &Names<'_>, b: &policy::Breach) -> lines::Breach {
    let policy::Breach {
        number,
        assertion,
        kind,
        series,
        count,
        limit,
        bytes,
        age_ns,
        slope,
        at,
        shares,
        tainted,
    } = b;
    let text = match slope {
        Some(slope) => format!("{}: {}", words::what(b), words::grew(b, slope)),
        None => words::what(b),
    };
    lines::Breach {
        number: *number,
        rule: assertion.name().to_owned(),
        class: "assertion".to_owned(),
        title: assertion.title().to_owned(),
        certain: !tainted,
        kind: kind.name().to_owned(),
        series: series.clone(),
        count: *count,
        limit: *limit,
        bytes: *bytes,
        age_ns: (*assertion == policy::Assertion::AgeLimit).then_some(*age_ns),
        slope: slope.as_ref().map(of_slope),
        text,
        at: build::stamp(names, at, true),
        shares: shares.iter().map(|s| share(names, s)).collect(),
        advice: assertion.advice().to_owned(),
        set_aside: names.judgement.outcome.aside(*number).map(set_aside),
    }
}

fn of_slope(s: &policy::Slope) -> lines::Slope {
    let policy::Slope { per_cycle, low, high, confidence, cycles, grew_in, warm_up } = *s;
    lines::Slope { per_cycle, low, high, confidence, cycles, grew_in, warm_up }
}

fn share(names: &Names<'_>, s: &policy::Share) -> lines::Share {
    let policy::Share { taken, newest, count, bytes } = s;
    lines::Share {
        count: *count,
        bytes: *bytes,
        taken: build::stamp(names, taken, true),
        newest: build::stamp(names, newest, false),
    }
}

pub(super) fn kept(k: &policy::Kept) -> lines::Kept {
    lines::Kept { rule: k.name.to_owned(), text: k.text.clone() }
}

pub(super) fn set_aside(e: &policy::Entry) -> lines::SetAside {
    lines::SetAside {
        by: e.origin.name().to_owned(),
        name: e.name.clone(),
        reason: e.reason.clone(),
        place: e.place.clone(),
    }
}

pub(super) fn entry(e: &policy::Entry) -> lines::Entry {
    let policy::Entry {
        origin: _,
        name: _,
        reason: _,
        place: _,
        expires,
        expired,
        findings,
        beyond,
        count,
        bytes,
    } = e;
    lines::Entry {
        entry: set_aside(e),
        expires: expires.clone(),
        expired: *expired,
        unused: e.is_unused(),
        findings: *findings,
        beyond: *beyond,
        count: *count,
        bytes: *bytes,
    }
}

/// What could not be judged.
pub(super) fn note(text: &str) -> lines::Note {
    lines::Note { kind: "assertion".to_owned(), count: 1, text: text.to_owned(), held: Vec::new() }
}
