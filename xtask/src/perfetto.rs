//! Exports of every committed trace, read by Perfetto's own schema: `tests/perfetto/check.py` compares them with what the
//! engine counted.
//!
//! The schema comes with Perfetto's Python package, which is put into an environment of its own in the build folder. Its trace
//! processor is another program, which is not needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gemscope_vm::scratch::Scratch;
use gemscope_vm::tool;

use crate::{programs, setup, workspace};

const REQUIREMENTS: &str = "tests/perfetto/requirements.txt";
const CHECK: &str = "tests/perfetto/check.py";

/// Scenarios of the model beside the traces of kernels: with near misses, and with what is left open.
const SCENARIOS: &[&str] = &["export-vs-close@v3.10", "six-step-sharing@v3.9", "change-handle@v7.0"];

/// Makes sure that there is a Python with the package.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn prepare() -> Result<()> {
    setup::c_compiler()?;
    setup::python()?;
    let (dir, wanted) = (environment(), fs::read_to_string(workspace::root().join(REQUIREMENTS))?);
    let have = dir.join("requirements.txt");
    if fs::read_to_string(&have).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    eprintln!("xtask: installing Perfetto's Python package into `{}`", dir.display());
    setup::python_packages(&dir, &workspace::root().join(REQUIREMENTS))?;
    fs::write(&have, wanted).with_context(|| format!("cannot write `{}`", have.display()))
}

/// Exports all traces and has them read. Gives what was counted.
///
/// # Errors
/// When an export cannot be made, or says something else than the engine.
pub fn check() -> Result<String> {
    let root = workspace::root();
    let gemscope = programs::of_tests()?.join("gemscope");
    let scratch = Scratch::new("perfetto")?;
    let mut sources: Vec<(String, Vec<String>)> = Vec::new();
    for trace in traces(&root.join("tests/fixtures/traces"))? {
        let name =
            trace.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("-");
        sources.push((name, vec![trace.display().to_string()]));
    }
    for scenario in SCENARIOS {
        sources.push(((*scenario).to_owned(), vec!["--source".to_owned(), format!("model:{scenario}")]));
    }
    for (name, source) in &sources {
        for (format, end) in [("perfetto", "pftrace"), ("jsonl", "jsonl")] {
            let file = scratch.path().join(format!("{name}.{end}"));
            let mut export = Command::new(&gemscope);
            tool::output(export.arg("export").args(source).args(["--format", format, "-o"]).arg(file))?;
        }
    }
    let said = tool::output(Command::new(python()).arg(root.join(CHECK)).arg(scratch.path()))?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    ensure!(said.starts_with(&format!("{} traces", sources.len())), "not all were read: {said}");
    Ok(said)
}

fn environment() -> PathBuf {
    workspace::target().join("perfetto-python")
}

fn python() -> PathBuf {
    environment().join("bin/python")
}

/// Every trace below a folder, in order of name.
fn traces(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(traces(&path)?);
        } else if path.extension().is_some_and(|end| end == "gemtrace") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
