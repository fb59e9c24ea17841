//! Where things are: the checkout, the build folders, the cache.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the checkout this binary was built from.
///
/// `cargo xtask` sets `CARGO_MANIFEST_DIR`; a binary that is called directly falls back on the place it was built in, or, when
/// that has moved, on the nearest parent folder that holds `xtask/Cargo.toml`.
pub fn root() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    let asked = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let manifest = asked.as_deref().filter(|dir| dir.ends_with("xtask")).unwrap_or(built);
    if let Some(parent) = manifest.parent().filter(|dir| dir.join("xtask/Cargo.toml").is_file()) {
        return parent.to_path_buf();
    }
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    here.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file()).unwrap_or(&here).to_path_buf()
}

/// Cargo's build folder for this checkout.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root().join(dir),
        _ => root().join("target"),
    }
}

/// The cache for what is downloaded: `$GEMSCOPE_CACHE`, else `gemscope` below `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// When no home is known or the folder cannot be made.
pub fn cache() -> Result<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = match (named("GEMSCOPE_CACHE"), named("XDG_CACHE_HOME"), named("HOME")) {
        (Some(dir), _, _) => dir,
        (None, Some(dir), _) => dir.join("gemscope"),
        (None, None, Some(home)) => home.join(".cache/gemscope"),
        (None, None, None) => anyhow::bail!("no folder to cache kernels in: set `GEMSCOPE_CACHE`"),
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
    if file.try_lock().is_err() {
        eprintln!("xtask: waiting for another run that holds `{}`", path.display());
        file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    }
    Ok(file)
}

/// A folder of this process's own below the system's temporary folder, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new one, with `what` in its name.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(what: &str) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let dir = env::temp_dir().join(format!("gemscope-{what}-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make the folder `{}`", dir.display()));
                }
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary folder, where it goes with the next boot.
        let _ = fs::remove_dir_all(&self.0);
    }
}
