//! A command of this machine, run in a guest as if it were here: same files, same folder, same environment, another kernel.
//!
//! The guest sees this machine's file system, to read; what it writes stays in its memory, but for what is asked to be brought
//! back. Where QEMU or the kernel cannot do that, the guest has a copy of what the command is known to need.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::initramfs::{self, Contents};
use crate::kernels::Kernel;
use crate::modules::{self, Device};
use crate::qemu::{self, Cpus, Guest, Outcome, Sinks};
use crate::scratch::Scratch;
use crate::{libraries, tell, tool};

const RUN: &[u8] = include_bytes!("guest/errand.sh");
/// What shows this machine's files to a guest, and lets it write over them.
const SHARING: &[&str] = &["9p", "9pnet_virtio", "overlay"];
/// What a boot and an end may take beside the command.
const BESIDE: Duration = Duration::from_secs(180);
/// Without a limit.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// The exit code that says that the command could not be tried.
const NOT_TRIED: i32 = 125;
/// Who called sudo is nobody in the guest.
const NOT_PASSED: &[&str] = &["SUDO_COMMAND", "SUDO_GID", "SUDO_HOME", "SUDO_UID", "SUDO_USER"];
/// Small files that programs expect, copied where files are not shared.
const EXPECTED: &[&str] =
    &["/etc/group", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd"];

/// How the guest gets at this machine's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// All of them are shared, to read.
    Shared,
    /// The program, its libraries and what else is named is copied.
    Copied,
}

impl Files {
    /// What QEMU and the kernel can do: sharing, or why only copying.
    ///
    /// # Errors
    /// When QEMU or `modprobe` cannot be run.
    pub fn possible(kernel: &Kernel) -> Result<Result<(), String>> {
        if !qemu::can_share()? {
            return Ok(Err(
                "this QEMU has no 9p (on Debian, run `apt-get install qemu-system-common`)".into()
            ));
        }
        for name in SHARING {
            if !modules::has(kernel, name)? {
                return Ok(Err(format!("kernel `{}` has no module `{name}`", kernel.version)));
            }
        }
        Ok(Ok(()))
    }
}

/// What is to be done, and with what.
pub struct Errand<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// The guest's devices beside vgem.
    pub devices: &'a [&'a Device],
    /// Its memory, in MiB.
    pub memory: u32,
    /// How long the command may take; forever without.
    pub limit: Option<Duration>,
    /// How it gets at files; without it, as well as is possible.
    pub files: Option<Files>,
    /// The program to run, and the words for it.
    pub program: &'a Path,
    /// The words for it.
    pub words: &'a [OsString],
    /// Programs that it will start: their libraries are needed too.
    pub starts: &'a [PathBuf],
    /// Further files and folders to copy, to where they are here.
    pub copies: &'a [PathBuf],
    /// The folder to run it in.
    pub folder: &'a Path,
    /// Files and folders, as told from that folder, to bring back.
    pub back: &'a [PathBuf],
    /// Asked from time to time: is it to end now?
    pub stop: &'a dyn Fn() -> bool,
}

impl Errand<'_> {
    /// Runs it, and brings back what was asked for, to where it would have been here.
    ///
    /// # Errors
    /// When the guest cannot be built or booted or does not come to the end, or what it wrote cannot be brought back.
    pub fn run(&self, sinks: Sinks<'_>) -> Result<Outcome> {
        let files = match self.files {
            Some(files) => files,
            None => match Files::possible(self.kernel)? {
                Ok(()) => Files::Shared,
                Err(why) => {
                    tell(&format!("{why}: the program and its libraries are copied into the guest instead"));
                    Files::Copied
                }
            },
        };
        let shared = files == Files::Shared;
        let named: Vec<String> = SHARING.iter().filter(|_| shared).map(|name| (*name).to_owned()).collect();
        let mut contents = Contents {
            modules: modules::closure(self.kernel, self.devices, &named)?,
            placed: vec![(self.program.to_path_buf(), format!("errand/inside/{}", self.name()))],
            files: vec![
                ("errand/run".to_owned(), 0o755, RUN.to_vec()),
                ("errand/inside/enter".to_owned(), 0o755, self.script(std::env::vars_os())),
            ],
            command: Some("exec sh /errand/run".to_owned()),
            bring_out: !self.back.is_empty(),
            ..Contents::default()
        };
        if shared {
            contents.files.push(("errand/shared".to_owned(), 0o644, Vec::new()));
        } else {
            contents.placed.extend(self.placed()?);
            contents.folders = vec![inside(self.folder)];
        }
        let out = Scratch::new("out")?;
        let guest = Guest {
            kernel: self.kernel,
            initramfs: initramfs::build(&contents)?,
            devices: self.devices,
            timeout: self.limit.map_or(FOREVER, |limit| limit.saturating_add(BESIDE)),
            memory: self.memory,
            out: Some(out.path()).filter(|_| contents.bring_out),
            append: "",
            cpus: Cpus::Own,
            share: shared,
            stop: Some(self.stop),
        };
        let outcome = guest.run(sinks)?;
        if outcome.code == NOT_TRIED {
            bail!("the guest of `{}` could not run the command: see above", self.kernel.version);
        }
        for (number, path) in self.back.iter().enumerate() {
            bring_back(&out.path().join(number.to_string()), &self.folder.join(path))?;
        }
        Ok(outcome)
    }

    /// What the program is called.
    fn name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The script that runs in the host's file system.
    fn script(&self, environment: impl Iterator<Item = (OsString, OsString)>) -> Vec<u8> {
        let mut script = b"b=/run/gemscope/busybox\ncd ".to_vec();
        script.extend(tool::quoted_bytes(self.folder.as_os_str()));
        script.extend_from_slice(b" || exit 125\n$b env -i");
        let mut environment: Vec<_> = environment.collect();
        environment.sort();
        for (name, value) in environment {
            if NOT_PASSED.iter().any(|not| name == *not) || name.is_empty() {
                continue;
            }
            let mut pair = name;
            pair.push("=");
            pair.push(value);
            word(&mut script, &pair);
        }
        word(&mut script, OsStr::new(&format!("/run/gemscope/{}", self.name())));
        self.words.iter().for_each(|text| word(&mut script, text));
        script.extend_from_slice(b"\ncode=$?\n");
        for (number, path) in self.back.iter().enumerate() {
            script.extend_from_slice(b"from=");
            script.extend(tool::quoted_bytes(path.as_os_str()));
            let copy =
                format!("\n[ ! -e \"$from\" ] || $b cp -pRH -- \"$from\" /run/gemscope/out/{number}\n");
            script.extend_from_slice(copy.as_bytes());
        }
        script.extend_from_slice(b"exit $code\n");
        script
    }

    /// Everything that is to be copied, and where to.
    fn placed(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut paths: BTreeSet<PathBuf> =
            EXPECTED.iter().map(PathBuf::from).filter(|p| p.exists()).collect();
        // The program itself is in the guest already.
        paths.extend(libraries::closure(self.program)?.into_iter().filter(|path| path != self.program));
        for program in self.starts {
            paths.extend(libraries::closure(program)?);
        }
        for path in self.copies {
            let path = self.folder.join(path);
            if tool::is_program(&path) {
                // Any file may be marked as a program: what it is not, it does not need.
                paths.extend(libraries::closure(&path).unwrap_or_default());
            }
            paths.insert(path);
        }
        Ok(paths.into_iter().map(|path| (path.clone(), inside(&path))).collect())
    }
}

