//! Many threads and processes at once: correct programs that give the kernel's locks something to do.

use std::sync::Barrier;
use std::thread;

use super::parts::{
    close_buffer, close_device, close_prime_fd, device, make_buffer, open_device, share, share_with_importer,
};
use crate::dmabuf::Source;
use crate::drm::{Device, DrmFile};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds};
use crate::sys::fd::{Fd, read_byte, write_byte};
use crate::sys::process::{fork_child, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// The part of `total` rounds that worker `index` of `workers` does, so that the parts add up to the total.
fn part_of(total: u64, workers: u64, index: u64) -> u64 {
    total / workers + u64::from(index < total % workers)
}

/// Runs `body(index, rounds)` in `threads` threads that start together; the first failure is the outcome.
fn in_threads(threads: u64, total: u64, body: impl Fn(usize, u64) -> Outcome + Sync) -> Outcome {
    let start = Barrier::new(threads as usize);
    let (body, start) = (&body, &start);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let worker = move || {
                    start.wait();
                    body(index as usize, part_of(total, threads, index))
                };
                thread::Builder::new()
                    .name(format!("storm-{index}"))
                    .spawn_scoped(scope, worker)
                    .unwrap_or_else(|error| panic!("cannot start thread {index}: {error}"))
            })
            .collect();
        workers.into_iter().map(join).fold(Ok(()), Result::and)
    })
}

/// What a thread came to.
pub fn join<T>(worker: thread::ScopedJoinHandle<'_, Outcome<T>>) -> Outcome<T> {
    worker.join().unwrap_or_else(|_| Err(Stop::Unexpected("a thread panicked".to_owned())))
}

fn open_files(device: &Device, count: u64) -> Outcome<Vec<DrmFile>> {
    (0..count).map(|_| device.open()).collect()
}

fn close_files(files: Vec<DrmFile>) -> Outcome {
    files.into_iter().try_for_each(close_device)
}

/// Threads with a file each and one file that all share, passing buffers to and fro.
#[inline(never)]
pub fn storm_of_threads(options: &Options) -> Outcome {
    let (threads, rounds) = (options.threads.unwrap_or(4).max(1), options.rounds.unwrap_or(10_000));
    let device = device(options)?;
    let shared = device.open()?;
    let files = open_files(&device, threads)?;
    in_threads(threads, rounds, |index, rounds| {
        (0..rounds).try_for_each(|round| exchange_buffer(files[index], shared, round))
    })?;
    close_files(files)?;
    close_device(shared)?;
    println!("{rounds} rounds in {threads} threads");
    Ok(())
}

/// One buffer's way from one file to another; the direction and the order of the three closes vary with the round.
#[inline(never)]
pub fn exchange_buffer(own: DrmFile, shared: DrmFile, round: u64) -> Outcome {
    let (maker, taker) = if round.is_multiple_of(2) { (own, shared) } else { (shared, own) };
    let buffer = make_buffer(maker)?;
    let prime = share(maker, buffer)?;
    let imported = share_with_importer(taker, prime)?;
    if round.is_multiple_of(7) {
        let again = share_with_importer(maker, prime)?;
        holds(again == buffer, || format!("the self-import gave handle {again} for {buffer}"))?;
    }
    match (round / 2) % 3 {
        0 => {
            close_prime_fd(prime)?;
            close_buffer(taker, imported)?;
            close_buffer(maker, buffer)
        }
        1 => {
            close_buffer(maker, buffer)?;
            close_prime_fd(prime)?;
            close_buffer(taker, imported)
        }
        _ => {
            close_buffer(taker, imported)?;
            close_buffer(maker, buffer)?;
            close_prime_fd(prime)
        }
    }
}

/// Pairs of processes: one exports and sends prime fds, the other receives and imports them.
#[inline(never)]
pub fn storm_of_processes(options: &Options) -> Outcome {
    let (pairs, rounds) = (options.procs.unwrap_or(2).max(1), options.rounds.unwrap_or(10_000));
    // Found once here; each process opens files of its own.
    let device = device(options)?;
    let mut children = Vec::new();
    for index in 0..pairs {
        let (here, there) = pair()?;
        let rounds = part_of(rounds, pairs, index);
        children.push(fork_child(|| {
            there.close()?;
            send_buffers(&device, here, rounds)
        })?);
        children.push(fork_child(|| {
            here.close()?;
            receive_buffers(&device, there)
        })?);
        here.close()?;
        there.close()?;
    }
    // All are waited for, whatever the first one says.
    let ends: Vec<_> = children.into_iter().map(wait_well).collect();
    ends.into_iter().collect::<Outcome>()?;
    println!("{rounds} rounds in {pairs} pairs of processes");
    Ok(())
}

