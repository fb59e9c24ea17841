//! The process that does an action again and again: this same binary, made before privileges are given up, so that each time is like
//! the first.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

/// The hidden first argument that makes gemscope this process; an fd and the action follow.
pub const ARGUMENT: &str = "__cycles";

/// The process's end of the link.
pub struct Other(UnixStream);

/// The two ends of a link to such a process.
///
/// # Errors
/// The kernel's refusal.
pub fn link() -> io::Result<(UnixStream, Other)> {
    let (own, other) = UnixStream::pair()?;
    Ok((own, Other(other)))
}

impl Other {
    /// The fd that must live on in the process.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// What to run, for an action.
    #[must_use]
    pub fn command(&self, action: &[OsString]) -> Vec<OsString> {
        let words = ["/proc/self/exe".into(), ARGUMENT.into(), self.fd().to_string().into()];
        words.into_iter().chain(action.iter().cloned()).collect()
    }
}

/// What is told of one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// why it could not be run; 0 when it was
    pub errno: i32,
    /// its wait status
    pub status: i32,
}

impl Answer {
    /// Bytes of one.
    pub const LEN: usize = 8;

    /// From what was read.
    #[must_use]
    pub const fn decode(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self { errno: i32::from_le_bytes([a, b, c, d]), status: i32::from_le_bytes([e, f, g, h]) }
    }

    fn encode(self) -> Vec<u8> {
        [self.errno.to_le_bytes(), self.status.to_le_bytes()].concat()
    }
}

/// The process itself: does the action each time that it is told to. Gives an exit code: that of the first failure.
pub fn main(mut words: impl Iterator<Item = OsString>) -> u8 {
    let fd = words.next().and_then(|fd| fd.to_str()?.parse::<i32>().ok()).filter(|fd| *fd > 2);
    let action: Vec<OsString> = words.collect();
    let (Some(fd), Some((program, args))) = (fd, action.split_first()) else { return 2 };
    // SAFETY: gemscope made this fd for this process alone and passed its number; nothing else here uses it.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    // The actions must not have it.
    if rustix::io::fcntl_setfd(&link, rustix::io::FdFlags::CLOEXEC).is_err() {
        return 2;
    }
    serve(&mut UnixStream::from(link), program, args)
}

/// Does the action for each byte that comes, and tells how it went.
pub fn serve(link: &mut UnixStream, program: &OsStr, args: &[OsString]) -> u8 {
    let mut first_failure = 0;
    let mut go = [0];
    while link.read_exact(&mut go).is_ok() {
        let answer = match Command::new(program).args(args).status() {
            Ok(status) => Answer { errno: 0, status: status.into_raw() },
            Err(error) => Answer { errno: error.raw_os_error().unwrap_or(libc::EIO), status: 0 },
        };
        if first_failure == 0 {
            first_failure = code(answer.status);
        }
        if link.write_all(&answer.encode()).is_err() {
            break;
        }
    }
    first_failure
}

/// An exit code for a wait status, as a shell tells it.
fn code(status: i32) -> u8 {
    let code = if status & 0x7f == 0 { status >> 8 & 0xff } else { 128 + (status & 0x7f) };
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_a_shell() {
        assert_eq!([0, 3 << 8, 9, 0x80 | 11].map(code), [0, 3, 137, 139]);
    }

    #[test]
    fn answers_come_as_they_went() {
        let answer = Answer { errno: 2, status: 0x0300 };
        assert_eq!(Answer::decode(answer.encode().try_into().unwrap()), answer);
    }
}
