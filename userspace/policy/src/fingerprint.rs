//! A short name for what is wrong, the same from run to run.
//!
//! Two findings have the same fingerprint when the same rule was broken by a process of the same name, in the same chain of functions,
//! on devices of the same drivers. So it changes when
//! * a function of the chain is renamed, or a call is put between two of them; inlining alone changes it too where the program has no
//!   debug information, because inlined functions cannot be named then;
//! * the process is renamed;
//! * the finding comes from another driver;
//! * a program gains or loses its symbols: without them its modules stand for its functions.
//!
//! It does not change with what runs before `main` or before a thread's function, which is the compiler's; with lines, files, offsets and addresses, with versions of libraries, with counts and sizes, with device numbers
//! and process ids, with what wrappers of libc and libdrm a call goes through, or with the kernel, unless no frame of the program is known:
//! then the kernel's functions stand for it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::frames::runtime_from;
use crate::subject::{Frame, Subject};

/// The fingerprint: 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(subject: &Subject) -> String {
    let mut hash = Sha256::new();
    // A zero byte is in none of the names.
    let mut add = |kind: &str, text: &str| {
        for part in [kind, text] {
            hash.update(part.replace('\0', "?").as_bytes());
            hash.update([0]);
        }
    };
    add("rule", &subject.rule);
    add("process", subject.processes.first().map_or("", |name| worker(name)));
    for place in chain(subject) {
        add("at", &place);
    }
    let mut drivers: Vec<&str> =
        subject.devices.iter().map(String::as_str).filter(|name| !is_node(name)).collect();
    drivers.sort_unstable();
    drivers.dedup();
    drivers.iter().for_each(|driver| add("on", driver));
    let mut out = String::with_capacity(16);
    for byte in hash.finalize().iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The chain of functions that a fingerprint is made of, innermost first: for readers too.
#[must_use]
pub fn chain(subject: &Subject) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let frames: Vec<&Frame> = subject.own_frames().collect();
    let functions: Vec<&str> = frames.iter().map(|frame| frame.function.as_str()).collect();
    // Where nothing else is known it is all that there is.
    let end = runtime_from(&functions).filter(|from| *from > 0).unwrap_or(frames.len());
    for frame in frames.into_iter().take(end) {
        let place = place(frame);
        // Frames without a name are told by their module, once however many there are.
        if !(frame.function.is_empty() && out.last() == Some(&place)) {
            out.push(place);
        }
    }
    out
}

fn place(frame: &Frame) -> String {
    if frame.function.is_empty() {
        return format!("[{}]", stem(&frame.module));
    }
    function(&frame.function).to_owned()
}

/// A function without what compilers append: Rust's hash, and the marks of copies that were made for speed.
fn function(name: &str) -> &str {
    const COPIES: &[&str] = &[".isra.", ".constprop.", ".part.", ".cold", ".llvm.", ".lto_priv."];
    let end = COPIES.iter().filter_map(|mark| name.find(mark)).filter(|at| *at > 0).min();
    let name = end.map_or(name, |at| &name[..at]);
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => rest,
        _ => name,
    }
}

/// A library without its version: `libgallium-24.2.8.so.1` is `libgallium`.
fn stem(module: &str) -> &str {
    let name = module.split(".so").next().unwrap_or(module);
    match name.split_once('-') {
        Some((rest, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => name,
    }
}

/// Kernel threads have the number of a processor in their names.
fn worker(name: &str) -> &str {
    if name.starts_with("kworker/") { "kworker" } else { name }
}

/// Is it the name of a device node, whose number another machine gives to another device?
fn is_node(name: &str) -> bool {
    ["card", "renderD", "controlD", "accel"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: &str, line: u32) -> Frame {
        Frame { function: function.to_owned(), module: module.to_owned(), file: String::new(), line }
    }

    fn subject() -> Subject {
        Subject {
            number: 1,
            rule: "handle-leak".to_owned(),
            processes: vec!["weston".to_owned(), "other".to_owned()],
            devices: vec!["card0".to_owned(), "vgem".to_owned()],
            user: vec![
                frame("ioctl", "libc.so.6", 0),
                frame("make", "weston", 3),
                frame("main", "weston", 9),
            ],
            kernel: vec![frame("drm_ioctl", "drm", 0)],
            count: 3,
            bytes: 4096,
            ..Subject::default()
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Subject), same: bool) {
        let mut changed = subject();
        change(&mut changed);
        assert_eq!(fingerprint(&changed) == fingerprint(&subject()), same);
    }

    /// Baselines are files of other projects: what makes a fingerprint is for ever.
    #[test]
    fn it_is_stable() {
        assert_eq!(fingerprint(&subject()), "bc4e1bb7221bd3b5");
        assert_eq!(chain(&subject()), ["make", "main"]);
    }

    #[test]
    fn what_does_not_matter() {
        check(|s| s.number = 7, true);
        check(|s| (s.count, s.bytes) = (9, 1), true);
        check(|s| s.user[1].line = 70, true);
        check(|s| s.user[1].file = "x.c".to_owned(), true);
        check(|s| s.user[0].function = "__ioctl".to_owned(), true);
        check(|s| s.user.insert(0, frame("drmIoctl", "libdrm.so.2", 0)), true);
        check(|s| s.user[1].function = "make::h0123456789abcdef".to_owned(), true);
        check(|s| s.user[1].function = "make.isra.0".to_owned(), true);
        check(|s| s.kernel.clear(), true);
        check(
            |s| {
                let runtime =
                    ["call_once<fn(), ()>", "__rust_begin_short_backtrace<fn(), ()>", "main", "_start"];
                s.user.extend(runtime.map(|function| frame(function, "weston", 0)));
            },
            true,
        );
        check(|s| s.devices = vec!["vgem".to_owned(), "renderD128".to_owned(), "vgem".to_owned()], true);
        check(|s| s.processes[1] = "x".to_owned(), true);
    }

    #[test]
    fn what_matters() {
        check(|s| s.rule = "fd-leak".to_owned(), false);
        check(|s| s.processes[0] = "x".to_owned(), false);
        check(|s| s.user[1].function = "make2".to_owned(), false);
        check(|s| s.user.swap(1, 2), false);
        check(|s| s.devices[1] = "i915".to_owned(), false);
        check(|s| s.user.clear(), false);
    }

    #[test]
    fn without_symbols_modules_speak() {
        let of = |module: &str| {
            let user = vec![frame("", module, 0), frame("", module, 0)];
            chain(&Subject { user, ..subject() })
        };
        assert_eq!(of("libgallium-24.2.8.so"), ["[libgallium]"]);
        assert_eq!(of("libgallium-25.so.1"), ["[libgallium]"]);
        assert_eq!(of("my-server"), ["[my-server]"]);
        assert_eq!(
            chain(&Subject { user: vec![frame("start_thread", "x", 0)], ..subject() }),
            ["start_thread"]
        );
        let kernel = Subject { user: Vec::new(), ..subject() };
        assert_eq!(chain(&kernel), ["drm_ioctl"]);
    }

    #[test]
    fn kernel_workers_are_one() {
        let of = |name: &str| fingerprint(&Subject { processes: vec![name.to_owned()], ..subject() });
        assert_eq!(of("kworker/0:1"), of("kworker/u8:3"));
        assert_ne!(of("kworker/0:1"), of("kthreadd"));
    }
}
