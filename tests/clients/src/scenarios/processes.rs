//! Buffers and process trees: fork, exec, daemons, and descriptors that travel.

use std::time::Duration;

use super::mistakes::forget_gem_close;
use super::parts::{
    close_buffer, close_device, close_prime_fd, device, forget_to_close, make_buffer, open_device, share,
    share_with_importer,
};
use super::sequences::{s2_close_fd_then_handle, s9_cpu_access};
use crate::dmabuf::sync;
use crate::drm::Device;
use crate::options::Options;
use crate::outcome::{Failed, Outcome, Stop, holds};
use crate::sys::fd::{Fd, pipe, read_byte, write_byte};
use crate::sys::process::{exec_self, fork_child, new_session, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// Child, grandchild, …: each generation executes this program anew; the last one forgets to close its handle.
#[inline(never)]
pub fn fork_exec_tree(options: &Options) -> Outcome {
    let Some(below) = options.depth.unwrap_or(2).checked_sub(1) else {
        return if options.clean { s2_close_fd_then_handle(options) } else { forget_gem_close(options) };
    };
    let mut args = vec!["fork-exec-tree".to_owned(), "--depth".to_owned(), below.to_string()];
    if options.clean {
        args.push("--clean".to_owned());
    }
    if let Some(driver) = &options.device {
        args.extend(["--device".to_owned(), driver.clone()]);
    }
    let child = fork_child(|| match exec_self(&args)? {})?;
    // Every generation uses the device too, correctly, so that only the last one is to blame.
    s9_cpu_access(options)?;
    wait_well(child)
}

/// A daemon (double fork) that outlives its parent by a while and then closes everything.
#[inline(never)]
pub fn daemon_outlives_parent(options: &Options) -> Outcome {
    let device = device(options)?;
    let (ready, tell_ready) = pipe()?;
    let (parent_lives, life_of_parent) = pipe()?;
    let middle = fork_child(|| {
        new_session()?;
        fork_child(|| {
            ready.close()?;
            life_of_parent.close()?;
            work_as_daemon(&device, tell_ready, parent_lives)
        })?;
        Ok(())
    })?;
    tell_ready.close()?;
    parent_lives.close()?;
    wait_well(middle)?;
    let told = read_byte(ready)?;
    // The other pipe is left to the exit of this process: its end of file is how the daemon learns of that exit.
    holds(told.is_some(), || "the daemon ended early".to_owned())
}

#[inline(never)]
fn work_as_daemon(device: &Device, tell_ready: Fd, parent_lives: Fd) -> Outcome {
    let file = device.open()?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    write_byte(tell_ready, 1)?;
    read_byte(parent_lives)?;
    std::thread::sleep(Duration::from_millis(300));
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// The child inherits a prime fd and the DRM file, uses neither and exits; the parent closes its own properly.
#[inline(never)]
pub fn child_inherits_fd(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let child = fork_child(|| Ok(()))?;
    wait_well(child)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// The receiver of a prime fd imports it, closes its handle, and forgets the fd.
#[inline(never)]
pub fn receiver_forgets_fd(options: &Options) -> Outcome {
    let device = device(options)?;
    let (here, there) = pair()?;
    let receiver = fork_child(|| {
        here.close()?;
        receive_and_forget(&device, there, options.clean)
    })?;
    there.close()?;
    let file = device.open()?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    send_fd(here, prime)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    here.close()?;
    wait_well(receiver)
}

#[inline(never)]
fn receive_and_forget(device: &Device, socket: Fd, clean: bool) -> Outcome {
    let file = device.open()?;
    let received = receive_fd(socket)?;
    let Some(prime) = received else {
        return Err(Stop::Unexpected("the sender ended early".to_owned()));
    };
    let imported = share_with_importer(file, prime)?;
    close_buffer(file, imported)?;
    close_device(file)?;
    socket.close()?;
    if clean {
        return close_prime_fd(prime);
    }
    forget_to_close(prime);
    Ok(())
}

/// A prime fd is sent but never received: at exit the socket's queue holds the dma-buf.
#[inline(never)]
pub fn fd_in_flight(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let (here, _there) = pair()?;
    send_fd(here, prime)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// A prime fd without close-on-exec: the program that is executed finds it open, and closes it.
#[inline(never)]
pub fn fd_survives_exec(options: &Options) -> Outcome {
    if let Some(number) = options.inherited_fd {
        let number =
            i32::try_from(number).map_err(|_| Failed { what: "--inherited-fd", errno: libc::EBADF })?;
        return use_inherited_fd(Fd(number), options.forget);
    }
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = file.export(buffer, 0)?;
    close_buffer(file, buffer)?;
    close_device(file)?;
    let mut args = vec!["exec-keeps-fd".to_owned(), "--inherited-fd".to_owned(), prime.to_string()];
    if options.forget {
        args.push("--forget".to_owned());
    }
    match exec_self(&args)? {}
}

#[inline(never)]
fn use_inherited_fd(prime: Fd, forget: bool) -> Outcome {
    sync(prime, false)?;
    sync(prime, true)?;
    if forget {
        forget_to_close(prime);
        return Ok(());
    }
    close_prime_fd(prime)
}
