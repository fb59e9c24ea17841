//! The files of a policy: found, read, and written so that a killed gemscope leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gemscope_policy::{Baseline, Config, Suppression};

use super::settings::Base;
use crate::args::PolicyArgs;
use crate::beside;
use crate::mistake::{self, Mistakes};

/// The configuration where there is none named.
const CONFIG: &str = "gemscope.toml";

/// The configuration, and its file; `None` when there is none.
///
/// # Errors
/// It is not there although it was named, cannot be read, or has [`Mistakes`].
pub fn config(args: &PolicyArgs) -> anyhow::Result<Option<(Config, PathBuf)>> {
    let path = match &args.config {
        Some(path) => path.as_path(),
        None if args.no_config => return Ok(None),
        None => Path::new(CONFIG),
    };
    let file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound && args.config.is_none() => return Ok(None),
        file => file.with_context(|| format!("cannot open the configuration `{}`", path.display()))?,
    };
    let (name, text) = text(file, path, "configuration")?;
    let config = Config::parse(&text, &name).map_err(|found| Mistakes::of_policy(&name, &text, found))?;
    Ok(Some((config, path.to_owned())))
}

/// A file of suppressions.
///
/// # Errors
/// It cannot be read, or has [`Mistakes`].
pub fn suppressions(path: &Path) -> anyhow::Result<Vec<Suppression>> {
    let file =
        File::open(path).with_context(|| format!("cannot open the suppressions `{}`", path.display()))?;
    let (name, text) = text(file, path, "file of suppressions")?;
    Ok(Config::parse_suppressions(&text, &name).map_err(|found| Mistakes::of_policy(&name, &text, found))?)
}

/// A baseline; `None` when there is none yet and it is to be made.
///
/// # Errors
/// It cannot be read, or has [`Mistakes`].
pub fn baseline(base: &Base) -> anyhow::Result<Option<Baseline>> {
    let Base { path, update } = base;
    let file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound && *update => return Ok(None),
        file => file.with_context(|| {
            let make = if *update { "" } else { "; --update-baseline makes one" };
            format!("cannot open the baseline `{}`{make}", path.display())
        })?,
    };
    let (name, text) = text(file, path, "baseline")?;
    Ok(Some(Baseline::parse(&text).map_err(|found| Mistakes::of_policy(&name, &text, found))?))
}

fn text(mut file: File, path: &Path, what: &str) -> anyhow::Result<(String, String)> {
    let name = path.to_string_lossy().into_owned();
    let text = mistake::read(&mut file, &name, what)?;
    Ok((name, text))
}

/// Writes a new file.
///
/// # Errors
/// It is there, or cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::create_new(path)?.write_all(bytes)
}

/// Puts a file in the place of what is there, at once.
///
/// # Errors
/// It cannot be written: what was there is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays one: the file that it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = beside::file(&path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_links_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a"), dir.path().join("b"));
        replace(&file, b"1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"2").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"2");
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(create(&file, b"3").is_err());
        assert!(replace(&dir.path().join("no/such"), b"").is_err());
    }
}
