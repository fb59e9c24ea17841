//! The only crate that talks to the kernel: load, attach, ring buffer, `/proc`, privileges.
//!
//! [`Session::start`] looks at the kernel, makes the plan, loads and attaches the BPF programs, gives up privileges and
//! starts the threads that read. Records come out of [`Batches`], what they refer to out of [`Definitions`].

mod attach;
pub mod command;
mod counters;
mod definitions;
mod dmabufs;
mod events;
pub mod gather;
mod join;
mod kallsyms;
mod kernel_log;
mod load;
mod options;
mod perf;
pub mod prereq;
pub mod privileges;
mod queue;
mod reader;
pub mod remover;
pub mod repeat;
pub mod scan;
mod session;
pub mod snapshot;

pub use attach::How;
pub use definitions::Definitions;
pub use dmabufs::DmabufList;
pub use load::{Error as LoadError, ring_size};
pub use options::{Device, Filter, Options};
pub use queue::{Batches, Found};
pub use reader::monotonic_ns;
pub use session::{Session, StartError, Tail};
