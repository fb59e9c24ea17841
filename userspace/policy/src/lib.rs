//! What a project asserts beyond the kernel's rules, and what it lets pass.
//!
//! The engine says what broke a rule of the kernel. Whether a server grows, holds more than it should, or holds it for too long is
//! for its project to say: limits, budgets, so many cycles of an action. And what of all that is known and accepted for now is
//! said by suppressions and a baseline.
//!
//! Pure: the engine's views, text and today's date in; breaches, and what is set aside, out. What it is not for: names and stacks
//! in words (report brings them as [`Subject`]s), reading files, choosing exit codes.

mod breach;
mod fingerprint;
mod kind;
mod outcome;
mod subject;

pub use breach::{Assertion, Breach, Share, Slope};
pub use fingerprint::fingerprint;
pub use kind::Kind;
pub use outcome::{Entry, Kept, Origin, Outcome, SetAside};
pub use subject::{Frame, Subject};
