//! A buffer that a process elsewhere goes on holding: two programs that meet in the working folder.

use std::fs;
use std::time::{Duration, Instant};

use super::parts::{close_buffer, close_device, close_prime_fd, make_buffer, open_device, share};
use crate::options::Options;
use crate::outcome::{Outcome, Stop};
use crate::sys::fd::Fd;
use crate::sys::process::{process_id, take_fd};

/// Who offers which fd: pid and number.
const OFFER: &str = "offer";
/// The offer was taken.
const TAKEN: &str = "taken";

/// Offers the fd of a buffer, waits until it was taken, and gives back all that is its own.
#[inline(never)]
pub fn offer_fd(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    write(OFFER, &format!("{} {prime}", process_id()))?;
    wait_for(TAKEN, options)?;
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    close_device(file)
}

/// Takes the fd that is offered, and holds it for a time.
#[inline(never)]
pub fn take_offer(options: &Options) -> Outcome {
    let offer = wait_for(OFFER, options)?;
    let mut words = offer.split_whitespace().map(str::parse::<i32>);
    let (Some(Ok(pid)), Some(Ok(fd))) = (words.next(), words.next()) else {
        return Err(Stop::Unexpected(format!("`{OFFER}` holds `{offer}`")));
    };
    let prime = take_fd(pid, Fd(fd))?;
    write(TAKEN, "")?;
    std::thread::sleep(Duration::from_secs(options.seconds.unwrap_or(60)));
    close_prime_fd(prime)
}

fn write(name: &str, text: &str) -> Outcome {
    // Under another name first: who waits must not read half of it.
    let half = format!("{name}.half");
    let written = fs::write(&half, text).and_then(|()| fs::rename(&half, name));
    written.map_err(|error| Stop::Unexpected(format!("cannot write `{name}`: {error}")))
}

fn wait_for(name: &str, options: &Options) -> Result<String, Stop> {
    let end = Instant::now() + Duration::from_secs(options.seconds.unwrap_or(60));
    while Instant::now() < end {
        if let Ok(text) = fs::read_to_string(name) {
            return Ok(text);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Stop::Unexpected(format!("nobody wrote `{name}`")))
}
