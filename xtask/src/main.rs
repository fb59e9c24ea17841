//! Developer commands of gemscope: `cargo xtask help` lists them.
//!
//! Exit codes: that of the command for `vm`; else 0 when all is well, 1 when a test failed, 2 when it could not run.

mod detection;
mod dist;
mod driver;
mod ebpf;
mod expect;
mod extract;
mod fixtures;
mod history;
mod html;
mod in_vm;
mod matrix;
mod outputs;
mod overhead;
mod pages;
mod perfetto;
mod pictures;
mod programs;
mod rows;
mod setup;
mod suite;
mod summary;
mod test;
mod toolchain;
mod truth;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "xtask", about = "Developer commands of gemscope", disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a command in a virtual machine with a stock kernel, and return its output and exit code.
    Vm(vm::VmArgs),
    /// Rebuild the committed eBPF object, or check that it is the one of its sources.
    Ebpf(ebpf::EbpfArgs),
    /// Install what is missing, and run all tests: formatting, lints, tests of the workspace, eBPF drift, guests.
    Test(test::TestArgs),
    /// Run the test matrix in guests with stock kernels.
    VmMatrix(matrix::MatrixArgs),
    /// Write docs/detection.md, or check it: which rule is shown to work on which line of kernels.
    Detection(detection::DetectionArgs),
    /// Write docs/offenders.md, or check it: the suite of small offenders and look-alikes, and what was said of each.
    Offenders(suite::OffendersArgs),
    /// Hold the engine against the model's truth: every interleaving of every scenario in every profile.
    Truth(truth::TruthArgs),
    /// Write docs/history.md, or check it: what can go wrong between two threads in which era of the kernel.
    History(history::HistoryArgs),
    /// Write docs/man and completions, or check them: the man pages and the shell completions of gemscope.
    Pages(pages::PagesArgs),
    /// Make a release: one static binary with its pages, as an archive and as a Debian package.
    Dist(dist::DistArgs),
    /// Take the pictures of the README: screens of the monitor beside a leaking client in a guest.
    Pictures(pictures::PicturesArgs),
    /// Record the traces that tests replay.
    Fixtures(fixtures::FixturesArgs),
    /// Measure what gemscope costs a traced program, beside an equivalent bpftrace script.
    BenchOverhead(overhead::OverheadArgs),
    /// Bring BTF and symbols out of booted kernels.
    KernelExtract(extract::ExtractArgs),
}

fn main() -> ExitCode {
    if let Some(error) = toolchain::become_compiler() {
        eprintln!("xtask: cannot run the compiler: {error}");
        return ExitCode::from(2);
    }
    gemscope_vm::tell_by(|text| eprintln!("xtask: {text}"));
    let result = match Cli::parse().command {
        Task::Vm(args) => vm::run(&args),
        Task::Ebpf(args) => ebpf::run(&args),
        Task::Test(args) => test::run(&args),
        Task::VmMatrix(args) => matrix::run(&args),
        Task::Detection(args) => detection::run(&args),
        Task::Offenders(args) => suite::run(&args),
        Task::Truth(args) => truth::run(&args),
        Task::History(args) => history::run(&args),
        Task::Pages(args) => pages::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Pictures(args) => pictures::run(&args),
        Task::Fixtures(args) => fixtures::run(&args),
        Task::BenchOverhead(args) => overhead::run(&args),
        Task::KernelExtract(args) => extract::run(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}
