//! The cache: what was downloaded, and the locks that keep two runs from filling it at once.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::tell;

/// The cache for what is downloaded: `$GEMSCOPE_CACHE`, else `gemscope` below `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// When no home is known or the folder cannot be made.
pub fn folder() -> Result<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = match (named("GEMSCOPE_CACHE"), named("XDG_CACHE_HOME"), named("HOME")) {
        (Some(dir), _, _) => dir,
        (None, Some(dir), _) => dir.join("gemscope"),
        (None, None, Some(home)) => home.join(".cache/gemscope"),
        (None, None, None) => bail!("no folder to cache kernels in: set `GEMSCOPE_CACHE`"),
    };
    fs::create_dir_all(&dir).with_context(|| {
        format!("cannot make the cache folder `{}`: set `GEMSCOPE_CACHE` elsewhere", dir.display())
    })?;
    Ok(fs::canonicalize(&dir).unwrap_or(dir))
}

/// A lock on a name in a folder, held until it is dropped; says so when it has to wait.
///
/// # Errors
/// When the lock file cannot be made or locked.
pub fn lock(dir: &Path, name: &str) -> Result<File> {
    let path = dir.join(format!("{name}.lock"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open the lock file `{}`", path.display()))?;
    let patient = std::time::Instant::now();
    let mut held = file.try_lock().is_err();
    while held && patient.elapsed().as_secs() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        held = file.try_lock().is_err();
    }
    if held {
        tell(&format!("waiting for another run that holds `{}`", path.display()));
        file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    }
    Ok(file)
}
