//! Programs out of Debian's packages, with the shared libraries that they need, for the guests.
//!
//! They come from the same archive as the kernels, are verified in the same way, and are kept in the cache. They are real
//! clients of the kernel's interface, written by others: what is said of them was not arranged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::index::{self, Package};
use crate::mirror::Mirror;
use crate::scratch::Scratch;
use crate::{cache, tell};

/// A program, and the packages that it and its libraries are in.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// The name of the file in `/usr/bin`, and the name that `--program` takes.
    pub name: &'static str,
    packages: &'static [&'static str],
}

/// The programs there are.
pub const PROGRAMS: &[Program] = &[
    Program { name: "modetest", packages: &["libdrm-tests", "libdrm2", "libdrm-amdgpu1", "libc6"] },
    Program {
        name: "bpftrace",
        packages: &[
            "bpftrace",
            "libbpf1",
            "libbpfcc",
            "libc6",
            "libclang1-19",
            "libclang-cpp19",
            "libelf1t64",
            "libgcc-s1",
            "libllvm19",
            "libstdc++6",
            "libsframe1",
            "libzstd1",
            "zlib1g",
            "libedit2",
            "libffi8",
            "libxml2",
            "libz3-4",
            "libbsd0",
            "libtinfo6",
            "liblzma5",
            "libmd0",
        ],
    },
];

/// Where to look; all packages of a program come from one suite.
const SUITES: &[&str] = &["trixie", "bookworm", "sid"];

/// The folder of shared libraries in a package: with and without a merged `/usr`.
const LIBRARIES: &[&str] = &["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
const LOADER: &str = "ld-linux-x86-64.so.2";

/// All packages, by name.
pub fn packages() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().flat_map(|program| program.packages.iter().copied())
}

/// The program of that name.
///
/// # Errors
/// When there is none.
pub fn program(name: &str) -> Result<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name).with_context(|| {
        let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
        format!("unknown program `{name}`: give one of {}", names.join(", "))
    })
}

/// A folder that is laid out as the guest's root, with the program and its libraries: fetched where it is not in the cache yet.
///
/// # Errors
/// When no suite has all packages and the cache has none from before, or one cannot be unpacked.
pub fn get(program: &Program) -> Result<PathBuf> {
    let cache = cache::folder()?;
    let store = cache.join("programs");
    fs::create_dir_all(&store).with_context(|| format!("cannot make `{}`", store.display()))?;
    let _lock = cache::lock(&cache, "programs")?;
    let found = Mirror::configured().and_then(|mirror| {
        let packages = find(&mirror, &cache, program)?;
        Ok((mirror, packages))
    });
    match found {
        Ok((mirror, packages)) => {
            let version = packages.first().map_or("", |package| &package.version);
            let root = store.join(format!("{}-{}", program.name, version.replace(['/', ':'], "-")));
            if !root.join("complete").is_file() {
                unpack(&mirror, program, &packages, &root)?;
            }
            Ok(root)
        }
        Err(error) => {
            let kept = kept(&store, program);
            if let Some(root) = &kept {
                tell(&format!("{error:#}; taking `{}` from the cache", root.display()));
            }
            kept.ok_or(error)
        }
    }
}

/// The packages, from the first suite that has them all.
fn find(mirror: &Mirror, cache: &Path, program: &Program) -> Result<Vec<Package>> {
    for suite in SUITES {
        let Some(list) = index::packages(mirror, suite, cache)? else { continue };
        let named = |name: &&'static str| list.iter().find(|package| package.name == *name).cloned();
        if let Some(found) = program.packages.iter().map(named).collect() {
            return Ok(found);
        }
    }
    bail!("no suite on the mirror has the packages of `{}`: {}", program.name, program.packages.join(", "))
}

