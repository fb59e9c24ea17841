//! File descriptors: open, close, duplicate, ioctl.

use std::ffi::CString;
use std::fmt;

use super::{check, last_errno};
use crate::outcome::{Answer, Failed};
use crate::steps::{note, note_done};

/// An open file descriptor that only an explicit [`Fd::close`] (or the process's end) closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub i32);

impl fmt::Display for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a file descriptor refers to, as far as `fstat` tells. Two fds of one dma-buf are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device number of the file system.
    pub dev: u64,
    /// The inode number: for a dma-buf its public name.
    pub ino: u64,
}

impl Fd {
    /// Opens `path` with `flags`, close-on-exec.
    ///
    /// # Errors
    /// As open(2).
    #[inline(never)]
    pub fn open(path: &str, flags: i32) -> Answer<Self> {
        let Ok(name) = CString::new(path) else { return Err(Failed { what: "open", errno: libc::EINVAL }) };
        // SAFETY: `name` is a NUL-terminated string that lives across the call.
        let ret = unsafe { libc::open(name.as_ptr(), flags | libc::O_CLOEXEC) };
        let answer = check("open", ret).map(Self);
        note(answer, || format!("open {path}"), |fd| format!("fd={fd}"))
    }

    /// Closes the descriptor. The number is then free for reuse by any thread.
    ///
    /// # Errors
    /// As close(2).
    #[inline(never)]
    pub fn close(self) -> Answer {
        // SAFETY: closing a number touches no memory; that it may be wrong is what some scenarios are about.
        let ret = unsafe { libc::close(self.0) };
        note_done(check("close", ret).map(drop), || format!("close fd={self}"))
    }

    /// dup(2): a second number for the same open file.
    ///
    /// # Errors
    /// As dup(2).
    #[inline(never)]
    pub fn dup(self) -> Answer<Self> {
        // SAFETY: no memory is passed.
        let ret = unsafe { libc::dup(self.0) };
        note(check("dup", ret).map(Self), || format!("dup fd={self}"), |fd| format!("fd={fd}"))
    }

    /// dup3(2) onto the number `onto`, which is closed first if it is open.
    ///
    /// # Errors
    /// As dup3(2).
    #[inline(never)]
    pub fn dup_onto(self, onto: i32) -> Answer<Self> {
        // SAFETY: no memory is passed.
        let ret = unsafe { libc::dup3(self.0, onto, libc::O_CLOEXEC) };
        note(check("dup3", ret).map(Self), || format!("dup3 fd={self} onto={onto}"), |fd| format!("fd={fd}"))
    }

    /// fcntl(2) F_DUPFD_CLOEXEC: the lowest free number from `from` on.
    ///
    /// # Errors
    /// As fcntl(2).
    #[inline(never)]
    pub fn dup_from(self, from: i32) -> Answer<Self> {
        // SAFETY: no memory is passed.
        let ret = unsafe { libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, from) };
        note(
            check("F_DUPFD_CLOEXEC", ret).map(Self),
            || format!("dupfd fd={self} from={from}"),
            |fd| format!("fd={fd}"),
        )
    }

    /// Sets the seals of a memfd.
    ///
    /// # Errors
    /// As fcntl(2) F_ADD_SEALS.
    #[inline(never)]
    pub fn add_seals(self, seals: i32) -> Answer {
        // SAFETY: no memory is passed.
        let ret = unsafe { libc::fcntl(self.0, libc::F_ADD_SEALS, seals) };
        check("F_ADD_SEALS", ret).map(drop)
    }

    /// Which file this is.
    ///
    /// # Errors
    /// As fstat(2).
    #[inline(never)]
    pub fn identity(self) -> Answer<Identity> {
        // SAFETY: `stat` is plain data for which all zeroes is a value.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` is writable and lives across the call.
        let ret = unsafe { libc::fstat(self.0, &raw mut stat) };
        check("fstat", ret).map(|_| Identity { dev: stat.st_dev, ino: stat.st_ino })
    }

    /// Runs an ioctl, again when a signal interrupts it, as libdrm does.
    ///
    /// The caller names the ioctl with `request`, whose size field must be that of `T`.
    ///
    /// # Errors
    /// As ioctl(2).
    #[inline(never)]
    pub fn ioctl<T>(self, what: &'static str, request: u32, arg: &mut T) -> Answer<i32> {
        debug_assert_eq!(((request >> 16) & 0x3fff) as usize, size_of::<T>(), "{what}");
        loop {
            // SAFETY: `arg` is valid for reads and writes of the size encoded in `request`, which is all the kernel
            // touches; pointers inside `T` are kept valid by the callers.
            let ret = unsafe { libc::ioctl(self.0, libc::c_ulong::from(request), std::ptr::from_mut(arg)) };
            match last_errno() {
                libc::EINTR | libc::EAGAIN if ret < 0 => {}
                errno if ret < 0 => return Err(Failed { what, errno }),
                _ => return Ok(ret),
            }
        }
    }
}

