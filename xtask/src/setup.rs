//! What the tests need on the machine: installed where it is Debian, named where it is not.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tool;
use crate::toolchain::{self, Toolchain};

/// Makes sure that `cargo fmt` and `cargo clippy` are there.
///
/// # Errors
/// When a component is missing and rustup cannot add it.
pub fn components() -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let there = || {
            let said = cargo().args([command, "--version"]).stdin(Stdio::null()).output();
            said.is_ok_and(|said| said.status.success())
        };
        if there() {
            continue;
        }
        if let Some(rustup) = tool::find("rustup") {
            tool::shown(Command::new(rustup).args(["component", "add", component]))?;
        }
        if !there() {
            bail!("`cargo {command}` is missing: add the component `{component}` to the Rust toolchain");
        }
    }
    Ok(())
}

/// Makes sure that there is a C compiler, which some crates need.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn c_compiler() -> Result<()> {
    if tool::find("cc").is_some() { Ok(()) } else { install(&["gcc", "libc6-dev"]) }
}

/// Makes sure that guests can be fetched, built and booted.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn guests() -> Result<()> {
    let programs = [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("modprobe", "kmod"),
        ("depmod", "kmod"),
        ("xz", "xz-utils"),
        ("zstd", "zstd"),
        ("gpgv", "gpgv"),
        ("tar", "tar"),
    ];
    let mut missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| tool::find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !crate::initramfs::busybox_is_static() {
        missing.push("busybox-static");
    }
    if !Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists()
        && !Path::new("/usr/share/keyrings/debian-archive-keyring.pgp").exists()
    {
        missing.push("debian-archive-keyring");
    }
    missing.dedup();
    install(&missing)
}

/// Makes sure that the eBPF object can be built.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn ebpf() -> Result<()> {
    if Toolchain::find().is_err() {
        install(&["rustc-web", "rust-web-src"])?;
    }
    let toolchain = Toolchain::find()?;
    if toolchain::linker_with_version().is_ok() {
        return Ok(());
    }
    let llvm = toolchain.llvm;
    if !Path::new(&format!("/usr/lib/llvm-{llvm}/lib/libLLVM.so")).exists() {
        install(&[&format!("llvm-{llvm}-dev"), "gcc", "libc6-dev"])?;
    }
    eprintln!("xtask: building `bpf-linker` {} (once)", toolchain::LINKER_VERSION);
    toolchain::install_linker(&toolchain)
}

/// Installs Debian packages, as root or by sudo.
fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let Some(apt) = tool::find("apt-get").filter(|_| Path::new("/etc/debian_version").exists()) else {
        bail!("this is not Debian, so install what these packages of it hold by hand: {list}");
    };
    // SAFETY: geteuid takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let run = |words: &[&str]| {
        let mut command = match (root, tool::find("sudo")) {
            (true, _) => Command::new(&apt),
            (false, Some(sudo)) => {
                let mut command = Command::new(sudo);
                command.args(["-n", "DEBIAN_FRONTEND=noninteractive"]).arg(&apt);
                command
            }
            (false, None) => bail!("not root, and no sudo: run `apt-get install {list}` as root"),
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args(words);
        tool::output(&mut command)
    };
    eprintln!("xtask: installing {list}");
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend_from_slice(packages);
    if run(&words).is_ok() {
        return Ok(());
    }
    // The lists may be missing or old.
    run(&["update", "-qq"]).context("apt's lists cannot be brought up to date")?;
    run(&words).with_context(|| format!("cannot install {list}: run `apt-get install {list}` as root"))?;
    Ok(())
}

/// The cargo that runs this, or the one on `PATH`.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
