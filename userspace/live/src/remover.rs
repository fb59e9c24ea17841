//! A helper process that removes the kprobe events when gemscope itself no longer can: after SIGKILL, or a crash.
//!
//! It is the same binary, started before privileges are given up, in a session of its own so that Ctrl-C does not
//! reach it. It holds nothing but the reading end of a pipe: when gemscope ends, in whatever way, the pipe ends.

use std::io::{self, Read as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{events, prereq};

/// The hidden first argument that makes gemscope this helper; the group's name follows.
pub const ARGUMENT: &str = "__remove-probes";

/// The helper, seen from gemscope.
#[derive(Debug)]
pub struct Remover {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Remover {
    /// Starts the helper for a group of events.
    ///
    /// # Errors
    /// No process could be made.
    pub fn start(group: &str) -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg(ARGUMENT)
            .arg(group)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .current_dir("/")
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Ends the helper; it finds nothing left to remove when the events are gone.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.pipe.take().is_some() {
            let _ = self.child.wait();
        }
    }
}

impl Drop for Remover {
    fn drop(&mut self) {
        self.end();
    }
}

/// The helper's whole life: the cli calls it first thing when its first argument is [`ARGUMENT`], and returns its value as
/// the exit code.
#[must_use]
pub fn main(group: &str) -> u8 {
    // Fails only for the leader of a process group, which a child just started is not.
    let _ = rustix::process::setsid();
    if !events::is_ours(group) {
        return 2;
    }
    let mut byte = [0];
    while !matches!(io::stdin().read(&mut byte), Ok(0) | Err(_)) {}
    match prereq::tracefs() {
        Some(root) if events::remove_group(root, group).is_ok() => 0,
        _ => 2,
    }
}
