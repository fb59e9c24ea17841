//! The monitor without a terminal: what it shows, as text.

use std::time::{Duration, Instant};

use gemscope_report::text;

use super::driver::Driver;
use crate::args::TopArgs;
use crate::capture::Signals;
use crate::ui::{self, Sink, Ui};

/// Prints what there is, once.
pub fn once(driver: &mut dyn Driver, ui: &Ui) -> anyhow::Result<()> {
    let palette = ui.palette(&Sink::Stdout);
    let mut out = String::new();
    let mut told = Ok(());
    driver.show(&mut |world, status| told = text::survey(&mut out, world, status.drops, &palette));
    told?;
    ui::print(&out)
}

/// Prints what there is from time to time, until it was asked to end, or often enough.
pub fn again(
    driver: &mut dyn Driver,
    args: &TopArgs,
    ui: &Ui,
    signals: &Signals,
    delay: Duration,
) -> anyhow::Result<()> {
    const GLANCE: Duration = Duration::from_millis(50);
    let mut left = args.iterations.map(std::num::NonZeroU64::get);
    loop {
        let next = Instant::now() + delay;
        while Instant::now() < next {
            if driver.tick()? || signals.next().is_some() {
                return once(driver, ui);
            }
            std::thread::sleep(GLANCE);
        }
        once(driver, ui)?;
        left = left.map(|n| n - 1);
        if left == Some(0) {
            return Ok(());
        }
        ui::print("\n")?;
    }
}
