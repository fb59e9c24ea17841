//! `cargo xtask dist`: a release. One static binary with its pages, as an archive for every Linux and as a Debian package.
//!
//! The same commit gives the same bytes: names are sorted, times are the commit's, and nothing tells of the machine that made it.

mod archive;
mod deb;
mod others;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::scratch::Scratch;
use gemscope_vm::{index, tool};

use crate::{programs, workspace};

/// What is asked of a release.
#[derive(Debug, Args)]
pub struct DistArgs {
    /// Where to put it; without it, below cargo's build folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A gemscope to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What a release says of itself everywhere.
#[derive(Debug, Clone)]
struct Facts {
    /// The version of the workspace.
    version: String,
    /// When the commit was made, in seconds of Unix time.
    time: u64,
    /// Who made it: name and address.
    maintainer: String,
}

impl Facts {
    /// From the checkout: `SOURCE_DATE_EPOCH` and `DEBEMAIL` go before what the commit says.
    fn of_checkout() -> Result<Self> {
        let asked = |format: &str| -> Result<String> {
            let mut git = tool::command("git")?;
            git.current_dir(workspace::root()).args(["log", "-1", &format!("--format={format}")]);
            Ok(String::from_utf8_lossy(&tool::output(&mut git)?.stdout).trim().to_owned())
        };
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let time = set("SOURCE_DATE_EPOCH").map_or_else(|| asked("%ct"), Ok)?;
        let maintainer = match (set("DEBFULLNAME"), set("DEBEMAIL")) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            _ => asked("%an <%ae>")?,
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: time.parse().with_context(|| format!("`{time}` is no time"))?,
            maintainer,
        })
    }
}

/// Makes a release.
///
/// # Errors
/// When it does not build, is not static, or a tool is missing.
pub fn run(args: &DistArgs) -> Result<u8> {
    let out = args.out.clone().unwrap_or_else(|| workspace::target().join("dist"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make the folder `{}`", out.display()))?;
    let facts = Facts::of_checkout()?;
    let binary = match &args.binary {
        Some(given) => given.clone(),
        None => programs::release()?,
    };
    let binary = stripped(&binary)?;
    let made = make(&workspace::root(), &binary.1, &facts, &out)?;
    let mut sums = String::new();
    for path in &made {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sums.push_str(&format!("{}  {name}\n", index::sha256(path)?));
        println!("{}", path.display());
    }
    fs::write(out.join("SHA256SUMS"), sums)?;
    Ok(0)
}

/// The files of a release, in a folder.
fn make(root: &Path, binary: &Path, facts: &Facts, out: &Path) -> Result<Vec<PathBuf>> {
    let others = others::licences(root)?;
    let scratch = Scratch::new("dist")?;
    let name = format!("gemscope-{}-x86_64-linux", facts.version);
    let top = scratch.path().join(&name);
    tree::archive(root, binary, &others, &top)?;
    let archive = out.join(format!("{name}.tar.zst"));
    archive::pack(&top, facts.time, &archive)?;
    let staged = scratch.path().join("deb");
    tree::debian(root, binary, &others, facts, &staged)?;
    let package = out.join(format!("gemscope_{}_amd64.deb", facts.version));
    deb::pack(&staged, facts, &package)?;
    Ok(vec![archive, package])
}

/// A copy of the binary without symbols, and what keeps it; an error when it is not a static one.
fn stripped(binary: &Path) -> Result<(Scratch, PathBuf)> {
    let scratch = Scratch::new("dist")?;
    let copy = scratch.path().join("gemscope");
    fs::copy(binary, &copy).with_context(|| format!("cannot copy `{}`", binary.display()))?;
    let needs = gemscope_vm::libraries::closure(&copy)?;
    if needs.len() > 1 {
        bail!("`{}` needs shared libraries: a release is linked statically", binary.display());
    }
    tool::output(tool::command("strip")?.arg("--strip-all").arg(&copy))?;
    tool::output(Command::new(&copy).arg("--version")).context("the binary does not run")?;
    Ok((scratch, copy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_commit_gives_the_same_bytes() {
        if tool::find("dpkg-deb").is_none() {
            eprintln!("skipped: `dpkg-deb` is not installed");
            return;
        }
        let facts =
            Facts { version: "1.2.3".into(), time: 1_700_000_000, maintainer: "A B <a@b.example>".into() };
        let binary = tempfile::NamedTempFile::new().expect("a file");
        fs::write(binary.path(), "not quite a program").expect("written");
        let [one, two] = [0, 1].map(|_| {
            let out = tempfile::tempdir().expect("a folder");
            let made = make(&workspace::root(), binary.path(), &facts, out.path()).expect("made");
            let sums: Vec<_> = made.iter().map(|file| index::sha256(file).expect("read")).collect();
            (out, made, sums)
        });
        assert_eq!(one.2, two.2);
        let mut list = Command::new("dpkg-deb");
        let said = tool::output(list.arg("--contents").arg(&one.1[1]).env("TZ", "UTC0")).expect("a package");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        for file in [
            "-rwxr-xr-x root/root 19 2023-11-14 22:13 ./usr/bin/gemscope",
            "./usr/share/man/man1/gemscope-check.1.gz",
            "./usr/share/bash-completion/completions/gemscope",
            "./usr/share/zsh/vendor-completions/_gemscope",
            "./usr/share/fish/vendor_completions.d/gemscope.fish",
            "./usr/share/doc/gemscope/copyright",
        ] {
            assert!(
                said.split_whitespace().collect::<Vec<_>>().join(" ").contains(file),
                "no `{file}` in\n{said}"
            );
        }
    }
}
