//! S20, S21, S24 and their kin: framebuffers, which keep objects alive without a handle.

use super::parts::{close_buffer, close_device, close_prime_fd, make_buffer, share};
use crate::drm::{Device, DrmFile};
use crate::options::Options;
use crate::outcome::{Outcome, refused};

/// A device that can have framebuffers.
#[inline(never)]
pub fn open_display(options: &Options) -> Outcome<DrmFile> {
    let device = match options.device.as_deref() {
        Some(driver) => Device::find(driver)?,
        None => Device::find_any(&["virtio_gpu", "bochs-drm"])?,
    };
    device.open()
}

/// S20: the framebuffer outlives the handle; GETFB2 opens a new handle of its buffer.
#[inline(never)]
pub fn s20_get_handle_of_framebuffer(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let fb = file.add_fb(buffer)?;
    close_buffer(file, buffer)?;
    let reopened = file.get_fb(fb)?;
    close_buffer(file, reopened)?;
    file.remove_fb(fb)?;
    close_device(file)
}

/// S21: a shared buffer of which only the framebuffer is left.
#[inline(never)]
pub fn s21_framebuffer_of_shared_buffer(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let fb = file.add_fb(buffer)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    file.remove_fb(fb)?;
    close_device(file)
}

/// A shared buffer loses its last handle, gets a new one through its framebuffer, and is shared again. Where framebuffers hold no
/// handle count, the object has forgotten its first dma-buf meanwhile, and gets a second one beside it.
#[inline(never)]
pub fn share_again_through_framebuffer(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let first = share(file, buffer)?;
    let fb = file.add_fb(buffer)?;
    close_buffer(file, buffer)?;
    let reopened = file.get_fb(fb)?;
    let second = share(file, reopened)?;
    close_buffer(file, reopened)?;
    file.remove_fb(fb)?;
    close_prime_fd(first)?;
    close_prime_fd(second)?;
    close_device(file)
}

/// S24: framebuffer and handle are left to the closing of the file.
#[inline(never)]
pub fn s24_framebuffer_at_file_close(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let fb = file.add_fb(buffer)?;
    if options.clean {
        file.remove_fb(fb)?;
        close_buffer(file, buffer)?;
    }
    close_device(file)
}

/// A compositor's habit: the framebuffer alone holds the buffer.
#[inline(never)]
pub fn framebuffer_holds_buffer(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let buffer = make_buffer(file)?;
    let fb = file.add_fb(buffer)?;
    close_buffer(file, buffer)?;
    file.remove_fb(fb)?;
    refused(file.remove_fb(fb), "removing a framebuffer twice", libc::ENOENT)?;
    close_device(file)
}
