//! The scenarios: one table, and the functions behind it.

mod compositor;
mod endings;
mod field;
mod flips;
mod framebuffers;
mod holders;
mod loops;
mod mistakes;
mod outside;
mod pairs;
mod parts;
mod processes;
mod races;
mod random;
mod sequences;
mod server;
mod sharing;
mod storms;
mod table;
mod travels;
mod unbind;

use crate::options::Options;
use crate::outcome::Outcome;

/// Every scenario, in the order of the listing.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    table::ALL.iter().chain(server::ALL).chain(field::ALL)
}

/// What a scenario leaves to the kernel's cleanup, or does wrong. It is the truth, not a tracer's verdict about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Everything is closed by the program itself.
    Clean,
    /// A handle is open when its file is closed, by the program or by its exit.
    OpenHandle,
    /// A dma-buf fd is open at exit.
    OpenFd,
    /// Neither a handle nor an fd is left, but a framebuffer or a mapping is.
    OpenElse,
    /// Everything is closed, but a handle or fd was used that the caller no longer owned.
    Misuse,
    /// A signal ends the program with handles and fds open.
    Killed,
}

impl Ends {
    /// The word in the listing.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::OpenHandle => "open-handle",
            Self::OpenFd => "open-fd",
            Self::OpenElse => "open-else",
            Self::Misuse => "misuse",
            Self::Killed => "killed",
        }
    }
}

/// One scenario.
pub struct Scenario {
    /// Its stable name.
    pub name: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    /// The devices it needs; without them it is skipped.
    pub needs: &'static str,
    /// How it ends without `--clean` or `--forget`.
    pub ends: Ends,
    /// The flags it takes, beside those that all take.
    pub options: &'static [&'static str],
    /// The scenario itself.
    pub run: fn(&Options) -> Outcome,
}

/// The text of `gemclient list`.
pub fn listing(json: bool) -> String {
    all().map(if json { json_line } else { text_line }).collect()
}

fn text_line(scenario: &Scenario) -> String {
    let Scenario { name, about, needs, ends, options, run: _ } = scenario;
    let options = if options.is_empty() { String::new() } else { format!("; takes {}", options.join(" ")) };
    format!("{name:<24} {about}\n{:24} needs {needs}; ends {}{options}\n", "", ends.word())
}

/// The table's texts hold neither quotes nor backslashes (a test sees to it), so nothing needs escaping.
fn json_line(scenario: &Scenario) -> String {
    let Scenario { name, about, needs, ends, options, run: _ } = scenario;
    let options: Vec<_> = options.iter().map(|option| format!("\"{option}\"")).collect();
    format!(
        "{{\"name\":\"{name}\",\"about\":\"{about}\",\"needs\":\"{needs}\",\"ends\":\"{}\",\"options\":[{}]}}\n",
        ends.word(),
        options.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_descriptions_are_unique_and_well_formed() {
        let mut names = std::collections::BTreeSet::new();
        let mut abouts = std::collections::BTreeSet::new();
        for scenario in all() {
            let Scenario { name, about, needs, .. } = scenario;
            assert!(names.insert(name), "{name} twice");
            assert!(abouts.insert(about), "{name}: its description is another's");
            let kebab = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            assert!(kebab && !name.starts_with('-'), "{name}");
            assert!(!about.is_empty() && about.len() <= 120, "{name}: {}", about.len());
            assert!(!needs.is_empty(), "{name}");
            for text in [about, needs] {
                assert!(!text.contains(['"', '\\', '\n']) && text.is_ascii(), "{name}: `{text}`");
            }
        }
    }

    #[test]
    fn the_documented_sequences_are_there() {
        let numbered = (1..=13).chain(20..=24).map(|n| format!("s{n}"));
        for name in numbered {
            assert!(all().any(|scenario| scenario.name == name), "{name}");
        }
    }

    #[test]
    fn clean_turns_off_what_is_left_open() {
        for scenario in all() {
            if scenario.options.contains(&"--clean") {
                assert_ne!(scenario.ends, Ends::Clean, "{}", scenario.name);
            }
            if scenario.options.contains(&"--forget") {
                assert_eq!(scenario.ends, Ends::Clean, "{}", scenario.name);
            }
        }
    }

    #[test]
    fn the_listing_names_each_scenario() {
        for scenario in all() {
            assert!(listing(false).contains(scenario.about));
            assert!(listing(true).contains(&format!("{{\"name\":\"{}\",", scenario.name)));
        }
    }
}
