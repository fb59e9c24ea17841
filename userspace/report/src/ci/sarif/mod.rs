//! SARIF 2.1.0: findings beside the sources, and known from one run to the next by their fingerprints, for code scanning.
//!
//! [`log`] has the shapes, this builds them. Every finding is a result, near misses as notes; what is set aside is a result with a
//! suppression, so that it stays known. Places are source files where debug information names them, else the binary or the
//! kernel's module: a code host takes no result without a file.
//!
//! GitHub takes 25,000 results and 10 MB: what is beyond is counted in a notification.

mod log;

use std::io;

use gemscope_engine::{Class, RuleId, Stamp, Verdict};
use gemscope_policy::{Assertion, fingerprint};
use gemscope_trace::StackKind;

use super::Setting;
use super::item::{Item, Level, items};
use super::place::{File, Place};
use crate::escape;
use crate::json::write_line;
use crate::names::{Names, number, plural};
use crate::text::{header, verdict};

/// The base of relative paths.
const ROOT: &str = "%SRCROOT%";
/// The version of the fingerprints.
const FINGERPRINT: &str = "gemscope/v1";
/// Results, and their bytes.
const RESULTS: usize = 25_000;
const ROOM: usize = 9 << 20;
/// Frames of one stack, and related places.
const FRAMES: usize = 40;
const RELATED: usize = 12;

/// Writes the whole log.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>, setting: &Setting<'_>) -> io::Result<()> {
    let mut results = Vec::new();
    let mut bytes = 0;
    let mut left_out = 0usize;
    for item in items(names) {
        let result = result(names, &item, setting);
        bytes += serde_json::to_vec(&result)?.len();
        if results.len() < RESULTS && bytes < ROOM {
            results.push(result);
        } else {
            left_out += 1;
        }
    }
    let run = log::Run {
        tool: log::Tool { driver: driver(setting) },
        invocations: vec![invocation(names, setting, left_out)],
        column_kind: "utf16CodeUnits",
        original_uri_base_ids: bases(setting),
        results,
        properties: log::RunProperties {
            kernel: header::kernel(names.context),
            profile: header::known(&names.context.profile),
            records: names.judgement.counts.records,
            lost: names.judgement.counts.drops,
        },
    };
    write_line(out, &log::Log { schema: log::SCHEMA, version: "2.1.0", runs: [run] })
}

fn driver(setting: &Setting<'_>) -> log::Driver {
    let rules = RuleId::ALL.iter().map(|id| {
        let rule = id.rule();
        let level = if rule.class == Class::NearMiss { "note" } else { "error" };
        descriptor(id.name(), rule.class.name(), level, [rule.title, rule.text, rule.advice])
    });
    let assertions = Assertion::ALL
        .iter()
        .map(|a| descriptor(a.name(), "assertion", "error", [a.title(), a.text(), a.advice()]));
    log::Driver {
        name: "gemscope",
        semantic_version: (!setting.version.is_empty()).then(|| setting.version.to_owned()),
        rules: rules.chain(assertions).collect(),
    }
}

