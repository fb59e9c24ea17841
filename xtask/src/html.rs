//! The pages of `gemscope report`, looked at by a browser: Debian's Chromium, driven by `tests/html/browser.py`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use gemscope_vm::scratch::Scratch;
use gemscope_vm::tool;

use crate::matrix::Tally;
use crate::{programs, setup, workspace};

/// What the pages are made of: leaks of every kind with few and many holders, faults of a driver, clean runs, much of everything.
const TRACES: &[&str] = &[
    "5.10/forget-gem-close",
    "newest/forget-gem-close",
    "newest/forget-prime-fd",
    "newest/fault-extra-object-reference",
    "newest/fault-forgotten-detach",
    "newest/fault-put-before-detach",
    "newest/fault-second-dmabuf",
    "newest/killed-midway",
    "newest/six-step",
    "newest/s1",
    "newest/storm-procs",
];

/// The same of the model: no kernel, no stacks.
const SCENARIOS: &[&str] = &["model:export-vs-close@v3.10"];

/// Makes sure that there is the browser, and what drives it.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn prepare() -> Result<()> {
    setup::c_compiler()?;
    setup::browser()
}

/// Writes the pages and opens them.
///
/// # Errors
/// When gemscope does not build or the browser cannot be run at all.
pub fn run() -> Result<Tally> {
    let gemscope = programs::of_tests()?.join("gemscope");
    let scratch = Scratch::new("html")?;
    let mut pages: Vec<PathBuf> = Vec::new();
    let traces = workspace::root().join("tests/fixtures/traces");
    for trace in TRACES {
        let page = scratch.path().join(format!("{}.html", trace.replace('/', "-")));
        write(&gemscope, &page, &[traces.join(format!("{trace}.gemtrace")).as_os_str()])?;
        pages.push(page);
    }
    for scenario in SCENARIOS {
        let page = scratch.path().join(format!("{}.html", scenario.replace([':', '@'], "-")));
        write(&gemscope, &page, &["--source".as_ref(), scenario.as_ref(), "--worst".as_ref()])?;
        pages.push(page);
    }
    look(&pages)
}

fn write(gemscope: &Path, page: &Path, of: &[&std::ffi::OsStr]) -> Result<()> {
    let mut command = Command::new(gemscope);
    tool::output(command.arg("report").args(of).arg("-o").arg(page))?;
    Ok(())
}

/// Each check is a line.
fn look(pages: &[PathBuf]) -> Result<Tally> {
    // Debian's own Python has Debian's packages; another one that is found first does not.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(workspace::root().join("tests/html/browser.py")).args(pages);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run `python3`")?;
    let mut tally = Tally::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.context("cannot read what the browser's driver prints")?;
            if line.starts_with("ok ") {
                tally.passed += 1;
            } else {
                eprintln!("{line}");
                tally.failed += usize::from(line.starts_with("FAILED "));
            }
        }
    }
    let status = child.wait().context("cannot wait for `python3`")?;
    if tally.passed == 0 || (!status.success() && tally.failed == 0) {
        // It ended before it could look.
        tally.failed += 1;
    }
    Ok(tally)
}
