//! Every row is one that can be run.

use super::*;
use gemscope_vm::{debian, kernels};
use std::collections::BTreeSet;

#[test]
fn names_are_unique_and_fit_for_folders() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(seen.insert(row.name), "`{}` is there twice", row.name);
        assert!(
            row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{}",
            row.name
        );
        assert!(row.seconds > 0 && !row.command.is_empty(), "{}", row.name);
        assert!(row.program.is_none_or(|name| debian::program(name).is_ok()), "{}", row.name);
    }
}

#[test]
fn lines_are_known_and_every_row_is_for_one() {
    for row in all() {
        if let Lines::Only(names) | Lines::But(names) = row.lines {
            assert!(names.iter().all(|name| kernels::line(name).is_some()), "{}", row.name);
        }
        assert!(kernels::LINES.iter().any(|line| row.lines.hold(line.name)), "{}", row.name);
    }
}
