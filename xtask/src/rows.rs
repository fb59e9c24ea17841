//! The test matrix: what is run in the guests, and what must come of it.
//!
//! A row is a shell line, run as root in a folder of its own with `gemscope` and `gemclient` on `PATH`, on every line of kernels that its
//! `lines` name; all rows of a line share one boot, in the order of the table. To add one, add it to [`ROWS`]; `cargo xtask vm-matrix
//! --kernel 6.1 --filter NAME` runs it alone. What a row leaves in its folder is brought back, and stays in the build folder when it fails.

use crate::expect::Expect::{self, Says};

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
    /// How long it may take.
    pub seconds: u32,
}

/// Lines whose kernel has neither udmabuf nor dma-heaps.
const OLD: &[&str] = &["5.10", "6.1"];

/// A row for every line that must end with 0 in a minute.
const fn row(name: &'static str, command: &'static str, expect: &'static [Expect]) -> Row {
    Row { name, command, code: 0, expect, lines: Lines::All, seconds: 60 }
}

impl Row {
    const fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    const fn lines(mut self, lines: Lines) -> Self {
        self.lines = lines;
        self
    }
}

/// The matrix.
pub const ROWS: &[Row] = &[
    // The client by itself: the guests offer what its scenarios need.
    row("client-list", "gemclient list", &[Says("forget-gem-close"), Says("six-step")]),
    row("client-vgem", "gemclient s2 && gemclient s5", &[]),
    row("client-framebuffer", "gemclient s20 --device virtio_gpu && gemclient s20 --device bochs-drm", &[]),
    row("client-two-devices", "gemclient six-step && gemclient six-step-reverse", &[Says("virtio_gpu")]),
    row("client-foreign", "gemclient s11 && gemclient s12", &[]).lines(Lines::But(OLD)),
    row("client-foreign-old", "gemclient s11", &[]).code(77).lines(Lines::Only(OLD)),
    row("client-killed", "gemclient killed-midway", &[]).code(137),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_fit_for_folders() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(seen.insert(row.name), "`{}` is there twice", row.name);
            assert!(
                row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{}",
                row.name
            );
            assert!(row.seconds > 0 && !row.command.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn lines_are_known_and_every_row_is_for_one() {
        for row in ROWS {
            if let Lines::Only(names) | Lines::But(names) = row.lines {
                assert!(names.iter().all(|name| kernels::line(name).is_some()), "{}", row.name);
            }
            assert!(kernels::LINES.iter().any(|line| row.lines.hold(line.name)), "{}", row.name);
        }
    }
}
