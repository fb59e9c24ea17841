//! What is behind the monitor: a kernel, or a recording. Both show a world and do what keys ask for.

use std::time::Duration;

use gemscope_report::survey::World;
use gemscope_tui::{Action, Status};

/// What is behind the monitor.
pub trait Driver {
    /// Shows what there is now. Whatever is locked meanwhile is free again afterwards.
    fn show(&mut self, look: &mut dyn FnMut(&World<'_>, &Status));

    /// Lets time pass. Is there nothing more to come?
    ///
    /// # Errors
    /// What keeps it from going on.
    fn tick(&mut self) -> anyhow::Result<bool>;

    /// Does what a key asked for, except to quit and to save.
    ///
    /// # Errors
    /// What keeps it from going on.
    fn act(&mut self, action: &Action) -> anyhow::Result<()>;

    /// How long until there is something new to show.
    fn patience(&self) -> Duration;

    /// One line for the user, shown until the next.
    fn tell(&mut self, message: String);
}
