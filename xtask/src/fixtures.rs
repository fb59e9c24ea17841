//! `cargo xtask fixtures`: the traces that tests replay, recorded anew on each line of kernels.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::kernels::{self, Gone, Kernel};
use gemscope_vm::qemu::Sinks;

use crate::driver;
use crate::matrix;
use crate::rows::Lines;
use crate::vm::{Boot, SetupArgs};
use crate::workspace;

/// Where the traces are kept, with a folder for each line below.
const KEPT: &str = "tests/fixtures/traces";

/// A trace to record: the command that is traced, on the lines that can run it.
struct Fixture {
    name: &'static str,
    command: &'static str,
    lines: Lines,
    /// The driver of `tests/driver` is loaded while it is recorded.
    driver: bool,
}

const fn fixture(name: &'static str, command: &'static str) -> Fixture {
    Fixture { name, command, lines: Lines::All, driver: false }
}

/// A trace of the driver's: a fault that it can make, or the same done right.
const fn driven(name: &'static str, command: &'static str) -> Fixture {
    Fixture { name, command, lines: Lines::Only(&["newest"]), driver: true }
}

/// Lines whose kernel has neither udmabuf nor dma-heaps.
const OLD: &[&str] = &["5.10", "6.1"];

/// The traces. `demo` replays one of `forget-gem-close`.
const FIXTURES: &[Fixture] = &[
    fixture("s1", "gemclient s1"),
    fixture("s2", "gemclient s2"),
    fixture("s3", "gemclient s3"),
    fixture("s4", "gemclient s4 --clean"),
    fixture("s5", "gemclient s5"),
    fixture("s6", "gemclient s6"),
    fixture("s7", "gemclient s7"),
    fixture("s8", "gemclient s8"),
    fixture("s9", "gemclient s9"),
    fixture("s10", "gemclient s10"),
    Fixture { name: "s11", command: "gemclient s11", lines: Lines::But(OLD), driver: false },
    Fixture { name: "s12", command: "gemclient s12", lines: Lines::But(OLD), driver: false },
    fixture("s13", "gemclient s13"),
    fixture("s20", "gemclient s20"),
    fixture("s21", "gemclient s21"),
    fixture("forget-gem-close", "gemclient forget-gem-close"),
    fixture("forget-gem-close-nested", "gemclient forget-gem-close-nested"),
    fixture("forget-prime-fd", "gemclient forget-prime-fd"),
    fixture("close-twice", "gemclient close-twice"),
    fixture("killed-midway", "gemclient killed-midway"),
    fixture("six-step", "gemclient six-step"),
    fixture("six-step-reverse", "gemclient six-step-reverse"),
    // Calls inside each other's: what conformance has to find an order for.
    fixture("storm", "gemclient storm-threads --threads 3 --rounds 40"),
    fixture("storm-contended", "gemclient storm-contended --threads 4 --rounds 40"),
    fixture("storm-flink", "gemclient storm-flink --threads 3 --rounds 40"),
    fixture("storm-procs", "gemclient storm-procs --rounds 40"),
    driven("right-forgotten-detach", "gemclient fault forgotten-detach --right"),
    driven("fault-forgotten-detach", "gemclient fault forgotten-detach"),
    driven("right-extra-object-reference", "gemclient fault extra-object-reference --right"),
    driven("fault-extra-object-reference", "gemclient fault extra-object-reference"),
    driven("fault-second-dmabuf", "gemclient fault second-dmabuf"),
    driven("fault-cache-left", "gemclient fault cache-left"),
    driven("fault-handle-count", "gemclient fault handle-count"),
    driven("fault-extra-dmabuf-reference", "gemclient fault extra-dmabuf-reference"),
    driven("fault-put-before-detach", "gemclient fault put-before-detach"),
    driven("fault-link-left", "gemclient fault link-left"),
];

