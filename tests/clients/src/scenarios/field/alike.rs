//! Programs that look like offenders of the field, and are right.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use super::super::framebuffers::open_display;
use super::super::parts::{
    close_buffer, close_device, close_prime_fd, device, forget_to_close, make_buffer, open_device,
    open_device_twice, share, share_with_importer,
};
use super::super::sequences::s2_close_fd_then_handle;
use super::super::storms::join;
use crate::dmabuf::export_sync_file;
use crate::drm::{BYTES, Device, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds};
use crate::sys::fd::{Fd, close_range, memfd};
use crate::sys::process::{
    Ended, at_exit, exec_self, fork_child, kill, kill_self, spawn_self, wait, wait_well,
};
use crate::sys::socket::{pair, send_fd};

/// U20: format tables, which are memfds, are left open in large numbers.
#[inline(never)]
pub fn memfds_left(options: &Options) -> Outcome {
    for _ in 0..8 {
        forget_to_close(memfd(BYTES as u64)?);
    }
    s2_close_fd_then_handle(options)
}

/// U20: sync_files of a dma-buf are left open; they are fences, and hold no buffer.
#[inline(never)]
pub fn sync_files_left(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let fences = [export_sync_file(prime), export_sync_file(prime)];
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    for fence in fences {
        forget_to_close(fence?);
    }
    Ok(())
}

/// Two framebuffers over one handle, which is closed between the removals.
#[inline(never)]
pub fn two_framebuffers_of_a_handle(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let (first, second) = (file.add_fb(buffer)?, file.add_fb(buffer)?);
    file.remove_fb(first)?;
    close_buffer(file, buffer)?;
    file.remove_fb(second)?;
    close_device(file)
}

/// What [`closed_at_exit`] closes when the program exits.
static LATE: Mutex<Vec<(DrmFile, Handle, Fd)>> = Mutex::new(Vec::new());

extern "C" fn close_late() {
    let late = std::mem::take(&mut *LATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    for (file, buffer, prime) in late {
        // At exit there is nobody left to tell.
        let _ = close_prime_fd(prime).and_then(|()| close_buffer(file, buffer));
    }
}

/// A library closes what it has in an exit handler, after main is over.
#[inline(never)]
pub fn closed_at_exit(options: &Options) -> Outcome {
    at_exit(close_late)?;
    let file = open_device(options)?;
    for _ in 0..3 {
        let buffer = make_buffer(file)?;
        let prime = share(file, buffer)?;
        LATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((file, buffer, prime));
    }
    Ok(())
}

/// A thread that is not the first one executes the program that closes the inherited fd.
#[inline(never)]
pub fn exec_from_a_thread(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = file.export(buffer, 0)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    let args = ["exec-keeps-fd".to_owned(), "--inherited-fd".to_owned(), prime.to_string()];
    thread::scope(|scope| join(scope.spawn(|| match exec_self(&args)? {})))
}

/// Children below one process, and theirs below each of them, all at work.
const BRANCHES: u32 = 3;

/// A big tree of processes, each with buffers of its own, and inherited fds besides.
#[inline(never)]
pub fn tree_of_processes(options: &Options) -> Outcome {
    grow(options, 2)
}

#[inline(never)]
fn grow(options: &Options, below: u32) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let mut children = Vec::new();
    for _ in 0..if below == 0 { 0 } else { BRANCHES } {
        children.push(fork_child(|| grow(options, below - 1))?);
    }
    let ends: Vec<_> = children.into_iter().map(wait_well).collect();
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    ends.into_iter().collect()
}

/// Threads with one file for all: numbers go from thread to thread, and every handle is closed by its owner.
#[inline(never)]
pub fn threads_share_file(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let work = || -> Outcome {
        for _ in 0..8 {
            let buffer = make_buffer(file)?;
            let prime = share(file, buffer)?;
            close_buffer(file, buffer)?;
            close_prime_fd(prime)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(join)
    })?;
    close_device(file)
}

