//! Page flips: two framebuffers shown by turns, as every compositor does it.

use super::framebuffers::open_display;
use super::parts::{close_device, close_prime_fd, keep_frame, share};
use crate::drm::{DrmFile, Handle};
use crate::kms::Display;
use crate::options::Options;
use crate::outcome::{Outcome, Stop};

/// A buffer that can be shown.
struct Frame {
    buffer: Handle,
    fb: u32,
}

/// Two frames, flipped by turns; then the display is turned off and everything is given back.
#[inline(never)]
pub fn page_flip(options: &Options) -> Outcome {
    let file = open_display(options)?;
    let display = match Display::find(file) {
        Ok(display) => display,
        Err(stop) => {
            close_device(file)?;
            return Err(stop);
        }
    };
    let frames = [make_frame(file, &display)?, make_frame(file, &display)?];
    display.show(file, frames[0].fb)?;
    let flips = options.rounds.unwrap_or(30);
    for flip in 0..flips {
        flip_to(file, &display, &frames[(flip as usize + 1) % 2])?;
    }
    display.turn_off(file)?;
    for frame in frames {
        file.remove_fb(frame.fb)?;
        file.destroy_dumb(frame.buffer)?;
    }
    close_device(file)?;
    let (width, height) = display.size();
    println!("{flips} flips of {width}x{height}");
    Ok(())
}

#[inline(never)]
fn make_frame(file: DrmFile, display: &Display) -> Outcome<Frame> {
    let (width, height) = display.size();
    let (buffer, pitch) = file.create_dumb_of(width, height)?;
    let fb = file.add_fb_of(buffer, width, height, pitch)?;
    // A screen recorder looks at it, where the driver lets it.
    match share(file, buffer) {
        Ok(prime) => close_prime_fd(prime)?,
        Err(Stop::Skip(_)) => {}
        Err(stop) => return Err(stop),
    }
    Ok(Frame { buffer, fb })
}

#[inline(never)]
fn flip_to(file: DrmFile, display: &Display, frame: &Frame) -> Outcome {
    keep_frame(display.flip(file, frame.fb).map_err(Into::into))
}
