//! Tests of Rust's own harness: each a thread of one process, or alone in it when it is asked for by name.

use std::borrow::Cow;

use gemscope_trace::{Name, Process, Runner, base_name};

use super::Test;

/// What the harness calls every test from.
const HARNESS: &str = "test::__rust_begin_short_backtrace";

/// Is it a test binary, where cargo puts them? `target/debug/deps/NAME-0123456789abcdef`
pub(super) fn is_binary(process: &Process) -> bool {
    let path = path(process);
    let mut parts = path.rsplit(|b| *b == b'/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next());
    folder == Some(b"deps") && stem(name).len() < name.len()
}

/// The path of the program; after an upgrade or a removal the kernel says so behind it.
fn path(process: &Process) -> &[u8] {
    let path = process.exe.as_bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    if path.is_empty() { process.cmdline.first().map_or(&[], Name::as_bytes) } else { path }
}

/// The name without the hash that cargo puts behind it.
fn stem(name: &[u8]) -> &[u8] {
    let Some(dash) = name.iter().rposition(|b| *b == b'-') else { return name };
    let (stem, hash) = name.split_at(dash);
    if hash.len() == 17 && hash.iter().skip(1).all(u8::is_ascii_hexdigit) { stem } else { name }
}

/// The test of that name in this binary.
pub(super) fn test(process: &Process, name: String, parent: Option<&Process>) -> Test {
    let nextest = parent.and_then(|parent| Runner::of(&parent.cmdline)) == Some(Runner::Nextest);
    let binary = String::from_utf8_lossy(stem(base_name(path(process)))).into_owned();
    Test {
        runner: if nextest { Runner::Nextest } else { Runner::Cargo },
        suite: Some(binary).filter(|binary| !binary.is_empty()),
        name,
    }
}

/// The one test that is asked for by its whole name: `BINARY --exact NAME --nocapture`.
pub(super) fn name_by_command(cmdline: &[Name]) -> Option<String> {
    /// Options whose value is a word of its own.
    const VALUED: &[&[u8]] = &[b"--color", b"--format", b"--logfile", b"--skip", b"--test-threads", b"-Z"];
    let arguments: Vec<&[u8]> = cmdline.iter().skip(1).map(Name::as_bytes).collect();
    if !arguments.contains(&b"--exact".as_slice()) {
        return None;
    }
    let mut names = arguments.iter().enumerate().filter(|(i, word)| {
        let value = i.checked_sub(1).and_then(|i| arguments.get(i)).is_some_and(|w| VALUED.contains(w));
        !word.starts_with(b"-") && !value
    });
    let (_, name) = names.next()?;
    // Of several it cannot be told which.
    names.next().is_none().then(|| String::from_utf8_lossy(name).into_owned())
}

/// The test that a stack belongs to, by its functions, innermost first.
///
/// The harness calls a closure that `#[test]` makes around each function. Only that closure is believed: a function may be missing
/// from a stack when its last call took its place, and the one found there would be another.
pub(super) fn name_by_stack(functions: &[Cow<'_, str>]) -> Option<String> {
    let harness = functions.iter().position(|function| function.starts_with(HARNESS))?;
    let outermost = functions.get(..harness)?.iter().rev().find(|function| !is_glue(function))?;
    let function = without_closures(without_hash(outermost))?;
    let (_crate, name) = function.split_once("::")?;
    Some(name.to_owned())
}

/// What stands between the harness and the closure of a test.
fn is_glue(function: &str) -> bool {
    ["<", "core::", "std::", "alloc::", "call_once"].iter().any(|begin| function.starts_with(begin))
}

/// Without `::h0123456789abcdef`
fn without_hash(function: &str) -> &str {
    match function.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => function,
    }
}

/// Without `::{{closure}}` or `::{closure#0}`; `None` when it is no closure.
fn without_closures(function: &str) -> Option<&str> {
    let mut name = function;
    while let Some((before, last)) = name.rsplit_once("::") {
        if !(last.starts_with('{') && last.contains("closure")) {
            break;
        }
        name = before;
    }
    (name.len() < function.len()).then_some(name)
}
