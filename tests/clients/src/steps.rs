//! The step log: one line for each operation, so that a recorded trace can be compared with what the client did.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::outcome::{Answer, errno_name};

/// The first thread's id when logging is on; unset when it is off.
static LOGGING: OnceLock<i32> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Turns the log on for the rest of this process and its forked children.
pub fn turn_on() {
    // A second call changes nothing, which is what is wanted.
    let _ = LOGGING.set(crate::sys::process::thread_id());
}

/// Whether the log is on, so that a program run by exec can be told to log too.
pub fn is_on() -> bool {
    LOGGING.get().is_some()
}

/// Logs `step N: OP -> RESULT` and hands the answer on.
///
/// Threads and forked children other than the first add `(tid N)`: their steps interleave.
pub fn note<T>(
    answer: Answer<T>,
    op: impl FnOnce() -> String,
    shown: impl FnOnce(&T) -> String,
) -> Answer<T> {
    if let Some(&first) = LOGGING.get() {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let result = match &answer {
            Ok(value) => shown(value),
            Err(failed) => errno_name(failed.errno).to_owned(),
        };
        let tid = crate::sys::process::thread_id();
        let by = if tid == first { String::new() } else { format!(" (tid {tid})") };
        let line = format!("step {number}: {} -> {result}{by}\n", op());
        // One write for one line, so that lines of several processes do not mix. A closed stderr is not our concern.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    answer
}

/// [`note`] for operations that give nothing back.
pub fn note_done(answer: Answer, op: impl FnOnce() -> String) -> Answer {
    note(answer, op, |()| "ok".to_owned())
}
