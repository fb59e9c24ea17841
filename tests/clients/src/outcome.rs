//! How an operation, a scenario and the whole program end.

use std::fmt;

/// Exit code of a scenario that ran as it is described.
pub const EXIT_DONE: i32 = 0;
/// Exit code when the kernel answered something the scenario does not allow.
pub const EXIT_UNEXPECTED: i32 = 1;
/// Exit code of a wrong command line.
pub const EXIT_USAGE: i32 = 2;
/// Exit code when this kernel or machine lacks what the scenario needs (the convention of automake).
pub const EXIT_SKIPPED: i32 = 77;

/// A system call that failed: which one, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The name a kernel developer would use, such as `DRM_IOCTL_GEM_CLOSE`.
    pub what: &'static str,
    /// The errno, positive.
    pub errno: i32,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (errno {})", self.what, errno_name(self.errno), self.errno)
    }
}

/// Why a scenario did not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// The machine lacks something; the text says what.
    Skip(String),
    /// The kernel, or a child of this program, did something else than the scenario describes.
    Unexpected(String),
}

impl Stop {
    /// The exit code that tells this ending to the caller.
    pub fn code(&self) -> i32 {
        match self {
            Self::Skip(_) => EXIT_SKIPPED,
            Self::Unexpected(_) => EXIT_UNEXPECTED,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip(why) => write!(f, "skipped: {why}"),
            Self::Unexpected(why) => write!(f, "unexpected: {why}"),
        }
    }
}

/// These three errnos mean "this kernel or driver does not have the operation"; anything else is an answer.
impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        match failed.errno {
            libc::ENOTTY | libc::ENOSYS | libc::EOPNOTSUPP => {
                Self::Skip(format!("{failed}: not supported here"))
            }
            _ => Self::Unexpected(failed.to_string()),
        }
    }
}

/// The result of a scenario or of a part of one.
pub type Outcome<T = ()> = Result<T, Stop>;

/// The result of one operation on the kernel.
pub type Answer<T = ()> = Result<T, Failed>;

/// Demands that the kernel refused an operation with exactly `errno`.
///
/// # Errors
/// When the operation succeeded, or failed for another reason.
pub fn refused<T>(answer: Answer<T>, what: &str, errno: i32) -> Outcome {
    match answer {
        Err(failed) if failed.errno == errno => Ok(()),
        Err(failed) => Err(Stop::Unexpected(format!("{failed}, where {} was due", errno_name(errno)))),
        Ok(_) => Err(Stop::Unexpected(format!("{what} succeeded, where {} was due", errno_name(errno)))),
    }
}

/// Demands that something the kernel guarantees holds.
///
/// # Errors
/// When it does not.
pub fn holds(condition: bool, what: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(Stop::Unexpected(what())) }
}

/// The symbol of the errnos that DRM and dma-buf calls give; a dash for others, which are printed with their number.
pub fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::EINTR => "EINTR",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::ENODEV => "ENODEV",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENOTTY => "ENOTTY",
        libc::ENOSPC => "ENOSPC",
        libc::EPIPE => "EPIPE",
        libc::ENOSYS => "ENOSYS",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::ETIMEDOUT => "ETIMEDOUT",
        _ => "-",
    }
}
