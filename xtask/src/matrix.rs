//! `cargo xtask vm-matrix`: the rows of the test matrix, on each line of kernels.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use gemscope_vm::debian;
use gemscope_vm::kernels::{self, Gone, Kernel};
use gemscope_vm::modules;
use gemscope_vm::qemu::{Crashed, Sinks};

use crate::driver::{self, NoHeaders};
use crate::rows::{self, Row};
use crate::vm::{Boot, SetupArgs};
use crate::workspace;

const DRIVER: &[u8] = include_bytes!("guest/rows.sh");
/// The devices of the matrix's guests, where the kernel has them.
const DEVICES: &[&str] = &["virtio-gpu", "bochs", "udmabuf"];
/// Fewer lines than this are not enough when all were asked for.
pub const LINES_WANTED: usize = 3;
/// The lines in the order in which they are begun when all are: two long ones, which also run most of the rows that are for one line only,
/// and three short ones, so that two guests at a time end at about the same time. Lines that are not named here come last.
const ORDER: &[&str] = &["6.12", "5.10", "newest", "6.1", "6.18"];
/// A boot may take this long without its rows.
const BOOT_SECONDS: u64 = 90;

/// What is asked of the matrix.
#[derive(Debug, Clone, Args)]
pub struct MatrixArgs {
    /// The kernel, as for `vm`; without it, all lines.
    #[arg(long = "kernel", value_name = "LINE")]
    pub kernels: Vec<String>,
    /// Only the rows whose name holds this.
    #[arg(long, value_name = "NAME")]
    pub filter: Vec<String>,
    /// Each row on every line that it is for; otherwise rows that show the same on each kernel are run on one.
    #[arg(long)]
    pub everywhere: bool,
    /// How many guests run at a time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub jobs: usize,
    /// A gemscope to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    pub gemscope: Option<PathBuf>,
    /// A gemclient to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH")]
    pub gemclient: Option<PathBuf>,
    /// Tell of each row as it ends.
    #[arg(short, long)]
    pub verbose: bool,
    /// List the rows and do nothing.
    #[arg(long)]
    pub list: bool,
}

impl MatrixArgs {
    /// All rows on all lines.
    pub fn all() -> Self {
        Self {
            kernels: Vec::new(),
            filter: Vec::new(),
            everywhere: false,
            jobs: 2,
            gemscope: None,
            gemclient: None,
            verbose: false,
            list: false,
        }
    }
}

/// How the rows came out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Those that were as expected.
    pub passed: usize,
    /// Those that were not, or did not run though they should have.
    pub failed: usize,
    /// Those of lines that are not on the mirror.
    pub skipped: usize,
}

/// What became of one line.
struct LineResult {
    tally: Tally,
    ran: bool,
    text: String,
}

/// Runs the matrix as a command of its own.
///
/// # Errors
/// When it cannot be run at all.
pub fn run(args: &MatrixArgs) -> Result<u8> {
    if args.list {
        for row in chosen(&args.filter) {
            println!("{:<24} {}", row.name, row.command);
        }
        return Ok(0);
    }
    let tally = matrix(args)?;
    println!("{}", crate::summary::totals(tally.passed, tally.failed, tally.skipped));
    Ok(u8::from(tally.failed > 0))
}

fn chosen(filter: &[String]) -> Vec<&'static Row> {
    if filter.is_empty() {
        return rows::usual().collect();
    }
    rows::all().filter(|row| filter.iter().any(|part| row.name.contains(part.as_str()))).collect()
}

/// Can the program that a row runs be had?
fn can_run(row: &Row) -> bool {
    let Some(name) = row.program else { return true };
    match debian::program(name).and_then(debian::get) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("xtask: {}: SKIPPED: {error:#}", row.name);
            false
        }
    }
}

