//! Buffers in the hands of several processes: every way in which a reference gets from one to another.

use super::parts::{
    close_buffer, close_device, close_prime_fd, device, make_buffer, open_device, share, share_with_importer,
};
use crate::drm::{BYTES, Device, DrmFile, Handle};
use crate::kms::Fence;
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds};
use crate::sys::fd::{Fd, read_byte, wait_readable, write_byte};
use crate::sys::memory::Mapping;
use crate::sys::process::{fork_child, process_id, take_fd, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// A child takes a prime fd out of its parent by itself, imports it, and gives both back; the parent does not take part.
#[inline(never)]
pub fn pidfd_takes_fd(options: &Options) -> Outcome {
    let device = device(options)?;
    let file = device.open()?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let parent = process_id();
    let child = fork_child(|| {
        // The inherited copy goes first, so that what the child has later is what it took.
        close_prime_fd(prime)?;
        take_and_import(&device, parent, prime)
    })?;
    wait_well(child)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

#[inline(never)]
fn take_and_import(device: &Device, from: i32, number: Fd) -> Outcome {
    let file = device.open()?;
    let prime = take_fd(from, number)?;
    let imported = share_with_importer(file, prime)?;
    close_prime_fd(prime)?;
    close_buffer(file, imported)?;
    close_device(file)
}

/// A child opens its parent's prime fd through /proc without using it (O_PATH), and is the last one to hold the buffer.
#[inline(never)]
pub fn path_in_other_process(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let parent = process_id();
    let (here, there) = pair()?;
    let child = fork_child(|| {
        here.close()?;
        file.close()?;
        prime.close()?;
        let path = Fd::open(&format!("/proc/{parent}/fd/{prime}"), libc::O_PATH)?;
        write_byte(there, 1)?;
        // The end of the stream: the parent has closed everything.
        read_byte(there)?;
        path.close()?;
        Ok(there.close()?)
    })?;
    there.close()?;
    holds(read_byte(here)?.is_some(), || "the child ended early".to_owned())?;
    close_buffer(file, buffer)?;
    close_prime_fd(prime)?;
    close_device(file)?;
    here.close()?;
    wait_well(child)
}

/// How many processes the fds of [`chain_of_sockets`] go through.
const CHAIN: usize = 4;

/// A prime fd goes from process to process over sockets; each one imports it, passes it on and closes its own.
#[inline(never)]
pub fn chain_of_sockets(options: &Options) -> Outcome {
    let device = device(options)?;
    let (first, mut from) = pair()?;
    let mut children = Vec::new();
    for _ in 0..CHAIN {
        let (to, next) = pair()?;
        children.push(fork_child(|| {
            first.close()?;
            next.close()?;
            pass_on(&device, from, to)
        })?);
        from.close()?;
        to.close()?;
        from = next;
    }
    let file = device.open()?;
    for _ in 0..3 {
        let buffer = make_buffer(file)?;
        let prime = share(file, buffer)?;
        send_fd(first, prime)?;
        close_prime_fd(prime)?;
        close_buffer(file, buffer)?;
        // Now only the queues and the other processes have it.
        let Some(back) = receive_fd(from)? else {
            return Err(Stop::Unexpected("the chain broke".to_owned()));
        };
        close_prime_fd(back)?;
    }
    first.close()?;
    close_device(file)?;
    let ends: Vec<_> = children.into_iter().map(wait_well).collect();
    from.close()?;
    ends.into_iter().collect()
}

#[inline(never)]
fn pass_on(device: &Device, from: Fd, to: Fd) -> Outcome {
    let file = device.open()?;
    while let Some(prime) = receive_fd(from)? {
        let imported = share_with_importer(file, prime)?;
        send_fd(to, prime)?;
        close_prime_fd(prime)?;
        close_buffer(file, imported)?;
    }
    from.close()?;
    to.close()?;
    close_device(file)
}

/// A DRM file goes to another process with the handles in it, and that one closes them: handles belong to files.
#[inline(never)]
pub fn drm_file_travels(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let child = fork_child(|| {
        here.close()?;
        let Some(fd) = receive_fd(there)? else { return Err(Stop::Unexpected("no file came".to_owned())) };
        close_all_of(DrmFile { fd })?;
        Ok(there.close()?)
    })?;
    there.close()?;
    let file = device.open()?;
    for _ in 0..BUFFERS {
        let buffer = make_buffer(file)?;
        close_prime_fd(share(file, buffer)?)?;
    }
    send_fd(here, file.fd)?;
    close_device(file)?;
    here.close()?;
    wait_well(child)
}

/// How many buffers travel.
const BUFFERS: u32 = 4;

#[inline(never)]
fn close_all_of(file: DrmFile) -> Outcome {
    for number in 1..=BUFFERS {
        close_buffer(file, Handle(number))?;
    }
    close_device(file)
}

/// Mappings of a dumb buffer and of a dma-buf are inherited by a child, which removes one and ends with the other.
#[inline(never)]
pub fn mappings_inherited(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let of_file = Mapping::new(file.fd, file.map_offset(buffer)?, BYTES)?;
    let of_dmabuf = Mapping::new(prime, 0, BYTES)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    let child = fork_child(|| {
        use_both(of_file, of_dmabuf)?;
        Ok(of_file.unmap()?)
    })?;
    of_file.unmap()?;
    wait_well(child)?;
    holds(of_dmabuf.touch(0x17), || "the mapping did not keep what was written".to_owned())?;
    of_dmabuf.unmap()?;
    close_device(file)
}

#[inline(never)]
fn use_both(one: Mapping, two: Mapping) -> Outcome {
    holds(one.touch(0x2a) && two.touch(0x2b), || "a mapping did not keep what was written".to_owned())
}

/// Waits on a dma-buf that is in use, and on one that is not.
#[inline(never)]
pub fn poll_fences(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    holds(wait_readable(prime, 0)?, || "an idle buffer is busy".to_owned())?;
    let fence = Fence::attach(file, buffer)?;
    holds(!wait_readable(prime, 20)?, || "a busy buffer is idle".to_owned())?;
    fence.signal(file)?;
    holds(wait_readable(prime, 1000)?, || "the buffer did not become idle".to_owned())?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// A poll that timed out left its callback on the fence: that alone holds the dma-buf until the fence signals (from 5.16 on).
#[inline(never)]
pub fn poll_holds(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let fence = Fence::attach(file, buffer)?;
    holds(!wait_readable(prime, 20)?, || "a busy buffer is idle".to_owned())?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    fence.signal(file)?;
    close_device(file)
}
