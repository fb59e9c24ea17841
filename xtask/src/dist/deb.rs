//! The Debian package: made by `dpkg-deb`, which every Debian and Ubuntu has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use gemscope_vm::tool;

use super::Facts;

/// Makes a package of a folder that is laid out as the root of a machine.
///
/// # Errors
/// When `dpkg-deb` or `md5sum` is missing or fails.
pub fn pack(root: &Path, facts: &Facts, to: &Path) -> Result<()> {
    let files = files(root)?;
    let control = root.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let mut sums = tool::command("md5sum")?;
    sums.current_dir(root).args(&files);
    fs::write(control.join("md5sums"), tool::output(&mut sums)?.stdout)?;
    let mut bytes = 0;
    for file in &files {
        bytes += root.join(file).metadata()?.len();
    }
    fs::write(control.join("control"), about(facts, bytes.div_ceil(1024)))?;
    tool::output(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(root))?;
    let mut pack = tool::command("dpkg-deb")?;
    pack.args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"]).arg(root).arg(to);
    // Newer files are told to be of this time, and all of them are newer.
    pack.env("SOURCE_DATE_EPOCH", facts.time.to_string());
    tool::output(&mut pack).context("the package cannot be made")?;
    Ok(())
}

/// All files below a folder, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root)?.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What the package says of itself.
fn about(facts: &Facts, kib: u64) -> String {
    let Facts { version, maintainer, time: _ } = facts;
    format!(
        "Package: gemscope\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: {maintainer}\n\
         Installed-Size: {kib}\n\
         Suggests: qemu-system-x86, busybox-static, kmod\n\
         Section: devel\n\
         Priority: optional\n\
         Description: eBPF tracer and leak detector for GPU buffers\n\
         \x20gemscope watches GEM objects, their handles, and the dma-bufs they are shared\n\
         \x20through from inside the kernel. It says who leaks them, who breaks the rules of\n\
         \x20sharing them, and who still holds them: live, as an assertion in CI, or from a\n\
         \x20recorded trace.\n\
         \x20.\n\
         \x20The binary needs no other package. With QEMU it can also check a program in a\n\
         \x20virtual machine with another kernel.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_needs_nothing_and_says_what_it_is() {
        let facts = Facts { version: "1.2.3".into(), time: 0, maintainer: "A <a@b.example>".into() };
        let about = about(&facts, 7);
        assert!(!about.contains("Depends:") && about.contains("\nInstalled-Size: 7\n"), "{about}");
        assert!(about.lines().all(|line| line.starts_with(' ') || line.contains(": ")), "{about}");
        assert!(about.lines().all(|line| line.len() <= 80 && !line.trim().is_empty()), "{about}");
    }
}
