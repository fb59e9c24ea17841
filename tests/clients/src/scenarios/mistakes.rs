//! The mistakes that programs make with buffers.

use super::parts::{
    close_buffer, close_device, close_prime_fd, forget_to_close, keep_frame, make_buffer, open_device,
    open_device_twice, share, share_with_importer,
};
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds, refused};

/// Shares a buffer and closes the fd, but never the handle. The program's exit closes the DRM file.
#[inline(never)]
pub fn forget_gem_close(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_prime_fd(prime)?;
    forget_to_close(buffer);
    Ok(())
}

/// The same mistake, but the program closes the DRM file itself and lives on.
#[inline(never)]
pub fn forget_gem_close_then_close_file(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_prime_fd(prime)?;
    forget_to_close(buffer);
    close_device(file)
}

/// Closes the handle and the DRM file, but not the prime fd.
#[inline(never)]
pub fn forget_prime_fd(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    forget_to_close(prime);
    Ok(())
}

/// Closes one handle twice; the kernel refuses the second close.
#[inline(never)]
pub fn close_twice(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    close_buffer(file, buffer)?;
    close_again(file, buffer)?;
    close_device(file)
}

#[inline(never)]
fn close_again(file: DrmFile, buffer: Handle) -> Outcome {
    refused(file.gem_close(buffer), "closing a handle a second time", libc::EINVAL)
}

/// Imports one fd twice, which gives one handle, and closes that handle once for each import.
#[inline(never)]
pub fn double_import_single_fd(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let first_plane = share_with_importer(importer, prime)?;
    let second_plane = share_with_importer(importer, prime)?;
    holds(first_plane == second_plane, || {
        format!("two handles {first_plane}, {second_plane} of one dma-buf")
    })?;
    close_prime_fd(prime)?;
    close_buffer(importer, first_plane)?;
    close_again(importer, second_plane)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// A second close that hits: in between, another thread was given the same number for a buffer of its own.
#[inline(never)]
pub fn close_reused_handle(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let mine = make_buffer(file)?;
    close_buffer(file, mine)?;
    let theirs = std::thread::scope(|scope| scope.spawn(|| make_buffer(file)).join())
        .map_err(|_| Stop::Unexpected("the other thread panicked".to_owned()))??;
    holds(theirs == mine, || format!("handle {mine} was not reused, the new buffer got {theirs}"))?;
    close_what_is_no_longer_mine(file, mine)?;
    // The owner finds the buffer gone.
    refused(file.export(theirs, libc::O_CLOEXEC), "exporting the stolen handle", libc::ENOENT)?;
    refused(file.gem_close(theirs), "closing the stolen handle", libc::EINVAL)?;
    close_device(file)
}

#[inline(never)]
fn close_what_is_no_longer_mine(file: DrmFile, handle: Handle) -> Outcome {
    keep_frame(close_buffer(file, handle))
}
