//! `gemscope check --in-vm`: the same check, in a virtual machine.
//!
//! This gemscope runs again in the guest with the same arguments but those about the guest; the host's files are seen there in
//! the same places, so that paths mean the same. What it writes is brought back, and its verdict is passed on.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gemscope_vm::errand::{Errand, Files};
use gemscope_vm::image::Image;
use gemscope_vm::kernels::{self, Kernel};
use gemscope_vm::modules::{self, Device};
use gemscope_vm::qemu::{self, Sinks};
use gemscope_vm::{libraries, tool};

use crate::args::{CheckArgs, VmFiles};
use crate::capture::Signals;
use crate::exit::Exit;
use crate::ui;

/// The devices of a guest for which none were named, where the kernel has them.
const DEVICES: &[&str] = &["virtio-gpu", "udmabuf"];
/// Programs without which there is no guest, beside QEMU.
const NEEDED: &[&str] = &["busybox", "modprobe", "tar"];

pub fn run(kernel: &str, args: &CheckArgs, written: &[PathBuf]) -> anyhow::Result<Exit> {
    gemscope_vm::tell_by(ui::say);
    if !cfg!(target_arch = "x86_64") {
        bail!("`--in-vm` is for x86-64: the kernels and this program have to be for the same machine");
    }
    let folder = std::env::current_dir().context("cannot tell the current folder")?;
    let command = args.command.first().context("no command was given: write it after `--`")?;
    let command = libraries::program(command, &folder)?;
    let chosen = args.vm.vm_device.iter().map(|name| modules::device(name)).collect::<Result<Vec<_>, _>>()?;
    let image = if is_file(kernel) {
        Some(Image::open(Path::new(kernel), args.vm.in_vm_modules.as_deref())?)
    } else {
        kernels::named(kernel)?;
        if args.vm.in_vm_modules.is_some() {
            bail!("`--in-vm-modules` goes with the file of a kernel image, and `{kernel}` is none");
        }
        None
    };
    for program in [qemu::PROGRAM].iter().chain(NEEDED) {
        tool::command(program).context("no virtual machine can be made")?;
    }
    let fetched;
    let kernel: &Kernel = match &image {
        Some(image) => image.kernel(),
        None => {
            fetched = kernels::get(kernel).with_context(|| {
                format!(
                    "cannot get the kernel `{kernel}`; the file of a kernel image does for `--in-vm`, too"
                )
            })?;
            &fetched
        }
    };
    let devices = if chosen.is_empty() { usual(kernel)? } else { chosen };
    let mut back = written.to_vec();
    back.extend(args.vm.vm_out.iter().cloned());
    let this = std::env::current_exe().context("cannot tell where gemscope is")?;
    let words = guest_words(std::env::args_os().skip(1));
    // From here on there is something to clear away, whoever ends it.
    let signals = Signals::take(&[])?;
    let errand = Errand {
        kernel,
        devices: &devices,
        memory: args.vm.vm_memory,
        limit: args.timeout.map(Duration::from_secs_f64),
        files: args.vm.vm_files.map(files),
        program: &this,
        words: &words,
        starts: &[command],
        copies: &args.vm.vm_copy,
        folder: &folder,
        back: &back,
        stop: &|| signals.is_pending(),
    };
    ui::say(&format!("in a virtual machine with kernel `{}`", kernel.version));
    let outcome = errand.run(Sinks { out: &mut io::stdout(), err: &mut io::stderr() });
    let outcome = outcome.map_err(|error| with_console(&error))?;
    for complaint in &outcome.complaints {
        let complaint = gemscope_report::escape::long(complaint.as_bytes());
        ui::say(&format!("the kernel complained: {complaint}"));
    }
    let code = outcome.code;
    Exit::from_code(code)
        .with_context(|| format!("gemscope ended with {code} in the virtual machine, which is no verdict"))
}

/// What went wrong as one line; the end of the guest's console, which it may come with, is said before.
fn with_console(error: &anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    lines.for_each(|line| ui::say(&gemscope_report::escape::long(line.as_bytes())));
    anyhow::Error::msg(first)
}

/// Is it a path, and not the name of a line or a package?
fn is_file(kernel: &str) -> bool {
    kernel.contains('/') || (kernels::named(kernel).is_err() && Path::new(kernel).is_file())
}

const fn files(how: VmFiles) -> Files {
    match how {
        VmFiles::Shared => Files::Shared,
        VmFiles::Copied => Files::Copied,
    }
}

fn usual(kernel: &Kernel) -> anyhow::Result<Vec<&'static Device>> {
    let mut devices = Vec::new();
    for name in DEVICES {
        let device = modules::device(name)?;
        if modules::supports(kernel, device)? {
            devices.push(device);
        }
    }
    Ok(devices)
}

/// The arguments of gemscope in the guest: those of this one, without what is about the guest.
fn guest_words(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = words;
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        let text = word.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        if !name.starts_with("--in-vm") && !name.starts_with("--vm-") {
            kept.push(word);
        } else if !text.contains('=') {
            // Each of them has a value, and it is the next word.
            words.next();
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use std::path::PathBuf;

    use super::*;
    use crate::args::{Cli, Command, VmArgs};

    #[test]
    fn the_guest_is_not_told_of_the_guest() {
        #[track_caller]
        fn check(typed: &str, kept: &str) {
            let words = guest_words(typed.split(' ').map(OsString::from));
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), kept);
        }
        check("check --in-vm 6.12 -- true", "check -- true");
        check("check --json --in-vm=6.12 --report a -- true", "check --json --report a -- true");
        check("-v check --vm-memory 512 --vm-copy a -o b -- x", "-v check -o b -- x");
        check("check --in-vm-modules d --in-vm k -- x --in-vm y -- z", "check -- x --in-vm y -- z");
    }

    #[test]
    fn every_argument_about_the_guest_has_one_value_and_a_name_that_tells() {
        let about = <VmArgs as clap::Args>::augment_args(clap::Command::new("x"));
        let names: Vec<_> = about.get_arguments().filter_map(|arg| arg.get_long()).collect();
        assert!(names.contains(&"in-vm"));
        for arg in about.get_arguments() {
            let name = arg.get_long().unwrap();
            assert!(name.starts_with("in-vm") || name.starts_with("vm-"), "{name}");
            assert!(arg.get_action().takes_values() && arg.get_short().is_none(), "{name}");
        }
        let cli = Cli::command();
        let check = cli.find_subcommand("check").unwrap();
        let others =
            check.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !names.contains(name));
        assert!(others.into_iter().all(|name| !name.starts_with("in-vm") && !name.starts_with("vm-")));
    }

    #[test]
    fn what_a_check_writes_is_known() {
        let words = "gemscope check --no-config -o t --report r --report junit=j --report sarif=- --baseline b --update-baseline -- true";
        let cli = Cli::parse_from(words.split(' '));
        let Command::Check(args) = cli.command else { panic!("another command") };
        let policy = crate::policy::Policy::load(&args.policy).unwrap();
        assert_eq!(policy.written(&args).unwrap(), ["t", "r", "j", "b"].map(PathBuf::from));
    }

    #[test]
    fn kernels_and_files_are_told_apart() {
        assert!(is_file("/boot/vmlinuz") && is_file("./6.12") && is_file("Cargo.toml"));
        assert!(!is_file("6.12") && !is_file("newest") && !is_file("linux-image-6.1.0-56-amd64"));
    }
}
