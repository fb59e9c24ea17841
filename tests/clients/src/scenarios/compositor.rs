//! A compositor and its client, each with a DRM file of its own: what a desktop does all day, with the bug of the day.
//!
//! The client draws into a chain of three buffers and gets a new chain whenever it is resized. The compositor imports
//! every buffer once, and when the chain is replaced it lets go of the old one, except for the buffer that it still shows:
//! that one it means to close when the next frame is there, and forgets.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::parts::{close_buffer, close_device, close_prime_fd, device, forget_to_close, keep_frame, share};
use crate::drm::{Device, DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop};
use crate::sys::fd::{Fd, read_byte, write_byte};
use crate::sys::process::{fork_child, set_name, wait_well};
use crate::sys::socket::{pair, receive_fd, send_fd};

/// Buffers of a chain.
const CHAIN: usize = 3;
/// Time between two changes of size.
const RESIZED: Duration = Duration::from_millis(100);

/// Runs both for `--seconds`.
#[inline(never)]
pub fn compositor(options: &Options) -> Outcome {
    let device = device(options)?;
    let until = Instant::now() + Duration::from_secs(options.seconds.unwrap_or(10));
    let (here, there) = pair()?;
    let client = fork_child(|| {
        here.close()?;
        set_name("client")?;
        run_client(&device, there, until)
    })?;
    there.close()?;
    set_name("compositor")?;
    let file = device.open()?;
    let mut shown: Vec<Handle> = Vec::new();
    while let Some(chain) = receive_chain(file, here)? {
        replace_surface(file, shown, options.clean)?;
        shown = chain;
        write_byte(here, 1)?;
    }
    for buffer in shown {
        close_buffer(file, buffer)?;
    }
    here.close()?;
    wait_well(client)?;
    close_device(file)
}

/// The client: a new chain for every size, the old one is done with when the compositor has the new one.
#[inline(never)]
fn run_client(device: &Device, compositor: Fd, until: Instant) -> Outcome {
    let file = device.open()?;
    let mut chain: Vec<Handle> = Vec::new();
    let mut width = 640;
    while Instant::now() < until {
        let new = draw_new_chain(file, compositor, width)?;
        if read_byte(compositor)?.is_none() {
            return Err(Stop::Unexpected("the compositor is gone".to_owned()));
        }
        for old in std::mem::replace(&mut chain, new) {
            close_buffer(file, old)?;
        }
        width = if width == 640 { 800 } else { 640 };
        sleep(RESIZED);
    }
    for old in chain {
        close_buffer(file, old)?;
    }
    compositor.close()?;
    close_device(file)
}

#[inline(never)]
fn draw_new_chain(file: DrmFile, compositor: Fd, width: u32) -> Outcome<Vec<Handle>> {
    let mut chain = Vec::new();
    for _ in 0..CHAIN {
        let (buffer, _) = file.create_dumb_of(width, 480)?;
        let prime = share(file, buffer)?;
        send_fd(compositor, prime)?;
        close_prime_fd(prime)?;
        chain.push(buffer);
    }
    Ok(keep_frame(chain))
}

/// The buffers of a client's new chain; `None` when the client has gone.
#[inline(never)]
fn receive_chain(file: DrmFile, client: Fd) -> Outcome<Option<Vec<Handle>>> {
    let mut chain = Vec::new();
    while chain.len() < CHAIN {
        let Some(prime) = receive_fd(client)? else { return Ok(None) };
        chain.push(import_client_buffer(file, prime)?);
    }
    Ok(keep_frame(Some(chain)))
}

#[inline(never)]
fn import_client_buffer(file: DrmFile, prime: Fd) -> Outcome<Handle> {
    let handle = file.import(prime)?;
    close_prime_fd(prime)?;
    Ok(keep_frame(handle))
}

/// The bug: the buffer on the screen outlives its chain, and nobody comes back for it.
#[inline(never)]
fn replace_surface(file: DrmFile, chain: Vec<Handle>, clean: bool) -> Outcome {
    for (at, buffer) in chain.into_iter().enumerate() {
        if at == 0 && !clean {
            forget_to_close(buffer);
        } else {
            close_buffer(file, buffer)?;
        }
    }
    Ok(())
}
