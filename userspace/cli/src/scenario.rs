//! Where scenarios come from: the ones that come with gemscope, files, stdin; and what to say when one is none.

use std::fmt;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, bail};
use gemscope_model::{BUILTIN, ParseError, Scenario};
use gemscope_report::escape;

use crate::values;

/// More is no scenario.
const LONGEST: u64 = 1 << 20;

/// The scenario that is meant: the name of one that comes with gemscope, a path, or `-` for stdin.
///
/// # Errors
/// There is none, or it has a [`Mistake`].
pub fn load(name: &str) -> anyhow::Result<Scenario> {
    if name == "-" {
        return parse("stdin", &read(&mut std::io::stdin().lock(), "stdin")?);
    }
    if let Some((_, text)) = BUILTIN.iter().find(|(n, _)| *n == name) {
        return parse(name, text);
    }
    let shown = escape::long(name.as_bytes());
    let path = Path::new(name);
    if !name.contains(['/', '.']) && !path.exists() {
        let near = values::nearest(name, BUILTIN.iter().map(|(n, _)| *n));
        bail!("no scenario is called `{shown}`{near}; `gemscope explore --list` lists them");
    }
    let mut file =
        std::fs::File::open(path).with_context(|| format!("cannot open the scenario `{shown}`"))?;
    parse(name, &read(&mut file, &shown)?)
}

fn read(from: &mut dyn Read, name: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    if bytes.len() as u64 > LONGEST {
        bail!("`{name}` is longer than a scenario can be");
    }
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("`{name}` is no text in UTF-8: no scenario"))
}

fn parse(name: &str, text: &str) -> anyhow::Result<Scenario> {
    Ok(Scenario::parse(text).map_err(|error| Mistake {
        name: escape::long(name.as_bytes()),
        source: text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().to_owned(),
        error,
    })?)
}

/// A mistake in a scenario, with the line that it is in.
#[derive(Debug)]
pub struct Mistake {
    name: String,
    source: String,
    error: ParseError,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough of a line to see what is meant.
        const SHOWN: usize = 96;
        let ParseError { line, column, message } = &self.error;
        write!(f, "{}:{line}:{column}: {}", self.name, escape::cut(message.as_bytes(), 400))?;
        // One character stays one, so that the caret stands where it should.
        let mut bytes = [0; 4];
        let mut plain = |c: char| {
            let shown = escape::name(c.encode_utf8(&mut bytes).as_bytes());
            if shown.chars().eq([c]) || c == '\\' { c } else { ' ' }
        };
        let source: String = self.source.chars().map(&mut plain).take(SHOWN).collect();
        if source.trim().is_empty() || *column > SHOWN {
            return Ok(());
        }
        let gutter = line.to_string();
        write!(f, "\n{gutter} | {source}\n{:w$} | {:c$}^", "", "", w = gutter.len(), c = column - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_shows_its_line() {
        let text = "scenario x\nfile a card0\nthread t\n\th = crate a\n";
        let says = parse("x.scenario", text).unwrap_err().to_string();
        let expected = "x.scenario:4:6: `crate` is no operation and no part of a scenario; perhaps `create`\n\
                        4 |  h = crate a\n  |      ^";
        assert_eq!(says, expected);
    }

    #[test]
    fn a_mistake_cannot_steer_the_terminal() {
        let says = parse("x", "\u{1b}[2J \u{202e}\n").unwrap_err().to_string();
        assert!(!says.contains(['\u{1b}', '\u{202e}']), "{says:?}");
    }
}
