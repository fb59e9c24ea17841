//! Markdown, for the summary of a GitHub job and for notes on GitLab: the answer, a table, and each finding folded away.
//!
//! Nothing from outside is ever read as Markdown: in the table it stands as `<code>` with every sign as an entity, in the folded text as
//! `<pre>`, which knows no Markdown at all. Neither makes a mention of a person or a link of a number.

use std::io;

use super::Setting;
use super::item::{Item, items};
use crate::judgement::Judgement;
use crate::names::{Names, number, plural, size};
use crate::text::outcome::{entry, idle, sentence};
use crate::text::{header, verdict};

/// GitHub takes 1 MiB of a step: beyond this, findings are counted only.
const ROOM: usize = 900 << 10;

/// Rows of the table.
const ROWS: usize = 200;

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>, setting: &Setting<'_>) -> io::Result<()> {
    out.write_all(page(names, setting).as_bytes())
}

fn page(names: &Names<'_>, setting: &Setting<'_>) -> String {
    let j = names.judgement;
    let mark = match j.verdict {
        gemscope_engine::Verdict::Clean => "✅",
        gemscope_engine::Verdict::Findings => "❌",
        gemscope_engine::Verdict::Undecided(_) => "❔",
    };
    let mut out = format!("## {mark} gemscope: {}\n\n", signs(&verdict::sentence(j)));
    let reasons: String =
        j.reasons().map(|(what, advice)| format!("- {}: {}\n", signs(&what), signs(&advice))).collect();
    if !reasons.is_empty() {
        out.push_str(&format!("Something could have been missed:\n\n{reasons}\n"));
    }
    let standing: Vec<Item<'_>> = items(names).filter(Item::stands).collect();
    table(&mut out, &standing, setting);
    texts(&mut out, &standing);
    outcome(&mut out, j);
    let near: Vec<Item<'_>> = items(names).filter(Item::is_near_miss).collect();
    if !near.is_empty() {
        folded(&mut out, "Near misses (legal today)", &near.iter().take(ROWS).map(told).collect::<String>());
    }
    if !names.context.command.is_empty() {
        let status = match names.context.status.as_str() {
            "" => String::new(),
            status => format!(" {}", signs(&crate::escape::long(status.as_bytes()))),
        };
        out.push_str(&format!("command {}{status}; ", code(&header::command(&names.context.command))));
    }
    out.push_str(&format!(
        "kernel {}; rules {}; {}\n",
        code(&header::kernel(names.context)),
        code(&header::rules(names.context)),
        signs(&header::seen(j)),
    ));
    out
}

fn table(out: &mut String, all: &[Item<'_>], setting: &Setting<'_>) {
    if all.is_empty() {
        return;
    }
    out.push_str("| # | rule | count | bytes | process | where |\n|--:|---|--:|--:|---|---|\n");
    for item in all.iter().take(ROWS) {
        let unsure = if item.is_certain() { "" } else { " (uncertain)" };
        let bytes = if item.bytes() == 0 { String::new() } else { size(item.bytes()) };
        let (rule, count) = (item.rule(), number(item.count()));
        let who = code(&item.who());
        let place = code(&place(item, setting));
        out.push_str(&format!(
            "| {} | {rule}{unsure} | {count} | {bytes} | {who} | {place} |\n",
            item.number()
        ));
    }
    out.push('\n');
    if all.len() > ROWS {
        out.push_str(&format!("… and {} more\n\n", number((all.len() - ROWS) as u64)));
    }
}

/// `main (src/main.c:12)`
fn place(item: &Item<'_>, setting: &Setting<'_>) -> String {
    let place = item.place(setting.root);
    let file = place.file.as_ref().map(|f| match f.line {
        0 => f.path.clone(),
        line => format!("{}:{line}", f.path),
    });
    let text = match (place.function.as_str(), file) {
        (function, None) => function.to_owned(),
        ("", Some(file)) => file,
        (function, Some(file)) => format!("{function} ({file})"),
    };
    crate::escape::long(text.as_bytes())
}

/// Each finding in full, folded away, as far as there is room.
fn texts(out: &mut String, all: &[Item<'_>]) {
    for (i, item) in all.iter().enumerate() {
        let text = item.text();
        if out.len() + text.len() * 2 > ROOM {
            let left = plural((all.len() - i) as u64, "more is", "more are");
            out.push_str(&format!("{left} not told in full here, to keep this small\n\n"));
            return;
        }
        folded(out, &format!("{}. {}: {}", item.number(), item.rule(), item.title()), &text);
    }
}

/// What is neither found nor missed.
fn outcome(out: &mut String, j: &Judgement) {
    let o = &j.outcome;
    let used: Vec<_> = o.entries.iter().filter(|e| e.findings > 0).collect();
    if !used.is_empty() {
        out.push_str("Set aside:\n\n| findings | count | bytes | by |\n|--:|--:|--:|---|\n");
        for e in used {
            let (findings, count, bytes) = (number(e.findings), number(e.count), size(e.bytes));
            out.push_str(&format!("| {findings} | {count} | {bytes} | {} |\n", code(&entry(e))));
        }
        out.push('\n');
    }
    let idle = o.entries.iter().filter_map(idle).map(|line| format!("- {}\n", code(&line)));
    let kept = o.kept.iter().map(|k| format!("- kept: {}\n", code(&sentence(&k.text))));
    let notes = o.notes.iter().map(|n| format!("- {}\n", code(&sentence(n))));
    let list: String = idle.chain(kept).chain(notes).collect();
    if !list.is_empty() {
        out.push_str(&list);
        out.push('\n');
    }
}

/// A near miss in a line.
fn told(item: &Item<'_>) -> String {
    format!("{}: {}\n", item.rule(), item.message())
}

/// Text that is shown when asked for.
fn folded(out: &mut String, title: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // A blank line would end the block of HTML that `details` began, but not the one of `pre`.
    out.push_str(&format!(
        "<details><summary>{}</summary>\n\n<pre>\n{text}</pre>\n\n</details>\n\n",
        signs(title)
    ));
}

/// A name in running text; nothing when there is none.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<code>{}</code>", signs(text)) }
}

/// Every sign that could mean something to Markdown or HTML, as an entity.
fn signs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | ',' | '.' | '/' | '(' | ')' | '-' | '+' | ';' | '=' => out.push(c),
            '\n' | '\r' => out.push(' '),
            c if c.is_ascii_punctuation() => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
    out
}
