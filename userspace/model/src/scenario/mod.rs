//! Scenarios: which threads do what, beside each other, to which files. Small text files that everybody can write.
//!
//! ```text
//! scenario export-vs-close
//! about An export meets the close of its handle.
//! file a card0
//! setup
//!   h = create a
//! thread exporter
//!   x = export a h
//! thread closer
//!   close a h
//! ```
//!
//! `docs/scenarios.md` has the whole language. What runs in `setup` and `finally` runs alone; at the end every process
//! exits, which closes what it has left.

mod build;
mod builtin;
mod call;
mod parse;
mod verbs;

pub use builtin::{BUILTIN, builtin};
pub use parse::ParseError;
pub use verbs::{Kind, POINTS, VERBS, Verb, VerbRow};

use crate::code::Point;

/// A scenario as written.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// Races and leaks that it is made for, as their numbers are.
    pub races: Vec<String>,
    /// Things left open at a normal exit are findings.
    pub strict: bool,
    pub(crate) devices: Vec<String>,
    pub(crate) processes: Vec<String>,
    pub(crate) files: Vec<crate::machine::FileDecl>,
    pub(crate) vars: Vec<Var>,
    pub(crate) setup: Vec<Op>,
    pub(crate) threads: Vec<ThreadDecl>,
    pub(crate) finally: Vec<Op>,
}

/// A thread as written.
#[derive(Clone, Debug)]
pub(crate) struct ThreadDecl {
    pub name: String,
    pub process: u8,
    /// How many run the same.
    pub copies: u8,
    pub ops: Vec<Op>,
}

/// A name that an operation gives to its result.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub name: String,
    pub kind: Kind,
    /// Whose it is: the process of an fd or mapping.
    pub process: u8,
    /// Of an attachment: the importer is dynamic.
    pub dynamic: bool,
}

/// What an operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    File(u8),
    Process(u8),
    Var(u8),
    Number(u16),
}

/// An operation as written.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub verb: Verb,
    pub process: u8,
    pub result: Option<u8>,
    pub args: Vec<Arg>,
    pub words: Vec<&'static str>,
    pub faults: Vec<(Point, bool)>,
}

impl Op {
    pub fn says(&self, word: &str) -> bool {
        self.words.contains(&word)
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Where it is not one, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text)
    }
}
