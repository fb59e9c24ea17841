//! `gemscope check --in-vm` as a user calls it: a leak in a program of this machine, found in a guest, with everything brought back.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gemscope_vm::kernels::{self, Gone};
use gemscope_vm::scratch::Scratch;
use gemscope_vm::tool;

use crate::matrix::Tally;
use crate::programs::{self, Program};

/// The kernel: one boot is enough, since the matrix has all of them.
const KERNEL: &str = "newest";

/// What is checked: dynamically linked, found on `PATH`, in a folder of its own, told by the environment what to do.
const SCRIPT: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" && pwd && gemclient \"$SCENARIO\" && echo done > done
";

/// Runs it, and looks at what came back.
///
/// # Errors
/// When it did not find the leak, or did not bring everything back.
pub fn check() -> Result<Tally> {
    match kernels::get(KERNEL) {
        Ok(_) => {}
        Err(error) if error.is::<Gone>() => {
            eprintln!("xtask: in-vm: SKIPPED: {error:#}");
            return Ok(Tally { skipped: 1, ..Tally::default() });
        }
        Err(error) => return Err(error),
    }
    let programs = programs::build(&[Program::Gemscope, Program::Gemclient])?;
    let scratch = Scratch::new("in-vm")?;
    let dir = scratch.path();
    for (name, path) in &programs {
        fs::copy(path, dir.join(name)).with_context(|| format!("cannot copy `{}`", path.display()))?;
    }
    let script = dir.join("it's a test");
    fs::write(&script, SCRIPT)?;
    tool::output(Command::new("chmod").arg("+x").arg(&script))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([dir.to_path_buf()].into_iter().chain(std::env::split_paths(&path)))?;
    let mut command = Command::new(dir.join("gemscope"));
    command.current_dir(dir).env("PATH", path).env("SCENARIO", "forget-gem-close").stdin(Stdio::null());
    command.args(["check", "--in-vm", KERNEL, "--timeout", "300", "--json", "--report", "report.jsonl"]);
    command.args(["-o", "leak.gemtrace", "--vm-out", "done", "--", "./it's a test"]);
    let said = command.output().context("cannot run `gemscope`")?;
    let told = || String::from_utf8_lossy(&said.stderr).into_owned();
    ensure!(said.status.code() == Some(1), "the leak was not found ({}): {}", said.status, told());
    let printed = String::from_utf8_lossy(&said.stdout);
    let at = fs::canonicalize(dir)?;
    ensure!(
        printed.lines().next() == at.to_str(),
        "the program ran in another folder or its output is lost: {printed}{}",
        told()
    );
    let report = fs::read_to_string(dir.join("report.jsonl")).context("the report was not brought back")?;
    ensure!(report.contains("\"rule\":\"handle-leak\""), "the report tells of no leaked handle: {report}");
    ensure!(
        fs::read_to_string(dir.join("done")).is_ok_and(|text| text == "done\n"),
        "`--vm-out` was not brought back"
    );
    let replay =
        Command::new(dir.join("gemscope")).current_dir(dir).args(["replay", "leak.gemtrace"]).output()?;
    ensure!(
        replay.status.code() == Some(1),
        "the trace does not say the same: {}",
        String::from_utf8_lossy(&replay.stderr)
    );
    Ok(Tally { passed: 1, ..Tally::default() })
}
