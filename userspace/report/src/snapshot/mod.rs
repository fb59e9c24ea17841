//! Who has which buffer at one moment: the data, and how it is shown.
//!
//! A [`Snapshot`] is what `gemscope snapshot` saw. It can be narrowed and sorted ([`Selection`]), written as text, as JSON lines or
//! as a grid, read again from JSON lines, and compared with another one ([`diff()`]). Strings in it are as they came, and are escaped
//! where they are shown.

mod diff;
mod diff_text;
mod grid;
mod lines;
mod model;
mod select;
mod text;

pub use diff::{Change, Diff, Moved, diff};
pub use diff_text::{diff_json, diff_text};
pub use grid::grid;
pub use lines::{ReadError, read, write};
pub use model::{
    Attachment, Buffer, Client, ClientUser, Header, HeldBy, Holder, Kernel, Process, References, Region,
    Snapshot, Source, SourceState, User,
};
pub use select::{Selection, Sort};
pub use text::{By, text};
