//! `cargo xtask vm`: any command in a guest with a stock kernel.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::debian;
use gemscope_vm::initramfs::{self, Contents};
use gemscope_vm::kernels::{self, Gone, Kernel};
use gemscope_vm::modules::{self, Device};
use gemscope_vm::qemu::{Cpus, Guest, Outcome, Sinks};
use gemscope_vm::tool;

use crate::driver::{self, NoHeaders};
use crate::programs::{self, Program};

/// What is asked of a guest on the command line.
#[derive(Debug, Args)]
pub struct VmArgs {
    /// The kernel: 5.10, 6.1, 6.12, 6.18, newest, all, or the name of a package such as `linux-image-6.1.0-56-amd64`.
    #[arg(long = "kernel", value_name = "LINE", required = true)]
    kernels: Vec<String>,
    #[command(flatten)]
    setup: SetupArgs,
    /// Bring what the guest leaves in /out back to this folder (with several kernels: to a folder for each in it).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to run as root's shell would; without it, a shell on the console. One word is a shell line, several are a command
    /// and its arguments.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// What a guest is made of.
#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// A device beside vgem: virtio-gpu, bochs, qxl or udmabuf.
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<String>,
    /// A further module to load.
    #[arg(long = "module", value_name = "NAME")]
    pub modules: Vec<String>,
    /// Build the driver of `tests/driver` for the kernel, and load it.
    #[arg(long)]
    pub driver: bool,
    /// A file or folder to copy to /host in the guest.
    #[arg(long = "copy", value_name = "PATH")]
    pub copies: Vec<PathBuf>,
    /// A program of Debian's to put in, with its libraries: modetest, bpftrace.
    #[arg(long = "program", value_name = "NAME")]
    pub debian: Vec<String>,
    /// How long a boot may take in all.
    #[arg(long, value_name = "SECS", default_value_t = 120)]
    pub timeout: u64,
    /// The guest's memory, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory: u32,
    /// A gemscope to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH", conflicts_with = "no_gemscope")]
    pub gemscope: Option<PathBuf>,
    /// A gemclient to take instead of building one (it must be linked statically).
    #[arg(long, value_name = "PATH", conflicts_with = "no_gemclient")]
    pub gemclient: Option<PathBuf>,
    /// Leave gemscope out.
    #[arg(long)]
    pub no_gemscope: bool,
    /// Leave gemclient out.
    #[arg(long)]
    pub no_gemclient: bool,
    /// Further words for the kernel's command line.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub append: String,
    /// One cpu, and a clock that counts its instructions: slower, and no other load of this machine shows in its times.
    #[arg(long)]
    pub counted: bool,
}

impl SetupArgs {
    /// The defaults: only vgem, both programs built.
    pub fn plain() -> Self {
        Self {
            devices: Vec::new(),
            modules: Vec::new(),
            driver: false,
            copies: Vec::new(),
            debian: Vec::new(),
            timeout: 120,
            memory: 1024,
            gemscope: None,
            gemclient: None,
            no_gemscope: false,
            no_gemclient: false,
            append: String::new(),
            counted: false,
        }
    }

    /// The programs for the guest, built where none were given.
    ///
    /// # Errors
    /// When one does not build.
    pub fn programs(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut ready = Vec::new();
        let mut missing = Vec::new();
        let choices = [
            (Program::Gemscope, &self.gemscope, self.no_gemscope),
            (Program::Gemclient, &self.gemclient, self.no_gemclient),
        ];
        for (program, given, without) in choices {
            match given {
                Some(path) => ready.push((program.name().to_owned(), path.clone())),
                None if without => {}
                None => missing.push(program),
            }
        }
        ready.extend(programs::build(&missing).context(
            "the guest's programs do not build (`--no-gemscope` and `--no-gemclient` leave them out)",
        )?);
        Ok(ready)
    }
}

/// A boot: the kernel, what goes in, and what to run.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Devices, modules, copies, limits.
    pub setup: &'a SetupArgs,
    /// The programs, by name.
    pub programs: &'a [(String, PathBuf)],
    /// Files made up on the spot: path in the guest, mode, content.
    pub files: Vec<(String, u32, Vec<u8>)>,
    /// The shell line to run; without one, a shell on the console.
    pub command: Option<String>,
    /// Where the files of /out go.
    pub out: Option<PathBuf>,
}

