//! A driver that goes away under its buffers, as when a graphics card is unplugged or its driver is replaced.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::parts::{close_buffer, close_device, close_prime_fd, make_buffer, share, share_with_importer};
use crate::drm::{Device, forget_nodes};
use crate::options::Options;
use crate::outcome::{Outcome, Stop, holds, refused};
use crate::sys::fd::{Fd, read_byte, write_byte};
use crate::sys::process::{fork_child, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// Where virtio-gpu is bound to its devices.
const DRIVER: &str = "/sys/bus/virtio/drivers/virtio_gpu";

/// Virtio-gpu is unbound while another process holds an fd of its buffer and an import of it; then everything is closed, and
/// the driver is bound again and works.
#[inline(never)]
pub fn unbind_while_shared(options: &Options) -> Outcome {
    let Some(device) = bound_device() else {
        return Err(Stop::Skip(format!("no device below `{DRIVER}`")));
    };
    let exporter = Device::find("virtio_gpu")?;
    let importer = Device::find(options.importer.as_deref().unwrap_or("vgem"))?;
    let (here, there) = pair()?;
    let holder = fork_child(|| {
        here.close()?;
        hold_imported(&importer, there)
    })?;
    there.close()?;
    let file = exporter.open()?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    send_fd(here, prime)?;
    holds(read_byte(here)?.is_some(), || "the importing process ended early".to_owned())?;
    close_prime_fd(prime)?;
    if options.forget {
        tell_driver("unbind", &device)?;
        // A file of a device that is gone can only be closed.
        refused(file.gem_close(buffer), "closing a handle of an unbound device", libc::ENODEV)?;
        close_device(file)?;
    } else {
        close_buffer(file, buffer)?;
        close_device(file)?;
        tell_driver("unbind", &device)?;
    }
    println!("unbound {device}");
    write_byte(here, 1)?;
    here.close()?;
    wait_well(holder)?;
    tell_driver("bind", &device)?;
    println!("bound {device}");

    forget_nodes();
    let file = wait_for_device()?.open()?;
    let buffer = make_buffer(file)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// The process that still has the buffer when its driver has gone.
#[inline(never)]
fn hold_imported(importer: &Device, socket: Fd) -> Outcome {
    let file = importer.open()?;
    let Some(prime) = receive_fd(socket)? else { return Err(Stop::Unexpected("no fd came".to_owned())) };
    let imported = share_with_importer(file, prime)?;
    write_byte(socket, 1)?;
    holds(read_byte(socket)?.is_some(), || "the exporting process ended early".to_owned())?;
    close_buffer(file, imported)?;
    close_prime_fd(prime)?;
    close_device(file)?;
    Ok(socket.close()?)
}

/// The device that the driver is bound to.
fn bound_device() -> Option<String> {
    let names = fs::read_dir(DRIVER).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("virtio")).min()
}

fn tell_driver(what: &str, device: &str) -> Outcome {
    fs::write(Path::new(DRIVER).join(what), device)
        .map_err(|error| Stop::Unexpected(format!("cannot {what} `{device}`: {error}")))
}

/// The node comes a moment after the driver.
fn wait_for_device() -> Outcome<Device> {
    for _ in 0..50 {
        if let Ok(device) = Device::find("virtio_gpu") {
            return Ok(device);
        }
        forget_nodes();
        std::thread::sleep(Duration::from_millis(20));
    }
    Device::find("virtio_gpu")
}
