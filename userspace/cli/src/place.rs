//! Where something is written that was asked for: a file, or standard output, which is called `-`. A file of that name is `./-`.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gemscope_trace::{TraceHeader, Writer};

use crate::ui;

/// A place that something is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// standard output
    Stdout,
    /// a file
    File(PathBuf),
}

impl From<OsString> for Place {
    fn from(typed: OsString) -> Self {
        if typed == "-" { Self::Stdout } else { Self::File(typed.into()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file().map_or_else(|| "-".to_owned(), ui::shown))
    }
}

impl Place {
    /// Its file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }

    /// The same, where a file is told from a folder.
    #[must_use]
    pub fn below(self, folder: &Path) -> Self {
        match self {
            Self::Stdout => Self::Stdout,
            Self::File(path) => Self::File(folder.join(path)),
        }
    }

    /// What is made of a trace must not take its place.
    ///
    /// # Errors
    /// It would.
    pub fn spares(&self, trace: &Path) -> anyhow::Result<()> {
        let whole = |path: &Path| path.canonicalize().ok();
        let same = self.file().and_then(whole).is_some_and(|place| whole(trace) == Some(place));
        ensure!(!same, "`{self}` is the trace itself: choose another file");
        Ok(())
    }

    /// Is it standard output?
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        *self == Self::Stdout
    }

    /// Says what to do with the trace that was written there.
    pub fn say_how_to_judge(&self) {
        if let Some(path) = self.file() {
            ui::say(&format!("judge it: gemscope replay {}", ui::shown(path)));
        }
    }

    /// Can it take what is no text? `what` is told when not.
    ///
    /// # Errors
    /// It is a terminal.
    pub fn takes(&self, what: &str) -> anyhow::Result<()> {
        if self.is_stdout() && io::stdout().is_terminal() {
            bail!("{what} is no text for a terminal: give a file with `-o FILE`, or a pipe");
        }
        Ok(())
    }

    /// Begins a trace there.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn trace(&self, header: &TraceHeader) -> anyhow::Result<Writer<File>> {
        let Some(path) = self.file() else {
            self.takes("a trace")?;
            // As a file, since what is no text has no lines to be written one by one.
            let stdout = io::stdout().as_fd().try_clone_to_owned().context("cannot write to stdout")?;
            return Ok(Writer::new(File::from(stdout), header)?);
        };
        Ok(Writer::create(path, header)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_output_has_one_name() {
        let place = |typed: &str| Place::from(OsString::from(typed));
        assert_eq!(place("-"), Place::Stdout);
        for typed in ["./-", "--", "a/-", "-a", "/dev/stdout", ""] {
            assert_eq!(place(typed), Place::File(typed.into()));
            assert_eq!(place(typed).to_string(), typed);
        }
        assert_eq!(place("-").to_string(), "-");
    }
}