/// An anonymous memory file of `len` bytes that can be sealed.
///
/// # Errors
/// As memfd_create(2) and ftruncate(2).
#[inline(never)]
pub fn memfd(len: u64) -> Answer<Fd> {
    // SAFETY: the name is a NUL-terminated constant.
    let ret =
        unsafe { libc::memfd_create(c"gemclient".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    let fd = check("memfd_create", ret).map(Fd)?;
    // SAFETY: no memory is passed.
    let ret = unsafe { libc::ftruncate(fd.0, len.cast_signed()) };
    check("ftruncate", ret)?;
    Ok(fd)
}

/// Closes every descriptor whose number is in the range (5.9).
///
/// # Errors
/// As close_range(2).
#[inline(never)]
pub fn close_range(first: i32, last: i32) -> Answer {
    // SAFETY: no memory is passed.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    note_done(check("close_range", ret as libc::c_int).map(drop), || format!("close-range {first} to {last}"))
}

/// A pipe: its reading and its writing end, both close-on-exec.
///
/// # Errors
/// As pipe2(2).
#[inline(never)]
pub fn pipe() -> Answer<(Fd, Fd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two numbers.
    let ret = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    check("pipe2", ret)?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// Reads one byte; `None` at the end of the stream.
///
/// # Errors
/// As read(2).
#[inline(never)]
pub fn read_byte(from: Fd) -> Answer<Option<u8>> {
    let mut byte = 0u8;
    loop {
        // SAFETY: one byte at `byte` is writable.
        let got = unsafe { libc::read(from.0, (&raw mut byte).cast(), 1) };
        match got {
            1 => return Ok(Some(byte)),
            0 => return Ok(None),
            _ if last_errno() == libc::EINTR => {}
            _ => return Err(Failed { what: "read", errno: last_errno() }),
        }
    }
}

/// Writes one byte.
///
/// # Errors
/// As write(2).
#[inline(never)]
pub fn write_byte(to: Fd, byte: u8) -> Answer {
    // SAFETY: one byte at `byte` is readable.
    let put = unsafe { libc::write(to.0, (&raw const byte).cast(), 1) };
    if put == 1 { Ok(()) } else { Err(Failed { what: "write", errno: last_errno() }) }
}

/// Reads once into `bytes`; gives how many came.
///
/// # Errors
/// As read(2).
#[inline(never)]
pub fn read_bytes(from: Fd, bytes: &mut [u8]) -> Answer<usize> {
    loop {
        // SAFETY: `bytes` is writable for its length.
        let got = unsafe { libc::read(from.0, bytes.as_mut_ptr().cast(), bytes.len()) };
        match usize::try_from(got) {
            Ok(got) => return Ok(got),
            Err(_) if last_errno() == libc::EINTR => {}
            Err(_) => return Err(Failed { what: "read", errno: last_errno() }),
        }
    }
}

/// Waits until `fd` is readable, at most `millis`; false when the time ran out.
///
/// # Errors
/// As poll(2).
#[inline(never)]
pub fn wait_readable(fd: Fd, millis: i32) -> Answer<bool> {
    let mut one = libc::pollfd { fd: fd.0, events: libc::POLLIN, revents: 0 };
    // SAFETY: `one` is a single pollfd.
    let ret = unsafe { libc::poll(&raw mut one, 1, millis) };
    let came = check("poll", ret).map(|n| n > 0);
    note(came, || format!("poll fd={fd}"), |came| if *came { "ready" } else { "time-out" }.to_owned())
}
