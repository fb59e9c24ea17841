//! What must be there before anything is attached: checked first, explained, never guessed.
//!
//! `doctor` prints this list; `record` and `check` refuse to start with the first thing that is missing.

use std::fs;
use std::path::Path;

use rustix::thread::CapabilitySet;

use crate::kallsyms;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Something will be missing from the result.
    Degraded,
    /// Nothing can be traced.
    Missing,
    /// It could not be found out.
    Unknown,
}

/// One prerequisite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is looked at, in a few words.
    pub name: &'static str,
    /// How it went.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when nothing is to be done.
    pub fix: String,
}

impl Check {
    fn new(name: &'static str, state: State, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state, found: found.into(), fix: fix.into() }
    }

    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found, "")
    }
}

/// Where tracefs is, if it is mounted and may be entered.
#[must_use]
pub fn tracefs() -> Option<&'static Path> {
    ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
        .map(Path::new)
        .into_iter()
        .find(|p| p.join("README").exists())
}

/// What `setcap` must give a gemscope that is to run without root: besides loading and attaching, to write where probes are made
/// (`CAP_DAC_OVERRIDE`), to see kernel addresses (`CAP_SYSLOG`) and to look at the open files of others.
const FILE_CAPABILITIES: &str =
    "cap_sys_admin,cap_bpf,cap_perfmon,cap_syslog,cap_dac_override,cap_dac_read_search,cap_sys_ptrace+ep";

/// Every prerequisite, the fatal ones first.
#[must_use]
pub fn checks() -> Vec<Check> {
    vec![
        privileges(),
        kernel_btf(),
        symbols(),
        drm(),
        kprobes(),
        trace_filesystem(),
        lockdown(),
        module_btf(),
        bpf_jit(),
    ]
}

/// The first thing that makes tracing impossible, if there is one.
#[must_use]
pub fn blocker() -> Option<Check> {
    checks().into_iter().find(|c| c.state == State::Missing)
}

/// May this process load BPF programs and attach probes?
pub(crate) fn privileges() -> Check {
    const NAME: &str = "privileges";
    let need = CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN;
    match rustix::thread::capabilities(None) {
        Ok(sets) if sets.effective.contains(need) => {
            Check::ok(NAME, "may load BPF programs and attach probes")
        }
        Ok(_) => {
            let args: Vec<String> = std::env::args().map(|a| quoted(&a)).collect();
            let own = std::env::current_exe()
                .map_or_else(|_| "gemscope".to_owned(), |p| quoted(&p.to_string_lossy()));
            let fix = format!(
                "run it with sudo: `sudo {}`; or let this gemscope do it without: `sudo setcap {FILE_CAPABILITIES} {own}`",
                args.join(" ")
            );
            Check::new(NAME, State::Missing, "attaching probes needs root", fix)
        }
        Err(e) => Check::new(NAME, State::Unknown, format!("capabilities could not be read: {e}"), ""),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let visible: String = word
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    format!("'{}'", visible.replace('\'', r"'\''"))
}

fn kernel_btf() -> Check {
    const NAME: &str = "kernel type information (BTF)";
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Check::ok(NAME, "/sys/kernel/btf/vmlinux");
    }
    let fix = "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y: the stock kernels of Debian, Ubuntu, Fedora and Arch are";
    Check::new(NAME, State::Missing, "/sys/kernel/btf/vmlinux is not there", fix)
}

fn symbols() -> Check {
    const NAME: &str = "kernel symbols";
    let Ok(text) = kallsyms::text() else {
        let fix = "boot a kernel built with CONFIG_KALLSYMS=y";
        return Check::new(NAME, State::Missing, "/proc/kallsyms could not be read", fix);
    };
    if text.starts_with(b"0000000000000000 ")
        && text.split(|b| *b == b'\n').take(8).all(|l| l.is_empty() || l.starts_with(b"0000000000000000"))
    {
        let fix = "run as root, and allow addresses with `sysctl kernel.kptr_restrict=1`";
        return Check::new(
            NAME,
            State::Degraded,
            "addresses are hidden: fds of dma-bufs at exit are not seen",
            fix,
        );
    }
    Check::ok(NAME, "/proc/kallsyms")
}

