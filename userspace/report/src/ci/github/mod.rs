//! GitHub annotations: lines that a workflow prints, and that GitHub shows beside the sources.
//!
//! A certain finding is an `error`, an uncertain one a `warning`, a near miss a `notice`. GitHub shows ten of each kind for a step: the
//! last says how many more there are. What is set aside is not told.

use std::io;

use super::Setting;
use super::item::{Item, Level, items};
use crate::names::{Names, number, plural};
use crate::text::verdict;

/// Annotations of a kind that GitHub shows of a step.
const SHOWN: usize = 10;

/// Characters of a message: GitHub cuts a long one.
const MESSAGE: usize = 4000;

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>, setting: &Setting<'_>) -> io::Result<()> {
    let mut text = String::new();
    if let Some(status) = setting.failed(names.context) {
        line(&mut text, "error", &[("title", "gemscope: the command failed")], &status);
    }
    for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Note, "notice")] {
        let all: Vec<Item<'_>> = items(names).filter(|i| i.level() == level && i.aside().is_none()).collect();
        // Whatever is beside the findings comes first: it may be what they must be read by.
        let head = match level {
            Level::Error | Level::Note => None,
            Level::Warning if names.judgement.reasons().next().is_none() => None,
            Level::Warning => Some(verdict::reasons(names.judgement)),
        };
        let room = SHOWN - usize::from(head.is_some());
        if let Some(message) = head {
            line(&mut text, word, &[("title", "gemscope: something could have been missed")], &message);
        }
        for (i, item) in all.iter().take(room).enumerate() {
            let left = if i + 1 == room { all.len().saturating_sub(room) } else { 0 };
            annotation(&mut text, word, item, setting, left);
        }
    }
    if text.is_empty() {
        line(&mut text, "notice", &[("title", "gemscope")], &verdict::sentence(names.judgement));
    }
    out.write_all(text.as_bytes())
}

fn annotation(out: &mut String, word: &str, item: &Item<'_>, setting: &Setting<'_>, left: usize) {
    let place = item.place(setting.root);
    let number_text;
    let mut properties = Vec::with_capacity(3);
    if let Some((file, at)) = place.in_sources() {
        properties.push(("file", file));
        if at > 0 {
            number_text = at.to_string();
            properties.push(("line", number_text.as_str()));
        }
    }
    let title = format!("gemscope: {}", item.rule());
    properties.push(("title", title.as_str()));
    let mut message: String = format!("{}\n\n{}", item.message(), item.text());
    if let Some((at, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(at);
        message.push('…');
    }
    if left > 0 {
        let more = plural(left as u64, "more is", "more are");
        message =
            format!("{message}\nand {more} not shown here: GitHub shows {} of a kind", number(SHOWN as u64));
    }
    line(out, word, &properties, message.trim_end());
}

/// One workflow command.
fn line(out: &mut String, word: &str, properties: &[(&str, &str)], message: &str) {
    out.push_str("::");
    out.push_str(word);
    for (i, (name, value)) in properties.iter().enumerate() {
        out.push(if i == 0 { ' ' } else { ',' });
        out.push_str(name);
        out.push('=');
        out.push_str(&data(value).replace(':', "%3A").replace(',', "%2C"));
    }
    out.push_str("::");
    out.push_str(&data(message));
    out.push('\n');
}

/// What a command says, in one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
