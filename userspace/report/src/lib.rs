//! What there is to show, and how: findings as text, JSON lines and one HTML page; what is alive as tables, graphs and plots;
//! traces in the formats of other tools; snapshots.
//!
//! Pure: takes what the engine said, what the trace or the kernel said about itself and what is known of names, and
//! writes to a [`std::fmt::Write`]. The order of everything written is that of the findings and of tables, never that
//! of hashing, so that the same trace gives the same report everywhere.
//!
//! What it is not for: deciding (the engine's verdict is told, not made, here), reading files, choosing exit codes.

pub mod attribution;
pub mod chronicle;
pub mod ci;
pub mod context;
mod directory;
pub mod escape;
pub mod events;
pub mod export;
pub mod graph;
pub mod happening;
pub mod html;
pub mod json;
mod judgement;
mod names;
mod notes;
pub mod scene;
pub mod series;
pub mod snapshot;
mod subject;
pub mod survey;
pub mod text;

pub use attribution::Test;
pub use context::{Context, MissingProbe};
pub use directory::{Directory, FileFacts};
pub use judgement::Judgement;
pub use names::{Names, doubt as names_doubt, number, plural, size};
