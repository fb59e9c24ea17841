//! What the tests need on the machine: installed where it is Debian, named where it is not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use gemscope_vm::mirror::Mirror;
use gemscope_vm::scratch::Scratch;
use gemscope_vm::{accel, index, tool};

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

/// Makes sure that there is a Python that can make environments of its own.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn python() -> Result<()> {
    let there = || {
        let asked =
            Command::new("python3").args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).output();
        asked.is_ok_and(|said| said.status.success())
    };
    if there() { Ok(()) } else { install(&["python3", "python3-venv"]) }
}

/// A new environment of [`python`] in a folder, with the packages that a file of requirements names.
///
/// # Errors
/// When a package cannot be had.
pub fn python_packages(folder: &Path, requirements: &Path) -> Result<()> {
    tool::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "-r",
    ]);
    tool::output(pip.arg(requirements)).map(drop)
}

/// Makes sure that packages of the npm registry can be had.
///
/// # Errors
/// When npm is missing and cannot be installed.
pub fn npm() -> Result<()> {
    if tool::find("npm").is_some() { Ok(()) } else { install(&["npm"]) }
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
        // For the driver of the tests.
        ("make", "make"),
        ("gcc", "gcc"),
        ("strip", "binutils"),
    ];
    let mut missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| tool::find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !gemscope_vm::initramfs::busybox_is_static() {
        missing.push("busybox-static");
    }
    if !Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists()
        && !Path::new("/usr/share/keyrings/debian-archive-keyring.pgp").exists()
    {
        missing.push("debian-archive-keyring");
    }
    missing.dedup();
    install(&missing)?;
    newer_qemu()
}

/// Takes a newer QEMU from the release's backports, where the release's own is one that cannot run a guest's cpus at a time.
/// The tests also pass without, but see less of what cpus do to each other.
fn newer_qemu() -> Result<()> {
    let before = accel::version()?;
    if before >= accel::GOOD {
        return Ok(());
    }
    if let Err(error) = from_backports("qemu-system-x86") {
        eprintln!(
            "xtask: QEMU {}.{} is here, and {}.{} cannot be had ({error:#}): the guests' cpus run one after the other",
            before.0,
            before.1,
            accel::GOOD.0,
            accel::GOOD.1
        );
    }
    Ok(())
}

/// Installs one package from the backports of this machine's Debian release. The archive is added for this once: apt's
/// configuration stays as it is.
fn from_backports(package: &str) -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read `/etc/os-release`")?;
    let named = |key: &str| release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    ensure!(named("ID") == Some("debian"), "this is not Debian");
    let suite = format!("{}-backports", named("VERSION_CODENAME").context("the release has no name")?);
    let base = Mirror::configured()?;
    let keyring = index::keyrings().next().context("Debian's keyring is not installed")?;
    let own = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    let scratch = Scratch::new("apt")?;
    let list = scratch.path().join("sources.list");
    let line = format!("deb [signed-by={}] {} {suite} main", keyring.display(), base.base(&suite));
    fs::write(&list, format!("{own}\n{line}\n")).context("cannot write the list of archives")?;
    let list = format!("Dir::Etc::SourceList={}", list.display());
    eprintln!("xtask: installing {package} from {suite}");
    apt(&["-o", &list, "update", "-qq"]).context("apt's lists cannot be brought up to date")?;
    apt(&["-o", &list, "install", "-y", "-qq", "--no-install-recommends", "-t", &suite, package])?;
    Ok(())
}

/// Makes sure that there is a browser, what drives it, and letters for it to draw.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn browser() -> Result<()> {
    let files = [
        ("/usr/bin/chromium", "chromium"),
        ("/usr/bin/chromedriver", "chromium-driver"),
        ("/usr/lib/python3/dist-packages/selenium/__init__.py", "python3-selenium"),
        ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core"),
    ];
    let missing: Vec<&str> =
        files.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
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
    if tool::find("apt-get").is_none() || !Path::new("/etc/debian_version").exists() {
        bail!("this is not Debian, so install what these packages of it hold by hand: {list}");
    }
    eprintln!("xtask: installing {list}");
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend_from_slice(packages);
    if apt(&words).is_ok() {
        return Ok(());
    }
    // The lists may be missing or old.
    apt(&["update", "-qq"])
        .context("apt's lists cannot be brought up to date")
        .and_then(|()| apt(&words))
        .with_context(|| format!("cannot install {list}: run `apt-get install {list}` as root"))
}

/// Runs apt-get, as root or by sudo.
fn apt(words: &[&str]) -> Result<()> {
    let apt = tool::find("apt-get").context("`apt-get` is missing")?;
    // SAFETY: geteuid takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let mut command = match (root, tool::find("sudo")) {
        (true, _) => Command::new(&apt),
        (false, Some(sudo)) => {
            let mut command = Command::new(sudo);
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive"]).arg(&apt);
            command
        }
        (false, None) => bail!("not root, and no sudo"),
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").args(words);
    tool::output(&mut command)?;
    Ok(())
}

/// The cargo that runs this, or the one on `PATH`.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