fn descriptor(
    name: &'static str,
    class: &'static str,
    level: &'static str,
    words: [&'static str; 3],
) -> log::Rule {
    let [title, text, advice] = words;
    let capital = |text: &str| {
        let mut chars = text.chars();
        chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
    };
    let (title, advice) = (capital(title), capital(advice));
    log::Rule {
        id: name,
        short_description: log::Text { text: format!("{title}.") },
        full_description: log::Text { text: text.to_owned() },
        help: log::Help {
            text: format!("{text}\n\nWhat to do: {advice}.\n\nMore: gemscope explain {name}"),
            markdown: format!("{text}\n\n**What to do:** {advice}.\n\nMore: `gemscope explain {name}`"),
        },
        default_configuration: log::Configuration { level },
        properties: log::RuleProperties { tags: [class] },
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn result(names: &Names<'_>, item: &Item<'_>, setting: &Setting<'_>) -> log::Result {
    let rules = RuleId::ALL.iter().map(|r| r.name()).chain(Assertion::ALL.iter().map(|a| a.name()));
    let subject = item.subject();
    let place = item.place(setting.root);
    let related = item.related();
    let mut stacks = stacks(names, &item.main(), "where it was done", setting);
    let mut places = Vec::new();
    for (words, at) in related.iter().take(RELATED) {
        let mut location = location(&Place::of(names, at, setting.root), names);
        location.message = Some(log::Text { text: words.clone() });
        places.push(location);
        stacks.extend(self::stacks(names, at, words, setting));
    }
    let suppressions = item.aside().map(|entry| {
        let place = if entry.place.is_empty() { String::new() } else { format!(" ({})", entry.place) };
        let why = if entry.reason.is_empty() { "known" } else { &entry.reason };
        vec![log::Suppression {
            kind: "external",
            justification: escape::cut(
                format!("{} {}{place}: {why}", entry.origin.name(), entry.name).as_bytes(),
                480,
            ),
        }]
    });
    log::Result {
        rule_id: item.rule(),
        rule_index: rules.into_iter().position(|name| name == item.rule()).unwrap_or_default(),
        level: level(item.level()),
        message: log::Text { text: item.message() },
        locations: vec![location(&place, names)],
        stacks,
        related_locations: places,
        partial_fingerprints: [(FINGERPRINT, fingerprint(&subject))].into(),
        suppressions,
        properties: log::ResultProperties {
            number: item.number(),
            count: item.count(),
            bytes: item.bytes(),
            certain: item.is_certain(),
            process: item.who(),
        },
    }
}

/// A place. Where nothing is known of it, it is the command.
fn location(place: &Place, names: &Names<'_>) -> log::Location {
    let artifact = place.file.as_ref().map_or_else(|| unknown(names), artifact);
    let line = place.file.as_ref().map_or(0, |f| f.line);
    let function = escape::long(place.function.as_bytes());
    log::Location {
        physical_location: log::Physical {
            artifact_location: artifact,
            region: (line > 0).then_some(log::Region { start_line: line }),
        },
        logical_locations: if function.is_empty() {
            Vec::new()
        } else {
            vec![log::Logical { fully_qualified_name: function, kind: "function" }]
        },
        message: None,
    }
}

fn unknown(names: &Names<'_>) -> log::Artifact {
    let command = names.context.command.first().map_or("unknown", |w| w.rsplit('/').next().unwrap_or(w));
    log::Artifact { uri: path_uri(if command.is_empty() { "unknown" } else { command }), uri_base_id: None }
}

fn artifact(file: &File) -> log::Artifact {
    let path = path_uri(&file.path);
    if file.path.starts_with('/') {
        return log::Artifact { uri: format!("file://{path}"), uri_base_id: None };
    }
    log::Artifact { uri: path, uri_base_id: (file.source && file.relative).then_some(ROOT) }
}

/// A path as a part of a URI.
fn path_uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The stack of an event: the program's part, then the kernel's, each of them innermost first as in the text; none when there is none.
fn stacks(names: &Names<'_>, at: &Stamp, words: &str, setting: &Setting<'_>) -> Vec<log::Stack> {
    let mut frames: Vec<log::StackFrame> = Vec::new();
    for kind in [StackKind::Kernel, StackKind::User] {
        for frame in names.stack(kind, at).iter().take(FRAMES) {
            let place = match kind {
                StackKind::Kernel => Place::of_kernel_frame(frame),
                StackKind::User => Place::of_frame(frame, setting.root),
            };
            let module = escape::name(frame.module.as_bytes());
            frames.push(log::StackFrame {
                location: location(&place, names),
                module: (!module.is_empty()).then_some(module),
            });
        }
    }
    if frames.is_empty() {
        return Vec::new();
    }
    vec![log::Stack { message: log::Text { text: words.to_owned() }, frames }]
}

fn invocation(names: &Names<'_>, setting: &Setting<'_>, left_out: usize) -> log::Invocation {
    let j = names.judgement;
    let decided = !matches!(j.verdict, Verdict::Undecided(_));
    let word = if decided { "warning" } else { "error" };
    let notification = |level, text| log::Notification { level, message: log::Text { text } };
    let mut told = vec![notification("note", verdict::sentence(j))];
    for (what, advice) in j.reasons() {
        told.push(notification(word, format!("{what}; {advice}")));
    }
    if left_out > 0 {
        let left = plural(left_out as u64, "result was", "results were");
        let limit = number(RESULTS as u64);
        told.push(notification(
            "warning",
            format!("{left} left out, to stay below {limit} results and 10 MB"),
        ));
    }
    let command = header::command(&names.context.command);
    log::Invocation {
        command_line: (!command.is_empty()).then_some(command),
        execution_successful: decided,
        exit_code: setting.exit,
        tool_execution_notifications: told,
    }
}

fn bases(setting: &Setting<'_>) -> log::Bases {
    let root = setting.root.trim_end_matches('/');
    let uri = root.starts_with('/').then(|| format!("file://{}/", path_uri(root)));
    [(ROOT, log::Base { uri, description: log::Text { text: "The root of the sources.".to_owned() } })].into()
}
