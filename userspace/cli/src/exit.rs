//! Exit codes, decided here and nowhere else.

use std::process::ExitCode;

use gemscope_engine::Verdict;
use gemscope_policy::Leniency;

/// What the caller of gemscope is told. The code is about the verdict; about the traced command's own status, which the report
/// tells, only where that was asked for.
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
    /// The verdict passes, and the command failed.
    CommandFailed = 4,
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

    /// The code of a verdict where an undecided one may pass, and of a command that failed, if it did, where that may not.
    #[must_use]
    pub const fn of_check(verdict: &Verdict, undecided: Leniency, failed: Option<Leniency>) -> Self {
        let exit = match (Self::of(verdict), undecided) {
            (Self::Undecided, Leniency::Pass | Leniency::Warn) => Self::Clean,
            (exit, _) => exit,
        };
        match (exit, failed) {
            (Self::Clean, Some(Leniency::Fail)) => Self::CommandFailed,
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
            4 => Some(Self::CommandFailed),
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
        const ALL: [Leniency; 3] = [Leniency::Fail, Leniency::Pass, Leniency::Warn];
        let undecided = |how| Exit::of_check(&Verdict::Undecided(Vec::new()), how, None) as u8;
        assert_eq!(ALL.map(undecided), [3, 0, 0]);
        let failed = |verdict| move |how| Exit::of_check(&verdict, Leniency::Fail, Some(how)) as u8;
        assert_eq!(ALL.map(failed(Verdict::Clean)), [4, 0, 0]);
        assert_eq!(ALL.map(failed(Verdict::Findings)), [1, 1, 1]);
        assert_eq!(ALL.map(failed(Verdict::Undecided(Vec::new()))), [3, 3, 3]);
        let passes = Exit::of_check(&Verdict::Undecided(Vec::new()), Leniency::Pass, Some(Leniency::Fail));
        assert_eq!((passes as u8, Exit::of_check(&Verdict::Findings, Leniency::Pass, None) as u8), (4, 1));
        assert_eq!([true, false].map(|complete| Exit::of_snapshot(complete) as u8), [0, 3]);
        assert_eq!(Exit::CommandFailed as u8, gemscope_report::ci::COMMAND_FAILED);
        let of = |bad, exhausted| Exit::of_exploration(bad, exhausted) as u8;
        assert!((0..5).all(|code| Exit::from_code(code).is_some_and(|exit| exit as i32 == code)));
        assert!([-1, 5, 125].iter().all(|code| Exit::from_code(*code).is_none()));
        assert_eq!([of(false, true), of(true, true), of(true, false), of(false, false)], [0, 1, 1, 3]);
    }
}