/// The exporting process. The fd is closed while its copy is on the way; in odd rounds so is the handle.
#[inline(never)]
fn send_buffers(device: &Device, socket: Fd, rounds: u64) -> Outcome {
    let file = device.open()?;
    for round in 0..rounds {
        let buffer = make_buffer(file)?;
        let prime = share(file, buffer)?;
        send_fd(socket, prime)?;
        close_prime_fd(prime)?;
        let early = !round.is_multiple_of(2);
        if early {
            close_buffer(file, buffer)?;
        }
        let answer = read_byte(socket)?;
        holds(answer.is_some(), || "the importing process ended early".to_owned())?;
        if !early {
            close_buffer(file, buffer)?;
        }
    }
    socket.close()?;
    close_device(file)
}

/// The importing process, until the exporting one closes the socket.
#[inline(never)]
fn receive_buffers(device: &Device, socket: Fd) -> Outcome {
    let file = device.open()?;
    while let Some(prime) = receive_fd(socket)? {
        let imported = share_with_importer(file, prime)?;
        close_buffer(file, imported)?;
        close_prime_fd(prime)?;
        write_byte(socket, 1)?;
    }
    socket.close()?;
    close_device(file)
}

/// Threads that open each other's buffers by global name and export both handles.
#[inline(never)]
pub fn storm_of_names(options: &Options) -> Outcome {
    let (threads, rounds) = (options.threads.unwrap_or(4).max(1), options.rounds.unwrap_or(4_000));
    let device = device(options)?;
    let files = open_files(&device, threads)?;
    in_threads(threads, rounds, |index, rounds| {
        let (own, next) = (files[index], files[(index + 1) % files.len()]);
        (0..rounds).try_for_each(|round| open_by_name(own, next, round))
    })?;
    close_files(files)?;
    println!("{rounds} rounds in {threads} threads");
    Ok(())
}

/// An object under two handles of two files, by its global name; both are exported, and closed in two orders.
#[inline(never)]
pub fn open_by_name(own: DrmFile, next: DrmFile, round: u64) -> Outcome {
    let buffer = make_buffer(own)?;
    let name = own.flink(buffer)?;
    let opened = next.open_name(name)?;
    let prime = share(own, buffer)?;
    let also = share(next, opened)?;
    let (one, two) = (prime.identity()?, also.identity()?);
    holds(one == two, || format!("two dma-bufs for one object: {one:?}, {two:?}"))?;
    close_prime_fd(prime)?;
    if round.is_multiple_of(2) {
        close_buffer(own, buffer)?;
        close_prime_fd(also)?;
        close_buffer(next, opened)
    } else {
        close_buffer(next, opened)?;
        close_buffer(own, buffer)?;
        close_prime_fd(also)
    }
}

/// Pages of the foreign dma-bufs in [`storm_on_one_file`]: enough that attaching one takes a while under the locks.
const LARGE: u64 = 512;

/// Many threads on one file, so that calls sleep on its lock and on the device's lock inside create, export and import.
#[inline(never)]
pub fn storm_on_one_file(options: &Options) -> Outcome {
    let (threads, rounds) = (options.threads.unwrap_or(32).max(1), options.rounds.unwrap_or(4_000));
    let file = open_device(options)?;
    let source = [Source::Udmabuf, Source::SystemHeap].into_iter().find(|source| source.is_present());
    // A foreign buffer each: two threads importing one would get one handle and have to count its users.
    let foreign: Vec<Option<Fd>> = (0..threads)
        .map(|_| source.map(|source| source.make_dmabuf(LARGE)).transpose())
        .collect::<Outcome<_>>()?;
    in_threads(threads, rounds, |index, rounds| {
        (0..rounds).try_for_each(|_| share_within_file(file, foreign[index]))
    })?;
    foreign.into_iter().flatten().try_for_each(close_prime_fd)?;
    close_device(file)?;
    println!("{rounds} rounds in {threads} threads on one file, foreign buffers from {source:?}");
    Ok(())
}

#[inline(never)]
fn share_within_file(file: DrmFile, foreign: Option<Fd>) -> Outcome {
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let again = share_with_importer(file, prime)?;
    holds(again == buffer, || format!("the self-import gave handle {again} for {buffer}"))?;
    if let Some(foreign) = foreign {
        let imported = share_with_importer(file, foreign)?;
        close_buffer(file, imported)?;
    }
    close_prime_fd(prime)?;
    close_buffer(file, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        for (total, workers) in [(10_000, 4), (7, 3), (2, 5), (0, 1)] {
            assert_eq!((0..workers).map(|index| part_of(total, workers, index)).sum::<u64>(), total);
        }
    }
}
