//! Signals as something to look at from time to time, and who sent them.

use std::os::fd::AsFd as _;

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that ask gemscope to come to an end.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Asks for a mark.
pub const MARK: Signal = Signal::SIGUSR1;

/// The signals that have arrived.
pub struct Signals(SignalFd);

/// Asks for a trace of what the flight recorder has.
pub const WRITE: Signal = Signal::SIGUSR2;

/// What one asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// To come to an end.
    End,
    /// To write what the flight recorder has.
    Write,
    /// To set a mark.
    Mark,
}

/// One that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// what for
    pub asks: Asks,
    /// which
    pub signal: i32,
    /// A process sent it to gemscope alone. Otherwise the terminal did, and the command has had it too.
    pub for_us_alone: bool,
}

impl Signals {
    /// Takes those over that ask for an end, and these. Call it before any thread is started: the mask is inherited.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn take(more: &[Signal]) -> anyhow::Result<Self> {
        let mut set = SigSet::empty();
        ENDING.iter().chain(more).for_each(|s| set.add(*s));
        set.thread_block().context("cannot block signals")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags).context("cannot wait for signals")?))
    }

    /// Has one arrived?
    pub fn is_pending(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|n| n > 0)
    }

    /// The next one, if there is one now.
    pub fn next(&self) -> Option<Arrived> {
        /// Sent by the kernel, for the terminal (`SI_KERNEL`).
        const SI_KERNEL: i32 = 0x80;
        let info = self.0.read_signal().ok()??;
        let signal = info.ssi_signo.cast_signed();
        let asks = match signal {
            signal if signal == WRITE as i32 => Asks::Write,
            signal if signal == MARK as i32 => Asks::Mark,
            _ => Asks::End,
        };
        Some(Arrived { asks, signal, for_us_alone: info.ssi_code != SI_KERNEL })
    }
}
