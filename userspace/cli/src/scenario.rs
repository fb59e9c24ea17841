//! Where scenarios come from: the ones that come with gemscope, files, stdin; and what to say when one is none.

use std::path::Path;

use anyhow::{Context as _, bail};
use gemscope_model::{BUILTIN, Scenario};
use gemscope_report::escape;

use crate::mistake::{self, Mistakes};
use crate::values;

/// The scenario that is meant: the name of one that comes with gemscope, a path, or `-` for stdin.
///
/// # Errors
/// There is none, or it has a [`Mistakes`].
pub fn load(name: &str) -> anyhow::Result<Scenario> {
    if name == "-" {
        return parse("stdin", &mistake::read(&mut std::io::stdin().lock(), "stdin", "scenario")?);
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
    parse(name, &mistake::read(&mut file, &shown, "scenario")?)
}

fn parse(name: &str, text: &str) -> anyhow::Result<Scenario> {
    Ok(Scenario::parse(text)
        .map_err(|e| Mistakes::of(name, text, std::iter::once((e.line, e.column, e.message))))?)
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
