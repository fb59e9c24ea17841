//! Passing file descriptors between processes with SCM_RIGHTS.

use super::fd::Fd;
use super::{check, last_errno};
use crate::outcome::{Answer, Failed};
use crate::steps::{note, note_done};

/// Room for the control message of one descriptor, aligned as its header wants it.
type ControlBuffer = [u64; 4];

/// A connected pair of Unix sockets, both close-on-exec, that keep message boundaries.
///
/// # Errors
/// As socketpair(2).
#[inline(never)]
pub fn pair() -> Answer<(Fd, Fd)> {
    let mut ends = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two numbers.
    let ret = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) };
    check("socketpair", ret)?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// Sends a copy of `fd` over the socket; the sender keeps its own.
///
/// # Errors
/// As sendmsg(2).
#[inline(never)]
pub fn send_fd(over: Fd, fd: Fd) -> Answer {
    let mut byte = 1u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control: ControlBuffer = [0; 4];
    let message = message_with(&mut part, &mut control);
    // SAFETY: `message` has room for one control message of one fd, so the first header and its data lie in `control`.
    let ret = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<i32>() as u32) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd.0);
        libc::sendmsg(over.0, &raw const message, libc::MSG_NOSIGNAL)
    };
    let answer = if ret == 1 { Ok(()) } else { Err(Failed { what: "sendmsg", errno: last_errno() }) };
    note_done(answer, || format!("send-fd over={over} fd={fd}"))
}

/// Receives one descriptor, close-on-exec; `None` when the sender has closed its end.
///
/// # Errors
/// As recvmsg(2), or EBADF for a message without a descriptor.
#[inline(never)]
pub fn receive_fd(over: Fd) -> Answer<Option<Fd>> {
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control: ControlBuffer = [0; 4];
    let mut message = message_with(&mut part, &mut control);
    // SAFETY: `message` points at `byte` and `control`, which are writable for the lengths given.
    let got = unsafe { libc::recvmsg(over.0, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let answer = match got {
        0 => Ok(None),
        1 => taken_fd(&message).map(Some).ok_or(Failed { what: "recvmsg", errno: libc::EBADF }),
        _ => Err(Failed { what: "recvmsg", errno: last_errno() }),
    };
    note(
        answer,
        || format!("receive-fd over={over}"),
        |fd| fd.map_or("end".to_owned(), |fd| format!("fd={fd}")),
    )
}

/// A message of one part and one control buffer; it borrows both by address.
fn message_with(part: &mut libc::iovec, control: &mut ControlBuffer) -> libc::msghdr {
    // SAFETY: `msghdr` is plain data for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only computes.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<i32>() as u32) } as _;
    message
}

/// The descriptor in a received message.
fn taken_fd(message: &libc::msghdr) -> Option<Fd> {
    // SAFETY: the kernel filled `message`; CMSG_FIRSTHDR gives null unless a whole header is there, and an
    // SCM_RIGHTS message carries at least one i32.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        Some(Fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned()))
    }
}
