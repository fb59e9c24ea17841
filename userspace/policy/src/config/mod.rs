//! The configuration file, `gemscope.toml`: what a project asserts, and what it lets pass.
//!
//! ```toml
//! [check]
//! at-exit = "strict"            # what is open at a normal exit: strict, growth, ignore
//! undecided = "fail"            # what an undecided verdict comes to: fail, pass, warn
//! failing-command = "fail"      # what a command that fails comes to, where nothing was found
//! timeout = 300                 # seconds until the command is stopped
//! duration = 60                 # seconds to watch what is no command
//! grace = 2000                  # milliseconds that the kernel gets to finish
//! scope = ["comm:weston"]       # machine, pid:N, comm:NAME, cgroup:PATH
//! survivors = ["pipewire"]      # processes that outlive the command on purpose
//! report = ["junit=results.xml"]
//! trace-on-failure = "leak.gemtrace"
//! baseline = "gemscope-baseline.toml"
//! suppressions = ["third-party.toml"]   # more files, of [[suppress]] only
//!
//! [growth]
//! cycles = 60                   # how often the action is done
//! warm-up = 10                  # cycles that are not judged
//! pause = 100                   # milliseconds after each cycle
//! older = 30                    # seconds for which something may be held
//! [growth.max]                  # by how much may more be held at the last mark than at the first
//! handles = 2
//! bytes = "4M"
//!
//! [budget]                      # how much may be held at once
//! attachments = 0
//! [at-least]                    # how much has to be held at some moment: less, and the tests did nothing
//! handles = 1
//!
//! [[suppress]]
//! name = "mesa-cache"
//! rule = "handle-leak"          # rule, assertion or class; * and ? stand for what may differ
//! process = "weston*"
//! module = "libgallium*"
//! frame = "*pool_alloc*"
//! device = "vgem"
//! reason = "the screen keeps it for reuse"
//! expires = "2027-01-31"        # from this day on it hides nothing
//! max = 3                       # so many references at most
//! ```
//!
//! Where a value may be many, an array of them or one is written. Every key may be left out, but for a suppression's name, its reason
//! and one pattern.

pub(crate) mod reader;
mod suppression;
mod words;

use crate::kind::Kind;
use crate::mistake::Mistake;
use crate::suppress::Suppression;
use reader::{Reader, Table, whole};
pub use words::{Leniency, Scope};

/// A configuration as written: what was left out is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// how a check is made
    pub check: Check,
    /// what may grow, and how that is found out
    pub growth: Growth,
    /// how much may be held at once
    pub budget: Vec<(Kind, u64)>,
    /// how much has to be held at some moment
    pub at_least: Vec<(Kind, u64)>,
    /// what is let pass, in the order of the file
    pub suppressions: Vec<Suppression>,
}

/// The table `[check]`. Paths are as written: they begin at the file's folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// what to make of things open at exit, as records carry it: [`gemscope_common::scope`]
    pub at_exit: Option<u32>,
    /// what an undecided verdict comes to
    pub undecided: Option<Leniency>,
    /// what a command that fails comes to
    pub failing_command: Option<Leniency>,
    /// stop the command after so many seconds
    pub timeout: Option<f64>,
    /// watch for so many seconds
    pub duration: Option<f64>,
    /// milliseconds that the kernel gets to finish
    pub grace: Option<u64>,
    /// what the verdict is about
    pub scope: Vec<Scope>,
    /// names of processes that outlive the command on purpose
    pub survivors: Vec<String>,
    /// reports to write, each `FORMAT=FILE`
    pub report: Vec<String>,
    /// the trace to keep when something is found
    pub trace_on_failure: Option<String>,
    /// the baseline
    pub baseline: Option<String>,
    /// further files of suppressions
    pub suppressions: Vec<String>,
}

/// The table `[growth]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// how often the action is done
    pub cycles: Option<u32>,
    /// cycles that are not judged
    pub warm_up: Option<u32>,
    /// milliseconds after each cycle
    pub pause: Option<u64>,
    /// seconds for which something may be held
    pub older: Option<f64>,
    /// by how much may more be held at the last mark than at the first
    pub max: Vec<(Kind, u64)>,
}

