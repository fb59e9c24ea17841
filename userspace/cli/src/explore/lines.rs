//! The lines that programs read. The doc comments here are the schema's descriptions; the schema is committed as
//! `userspace/cli/schema/explore.schema.json`, and fields are only ever added.

use gemscope_model::{Did, Fact, Machine, Part, Scenario};
use serde::Serialize;

use super::Explored;

/// One line of `gemscope explore --json`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// A scenario that comes with gemscope: of the list.
    Scenario(ScenarioLine),
    /// A scenario explored under one kernel's rules.
    Explored(Box<ExploredLine>),
    /// The last line of an exploration: the answer.
    Summary(Summary),
}

/// A scenario that comes with gemscope.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScenarioLine {
    /// its name
    pub name: String,
    /// what it is about
    pub about: String,
    /// races and leaks that it is made for
    pub races: Vec<String>,
}

impl ScenarioLine {
    /// A scenario for the list.
    #[must_use]
    pub fn of(s: &Scenario) -> Self {
        Self { name: s.name.clone(), about: s.about.clone(), races: s.races.clone() }
    }
}

/// The answer over all profiles.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// `good`, `bad` or `not-exhausted`; one bad profile makes it bad
    pub verdict: &'static str,
    /// profiles under which something is wrong
    pub bad: Vec<String>,
    /// profiles of which not everything was seen
    pub not_exhausted: Vec<String>,
}

/// A count that may be too big for a number of JSON: as text then.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Count {
    /// up to 2^53
    Number(u64),
    /// beyond, in digits
    Text(String),
}

impl From<u128> for Count {
    fn from(n: u128) -> Self {
        match u64::try_from(n) {
            Ok(small) if small <= 1 << 53 => Self::Number(small),
            _ => Self::Text(n.to_string()),
        }
    }
}

/// A scenario explored under one kernel's rules.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExploredLine {
    /// version of these lines; fields are added without changing it
    pub schema: u32,
    /// the scenario's name
    pub scenario: String,
    /// what it is about
    pub about: String,
    /// races and leaks that it is made for
    pub races: Vec<String>,
    /// the rules: a profile with what was added and taken away
    pub profile: String,
    /// `good`, `bad` or `not-exhausted`
    pub verdict: &'static str,
    /// everything wrong is the doing of user space
    pub misuse_only: bool,
    /// nothing was left out
    pub exhausted: bool,
    /// different states
    pub states: u64,
    /// steps from state to state
    pub steps: u64,
    /// ways from the beginning to an end, each standing for all that differ only in the order of independent steps
    pub interleavings: Count,
    /// different states at the end
    pub ends: u64,
    /// how many of those have something wrong
    pub bad_ends: u64,
    /// steps of the longest way
    pub longest: usize,
    /// everything wrong: faults of the kernel first, each sort by the length of its shortest way
    pub wrong: Vec<WrongLine>,
    /// the shortest bad interleaving
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortest: Option<Shortest>,
}

/// Something wrong.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WrongLine {
    /// stable name
    pub name: &'static str,
    /// what it means
    pub text: &'static str,
    /// what it is about, in words; empty for nothing in particular
    pub about: String,
    /// user space erred, not the kernel
    pub misuse: bool,
    /// steps of the shortest way to it
    pub steps: usize,
}

impl WrongLine {
    fn of(m: &Machine, fact: Fact, steps: usize) -> Self {
        let wrong = fact.wrong();
        let about = m.about(fact.about());
        Self { name: wrong.name(), text: wrong.text(), about, misuse: wrong.is_misuse(), steps }
    }
}

/// The shortest bad interleaving.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shortest {
    /// what goes wrong in it
    pub wrong: &'static str,
    /// its threads
    pub threads: Vec<String>,
    /// what is done in it, in order
    pub lines: Vec<WayLine>,
}

/// One thing that is done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WayLine {
    /// `before`, `beside` or `after`: only beside do threads run side by side
    pub part: &'static str,
    /// the thread, of those side by side
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// the process
    pub process: String,
    /// `call` when a call begins, `step` for one thing that it does
    pub did: &'static str,
    /// in the kernel's words
    pub text: String,
    /// what the call gave in the end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gave: Option<String>,
    /// what is wrong from here on
    pub wrong: Vec<WayWrong>,
}

/// Something that goes wrong in a way.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WayWrong {
    /// stable name
    pub name: &'static str,
    /// what it is about, in words; empty for nothing in particular
    pub about: String,
    /// what the kernel's state shows of it; may be empty
    pub shows: String,
}

/// The word for how it went.
pub(super) const fn verdict(bad: bool, exhausted: bool) -> &'static str {
    match (bad, exhausted) {
        (true, _) => "bad",
        (false, true) => "good",
        (false, false) => "not-exhausted",
    }
}

impl Summary {
    /// The answer over these.
    #[must_use]
    pub fn of(all: &[Explored<'_>]) -> Self {
        let names = |which: &dyn Fn(&Explored<'_>) -> bool| {
            all.iter().filter(|e| which(e)).map(|e| e.era.name()).collect::<Vec<_>>()
        };
        let (bad, left) = (names(&|e| e.is_bad()), names(&|e| !e.outcome.exhausted));
        Self { verdict: verdict(!bad.is_empty(), left.is_empty()), bad, not_exhausted: left }
    }
}

impl Explored<'_> {
    /// Its line.
    #[must_use]
    pub fn line(&self) -> ExploredLine {
        let o = &self.outcome;
        let wrong = self.found().iter().map(|f| WrongLine::of(&self.machine, f.fact, f.way.len())).collect();
        let shortest = self.worst().map(|(found, way)| Shortest {
            wrong: found.fact.wrong().name(),
            threads: way.columns.iter().skip(1).cloned().collect(),
            lines: way.lines.iter().map(|line| WayLine::of(&self.machine, &way.columns, line)).collect(),
        });
        ExploredLine {
            schema: 1,
            scenario: self.scenario.name.clone(),
            about: self.scenario.about.clone(),
            races: self.scenario.races.clone(),
            profile: self.era.name(),
            verdict: verdict(self.is_bad(), o.exhausted),
            misuse_only: self.is_misuse_only(),
            exhausted: o.exhausted,
            states: o.states,
            steps: o.steps,
            interleavings: o.interleavings.into(),
            ends: o.ends,
            bad_ends: o.bad_ends,
            longest: o.longest,
            wrong,
            shortest,
        }
    }
}

impl WayLine {
    fn of(m: &Machine, columns: &[String], line: &gemscope_model::Line) -> Self {
        let wrong = |(fact, shows): &(Fact, String)| WayWrong {
            name: fact.wrong().name(),
            about: m.about(fact.about()),
            shows: shows.clone(),
        };
        let (did, gave) = match &line.did {
            Did::Call(gave) => ("call", gave.clone()),
            Did::Step => ("step", None),
        };
        Self {
            part: match line.part {
                Part::Before => "before",
                Part::Beside => "beside",
                Part::After => "after",
            },
            thread: (line.part == Part::Beside).then(|| columns.get(line.column).cloned()).flatten(),
            process: line.process.clone(),
            did,
            text: line.text.clone(),
            gave,
            wrong: line.wrong.iter().map(wrong).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    use super::*;

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(Line);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/explore.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }

    #[test]
    fn big_counts_are_text() {
        let json = |n: u128| serde_json::to_string(&Count::from(n)).unwrap();
        assert_eq!(json(1 << 53), "9007199254740992");
        assert_eq!(json((1 << 53) + 1), "\"9007199254740993\"");
        assert_eq!(json(u128::MAX), "\"340282366920938463463374607431768211455\"");
    }
}
