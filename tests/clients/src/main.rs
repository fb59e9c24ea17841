//! `gemclient`: a small static program that performs DRM and dma-buf operations on real devices.
//!
//! It is the traced program in gemscope's tests: each scenario is a known history of buffers, some correct, some with a
//! known mistake. Scenarios are named functions that are never inlined and keep frame pointers, because their names are
//! what a user reads in a stack trace. Nothing here closes anything implicitly: what a scenario leaves open, stays open
//! until the kernel cleans up after the process.

mod dmabuf;
mod drm;
mod faults;
mod kms;
mod options;
mod outcome;
mod scenarios;
mod steps;
mod sys;
mod terminal;
mod uapi;

use options::Command;
use outcome::{EXIT_DONE, EXIT_USAGE, Outcome};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let code = match options::parse(&args) {
        Ok(Command::Help) => {
            print!("{}", options::usage());
            EXIT_DONE
        }
        Ok(Command::List(options)) => {
            print!("{}", scenarios::listing(options.json));
            EXIT_DONE
        }
        Ok(Command::Run(scenario, options)) => {
            if options.trace_steps {
                steps::turn_on();
            }
            finish((scenario.run)(&options))
        }
        Ok(Command::Faults(request, options)) => {
            if options.trace_steps {
                steps::turn_on();
            }
            finish(faults::run(&request))
        }
        Ok(Command::Terminal(request)) => finish(terminal::run(&request)),
        Err(message) => {
            eprint!("gemclient: {message}\n\n{}", options::usage());
            EXIT_USAGE
        }
    };
    std::process::exit(code);
}

/// Reports why a scenario stopped early, and gives the exit code.
fn finish(outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => EXIT_DONE,
        Err(stop) => {
            eprintln!("gemclient: {stop}");
            stop.code()
        }
    }
}
