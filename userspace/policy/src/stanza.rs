//! Suppressions to be filled in: a stanza for each finding, without the reason that only a person can give.

use std::collections::BTreeSet;

use crate::fingerprint::chain;
use crate::subject::Subject;
use crate::toml_text::quote;

/// Stanzas for these subjects, ready for a file but for their reasons: such a file is refused until somebody gives them. Two subjects that
/// one stanza would hide have one. No name is one of `taken`.
#[must_use]
pub fn stanzas<'a>(
    subjects: impl Iterator<Item = &'a Subject>,
    taken: impl Iterator<Item = &'a str>,
) -> String {
    let mut names: BTreeSet<String> = taken.map(str::to_owned).collect();
    let mut bodies: BTreeSet<String> = BTreeSet::new();
    let mut out = String::new();
    for subject in subjects {
        let body = patterns(subject);
        if bodies.insert(body.clone()) {
            let name = unique(&mut names, &name(subject));
            let seen = format!("references: {}, bytes: {}", subject.count, subject.bytes);
            out.push_str(&format!(
                "[[suppress]]\nname = {}\n{body}# {seen}\n# say why it may pass, and take the # away:\n# reason = \"...\"\n\n",
                quote(&name)
            ));
        }
    }
    out
}

fn patterns(subject: &Subject) -> String {
    let mut out = format!("rule = {}\n", quote(&subject.rule));
    let mut add = |key: &str, text: &str| {
        if !text.trim().is_empty() {
            out.push_str(&format!("{key} = {}\n", quote(text)));
        }
    };
    add("process", subject.processes.first().map_or("", String::as_str));
    if let Some(place) = subject.place() {
        add("frame", &place.function);
        add("module", &place.module);
        if subject.user.iter().all(|f| f.function.is_empty()) {
            out.push_str(
                "# the program's own functions are not known: this hides whatever it does of the kind\n",
            );
        }
    } else {
        // Without a stack the device is what is left to tell one from the other.
        add("device", subject.devices.last().map_or("", String::as_str));
    }
    out
}

/// `handle-leak-weston-create-dumb`
fn name(subject: &Subject) -> String {
    const LONGEST: usize = 64;
    let process = subject.processes.first().map_or("", String::as_str);
    let place = chain(subject).into_iter().next().unwrap_or_default();
    let mut out = String::new();
    for c in [&subject.rule, process, &place].join("-").chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out.truncate(LONGEST);
    out.trim_end_matches('-').to_owned()
}

fn unique(names: &mut BTreeSet<String>, wanted: &str) -> String {
    let wanted = if wanted.is_empty() { "finding" } else { wanted };
    let numbered = (2u32..).map(|n| format!("{wanted}-{n}"));
    let free = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !names.contains(name));
    let name = free.unwrap_or_default();
    names.insert(name.clone());
    name
}
