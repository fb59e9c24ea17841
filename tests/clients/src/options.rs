//! The command line: one table of flags, and what it makes of the arguments.

use crate::faults;
use crate::scenarios::{self, Scenario};
use crate::terminal;

/// What the user asked for beside the scenario. `None` leaves the choice to the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Driver of the device under test.
    pub device: Option<String>,
    /// Driver of the exporting device.
    pub exporter: Option<String>,
    /// Driver of the importing device.
    pub importer: Option<String>,
    /// Rounds in all threads or processes together.
    pub rounds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Pairs of processes.
    pub procs: Option<u64>,
    /// Duration.
    pub seconds: Option<u64>,
    /// Cycles of the server loop.
    pub cycles: Option<u64>,
    /// One leak in so many cycles; 0 never leaks.
    pub leak_every: Option<u64>,
    /// Generations of processes below this one.
    pub depth: Option<u64>,
    /// The descriptor that the program before exec left to this one.
    pub inherited_fd: Option<u64>,
    /// What random numbers begin from.
    pub seed: Option<u64>,
    /// What ends a waiting scenario: the word SIGUSR1, or the path of a named pipe.
    pub then_close_on: Option<String>,
    /// Close what the scenario would leave open.
    pub clean: bool,
    /// Leave open what the scenario would close.
    pub forget: bool,
    /// Print each operation to stderr.
    pub trace_steps: bool,
    /// Machine-readable list.
    pub json: bool,
    /// The control of a driver's fault: the same operation done right.
    pub right: bool,
    /// Print the faults.
    pub list: bool,
    /// Put back what faults have leaked.
    pub clean_up: bool,
}

/// What a flag does with its value.
enum Set {
    Number(fn(&mut Options) -> &mut Option<u64>),
    Text(fn(&mut Options) -> &mut Option<String>),
    Switch(fn(&mut Options) -> &mut bool),
}

/// One flag of the command line.
pub struct Flag {
    /// The name with its dashes.
    pub name: &'static str,
    /// What stands for the value in the usage text; empty for a switch.
    pub value: &'static str,
    /// One line for the usage text.
    pub about: &'static str,
    set: Set,
}

/// Flags that every scenario takes.
pub const EVERYWHERE: &[&str] = &["--trace-steps"];

