//! Which test runner a command line is.
//!
//! Both sides of a trace ask this: who records it, to know whose build folder to look into, and who reads it.

use crate::definition::Name;

/// A program that goes through tests and runs each in a process, or in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Runner {
    /// `meson test`
    Meson,
    /// `ctest`
    Ctest,
    /// `cargo test`: many tests in one process, a thread each.
    Cargo,
    /// `cargo nextest run`: a process for each test.
    Nextest,
    /// `igt_runner`, `igt_resume`
    Igt,
    /// `pytest`
    Pytest,
    /// `prove`
    Prove,
    /// `make check`, `make test`
    Make,
}

impl Runner {
    /// All there are.
    pub const ALL: &'static [Self] = &[
        Self::Meson,
        Self::Ctest,
        Self::Cargo,
        Self::Nextest,
        Self::Igt,
        Self::Pytest,
        Self::Prove,
        Self::Make,
    ];

    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meson => "meson",
            Self::Ctest => "ctest",
            Self::Cargo => "cargo",
            Self::Nextest => "nextest",
            Self::Igt => "igt",
            Self::Pytest => "pytest",
            Self::Prove => "prove",
            Self::Make => "make",
        }
    }

    /// The runner of a command line; `None` when it is another program, or the runner's program doing something else.
    #[must_use]
    pub fn of(cmdline: &[Name]) -> Option<Self> {
        let (program, arguments) = program(cmdline)?;
        let first = arguments.first().map(Name::as_bytes);
        match program {
            b"meson" | b"meson.py" | b"mesonbuild.mesonmain" if first == Some(b"test") => Some(Self::Meson),
            b"mesontest" => Some(Self::Meson),
            b"ctest" | b"ctest3" => Some(Self::Ctest),
            b"cargo-nextest" => Some(Self::Nextest),
            b"cargo" if matches!(first, Some(b"test" | b"t")) => Some(Self::Cargo),
            b"igt_runner" | b"igt_resume" | b"igt-runner" => Some(Self::Igt),
            b"pytest" | b"py.test" => Some(Self::Pytest),
            b"prove" => Some(Self::Prove),
            b"make" | b"gmake" if arguments.iter().any(|goal| is_test_goal(goal.as_bytes())) => {
                Some(Self::Make)
            }
            _ => None,
        }
    }
}

/// A goal of `make` that runs tests.
fn is_test_goal(goal: &[u8]) -> bool {
    goal.starts_with(b"check") || matches!(goal, b"test" | b"tests" | b"installcheck" | b"distcheck")
}

/// The name of the program or script or module that a command line runs, and what it is told.
fn program(cmdline: &[Name]) -> Option<(&[u8], &[Name])> {
    let at = script(cmdline);
    let name = base_name(cmdline.get(at)?.as_bytes());
    let arguments = cmdline.get(at + 1..).unwrap_or_default();
    match arguments {
        [flag, module, rest @ ..] if is_python(name) && flag.as_bytes() == b"-m" => {
            Some((module.as_bytes(), rest))
        }
        _ => Some((name, arguments)),
    }
}

/// The place in a command line of the program that it is about: the script, where an interpreter runs one.
#[must_use]
pub fn script(cmdline: &[Name]) -> usize {
    let Some((first, rest)) = cmdline.split_first() else { return 0 };
    if !is_interpreter(base_name(first.as_bytes())) {
        return 0;
    }
    for (i, argument) in rest.iter().enumerate() {
        match argument.as_bytes() {
            // What follows is no script.
            b"-c" | b"-m" | b"-e" | b"-s" | b"-" => return 0,
            argument if argument.starts_with(b"-") => {}
            _ => return i + 1,
        }
    }
    0
}

fn is_python(program: &[u8]) -> bool {
    program.strip_prefix(b"python").is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

fn is_interpreter(program: &[u8]) -> bool {
    is_python(program) || matches!(program, b"sh" | b"bash" | b"dash" | b"ash" | b"zsh" | b"perl")
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words parted by `|`, since arguments have spaces.
    #[track_caller]
    fn check(cmdline: &str, want: Option<Runner>) {
        let words: Vec<Name> = cmdline.split('|').map(Name::from).collect();
        assert_eq!(Runner::of(&words), want, "{cmdline}");
    }

    #[test]
    fn runners_are_known_by_how_they_are_called() {
        check("/opt/venv/bin/python3|/opt/venv/bin/meson|test|-C|mb", Some(Runner::Meson));
        check("/usr/bin/python3|-m|mesonbuild.mesonmain|test", Some(Runner::Meson));
        check("meson|test|--no-rebuild|--print-errorlogs", Some(Runner::Meson));
        check("mesontest|-C|build", Some(Runner::Meson));
        check("/usr/bin/ctest|--test-dir|cb", Some(Runner::Ctest));
        check("/bin/sh|/host/ctest|--test-dir|cb", Some(Runner::Ctest));
        check("/home/a/.rustup/toolchains/stable/bin/cargo|test|-q|--|--nocapture", Some(Runner::Cargo));
        check("/usr/local/bin/cargo-nextest|nextest|run", Some(Runner::Nextest));
        check("igt_runner|-o|/usr/libexec/igt-gpu-tools|results", Some(Runner::Igt));
        check("/usr/bin/python3|/usr/bin/pytest|-q|test_a.py", Some(Runner::Pytest));
        check("python3.11|-m|pytest|test_a.py::test_x", Some(Runner::Pytest));
        check("/usr/bin/perl|/usr/bin/prove|-v|t", Some(Runner::Prove));
        check("make|-j4|check", Some(Runner::Make));
        check("make|check-TESTS", Some(Runner::Make));
    }

    #[test]
    fn other_programs_are_none() {
        for other in [
            "",
            "meson|setup|build",
            "/usr/bin/python3|/usr/bin/meson|compile",
            "cargo|build",
            "make|all",
            "make|CHECK=1",
            "/bin/sh|-c|meson test --no-rebuild",
            "python3|-c|import pytest",
            "bash",
            "kms_foo|--run-subtest|bar",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn the_script_of_an_interpreter_is_found() {
        let check = |cmdline: &str, want: usize| {
            let words: Vec<Name> = cmdline.split('|').map(Name::from).collect();
            assert_eq!(script(&words), want, "{cmdline}");
        };
        check("/bin/sh|t/b.sh", 1);
        check("/usr/bin/perl|-w|-T|t/a.t|x", 3);
        check("sh|-c|t/b.sh", 0);
        check("t/bin.t|x", 0);
        check("python3|-m|pytest", 0);
    }
}
