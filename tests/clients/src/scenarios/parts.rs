//! The steps that most scenarios consist of, under the names a graphics program would give them.

use std::hint::black_box;

use crate::drm::{Device, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Failed, Outcome, Stop};
use crate::sys::fd::Fd;

/// Keeps the calling function's frame on the stack during the call whose result this takes: without work left to do
/// after it, the compiler would turn that call into a jump, and the caller's name would be missing in stack traces.
#[inline(always)]
pub fn keep_frame<T>(value: T) -> T {
    black_box(value)
}

/// The device under test: vgem, which every kernel has, unless `--device` says otherwise.
///
/// # Errors
/// Skips when there is none.
pub fn device(options: &Options) -> Outcome<Device> {
    Device::find(options.device.as_deref().unwrap_or("vgem"))
}

/// Opens one file of the device under test.
///
/// # Errors
/// Skips when there is no such device.
#[inline(never)]
pub fn open_device(options: &Options) -> Outcome<DrmFile> {
    keep_frame(device(options)?.open())
}

/// Opens two files of the device under test, as two clients of one GPU have them.
///
/// # Errors
/// Skips when there is no such device.
#[inline(never)]
pub fn open_device_twice(options: &Options) -> Outcome<(DrmFile, DrmFile)> {
    let device = device(options)?;
    Ok((device.open()?, device.open()?))
}

/// Creates a buffer; the caller owns its handle.
///
/// # Errors
/// As the ioctl.
#[inline(never)]
pub fn make_buffer(file: DrmFile) -> Outcome<Handle> {
    keep_frame(file.create_dumb().map_err(Into::into))
}

/// Exports a buffer; the caller owns the prime fd.
///
/// # Errors
/// As the ioctl.
#[inline(never)]
pub fn share(file: DrmFile, handle: Handle) -> Outcome<Fd> {
    keep_frame(file.export(handle, libc::O_CLOEXEC).map_err(Into::into))
}

/// Imports a prime fd; the importer owns the handle.
///
/// # Errors
/// As the ioctl.
#[inline(never)]
pub fn share_with_importer(importer: DrmFile, prime: Fd) -> Outcome<Handle> {
    keep_frame(importer.import(prime).map_err(Into::into))
}

/// Imports a dma-buf that another driver exported. Of the drivers used here only vgem always can.
///
/// # Errors
/// Skips when `device` is of a driver that takes its own buffers only; else as the ioctl.
#[inline(never)]
pub fn share_with_foreign_importer(device: &Device, importer: DrmFile, prime: Fd) -> Outcome<Handle> {
    match importer.import(prime) {
        Err(Failed { errno: libc::ENODEV | libc::EINVAL, .. }) if device.driver() != "vgem" => {
            Err(Stop::Skip(format!("driver `{}` does not import from other drivers", device.driver())))
        }
        answer => answer.map_err(Into::into),
    }
}

/// Closes an owned handle.
///
/// # Errors
/// As the ioctl.
#[inline(never)]
pub fn close_buffer(file: DrmFile, handle: Handle) -> Outcome {
    keep_frame(file.gem_close(handle).map_err(Into::into))
}

/// Closes an owned prime fd.
///
/// # Errors
/// As close(2).
#[inline(never)]
pub fn close_prime_fd(prime: Fd) -> Outcome {
    keep_frame(prime.close().map_err(Into::into))
}

/// Closes an owned DRM file.
///
/// # Errors
/// As close(2).
#[inline(never)]
pub fn close_device(file: DrmFile) -> Outcome {
    keep_frame(file.close().map_err(Into::into))
}

/// Where a forgotten handle or descriptor goes: nowhere. It marks the mistake in the code, and in a debugger.
#[inline(never)]
pub fn forget_to_close<T>(what: T) {
    black_box(what);
}
