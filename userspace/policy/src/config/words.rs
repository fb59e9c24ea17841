//! Words that options and the configuration file share.

use gemscope_common::scope;

use crate::mistake::did_you_mean;

/// What something comes to that is no finding: an undecided verdict, a command that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leniency {
    /// An exit code of its own.
    Fail,
    /// Success.
    Pass,
    /// Success, and it is said.
    Warn,
}

impl Leniency {
    /// What this word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "fail" => Some(Self::Fail),
            "pass" => Some(Self::Pass),
            "warn" => Some(Self::Warn),
            _ => None,
        }
    }
}

/// What to make of things open at exit, as records carry it.
pub(super) fn at_exit(name: &str) -> Option<u32> {
    match name {
        "strict" => Some(scope::STRICT),
        "growth" => Some(scope::GROWTH),
        "ignore" => Some(scope::IGNORE),
        _ => None,
    }
}

/// What a verdict is about, where it is no command's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Machine,
    /// A process.
    Pid(u32),
    /// Processes of this name.
    Comm(String),
    /// Processes of a cgroup, a path below `/sys/fs/cgroup`.
    Cgroup(String),
}

impl Scope {
    /// How one is written.
    pub const FORMS: &'static str = "`machine`, `pid:N`, `comm:NAME`, `cgroup:PATH`";

    /// What is written so.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |near: String| format!("`{text}` is no scope{near}; write {}", Self::FORMS);
        let Some((word, what)) = text.split_once(':') else {
            return match text {
                "machine" => Ok(Self::Machine),
                other => Err(wrong(did_you_mean(other, std::iter::once("machine")))),
            };
        };
        match (word, what) {
            ("pid", n) => match n.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err(format!("`{n}` is no process id; write pid:N with N from 1")),
            },
            ("comm" | "cgroup", "") => Err(format!("a name is missing after `{word}:`")),
            ("comm", name) => Ok(Self::Comm(name.to_owned())),
            ("cgroup", path) => Ok(Self::Cgroup(path.to_owned())),
            (word, _) => Err(wrong(did_you_mean(word, ["pid", "comm", "cgroup"].into_iter()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        assert_eq!(Scope::parse("machine"), Ok(Scope::Machine));
        assert_eq!(Scope::parse("pid:12"), Ok(Scope::Pid(12)));
        assert_eq!(Scope::parse("comm:a:b"), Ok(Scope::Comm("a:b".to_owned())));
        assert_eq!(Scope::parse("cgroup:/system.slice"), Ok(Scope::Cgroup("/system.slice".to_owned())));
        for (wrong, says) in [
            ("pid:0", "no process id"),
            ("pid:x", "no process id"),
            ("comm:", "missing"),
            ("machin", "did you mean `machine`"),
            ("com:x", "did you mean `comm`"),
            ("", "write `machine`"),
        ] {
            let said = Scope::parse(wrong).unwrap_err();
            assert!(said.contains(says), "{wrong}: {said}");
        }
    }
}
