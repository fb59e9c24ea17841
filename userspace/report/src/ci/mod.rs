//! The answer of `gemscope check` in the formats that continuous integration reads.
//!
//! Each format is a folder of its own and says what it is for. What they have in common is here: [`item`] is one thing to tell,
//! [`judged`] is what was asked, with or without an answer, and [`place`] is where in the sources something was done.
//!
//! All of them say the same as the text report. Names from outside go through [`escape`](crate::escape) first, and then through what
//! their format asks for.

pub mod github;
pub mod junit;
pub mod ktap;
pub mod markdown;
pub mod sarif;

pub(crate) mod item;
pub(crate) mod judged;
pub(crate) mod place;

use crate::context::Context;

/// The exit code that tells of a command that failed beside a verdict that passes.
pub const COMMAND_FAILED: u8 = 4;

/// What the formats need to know beside what was found.
#[derive(Clone, Copy, Default)]
pub struct Setting<'a> {
    /// version of the gemscope that writes
    pub version: &'a str,
    /// absolute path of the folder with the sources: files below it are told relative to it; empty when there is none
    pub root: &'a str,
    /// the exit code that tells the verdict
    pub exit: u8,
    /// the tests that ran, where they are known
    pub tests: Option<Tests<'a>>,
}

/// The tests that ran, and which of them a finding is of.
#[derive(Clone, Copy)]
pub struct Tests<'a> {
    /// their names, in the order of their running
    pub names: &'a [String],
    /// the place in `names` of the test that the finding or broken assertion of this number is of
    pub of: &'a dyn Fn(u32) -> Option<usize>,
}

impl Setting<'_> {
    /// What became of the command, where that is why the exit code is not 0.
    fn failed(&self, context: &Context) -> Option<String> {
        let status = crate::escape::long(context.status.as_bytes());
        let command = crate::text::header::command(&context.command);
        (self.exit == COMMAND_FAILED).then(|| format!("{command} {status}"))
    }
}