/// What is asked of the recording.
#[derive(Debug, Args)]
pub struct FixturesArgs {
    /// The kernel, as for `vm`; without it, all lines.
    #[arg(long = "kernel", value_name = "LINE")]
    kernels: Vec<String>,
    /// Only the traces whose name holds this.
    #[arg(long, value_name = "NAME")]
    filter: Vec<String>,
    /// Where to put them instead of among the tests.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A gemscope to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    gemscope: Option<PathBuf>,
    /// A gemclient to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    gemclient: Option<PathBuf>,
}

/// Records the traces of each line in one boot.
///
/// # Errors
/// When a guest cannot be run or a trace is not written.
pub fn run(args: &FixturesArgs) -> Result<u8> {
    let all = ["all".to_owned()];
    let names = kernels::expand(if args.kernels.is_empty() { &all } else { &args.kernels })?;
    let kept = args.out.clone().unwrap_or_else(|| workspace::root().join(KEPT));
    let plain = SetupArgs {
        gemscope: args.gemscope.clone(),
        gemclient: args.gemclient.clone(),
        timeout: 600,
        ..SetupArgs::plain()
    };
    let programs = plain.programs()?;
    for name in &names {
        let kernel = match kernels::get(name) {
            Ok(kernel) => kernel,
            Err(error) if error.is::<Gone>() => {
                eprintln!("xtask: {name}: SKIPPED: {error:#}");
                continue;
            }
            Err(error) => return Err(error),
        };
        let wanted = |fixture: &&Fixture| {
            let asked =
                args.filter.is_empty() || args.filter.iter().any(|part| fixture.name.contains(part.as_str()));
            asked && fixture.lines.hold(&kernel.line)
        };
        let chosen: Vec<&Fixture> = FIXTURES.iter().filter(wanted).collect();
        if chosen.is_empty() {
            bail!("no trace's name holds `{}`", args.filter.join("` or `"));
        }
        let dir = kept.join(&kernel.line);
        let driver = chosen.iter().any(|fixture| fixture.driver);
        let setup = SetupArgs { devices: matrix::devices(&kernel)?, ..plain.clone() };
        let boot = Boot {
            kernel: &kernel,
            setup: &setup,
            programs: &programs,
            files: if driver { vec![loadable(&kernel)?] } else { Vec::new() },
            command: Some(script(&chosen)),
            out: Some(dir.clone()),
        };
        let outcome = boot.run(Sinks { out: &mut std::io::stdout(), err: &mut std::io::stderr() })?;
        if outcome.is_none_or(|outcome| outcome.code != 0) {
            bail!("the traces of `{name}` were not all recorded");
        }
        let mut bytes = 0;
        for fixture in &chosen {
            let file = dir.join(format!("{}.gemtrace", fixture.name));
            let meta =
                fs::metadata(&file).with_context(|| format!("`{}` was not recorded", file.display()))?;
            bytes += meta.len();
        }
        eprintln!("xtask: {name}: {} traces, {bytes} bytes in all, in `{}`", chosen.len(), dir.display());
    }
    Ok(0)
}

/// The driver, for the guest to load and unload.
fn loadable(kernel: &Kernel) -> Result<(String, u32, Vec<u8>)> {
    let module = driver::module(kernel)?;
    Ok((format!("modules/{}", module.name), 0o644, module.content))
}

/// The shell script that records traces one by one; what the traced client ends with does not matter, a missing trace does.
fn script(fixtures: &[&Fixture]) -> String {
    let mut lines = vec!["bad=0".to_owned()];
    for Fixture { name, command, lines: _, driver } in fixtures {
        if *driver {
            lines.push("insmod /modules/gemfault.ko || exit 1".to_owned());
        }
        lines
            .push(format!("timeout 60 gemscope record -o /out/{name}.gemtrace -- {command} >/tmp/said 2>&1"));
        if *driver {
            lines.push("rmmod gemfault || exit 1".to_owned());
        }
        lines.push(format!(
            "[ -s /out/{name}.gemtrace ] || {{ echo '{name}: no trace'; cat /tmp/said; bad=1; }}"
        ));
    }
    lines.push("exit $bad".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = FIXTURES.iter().map(|fixture| fixture.name).collect();
        assert_eq!(names.len(), FIXTURES.len());
    }
}
