//! The programs that go into a guest, built static; and the `gemscope` of this machine that tests call.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use gemscope_vm::tool;

use crate::{setup, toolchain, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The example of `gemscope` that makes man pages and completions.
pub const PAGES: &str = "pages";

/// A program of this workspace that a guest can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The `gemscope` binary.
    Gemscope,
    /// The client that makes the histories that are tested.
    Gemclient,
}

impl Program {
    /// What it is called in the guest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gemscope => "gemscope",
            Self::Gemclient => "gemclient",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Gemscope => "gemscope",
            Self::Gemclient => "gemclient",
        }
    }
}

/// Builds `gemscope` and its example `pages` as `cargo test --workspace` does, and gives the folder that they are in.
///
/// By themselves they would be built with fewer features of what they share with the other packages: the whole workspace once more.
///
/// # Errors
/// When they do not build.
pub fn of_tests() -> Result<PathBuf> {
    let mut command = setup::cargo();
    command.current_dir(workspace::root());
    command.args(["build", "--quiet", "--workspace", "--bin", Program::Gemscope.name(), "--example", PAGES]);
    tool::shown(&mut command)?;
    Ok(workspace::target().join("debug"))
}

/// Builds the `gemscope` of a release: linked statically, stripped.
///
/// # Errors
/// When it does not build.
pub fn release() -> Result<PathBuf> {
    let dir = workspace::target().join("dist");
    let mut command = cargo("dist", &dir);
    command.args(["--package", Program::Gemscope.package(), "--locked"]);
    // Paths of this machine would make each build another one.
    let root = workspace::root();
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags
        .extend(toolchain::cargo_home().map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    flags.push(format!("--remap-path-prefix={}=/gemscope", root.display()));
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    tool::shown(&mut command)?;
    Ok(dir.join(TARGET).join("dist").join(Program::Gemscope.name()))
}

/// `cargo build` for a static program, in a build folder of its own.
fn cargo(profile: &str, dir: &Path) -> Command {
    let mut command = setup::cargo();
    command.current_dir(workspace::root()).args([
        "build",
        "--quiet",
        "--profile",
        profile,
        "--target",
        TARGET,
    ]);
    command.arg("--target-dir").arg(dir).env_remove("CARGO_TARGET_DIR");
    command
}

/// Builds programs for the guest: linked statically, optimised but quickly, with frame pointers and line tables for the stacks.
///
/// They have a build folder of their own, since other flags would make cargo build everything anew each time.
///
/// # Errors
/// When they do not build.
pub fn build(programs: &[Program]) -> Result<Vec<(String, PathBuf)>> {
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    let dir = workspace::target().join("guest");
    let mut command = cargo("guest", &dir);
    for setting in [
        "profile.guest.inherits=\"release\"",
        "profile.guest.lto=false",
        "profile.guest.opt-level=2",
        "profile.guest.codegen-units=16",
        "profile.guest.debug=\"line-tables-only\"",
        "profile.guest.package.\"*\".debug=false",
    ] {
        command.args(["--config", setting]);
    }
    for program in programs {
        command.args(["--package", program.package()]);
    }
    // Paths in recorded stacks are told from the workspace's root, wherever it is checked out.
    let root = format!("--remap-path-prefix={}/=", workspace::root().display());
    let flags = ["-Ctarget-feature=+crt-static", "-Cforce-frame-pointers=yes", &root];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    tool::shown(&mut command)?;
    let built = dir.join(TARGET).join("guest");
    Ok(programs.iter().map(|program| (program.name().to_owned(), built.join(program.name()))).collect())
}
