//! The rules: Records in, State and Findings out.
//!
//! The engine does not know whether its records come from a kernel, a file or a test. It does no IO, reads no clock,
//! starts no thread and does not panic on any input. Records are processed in ring order; timestamps are information.
//!
//! What it is not: it does not wait (the driver decides when a settle point has come and says so with a record), it
//! does not print, and it does not resolve stacks.

mod case;
mod counts;
mod digest;
mod engine;
mod entity;
mod finding;
mod near;
mod on_attachment;
mod on_close;
mod on_dmabuf;
mod on_handle;
mod on_object;
mod on_prime;
mod on_process;
mod reach;
mod reference;
mod rests;
pub mod rules;
mod seen;
mod settle;
mod state;
mod story;
mod tally;
mod thread;
mod view;

pub use engine::{Config, Counts, Engine};
pub use finding::{Doubt, Entity, Finding, Held, Holder, HolderKind, LifeEvent, Notes, Stamp, Verdict, What};
pub use reference::{HeldKind, Reference};
pub use rules::{Class, Rule, RuleId};
pub use tally::Tally;
pub use view::{AttachmentView, DmabufView, FileView, FramebufferView, HandleView, ObjectView, ProcessView};