/// Runs the matrix and prints what became of each line.
///
/// # Errors
/// When it cannot be run at all.
pub fn matrix(args: &MatrixArgs) -> Result<Tally> {
    let all = ["all".to_owned()];
    let mut names = kernels::expand(if args.kernels.is_empty() { &all } else { &args.kernels })?;
    if args.kernels.is_empty() {
        names.sort_by_key(|name| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    }
    let rows = chosen(&args.filter);
    anyhow::ensure!(
        !rows.is_empty(),
        "no row's name holds `{}`: `--list` shows them",
        args.filter.join("` or `")
    );
    let setup = SetupArgs {
        gemscope: args.gemscope.clone(),
        gemclient: args.gemclient.clone(),
        ..SetupArgs::plain()
    };
    let programs = setup.programs()?;
    let asked = rows.len();
    let rows: Vec<_> = rows.into_iter().filter(|row| can_run(row)).collect();
    let without = asked - rows.len();

    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, LineResult)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = names.get(number) else { return };
            let once = || one_line(name, &rows, &setup, &programs, args);
            let result = once().or_else(|error| {
                if !error.is::<Crashed>() {
                    return Err(error);
                }
                eprintln!("{name}: {error:#}\n{name}: all its rows once more");
                once()
            });
            let result = result.unwrap_or_else(|error| LineResult {
                tally: Tally { failed: 1, ..Tally::default() },
                ran: false,
                text: format!("{name}: {error:#}\n"),
            });
            eprint!("{}", result.text);
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..args.jobs.clamp(1, names.len().max(1)) {
            scope.spawn(work);
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut tally = Tally { skipped: without * names.len(), ..Tally::default() };
    for (_, LineResult { tally: Tally { passed, failed, skipped }, .. }) in &results {
        tally.passed += passed;
        tally.failed += failed;
        tally.skipped += skipped;
    }
    let ran = results.iter().filter(|(_, result)| result.ran).count();
    if args.kernels.is_empty() && ran < LINES_WANTED {
        eprintln!("xtask: only {ran} lines of kernels ran, and at least {LINES_WANTED} must");
        tally.failed += 1;
    }
    Ok(tally)
}

/// Boots one line and judges its rows.
fn one_line(
    name: &str,
    rows: &[&Row],
    setup: &SetupArgs,
    programs: &[(String, PathBuf)],
    args: &MatrixArgs,
) -> Result<LineResult> {
    let everywhere = args.everywhere || !args.filter.is_empty();
    let kernel = match kernels::get(name) {
        Ok(kernel) => kernel,
        Err(error) if error.is::<Gone>() => {
            let tally = Tally { skipped: rows.len(), ..Tally::default() };
            return Ok(LineResult { tally, ran: false, text: format!("{name}: SKIPPED: {error:#}\n") });
        }
        Err(error) => return Err(error),
    };
    let line = &kernel.line;
    let runs = |row: &&Row| row.lines.hold(line) && (everywhere || row.usual.hold(line));
    let mut rows: Vec<&Row> = rows.iter().copied().filter(runs).collect();
    let mut tally = Tally::default();
    let mut text = String::new();
    let mut driver = None;
    if rows.iter().any(|row| row.driver) {
        match driver::module(&kernel) {
            Ok(module) => driver = Some((format!("modules/{}", module.name), 0o644, module.content)),
            Err(error) if error.is::<NoHeaders>() => {
                let before = rows.len();
                rows.retain(|row| !row.driver);
                tally.skipped = before - rows.len();
                let _ = writeln!(text, "{name}: {} rows SKIPPED: {error:#}", tally.skipped);
            }
            Err(error) => return Err(error),
        }
    }
    if rows.is_empty() {
        let _ = writeln!(text, "{name}: none of the rows asked for is for this line");
        return Ok(LineResult { tally, ran: true, text });
    }
    let out = workspace::target().join("vm-matrix").join(name);
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot clear `{}`", out.display()))?;
    }
    let begin = Instant::now();
    let mut progress = Progress { name, begin, verbose: args.verbose, said: Vec::new() };
    let boot = Boot {
        kernel: &kernel,
        setup: &for_rows(&kernel, &rows, setup)?,
        programs,
        files: files(&rows).into_iter().chain(driver).collect(),
        command: Some("sh /rows/run".to_owned()),
        out: Some(out.clone()),
    };
    let outcome = boot.run(Sinks { out: &mut progress, err: &mut std::io::sink() });
    // Nothing of what ran in a guest whose machine broke under it counts.
    let outcome = match outcome {
        Err(error) if error.is::<Crashed>() => return Err(error),
        outcome => outcome,
    };
    let progress = String::from_utf8_lossy(&progress.said);
    for row in &rows {
        if out.join(format!("{}.first", row.name)).exists() {
            let _ = writeln!(
                text,
                "{name}: {}: run again: probes had missed hits, and not everything was certain",
                row.name
            );
        }
        match judge(row, &out.join(row.name))
            .and_then(|()| judge_first(row, &out.join(format!("{}.first", row.name))))
        {
            Ok(()) => tally.passed += 1,
            Err(why) => {
                tally.failed += 1;
                let _ = writeln!(text, "{name}: {}: FAILED: {why}\n    command: {}", row.name, row.command);
            }
        }
    }
    match outcome {
        Ok(outcome) => {
            for complaint in outcome.map(|outcome| outcome.complaints).unwrap_or_default() {
                let _ = writeln!(text, "{name}: the kernel complained: {complaint}");
            }
        }
        Err(error) => {
            tally.failed += usize::from(tally.failed == 0);
            let at = progress.lines().next_back().unwrap_or("nothing");
            let _ = writeln!(text, "{name}: {error:#}\n    its rows had come to: {at}");
        }
    }
    let took = begin.elapsed().as_secs_f32();
    let Tally { passed, failed, skipped: _ } = tally;
    let _ = writeln!(text, "{name}: `{}`: {passed} passed, {failed} failed ({took:.0} s)", kernel.version);
    Ok(LineResult { tally, ran: true, text })
}

