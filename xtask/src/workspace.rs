//! Where things are: the checkout, the build folders, the cache.

use std::env;
use std::fs::{self, File};
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
