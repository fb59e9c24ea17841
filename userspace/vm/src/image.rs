//! A kernel image that lies on this machine, with its modules, made to look like an unpacked kernel.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::kernels::Kernel;
use crate::scratch::Scratch;

/// Where the header of an image says "this is one", and where it says where the version stands (the kernel's
/// `Documentation/arch/x86/boot.rst`).
const MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
const VERSION: usize = 0x20e;
/// What the place of the version is told from.
const SETUP: u64 = 0x200;
/// No version is longer.
const LONGEST: u64 = 256;

/// A kernel image; what is made for it goes when this is dropped.
#[derive(Debug)]
pub struct Image {
    kernel: Kernel,
    _tree: Scratch,
}

impl Image {
    /// Opens one. Without a folder of modules, `/lib/modules/RELEASE` is taken where there is one; else everything the guest
    /// needs has to be built in.
    ///
    /// # Errors
    /// When it is not a kernel image for x86 or cannot be read, or the folder is not one of its modules.
    pub fn open(image: &Path, modules: Option<&Path>) -> Result<Self> {
        let image = fs::canonicalize(image)
            .with_context(|| format!("cannot read the kernel image `{}`", image.display()))?;
        let version = release(&image)?;
        let tree = Scratch::new("kernel")?;
        let root = tree.path();
        symlink(&image, root.join("vmlinuz"))?;
        let config = image.with_file_name(format!("config-{version}"));
        if config.is_file() {
            symlink(config, root.join("config"))?;
        }
        if let Some(folder) = folder(&version, modules)? {
            fs::create_dir_all(root.join("lib/modules"))?;
            symlink(folder, root.join("lib/modules").join(&version))?;
        }
        let kernel = Kernel { line: String::new(), version, root: root.to_path_buf() };
        Ok(Self { kernel, _tree: tree })
    }

    /// The kernel.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

/// The folder of a kernel's modules: what was given, else the usual one.
fn folder(version: &str, given: Option<&Path>) -> Result<Option<PathBuf>> {
    let usual = Path::new("/lib/modules").join(version);
    let folder = match given {
        Some(given) => given,
        None if usual.is_dir() => &usual,
        None => return Ok(None),
    };
    let shown = folder.display();
    let folder =
        fs::canonicalize(folder).with_context(|| format!("cannot read the folder of modules `{shown}`"))?;
    // What `make modules_install` fills holds a folder for each kernel.
    let below = folder.join("lib/modules").join(version);
    let folder = if below.is_dir() { below } else { folder };
    ensure!(
        folder.join("modules.dep").is_file(),
        "`{shown}` has no `modules.dep`: give the folder `lib/modules/{version}` of this kernel, or run `depmod`"
    );
    Ok(Some(folder))
}

/// What `uname -r` will say, as the image's header tells it.
fn release(image: &Path) -> Result<String> {
    let shown = image.display();
    let mut file = File::open(image).with_context(|| format!("cannot read the kernel image `{shown}`"))?;
    let mut header = Vec::new();
    file.by_ref().take(1024).read_to_end(&mut header)?;
    let at = |from: usize, length: usize| header.get(from..from + length);
    if at(MAGIC.0, MAGIC.1.len()) != Some(MAGIC.1) {
        bail!("`{shown}` is no kernel image for x86: give a `vmlinuz` or `arch/x86/boot/bzImage`");
    }
    let place = at(VERSION, 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes);
    file.seek(SeekFrom::Start(SETUP + u64::from(place)))?;
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let version = text.split([' ', '\0']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+-_~".contains(c);
    if place == 0 || version.is_empty() || !version.chars().all(plain) || version.starts_with('.') {
        bail!("the kernel image `{shown}` does not tell its version");
    }
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image's header with this text where the version is said to be.
    fn image(text: &[u8], place: u16) -> tempfile::NamedTempFile {
        let mut bytes = vec![0; 0x200 + 0x400];
        bytes[MAGIC.0..MAGIC.0 + 4].copy_from_slice(MAGIC.1);
        bytes[VERSION..VERSION + 2].copy_from_slice(&place.to_le_bytes());
        bytes.extend_from_slice(text);
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        file
    }

    #[test]
    fn the_header_tells_the_version() {
        let told = |text: &[u8], place| release(image(text, place).path()).ok();
        assert_eq!(told(b"6.12.1-me+ (a@b) #1 SMP\0", 0x400).as_deref(), Some("6.12.1-me+"));
        assert_eq!(told(b"6.12.1-me", 0x400).as_deref(), Some("6.12.1-me"));
        for (text, place) in [
            (&b"6.12"[..], 0),
            (b"", 0x400),
            (b"../../x y\0", 0x400),
            (b"\xff\xff \0", 0x400),
            (b"6", 0xffff),
        ] {
            assert_eq!(told(text, place), None);
        }
        let text = tempfile::NamedTempFile::new().expect("a file");
        let error = release(text.path()).expect_err("it is empty").to_string();
        assert!(error.contains("is no kernel image"), "{error}");
    }

    #[test]
    fn modules_are_where_they_are_said_to_be() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = dir.path().join("lib/modules/6.1.0-x");
        fs::create_dir_all(&own).expect("made");
        let open = |modules: &Path| Image::open(image(b"6.1.0-x (a)\0", 0x400).path(), Some(modules));
        let error = open(&own).expect_err("nothing is in it").to_string();
        assert!(error.contains("`lib/modules/6.1.0-x`") && error.contains("depmod"), "{error}");
        fs::write(own.join("modules.dep"), "").expect("written");
        for given in [own.as_path(), dir.path()] {
            let image = open(given).expect("a kernel");
            assert_eq!(image.kernel().version, "6.1.0-x");
            assert!(image.kernel().modules().join("modules.dep").is_file());
        }
        assert!(open(&dir.path().join("no")).is_err());
        let without = Image::open(image(b"6.1.0-x (a)\0", 0x400).path(), None).expect("a kernel");
        assert!(!without.kernel().modules().exists());
    }
}
