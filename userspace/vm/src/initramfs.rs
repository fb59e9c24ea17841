//! The guest's root file system: busybox, modules, gemscope, what was copied in, and the script that runs it all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cpio::Cpio;
use crate::modules::Module;
use crate::tool;

const INIT: &[u8] = include_bytes!("guest/init.sh");

/// What goes into the guest.
#[derive(Debug, Default)]
pub struct Contents {
    /// Modules, in the order to load them.
    pub modules: Vec<Module>,
    /// Programs for `/usr/bin`, by name.
    pub programs: Vec<(String, PathBuf)>,
    /// Folders whose contents lie in the guest's root.
    pub roots: Vec<PathBuf>,
    /// Files and folders for `/host`.
    pub copies: Vec<PathBuf>,
    /// Folders made up on the spot.
    pub folders: Vec<String>,
    /// Files and folders, and where they lie in the guest.
    pub placed: Vec<(PathBuf, String)>,
    /// Files made up on the spot: path in the guest, mode, content.
    pub files: Vec<(String, u32, Vec<u8>)>,
    /// The shell line to run; without one, a shell on the console.
    pub command: Option<String>,
    /// Is `/out` to be brought back?
    pub bring_out: bool,
}

/// Builds the archive.
///
/// # Errors
/// When something to put in cannot be read, or busybox is missing or not a static one.
pub fn build(contents: &Contents) -> Result<Vec<u8>> {
    let mut archive = Cpio::default();
    for dir in [
        "bin",
        "sbin",
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "root",
        "host",
        "out",
        "etc",
        "modules",
        "home/user",
    ] {
        archive.folder(dir);
    }
    archive.folder("usr/bin");
    archive.device("dev/console", 0o600, (5, 1));
    archive.device("dev/null", 0o666, (1, 3));
    archive.file("init", 0o755, INIT);
    archive.file(
        "etc/passwd",
        0o644,
        b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
    );
    archive.file("etc/group", 0o644, b"root:x:0:\nvideo:x:44:user\nuser:x:1000:\n");
    busybox(&mut archive)?;
    let mut order = String::new();
    for Module { name, parameters, content } in &contents.modules {
        archive.file(&format!("modules/{name}"), 0o644, content);
        order.push_str(format!("{name} {parameters}").trim_end());
        order.push('\n');
    }
    archive.file("modules/order", 0o644, order.as_bytes());
    for (name, path) in &contents.programs {
        let content =
            fs::read(path).with_context(|| format!("cannot read the program `{}`", path.display()))?;
        archive.file(&format!("usr/bin/{name}"), 0o755, &content);
    }
    for root in &contents.roots {
        for dir in ["usr", "lib", "lib64"] {
            copy(&mut archive, &root.join(dir), dir)?;
        }
    }
    for path in &contents.copies {
        let whole = fs::canonicalize(path)
            .with_context(|| format!("cannot copy `{}` into the guest", path.display()))?;
        let Some(name) = whole.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            bail!("cannot copy `{}` into the guest: it has no name", path.display());
        };
        copy(&mut archive, &whole, &format!("host/{name}"))?;
    }
    for folder in &contents.folders {
        archive.folder(folder);
    }
    for (path, place) in &contents.placed {
        let whole = fs::canonicalize(path)
            .with_context(|| format!("cannot copy `{}` into the guest", path.display()))?;
        copy(&mut archive, &whole, place)?;
    }
    for (path, mode, content) in &contents.files {
        archive.file(path, *mode, content);
    }
    if let Some(command) = &contents.command {
        archive.file("run/command", 0o755, format!("{command}\n").as_bytes());
    }
    if contents.bring_out {
        archive.file("run/bring-out", 0o644, b"");
    }
    Ok(archive.finish())
}

/// Is there a busybox that runs by itself, without shared libraries?
pub fn busybox_is_static() -> bool {
    tool::find("busybox").and_then(|path| fs::read(path).ok()).is_some_and(|content| is_static(&content))
}

fn is_static(program: &[u8]) -> bool {
    // The path of the dynamic loader stands near the beginning of a program that needs it.
    !program.windows(14).take(4096).any(|bytes| bytes == b"/lib64/ld-linu")
}

fn busybox(archive: &mut Cpio) -> Result<()> {
    let Some(path) = tool::find("busybox") else {
        bail!("`busybox` is not installed: on Debian, run `apt-get install busybox-static`");
    };
    let content = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if !is_static(&content) {
        bail!("`{}` needs shared libraries: on Debian, run `apt-get install busybox-static`", path.display());
    }
    let applets = tool::output(std::process::Command::new(&path).arg("--list-full"))?.stdout;
    archive.file("bin/busybox", 0o755, &content);
    for applet in String::from_utf8_lossy(&applets).lines() {
        if applet != "bin/busybox" && !applet.is_empty() {
            archive.link(applet, "/bin/busybox");
        }
    }
    Ok(())
}

fn copy(archive: &mut Cpio, from: &Path, to: &str) -> Result<()> {
    let meta = fs::symlink_metadata(from).with_context(|| format!("cannot copy `{}`", from.display()))?;
    if meta.is_dir() {
        archive.folder(to);
        let entries =
            fs::read_dir(from).with_context(|| format!("cannot copy the folder `{}`", from.display()))?;
        let mut names: Vec<_> =
            entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
        names.sort();
        for path in names {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            copy(archive, &path, &format!("{to}/{name}"))?;
        }
    } else if meta.is_symlink() {
        archive.link(to, &fs::read_link(from)?.to_string_lossy());
    } else if meta.is_file() {
        let content = fs::read(from).with_context(|| format!("cannot copy `{}`", from.display()))?;
        archive.file(to, meta.permissions().mode(), &content);
    }
    Ok(())
}
