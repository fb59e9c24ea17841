//! A finding as a file that can be attached to a bug report.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use gemscope_report::{Judgement, Names, text};

use super::driver::Driver;

/// Writes the finding with this number into the present directory, and tells how that went.
pub fn finding(driver: &mut dyn Driver, number: u32) {
    let mut report = String::new();
    driver.show(&mut |world, _| {
        let judgement = Judgement::of_one(world.engine, number);
        let names = Names {
            context: world.context,
            judgement: &judgement,
            directory: world.directory,
            definitions: world.definitions,
        };
        report = text::bug_report(&names, number);
    });
    let told = match write(&report, number) {
        Ok(name) => format!("written to {name}"),
        Err(error) => {
            format!("cannot write the finding here: {error}; start gemscope in a directory of yours")
        }
    };
    driver.tell(told);
}

/// A new file: one that is there is never written over.
fn write(report: &str, number: u32) -> std::io::Result<String> {
    const MOST: u32 = 1000;
    for nth in 1..MOST {
        let name = match nth {
            1 => format!("gemscope-finding-{number}.txt"),
            nth => format!("gemscope-finding-{number}-{nth}.txt"),
        };
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(mut file) => return file.write_all(report.as_bytes()).map(|()| name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
