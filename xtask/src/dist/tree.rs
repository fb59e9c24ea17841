//! What is in a release, and where it lies.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use gemscope_vm::tool;

use super::Facts;

const LICENCES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];

/// Where a Debian system has the completions of the shells that have a place for them.
const COMPLETIONS: &[(&str, &str)] = &[
    ("gemscope.bash", "usr/share/bash-completion/completions/gemscope"),
    ("_gemscope", "usr/share/zsh/vendor-completions/_gemscope"),
    ("gemscope.fish", "usr/share/fish/vendor_completions.d/gemscope.fish"),
];

/// What Debian's checker is told about the package.
const OVERRIDES: &str = "\
# A static program that may be loaded anywhere looks like a library without any that it needs.
gemscope: shared-library-lacks-prerequisites [usr/bin/gemscope]
";

/// The folder that the archive holds.
///
/// # Errors
/// When something cannot be copied.
pub fn archive(root: &Path, binary: &Path, others: &str, to: &Path) -> Result<()> {
    put(binary, &to.join("gemscope"), 0o755)?;
    for name in LICENCES.iter().chain(&["README.md"]) {
        put(&root.join(name), &to.join(name), 0o644)?;
    }
    write(&to.join("LICENSES-OF-LIBRARIES"), others.as_bytes())?;
    all(&root.join("docs/man"), &to.join("man"))?;
    all(&root.join("completions"), &to.join("completions"))
}

/// The folder that is the root of the Debian package.
///
/// # Errors
/// When something cannot be copied or packed.
pub fn debian(root: &Path, binary: &Path, others: &str, facts: &Facts, to: &Path) -> Result<()> {
    put(binary, &to.join("usr/bin/gemscope"), 0o755)?;
    let pages = to.join("usr/share/man/man1");
    all(&root.join("docs/man"), &pages)?;
    for (name, place) in COMPLETIONS {
        put(&root.join("completions").join(name), &to.join(place), 0o644)?;
    }
    let docs = to.join("usr/share/doc/gemscope");
    write(&docs.join("copyright"), copyright(root)?.as_bytes())?;
    write(&docs.join("licenses-of-libraries"), others.as_bytes())?;
    write(&docs.join("changelog"), changelog(facts)?.as_bytes())?;
    write(&to.join("usr/share/lintian/overrides/gemscope"), OVERRIDES.as_bytes())?;
    let mut pack = tool::command("gzip")?;
    pack.args(["-9", "--no-name", "--recursive"]).arg(&pages).arg(docs.join("changelog"));
    pack.arg(docs.join("licenses-of-libraries"));
    tool::output(&mut pack)?;
    Ok(())
}

/// Whose it is, in the form that Debian's tools read.
fn copyright(root: &Path) -> Result<String> {
    let mit = fs::read_to_string(root.join("LICENSE-MIT")).context("cannot read `LICENSE-MIT`")?;
    let owner = mit.lines().find_map(|line| line.strip_prefix("Copyright (c) ")).unwrap_or("the authors");
    let terms =
        mit.lines().skip_while(|line| !line.starts_with("Permission")).map(|line| match line.trim() {
            "" => " .\n".to_owned(),
            line => format!(" {line}\n"),
        });
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: gemscope\n\
         Comment: The libraries that are linked, and their licences, are told in\n \
         /usr/share/doc/gemscope/licenses-of-libraries.gz\n\n\
         Files: *\n\
         Copyright: {owner}\n\
         License: Expat or Apache-2.0\n\n\
         License: Expat\n{}\n\
         License: Apache-2.0\n \
         On Debian systems, the full text of the Apache License version 2.0 is in\n \
         /usr/share/common-licenses/Apache-2.0.\n",
        terms.collect::<String>()
    ))
}

fn changelog(facts: &Facts) -> Result<String> {
    let Facts { version, time, maintainer } = facts;
    let mut date = tool::command("date")?;
    date.args(["--utc", "--rfc-email", &format!("--date=@{time}")]).env("LC_ALL", "C");
    let date = String::from_utf8_lossy(&tool::output(&mut date)?.stdout).trim().to_owned();
    Ok(format!(
        "gemscope ({version}) unstable; urgency=medium\n\n  * Release {version}.\n\n -- {maintainer}  {date}\n"
    ))
}

/// Copies all files of a folder that has no folders.
fn all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let path = entry?.path();
        put(&path, &to.join(path.file_name().unwrap_or_default()), 0o644)?;
    }
    Ok(())
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let content = fs::read(from).with_context(|| format!("cannot read `{}`", from.display()))?;
    write(to, &content)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn write(to: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    fs::write(to, content).with_context(|| format!("cannot write `{}`", to.display()))
}
