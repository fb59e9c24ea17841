//! What goes wrong without a kernel, and what is said then: one paragraph that says what to do, and exit code 2.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::{DEMO, file, gemscope};

#[track_caller]
fn refused(args: &[&str], says: &str) {
    gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(format!("gemscope: {says}\n"));
}

#[track_caller]
fn usage(args: &[&str], says: &str) {
    gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(format!("error: {says}\n...\n"));
}

#[test]
fn a_file_that_is_not_there() {
    refused(&["replay", "no-such-file"], "cannot open `no-such-file`: [..]");
    refused(&["check", "--trace", "no-such-file"], "cannot open `no-such-file`: [..]");
}

#[test]
fn a_foreign_file() {
    refused(
        &["replay", "Cargo.toml"],
        "not a gemscope trace: `Cargo.toml` begins with [..]; traces are written by [..]",
    );
    let (_dir, path) = file(b"");
    refused(&["replay", path.to_str().unwrap()], "`[..]` is empty: [..]");
    let (_dir, path) = file(b"\x1b[2J\x1b]0;owned\x07");
    let output = gemscope().arg("replay").arg(path).assert().code(2).get_output().stderr.clone();
    assert!(!output.contains(&0x1b), "{}", String::from_utf8_lossy(&output));
}

#[test]
fn a_folder() {
    refused(&["replay", "."], "[..]");
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let output = gemscope().args(["replay", "\x1b[2Jx"]).assert().code(2).get_output().stderr.clone();
    assert!(!output.contains(&0x1b));
    let output = gemscope().args(["explain", "\x1b[2Jx"]).assert().code(2).get_output().stderr.clone();
    assert!(!output.contains(&0x1b));
}

#[test]
fn a_header_cut_short() {
    let (_dir, path) = file(&crate::demo_bytes()[..40]);
    refused(
        &["replay", path.to_str().unwrap()],
        "the trace `[..]` is cut at byte `40`, inside its header[..]",
    );
}

#[test]
fn an_unknown_rule() {
    refused(
        &["explain", "handle-leek"],
        "no rule is called `handle-leek`: did you mean `handle-leak`?; `gemscope explain` lists them",
    );
    refused(&["explain", "zzzzzzzzzzz"], "no rule is called `zzzzzzzzzzz`; `gemscope explain` lists them");
}

#[test]
fn wrong_values() {
    usage(
        &["probes", "handle-crate"],
        "invalid value 'handle-crate' for '[PROBE]': no probe has this name: did you mean `handle-create`?[..]",
    );
    usage(
        &["replay", DEMO, "--profile", "6.2"],
        "invalid value '6.2' for '--profile <PROFILE>': the profiles are [..]",
    );
    usage(
        &["check", "--ring-size", "1", "--", "true"],
        "invalid value '1' for '--ring-size <SIZE>': give a size from 4K to 1G[..]",
    );
    usage(
        &["check", "--timeout", "0", "--", "true"],
        "invalid value '0' for '--timeout <SECS>': give seconds[..]",
    );
    usage(&["record", "--comm", "sixteen-bytes-no", "-o", "x"], "invalid value [..]15 bytes[..]");
}

#[test]
fn arguments_that_do_not_go_together() {
    usage(&["check"], "the following required arguments were not provided:");
    usage(&["check", "--trace", DEMO, "--", "true"], "the argument '--trace <FILE>' cannot be used with[..]");
    usage(&["record", "--", "true"], "the following required arguments were not provided:");
    usage(&["record", "-o", "x", "--tree"], "the following required arguments were not provided:");
    usage(&["doctor", "--modules", "."], "the following required arguments were not provided:");
    usage(
        &["top", "--replay", DEMO, "--comm", "x"],
        "the argument '--replay <FILE>' cannot be used with[..]",
    );
    usage(
        &["top", "--source", "model:twins", "-p", "1"],
        "the argument '--source <SOURCE>' cannot be used with[..]",
    );
    usage(&["top", "--raw-addresses"], "the following required arguments were not provided:");
    usage(&["bottom"], "unrecognized subcommand 'bottom'");
}

#[test]
fn an_image_that_is_none() {
    refused(&["doctor", "--image", "Cargo.toml"], "cannot answer for `Cargo.toml`: [..]");
    refused(&["doctor", "--image", "no-such-file"], "cannot read the kernel image `no-such-file`: [..]");
}

#[test]
fn a_virtual_machine_that_cannot_be() {
    #[track_caller]
    fn in_vm(args: &[&str], says: &str) {
        refused(&[&["check", "--in-vm"], args, &["--", "true"]].concat(), says);
    }
    in_vm(&["6.2"], "unknown kernel `6.2`: give one of 5.10, [..]");
    in_vm(&["all"], "unknown kernel `all`: [..]");
    in_vm(&["./no-such-file"], "cannot read the kernel image `./no-such-file`: [..]");
    in_vm(&["./Cargo.toml"], "`[..]/Cargo.toml` is no kernel image for x86: give a `vmlinuz` or [..]");
    in_vm(
        &["6.12", "--in-vm-modules", "."],
        "`--in-vm-modules` goes with the file of a kernel image, and `6.12` is none",
    );
    in_vm(&["6.12", "--vm-device", "voodoo"], "unknown device `voodoo`: give one of virtio-gpu, [..]");
    refused(
        &["check", "--in-vm", "6.12", "--", "no-such-program"],
        "cannot run `no-such-program`: no such program",
    );
    usage(
        &["check", "--vm-copy", ".", "--", "true"],
        "the following required arguments were not provided:[..]",
    );
    usage(
        &["check", "--in-vm", "6.12", "--vm-memory", "16", "--", "true"],
        "invalid value '16' for '--vm-memory <MIB>'[..]",
    );
    usage(
        &["check", "--in-vm", "6.12", "--trace", DEMO],
        "the argument '--in-vm <KERNEL>' cannot be used with[..]",
    );
}

/// Runs the binary as nobody, or as whoever runs the tests when that is not root.
pub fn as_nobody(args: &[&str]) -> std::process::Output {
    // The build folder may be closed to others; /proc/self/exe of a copy in a temporary folder is not.
    let dir = tempfile::Builder::new().prefix("gemscope-test").tempdir().unwrap();
    let copy = dir.path().join("gemscope");
    // Copied by a child: a file that this process has open for writing cannot be executed, and a test beside this one
    // that forks meanwhile takes the open fd along.
    let copied =
        std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_gemscope")).arg(&copy).status().unwrap();
    assert!(copied.success());
    // Whatever the tester's umask is.
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(&copy);
    command.args(args).current_dir("/");
    for name in crate::SURROUNDINGS {
        command.env_remove(name);
    }
    if is_root() {
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(65534).gid(65534);
    }
    command.output().unwrap()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn without_root_nothing_is_traced_and_the_way_is_told() {
    for args in
        [&["check", "--", "true"][..], &["record", "-o", "/tmp/gemscope-never.gemtrace", "--", "true"]]
    {
        let output = as_nobody(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("needs root") && said.contains("sudo"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(!std::path::Path::new("/tmp/gemscope-never.gemtrace").exists());
}

#[test]
fn the_doctor_answers_without_root() {
    let output = as_nobody(&["doctor"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("prerequisites\n  missing   privileges:"), "{said}");
}
