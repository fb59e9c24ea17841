//! Files that are written beside their place and renamed into it: nobody ever reads a half of one.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// The folder that a file is in.
#[must_use]
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside a place, which it may take by `persist`. It has the rights of what is there, or those of any new file, and is gone again
/// when it is dropped.
///
/// # Errors
/// The folder takes no file.
pub fn file(place: &Path) -> io::Result<NamedTempFile> {
    let there = fs::metadata(place).ok().map(|there| there.permissions());
    let rights = there.clone().unwrap_or_else(|| Permissions::from_mode(0o666));
    let file =
        tempfile::Builder::new().prefix(".gemscope-").permissions(rights).tempfile_in(folder(place))?;
    // The umask has taken from them, which is right for a new file only.
    there.map_or(Ok(()), |rights| file.as_file().set_permissions(rights))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_place_has_its_rights() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a");
        let mode = || fs::metadata(&place).unwrap().permissions().mode() & 0o777;
        file(&place).unwrap().persist(&place).unwrap();
        let any = dir.path().join("b");
        fs::write(&any, "").unwrap();
        assert_eq!(mode(), fs::metadata(any).unwrap().permissions().mode() & 0o777);
        for rights in [0o600, 0o666, 0o640] {
            fs::set_permissions(&place, Permissions::from_mode(rights)).unwrap();
            file(&place).unwrap().persist(&place).unwrap();
            assert_eq!(mode(), rights);
        }
        drop(file(&place).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn folders() {
        for (path, want) in [("a", "."), ("a/b", "a"), ("/a", "/"), ("../a", "..")] {
            assert_eq!(folder(Path::new(path)), Path::new(want), "{path}");
        }
    }
}