impl Config {
    /// Reads a configuration. `file` is how the places of its suppressions are called.
    ///
    /// # Errors
    /// Every mistake that is in it, in the order of the file; of a file that is no TOML those of the syntax alone.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Mistake>> {
        Reader::read(text, |reader, mut table| {
            let mut config = Self::default();
            reader.inside(&mut table, "check", "[check]", |r, t| config.check = check(r, t));
            reader.inside(&mut table, "growth", "[growth]", |r, t| config.growth = growth(r, t));
            reader.inside(&mut table, "budget", "[budget]", |r, t| config.budget = limits(r, t));
            reader.inside(&mut table, "at-least", "[at-least]", |r, t| config.at_least = limits(r, t));
            config.suppressions = suppression::all(reader, &mut table, file);
            reader.finish(table);
            config
        })
    }

    /// Reads a file of suppressions only.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_suppressions(text: &str, file: &str) -> Result<Vec<Suppression>, Vec<Mistake>> {
        Reader::read(text, |reader, mut table| {
            const OTHERS: [(&str, &str); 4] = [
                ("check", "[check]"),
                ("growth", "[growth]"),
                ("budget", "[budget]"),
                ("at-least", "[at-least]"),
            ];
            for (key, name) in OTHERS {
                if let Some(value) = table.get(key) {
                    let text =
                        format!("{name} is for gemscope.toml: a file of suppressions has [[suppress]] only");
                    reader.wrong(value.span().start, text);
                }
            }
            let all = suppression::all(reader, &mut table, file);
            reader.finish(table);
            all
        })
    }
}

fn check(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Check {
    const LENIENCY: &str = "`fail`, `pass` or `warn`";
    let file = "the name of a file";
    Check {
        at_exit: reader.one_of(table, "at-exit", "`strict`, `growth` or `ignore`", words::at_exit),
        undecided: reader.one_of(table, "undecided", LENIENCY, Leniency::from_name),
        failing_command: reader.one_of(table, "failing-command", LENIENCY, Leniency::from_name),
        timeout: reader.seconds(table, "timeout"),
        duration: reader.seconds(table, "duration"),
        grace: reader.whole(table, "grace", "milliseconds, as 2000"),
        scope: scopes(reader, table),
        survivors: plain(reader.texts(table, "survivors", "names of processes, as [\"pipewire\"]")),
        report: reports(reader, table),
        trace_on_failure: reader.text(table, "trace-on-failure", file),
        baseline: reader.text(table, "baseline", file),
        suppressions: plain(reader.texts(table, "suppressions", "names of files, as [\"third-party.toml\"]")),
    }
}

fn growth(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Growth {
    let mut max = Vec::new();
    reader.inside(table, "max", "[growth.max]", |r, t| max = limits(r, t));
    Growth {
        cycles: count(reader, table, "cycles", "a number of cycles, 1 or more, as 60"),
        warm_up: count_from(reader, table, "warm-up", "a number of cycles, as 10", 0),
        pause: reader.whole(table, "pause", "milliseconds, as 100"),
        older: reader.seconds(table, "older"),
        max,
    }
}

fn count(r: &mut Reader<'_>, t: &mut Table<'_, '_>, key: &'static str, want: &str) -> Option<u32> {
    count_from(r, t, key, want, 1)
}

fn count_from(
    reader: &mut Reader<'_>,
    table: &mut Table<'_, '_>,
    key: &'static str,
    want: &str,
    least: u32,
) -> Option<u32> {
    let value = table.get(key)?;
    let made = whole(value).and_then(|n| u32::try_from(n).ok()).filter(|n| *n >= least);
    if made.is_none() {
        reader.not(key, want, value);
    }
    made
}

/// A number for each kind that has one.
fn limits(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Vec<(Kind, u64)> {
    let mut out = Vec::new();
    for kind in Kind::ALL {
        let Some(value) = table.get(kind.name()) else { continue };
        let text = value.get_ref().as_str().filter(|_| *kind == Kind::Bytes);
        match whole(value).or_else(|| text.and_then(crate::amount::amount)) {
            Some(n) => out.push((*kind, n)),
            None if *kind == Kind::Bytes => reader.not(kind.name(), "a size, as 4096 or \"4M\"", value),
            None => reader.not(kind.name(), "a number, as 12", value),
        }
    }
    out
}

fn scopes(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Vec<Scope> {
    let mut out = Vec::new();
    for (at, text) in reader.texts(table, "scope", &format!("one or more of {}", Scope::FORMS)) {
        match Scope::parse(&text) {
            Ok(scope) => out.push(scope),
            Err(why) => reader.wrong(at, format!("`scope`: {why}")),
        }
    }
    out
}

fn reports(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Vec<String> {
    let mut out = Vec::new();
    for (at, text) in reader.texts(table, "report", "FORMAT=FILE, as [\"junit=results.xml\"]") {
        match text.split_once('=') {
            Some((format, file)) if !format.is_empty() && !file.is_empty() => out.push(text),
            _ => reader.wrong(at, format!("`report` is FORMAT=FILE, as junit=results.xml; `{text}` is not")),
        }
    }
    out
}

fn plain(placed: Vec<(usize, String)>) -> Vec<String> {
    placed.into_iter().map(|(_, text)| text).collect()
}
