//! What the BPF programs have to say about themselves: aya-log's messages, given to the `log` crate.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use aya::Ebpf;
use aya_log::EbpfLogger;
use rustix::event::{PollFd, PollFlags, Timespec};

/// How long the thread waits for a message before it looks whether it is still wanted.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The programs' messages, not yet read.
pub(crate) struct Source(EbpfLogger<&'static dyn log::Log>);

/// The thread that reads them.
pub(crate) struct KernelLog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KernelLog {
    /// Takes the messages' ring out of the object. `None` when it has none: the programs then have nothing to say.
    pub(crate) fn open(ebpf: &mut Ebpf) -> Option<Source> {
        match EbpfLogger::init(ebpf) {
            Ok(logger) => Some(Source(logger)),
            Err(error) => {
                tracing::debug!("the programs' messages cannot be read: {error}");
                None
            }
        }
    }

    /// Reads the last messages and ends.
    pub(crate) fn finish(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Source {
    /// Starts the thread.
    pub(crate) fn start(self) -> io::Result<KernelLog> {
        let stop = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&stop);
        let Self(mut logger) = self;
        let run = move || {
            loop {
                let last = wanted.load(Ordering::Acquire);
                logger.flush();
                if last {
                    return;
                }
                let _ = rustix::event::poll(
                    &mut [PollFd::from_borrowed_fd(logger.as_fd(), PollFlags::IN)],
                    Some(&PATIENCE),
                );
            }
        };
        let thread = std::thread::Builder::new().name("gemscope-log".to_owned()).spawn(run)?;
        Ok(KernelLog { stop, thread: Some(thread) })
    }
}

impl Drop for KernelLog {
    fn drop(&mut self) {
        self.finish();
    }
}
