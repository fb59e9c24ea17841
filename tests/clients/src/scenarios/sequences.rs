//! The numbered sequences S1-S13: one correct use of the interface each, or one refused one.

use super::parts::{
    close_buffer, close_device, close_prime_fd, device, make_buffer, open_device, open_device_twice, share,
    share_with_foreign_importer, share_with_importer,
};
use crate::dmabuf::{Source, set_name, sync};
use crate::drm::Handle;
use crate::options::Options;
use crate::outcome::{Failed, Outcome, Stop, holds, refused};
use crate::sys::fd::Fd;

/// S1: create and close.
#[inline(never)]
pub fn s1_create_and_close(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// S2: the prime fd is closed before the handle.
#[inline(never)]
pub fn s2_close_fd_then_handle(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// S3: the handle is closed before the prime fd.
#[inline(never)]
pub fn s3_close_handle_then_fd(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    close_prime_fd(prime)?;
    close_device(file)
}

/// S4: a buffer imported into its own file (the same handle) and into another file of the device (a new one).
#[inline(never)]
pub fn s4_self_import(options: &Options) -> Outcome {
    let (file, other) = open_device_twice(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let again = share_with_importer(file, prime)?;
    holds(again == buffer, || format!("the self-import gave handle {again} for {buffer}"))?;
    let imported = share_with_importer(other, prime)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    if options.clean {
        close_buffer(other, imported)?;
    }
    // Closing the file closes the imported handle with it, unless that was just done.
    close_device(other)?;
    close_device(file)
}

/// S5: two handles of one object in one file, through its global name, both exported.
#[inline(never)]
pub fn s5_two_handles_by_name(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let first = make_buffer(file)?;
    let name = file.flink(first)?;
    let second = file.open_name(name)?;
    holds(second != first, || format!("opening the name gave the existing handle {first}"))?;
    let prime = share(file, first)?;
    let also = share(file, second)?;
    let (one, two) = (prime.identity()?, also.identity()?);
    holds(one == two, || format!("two dma-bufs for one object: {one:?}, {two:?}"))?;
    let imported = share_with_importer(file, prime)?;
    holds(imported == first || imported == second, || format!("the import gave a third handle {imported}"))?;
    close_prime_fd(prime)?;
    close_prime_fd(also)?;
    close_buffer(file, second)?;
    close_buffer(file, first)?;
    close_device(file)
}

/// S6: the last handle is closed, the prime fd keeps the object alive, and an import opens a handle again.
#[inline(never)]
pub fn s6_import_after_last_close(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    let revived = share_with_importer(file, prime)?;
    close_prime_fd(prime)?;
    close_buffer(file, revived)?;
    close_device(file)
}

/// S7: the file is closed while a handle is open in it, and with it the handle.
#[inline(never)]
pub fn s7_close_file_with_handle(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_prime_fd(prime)?;
    if options.clean {
        close_buffer(file, buffer)?;
    }
    close_device(file)
}

/// S8: what the kernel refuses.
#[inline(never)]
pub fn s8_refused_calls(options: &Options) -> Outcome {
    let nowhere = Handle(9999);
    let file = open_device(options)?;
    refused(file.gem_close(nowhere), "closing a handle that is not open", libc::EINVAL)?;
    refused(file.export(nowhere, libc::O_CLOEXEC), "exporting a handle that is not open", libc::ENOENT)?;
    refused(file.open_name(9999), "opening an unused name", libc::ENOENT)?;
    close_device(file)
}

/// S9: CPU access to a dma-buf, bracketed.
#[inline(never)]
pub fn s9_cpu_access(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    sync(prime, false)?;
    sync(prime, true)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// S10: an O_PATH descriptor keeps the dma-buf's name, and so the dma-buf, after its file is gone.
#[inline(never)]
pub fn s10_path_holder(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let holder = Fd::open(&format!("/proc/self/fd/{prime}"), libc::O_PATH)?;
    close_buffer(file, buffer)?;
    close_prime_fd(prime)?;
    holder.close()?;
    close_device(file)
}

/// S11: udmabuf to DRM, re-exported, and named while the device is attached.
#[inline(never)]
pub fn s11_import_udmabuf(options: &Options) -> Outcome {
    let device = device(options)?;
    let file = device.open()?;
    let foreign = Source::Udmabuf.make_dmabuf(4)?;
    let imported = share_with_foreign_importer(&device, file, foreign)?;
    let exported = share(file, imported)?;
    let (one, two) = (foreign.identity()?, exported.identity()?);
    holds(one == two, || format!("the re-export gave a new dma-buf: {one:?}, {two:?}"))?;
    match set_name(foreign) {
        // Before 5.17 a dma-buf cannot be named while it is attached. Both answers are right on their kernel.
        Ok(()) | Err(Failed { errno: libc::EBUSY, .. }) => {}
        Err(failed) => return Err(failed.into()),
    }
    close_prime_fd(exported)?;
    close_prime_fd(foreign)?;
    close_buffer(file, imported)?;
    close_device(file)
}

/// S12: the system heap to DRM. The handle is closed first, so the prime fd is the last holder.
#[inline(never)]
pub fn s12_import_from_heap(options: &Options) -> Outcome {
    let device = device(options)?;
    let file = device.open()?;
    let foreign = Source::SystemHeap.make_dmabuf(4)?;
    let imported = share_with_foreign_importer(&device, file, foreign)?;
    close_buffer(file, imported)?;
    close_prime_fd(foreign)?;
    close_device(file)
}

/// S13: the handle of a shared buffer gets another number, where the kernel can do that.
#[inline(never)]
pub fn s13_change_handle(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let moved = Handle(500);
    let current = match file.change_handle(buffer, moved) {
        Ok(()) => {
            refused(file.gem_close(buffer), "closing the handle that moved away", libc::EINVAL)?;
            println!("change-handle is supported");
            moved
        }
        Err(Failed { errno: libc::EINVAL, .. }) => {
            println!("change-handle is not supported");
            buffer
        }
        Err(failed) => return Err(failed.into()),
    };
    close_buffer(file, current)?;
    close_device(file)
}

/// A shared buffer moves to another handle number and is found under it, several times, where the kernel can do that.
#[inline(never)]
pub fn move_shared(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let moved = Handle(500);
    for _ in 0..3 {
        let buffer = make_buffer(file)?;
        let prime = share(file, buffer)?;
        match file.change_handle(buffer, moved) {
            Ok(()) => {
                let found = share_with_importer(file, prime)?;
                holds(found == moved, || format!("the buffer that moved to {moved} was found as {found}"))?;
                close_prime_fd(prime)?;
                close_buffer(file, moved)?;
            }
            Err(Failed { errno: libc::EINVAL, .. }) => {
                close_prime_fd(prime)?;
                close_buffer(file, buffer)?;
                close_device(file)?;
                return Err(Stop::Skip("this kernel does not move handles".to_owned()));
            }
            Err(failed) => return Err(failed.into()),
        }
    }
    close_device(file)
}
