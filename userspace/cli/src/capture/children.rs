//! The processes that a command leaves behind: they become children of gemscope, and their end is awaited.

use std::fs;
use std::time::{Duration, Instant};

use gemscope_live::remover;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Children of this process that live, without the helper that removes probes.
pub fn live() -> Vec<u32> {
    let own = std::process::id();
    let mut children: Vec<u32> =
        pids().filter(|pid| parent_if_alive(*pid) == Some(own) && !is_helper(*pid)).collect();
    children.sort_unstable();
    children
}

/// Every process there is, in no order.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Asks every child to end, and what then becomes a child, as a test runner wants it that has results to write. Waits until they have,
/// at most this long.
pub fn ask_to_end(command: u32, patience: Duration) {
    let begun = Instant::now();
    let mut asked: Vec<u32> = Vec::new();
    while begun.elapsed() < patience {
        let children = live();
        if children.is_empty() {
            return;
        }
        for pid in children.into_iter().filter(|pid| !asked.contains(pid)).collect::<Vec<_>>() {
            // One that has ended meanwhile is what was wanted.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
            asked.push(pid);
        }
        gemscope_live::command::reap_orphans(command);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends every child, and what then becomes a child, without mercy. The command itself is left to be waited for.
pub fn kill_all(command: u32) {
    /// A tree deeper than this hides its leaves; more rounds would only race with a fork bomb.
    const ROUNDS: usize = 64;
    for _ in 0..ROUNDS {
        let children = live();
        if children.is_empty() {
            return;
        }
        for pid in children {
            // One that has ended meanwhile is what was wanted.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
        gemscope_live::command::reap_orphans(command);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The parent of a process that is not a zombie.
fn parent_if_alive(pid: u32) -> Option<u32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let after = stat.iter().rposition(|b| *b == b')')?;
    let mut fields = stat.get(after + 1..)?.split(|b| *b == b' ').filter(|f| !f.is_empty());
    let state = fields.next()?;
    if matches!(state, b"Z" | b"X") {
        return None;
    }
    std::str::from_utf8(fields.next()?).ok()?.parse().ok()
}

fn is_helper(pid: u32) -> bool {
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    cmdline.split(|b| *b == 0).nth(1) == Some(remover::ARGUMENT.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_seen_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(live().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!live().contains(&child.id()));
    }
}