/// What an earlier run fetched.
fn kept(store: &Path, program: &Program) -> Option<PathBuf> {
    let mut roots: Vec<PathBuf> = fs::read_dir(store).ok()?.flatten().map(|entry| entry.path()).collect();
    roots.sort();
    let begin = format!("{}-", program.name);
    let whole = |root: &PathBuf| {
        root.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begin))
            && root.join("complete").is_file()
    };
    roots.into_iter().rfind(whole)
}

/// Unpacks the packages, and keeps the program, the libraries and the loader, laid out the same for every suite.
fn unpack(mirror: &Mirror, program: &Program, packages: &[Package], root: &Path) -> Result<()> {
    let raw = Scratch::new("program")?;
    for package in packages {
        index::unpack(mirror, package, raw.path())?;
    }
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot clear `{}`", root.display()))?;
    }
    lay_out(raw.path(), program.name, root)?;
    fs::write(root.join("complete"), b"")?;
    Ok(())
}

fn lay_out(raw: &Path, name: &str, root: &Path) -> Result<()> {
    let (programs, libraries, loader) =
        (root.join("usr/bin"), root.join("lib/x86_64-linux-gnu"), root.join("lib64"));
    for dir in [&programs, &libraries, &loader] {
        fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    }
    copy(&raw.join("usr/bin").join(name), &programs.join(name))?;
    for dir in LIBRARIES.iter().map(|dir| raw.join(dir)).filter(|dir| dir.is_dir()) {
        for entry in fs::read_dir(&dir)?.flatten() {
            let file = entry.file_name();
            // `libdrm.so.2` is what programs ask for, and is mostly a link to the file with the whole version.
            if file.to_string_lossy().contains(".so.") && entry.path().is_file() {
                copy(&entry.path(), &libraries.join(file))?;
            }
        }
    }
    let loaders = ["lib64", "usr/lib64"].map(|dir| raw.join(dir).join(LOADER));
    // In a package it may be a link to a place that only an installed system has.
    let loaders = loaders.into_iter().chain(LIBRARIES.iter().map(|dir| raw.join(dir).join(LOADER)));
    let found = loaders.into_iter().find(|file| file.is_file());
    let found = found.with_context(|| format!("the packages of `{name}` have no `{LOADER}`"))?;
    copy(&found, &loader.join(LOADER))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy `{}`", from.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package's tree with these files.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, file).expect("written");
        }
        dir
    }

    #[test]
    fn both_layouts_come_out_the_same() {
        let split = tree(&[
            "usr/bin/modetest",
            "usr/bin/other",
            "usr/lib/x86_64-linux-gnu/libdrm.so.2",
            "lib/x86_64-linux-gnu/libc.so.6",
            "lib/x86_64-linux-gnu/gconv/A.so.1",
            "lib64/ld-linux-x86-64.so.2",
        ]);
        let merged = tree(&[
            "usr/bin/modetest",
            "usr/lib/x86_64-linux-gnu/libdrm.so.2",
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "usr/lib64/ld-linux-x86-64.so.2",
        ]);
        for raw in [split, merged] {
            let root = tempfile::tempdir().expect("a folder");
            lay_out(raw.path(), "modetest", root.path()).expect("laid out");
            let names = |dir: &str| {
                let entries = fs::read_dir(root.path().join(dir)).expect("a folder").flatten();
                let mut names: Vec<_> =
                    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                names
            };
            assert_eq!(names("usr/bin"), ["modetest"]);
            assert_eq!(names("lib/x86_64-linux-gnu"), ["libc.so.6", "libdrm.so.2"]);
            assert_eq!(names("lib64"), [LOADER]);
        }
    }

    #[test]
    fn what_was_fetched_before_is_found() {
        let store =
            tree(&["modetest-1/complete", "modetest-2/complete", "modetest-3/half", "other-9/complete"]);
        let root = kept(store.path(), program("modetest").expect("known")).expect("one is whole");
        assert_eq!(root, store.path().join("modetest-2"));
        assert!(program("modetes").is_err());
    }
}
