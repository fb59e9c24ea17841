//! `[[suppress]]`: from TOML to what hides.

use std::collections::BTreeMap;

use gemscope_engine::{Class, RuleId};
use jiff::civil::Date;
use toml::de::DeValue;

use super::reader::{Reader, Table};
use crate::breach::Assertion;
use crate::glob::Glob;
use crate::mistake::did_you_mean;
use crate::suppress::Suppression;

/// What a pattern of `rule` may mean: rules, assertions, and the classes of both.
pub(crate) fn rule_words() -> impl Iterator<Item = &'static str> {
    let classes = [Class::Leak, Class::Violation, Class::Misuse, Class::NearMiss].map(Class::name);
    let rules = RuleId::ALL.iter().map(|rule| rule.name());
    let assertions = Assertion::ALL.iter().map(|a| a.name());
    rules.chain(assertions).chain(classes).chain([Assertion::CLASS])
}

/// Every suppression of a file.
pub(super) fn all(reader: &mut Reader<'_>, table: &mut Table<'_, '_>, file: &str) -> Vec<Suppression> {
    let mut all: Vec<Suppression> = Vec::new();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    reader.each(table, "suppress", "[[suppress]]", |reader, table| {
        let line = reader.line(table.at);
        let one = one(reader, table, format!("{file}:{line}"));
        if !one.name.is_empty() {
            if let Some(first) = lines.get(&one.name) {
                let at = table.get("name").map_or(table.at, |v| v.span().start);
                let text = format!(
                    "another suppression is called `{}`, in line {first}: each has its own name",
                    one.name
                );
                reader.wrong(at, text);
            } else {
                lines.insert(one.name.clone(), line);
            }
        }
        all.push(one);
    });
    all
}

fn one(reader: &mut Reader<'_>, table: &mut Table<'_, '_>, place: String) -> Suppression {
    const NAME: &str = "a name by which the report calls it, as \"mesa-cache\"";
    const REASON: &str = "a sentence that says why this may pass";
    let at = table.at;
    let name = reader.text(table, "name", NAME);
    let reason = reader.text(table, "reason", REASON);
    let rule = rules(reader, table);
    let mut patterns = |key: &'static str, want: &str| -> Vec<Glob> {
        reader.texts(table, key, want).into_iter().map(|(_, text)| Glob::new(&text)).collect()
    };
    let process = patterns("process", "the name of a process, as \"weston*\"");
    let module = patterns("module", "the name of a library, program or kernel module, as \"libgallium*\"");
    let frame = patterns("frame", "the name of a function, as \"*pool_alloc*\"");
    let device = patterns("device", "a device's node or its driver, as \"vgem\"");
    let expires = expires(reader, table);
    let max = max(reader, table);
    let called = name.as_ref().map_or_else(String::new, |name| format!(" `{name}`"));
    for (key, want) in [("name", NAME), ("reason", REASON)] {
        if table.get(key).is_none() {
            reader.wrong(at, format!("the suppression{called} has no `{key}`: add {key} = \"...\", {want}"));
        }
    }
    if ["rule", "process", "module", "frame", "device"].iter().all(|key| table.get(key).is_none()) {
        let what = format!(
            "the suppression{called} would hide everything: add `rule`, `process`, `module`, `frame` or `device`"
        );
        reader.wrong(at, what);
    }
    Suppression {
        name: name.unwrap_or_default(),
        rule,
        process,
        module,
        frame,
        device,
        reason: reason.unwrap_or_default(),
        expires,
        max,
        place,
    }
}

fn rules(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Vec<Glob> {
    let mut out = Vec::new();
    for (at, text) in reader.texts(table, "rule", "the name of a rule, as \"handle-leak\"") {
        let glob = Glob::new(&text);
        if !rule_words().any(|word| glob.matches(word)) {
            let near = did_you_mean(&text, rule_words());
            let list = "`gemscope explain` lists the rules";
            reader.wrong(at, format!("no rule, assertion or class is called `{text}`{near}; {list}"));
        }
        out.push(glob);
    }
    out
}

fn expires(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Option<Date> {
    let value = table.get("expires")?;
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => String::new(),
    };
    // Strictly a day: what has a time or a zone in it is cut by nobody in silence.
    let made = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    if made.is_none() {
        reader.not("expires", "a day of the calendar, as \"2027-01-31\"", value);
    }
    made
}

fn max(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Option<u64> {
    let value = table.get("max")?;
    let made = super::reader::whole(value).filter(|n| *n > 0);
    if made.is_none() {
        reader.not("max", "how many references it hides at most, 1 or more", value);
    }
    made
}
