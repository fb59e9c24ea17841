//! What is told about the rules themselves.

use std::fmt::{self, Write};

use gemscope_engine::{Rule, RuleId};
use gemscope_policy::Assertion;

use super::paint::{Palette, paint, prose};

/// The table of all rules and assertions, a line each.
///
/// # Errors
/// Those of `out`.
pub fn explain_all(out: &mut dyn Write, palette: &Palette) -> fmt::Result {
    let width = RuleId::ALL.iter().map(|r| r.name().len()).max().unwrap_or(0);
    for id in RuleId::ALL {
        let rule = id.rule();
        writeln!(
            out,
            "{} {:<9} {}",
            paint(palette.strong, format_args!("{:<width$}", id.name())),
            rule.class.name(),
            rule.title
        )?;
    }
    for assertion in Assertion::ALL {
        let name = paint(palette.strong, format!("{:<width$}", assertion.name()));
        writeln!(out, "{name} assertion {}", assertion.title())?;
    }
    Ok(())
}

/// One rule, wholly.
///
/// # Errors
/// Those of `out`.
pub fn explain(out: &mut dyn Write, rule: &Rule, palette: &Palette) -> fmt::Result {
    let Rule { id, class, title, text, serves, eras, kernel, advice, history } = *rule;
    writeln!(out, "{} [{}] {title}", paint(palette.strong, id.name()), class.name())?;
    writeln!(out)?;
    prose(out, palette.faint, "", "", text)?;
    writeln!(out)?;
    let mut line = |label: &str, text: &str| {
        let first = format!("{label:<11}");
        prose(out, palette.faint, &first, "           ", text)
    };
    line("holds", eras)?;
    line("kernel", kernel)?;
    line("rests on", &serves.join(", "))?;
    line("what to do", advice)?;
    writeln!(out)?;
    writeln!(out, "{}", paint(palette.faint, "a history that breaks it"))?;
    for step in history {
        writeln!(out, "  {step}")?;
    }
    Ok(())
}

/// One assertion of a project, wholly.
///
/// # Errors
/// Those of `out`.
pub fn explain_assertion(out: &mut dyn Write, assertion: Assertion, palette: &Palette) -> fmt::Result {
    let (name, title) = (paint(palette.strong, assertion.name()), assertion.title());
    writeln!(out, "{name} [assertion] {title}")?;
    writeln!(out)?;
    prose(out, palette.faint, "", "", assertion.text())?;
    writeln!(out)?;
    let first = format!("{:<11}", "what to do");
    prose(out, palette.faint, &first, "           ", assertion.advice())
}
