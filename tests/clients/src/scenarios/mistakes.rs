//! The mistakes that programs make with buffers.

use super::parts::{
    close_buffer, close_device, close_prime_fd, forget_to_close, keep_frame, make_buffer, open_device,
    open_device_twice, share, share_with_importer,
};
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds, refused};
use crate::sys::fd::Fd;

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
    let (first_plane, second_plane) = import_twice(importer, prime)?;
    close_prime_fd(prime)?;
    close_buffer(importer, first_plane)?;
    close_again(importer, second_plane)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// Two planes of one frame, each imported for itself: the kernel gives one handle for both.
#[inline(never)]
fn import_twice(importer: DrmFile, prime: Fd) -> Outcome<(Handle, Handle)> {
    let first = share_with_importer(importer, prime)?;
    let second = share_with_importer(importer, prime)?;
    holds(first == second, || format!("two handles {first}, {second} of one dma-buf"))?;
    Ok((first, second))
}

/// The same two imports by a program that counts: one handle, so one close.
#[inline(never)]
pub fn refcounted_import(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let mut planes = Planes::default();
    planes.import(importer, prime)?;
    planes.import(importer, prime)?;
    close_prime_fd(prime)?;
    planes.close_one(importer)?;
    planes.close_one(importer)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// The planes of one frame that share a dma-buf: one handle, and how many of them use it.
#[derive(Default)]
struct Planes {
    handle: Option<Handle>,
    users: u32,
}

impl Planes {
    #[inline(never)]
    fn import(&mut self, file: DrmFile, prime: Fd) -> Outcome {
        let handle = share_with_importer(file, prime)?;
        let same = self.handle.is_none_or(|first| first == handle);
        holds(same, || format!("handles {:?} and {handle} of one dma-buf", self.handle))?;
        self.handle = Some(handle);
        self.users += 1;
        Ok(())
    }

    #[inline(never)]
    fn close_one(&mut self, file: DrmFile) -> Outcome {
        self.users -= 1;
        match self.handle {
            Some(handle) if self.users == 0 => close_buffer(file, handle),
            _ => Ok(()),
        }
    }
}

/// Closes a handle once for each of two imports; in between its number was given to a buffer of another part of the program,
/// which finds it closed in the end.
#[inline(never)]
pub fn reused_handle(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let (first_plane, second_plane) = import_twice(importer, prime)?;
    close_prime_fd(prime)?;
    close_buffer(importer, first_plane)?;
    let cursor = make_cursor(importer)?;
    holds(cursor == second_plane, || {
        format!("handle {second_plane} was not reused, the cursor got {cursor}")
    })?;
    close_what_is_no_longer_mine(importer, second_plane)?;
    close_cursor_that_is_gone(importer, cursor)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// The same work by a program that counts: the number is given to another buffer when nobody uses it any more.
#[inline(never)]
pub fn reused_handle_refcounted(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let mut planes = Planes::default();
    planes.import(importer, prime)?;
    planes.import(importer, prime)?;
    close_prime_fd(prime)?;
    planes.close_one(importer)?;
    planes.close_one(importer)?;
    let cursor = make_cursor(importer)?;
    holds(Some(cursor) == planes.handle, || format!("the cursor got {cursor}, not {:?}", planes.handle))?;
    close_buffer(importer, cursor)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// Another part of the program, with a buffer of its own.
#[inline(never)]
fn make_cursor(file: DrmFile) -> Outcome<Handle> {
    keep_frame(make_buffer(file))
}

#[inline(never)]
fn close_cursor_that_is_gone(file: DrmFile, cursor: Handle) -> Outcome {
    refused(file.gem_close(cursor), "closing the stolen cursor", libc::EINVAL)
}

/// Lets go of an imported handle as if it were a dumb buffer of its own. The kernel does not mind.
#[inline(never)]
pub fn dumb_destroy_import(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let imported = share_with_importer(importer, prime)?;
    close_prime_fd(prime)?;
    destroy_what_was_imported(importer, imported)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

#[inline(never)]
fn destroy_what_was_imported(file: DrmFile, handle: Handle) -> Outcome {
    keep_frame(file.destroy_dumb(handle).map_err(Into::into))
}

/// Each handle let go of by the call that fits: the own dumb buffer is destroyed, though another file still has it, and the
/// imported one is closed.
#[inline(never)]
pub fn dumb_destroy_own(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let imported = share_with_importer(importer, prime)?;
    let again = share_with_importer(exporter, prime)?;
    holds(again == buffer, || format!("the self-import gave handle {again} for {buffer}"))?;
    close_prime_fd(prime)?;
    exporter.destroy_dumb(buffer)?;
    close_buffer(importer, imported)?;
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
