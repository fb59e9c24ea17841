//! Everything beside a handle that keeps a buffer alive: mappings, duplicated fds, a long-lived program.

use std::time::Duration;

use super::parts::{
    close_buffer, close_device, close_prime_fd, device, make_buffer, open_device, open_device_twice, share,
    share_with_foreign_importer, share_with_importer,
};
use crate::drm::{BYTES, Device, DrmFile};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds};
use crate::sys::fd::{Fd, read_byte, wait_readable};
use crate::sys::memory::Mapping;
use crate::sys::process::{block_usr1, make_fifo, wait_for_usr1};

/// A mapping of a dumb buffer, then one of a dma-buf, each outliving the handle or fd it was made from.
#[inline(never)]
pub fn mappings_hold_buffers(options: &Options) -> Outcome {
    let file = open_device(options)?;
    map_buffer_and_close_handle(file)?;
    map_dmabuf_and_close_fd(file)?;
    close_device(file)
}

#[inline(never)]
fn map_buffer_and_close_handle(file: DrmFile) -> Outcome {
    let buffer = make_buffer(file)?;
    let mapping = Mapping::new(file.fd, file.map_offset(buffer)?, BYTES)?;
    close_buffer(file, buffer)?;
    use_memory(mapping)?;
    Ok(mapping.unmap()?)
}

#[inline(never)]
fn map_dmabuf_and_close_fd(file: DrmFile) -> Outcome {
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let mapping = Mapping::new(prime, 0, BYTES)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    use_memory(mapping)?;
    Ok(mapping.unmap()?)
}

#[inline(never)]
fn use_memory(mapping: Mapping) -> Outcome {
    holds(mapping.touch(0x5a), || "the mapping did not keep what was written".to_owned())
}

/// One dma-buf under four numbers, all closed.
#[inline(never)]
pub fn duplicated_fds(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let copies = [prime.dup()?, prime.dup_onto(40)?, prime.dup_from(50)?];
    close_buffer(file, buffer)?;
    close_prime_fd(prime)?;
    for copy in copies {
        close_prime_fd(copy)?;
    }
    close_device(file)
}

/// Holds a shared and an imported buffer until it is told to end, then closes everything. The importer is a file of the same
/// device, or of another driver's, which attaches its device to the buffer.
#[inline(never)]
pub fn keep_open(options: &Options) -> Outcome {
    let signal = options.then_close_on.as_deref() == Some("SIGUSR1");
    if signal {
        // Before anyone can know that we are ready: an early signal would end the program.
        block_usr1()?;
    }
    let (file, other, imported_by) = match &options.importer {
        Some(driver) => {
            let importer = Device::find(driver)?;
            (open_device(options)?, importer.open()?, Some(importer))
        }
        None => {
            let (file, other) = open_device_twice(options)?;
            (file, other, None)
        }
    };
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let imported = match &imported_by {
        Some(device) => share_with_foreign_importer(device, other, prime)?,
        None => share_with_importer(other, prime)?,
    };

    let seconds = options.seconds.unwrap_or(5);
    match options.then_close_on.as_deref() {
        _ if signal => {
            say_ready();
            in_time(wait_for_usr1(seconds)?, "SIGUSR1", seconds)?;
        }
        Some(fifo) => wait_for_fifo(fifo, seconds)?,
        None => {
            say_ready();
            std::thread::sleep(Duration::from_secs(seconds));
        }
    }

    close_buffer(other, imported)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(other)?;
    close_device(file)
}

/// Holds a buffer that nothing in user space shows: the fd is closed, and the exporter's handle and the importer keep it.
#[inline(never)]
pub fn keep_in_kernel(options: &Options) -> Outcome {
    let exporter = Device::find(options.exporter.as_deref().unwrap_or("virtio_gpu"))?;
    let importer = Device::find(options.importer.as_deref().unwrap_or("vgem"))?;
    let (file, other) = (exporter.open()?, importer.open()?);
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let imported = share_with_foreign_importer(&importer, other, prime)?;
    close_prime_fd(prime)?;
    say_ready();
    std::thread::sleep(Duration::from_secs(options.seconds.unwrap_or(5)));
    close_buffer(other, imported)?;
    close_buffer(file, buffer)?;
    close_device(other)?;
    close_device(file)
}

/// Holds a buffer by two fds of its dma-buf and a mapping.
#[inline(never)]
pub fn keep_mapped(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let copy = prime.dup()?;
    let mapping = Mapping::new(prime, 0, BYTES)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    say_ready();
    std::thread::sleep(Duration::from_secs(options.seconds.unwrap_or(5)));
    mapping.unmap()?;
    close_prime_fd(copy)?;
    close_prime_fd(prime)
}

/// One line that a script can wait for. The newline flushes it.
fn say_ready() {
    println!("ready {}", std::process::id());
}

/// Waits for a byte in a named pipe.
#[inline(never)]
fn wait_for_fifo(path: &str, seconds: u64) -> Outcome {
    let made = make_fifo(path)?;
    // Reading and writing, so that the open does not wait for a writer and the writer's close is not an end of file.
    let fifo = Fd::open(path, libc::O_RDWR)?;
    say_ready();
    let millis = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
    in_time(wait_readable(fifo, millis)?, path, seconds)?;
    read_byte(fifo)?;
    fifo.close()?;
    if made {
        std::fs::remove_file(path)
            .map_err(|error| Stop::Unexpected(format!("cannot remove `{path}`: {error}")))?;
    }
    Ok(())
}

fn in_time(came: bool, what: &str, seconds: u64) -> Outcome {
    holds(came, || format!("no `{what}` came within {seconds} s"))
}

/// A pool of idle buffers as drivers and compositors keep it: handles stay open for long, and all are closed.
#[inline(never)]
pub fn idle_pool(options: &Options) -> Outcome {
    let file = device(options)?.open()?;
    let mut pool = Vec::new();
    for _ in 0..8 {
        pool.push(make_buffer(file)?);
    }
    std::thread::sleep(Duration::from_secs(options.seconds.unwrap_or(1)));
    for buffer in pool {
        close_buffer(file, buffer)?;
    }
    close_device(file)
}
