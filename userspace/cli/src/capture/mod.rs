//! Watching a kernel: from the options to a judgement, for `check` and `record`.
//!
//! The order of things is what matters here. The command is held before its first instruction; the session attaches and
//! gives up privileges; the scope is told, and who holds dma-bufs already; the command begins. When it and everything it started have ended, the kernel
//! gets time to finish what they began; then the probes are detached, the fds of all processes are looked at, and a
//! settle record says that leaks may be judged now. All of it goes into the trace too, so that a replay says the same.

mod children;
mod control;
mod cycles;
mod flight;
mod header;
mod marks;
mod options;
mod output;
mod recorder;
mod scope;
mod settle;
mod signals;
mod watch;

pub use control::ask;
pub use cycles::Cycles;
pub use flight::{Flight, Keeper};
pub use header::{Facts, config, header, missing_for};
pub use options::resolve;
pub use output::{Output, Written, with_file};
pub use recorder::Recorder;
pub use scope::{Watched as Scope, resolve as scope};
pub use signals::Signals;
pub use watch::{Ending, Request, Watched, held_before, status_words, watch};
