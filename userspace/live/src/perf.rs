//! The two system calls that join a BPF program to a trace event. aya loads and relocates the programs; it cannot
//! attach a kprobe program to an event that was made in tracefs, where alone `maxactive` can be chosen.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// `PERF_TYPE_TRACEPOINT`.
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_FLAG_FD_CLOEXEC`.
const FLAG_FD_CLOEXEC: libc::c_ulong = 8;
/// `PERF_EVENT_IOC_ENABLE`.
const IOC_ENABLE: libc::c_ulong = 0x2400;
/// `PERF_EVENT_IOC_SET_BPF`.
const IOC_SET_BPF: libc::c_ulong = 0x4004_2408;

/// `struct perf_event_attr` as its first version had it (`PERF_ATTR_SIZE_VER0`): every kernel takes it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const _: () = assert!(size_of::<Attributes>() == 64);

/// Runs `program` at every hit of the trace event with this id, on every cpu, until the fd is closed.
///
/// # Errors
/// The kernel's refusal.
pub fn attach(event_id: u64, cpu: u32, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: TYPE_TRACEPOINT,
        size: size_of::<Attributes>() as u32,
        config: event_id,
        sample_period: 1,
        wakeup_events: 1,
        ..Attributes::default()
    };
    let (pid, group): (libc::pid_t, libc::c_int) = (-1, -1);
    // SAFETY: the attributes are a live struct of the size that it names, the rest are numbers; the kernel only reads.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            pid,
            cpu as libc::c_int,
            group,
            FLAG_FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this fd to us alone.
    let event = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
    // One cpu is enough: the program hangs on the event itself, and runs wherever that is hit.
    control(&event, IOC_SET_BPF, program.as_raw_fd())?;
    control(&event, IOC_ENABLE, 0)?;
    Ok(event)
}

fn control(event: &OwnedFd, request: libc::c_ulong, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: both requests take a number, no pointer; the fd is open.
    if unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A cpu that is on line: the first.
#[must_use]
pub fn online_cpu() -> u32 {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    first_number(&list).unwrap_or(0)
}

fn first_number(list: &str) -> Option<u32> {
    list.split(|c: char| !c.is_ascii_digit()).find(|n| !n.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cpu_of_a_list() {
        assert_eq!(first_number("0-7\n"), Some(0));
        assert_eq!(first_number("2,4-7\n"), Some(2));
        assert_eq!(first_number(""), None);
    }
}
