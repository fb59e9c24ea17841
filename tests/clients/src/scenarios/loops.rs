//! Loops in one thread: a benchmark, and a server that leaks now and then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::parts::{
    close_buffer, close_device, close_prime_fd, forget_to_close, keep_frame, make_buffer, open_device_twice,
    share, share_with_importer,
};
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, refused};

/// Export, import, close: the shortest way round, timed.
#[inline(never)]
pub fn bench_loop(options: &Options) -> Outcome {
    let rounds = options.rounds.unwrap_or(10_000);
    let (file, other) = open_device_twice(options)?;
    let buffer = make_buffer(file)?;
    let (start, own) = (Instant::now(), processor_time());
    for _ in 0..rounds {
        let prime = share(file, buffer)?;
        let imported = share_with_importer(other, prime)?;
        close_buffer(other, imported)?;
        close_prime_fd(prime)?;
    }
    let (elapsed, own) = (start.elapsed(), processor_time().saturating_sub(own));
    close_buffer(file, buffer)?;
    close_device(other)?;
    close_device(file)?;
    let per_round = |time: Duration| time.as_nanos() / u128::from(rounds.max(1));
    println!("{rounds} rounds, {} ns per round, {} ns of its own", per_round(elapsed), per_round(own));
    Ok(())
}

/// The processor time of this process so far.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a timespec to one that is ours.
    if unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } != 0 {
        return Duration::ZERO;
    }
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How many buffers the server keeps for reuse; they are not leaks.
const POOL: usize = 4;

/// A server: each cycle shows a pooled buffer to a client, and once in `--leak-every` cycles a buffer is lost.
#[inline(never)]
pub fn growing_server(options: &Options) -> Outcome {
    let cycles = options.cycles.unwrap_or(200);
    let leak_every = options.leak_every.unwrap_or(10);
    let (server, client) = open_device_twice(options)?;
    let mut pool = VecDeque::new();
    let mut lost = 0u64;
    for cycle in 1..=cycles {
        let buffer = take_from_pool(server, &mut pool, cycle)?;
        show_to_client(server, client, buffer)?;
        pool.push_back(buffer);
        if leak_every != 0 && cycle % leak_every == 0 {
            lose_a_buffer(server)?;
            lost += 1;
        }
    }
    for buffer in pool {
        close_buffer(server, buffer)?;
    }
    println!("{cycles} cycles, {lost} handles lost");
    close_device(client)?;
    close_device(server)
}

/// The oldest idle buffer, or a new one while the pool is small. Now and then one is retired and made anew, as after a
/// change of size, so that handles come and go in the pool too.
#[inline(never)]
fn take_from_pool(server: DrmFile, pool: &mut VecDeque<Handle>, cycle: u64) -> Outcome<Handle> {
    match pool.pop_front() {
        Some(buffer) if cycle.is_multiple_of(16) => {
            close_buffer(server, buffer)?;
            make_buffer(server)
        }
        Some(oldest) if pool.len() + 1 == POOL => Ok(oldest),
        Some(oldest) => {
            pool.push_front(oldest);
            make_buffer(server)
        }
        None => make_buffer(server),
    }
}

#[inline(never)]
fn show_to_client(server: DrmFile, client: DrmFile, buffer: Handle) -> Outcome {
    let prime = share(server, buffer)?;
    let shown = share_with_importer(client, prime)?;
    close_prime_fd(prime)?;
    keep_frame(close_buffer(client, shown))
}

/// The error path that forgets the buffer it has just made.
#[inline(never)]
fn lose_a_buffer(server: DrmFile) -> Outcome {
    forget_to_close(make_buffer(server)?);
    Ok(())
}

/// Export until the process may have no more fds: the calls that fail are nobody's leak, and what succeeded is closed.
#[inline(never)]
pub fn exhaust_fds(options: &Options) -> Outcome {
    let (file, other) = open_device_twice(options)?;
    let buffer = make_buffer(file)?;
    let mut fds = Vec::new();
    let full = loop {
        match file.export(buffer, libc::O_CLOEXEC) {
            Ok(fd) => fds.push(fd),
            Err(failed) => break Err::<(), _>(failed),
        }
    };
    refused(full, "an export without an fd to be had", libc::EMFILE)?;
    refused(file.export(buffer, libc::O_CLOEXEC), "another one", libc::EMFILE)?;
    let imported = match fds.first() {
        Some(fd) => share_with_importer(other, *fd)?,
        None => return Ok(()),
    };
    println!("{} fds", fds.len());
    for fd in fds {
        close_prime_fd(fd)?;
    }
    close_buffer(other, imported)?;
    close_buffer(file, buffer)?;
    close_device(other)?;
    close_device(file)
}
