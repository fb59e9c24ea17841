//! The programs that go into a guest, built static.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use gemscope_vm::tool;

use crate::workspace;

const TARGET: &str = "x86_64-unknown-linux-gnu";

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
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace::root()).args([
        "build",
        "--quiet",
        "--profile",
        "guest",
        "--target",
        TARGET,
    ]);
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
    command.arg("--target-dir").arg(&dir);
    // Paths in recorded stacks are told from the workspace's root, wherever it is checked out.
    let root = format!("--remap-path-prefix={}/=", workspace::root().display());
    let flags = ["-Ctarget-feature=+crt-static", "-Cforce-frame-pointers=yes", &root];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    command.env_remove("CARGO_TARGET_DIR");
    tool::shown(&mut command)?;
    let built = dir.join(TARGET).join("guest");
    Ok(programs.iter().map(|program| (program.name().to_owned(), built.join(program.name()))).collect())
}