impl Boot<'_> {
    /// Runs it; `None` after a shell.
    ///
    /// # Errors
    /// When the guest cannot be built or does not come to the command's end.
    pub fn run(self, sinks: Sinks<'_>) -> Result<Option<Outcome>> {
        let devices: Vec<&Device> =
            self.setup.devices.iter().map(|name| modules::device(name)).collect::<Result<_>>()?;
        let interactive = self.command.is_none();
        let mut loaded = modules::closure(self.kernel, &devices, &self.setup.modules)?;
        if self.setup.driver {
            // Last: what it needs, vgem needs too.
            loaded.push(driver::module(self.kernel)?);
        }
        let contents = Contents {
            modules: loaded,
            programs: self.programs.to_vec(),
            roots: self
                .setup
                .debian
                .iter()
                .map(|name| debian::get(debian::program(name)?))
                .collect::<Result<_>>()?,
            copies: self.setup.copies.clone(),
            folders: Vec::new(),
            placed: Vec::new(),
            files: self.files,
            command: self.command,
            bring_out: self.out.is_some(),
        };
        let guest = Guest {
            kernel: self.kernel,
            initramfs: initramfs::build(&contents)?,
            devices: &devices,
            timeout: Duration::from_secs(self.setup.timeout),
            memory: self.setup.memory,
            out: self.out.as_deref(),
            append: &self.setup.append,
            cpus: if self.setup.counted { Cpus::Counted } else { Cpus::Emulated },
            share: false,
            stop: None,
        };
        if interactive {
            guest.shell()?;
            return Ok(None);
        }
        guest.run(sinks).map(Some)
    }
}

/// The command, as one line for a shell.
fn shell_line(words: &[OsString]) -> Option<String> {
    match words {
        [] => None,
        [one] => Some(one.to_string_lossy().into_owned()),
        many => Some(many.iter().map(|word| tool::quoted(word)).collect::<Vec<_>>().join(" ")),
    }
}

/// Runs the command on each kernel in turn, and returns the exit code: the first that is not 0.
///
/// # Errors
/// When a guest cannot be built or does not come to the command's end, or no kernel could be had.
pub fn run(args: &VmArgs) -> Result<u8> {
    let names = kernels::expand(&args.kernels)?;
    let command = shell_line(&args.command);
    let several = names.len() > 1;
    if several && command.is_none() {
        bail!("a shell takes one kernel: give a single `--kernel`, or a command after `--`");
    }
    for name in &args.setup.devices {
        modules::device(name)?;
    }
    for name in &args.setup.debian {
        debian::program(name)?;
    }
    let programs = args.setup.programs()?;
    let mut code = 0;
    let mut ran = 0;
    for name in &names {
        let kernel = match kernels::get(name) {
            Ok(kernel) => kernel,
            Err(error) if several && error.is::<Gone>() => {
                eprintln!("xtask: {name}: skipped: {error:#}");
                continue;
            }
            Err(error) => return Err(error),
        };
        let boot = Boot {
            kernel: &kernel,
            setup: &args.setup,
            programs: &programs,
            files: Vec::new(),
            command: command.clone(),
            out: args.out.as_ref().map(|dir| if several { dir.join(name) } else { dir.clone() }),
        };
        if several {
            eprintln!("xtask: {name}: `{}`", kernel.version);
        }
        let outcome = match boot.run(Sinks { out: &mut io::stdout(), err: &mut io::stderr() }) {
            Ok(outcome) => outcome,
            Err(error) if several && error.is::<NoHeaders>() => {
                eprintln!("xtask: {name}: skipped: {error:#}");
                continue;
            }
            Err(error) if several => {
                eprintln!("xtask: {name}: {error:#}");
                code = if code == 0 { 2 } else { code };
                continue;
            }
            Err(error) => return Err(error),
        };
        ran += 1;
        let Some(outcome) = outcome else { continue };
        for complaint in &outcome.complaints {
            eprintln!("xtask: the kernel complained: {complaint}");
        }
        if several {
            eprintln!("xtask: {name}: exit code {} after {:.1} s", outcome.code, outcome.took.as_secs_f32());
        }
        if code == 0 {
            code = u8::try_from(outcome.code).unwrap_or(2);
        }
    }
    if ran == 0 && code == 0 {
        bail!("none of the kernels asked for is on the mirror");
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_a_shell_line_and_several_are_arguments() {
        let line = |words: &[&str]| shell_line(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(line(&[]), None);
        assert_eq!(line(&["a | b; c"]).as_deref(), Some("a | b; c"));
        assert_eq!(line(&["echo", "a b", "$x"]).as_deref(), Some("echo 'a b' '$x'"));
    }
}
