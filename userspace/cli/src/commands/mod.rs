//! The commands, one module each.

pub mod check;
pub mod conform;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod explore;
pub mod export;
pub mod in_vm;
pub mod mark;
mod model_lines;
pub mod probes;
pub mod record;
pub mod replay;
pub mod report;
pub mod snapshot;
pub mod what_if;
