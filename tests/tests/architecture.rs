//! The workspace is what ARCHITECTURE.md says it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every crate with the crates of the workspace it may depend on. Arrows go downwards only: an entry names crates of the
/// entries above it.
const ARROWS: &[(&str, &[&str])] = &[
    ("gemscope-common", &[]),
    ("gemscope-probes", &["gemscope-common"]),
    ("gemscope-engine", &["gemscope-common"]),
    ("gemscope-policy", &["gemscope-common", "gemscope-engine"]),
    ("gemscope-model", &["gemscope-common"]),
    ("gemscope-trace", &["gemscope-common"]),
    ("gemscope-live", &["gemscope-common", "gemscope-probes", "gemscope-trace"]),
    ("gemscope-vm", &[]),
    ("gemscope-report", &["gemscope-common", "gemscope-engine", "gemscope-policy", "gemscope-trace"]),
    ("gemscope-tui", &["gemscope-common", "gemscope-engine", "gemscope-trace", "gemscope-report"]),
    (
        "gemscope",
        &[
            "gemscope-common",
            "gemscope-probes",
            "gemscope-engine",
            "gemscope-policy",
            "gemscope-model",
            "gemscope-trace",
            "gemscope-live",
            "gemscope-vm",
            "gemscope-report",
            "gemscope-tui",
        ],
    ),
    ("xtask", &["gemscope-common", "gemscope-engine", "gemscope-model", "gemscope-vm"]),
    ("gemclient", &[]),
    ("gemscope-tests", &[]),
];

/// Crates that are computed only: no files, no clock, no threads, no kernel.
const PURE: &[&str] = &[
    "gemscope-common",
    "gemscope-probes",
    "gemscope-engine",
    "gemscope-policy",
    "gemscope-model",
    "gemscope-report",
    "gemscope-tui",
];

/// What the sources of a pure crate may not name.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::thread", "std::env", "aya::", "tokio::"];

/// What, beyond that, the engine may not: it sees records and nothing else.
const CLOCKS: &[&str] = &["SystemTime", "Instant"];

/// The only crate that may depend on these.
const KERNEL_CRATES: &[&str] = &["aya", "aya-log", "aya-obj", "blazesym"];
const KERNEL_USER: &str = "gemscope-live";

/// Folders whose sources may have `unsafe` in them: what talks to a kernel, what starts guests, developer commands, and what
/// counts allocations in a bench.
const UNSAFE: &[&str] =
    &["ebpf/", "userspace/live/", "userspace/vm/", "xtask/", "tests/clients/", "userspace/engine/benches/"];

/// A source file past this length asks to be split.
const LONGEST: usize = 600;

struct Package {
    name: String,
    folder: PathBuf,
    license: String,
    /// name, and whether it is for tests and benches only
    dependencies: Vec<(String, bool)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let package = |p: &Value| Package {
        name: text(&p["name"]),
        folder: Path::new(&text(&p["manifest_path"])).parent().unwrap().to_owned(),
        license: text(&p["license"]),
        dependencies: p["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| (text(&d["name"]), d["kind"] == "dev"))
            .collect(),
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// Every Rust file below a folder, without what cargo builds.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: without comments, and without the tests at its end, which may do what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let line = |l: &str| l.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn arrows_go_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (i, (name, below)) in ARROWS.iter().enumerate() {
        let above: Vec<_> = ARROWS[..i].iter().map(|(n, _)| *n).collect();
        assert!(below.iter().all(|b| above.contains(b)), "`{name}` points upwards in the table itself");
    }
    let packages = packages();
    let members: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    for package in &packages {
        let may = allowed.get(package.name.as_str());
        let may = may.unwrap_or_else(|| panic!("`{}` has no place in the table of arrows", package.name));
        for (dependency, for_tests) in &package.dependencies {
            let fine =
                *for_tests || !members.contains(dependency.as_str()) || may.contains(&dependency.as_str());
            assert!(fine, "`{}` may not depend on `{dependency}`", package.name);
        }
    }
}

#[test]
fn engine_and_model_do_not_know_each_other() {
    for package in
        packages().iter().filter(|p| ["gemscope-engine", "gemscope-model"].contains(&p.name.as_str()))
    {
        // Not in their tests either: only the tests of the whole bring them together.
        let knows = package.dependencies.iter().any(|(d, _)| d == "gemscope-engine" || d == "gemscope-model");
        assert!(!knows, "`{}` knows the other", package.name);
    }
}

#[test]
fn only_live_talks_to_the_kernel() {
    for package in packages().iter().filter(|p| p.name != KERNEL_USER && p.name != "gemscope-ebpf") {
        for (dependency, _) in &package.dependencies {
            let kernel = KERNEL_CRATES.contains(&dependency.as_str());
            assert!(
                !kernel,
                "`{}` depends on `{dependency}`, which is for `{KERNEL_USER}` only",
                package.name
            );
        }
    }
}

#[test]
fn pure_crates_are_pure() {
    for package in packages().iter().filter(|p| PURE.contains(&p.name.as_str())) {
        for (dependency, for_tests) in &package.dependencies {
            let outside = ["aya", "tokio", "rustix", "nix", "libc", "ratatui-crossterm"];
            let fine = *for_tests || !outside.contains(&dependency.as_str());
            assert!(fine, "`{}` is pure and depends on `{dependency}`", package.name);
        }
        for file in sources(&package.folder.join("src")) {
            let code = code(&file);
            let clocks = if package.name == "gemscope-engine" { CLOCKS } else { &[] };
            for word in IMPURE.iter().chain(clocks) {
                assert!(!code.contains(word), "`{}` is pure and names `{word}`", file.display());
            }
        }
    }
}

#[test]
fn every_crate_has_the_licence() {
    for package in packages() {
        assert_eq!(package.license, "MIT OR Apache-2.0", "of `{}`", package.name);
    }
}

#[test]
fn no_source_is_too_long() {
    for file in sources(&root()) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "`{}` has {lines} lines: split it", file.display());
    }
}

#[test]
fn unsafe_is_where_it_must_be() {
    let root = root();
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        // In this very file the words stand in a table.
        if UNSAFE.iter().any(|folder| relative.starts_with(folder)) || relative.ends_with("architecture.rs") {
            continue;
        }
        let code = code(&file);
        for word in ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"] {
            assert!(!code.contains(word), "`{relative}` has `{word}`");
        }
    }
}