/// Every flag there is.
pub const FLAGS: &[Flag] = &[
    Flag {
        name: "--device",
        value: "DRIVER",
        about: "use this DRM driver's device instead of the scenario's own",
        set: Set::Text(|o| &mut o.device),
    },
    Flag {
        name: "--exporter",
        value: "DRIVER",
        about: "driver that exports (virtio_gpu, bochs-drm, vgem)",
        set: Set::Text(|o| &mut o.exporter),
    },
    Flag {
        name: "--importer",
        value: "DRIVER",
        about: "driver that imports (default vgem)",
        set: Set::Text(|o| &mut o.importer),
    },
    Flag {
        name: "--rounds",
        value: "N",
        about: "rounds in all threads or processes together",
        set: Set::Number(|o| &mut o.rounds),
    },
    Flag { name: "--threads", value: "N", about: "threads", set: Set::Number(|o| &mut o.threads) },
    Flag {
        name: "--procs",
        value: "N",
        about: "pairs of processes, an exporter and an importer each",
        set: Set::Number(|o| &mut o.procs),
    },
    Flag {
        name: "--seconds",
        value: "N",
        about: "how long to run, or to wait at most",
        set: Set::Number(|o| &mut o.seconds),
    },
    Flag {
        name: "--cycles",
        value: "N",
        about: "cycles of the server loop",
        set: Set::Number(|o| &mut o.cycles),
    },
    Flag {
        name: "--leak-every",
        value: "K",
        about: "leak one handle in K cycles; 0 never leaks",
        set: Set::Number(|o| &mut o.leak_every),
    },
    Flag {
        name: "--seed",
        value: "N",
        about: "what random numbers begin from (a new one each time without it)",
        set: Set::Number(|o| &mut o.seed),
    },
    Flag {
        name: "--then-close-on",
        value: "SIGUSR1|FIFO",
        about: "end on this signal, or on a byte in this named pipe (made if missing)",
        set: Set::Text(|o| &mut o.then_close_on),
    },
    Flag {
        name: "--depth",
        value: "N",
        about: "processes between the first and the last",
        set: Set::Number(|o| &mut o.depth),
    },
    Flag {
        name: "--inherited-fd",
        value: "N",
        about: "set by the scenario itself when it executes itself",
        set: Set::Number(|o| &mut o.inherited_fd),
    },
    Flag {
        name: "--clean",
        value: "",
        about: "close what the scenario would leave open",
        set: Set::Switch(|o| &mut o.clean),
    },
    Flag {
        name: "--forget",
        value: "",
        about: "leave open what the scenario would close",
        set: Set::Switch(|o| &mut o.forget),
    },
    Flag {
        name: "--trace-steps",
        value: "",
        about: "print `step N: OP -> RESULT` to stderr for each operation",
        set: Set::Switch(|o| &mut o.trace_steps),
    },
    Flag {
        name: "--json",
        value: "",
        about: "with `list`: one JSON object a line",
        set: Set::Switch(|o| &mut o.json),
    },
    Flag {
        name: "--right",
        value: "",
        about: "with faults: the same operation done right",
        set: Set::Switch(|o| &mut o.right),
    },
    Flag {
        name: "--list",
        value: "",
        about: "with `fault`: the faults, a line each",
        set: Set::Switch(|o| &mut o.list),
    },
    Flag {
        name: "--clean-up",
        value: "",
        about: "with `fault`: put back what faults have leaked",
        set: Set::Switch(|o| &mut o.clean_up),
    },
];

/// What the command line asks for.
pub enum Command {
    /// Print the scenarios.
    List(Options),
    /// Print the usage text.
    Help,
    /// Run one.
    Run(&'static Scenario, Options),
    /// Faults of drivers.
    Faults(faults::Request, Options),
    /// A program on a terminal of its own.
    Terminal(terminal::Request),
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A message for the user.
pub fn parse(args: &[String]) -> Result<Command, String> {
    let Some((name, rest)) = args.split_first() else { return Err("no scenario given".to_owned()) };
    match name.as_str() {
        "help" | "--help" | "-h" => Ok(Command::Help),
        "list" => read_flags(rest, &["--json"]).map(|o| o.map_or(Command::Help, Command::List)),
        "terminal" => terminal::parse(rest).map(Command::Terminal),
        "fault" | "faults-all" => read_faults(name == "faults-all", rest),
        _ => {
            let scenario = scenarios::all()
                .find(|scenario| scenario.name == name)
                .ok_or_else(|| format!("there is no scenario `{name}`: `gemclient list` prints them"))?;
            let allowed: Vec<_> = EVERYWHERE.iter().chain(scenario.options).copied().collect();
            let options = read_flags(rest, &allowed)?;
            Ok(options.map_or(Command::Help, |options| Command::Run(scenario, options)))
        }
    }
}

/// Reads what follows `fault` or `faults-all`.
fn read_faults(all: bool, args: &[String]) -> Result<Command, String> {
    let (name, rest) = match args.split_first() {
        Some((name, rest)) if !all && !name.starts_with('-') => (Some(faults::named(name)?.name), rest),
        _ => (None, args),
    };
    let allowed: &[&str] = match name {
        None if !all => &["--list", "--clean-up", "--trace-steps"],
        _ => &["--right", "--trace-steps"],
    };
    let Some(options) = read_flags(rest, allowed)? else { return Ok(Command::Help) };
    let request = match name {
        Some(name) => faults::Request::One(name, options.right),
        None if all => faults::Request::All(options.right),
        None if options.list => faults::Request::List,
        None if options.clean_up => faults::Request::CleanUp,
        None => return Err("no fault given: `gemclient fault --list` prints them".to_owned()),
    };
    Ok(Command::Faults(request, options))
}

/// Reads the flags; `None` when help is asked for.
fn read_flags(args: &[String], allowed: &[&str]) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--help" || arg == "-h" {
            return Ok(None);
        }
        let (name, glued) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let flag = FLAGS
            .iter()
            .find(|flag| flag.name == name && allowed.contains(&flag.name))
            .ok_or_else(|| format!("`{arg}` is not an option here (known: {})", allowed.join(" ")))?;
        let mut value = || {
            glued
                .clone()
                .or_else(|| args.next().cloned())
                .ok_or_else(|| format!("`{name}` needs a value {}", flag.value))
        };
        match flag.set {
            Set::Number(field) => {
                let value = value()?;
                let number = value.parse().map_err(|_| format!("`{value}` is not a number for `{name}`"))?;
                *field(&mut options) = Some(number);
            }
            Set::Text(field) => *field(&mut options) = Some(value()?),
            Set::Switch(_) if glued.is_some() => return Err(format!("`{name}` takes no value")),
            Set::Switch(field) => *field(&mut options) = true,
        }
    }
    Ok(Some(options))
}

