//! `cargo xtask test`: everything, from the formatting to the guests.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::tool;

use crate::matrix::{self, MatrixArgs, Tally};
use crate::pages::PagesArgs;
use crate::{ebpf, html, in_vm, outputs, pages, perfetto, setup, summary, workspace};

/// What is asked of the tests.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Only this step.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// All but this step.
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// List the steps and do nothing.
    #[arg(long)]
    list: bool,
}

/// One step: what it is called, what it is for, what it needs installed, and how it runs.
struct Step {
    name: &'static str,
    about: &'static str,
    prepare: fn() -> Result<()>,
    run: fn() -> Result<Tally>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the formatting", prepare: setup::components, run: fmt },
    Step {
        name: "clippy",
        about: "the compiler's and clippy's lints",
        prepare: components_and_compiler,
        run: clippy,
    },
    Step {
        name: "test",
        about: "unit, property, golden and CLI tests",
        prepare: setup::c_compiler,
        run: test,
    },
    Step {
        name: "pages",
        about: "the committed man pages and shell completions against the arguments",
        prepare: setup::c_compiler,
        run: pages_check,
    },
    Step {
        name: "perfetto",
        about: "exports of every committed trace, read by Perfetto's own schema",
        prepare: perfetto::prepare,
        run: perfetto_check,
    },
    Step {
        name: "outputs",
        about: "JUnit and SARIF files of committed traces, read by the published schemas",
        prepare: outputs::prepare,
        run: outputs_check,
    },
    Step {
        name: "truth",
        about: "the engine against the model: every interleaving of every scenario in every profile",
        prepare: setup::c_compiler,
        run: truth,
    },
    Step {
        name: "html",
        about: "the pages of `gemscope report` in a browser",
        prepare: html::prepare,
        run: html::run,
    },
    Step {
        name: "ebpf",
        about: "the committed eBPF object against its sources",
        prepare: setup::ebpf,
        run: ebpf_check,
    },
    Step {
        name: "in-vm",
        about: "`gemscope check --in-vm`: the programs of this machine, checked in a guest",
        prepare: setup::guests,
        run: in_vm,
    },
    Step {
        name: "vm-matrix",
        about: "the test matrix in guests with stock kernels",
        prepare: setup::guests,
        run: guests,
    },
];

/// What became of a step.
struct Outcome {
    name: &'static str,
    tally: Tally,
    took: Duration,
}

/// Runs the steps, and ends with the totals as the last line.
///
/// # Errors
/// When a step is asked for that does not exist.
pub fn run(args: &TestArgs) -> Result<u8> {
    for name in args.only.iter().chain(&args.skip) {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("unknown step `{name}`: the steps are {}", names.join(", "));
        }
    }
    let wanted = |name: &str| {
        (args.only.is_empty() || args.only.iter().any(|only| only == name))
            && !args.skip.iter().any(|skip| skip == name)
    };
    if args.list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(0);
    }
    let mut outcomes = Vec::new();
    for step in STEPS.iter().filter(|step| wanted(step.name)) {
        eprintln!("xtask: {}: {}", step.name, step.about);
        let begin = Instant::now();
        let tally = (step.prepare)().and_then(|()| (step.run)()).unwrap_or_else(|error| {
            eprintln!("xtask: {}: {error:#}", step.name);
            Tally { failed: 1, ..Tally::default() }
        });
        outcomes.push(Outcome { name: step.name, tally, took: begin.elapsed() });
    }
    println!();
    let mut all = Tally::default();
    for Outcome { name, tally: Tally { passed, failed, skipped }, took } in &outcomes {
        let word = if *failed == 0 { "ok" } else { "FAILED" };
        println!(
            "{name:<10} {word:<7} {:>5.0} s   {}",
            took.as_secs_f32(),
            summary::totals(*passed, *failed, *skipped)
        );
        all.passed += passed;
        all.failed += failed;
        all.skipped += skipped;
    }
    println!("{}", summary::totals(all.passed, all.failed, all.skipped));
    Ok(u8::from(all.failed > 0))
}

const ONE_PASSED: Tally = Tally { passed: 1, failed: 0, skipped: 0 };

fn components_and_compiler() -> Result<()> {
    setup::components()?;
    setup::c_compiler()
}

/// A cargo command in the root of the checkout.
fn cargo(words: &[&str]) -> Command {
    let mut command = setup::cargo();
    command.current_dir(workspace::root()).args(words);
    command
}

fn fmt() -> Result<Tally> {
    tool::shown(&mut cargo(&["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    tool::shown(&mut cargo(&["fmt", "--manifest-path", "ebpf/Cargo.toml", "--check"]))
        .context("run `cargo fmt --manifest-path ebpf/Cargo.toml`")?;
    Ok(ONE_PASSED)
}

fn clippy() -> Result<Tally> {
    tool::shown(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(ONE_PASSED)
}

/// All tests of the workspace, each counted.
fn test() -> Result<Tally> {
    let mut command = cargo(&["test", "--quiet", "--workspace", "--no-fail-fast"]);
    // A golden file that has changed is a failure here, never something to write.
    command.env("INSTA_UPDATE", "no").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run `cargo`")?;
    let mut tally = Tally::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n') {
            let line = line.context("cannot read what the tests print")?;
            let line = String::from_utf8_lossy(&line);
            match summary::counts(&line) {
                Some((passed, failed)) => {
                    tally.passed += passed;
                    tally.failed += failed;
                }
                // A line of dots, one for each test, says nothing.
                None if line.trim_matches('.').trim().is_empty() || line.starts_with("running ") => {}
                None => eprintln!("{line}"),
            }
        }
    }
    let status = child.wait().context("cannot wait for `cargo`")?;
    if !status.success() && tally.failed == 0 {
        // It did not build, or a test ended its whole process.
        tally.failed += 1;
    }
    Ok(tally)
}

fn pages_check() -> Result<Tally> {
    pages::run(&PagesArgs { check: true })?;
    Ok(ONE_PASSED)
}

fn perfetto_check() -> Result<Tally> {
    eprintln!("xtask: perfetto: {}", perfetto::check()?);
    Ok(ONE_PASSED)
}

fn outputs_check() -> Result<Tally> {
    eprintln!("xtask: outputs: {}", outputs::check()?);
    Ok(ONE_PASSED)
}

/// Millions of states: by a build that is made for it.
fn truth() -> Result<Tally> {
    tool::shown(&mut cargo(&["run", "--quiet", "--release", "--package", "xtask", "--", "truth"]))?;
    Ok(ONE_PASSED)
}

fn ebpf_check() -> Result<Tally> {
    ebpf::check()?;
    Ok(ONE_PASSED)
}

fn in_vm() -> Result<Tally> {
    setup::c_compiler()?;
    in_vm::check()
}

fn guests() -> Result<Tally> {
    setup::c_compiler()?;
    matrix::matrix(&MatrixArgs::all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_steps_are_refused() {
        let args = TestArgs { only: vec!["fmtt".into()], skip: Vec::new(), list: false };
        let error = run(&args).expect_err("no such step");
        assert_eq!(
            error.to_string(),
            "unknown step `fmtt`: the steps are fmt, clippy, test, pages, perfetto, outputs, truth, html, ebpf, in-vm, vm-matrix"
        );
    }
}