/// A cache of imports that is full: the oldest is closed and imported again when it is wanted, and all are closed at the end.
#[inline(never)]
pub fn cache_refills(options: &Options) -> Outcome {
    let (client, compositor) = open_device_twice(options)?;
    let mut frames = Vec::new();
    for _ in 0..4 {
        let buffer = make_buffer(client)?;
        frames.push((buffer, share(client, buffer)?));
    }
    let mut cache: VecDeque<(usize, Handle)> = VecDeque::new();
    for wanted in (0..12).map(|round| round % frames.len()) {
        if cache.iter().any(|(frame, _)| *frame == wanted) {
            continue;
        }
        if cache.len() == 3
            && let Some((_, oldest)) = cache.pop_front()
        {
            close_buffer(compositor, oldest)?;
        }
        cache.push_back((wanted, share_with_importer(compositor, frames[wanted].1)?));
    }
    for (_, handle) in cache {
        close_buffer(compositor, handle)?;
    }
    for (buffer, prime) in frames {
        close_prime_fd(prime)?;
        close_buffer(client, buffer)?;
    }
    close_device(compositor)?;
    close_device(client)
}

/// One dma-buf imported, closed, and imported again: each import is given a handle, and each is closed.
#[inline(never)]
pub fn imported_again_after_close(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    for _ in 0..3 {
        let imported = share_with_importer(importer, prime)?;
        close_buffer(importer, imported)?;
    }
    // The own handle is returned, and is still one.
    holds(share_with_importer(exporter, prime)? == buffer, || "another handle of the own buffer".to_owned())?;
    close_prime_fd(prime)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// The number of a prime fd is taken for something else, and a whole range is closed: both close fds without close(2).
#[inline(never)]
pub fn closed_without_close(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let replaced = share(file, buffer)?;
    let ranged = [share(file, buffer)?.dup_from(100)?, share(file, buffer)?.dup_from(100)?];
    close_buffer(file, buffer)?;
    let other = memfd(1)?;
    other.dup_onto(replaced.0)?;
    let from = ranged[0].0.min(ranged[1].0);
    close_range(from, i32::MAX)?;
    // The numbers that the exports gave first, between the two.
    close_range(replaced.0 + 1, 99)?;
    Ok(())
}

/// A client is killed with its buffers; the server that has imported them closes its own handles.
#[inline(never)]
pub fn client_killed_server_closes(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let client = fork_child(|| {
        here.close()?;
        let file = device.open()?;
        for _ in 0..3 {
            let buffer = make_buffer(file)?;
            send_fd(there, share(file, buffer)?)?;
        }
        match kill_self()? {}
    })?;
    there.close()?;
    let server = device.open()?;
    let mut surfaces = Vec::new();
    while let Some(prime) = crate::sys::socket::receive_fd(here)? {
        surfaces.push(share_with_importer(server, prime)?);
        close_prime_fd(prime)?;
    }
    let ended = wait(client)?;
    holds(ended == Ended::Signal(libc::SIGKILL), || format!("the client ended with {ended:?}"))?;
    here.close()?;
    for surface in surfaces {
        close_buffer(server, surface)?;
    }
    close_device(server)
}

/// A supervisor kills a worker that hangs with everything open, and goes on.
#[inline(never)]
pub fn worker_killed_by_supervisor(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let worker = fork_child(|| {
        here.close()?;
        hang_with_buffers(&device, there)
    })?;
    there.close()?;
    holds(crate::sys::fd::read_byte(here)?.is_some(), || "the worker ended early".to_owned())?;
    kill(worker)?;
    wait(worker)?;
    here.close()?;
    s2_close_fd_then_handle(options)
}

#[inline(never)]
fn hang_with_buffers(device: &Device, ready: Fd) -> Outcome {
    let file = device.open()?;
    let buffer = make_buffer(file)?;
    share(file, buffer)?;
    crate::sys::fd::write_byte(ready, 1)?;
    thread::sleep(std::time::Duration::from_secs(60));
    Err(Stop::Unexpected("nobody ended the worker".to_owned()))
}

/// A helper is spawned while buffers are open; all of them are close-on-exec.
#[inline(never)]
pub fn helper_spawned(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    spawn_self(&["s8"])?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// The DRM file is closed long before the dma-buf that came of it.
#[inline(never)]
pub fn fd_outlives_device(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    let again = open_device(options)?;
    let imported = share_with_importer(again, prime)?;
    close_prime_fd(prime)?;
    close_buffer(again, imported)?;
    close_device(again)
}