fn word(line: &mut Vec<u8>, text: &OsStr) {
    line.push(b' ');
    line.extend(tool::quoted_bytes(text));
}

/// A path of this machine, as it is in the guest's archive. `..` is left out as the kernel would: a folder is no link there.
fn inside(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            std::path::Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    format!("errand/root/{}", parts.join("/"))
}

/// Copies what a guest left to where it belongs; what it did not write is not there to copy.
fn bring_back(from: &Path, to: &Path) -> Result<()> {
    if fs::symlink_metadata(from).is_err() {
        return Ok(());
    }
    tool::output(tool::command("cp")?.arg("-RT").arg(from).arg(to))
        .with_context(|| format!("cannot bring `{}` back from the guest", to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand<'a>(kernel: &'a Kernel, words: &'a [OsString], back: &'a [PathBuf]) -> Errand<'a> {
        Errand {
            kernel,
            devices: &[],
            memory: 1024,
            limit: None,
            files: None,
            program: Path::new("/bin/true"),
            words,
            starts: &[],
            copies: &[],
            folder: Path::new("/it's here"),
            back,
            stop: &|| false,
        }
    }

    fn kernel() -> Kernel {
        Kernel { line: "6.12".to_owned(), version: "6.12.1".to_owned(), root: PathBuf::from("/nowhere") }
    }

    #[test]
    fn the_script_keeps_words_folder_and_environment() {
        let (kernel, words) = (kernel(), [OsString::from("check"), OsString::from("a b; $c")]);
        let back = [PathBuf::from("-leak.gemtrace")];
        let errand = errand(&kernel, &words, &back);
        let environment = [("B", "two words"), ("SUDO_USER", "me"), ("A", "it's")];
        let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let script = errand.script(environment.into_iter());
        let want = "b=/run/gemscope/busybox\ncd '/it'\\''s here' || exit 125\n\
                    $b env -i 'A=it'\\''s' 'B=two words' '/run/gemscope/true' 'check' 'a b; $c'\ncode=$?\n\
                    from='-leak.gemtrace'\n[ ! -e \"$from\" ] || $b cp -pRH -- \"$from\" /run/gemscope/out/0\n\
                    exit $code\n";
        assert_eq!(String::from_utf8_lossy(&script), want);
    }

    #[test]
    fn what_is_copied_lies_where_it_is_here() {
        assert_eq!(inside(Path::new("/usr/lib/../bin/./x")), "errand/root/usr/bin/x");
        assert_eq!(inside(Path::new("/")), "errand/root/");
        let (kernel, copies) = (kernel(), [PathBuf::from("../etc/hostname")]);
        let errand = Errand { copies: &copies, folder: Path::new("/usr"), ..errand(&kernel, &[], &[]) };
        let placed = errand.placed().expect("found");
        let places: Vec<&str> = placed.iter().map(|(_, place)| place.as_str()).collect();
        assert!(!places.contains(&"errand/root/bin/true"), "{places:?}");
        assert!(places.contains(&"errand/root/etc/hostname"), "{places:?}");
        assert!(places.iter().any(|place| place.ends_with("/libc.so.6")), "{places:?}");
    }

    #[test]
    fn what_was_not_written_is_not_brought_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let (from, to) = (dir.path().join("0"), dir.path().join("report"));
        bring_back(&from, &to).expect("nothing to do");
        assert!(!to.exists());
        fs::write(&from, "said").expect("written");
        bring_back(&from, &to).expect("copied");
        assert_eq!(fs::read_to_string(&to).expect("there"), "said");
        let error = bring_back(&from, &dir.path().join("no/such/folder")).expect_err("no folder");
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
