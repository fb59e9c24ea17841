//! The compiler and the linker for eBPF: which ones this machine has.
//!
//! The target needs the sources of the core library. Debian has them beside its own `rustc-web`; elsewhere a nightly toolchain of
//! rustup's with the component rust-src has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use gemscope_vm::{cache, tool};

/// The version of bpf-linker that is tested.
pub const LINKER_VERSION: &str = "0.13.0";

const HOW: &str = "on Debian 12 run `apt-get install rustc-web rust-web-src llvm-22-dev`, elsewhere \
                   `rustup toolchain install nightly --component rust-src`";

/// What builds the eBPF object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler.
    pub rustc: PathBuf,
    /// What the compiler says it is.
    pub compiler: String,
    /// The major version of its LLVM.
    pub llvm: u32,
    /// Where the sources of the core library are.
    pub sources: PathBuf,
}

impl Toolchain {
    /// The first compiler that has the sources.
    ///
    /// # Errors
    /// When there is none; says how to get one.
    pub fn find() -> Result<Self> {
        let mut candidates = vec![PathBuf::from("/usr/bin/rustc")];
        if let Some(rustup) = tool::find("rustup") {
            for name in ["nightly", "stable"] {
                let found = Command::new(&rustup).args(["which", "rustc", "--toolchain", name]).output();
                if let Some(path) = found.ok().filter(|out| out.status.success()) {
                    candidates.push(PathBuf::from(String::from_utf8_lossy(&path.stdout).trim()));
                }
            }
        }
        candidates.iter().find_map(|rustc| Self::with(rustc)).with_context(|| {
            format!("no Rust compiler here has the core library's sources, which eBPF needs: {HOW}")
        })
    }

    fn with(rustc: &Path) -> Option<Self> {
        if !tool::is_program(rustc) {
            return None;
        }
        let said = |args: &[&str]| {
            let said = Command::new(rustc).args(args).env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
            said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
        };
        let sources = Path::new(&said(&["--print", "sysroot"])?).join("lib/rustlib/src/rust");
        let version = said(&["-vV"])?;
        let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let minor: u32 = field("release:")?.split('.').nth(1)?.parse().ok()?;
        if minor < 85 || !sources.join("library/core").is_dir() {
            return None;
        }
        let llvm = field("LLVM version:")?;
        Some(Self {
            rustc: rustc.to_path_buf(),
            compiler: format!("{} LLVM {llvm}", version.lines().next()?),
            llvm: llvm.split('.').next()?.parse().ok()?,
            sources,
        })
    }
}

/// Where `bpf-linker` is: on `PATH`, where cargo installs, or in the cache.
pub fn linker() -> Option<PathBuf> {
    let mut places = vec![cargo_home().map(|home| home.join("bin/bpf-linker"))];
    places.push(cache::folder().ok().map(|cache| cache.join("tools/bin/bpf-linker")));
    tool::find("bpf-linker").or_else(|| places.into_iter().flatten().find(|file| tool::is_program(file)))
}

/// Where `bpf-linker` is, and what it says it is.
///
/// # Errors
/// When it is missing or does not run.
pub fn linker_with_version() -> Result<(PathBuf, String)> {
    let Some(path) = linker() else {
        bail!(
            "`bpf-linker` is not installed: run `cargo install bpf-linker`, or `cargo xtask test` on Debian"
        )
    };
    let said = tool::output(Command::new(&path).arg("--version"))
        .context("`bpf-linker` does not run: it needs the LLVM it was built with; install it anew")?;
    Ok((path, String::from_utf8_lossy(&said.stdout).trim().to_owned()))
}

/// Cargo's folder for what it downloads and installs.
pub fn cargo_home() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    named("CARGO_HOME").or_else(|| named("HOME").map(|home| home.join(".cargo")))
}

/// Builds `bpf-linker` into the cache, for the LLVM of this compiler.
///
/// # Errors
/// When it does not build.
pub fn install_linker(toolchain: &Toolchain) -> Result<()> {
    let into = cache::folder()?.join("tools");
    let llvm = toolchain.llvm;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "install",
        "bpf-linker",
        "--version",
        LINKER_VERSION,
        "--locked",
        "--quiet",
        "--no-default-features",
    ]);
    command.arg("--features").arg(format!("llvm-{llvm}")).arg("--root").arg(&into);
    command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_ENCODED_RUSTFLAGS");
    if Path::new(&prefix).is_dir() {
        command.env("LLVM_PREFIX", &prefix).env("RUSTFLAGS", format!("-L {prefix}/lib"));
    }
    tool::shown(&mut command).with_context(|| {
        format!("`bpf-linker` does not build: it needs the development files of LLVM {llvm} (`llvm-{llvm}-dev` on Debian)")
    })
}

/// Set for the compiler runs of the eBPF build, in which this program stands before the compiler.
pub const WRAPPER: &str = "GEMSCOPE_EBPF_WRAPPER";

/// Becomes the compiler that cargo asks for, when this is such a run; comes back only when it is not, or on failure.
///
/// Cargo gives each crate a number that goes into the names of symbols. For a path dependency outside the workspace of `ebpf/`, which
/// `common` is, that number comes from where the checkout lies, and so do those of all that depend on it: the object would differ from
/// one checkout to the next.
pub fn become_compiler() -> Option<std::io::Error> {
    use std::os::unix::process::CommandExt;
    std::env::var_os(WRAPPER)?;
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    Some(Command::new(compiler).args(with_fixed_number(words.collect())).exec())
}

/// The compiler's arguments, with a fixed number for the crates of this project.
fn with_fixed_number(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.windows(2).find(|pair| pair[0] == "--crate-name").map(|pair| pair[1].clone());
    if let Some(name) =
        name.as_ref().and_then(|name| name.to_str()).filter(|name| name.starts_with("gemscope"))
    {
        for word in &mut words {
            if word.as_encoded_bytes().starts_with(b"metadata=") {
                *word = format!("metadata={name}").into();
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_of_this_project_get_a_fixed_number() {
        let words = |name: &str| {
            let words = ["--crate-name", name, "-C", "metadata=1234", "-C", "extra-filename=-1234"];
            with_fixed_number(words.iter().map(OsString::from).collect())
        };
        assert_eq!(words("gemscope_common")[3], "metadata=gemscope_common");
        assert_eq!(words("core")[3], "metadata=1234");
    }
}
