//! The header: whose rules, what was watched, what was not, what was lost.

use std::fmt::{self, Write};

use super::paint::{Palette, paint, prose};
use crate::context::Context;
use crate::escape;
use crate::judgement::Judgement;
use crate::names::{number, plural};

/// Where the text of a labelled line begins.
const INDENT: &str = "          ";

pub(super) fn header(out: &mut dyn Write, palette: &Palette, c: &Context, j: &Judgement) -> fmt::Result {
    let mut line = |label: &str, text: String| {
        let first = format!("{label:<10}");
        if matches!(label, "command" | "trace") {
            // Spaces in these mean something: no wrapping.
            writeln!(out, "{}{text}", paint(palette.faint, first))
        } else {
            prose(out, palette.faint, &first, INDENT, &text)
        }
    };
    line("kernel", kernel(c))?;
    line("rules", rules(c))?;
    line("probes", probes(c))?;
    for missing in &c.missing {
        let reason = escape::long(missing.reason.as_bytes());
        let probe = escape::name(missing.probe.as_bytes());
        let blind = if missing.blind.is_empty() { String::new() } else { format!("; {}", missing.blind) };
        line("", format!("{probe} is missing: {reason}{blind}"))?;
    }
    for sentence in &c.blinded {
        line("blind", escape::long(sentence.as_bytes()))?;
    }
    if !c.filters.is_empty() {
        let filters: Vec<_> = c.filters.iter().map(|f| escape::long(f.as_bytes())).collect();
        line("filters", format!("{}: what they leave out cannot be judged", filters.join(" ")))?;
    }
    line("seen", seen(j))?;
    if !c.command.is_empty() {
        line("command", command(&c.command))?;
    }
    if !c.status.is_empty() {
        line("", escape::long(c.status.as_bytes()))?;
    }
    if !c.trace.is_empty() {
        line("trace", escape::long(c.trace.as_bytes()))?;
    }
    for damage in &c.damage {
        line("damaged", escape::long(damage.as_bytes()))?;
    }
    for note in &c.notes {
        line("note", escape::long(note.as_bytes()))?;
    }
    Ok(())
}

pub(crate) fn kernel(c: &Context) -> String {
    let mut kernel = known(&c.kernel);
    for more in [&c.machine, &c.distro] {
        if !more.is_empty() {
            kernel.push_str(&format!(", {}", escape::name(more.as_bytes())));
        }
    }
    kernel
}

pub(crate) fn known(text: &str) -> String {
    if text.is_empty() { "not known".to_owned() } else { escape::name(text.as_bytes()) }
}

pub(crate) fn rules(c: &Context) -> String {
    let mut text = known(&c.profile);
    if !c.features.is_empty() {
        let features: Vec<_> = c.features.iter().map(|f| escape::name(f.as_bytes())).collect();
        text.push_str(&format!(" with {}", features.join(", ")));
    }
    if let Some(recorded) = &c.recorded_profile {
        text.push_str(&format!("; recorded under {}", known(recorded)));
    }
    if !c.at_exit.is_empty() {
        text.push_str(&format!("; open at exit: {}", escape::name(c.at_exit.as_bytes())));
    }
    text
}

pub(crate) fn probes(c: &Context) -> String {
    let mut text = format!("{} attached, {} missing", c.attached, c.missing.len());
    if !c.off.is_empty() {
        let off: Vec<_> = c.off.iter().map(|f| escape::name(f.as_bytes())).collect();
        text.push_str(&format!(", {} off ({})", off.len(), off.join(", ")));
    }
    text
}

pub(crate) fn seen(j: &Judgement) -> String {
    let n = &j.counts;
    let mut text = plural(n.records, "record", "records");
    text.push_str(&match n.drops {
        0 => ", none lost".to_owned(),
        lost => format!(", {} lost", number(lost)),
    });
    if j.notes.pre_existing > 0 {
        text.push_str(&format!(
            ", {} older than the recording",
            plural(j.notes.pre_existing, "entity", "entities")
        ));
    }
    if n.unknown_records > 0 {
        text.push_str(&format!(", {} of a newer gemscope skipped", number(n.unknown_records)));
    }
    text
}

pub(crate) fn command(args: &[String]) -> String {
    let shown: Vec<_> = args.iter().map(|a| quoted(a)).collect();
    escape::cut(shown.join(" ").as_bytes(), 2 * escape::LONG_MAX)
}

/// An argument as a shell would want it.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', "'\\''"))
    }
}
