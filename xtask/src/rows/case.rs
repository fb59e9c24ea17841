//! A case of the suite of offenders: one small history of a program on real drivers, judged by itself.

use super::row::{Lines, Row, row};
use crate::expect::Expect::{self, Complains, Line, Lines as Count};
use crate::expect::Is::{Bool, Number, Text};

/// What a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It must be found, by this rule and no other.
    Offender,
    /// It must be clean.
    LookAlike,
    /// It is wrong, and gemscope does not say so: what it says today.
    Missed,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// What it is.
    pub kind: Kind,
    /// Where it comes from: the user's or the kernel's case that it is the small form of; empty for look-alikes of no one case.
    pub of: &'static str,
    /// What it stands for, in words.
    pub about: &'static str,
    /// What is run and judged.
    pub client: &'static str,
    /// The rules that must be found broken, and how often; none for the others.
    pub rules: &'static [(&'static str, i64)],
    /// The row of the matrix that judges it.
    pub row: Row,
    /// The row of lines that cannot do it, and say so.
    pub absent: Option<Row>,
}

impl Case {
    /// The row that is run on a line of kernels.
    pub fn row_of(&self, line: &str) -> Option<&Row> {
        [Some(&self.row), self.absent.as_ref()].into_iter().flatten().find(|row| row.lines.hold(line))
    }

    /// Its name among its kind.
    pub fn name(&self) -> &'static str {
        let kind = ["offender-", "look-alike-", "missed-"];
        kind.iter().find_map(|kind| self.row.name.strip_prefix(kind)).unwrap_or(self.row.name)
    }

    /// These lines lack what it needs: there the client says that it skips it.
    pub const fn absent(mut self, name: &'static str, lines: &'static [&'static str]) -> Self {
        self.row.lines = Lines::But(lines);
        self.absent = Some(row(name, self.client, SKIPPED).code(77).lines(Lines::Only(lines)));
        self
    }
}

const SKIPPED: &[Expect] = &[Complains("gemclient: skipped")];

/// How long a case may take: a second or two where the machine has nothing else to do.
pub(super) const SECONDS: u32 = 120;
/// The client did its part to the end.
pub(super) const DONE: Expect =
    Line(&[("/type", Text("header")), ("/command_status", Text("exited with status 0"))]);
/// Nothing of what was found is uncertain.
pub(super) const CERTAIN: Expect = Count(0, &[("/type", Text("finding")), ("/certain", Bool(false))]);

/// Clean, complete, and nothing found at all.
pub(super) const CLEAN: &[Expect] = &[
    DONE,
    Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]),
    Count(0, &[("/type", Text("finding"))]),
];

/// Clean, of a client that a signal ends.
pub(super) const CLEAN_KILLED: &[Expect] = &[
    Line(&[("/type", Text("header")), ("/command_status", Text("was killed by signal 9"))]),
    CLEAN[1],
    CLEAN[2],
];

/// What [`super::offenders`] is written with: `offender!("NAME", "OF", "ABOUT", "CLIENT", "RULE": COUNT, …)`, the same with `driver` before
/// the fault of `tests/driver` for the client, `alike!` without rules, and `missed!` for what is not found.
macro_rules! offender {
    ($name:literal, $of:literal, $about:literal, driver $fault:literal, $($rule:literal: $count:literal),+) => {
        offender!(@ $name, $of, $about, concat!("gemclient fault ", $fault), concat!(
            "insmod /modules/gemfault.ko || exit 1; (judged -- gemclient fault ", $fault,
            "); code=$?; rmmod gemfault && exit $code"
        ), $($rule: $count),+ ; driver)
    };
    ($name:literal, $of:literal, $about:literal, $client:literal, $($rule:literal: $count:literal),+) => {
        offender!(@ $name, $of, $about, $client, concat!("judged -- ", $client), $($rule: $count),+ ;)
    };
    (@ $name:literal, $of:literal, $about:literal, $client:expr, $command:expr, $($rule:literal: $count:literal),+ ; $($driver:ident)?) => {
        Case {
            kind: Kind::Offender,
            of: $of,
            about: $about,
            client: $client,
            rules: &[$(($rule, $count)),+],
            row: row(concat!("offender-", $name), $command, &[
                case::DONE,
                Line(&[
                    ("/type", Text("summary")),
                    ("/verdict", Text("findings")),
                    ("/lost", Number(0)),
                    ("/by_rule", Counts(&[$(($rule, $count)),+])),
                ]),
                $(Line(&[("/type", Text("finding")), ("/rule", Text($rule)), ("/certain", Bool(true))]),)+
                case::CERTAIN,
            ])
            .code(1).seconds(case::SECONDS)$(.$driver())?,
            absent: None,
        }
    };
}

macro_rules! alike {
    ($name:literal, $of:literal, $about:literal, driver $fault:literal) => {
        Case {
            kind: Kind::LookAlike,
            of: $of,
            about: $about,
            client: concat!("gemclient fault ", $fault, " --right"),
            rules: &[],
            row: row(
                concat!("look-alike-", $name),
                concat!(
                    "insmod /modules/gemfault.ko || exit 1; (judged -- gemclient fault ",
                    $fault,
                    " --right); code=$?; rmmod gemfault && exit $code"
                ),
                case::CLEAN,
            )
            .driver(),
            absent: None,
        }
    };
    ($name:literal, $of:literal, $about:literal, $client:literal) => {
        alike!($name, $of, $about, $client, case::CLEAN)
    };
    ($name:literal, $of:literal, $about:literal, $client:literal, $expect:expr) => {
        Case {
            kind: Kind::LookAlike,
            of: $of,
            about: $about,
            client: $client,
            rules: &[],
            row: row(concat!("look-alike-", $name), concat!("judged -- ", $client), $expect)
                .seconds(case::SECONDS),
            absent: None,
        }
    };
}

macro_rules! missed {
    ($name:literal, $of:literal, $about:literal, $client:literal) => {
        Case {
            kind: Kind::Missed,
            of: $of,
            about: $about,
            client: $client,
            rules: &[],
            row: row(concat!("missed-", $name), concat!("judged -- ", $client), case::CLEAN)
                .seconds(case::SECONDS),
            absent: None,
        }
    };
}

pub(super) use {alike, missed, offender};

/// The suite of offenders and look-alikes: each is one row, so that no verdict mixes with another.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        super::offenders::BY_PROGRAMS,
        super::offenders::BY_DRIVERS,
        super::look_alikes::OF_PROGRAMS,
        super::look_alikes::OF_DRIVERS,
        super::look_alikes::MISSED,
    ]
    .into_iter()
    .flatten()
}