fn drm() -> Check {
    const NAME: &str = "DRM";
    if kallsyms::text().is_ok_and(|text| kallsyms::has(&text, "drm_gem_handle_create_tail")) {
        let nodes = fs::read_dir("/dev/dri").map(|d| d.count()).unwrap_or(0);
        return if nodes > 0 {
            Check::ok(NAME, "loaded, with devices in /dev/dri")
        } else {
            let fix = "load a driver, for tests without a GPU: `modprobe vgem`";
            Check::new(NAME, State::Degraded, "loaded, but /dev/dri has no device", fix)
        };
    }
    let fix = "load a GPU driver, for tests without a GPU: `modprobe vgem`; cloud kernels have none: install the full kernel package";
    Check::new(NAME, State::Missing, "the kernel has no drm module loaded, so there is nothing to probe", fix)
}

fn kprobes() -> Check {
    const NAME: &str = "kprobes";
    match fs::read_to_string("/sys/kernel/debug/kprobes/enabled") {
        Ok(text) if text.trim() == "0" => {
            let fix = "switch them on: `echo 1 > /sys/kernel/debug/kprobes/enabled`";
            Check::new(NAME, State::Missing, "switched off", fix)
        }
        Ok(_) => Check::ok(NAME, "enabled"),
        Err(_) if tracefs().is_some_and(|t| t.join("kprobe_events").exists()) => {
            Check::ok(NAME, "kprobe_events")
        }
        Err(_) if Path::new("/sys/bus/event_source/devices/kprobe").exists() => {
            Check::ok(NAME, "perf kprobes")
        }
        Err(_) => {
            let fix = "boot a kernel built with CONFIG_KPROBE_EVENTS=y";
            Check::new(NAME, State::Missing, "the kernel offers none", fix)
        }
    }
}

fn trace_filesystem() -> Check {
    const NAME: &str = "tracefs";
    match tracefs() {
        Some(path) => Check::ok(NAME, path.display().to_string()),
        None => {
            let found = "not mounted or not readable: returns of contended calls may be missed, and misses not counted";
            Check::new(
                NAME,
                State::Degraded,
                found,
                "mount it: `mount -t tracefs tracefs /sys/kernel/tracing`",
            )
        }
    }
}

fn lockdown() -> Check {
    const NAME: &str = "lockdown";
    match fs::read_to_string("/sys/kernel/security/lockdown") {
        Ok(text) if text.contains("[confidentiality]") => {
            let fix = "boot with `lockdown=integrity` or without lockdown";
            Check::new(NAME, State::Missing, "confidentiality mode forbids reading kernel memory", fix)
        }
        Ok(text) => Check::ok(NAME, text.split(['[', ']']).nth(1).unwrap_or("none").to_owned()),
        Err(_) => Check::ok(NAME, "none"),
    }
}

fn module_btf() -> Check {
    const NAME: &str = "type information of drm";
    if Path::new("/sys/kernel/btf/drm").exists() {
        return Check::ok(NAME, "/sys/kernel/btf/drm");
    }
    if !Path::new("/sys/module/drm/initstate").exists() {
        return Check::ok(NAME, "drm is built in: its types are the kernel's");
    }
    let found = "no BTF for modules: field offsets are checked against the module's own code";
    Check::new(
        NAME,
        State::Degraded,
        found,
        "kernels from 5.11 on have it with CONFIG_DEBUG_INFO_BTF_MODULES=y",
    )
}

fn bpf_jit() -> Check {
    const NAME: &str = "BPF JIT";
    match fs::read_to_string("/proc/sys/net/core/bpf_jit_enable") {
        Ok(text) if text.trim() == "0" => {
            let fix = "switch it on: `sysctl net.core.bpf_jit_enable=1`";
            Check::new(NAME, State::Degraded, "off: probes cost more than they need to", fix)
        }
        Ok(_) => Check::ok(NAME, "on"),
        Err(_) => Check::new(NAME, State::Unknown, "could not be read", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_right_says_what_to_do() {
        for check in checks() {
            let silent = matches!(check.state, State::Ok | State::Unknown);
            assert!(silent || !check.fix.is_empty(), "{check:?}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("--ring-size=1M"), "--ring-size=1M");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's\x1b[31m"), r"'it'\''s\u{1b}[31m'");
    }
}