/// What the driver in the guest says as it goes from row to row; shown when asked for.
struct Progress<'a> {
    name: &'a str,
    begin: Instant,
    verbose: bool,
    said: Vec<u8>,
}

impl std::io::Write for Progress<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.said.extend_from_slice(bytes);
        if self.verbose {
            for line in String::from_utf8_lossy(bytes).lines().filter(|line| line.starts_with("end ")) {
                eprintln!("xtask: {}: {:.0} s: {line}", self.name, self.begin.elapsed().as_secs_f32());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The set-up for a line: its devices, and time for all rows.
fn for_rows(kernel: &Kernel, rows: &[&Row], setup: &SetupArgs) -> Result<SetupArgs> {
    let mut setup = setup.clone();
    setup.devices = devices(kernel)?;
    setup.debian = rows.iter().filter_map(|row| row.program).map(str::to_owned).collect();
    setup.debian.sort();
    setup.debian.dedup();
    setup.timeout = BOOT_SECONDS + rows.iter().map(|row| u64::from(row.seconds)).sum::<u64>();
    Ok(setup)
}

/// The devices of the matrix's guests that a kernel has.
///
/// # Errors
/// When the kernel's modules cannot be looked through.
pub fn devices(kernel: &Kernel) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in DEVICES {
        if modules::supports(kernel, modules::device(name)?)? {
            names.push((*name).to_owned());
        }
    }
    Ok(names)
}

/// The files that the driver in the guest reads.
fn files(rows: &[&Row]) -> Vec<(String, u32, Vec<u8>)> {
    let mut files = vec![("rows/run".to_owned(), 0o755, DRIVER.to_vec())];
    let mut order = String::new();
    for row in rows {
        let dir = format!("rows/{}", row.name);
        files.push((format!("{dir}/command"), 0o644, format!("{}\n", row.command).into_bytes()));
        files.push((format!("{dir}/seconds"), 0o644, format!("{}\n", row.seconds).into_bytes()));
        if row.code != UNDECIDED {
            files.push((format!("{dir}/decided"), 0o644, Vec::new()));
        }
        if row.counts_findings() {
            files.push((format!("{dir}/counted"), 0o644, Vec::new()));
        }
        order.push_str(row.name);
        order.push('\n');
    }
    files.push(("rows/order".to_owned(), 0o644, order.into_bytes()));
    files
}

/// The exit code of a verdict that is undecided.
const UNDECIDED: i32 = 3;

/// The exit code of a client that cannot do its scenario here.
const SKIPPED: i32 = 77;

/// Compares what a row left with what is expected of it.
fn judge(row: &Row, dir: &Path) -> Result<(), String> {
    let read =
        |name: &str| fs::read(dir.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let Some(code) = read("code").ok().and_then(|text| text.trim().parse::<i32>().ok()) else {
        return Err("it did not come to its end".to_owned());
    };
    let (stdout, stderr) = (read("stdout").unwrap_or_default(), read("stderr").unwrap_or_default());
    let mut wrong: Vec<String> = Vec::new();
    if code != row.code {
        let late = if code == 143 { " (it was stopped after its time)" } else { "" };
        wrong.push(format!("exit code {code}{late}, not {}", row.code));
    }
    wrong.extend(row.expect.iter().filter_map(|expect| expect.complaint(&stdout, &stderr)));
    // A client that found nothing to do shows nothing: the row must say where that is right.
    if row.code != SKIPPED && stderr.contains("gemclient: skipped") {
        wrong.push("the client skipped its scenario".to_owned());
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let mut text = wrong.join("; ");
    for (name, said) in [("stdout", &stdout), ("stderr", &stderr)] {
        if !said.trim().is_empty() {
            let _ =
                write!(text, "\n    {name}: {}", last(said, 1500).trim_end().replace('\n', "\n            "));
        }
    }
    let _ = write!(text, "\n    kept in: {}", dir.display());
    Err(text)
}

/// A run that was not the last one: whatever probes had missed, nothing may have been certain but what the row is about.
fn judge_first(row: &Row, dir: &Path) -> Result<(), String> {
    let Ok(stdout) = fs::read(dir.join("stdout")) else { return Ok(()) };
    let wanted = row.rules();
    let stdout = String::from_utf8_lossy(&stdout);
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    for line in lines.filter(|line| line["type"] == "finding" && line["certain"] == true) {
        let rule = line["rule"].as_str().unwrap_or_default();
        if !wanted.contains(&rule) {
            return Err(format!(
                "before it was run again, it was certain of `{rule}`\n    kept in: {}",
                dir.display()
            ));
        }
    }
    Ok(())
}

/// The end of a text, at most so many bytes of it.
fn last(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_judged_by_what_it_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let row = rows::all().find(|row| row.name == "client-list").expect("a row");
        assert_eq!(judge(row, dir.path()), Err("it did not come to its end".to_owned()));
        fs::write(dir.path().join("code"), "0\n").expect("written");
        fs::write(dir.path().join("stdout"), "forget-gem-close\nsix-step\n").expect("written");
        assert_eq!(judge(row, dir.path()), Ok(()));
        fs::write(dir.path().join("code"), "143\n").expect("written");
        let why = judge(row, dir.path()).expect_err("a wrong code");
        assert!(why.starts_with("exit code 143 (it was stopped after its time), not 0"), "{why}");
    }

    #[test]
    fn what_was_certain_counts_in_a_first_run_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let row = |name| rows::all().find(|row| row.name == name).expect("a row");
        assert_eq!(judge_first(row("flight-recorder"), dir.path()), Ok(()), "there was none");
        let says = |text: &str| fs::write(dir.path().join("stdout"), text).expect("written");
        says(
            "{\"type\":\"finding\",\"rule\":\"double-close\",\"certain\":true}\n\
             {\"type\":\"finding\",\"rule\":\"handle-leak\",\"certain\":false}\nnoise\n",
        );
        assert_eq!(judge_first(row("flight-recorder"), dir.path()), Ok(()));
        let why = judge_first(row("holders"), dir.path()).expect_err("a clean row");
        assert!(why.starts_with("before it was run again, it was certain of `double-close`"), "{why}");
    }

    #[test]
    fn lines_are_begun_in_the_order_that_is_written_down() {
        for line in kernels::LINES {
            assert!(ORDER.contains(&line.name), "{}", line.name);
        }
        assert_eq!(ORDER.len(), kernels::LINES.len());
    }

    #[test]
    fn the_end_of_a_text_is_cut_between_characters() {
        assert_eq!(last("abc", 5), "abc");
        assert_eq!(last("äbc", 3), "bc");
    }
}
