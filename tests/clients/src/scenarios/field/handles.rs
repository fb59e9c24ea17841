//! Handles that programs of the field have lost, each the way it was lost there. With `--clean` the missing line is in its place.

use super::super::framebuffers::open_display;
use super::super::parts::{
    close_buffer, close_device, close_prime_fd, device, forget_to_close, keep_frame, make_buffer,
    open_device, open_device_twice, share, share_with_importer,
};
use crate::drm::{BYTES, DrmFile, HEIGHT, Handle, WIDTH};
use crate::options::Options;
use crate::outcome::{Outcome, holds, refused};
use crate::sys::fd::{Fd, memfd};
use crate::sys::memory::Mapping;
use crate::sys::process::{exec_self, fork_child, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// Frames, planes or clients, where there are several.
const SOME: usize = 3;

/// Closes the handle where that was remembered.
fn close_or_forget(options: &Options, file: DrmFile, handle: Handle) -> Outcome {
    if options.clean { close_buffer(file, handle) } else { keep_frame(forget(handle)) }
}

fn forget(handle: Handle) -> Outcome {
    forget_to_close(handle);
    Ok(())
}

/// A new buffer of `file`, as the other process sends it: an fd and nothing else.
#[inline(never)]
fn frame_of_client(file: DrmFile) -> Outcome<Fd> {
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    close_buffer(file, buffer)?;
    Ok(prime)
}

/// U1: a compositor that imports every frame and closes no import.
#[inline(never)]
pub fn import_every_frame(options: &Options) -> Outcome {
    let (client, compositor) = open_device_twice(options)?;
    for _ in 0..SOME {
        let prime = frame_of_client(client)?;
        let imported = share_with_importer(compositor, prime)?;
        close_prime_fd(prime)?;
        close_or_forget(options, compositor, imported)?;
    }
    close_device(compositor)?;
    close_device(client)
}

/// U4: the framebuffer is refused, and the way out of the error forgets the import.
#[inline(never)]
pub fn addfb_error_path(options: &Options) -> Outcome {
    let (client, output) = (open_display(options)?, open_display(options)?);
    let prime = frame_of_client(client)?;
    let imported = share_with_importer(output, prime)?;
    close_prime_fd(prime)?;
    // A line shorter than its pixels.
    refused(output.add_fb_of(imported, WIDTH, HEIGHT, 4), "a framebuffer of a wrong pitch", libc::EINVAL)?;
    close_or_forget(options, output, imported)?;
    close_device(output)?;
    close_device(client)
}

/// U5: a player whose framebuffers hold the buffers, and who takes that for a reason to keep the handles of every pool.
#[inline(never)]
pub fn decoder_pool_again(options: &Options) -> Outcome {
    let (decoder, output) = (open_display(options)?, open_display(options)?);
    for _ in 0..SOME {
        let prime = frame_of_client(decoder)?;
        let imported = share_with_importer(output, prime)?;
        close_prime_fd(prime)?;
        let fb = output.add_fb(imported)?;
        close_or_forget(options, output, imported)?;
        output.remove_fb(fb)?;
    }
    close_device(output)?;
    close_device(decoder)
}

/// U6: a screen recorder looks at framebuffers of a format it cannot read, and returns early with the handle that GETFB2 made.
#[inline(never)]
pub fn getfb_early_return(options: &Options) -> Outcome {
    let (compositor, recorder) = (open_display(options)?, open_display(options)?);
    let buffer = make_buffer(compositor)?;
    let fb = compositor.add_fb(buffer)?;
    for _ in 0..SOME {
        grab_frame(options, recorder, fb)?;
    }
    close_device(recorder)?;
    compositor.remove_fb(fb)?;
    close_buffer(compositor, buffer)?;
    close_device(compositor)
}

#[inline(never)]
fn grab_frame(options: &Options, recorder: DrmFile, fb: u32) -> Outcome {
    let handle = recorder.get_fb(fb)?;
    holds(handle != Handle(0), || "GETFB2 gave no handle: it takes a master or root".to_owned())?;
    close_or_forget(options, recorder, handle)
}

/// U11: the server keeps the buffers of a client that has ended.
#[inline(never)]
pub fn server_outlives_client(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let client = fork_child(|| {
        here.close()?;
        let file = device.open()?;
        for _ in 0..SOME {
            let prime = frame_of_client(file)?;
            send_fd(there, prime)?;
            close_prime_fd(prime)?;
        }
        there.close()?;
        close_device(file)
    })?;
    there.close()?;
    let server = device.open()?;
    let mut surfaces = Vec::new();
    while let Some(prime) = receive_fd(here)? {
        surfaces.push(share_with_importer(server, prime)?);
        close_prime_fd(prime)?;
    }
    wait_well(client)?;
    here.close()?;
    for surface in surfaces {
        close_or_forget(options, server, surface)?;
    }
    close_device(server)
}

/// U9: the output is unplugged: its framebuffer goes, its handle stays.
#[inline(never)]
pub fn output_unplugged(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let (stays, goes) = (make_buffer(file)?, make_buffer(file)?);
    let fbs = [file.add_fb(stays)?, file.add_fb(goes)?];
    file.remove_fb(fbs[1])?;
    close_or_forget(options, file, goes)?;
    file.remove_fb(fbs[0])?;
    close_buffer(file, stays)?;
    close_device(file)
}

/// U13: create and destroy, map and unmap, all balanced; but to ask for its size the buffer was imported too.
#[inline(never)]
pub fn query_of_ipc_buffer(options: &Options) -> Outcome {
    let (owner, library) = open_device_twice(options)?;
    for _ in 0..SOME {
        let buffer = make_buffer(owner)?;
        let prime = share(owner, buffer)?;
        let queried = share_with_importer(library, prime)?;
        close_or_forget(options, library, queried)?;
        let mapping = Mapping::new(prime, 0, BYTES)?;
        mapping.unmap()?;
        close_prime_fd(prime)?;
        close_buffer(owner, buffer)?;
    }
    close_device(library)?;
    close_device(owner)
}

/// U17: a library dups the device's fd. The program closes its own and takes that for the end of everything in the file.
#[inline(never)]
pub fn device_fd_dupped(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let library = file.fd.dup()?;
    for _ in 0..2 {
        let buffer = make_buffer(file)?;
        close_or_forget(options, file, buffer)?;
    }
    close_device(file)?;
    forget_to_close(library);
    Ok(())
}

/// The second plane is no dma-buf; the import of the first is not undone.
#[inline(never)]
pub fn failed_import_half_undone(options: &Options) -> Outcome {
    let (client, compositor) = open_device_twice(options)?;
    let (luma, chroma) = (frame_of_client(client)?, memfd(BYTES as u64)?);
    let imported = share_with_importer(compositor, luma)?;
    refused(compositor.import(chroma), "importing a memfd", libc::EINVAL)?;
    close_or_forget(options, compositor, imported)?;
    close_prime_fd(luma)?;
    chroma.close()?;
    close_device(compositor)?;
    close_device(client)
}

/// A global name opened twice is two handles; who takes them for one closes one.
#[inline(never)]
pub fn name_opened_twice(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let name = file.flink(buffer)?;
    let (first, second) = (file.open_name(name)?, file.open_name(name)?);
    holds(first != second, || format!("opening a name twice gave one handle {first}"))?;
    close_buffer(file, first)?;
    close_or_forget(options, file, second)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// The destructors run in the wrong order: the device first, and then nobody can close the buffer.
#[inline(never)]
pub fn device_destroyed_first(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    if options.clean {
        close_buffer(file, buffer)?;
        return close_device(file);
    }
    close_device(file)?;
    refused(file.gem_close(buffer), "closing a handle of a closed file", libc::EBADF)
}

/// A mapping keeps the file open after its fd is closed, with the handle in it.
#[inline(never)]
pub fn mapping_keeps_file(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let mapping = Mapping::new(file.fd, file.map_offset(buffer)?, BYTES)?;
    close_or_forget(options, file, buffer)?;
    close_device(file)?;
    holds(mapping.touch(0x31), || "the mapping did not keep what was written".to_owned())?;
    Ok(mapping.unmap()?)
}

/// A DRM file is sent to a process that never takes it: it ends with the socket's queue, and a handle in it.
#[inline(never)]
pub fn file_in_flight(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let (here, there) = pair()?;
    send_fd(here, file.fd)?;
    close_or_forget(options, file, buffer)?;
    close_device(file)?;
    here.close()?;
    Ok(there.close()?)
}

/// The device's fd is close-on-exec: executing another program closes the file, and the handle in it.
#[inline(never)]
pub fn exec_closes_file(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    close_or_forget(options, file, buffer)?;
    let mut args = vec!["s1".to_owned()];
    if let Some(driver) = &options.device {
        args.extend(["--device".to_owned(), driver.clone()]);
    }
    match exec_self(&args)? {}
}

/// A buffer is imported through the render node, and closed through the primary one: the number is of the other file.
#[inline(never)]
pub fn close_on_the_other_node(options: &Options) -> Outcome {
    let device = device(options)?;
    let (primary, render) = (device.open()?, device.open_render()?);
    // So that the render node's number is not one of the primary node.
    let (first, second) = (frame_of_client(primary)?, frame_of_client(primary)?);
    let (below, imported) = (share_with_importer(render, first)?, share_with_importer(render, second)?);
    close_prime_fd(first)?;
    close_prime_fd(second)?;
    close_buffer(render, below)?;
    if options.clean {
        close_buffer(render, imported)?;
    } else {
        refused(primary.gem_close(imported), "closing a handle of the other node", libc::EINVAL)?;
    }
    close_device(render)?;
    close_device(primary)
}
