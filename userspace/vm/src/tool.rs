//! Programs of the machine: found, run, and explained when they fail.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// The programs that are not on every machine, and the Debian package each is in.
const PACKAGES: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("modprobe", "kmod"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("gpgv", "gpgv"),
    ("dpkg", "dpkg"),
    ("tar", "tar"),
    ("make", "make"),
    ("gcc", "gcc"),
    ("strip", "binutils"),
];

/// The path of a program: on `PATH`, or where Debian keeps those for the administrator.
pub fn find(name: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    on_path(name).or_else(|| places.iter().map(|dir| Path::new(dir).join(name)).find(|file| is_program(file)))
}

/// The path of a program on `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// Is it a file that somebody may run?
pub fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A command for a program that must be there.
///
/// # Errors
/// When the program is missing; says which package has it.
pub fn command(name: &str) -> Result<Command> {
    match find(name) {
        Some(path) => Ok(Command::new(path)),
        None => match PACKAGES.iter().find(|(program, _)| *program == name) {
            Some((_, package)) => {
                bail!("`{name}` is not installed: on Debian, run `apt-get install {package}`")
            }
            None => bail!("`{name}` is not installed"),
        },
    }
}

/// Runs a command with no input, and gives back what it printed; an error tells the end of what it complained about.
///
/// # Errors
/// When it cannot be started or exits with anything but 0.
pub fn output(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", command.get_program().to_string_lossy()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let mut last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
        last.reverse();
        bail!("`{}` failed ({}): {}", line(command), output.status, last.join("; "));
    }
    Ok(output)
}

/// Runs a command with no input and with its output shown; an error when it fails.
///
/// # Errors
/// When it cannot be started or exits with anything but 0.
pub fn shown(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell reads it back unchanged.
pub fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The same for bytes that need not be text.
pub fn quoted_bytes(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        for word in ["plain", "", "two words", "it's", "$HOME `x` \"y\" \\", "*"] {
            let line = format!("printf %s {}", quoted(OsStr::new(word)));
            let said = output(Command::new("sh").args(["-c", &line])).expect("sh runs");
            assert_eq!(String::from_utf8_lossy(&said.stdout), word);
        }
    }

    #[test]
    fn bytes_survive_the_shell() {
        for word in [&b"it's"[..], b"\xff\xfe '", b"a\nb", b""] {
            let mut line = b"printf %s ".to_vec();
            line.extend(quoted_bytes(OsStr::from_bytes(word)));
            let said = output(Command::new("sh").arg("-c").arg(OsStr::from_bytes(&line))).expect("sh runs");
            assert_eq!(said.stdout, word);
        }
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = command("no-such-program-here").expect_err("it is not there");
        assert_eq!(error.to_string(), "`no-such-program-here` is not installed");
    }
}
