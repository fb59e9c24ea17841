//! The libraries that are linked into the binary, and the licences that want to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gemscope_vm::tool;
use serde_json::Value;

use crate::setup;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// How the files begin that hold a licence.
const NAMES: &[&str] = &["licen", "copying", "copyright", "notice", "unlicense"];

/// All of them as one text: a list, and then each text of a licence once, with the libraries it is of.
///
/// # Errors
/// When cargo does not know them.
pub fn licences(root: &Path) -> Result<String> {
    let mut tree = setup::cargo();
    tree.current_dir(root).args(["tree", "--package", "gemscope", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--target", TARGET, "--locked", "--format", "{p}\t{l}\t{r}"]);
    let told = String::from_utf8_lossy(&tool::output(&mut tree)?.stdout).into_owned();
    let linked: BTreeSet<&str> = told.lines().filter_map(foreign).collect();
    // Libraries of other platforms are in no binary, and need not be on this machine.
    let mut metadata = setup::cargo();
    metadata.current_dir(root).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        TARGET,
    ]);
    let metadata: Value = serde_json::from_slice(&tool::output(&mut metadata)?.stdout)
        .context("cargo's own description cannot be read")?;
    let known: BTreeSet<String> = packages(&metadata).map(|(name, _)| name).collect();
    let missing: Vec<&str> =
        linked.iter().map(|line| name(line)).filter(|name| !known.contains(*name)).collect();
    ensure!(missing.is_empty(), "cargo does not tell where the sources are of {}", missing.join(", "));
    let mut text = String::from("gemscope is linked with these libraries:\n\n");
    for line in &linked {
        let mut words = line.split('\t');
        let (name, licence, source) = (words.next(), words.next(), words.next());
        let [name, licence, source] = [name, licence, source].map(Option::unwrap_or_default);
        let _ = writeln!(text, "{name}: {licence}; {source}");
    }
    for (licence, names) in texts(&metadata, &linked) {
        let names: Vec<_> = names.into_iter().collect();
        let _ = write!(text, "\n{}\nOf {}:\n\n{}\n", "=".repeat(80), names.join(", "), licence.trim_end());
    }
    Ok(text)
}

/// A line of cargo's tree, unless it is of this workspace: those are named with their folder.
fn foreign(line: &str) -> Option<&str> {
    let line = line.strip_suffix(" (*)").unwrap_or(line);
    let name = line.split('\t').next()?;
    (!line.trim().is_empty() && !name.contains('/')).then_some(line)
}

/// A library's name and version, of its line.
fn name(line: &str) -> &str {
    // Libraries that are run by the compiler have a word behind.
    let name = line.split('\t').next().unwrap_or_default();
    name.strip_suffix(" (proc-macro)").unwrap_or(name)
}

/// Every library by name and version as cargo's tree has them, and the folder of its sources.
fn packages(metadata: &Value) -> impl Iterator<Item = (String, &Path)> {
    metadata["packages"].as_array().into_iter().flatten().filter_map(|package| {
        let field = |name: &str| package[name].as_str().unwrap_or_default();
        let folder = Path::new(field("manifest_path")).parent()?;
        Some((format!("{} v{}", field("name"), field("version")), folder))
    })
}

/// Each text of a licence with the libraries it is of.
fn texts(metadata: &Value, linked: &BTreeSet<&str>) -> BTreeMap<String, BTreeSet<String>> {
    let linked: BTreeSet<&str> = linked.iter().map(|line| name(line)).collect();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, folder) in packages(metadata).filter(|(name, _)| linked.contains(name.as_str())) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().to_lowercase();
            if NAMES.iter().any(|begin| file.starts_with(begin))
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                texts.entry(text).or_default().insert(name.clone());
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_told() {
        assert_eq!(foreign("aya v0.1.0\tMIT\thttps://x (*)"), Some("aya v0.1.0\tMIT\thttps://x"));
        assert_eq!(foreign("gemscope v0.1.0 (/work/gemscope/userspace/cli)\tMIT\t"), None);
        assert_eq!(foreign(""), None);
        let text = licences(&crate::workspace::root()).expect("told");
        assert!(text.contains("\nbtf-rs v") && text.contains("LGPL-2.1"), "{text}");
        assert!(!text.contains("gemscope-engine") && !text.contains("criterion"), "{text}");
    }
}
