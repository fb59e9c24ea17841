//! Files that people write for gemscope: reading them, and showing the mistakes in them.

use std::fmt;
use std::io::Read;

use anyhow::{Context as _, bail};
use gemscope_report::{escape, plural};

/// More was written by no person.
const LONGEST: u64 = 1 << 20;
/// Mistakes that are shown of one file.
const SHOWN_MAX: usize = 20;

/// Reads text, not too much of it. `name` is shown as it is, `what` is what it should be: a scenario.
///
/// # Errors
/// It cannot be read, is longer than it could be, or is no text.
pub fn read(from: &mut dyn Read, name: &str, what: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    if bytes.len() as u64 > LONGEST {
        bail!("`{name}` is longer than a {what} can be");
    }
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("`{name}` is no text in UTF-8: no {what}"))
}

/// The mistakes in a file, each with the line that it is in.
#[derive(Debug)]
pub struct Mistakes {
    shown: Vec<Mistake>,
    more: u64,
}

#[derive(Debug)]
struct Mistake {
    name: String,
    line: usize,
    column: usize,
    message: String,
    source: String,
}

impl Mistakes {
    /// Of a text: each with its line and column, from 1, and what to say.
    pub fn of(name: &str, text: &str, found: impl Iterator<Item = (usize, usize, String)>) -> Self {
        let mut all = found.map(|(line, column, message)| Mistake {
            name: escape::long(name.as_bytes()),
            line,
            column,
            message,
            source: text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned(),
        });
        Self { shown: all.by_ref().take(SHOWN_MAX).collect(), more: all.count() as u64 }
    }

    /// Of a file of the policy.
    pub fn of_policy(name: &str, text: &str, found: Vec<gemscope_policy::Mistake>) -> Self {
        Self::of(name, text, found.into_iter().map(|m| (m.line, m.column, m.message)))
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.shown.iter().enumerate() {
            write!(f, "{}{mistake}", if i == 0 { "" } else { "\n" })?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {}", plural(more, "more mistake", "more mistakes")),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough of a line to see what is meant.
        const SHOWN: usize = 96;
        let Self { name, line, column, message, source } = self;
        write!(f, "{name}:{line}:{column}: {}", escape::cut(message.as_bytes(), 400))?;
        // One character stays one, so that the caret stands where it should.
        let mut bytes = [0; 4];
        let mut plain = |c: char| {
            let shown = escape::name(c.encode_utf8(&mut bytes).as_bytes());
            if shown.chars().eq([c]) || c == '\\' { c } else { ' ' }
        };
        let source: String = source.chars().map(&mut plain).take(SHOWN).collect();
        if source.trim().is_empty() || *column > SHOWN {
            return Ok(());
        }
        let gutter = line.to_string();
        let before = column.saturating_sub(1);
        write!(f, "\n{gutter} | {source}\n{:w$} | {:before$}^", "", "", w = gutter.len())
    }
}