/// The usage text.
pub fn usage() -> String {
    let mut text = String::from(
        "Performs DRM and dma-buf operations on real devices, for tests of tracers.\n\n\
         usage: gemclient SCENARIO [OPTIONS]\n       gemclient list [--json]\n       \
         gemclient fault NAME [--right] | --list | --clean-up\n       gemclient faults-all [--right]\n       \
         gemclient terminal FILE KEYS CMD [ARG...]\n\n\
         exit codes: 0 done as described, 1 unexpected kernel answer, 2 usage, 77 skipped (device or ioctl missing)\n\n\
         options (`gemclient list` says which scenario takes which):\n",
    );
    for flag in FLAGS {
        text += &format!("  {:<30} {}\n", format!("{} {}", flag.name, flag.value), flag.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        match parse(&args) {
            Ok(_) => "accepted".to_owned(),
            Err(message) => message,
        }
    }

    #[test]
    fn flags_are_unique_and_documented() {
        let mut seen = std::collections::BTreeSet::new();
        for flag in FLAGS {
            assert!(seen.insert(flag.name), "{} twice", flag.name);
            assert!(flag.name.starts_with("--") && !flag.about.is_empty(), "{}", flag.name);
            assert_eq!(flag.value.is_empty(), matches!(flag.set, Set::Switch(_)), "{}", flag.name);
        }
    }

    #[test]
    fn values_are_read_in_both_spellings() {
        for args in [["storm-threads", "--rounds", "7"].as_slice(), &["storm-threads", "--rounds=7"]] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let Ok(Command::Run(scenario, options)) = parse(&args) else { panic!("{args:?} is refused") };
            assert_eq!((scenario.name, options.rounds), ("storm-threads", Some(7)));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(message(&[]).contains("no scenario"));
        assert!(message(&["s99"]).contains("`s99`"));
        assert!(message(&["s1", "--rounds", "7"]).contains("`--rounds` is not an option here"));
        assert!(message(&["storm-threads", "--rounds"]).contains("needs a value"));
        assert!(message(&["storm-threads", "--rounds", "many"]).contains("`many` is not a number"));
        assert!(message(&["fork-exec-tree", "--clean=yes"]).contains("takes no value"));
    }

    #[test]
    fn every_scenario_takes_the_flags_it_declares() {
        for scenario in scenarios::all() {
            for name in scenario.options {
                let flag = FLAGS.iter().find(|flag| flag.name == *name);
                assert!(flag.is_some(), "{}: no flag {name}", scenario.name);
            }
            assert_eq!(message(&[scenario.name, "--trace-steps"]), "accepted");
        }
    }
}
