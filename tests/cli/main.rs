//! The `gemscope` command as its users meet it. These tests belong to the package `gemscope`, which knows its binary.

mod ci;
mod codes;
mod conformance;
mod errors;
mod explore;
mod export;
mod flight;
mod golden;
mod help;
mod model;
mod outputs;
mod policy;
mod readme;
mod report;
mod sequences;
mod snapshot;
mod stdout;
mod top;
mod what_if;

use std::path::{Path, PathBuf};

use snapbox::cmd::Command;

/// What of the tester's own surroundings would show: how messages look, who called sudo, whose checkout and whose check it is.
const SURROUNDINGS: &[&str] = &[
    "RUST_BACKTRACE",
    "CLICOLOR_FORCE",
    "SUDO_UID",
    "GITHUB_WORKSPACE",
    "CI_PROJECT_DIR",
    "GEMSCOPE_CONTROL",
];

/// The binary, with nothing of the tester's own surroundings in its output.
fn gemscope() -> Command {
    let command = Command::new(env!("CARGO_BIN_EXE_gemscope"));
    let command = SURROUNDINGS.iter().fold(command, |command, name| command.env_remove(name));
    command.env("NO_COLOR", "1").env("COLUMNS", "100").current_dir(tests())
}

/// The folder of the tests, from which files are named in outputs.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").canonicalize().unwrap()
}

/// The bundled trace.
const DEMO: &str = "fixtures/traces/6.12/forget-gem-close.gemtrace";

fn demo_bytes() -> Vec<u8> {
    std::fs::read(tests().join(DEMO)).unwrap()
}

/// A file with these bytes in a folder that goes away with the first value.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gemtrace");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}
