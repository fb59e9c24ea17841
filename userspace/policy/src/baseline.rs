//! The baseline: what was wrong when gemscope came, accepted until it is fixed. It only ever shrinks.
//!
//! ```toml
//! version = 1
//!
//! [[finding]]
//! fingerprint = "0123456789abcdef"
//! rule = "handle-leak"
//! process = "weston"
//! where = ["pool_alloc", "render", "main"]   # for readers
//! count = 3                                  # references that may be left
//! kernel = "6.12"                            # made on it; for readers
//! ```
//!
//! It has no dates and no sizes: the file changes when what is wrong does.

use std::collections::BTreeMap;

use crate::config::reader::Reader;
use crate::fingerprint::{chain, fingerprint};
use crate::mistake::Mistake;
use crate::outcome::{Aside, Entry, Origin, SetAside};
use crate::subject::{Frame, Subject};
use crate::toml_text::quote;

/// Version of the file.
const VERSION: u64 = 1;
/// Functions that are written for readers.
const WHERE_MAX: usize = 8;

const HEAD: &str = "\
# What gemscope finds here, known and accepted until it is fixed.
# Made by `gemscope check --update-baseline`, which only ever takes away from it.
";

/// One finding that is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// what it is recognised by
    pub fingerprint: String,
    /// rule or assertion
    pub rule: String,
    /// whose doing it is
    pub process: String,
    /// functions, innermost first, as many as tell a reader where
    pub place: Vec<String>,
    /// references that may be left
    pub count: u64,
    /// line of the kernel that it was made on: `6.12`
    pub kernel: String,
    /// where it is written, a line; 0 for a new one
    pub line: usize,
}

/// A baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// one for each fingerprint
    pub accepted: Vec<Accepted>,
}

