//! Where things are: the checkout and the build folders.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the checkout: the nearest folder, from here upwards, that holds `xtask/Cargo.toml`; else the one that this program was
/// built from.
pub fn root() -> PathBuf {
    let is_root = |dir: &Path| dir.join("xtask/Cargo.toml").is_file();
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    if let Some(dir) = here.ancestors().find(|dir| is_root(dir)) {
        return dir.to_path_buf();
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    built.parent().filter(|dir| is_root(dir)).unwrap_or(&here).to_path_buf()
}

/// Writes a page that a command of ours makes, or with `check` compares it with the committed one. `source` is what the page
/// should say, `command` the one that writes it.
///
/// # Errors
/// When it cannot be written or read, or is not what it should be.
pub fn keep_page(page: &str, text: &str, check: bool, source: &str, command: &str) -> Result<u8> {
    let path = root().join(page);
    if !check {
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        return Ok(0);
    }
    let committed = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if committed != text {
        bail!("`{page}` is not what {source}: run `cargo xtask {command}`");
    }
    Ok(0)
}

/// Cargo's build folder for this checkout.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root().join(dir),
        _ => root().join("target"),
    }
}
