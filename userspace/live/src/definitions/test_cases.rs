//! The tests of a build folder: which command is which test, as meson and cmake leave it in files for their runners.
//!
//! The runner starts a test by its command alone; its name is nowhere in the process. Which test a process is, is not decided here.

mod ctest;
mod meson;

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gemscope_trace::{Name, Process, Runner, TestCase};

use super::process::arguments;

/// Tests that are kept of one runner.
const TESTS: usize = 20_000;
/// Bytes of a file; what is longer is not read.
const LONGEST_FILE: u64 = 16 << 20;

/// A test as a file tells of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Case {
    suite: String,
    name: String,
    command: Vec<String>,
}

/// The tests that a runner goes through; none when its build folder cannot be found or read. `cwd` is where it is or was, the first
/// one at its start: some go to the build folder.
pub(super) fn read(runner: Runner, process: &Process, cwd: [Option<&Path>; 2]) -> Vec<TestCase> {
    let read: fn(&Path) -> Option<Vec<Case>> = match runner {
        Runner::Meson => meson::read,
        Runner::Ctest => ctest::read,
        _ => return Vec::new(),
    };
    let mut found = folders(&process.cmdline, cwd).iter().find_map(|folder| read(folder)).unwrap_or_default();
    if found.is_empty() {
        tracing::debug!("the tests of `{}` (pid {}) were not found", runner.name(), process.tgid);
    }
    found.truncate(TESTS);
    let name = |text: String| arguments([text.as_bytes()].into_iter()).into_iter().next().unwrap_or_default();
    found
        .into_iter()
        .map(|Case { suite, name: called, command }| TestCase {
            runner: process.tgid,
            runner_born_ns: process.born_ns,
            suite: name(suite),
            name: name(called),
            command: arguments(command.iter().map(String::as_bytes)),
        })
        .collect()
}

/// Where the build folder may be, the likeliest first.
fn folders(cmdline: &[Name], cwd: [Option<&Path>; 2]) -> Vec<PathBuf> {
    let named = named_folder(cmdline);
    let bases: Vec<&Path> = cwd.into_iter().flatten().collect();
    let told = bases.iter().filter_map(|base| Some(base.join(named.as_ref()?)));
    told.chain(bases.iter().map(|base| base.to_path_buf())).collect()
}

/// The build folder that a command line names.
fn named_folder(cmdline: &[Name]) -> Option<PathBuf> {
    let words: Vec<_> = cmdline.iter().map(Name::to_str_lossy).collect();
    words.iter().enumerate().find_map(|(i, word)| match word.as_ref() {
        "-C" | "--test-dir" => words.get(i + 1).map(|folder| PathBuf::from(folder.as_ref())),
        word => word
            .strip_prefix("--test-dir=")
            .or_else(|| word.strip_prefix("-C").filter(|folder| !folder.is_empty()))
            .map(PathBuf::from),
    })
}

/// The text of a file that a traced program may have made: never waits, and never takes more than there may be.
fn text(path: &Path) -> Option<String> {
    // A pipe or a device is no file of a build folder, and even opening one may do something.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    let known = file.metadata().ok()?;
    if !known.is_file() || known.len() > LONGEST_FILE {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_folder_is_named_or_where_the_runner_is() {
        let check = |cmdline: &str, want: &[&str]| {
            let words: Vec<Name> = cmdline.split('|').map(Name::from).collect();
            let at = [Some(Path::new("/home/a")), Some(Path::new("/home/a/mb"))];
            let want: Vec<PathBuf> = want.iter().map(PathBuf::from).collect();
            assert_eq!(folders(&words, at), want, "{cmdline}");
        };
        let here = ["/home/a/mb", "/home/a/mb/mb", "/home/a", "/home/a/mb"];
        check("python3|/usr/bin/meson|test|-C|mb", &here);
        check("python3|/usr/bin/meson|test|-Cmb", &here);
        check("ctest|--test-dir|mb", &here);
        check("ctest|--test-dir=mb", &here);
        check("ctest|--test-dir|/b", &["/b", "/b", "/home/a", "/home/a/mb"]);
        check("meson|test", &["/home/a", "/home/a/mb"]);
        check("meson|test|-C", &["/home/a", "/home/a/mb"]);
    }

    #[test]
    fn files_only_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("made");
        assert_eq!(text(&socket), None);
        assert_eq!(text(Path::new("/dev/zero")), None);
        assert_eq!(text(dir.path()), None);
        assert_eq!(text(&dir.path().join("nothing")), None);
        fs::write(dir.path().join("file"), "a").expect("written");
        assert_eq!(text(&dir.path().join("file")).as_deref(), Some("a"));
    }

    #[test]
    fn the_tests_of_a_runner_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("cb")).expect("made");
        fs::write(dir.path().join("cb/CTestTestfile.cmake"), "add_test(\"a\" \"/b/exe\" \"x\")\n")
            .expect("written");
        let process = Process {
            tgid: 7,
            born_ns: 5,
            cmdline: ["ctest", "--test-dir", "cb"].map(Name::from).to_vec(),
            ..Process::default()
        };
        let want = TestCase {
            runner: 7,
            runner_born_ns: 5,
            suite: Name::default(),
            name: "a".into(),
            command: vec!["/b/exe".into(), "x".into()],
        };
        assert_eq!(read(Runner::Ctest, &process, [Some(dir.path()), None]), [want]);
        assert!(read(Runner::Ctest, &process, [None, None]).is_empty());
        assert!(read(Runner::Prove, &process, [Some(dir.path()), None]).is_empty());
    }
}
