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

#[test]
fn every_row_is_run_somewhere_when_all_are() {
    for row in usual() {
        if let Lines::Only(names) | Lines::But(names) = row.usual {
            assert!(names.iter().all(|name| kernels::line(name).is_some()), "{}", row.name);
        }
        let runs = |line: &&kernels::Line| row.lines.hold(line.name) && row.usual.hold(line.name);
        assert!(kernels::LINES.iter().any(|line| runs(&line)), "{}", row.name);
    }
}

#[test]
fn what_rests_on_the_kernel_is_run_on_every_line() {
    let everywhere = [
        "sequences",
        "holders",
        "mistakes",
        "storms",
        "ends",
        "modetest",
        "unbind",
        "snapshot",
        "doctor",
        "attach-detach",
        "share-through-fb",
        "race-publication",
        "offenders-together",
        "look-alikes-together",
        "filter-",
    ];
    for line in kernels::LINES {
        for begin in everywhere
            .iter()
            .filter(|begin| **begin != "share-through-fb" || !["6.18", "newest"].contains(&line.name))
        {
            let runs = |row: &&Row| {
                row.name.starts_with(begin) && row.lines.hold(line.name) && row.usual.hold(line.name)
            };
            assert!(usual().any(|row| runs(&row)), "{begin} on {}", line.name);
        }
    }
}
