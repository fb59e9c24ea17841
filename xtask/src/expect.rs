//! What is expected of a command that ran in a guest: its exit code, words it says, and facts in its JSON lines.

use std::fmt;

use serde_json::Value;

/// One fact about a JSON line: a JSON pointer, and the value found there.
pub type Fact = (&'static str, Is);

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Is {
    /// This string.
    Text(&'static str),
    /// This number.
    Number(i64),
    /// A number of at least this.
    AtLeast(i64),
    /// This truth value.
    Bool(bool),
    /// An object of exactly these names and numbers.
    Counts(&'static [(&'static str, i64)]),
}

/// One expectation.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// Standard output holds this text.
    Says(&'static str),
    /// Standard output does not hold this text.
    Silent(&'static str),
    /// Standard error holds this text.
    Complains(&'static str),
    /// At least one JSON line of standard output has all these facts.
    Line(&'static [Fact]),
    /// So many JSON lines of standard output have all these facts.
    Lines(usize, &'static [Fact]),
}

impl Is {
    fn holds(self, value: Option<&Value>) -> bool {
        match self {
            Self::Text(want) => value.and_then(Value::as_str) == Some(want),
            Self::Number(want) => value.and_then(Value::as_i64) == Some(want),
            Self::AtLeast(want) => value.and_then(Value::as_i64).is_some_and(|number| number >= want),
            Self::Bool(want) => value.and_then(Value::as_bool) == Some(want),
            Self::Counts(want) => value.and_then(Value::as_object).is_some_and(|object| {
                let same =
                    |(name, count): &(&str, i64)| object.get(*name).and_then(Value::as_i64) == Some(*count);
                object.len() == want.len() && want.iter().all(same)
            }),
        }
    }
}

impl Expect {
    /// What is wrong, if anything is.
    pub fn complaint(&self, stdout: &str, stderr: &str) -> Option<String> {
        match self {
            Self::Says(text) => (!stdout.contains(text)).then(|| format!("does not say `{text}`")),
            Self::Silent(text) => stdout.contains(text).then(|| format!("says `{text}`")),
            Self::Complains(text) => {
                (!stderr.contains(text)).then(|| format!("does not say `{text}` on standard error"))
            }
            Self::Line(facts) => {
                (matching(stdout, facts) == 0).then(|| format!("has no JSON line with {}", Facts(facts)))
            }
            Self::Lines(want, facts) => {
                let got = matching(stdout, facts);
                (got != *want).then(|| format!("has {got} JSON lines with {}, not {want}", Facts(facts)))
            }
        }
    }
}

/// How many JSON lines have all the facts.
fn matching(stdout: &str, facts: &[Fact]) -> usize {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| facts.iter().all(|(pointer, is)| is.holds(line.pointer(pointer)))).count()
}

struct Facts<'a>(&'a [Fact]);

impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (pointer, is)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}`{pointer}` {is:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = concat!(
        "{\"kind\":\"finding\",\"rule\":\"fd-leak\",\"n\":2,\"by\":{\"a\":1}}\n",
        "plain text\n",
        "{\"kind\":\"verdict\",\"ok\":false}\n"
    );

    #[track_caller]
    fn check(expect: Expect, want: Option<&str>) {
        assert_eq!(expect.complaint(OUT, "warned\n").as_deref(), want);
    }

    #[test]
    fn text_is_looked_for() {
        check(Expect::Says("plain"), None);
        check(Expect::Says("fancy"), Some("does not say `fancy`"));
        check(Expect::Silent("plain"), Some("says `plain`"));
        check(Expect::Complains("warned"), None);
    }

    #[test]
    fn facts_are_looked_for_in_one_line() {
        check(Expect::Line(&[("/kind", Is::Text("finding")), ("/n", Is::AtLeast(2))]), None);
        check(Expect::Line(&[("/by", Is::Counts(&[("a", 1)]))]), None);
        check(Expect::Lines(0, &[("/by", Is::Counts(&[("a", 1), ("b", 1)]))]), None);
        check(
            Expect::Line(&[("/ok", Is::Bool(false)), ("/n", Is::Number(2))]),
            Some("has no JSON line with `/ok` Bool(false), `/n` Number(2)"),
        );
        check(Expect::Lines(1, &[("/rule", Is::Text("fd-leak"))]), None);
        check(
            Expect::Lines(0, &[("/n", Is::Number(2))]),
            Some("has 1 JSON lines with `/n` Number(2), not 0"),
        );
    }
}
