//! What a row of the matrix is, and how one is written down.

use crate::expect::{Expect, Is};

/// Which lines of kernels a row is for.
#[derive(Debug, Clone, Copy)]
pub enum Lines {
    /// All.
    All,
    /// These, by name.
    Only(&'static [&'static str]),
    /// All but these, by name.
    But(&'static [&'static str]),
}

impl Lines {
    /// Is this line one of them?
    pub fn hold(self, line: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&line),
            Self::But(names) => !names.contains(&line),
        }
    }
}

/// One line each, for rows that show the same on every kernel. What they cost is spread so that two guests at a time end at about the
/// same time: [`crate::matrix`] has the order.
pub const ON_5_10: Lines = Lines::Only(&["5.10"]);
/// See [`ON_5_10`].
pub const ON_6_1: Lines = Lines::Only(&["6.1"]);
/// See [`ON_5_10`].
pub const ON_6_12: Lines = Lines::Only(&["6.12"]);
/// See [`ON_5_10`].
pub const ON_6_18: Lines = Lines::Only(&["6.18"]);
/// See [`ON_5_10`].
pub const ON_NEWEST: Lines = Lines::Only(&["newest"]);
/// The oldest and the newest, for rows that rest a little on what the kernel does.
pub const ON_BOTH_ENDS: Lines = Lines::Only(&["5.10", "newest"]);

/// One row of the matrix.
#[derive(Debug)]
pub struct Row {
    /// Its name: the name of a folder, so lower-case words and dashes.
    pub name: &'static str,
    /// The shell line.
    pub command: &'static str,
    /// The exit code it must end with.
    pub code: i32,
    /// What else must hold.
    pub expect: &'static [Expect],
    /// The lines it is for.
    pub lines: Lines,
    /// Of these, the lines that it is run on when all rows are; on the others when it is asked for by name.
    pub usual: Lines,
    /// How long it may take.
    pub seconds: u32,
    /// Is the driver of `tests/driver` in the guest for it? It is not loaded: the row does that.
    pub driver: bool,
    /// A program of Debian's that it runs; where that cannot be had, the row is skipped.
    pub program: Option<&'static str>,
}

/// A row for every line that must end with 0, in two minutes: where a busy machine emulates, everything takes its time.
pub const fn row(name: &'static str, command: &'static str, expect: &'static [Expect]) -> Row {
    Row {
        name,
        command,
        code: 0,
        expect,
        lines: Lines::All,
        usual: Lines::All,
        seconds: 120,
        driver: false,
        program: None,
    }
}

impl Row {
    /// Must there be so many findings and no more?
    pub fn counts_findings(&self) -> bool {
        self.expect.iter().any(|expect| match expect {
            Expect::Lines(_, facts) => facts.contains(&("/type", Is::Text("finding"))),
            Expect::Line(facts) => facts.iter().any(|(_, is)| matches!(is, Is::Counts(_))),
            _ => false,
        })
    }

    /// The rules that it says something about.
    pub fn rules(&self) -> Vec<&'static str> {
        let facts = self.expect.iter().flat_map(|expect| match expect {
            Expect::Line(facts) => *facts,
            _ => &[],
        });
        let rules = facts.map(|(pointer, is)| match is {
            Is::Text(rule) if *pointer == "/rule" => vec![*rule],
            Is::Counts(counts) if *pointer == "/by_rule" => counts.iter().map(|(rule, _)| *rule).collect(),
            _ => Vec::new(),
        });
        rules.flatten().collect()
    }

    /// It must end with this exit code.
    pub const fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// When all rows are run, it is run on these lines only: what it shows does not depend on the kernel.
    pub const fn usually(mut self, lines: Lines) -> Self {
        self.usual = lines;
        self
    }

    /// It may take so long.
    pub const fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// It needs the driver.
    pub const fn driver(mut self) -> Self {
        self.driver = true;
        self
    }

    /// It needs this program of Debian's.
    pub const fn program(mut self, program: &'static str) -> Self {
        self.program = Some(program);
        self
    }

    /// It is for these lines.
    pub const fn lines(mut self, lines: Lines) -> Self {
        self.lines = lines;
        self
    }
}
