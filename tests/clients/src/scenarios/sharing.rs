//! Sharing between two devices: the six steps of a buffer's way from an exporter to an importer and back, in both orders.

use super::parts::{
    close_buffer, close_device, close_prime_fd, make_buffer, share, share_with_foreign_importer,
};
use crate::drm::{Device, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop};
use crate::sys::fd::Fd;

/// The two ends, a device of its own where there is one and vgem; and which device the importer is.
fn open_both(options: &Options) -> Outcome<(DrmFile, DrmFile, Device)> {
    let exporter = match options.exporter.as_deref() {
        Some(driver) => Device::find(driver)?,
        None => Device::find_any(&["virtio_gpu", "bochs-drm"])?,
    };
    let importer = Device::find(options.importer.as_deref().unwrap_or("vgem"))?;
    println!("exporter {}, importer {}", exporter.driver(), importer.driver());
    Ok((exporter.open()?, importer.open()?, importer))
}

/// Gives an answer through; when there is none to go on with, because the driver cannot share, undoes what was done so far.
fn or_undo<T>(answer: Outcome<T>, undo: impl FnOnce() -> Outcome) -> Outcome<T> {
    match answer {
        Err(Stop::Skip(why)) => {
            undo()?;
            Err(Stop::Skip(why))
        }
        answer => answer,
    }
}

/// A buffer of the exporter, its fd, and the importer's handle of it.
fn share_between(exporter: DrmFile, device: &Device, importer: DrmFile) -> Outcome<(Handle, Fd, Handle)> {
    let buffer = make_buffer(exporter)?;
    let close = || close_buffer(exporter, buffer);
    let prime = or_undo(share(exporter, buffer), close)?;
    let imported = or_undo(share_with_foreign_importer(device, importer, prime), || {
        close_prime_fd(prime)?;
        close()
    })?;
    Ok((buffer, prime, imported))
}

/// S23: export, import, close the fd, the importer lets go, the exporter lets go.
///
/// In kernels before 3.10 the dma-buf dies at the importer's close, while the exporter's cache still points at it.
#[inline(never)]
pub fn six_step_importer_first(options: &Options) -> Outcome {
    let (exporter, importer, device) = open_both(options)?;
    let (buffer, prime, imported) = share_between(exporter, &device, importer)?;
    close_prime_fd(prime)?;
    close_buffer(importer, imported)?;
    close_buffer(exporter, buffer)?;
    close_device(importer)?;
    close_device(exporter)
}

/// S22: as above, but the exporter lets go first: the importer alone keeps the dma-buf and the exporter's object.
#[inline(never)]
pub fn six_step_exporter_first(options: &Options) -> Outcome {
    let (exporter, importer, device) = open_both(options)?;
    let (buffer, prime, imported) = share_between(exporter, &device, importer)?;
    close_prime_fd(prime)?;
    close_buffer(exporter, buffer)?;
    close_buffer(importer, imported)?;
    close_device(importer)?;
    close_device(exporter)
}
