//! dma-buf fds that programs of the field have lost. With `--clean` the missing line is in its place.

use std::thread::{self, ThreadId};

use super::super::parts::{
    close_buffer, close_device, close_prime_fd, device, forget_to_close, keep_frame, make_buffer,
    open_device, share, share_with_importer,
};
use super::super::storms::join;
use crate::dmabuf::Source;
use crate::drm::{Device, DrmFile};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, refused};
use crate::sys::fd::{Fd, read_byte, write_byte};
use crate::sys::memory::Mapping;
use crate::sys::process::{Pid, fork_child, process_id, take_fd, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// Frames, buffers or rounds, where there are several.
const SOME: usize = 3;

/// Closes the fd where that was remembered.
fn close_or_forget(options: &Options, prime: Fd) -> Outcome {
    if options.clean { close_prime_fd(prime) } else { keep_frame(forget(prime)) }
}

fn forget(prime: Fd) -> Outcome {
    forget_to_close(prime);
    Ok(())
}

/// A buffer that only its fd keeps.
#[inline(never)]
fn export_frame(file: DrmFile) -> Outcome<Fd> {
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    Ok(prime)
}

/// U7: a dma-buf for each frame; its fd is kept with the commit, and no commit is ever let go.
#[inline(never)]
pub fn export_every_frame(options: &Options) -> Outcome {
    let file = open_device(options)?;
    for _ in 0..SOME {
        let commit = export_frame(file)?;
        close_or_forget(options, commit)?;
    }
    close_device(file)
}

/// A dma-buf that belongs to the thread that made it.
struct Exported {
    fd: Fd,
    owner: ThreadId,
}

impl Exported {
    /// The destructor: on another thread than the owner it does nothing, without a word.
    #[inline(never)]
    fn drop_here(self) -> Outcome {
        if thread::current().id() != self.owner {
            return Ok(());
        }
        keep_frame(close_prime_fd(self.fd))
    }
}

/// U10: the renderer's thread exports, the main thread drops.
#[inline(never)]
pub fn dropped_on_other_thread(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let render = || -> Outcome<Vec<Exported>> {
        let mut cache = Vec::new();
        for _ in 0..SOME {
            cache.push(Exported { fd: export_frame(file)?, owner: thread::current().id() });
        }
        if options.clean {
            return cache.into_iter().try_for_each(Exported::drop_here).map(|()| Vec::new());
        }
        Ok(cache)
    };
    let cache = thread::scope(|scope| join(scope.spawn(render)))?;
    cache.into_iter().try_for_each(Exported::drop_here)?;
    close_device(file)
}

/// U12: pairs of opening and closing a memory of another process: the handle is closed each time, and the fd of the import is not.
#[inline(never)]
pub fn ipc_open_close_pairs(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let exporter = fork_child(|| {
        here.close()?;
        send_frames(&device, there)
    })?;
    there.close()?;
    let file = device.open()?;
    while let Some(prime) = receive_fd(here)? {
        let opened = share_with_importer(file, prime)?;
        close_buffer(file, opened)?;
        close_or_forget(options, prime)?;
    }
    here.close()?;
    wait_well(exporter)?;
    close_device(file)
}

#[inline(never)]
fn send_frames(device: &Device, over: Fd) -> Outcome {
    let file = device.open()?;
    for _ in 0..SOME {
        let prime = export_frame(file)?;
        send_fd(over, prime)?;
        close_prime_fd(prime)?;
    }
    over.close()?;
    close_device(file)
}

/// U8: a server keeps the fds of a client's buffers until it ends itself.
#[inline(never)]
pub fn server_keeps_client_fds(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let client = fork_child(|| {
        here.close()?;
        send_frames(&device, there)
    })?;
    there.close()?;
    let mut surfaces = Vec::new();
    while let Some(prime) = receive_fd(here)? {
        surfaces.push(prime);
    }
    wait_well(client)?;
    here.close()?;
    surfaces.into_iter().try_for_each(|prime| close_or_forget(options, prime))
}

/// U18: the export makes an fd, a later step fails, and the caller is given the error alone.
#[inline(never)]
pub fn export_not_returned(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    // A byte more than the buffer has.
    let past_the_end = Mapping::new(prime, 0, crate::drm::BYTES + 1);
    refused(past_the_end, "mapping past the end", libc::EINVAL)?;
    close_or_forget(options, prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// U19: an allocator's buffers, one lot for each start of the camera.
#[inline(never)]
pub fn heap_buffers_kept(options: &Options) -> Outcome {
    for _ in 0..SOME {
        let buffer = Source::SystemHeap.make_dmabuf(4)?;
        close_or_forget(options, buffer)?;
    }
    Ok(())
}

/// A library dups the fd that it is given, and forgets its own.
#[inline(never)]
pub fn library_keeps_dup(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let prime = export_frame(file)?;
    let of_library = prime.dup()?;
    close_prime_fd(prime)?;
    close_or_forget(options, of_library)?;
    close_device(file)
}

/// A debugger takes the fd of another process to look at it, and keeps it.
#[inline(never)]
pub fn taken_and_kept(options: &Options) -> Outcome {
    let (here, there) = pair()?;
    let looked_at = process_id();
    let debugger = fork_child(|| {
        here.close()?;
        take_and_look(options, there, looked_at)
    })?;
    there.close()?;
    let file = open_device(options)?;
    let prime = export_frame(file)?;
    let number = u8::try_from(prime.0).map_err(|_| Stop::Unexpected(format!("a large fd {prime}")))?;
    write_byte(here, number)?;
    wait_well(debugger)?;
    close_prime_fd(prime)?;
    here.close()?;
    close_device(file)
}

#[inline(never)]
fn take_and_look(options: &Options, over: Fd, from: Pid) -> Outcome {
    let Some(number) = read_byte(over)? else {
        return Err(Stop::Unexpected("the process ended early".to_owned()));
    };
    let taken = take_fd(from, Fd(number.into()))?;
    over.close()?;
    close_or_forget(options, taken)
}
