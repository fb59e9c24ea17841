//! Suppressions: what somebody looked at, and let pass for a reason that is written down.

use jiff::Span;
use jiff::civil::Date;

use crate::glob::Glob;
use crate::outcome::{Aside, Entry, Origin, SetAside};
use crate::subject::Subject;

/// Days before its end on which a suppression is told of.
const SOON: i64 = 14;

/// One `[[suppress]]`. Of each list one pattern has to match; an empty list asks nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suppression {
    /// what it is called
    pub name: String,
    /// of the rule, the assertion, or the class of either
    pub rule: Vec<Glob>,
    /// of one of the processes
    pub process: Vec<Glob>,
    /// of the library, program or kernel module of any frame
    pub module: Vec<Glob>,
    /// of the function of any frame
    pub frame: Vec<Glob>,
    /// of a device's node or driver
    pub device: Vec<Glob>,
    /// why it may pass
    pub reason: String,
    /// the day from which it hides nothing
    pub expires: Option<Date>,
    /// how many references it hides at most
    pub max: Option<u64>,
    /// where it is written: `gemscope.toml:12`
    pub place: String,
}

impl Suppression {
    /// Do all its patterns match? Whether it has expired is not asked.
    #[must_use]
    pub fn matches(&self, s: &Subject) -> bool {
        let frames = || s.user.iter().chain(&s.kernel);
        any(&self.rule, [&s.rule, &s.class].into_iter())
            && any(&self.process, s.processes.iter())
            && any(&self.module, frames().map(|f| &f.module))
            && any(&self.frame, frames().map(|f| &f.function))
            && any(&self.device, s.devices.iter())
    }

    fn has_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|day| today >= day)
    }

    fn entry(&self, today: Date) -> Entry {
        Entry {
            origin: Origin::Suppression,
            name: self.name.clone(),
            reason: self.reason.clone(),
            place: self.place.clone(),
            expires: self.expires.map(|day| day.to_string()).unwrap_or_default(),
            expired: self.has_expired(today),
            findings: 0,
            beyond: 0,
            count: 0,
            bytes: 0,
        }
    }
}

/// Does one of the patterns match one of the names? No pattern asks nothing.
fn any<'a>(patterns: &[Glob], mut names: impl Iterator<Item = &'a String>) -> bool {
    patterns.is_empty() || names.any(|name| patterns.iter().any(|p| p.matches(name)))
}

/// What the suppressions hide of the subjects, which are given in the order of their numbers. The first that matches and has not
/// expired decides, also when its `max` is reached: then the subject stands.
#[must_use]
pub fn suppress(all: &[Suppression], subjects: &[Subject], today: Date) -> Aside {
    let mut entries: Vec<Entry> = all.iter().map(|s| s.entry(today)).collect();
    let mut set_aside = Vec::new();
    let mut over = vec![0u64; all.len()];
    for subject in subjects {
        let matching = all.iter().position(|s| !s.has_expired(today) && s.matches(subject));
        let Some(at) = matching else { continue };
        let (suppression, entry) = (&all[at], &mut entries[at]);
        let count = entry.count.saturating_add(subject.count);
        if suppression.max.is_some_and(|max| count > max) {
            entry.beyond += 1;
            over[at] = over[at].saturating_add(subject.count);
            continue;
        }
        entry.add(subject);
        set_aside.push(SetAside { number: subject.number, entry: at });
    }
    let mut notes = Vec::new();
    for (suppression, over) in all.iter().zip(over) {
        notes.extend(note_on_max(suppression, over));
        notes.extend(note_on_end(suppression, subjects, today));
    }
    Aside { entries, set_aside, notes }
}

fn note_on_max(s: &Suppression, over: u64) -> Option<String> {
    let max = s.max.filter(|_| over > 0)?;
    let Suppression { name, place, .. } = s;
    Some(format!("the suppression `{name}` ({place}) hides {max} at most: {over} more of its kind stand"))
}

fn note_on_end(s: &Suppression, subjects: &[Subject], today: Date) -> Option<String> {
    let day = s.expires?;
    let Suppression { name, place, .. } = s;
    if s.has_expired(today) {
        let would = subjects.iter().filter(|subject| s.matches(subject)).count();
        let would = match would {
            0 => "nothing of its kind was found: take it out".to_owned(),
            n => format!(
                "it would have matched {n} of what was found: fix that, or look at it anew and move the day"
            ),
        };
        return Some(format!(
            "the suppression `{name}` ({place}) expired on {day} and hides nothing; {would}"
        ));
    }
    let soon = today.checked_add(Span::new().days(SOON)).is_ok_and(|then| then >= day);
    soon.then(|| format!("the suppression `{name}` ({place}) expires on {day}"))
}
