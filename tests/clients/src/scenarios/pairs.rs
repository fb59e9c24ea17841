//! Every exporter with every importer: DRM devices, udmabuf and dma-heaps.

use super::parts::{close_buffer, close_device, close_prime_fd, keep_frame, make_buffer};
use crate::dmabuf::Source;
use crate::drm::{Device, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Answer, Failed, Outcome, Stop, holds};
use crate::sys::fd::Fd;

/// The DRM devices that are looked for.
const DRIVERS: &[&str] = &["vgem", "virtio_gpu", "bochs-drm"];

/// Who makes the dma-buf.
enum Exporter {
    Drm(Device),
    Other(Source),
}

/// A dma-buf, and what keeps it beside its fd.
struct Made {
    own: Option<(DrmFile, Handle)>,
    prime: Fd,
}

impl Exporter {
    fn name(&self) -> &str {
        match self {
            Self::Drm(device) => device.driver(),
            Self::Other(Source::Udmabuf) => "udmabuf",
            Self::Other(Source::SystemHeap) => "dma-heap",
        }
    }

    /// Makes a dma-buf; the inner error is that of an exporter that does not export.
    fn make(&self) -> Outcome<Answer<Made>> {
        match self {
            Self::Other(source) => Ok(Ok(Made { own: None, prime: source.make_dmabuf(4)? })),
            Self::Drm(device) => {
                let file = device.open()?;
                let buffer = make_buffer(file)?;
                match file.export(buffer, libc::O_CLOEXEC) {
                    Ok(prime) => Ok(Ok(Made { own: Some((file, buffer)), prime })),
                    Err(failed) => {
                        close_buffer(file, buffer)?;
                        close_device(file)?;
                        Ok(Err(failed))
                    }
                }
            }
        }
    }
}

/// Shares a buffer from each exporter to each importer that this machine has, twice: the exporter lets go first, and last.
///
/// Not every driver takes every other one's buffers on every kernel: what does not go is told, and given back.
#[inline(never)]
pub fn share_all(_options: &Options) -> Outcome {
    let devices: Vec<Device> = DRIVERS.iter().filter_map(|driver| Device::find(driver).ok()).collect();
    let sources = [Source::Udmabuf, Source::SystemHeap].into_iter().filter(|source| source.is_present());
    let exporters: Vec<_> =
        devices.iter().cloned().map(Exporter::Drm).chain(sources.map(Exporter::Other)).collect();
    let mut shared = 0;
    for exporter in &exporters {
        for importer in &devices {
            let pair = format!("{} -> {}", exporter.name(), importer.driver());
            match share_pair(exporter, importer, true)?.and(share_pair(exporter, importer, false)?) {
                Ok(()) => {
                    println!("{pair}: shared");
                    shared += 1;
                }
                Err(failed) => println!("{pair}: not here ({failed})"),
            }
        }
    }
    println!("{shared} of {} pairs", exporters.len() * devices.len());
    if shared == 0 { Err(Stop::Skip("nothing can be shared here".to_owned())) } else { Ok(()) }
}

/// One buffer from one to the other; the inner error is that of the sharing itself.
#[inline(never)]
fn share_pair(exporter: &Exporter, importer: &Device, exporter_first: bool) -> Outcome<Answer> {
    let Made { own, prime } = match exporter.make()? {
        Ok(made) => made,
        Err(failed) => return Ok(Err(failed)),
    };
    let file = importer.open()?;
    let imported = match file.import(prime) {
        Ok(imported) => imported,
        Err(failed) => {
            close_prime_fd(prime)?;
            give_back(own)?;
            close_device(file)?;
            return Ok(Err(failed));
        }
    };
    export_again(file, imported, prime)?;
    if exporter_first {
        give_back(own)?;
        close_prime_fd(prime)?;
        close_buffer(file, imported)?;
    } else {
        close_buffer(file, imported)?;
        close_prime_fd(prime)?;
        give_back(own)?;
    }
    close_device(file)?;
    Ok(Ok(()))
}

/// What is exported again is the same dma-buf.
#[inline(never)]
fn export_again(file: DrmFile, imported: Handle, prime: Fd) -> Outcome {
    let again = match file.export(imported, libc::O_CLOEXEC) {
        // Drivers may refuse it.
        Err(Failed { errno: libc::ENODEV | libc::EINVAL | libc::EPERM, .. }) => return Ok(()),
        answer => answer?,
    };
    let (one, two) = (prime.identity()?, again.identity()?);
    holds(one == two, || format!("the re-export gave a new dma-buf: {one:?}, {two:?}"))?;
    keep_frame(close_prime_fd(again))
}

fn give_back(own: Option<(DrmFile, Handle)>) -> Outcome {
    let Some((file, buffer)) = own else { return Ok(()) };
    close_buffer(file, buffer)?;
    close_device(file)
}
