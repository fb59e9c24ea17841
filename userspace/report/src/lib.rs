//! Findings as text, as JSON lines and as one HTML page.
//!
//! Pure: takes what the engine said, what the trace or the kernel said about itself and what is known of names, and
//! writes to a [`std::fmt::Write`]. The order of everything written is that of the findings and of tables, never that
//! of hashing, so that the same trace gives the same report everywhere.
//!
//! What it is not for: deciding (the engine's verdict is told, not made, here), reading files, choosing exit codes.

pub mod chronicle;
pub mod context;
mod directory;
pub mod escape;
pub mod events;
pub mod graph;
pub mod happening;
pub mod html;
pub mod json;
mod judgement;
mod names;
mod notes;
pub mod scene;
pub mod series;
pub mod survey;
pub mod text;

pub use context::{Context, MissingProbe};
pub use directory::{Directory, FileFacts};
pub use judgement::Judgement;
pub use names::{Names, number, plural, size};
