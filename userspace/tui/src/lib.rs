//! The monitor: what is alive, what grows, what was found, as pictures in a terminal.
//!
//! Pure: state goes in, frames come out. [`App::refresh`] copies what the current view shows, [`App::on_event`] takes a key or
//! a click and may ask something of the driver, [`App::draw`] draws. No IO, no clock, no threads: time is what the
//! [`World`](gemscope_report::survey::World) says, so that a recording is shown as the machine was.
//!
//! What it is not for: reading a terminal or a trace, deciding what is a leak.

mod app;
mod draw;
mod growth;
mod head;
mod help;
mod input;
mod interface;
mod keys;
mod lens;
mod order;
mod page;
mod slider;
mod table;
mod text;
mod theme;
mod views;

pub use app::App;
pub use interface::{Action, Colour, Position, ScanAge, Settings, SliderMark, Status};

#[cfg(test)]
extern crate self as gemscope_tui;
#[cfg(test)]
mod tests;
