//! The archive: a compressed tar whose bytes depend on what is in it only.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use gemscope_vm::tool;

/// Packs a folder, under its own name.
///
/// # Errors
/// When `tar` or `zstd` is missing or fails.
pub fn pack(folder: &Path, time: u64, to: &Path) -> Result<()> {
    let above = folder.parent().context("the folder has none above it")?;
    let name = folder.file_name().context("the folder has no name")?;
    let packed = above.join("archive.tar");
    let mut tar = tool::command("tar")?;
    tar.args(["--create", "--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg("--mode=u=rwX,go=rX").arg(format!("--mtime=@{time}"));
    tar.arg("--file").arg(&packed).arg("--directory").arg(above).arg(name).env("LC_ALL", "C");
    tool::output(&mut tar)?;
    // With one thread: how the work is split shows in the bytes.
    let mut zstd = tool::command("zstd")?;
    zstd.args(["--quiet", "--force", "-19", "--single-thread", "-o"]).arg(to).arg(&packed);
    tool::output(&mut zstd)?;
    fs::remove_file(&packed)?;
    Ok(())
}
