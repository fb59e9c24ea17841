//! Exit codes, decided here and nowhere else.

use std::process::ExitCode;

use gemscope_engine::Verdict;
use gemscope_policy::Undecided;

/// What the caller of gemscope is told. The code is about the verdict only, never about the traced command's own
/// status, which the report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing was found and nothing could have been missed; or the command did what it was asked to.
    Clean = 0,
    /// At least one certain finding.
    Findings = 1,
    /// It could not run: usage, permission, input or output.
    CannotRun = 2,
    /// Something could have been missed, so a clean verdict would be a guess.
    Undecided = 3,
}

impl Exit {
    /// The code of a verdict.
    #[must_use]
    pub const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Clean => Self::Clean,
            Verdict::Findings => Self::Findings,
            Verdict::Undecided(_) => Self::Undecided,
        }
    }

    /// The code of a verdict where an undecided one may pass.
    #[must_use]
    pub const fn of_check(verdict: &Verdict, undecided: Undecided) -> Self {
        match (Self::of(verdict), undecided) {
            (Self::Undecided, Undecided::Pass | Undecided::Warn) => Self::Clean,
            (exit, _) => exit,
        }
    }

    /// The one with this code: what another gemscope has said.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Clean),
            1 => Some(Self::Findings),
            2 => Some(Self::CannotRun),
            3 => Some(Self::Undecided),
            _ => None,
        }
    }

    /// The code of a snapshot: it judges nothing, and says whether it saw everything.
    #[must_use]
    pub const fn of_snapshot(complete: bool) -> Self {
        if complete { Self::Clean } else { Self::Undecided }
    }

    /// The code of explorations: a bad state found counts, whatever else was left out.
    #[must_use]
    pub const fn of_exploration(bad: bool, exhausted: bool) -> Self {
        match (bad, exhausted) {
            (true, _) => Self::Findings,
            (false, true) => Self::Clean,
            (false, false) => Self::Undecided,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_stable() {
        let of = |verdict| Exit::of(&verdict) as u8;
        assert_eq!(of(Verdict::Clean), 0);
        assert_eq!(of(Verdict::Findings), 1);
        assert_eq!(Exit::CannotRun as u8, 2);
        assert_eq!(of(Verdict::Undecided(Vec::new())), 3);
        let undecided = |how| Exit::of_check(&Verdict::Undecided(Vec::new()), how) as u8;
        assert_eq!([Undecided::Fail, Undecided::Pass, Undecided::Warn].map(undecided), [3, 0, 0]);
        assert_eq!(Exit::of_check(&Verdict::Findings, Undecided::Pass) as u8, 1);
        assert_eq!([true, false].map(|complete| Exit::of_snapshot(complete) as u8), [0, 3]);
        let of = |bad, exhausted| Exit::of_exploration(bad, exhausted) as u8;
        assert!((0..4).all(|code| Exit::from_code(code).is_some_and(|exit| exit as i32 == code)));
        assert!([-1, 4, 125].iter().all(|code| Exit::from_code(*code).is_none()));
        assert_eq!([of(false, true), of(true, true), of(true, false), of(false, false)], [0, 1, 1, 3]);
    }
}
