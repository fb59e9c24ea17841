//! One thing to tell: a finding, a broken assertion or a near miss.

use gemscope_engine::{Class, Finding, LifeEvent, Stamp};
use gemscope_policy::{Breach, Entry, Subject};

use super::place::Place;
use crate::names::{Names, number, size};
use crate::text::finding::Teller;
use crate::text::group::{Groups, Tell};
use crate::text::{Palette, breach};

/// The words of the text report, without its colours.
static PLAIN: Palette = Palette::plain();

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It is so.
    Error,
    /// Something that was lost could explain it away.
    Warning,
    /// It is legal.
    Note,
}

/// What it is.
#[derive(Clone, Copy)]
enum Of<'a> {
    Finding(&'a Finding),
    NearMiss(&'a Finding),
    Breach(&'a Breach),
}

/// One thing to tell.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    names: &'a Names<'a>,
    of: Of<'a>,
}

/// Everything that there is to tell, what is set aside too: findings, broken assertions, near misses.
pub(crate) fn items<'a>(names: &'a Names<'a>) -> impl Iterator<Item = Item<'a>> {
    let j = names.judgement;
    let findings = j.findings.iter().map(Of::Finding);
    let breaches = j.outcome.breaches.iter().map(Of::Breach);
    findings.chain(breaches).chain(j.near_misses.iter().map(Of::NearMiss)).map(|of| Item { names, of })
}

impl<'a> Item<'a> {
    pub fn number(&self) -> u32 {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => f.number,
            Of::Breach(b) => b.number,
        }
    }

    /// Stable name of the rule or assertion.
    pub fn rule(&self) -> &'static str {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => f.rule.name(),
            Of::Breach(b) => b.assertion.name(),
        }
    }

    pub fn title(&self) -> &'static str {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => f.rule.rule().title,
            Of::Breach(b) => b.assertion.title(),
        }
    }

    pub fn is_near_miss(&self) -> bool {
        matches!(self.of, Of::NearMiss(_))
    }

    pub fn is_certain(&self) -> bool {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => !f.tainted,
            Of::Breach(b) => !b.tainted,
        }
    }

    pub fn level(&self) -> Level {
        match self.of {
            Of::NearMiss(_) => Level::Note,
            _ if self.is_certain() => Level::Error,
            _ => Level::Warning,
        }
    }

    /// What set it aside.
    pub fn aside(&self) -> Option<&'a Entry> {
        if self.is_near_miss() { None } else { self.names.judgement.outcome.aside(self.number()) }
    }

    /// Part of the verdict: no near miss, and not set aside.
    pub fn stands(&self) -> bool {
        !self.is_near_miss() && self.aside().is_none()
    }

    /// For how many it speaks.
    pub fn count(&self) -> u64 {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => f.count.max(1),
            Of::Breach(b) => b.count,
        }
    }

    pub fn bytes(&self) -> u64 {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => f.bytes,
            Of::Breach(b) => b.bytes,
        }
    }

    fn finding(&self) -> Option<&'a Finding> {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => Some(f),
            Of::Breach(_) => None,
        }
    }

    fn teller(&self) -> Teller<'a> {
        Teller { names: self.names, palette: &PLAIN }
    }

    /// Whose doing it is, in words; empty when not known.
    pub fn who(&self) -> String {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => self.names.process(self.teller().culprit(f)),
            Of::Breach(b) => breach::who(self.names, b).unwrap_or_default(),
        }
    }

    /// What it is about, in a line.
    pub fn what(&self) -> String {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => self.teller().what(f),
            Of::Breach(b) => match &b.slope {
                Some(slope) => format!("{}: {}", breach::what(b), breach::grew(b, slope)),
                None => breach::what(b),
            },
        }
    }

    /// All of it in a line, without the rule.
    pub fn message(&self) -> String {
        let unsure = if self.is_certain() { "" } else { " (uncertain)" };
        let by = match self.who() {
            who if who.is_empty() => who,
            who => format!("; by {who}"),
        };
        format!("{}{unsure}: {}{by}", self.title(), self.what())
    }

    /// With all evidence, as the text report tells it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = match self.of {
            Of::Finding(f) | Of::NearMiss(f) => self.teller().finding(&mut out, f),
            Of::Breach(b) => self.teller().breach(&mut out, b),
        };
        out
    }

    /// In words that were not escaped.
    pub fn subject(&self) -> Subject {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => self.names.subject(f),
            Of::Breach(b) => self.names.subject_of_breach(b),
        }
    }

    /// The event that it is about: for leaks and broken assertions the taking, for the rest the breaking of the rule.
    pub fn main(&self) -> Stamp {
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => match &f.conflict {
                Some(taken) if f.rule.class() == Class::Leak => taken.at,
                _ => f.event.at,
            },
            Of::Breach(b) => b.shares.first().map(|s| s.taken).unwrap_or_default(),
        }
    }

    /// The other events that belong to it, each in words.
    pub fn related(&self) -> Vec<(String, Stamp)> {
        let event = |e: &LifeEvent| (self.teller().event_line(e), e.at);
        match self.of {
            Of::Finding(f) | Of::NearMiss(f) => match &f.conflict {
                Some(_) if f.rule.class() == Class::Leak => vec![event(&f.event)],
                other => other.iter().map(event).collect(),
            },
            Of::Breach(b) => {
                let others = b.shares.iter().skip(1);
                others.map(|s| (breach::share_line(self.names, b, s), s.taken)).collect()
            }
        }
    }

    /// Where it was done.
    pub fn place(&self, root: &str) -> Place {
        Place::of(self.names, &self.main(), root)
    }
}

/// The texts of several items, those that differ in nothing but numbers a few times only; at most about `room` bytes.
pub(crate) fn texts(items: &[Item<'_>], room: usize) -> String {
    let findings: Vec<&Finding> = items.iter().filter_map(Item::finding).collect();
    let mut groups = Groups::of(findings.iter().copied());
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        let tell = item.finding().map_or(Tell::Full, |f| groups.next(f));
        if tell == Tell::Nothing {
            continue;
        }
        if out.len() >= room {
            let left = number((items.len() - i) as u64);
            out.push_str(&format!(
                "… {left} more are not told here, to keep this short; JSON lines tell them all\n"
            ));
            break;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&item.text());
        if let Tell::AndMore(findings, bytes) = tell {
            let together = if bytes == 0 { String::new() } else { format!(", {} together", size(bytes)) };
            let findings = number(findings as u64);
            out.push_str(&format!("   and {findings} more like it{together}; JSON lines tell them all\n"));
        }
    }
    out
}
