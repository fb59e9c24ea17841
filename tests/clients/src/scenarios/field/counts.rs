//! Closes that programs of the field have miscounted: twice, once for each import, or in the wrong file. With `--clean` they count.

use std::sync::Mutex;
use std::thread;

use super::super::framebuffers::open_display;
use super::super::parts::{
    close_buffer, close_device, close_prime_fd, forget_to_close, keep_frame, make_buffer, open_device,
    open_device_twice, share, share_with_importer,
};
use super::super::storms::join;
use crate::drm::{BYTES, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, holds, refused};
use crate::sys::fd::Fd;
use crate::sys::memory::Mapping;
use crate::sys::process::{fork_child, wait_well};

/// Closes a handle that is closed already; with `--clean` nothing does.
#[inline(never)]
fn close_again(options: &Options, file: DrmFile, handle: Handle) -> Outcome {
    if options.clean {
        return Ok(());
    }
    refused(file.gem_close(handle), "closing a handle a second time", libc::EINVAL)
}

/// U3: a program imports its own export, is given the handle that it has, and closes both.
#[inline(never)]
pub fn self_import_closed_twice(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let imported = share_with_importer(file, prime)?;
    holds(imported == buffer, || format!("the self-import gave handle {imported} for {buffer}"))?;
    close_prime_fd(prime)?;
    close_buffer(file, imported)?;
    close_again(options, file, buffer)?;
    close_device(file)
}

/// U5: two planes of one dma-buf are imported, shown, and closed plane by plane.
#[inline(never)]
pub fn planes_closed_one_by_one(options: &Options) -> Outcome {
    let (decoder, output) = (open_display(options)?, open_display(options)?);
    let buffer = make_buffer(decoder)?;
    let prime = share(decoder, buffer)?;
    let (luma, chroma) = (share_with_importer(output, prime)?, share_with_importer(output, prime)?);
    holds(luma == chroma, || format!("two handles {luma}, {chroma} of one dma-buf"))?;
    close_prime_fd(prime)?;
    let fb = output.add_fb(luma)?;
    close_buffer(output, luma)?;
    close_again(options, output, chroma)?;
    output.remove_fb(fb)?;
    close_buffer(decoder, buffer)?;
    close_device(output)?;
    close_device(decoder)
}

/// U3: two libraries share one DRM file and import the same buffer, each on a thread of its own; each closes what it imported.
#[inline(never)]
pub fn libraries_share_file(options: &Options) -> Outcome {
    let (client, shared) = open_device_twice(options)?;
    let buffer = make_buffer(client)?;
    let prime = share(client, buffer)?;
    let first = in_library(|| share_with_importer(shared, prime))?;
    let second = in_library(|| share_with_importer(shared, prime))?;
    close_prime_fd(prime)?;
    // With `--clean`, one table for both, as in wlroots.
    let users = Mutex::new(2);
    let last = || {
        let mut users = users.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *users -= 1;
        *users == 0
    };
    for (handle, is_second) in [(first, false), (second, true)] {
        in_library(|| match (options.clean, last()) {
            (true, false) => Ok(()),
            (true, true) => close_buffer(shared, handle),
            (false, _) if is_second => close_again(options, shared, handle),
            (false, _) => close_buffer(shared, handle),
        })?;
    }
    close_buffer(client, buffer)?;
    close_device(shared)?;
    close_device(client)
}

#[inline(never)]
fn in_library<T: Send>(work: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    keep_frame(thread::scope(|scope| join(scope.spawn(work))))
}

/// U5: the handle is closed after AddFB2, since the framebuffer holds the buffer, and at the end once more.
#[inline(never)]
pub fn closed_after_addfb_and_again(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let fb = file.add_fb(buffer)?;
    close_buffer(file, buffer)?;
    file.remove_fb(fb)?;
    close_again(options, file, buffer)?;
    close_device(file)
}

/// U15: the handle of the other file: numbers are small, so the same one is in both tables. One buffer is closed twice, one never.
#[inline(never)]
pub fn wrong_file_table(options: &Options) -> Outcome {
    let (render, scanout) = open_device_twice(options)?;
    let buffer = make_buffer(render)?;
    let prime = share(render, buffer)?;
    let shown = share_with_importer(scanout, prime)?;
    close_prime_fd(prime)?;
    holds(shown == buffer, || format!("the numbers differ: {shown} and {buffer}"))?;
    close_buffer(render, buffer)?;
    if options.clean {
        close_buffer(scanout, shown)?;
    } else {
        refused(render.gem_close(shown), "closing in the wrong file", libc::EINVAL)?;
    }
    close_device(scanout)?;
    close_device(render)
}

/// A child that was forked for something else runs its parent's destructors: handles belong to the file, which both have.
#[inline(never)]
pub fn destructors_in_forked_child(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let child = fork_child(|| {
        if !options.clean {
            close_buffer(file, buffer)?;
        }
        close_device(file)
    })?;
    wait_well(child)?;
    if options.clean {
        close_buffer(file, buffer)?;
    } else {
        close_again(options, file, buffer)?;
    }
    close_device(file)
}

/// U9: on hotplug the framebuffer is forgotten; the handle was closed after AddFB2.
#[inline(never)]
pub fn framebuffer_forgotten(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let fb = file.add_fb(buffer)?;
    close_buffer(file, buffer)?;
    if options.clean {
        file.remove_fb(fb)?;
    } else {
        forget_to_close(fb);
    }
    close_device(file)
}

/// U19: everything is closed, and the mapping stays.
#[inline(never)]
pub fn mapping_kept(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let mapping = Mapping::new(prime, 0, BYTES)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    if options.clean {
        mapping.unmap()?;
    } else {
        forget_to_close(mapping);
    }
    close_device(file)
}

/// U14: a library closes the fd that it was lent; its owner's next import fails.
#[inline(never)]
pub fn borrowed_fd_closed(options: &Options) -> Outcome {
    let (exporter, importer) = open_device_twice(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    look_at_size(options, prime)?;
    if options.clean {
        let imported = share_with_importer(importer, prime)?;
        close_buffer(importer, imported)?;
        close_prime_fd(prime)?;
    } else {
        refused(importer.import(prime), "importing a closed fd", libc::EBADF)?;
        refused(prime.close(), "closing a closed fd", libc::EBADF)?;
    }
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

#[inline(never)]
fn look_at_size(options: &Options, lent: Fd) -> Outcome {
    let same = lent.identity()?;
    holds(same.ino != 0, || "a dma-buf without a number".to_owned())?;
    if options.clean { Ok(()) } else { Ok(lent.close()?) }
}
