//! Sharing between two devices: the six steps of a buffer's way from an exporter to an importer and back, in both orders.

use super::parts::{
    close_buffer, close_device, close_prime_fd, make_buffer, share, share_with_foreign_importer,
};
use crate::drm::{Device, DrmFile};
use crate::options::Options;
use crate::outcome::Outcome;

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

/// S23: export, import, close the fd, the importer lets go, the exporter lets go.
///
/// In kernels before 3.10 the dma-buf dies at the importer's close, while the exporter's cache still points at it.
#[inline(never)]
pub fn six_step_importer_first(options: &Options) -> Outcome {
    let (exporter, importer, device) = open_both(options)?;
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let imported = share_with_foreign_importer(&device, importer, prime)?;
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
    let buffer = make_buffer(exporter)?;
    let prime = share(exporter, buffer)?;
    let imported = share_with_foreign_importer(&device, importer, prime)?;
    close_prime_fd(prime)?;
    close_buffer(exporter, buffer)?;
    close_buffer(importer, imported)?;
    close_device(importer)?;
    close_device(exporter)
}