/// A baseline after a run, and what became of its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shrunk {
    /// what is left
    pub baseline: Baseline,
    /// entries of which nothing was found any more
    pub removed: usize,
    /// entries of which less was found
    pub lowered: usize,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// Every mistake that is in it: people merge it by hand.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        const MADE: &str = "as gemscope writes it";
        Reader::read(text, |reader, mut table| {
            match table.get("version") {
                Some(value) if crate::config::reader::whole(value) != Some(VERSION) => {
                    reader.not("version", "1, which is what this gemscope reads", value);
                }
                Some(_) => {}
                None => reader.wrong(0, "this is no baseline: `version = 1` is missing".to_owned()),
            }
            let mut out = Self::default();
            let mut lines: BTreeMap<String, usize> = BTreeMap::new();
            reader.each(&mut table, "finding", "[[finding]]", |reader, table| {
                let at = table.at;
                let line = reader.line(at);
                let is_one = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let hex = |text: &str| is_one(text).then(|| text.to_ascii_lowercase());
                let print = reader.one_of(table, "fingerprint", "16 hexadecimal digits", hex);
                let count = reader.whole(table, "count", "a number, as 3");
                let one = Accepted {
                    fingerprint: print.unwrap_or_default(),
                    rule: reader.text(table, "rule", "the name of a rule").unwrap_or_default(),
                    process: reader
                        .one_of(table, "process", MADE, |t| Some(t.to_owned()))
                        .unwrap_or_default(),
                    place: reader.texts(table, "where", MADE).into_iter().map(|(_, text)| text).collect(),
                    count: count.unwrap_or_default(),
                    kernel: reader.one_of(table, "kernel", MADE, |t| Some(t.to_owned())).unwrap_or_default(),
                    line,
                };
                for key in ["fingerprint", "rule", "count"] {
                    if table.get(key).is_none() {
                        reader.wrong(at, format!("`{key}` is missing: each [[finding]] has it"));
                    }
                }
                if let Some(first) =
                    lines.insert(one.fingerprint.clone(), line).filter(|_| !one.fingerprint.is_empty())
                {
                    let text = format!(
                        "the fingerprint `{}` is in line {first} too: keep the lower count",
                        one.fingerprint
                    );
                    reader.wrong(at, text);
                }
                out.accepted.push(one);
            });
            reader.finish(table);
            out
        })
    }

    /// The file: sorted, so that two people's changes meet only where they are about the same.
    #[must_use]
    pub fn render(&self) -> String {
        let mut all: Vec<&Accepted> = self.accepted.iter().collect();
        all.sort_by(|a, b| {
            let key =
                |x: &Accepted| (x.rule.clone(), x.process.clone(), x.place.clone(), x.fingerprint.clone());
            key(a).cmp(&key(b))
        });
        let mut out = format!("{HEAD}version = {VERSION}\n");
        for one in all {
            let Accepted { fingerprint, rule, process, place, count, kernel, line: _ } = one;
            out.push_str(&format!(
                "\n[[finding]]\nfingerprint = {}\nrule = {}\n",
                quote(fingerprint),
                quote(rule)
            ));
            out.push_str(&format!("process = {}\n", quote(process)));
            if !place.is_empty() {
                let place: Vec<String> = place.iter().map(|f| quote(f)).collect();
                out.push_str(&format!("where = [{}]\n", place.join(", ")));
            }
            out.push_str(&format!("count = {count}\nkernel = {}\n", quote(kernel)));
        }
        out
    }

    /// A first baseline of what was found on a kernel of this line.
    #[must_use]
    pub fn of<'a>(subjects: impl Iterator<Item = &'a Subject>, kernel: &str) -> Self {
        let mut all: BTreeMap<String, Accepted> = BTreeMap::new();
        for subject in subjects {
            let print = fingerprint(subject);
            let one = all.entry(print.clone()).or_insert_with(|| Accepted {
                fingerprint: print,
                rule: subject.rule.clone(),
                process: subject.processes.first().cloned().unwrap_or_default(),
                place: chain(subject).into_iter().filter(|f| !f.trim().is_empty()).take(WHERE_MAX).collect(),
                kernel: kernel.to_owned(),
                ..Accepted::default()
            });
            one.count = one.count.saturating_add(subject.count).min(i64::MAX as u64);
        }
        Self { accepted: all.into_values().collect() }
    }

    /// What it sets aside of the subjects, which are given in the order of their numbers. `file` is how it is called.
    #[must_use]
    pub fn apply<'a>(&self, subjects: impl Iterator<Item = &'a Subject>, file: &str) -> Aside {
        let entry = |a: &Accepted| Entry {
            origin: Origin::Baseline,
            name: a.fingerprint.clone(),
            reason: String::new(),
            place: if a.line == 0 { file.to_owned() } else { format!("{file}:{}", a.line) },
            expires: String::new(),
            expired: false,
            findings: 0,
            beyond: 0,
            count: 0,
            bytes: 0,
        };
        let mut out = Aside { entries: self.accepted.iter().map(entry).collect(), ..Aside::default() };
        let at: BTreeMap<&str, usize> =
            self.accepted.iter().enumerate().map(|(i, a)| (a.fingerprint.as_str(), i)).collect();
        let mut seen = vec![0u64; self.accepted.len()];
        let (known, others): (Vec<&Subject>, Vec<&Subject>) =
            subjects.partition(|subject| at.contains_key(fingerprint(subject).as_str()));
        let place = |subject: &Subject| at.get(fingerprint(subject).as_str()).copied();
        let known: Vec<(&Subject, usize)> = known.into_iter().filter_map(|s| Some((s, place(s)?))).collect();
        // What the program's functions are known of comes first: it has no other place.
        let mut room: Vec<u64> = self.accepted.iter().map(|a| a.count).collect();
        for (subject, i) in &known {
            room[*i] = room[*i].saturating_sub(subject.count);
        }
        let nameless =
            others.into_iter().filter_map(|subject| Some((subject, self.room_for(subject, &mut room)?)));
        let nameless: Vec<(&Subject, usize)> = nameless.collect();
        for (subject, i) in known.into_iter().chain(nameless) {
            seen[i] = seen[i].saturating_add(subject.count);
            if out.entries[i].count.saturating_add(subject.count) <= self.accepted[i].count {
                out.entries[i].add(subject);
                out.set_aside.push(SetAside { number: subject.number, entry: i });
            } else {
                out.entries[i].beyond += 1;
            }
        }
        out.set_aside.sort_by_key(|aside| aside.number);
        for (accepted, seen) in self.accepted.iter().zip(seen) {
            let more = seen.saturating_sub(accepted.count);
            if more > 0 {
                let Accepted { fingerprint, rule, count, .. } = accepted;
                let whose = if accepted.process.is_empty() {
                    String::new()
                } else {
                    format!(" of {}", accepted.process)
                };
                out.notes
                    .push(format!("{rule}{whose} ({fingerprint}): {more} more than the baseline's {count}"));
            }
        }
        out
    }

    /// Where a finding belongs whose program has ended before its functions could be named: with the first entry of that rule and process
    /// that has room for it. So no more passes than was accepted, and no run fails for a stack that was lost.
    fn room_for(&self, subject: &Subject, room: &mut [u64]) -> Option<usize> {
        let named = |f: &Frame| !f.function.is_empty() || !f.module.is_empty();
        if subject.user.is_empty() || subject.user.iter().any(named) {
            return None;
        }
        let process = subject.processes.first().map_or("", String::as_str);
        let i = self.accepted.iter().zip(room.iter()).position(|(accepted, room)| {
            accepted.rule == subject.rule && accepted.process == process && *room >= subject.count
        })?;
        room[i] -= subject.count;
        Some(i)
    }

    /// It after a run that missed nothing: without what did not occur, and with no more of anything than occurred. Nothing is added.
    #[must_use]
    pub fn shrink<'a>(&self, subjects: impl Iterator<Item = &'a Subject>) -> Shrunk {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        let subjects: Vec<&Subject> = subjects.collect();
        for subject in &subjects {
            let count = seen.entry(fingerprint(subject)).or_default();
            *count = count.saturating_add(subject.count);
        }
        let left = |a: &Accepted| a.count.saturating_sub(seen.get(&a.fingerprint).copied().unwrap_or(0));
        let mut room: Vec<u64> = self.accepted.iter().map(left).collect();
        let known = |s: &Subject| self.accepted.iter().any(|a| a.fingerprint == fingerprint(s));
        for subject in subjects.into_iter().filter(|s| !known(s)) {
            if let Some(i) = self.room_for(subject, &mut room) {
                let count = seen.entry(self.accepted[i].fingerprint.clone()).or_default();
                *count = count.saturating_add(subject.count);
            }
        }
        let mut out = Shrunk::default();
        for one in &self.accepted {
            match seen.get(&one.fingerprint) {
                None => out.removed += 1,
                Some(count) => {
                    out.lowered += usize::from(*count < one.count);
                    out.baseline.accepted.push(Accepted { count: one.count.min(*count), ..one.clone() });
                }
            }
        }
        out
    }
}
