//! What a project asserts beyond the kernel's rules, and what it lets pass.
//!
//! The engine says what broke a rule of the kernel. Whether a server grows, holds more than it should, or holds it for too long is
//! for its project to say: limits, budgets, so many cycles of an action. And what of all that is known and accepted for now is
//! said by suppressions and a baseline.
//!
//! Pure: the engine's views, text and today's date in; breaches, and what is set aside, out. What it is not for: names and stacks
//! in words (report brings them as [`Subject`]s), reading files, choosing exit codes.

mod amount;
mod baseline;
mod breach;
mod census;
mod config;
mod fingerprint;
mod frames;
mod glob;
pub mod growth;
mod kind;
mod limits;
mod mistake;
mod outcome;
mod series;
mod stanza;
mod subject;
mod suppress;
mod toml_text;
mod watcher;

pub use amount::amount;
pub use baseline::{Accepted, Baseline, Shrunk};
pub use breach::{Assertion, Breach, Share, Slope};
pub use config::{Check, Config, Growth, Leniency, Scope};
pub use fingerprint::{chain, fingerprint};
pub use frames::{is_wrapper, runtime_from};
pub use glob::Glob;
pub use kind::Kind;
pub use limits::Limits;
pub use mistake::{Mistake, nearest};
pub use outcome::{Aside, Entry, Kept, Origin, Outcome, SetAside};
pub use stanza::stanzas;
pub use subject::{Frame, Subject};
pub use suppress::{Suppression, suppress};
pub use watcher::Watcher;
