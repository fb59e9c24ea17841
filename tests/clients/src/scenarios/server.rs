//! A server that lives on: pools of every habit, and the leak among them. Each line on the pipe `go` asks it for one cycle; it answers
//! with a line on the pipe `done`.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};

use super::Ends::{Clean, OpenHandle};
use super::parts::{close_buffer, close_device, device, forget_to_close, keep_frame};
use super::{Scenario, loops};
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Outcome, Stop};

/// What lives long, or takes what it can get.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "fd-exhaustion",
        about: "export until the process has no fd left, then close everything",
        needs: "vgem",
        ends: Clean,
        options: &["--device", "--importer"],
        run: loops::exhaust_fds,
    },
    Scenario {
        name: "pool-server",
        about: "a server with pools of every habit; a line on the pipe `go` is a cycle, answered on the pipe `done`",
        needs: "vgem",
        ends: OpenHandle,
        options: &["--device", "--cycles", "--leak-every"],
        run: pool_server,
    },
];

/// The most buffers that the pool of frames keeps.
const FRAMES: usize = 24;
/// Buffers of the pool that is renewed.
const THUMBNAILS: usize = 6;

/// Serves until `go` is closed for good or it is killed. With `--leak-every` it forgets one buffer each so many cycles.
#[inline(never)]
pub fn pool_server(options: &Options) -> Outcome {
    let file = device(options)?.open()?;
    let leak_every = options.leak_every.unwrap_or(0);
    let mut frames: Vec<Handle> = Vec::new();
    let mut thumbnails: VecDeque<Handle> = VecDeque::new();
    for cycle in 1..=options.cycles.unwrap_or(u64::MAX) {
        if !asked()? {
            break;
        }
        draw_frames(file, &mut frames, cycle)?;
        renew_thumbnails(file, &mut thumbnails)?;
        show_tooltip(file)?;
        if leak_every > 0 && cycle % leak_every == 0 {
            cache_window_icon(file)?;
        }
        answer()?;
    }
    for buffer in frames.into_iter().chain(thumbnails) {
        close_buffer(file, buffer)?;
    }
    close_device(file)
}

fn pipe(error: std::io::Error) -> Stop {
    Stop::Unexpected(format!("the pipes `go` and `done` are of no use: {error}"))
}

/// Waits to be asked. Is there somebody?
fn asked() -> Outcome<bool> {
    let mut line = String::new();
    let go = OpenOptions::new().read(true).open("go").map_err(pipe)?;
    Ok(BufReader::new(go).read_line(&mut line).map_err(pipe)? > 0)
}

fn answer() -> Outcome {
    let mut done = OpenOptions::new().write(true).open("done").map_err(pipe)?;
    done.write_all(b"done\n").map_err(pipe)
}

/// A pool that fills by demand, to its cap, and keeps everything.
#[inline(never)]
fn draw_frames(file: DrmFile, frames: &mut Vec<Handle>, cycle: u64) -> Outcome {
    // Demand goes up and down, and reaches the cap after a while.
    let demand = (cycle * 7 % 11 + cycle / 2).min(FRAMES as u64) as usize;
    while frames.len() < demand {
        frames.push(file.create_dumb()?);
    }
    keep_frame(Ok(()))
}

/// A pool of a fixed size, of which each cycle replaces the oldest two.
#[inline(never)]
fn renew_thumbnails(file: DrmFile, thumbnails: &mut VecDeque<Handle>) -> Outcome {
    for _ in 0..2 {
        if thumbnails.len() == THUMBNAILS
            && let Some(oldest) = thumbnails.pop_front()
        {
            close_buffer(file, oldest)?;
        }
        thumbnails.push_back(file.create_dumb()?);
    }
    keep_frame(Ok(()))
}

/// Taken and given back.
#[inline(never)]
fn show_tooltip(file: DrmFile) -> Outcome {
    let buffer = file.create_dumb()?;
    keep_frame(close_buffer(file, buffer))
}

/// The bug: nobody comes back for it.
#[inline(never)]
fn cache_window_icon(file: DrmFile) -> Outcome {
    let buffer = file.create_dumb()?;
    forget_to_close(buffer);
    keep_frame(Ok(()))
}
