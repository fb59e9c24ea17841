//! JUnit XML: a test suite with a case for every rule and assertion, for the test pages of GitLab, Jenkins and others.
//!
//! Rules that held pass, so that a dashboard shows what was checked; a rule that this kernel does not have, or that something
//! blinded, is skipped with the reason; what is uncertain is an error, and so is a recording from which something is missing. Where
//! the tests that ran are known, each is a case of its own, and what was found in it is its failure.
//!
//! Beside the shape that `quick-junit` writes nothing is invented: cases have no times, because a rule takes none.

use std::io;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::item::{Item, items, texts};
use super::judged::{Judged, State, judged};
use super::{Setting, Tests};
use crate::escape;
use crate::names::{Names, number};
use crate::text::outcome::{entry, idle};
use crate::text::{header, verdict};

/// The name of the suite, and the beginning of class names.
const SUITE: &str = "gemscope";

/// Bytes for the text of one case.
const ROOM: usize = 64 << 10;

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>, setting: &Setting<'_>) -> io::Result<()> {
    let mut suite = TestSuite::new(SUITE);
    properties(&mut suite, names, setting);
    let of_tests = setting.tests.map(|tests| cases_of_tests(names, &tests));
    let in_tests = of_tests.is_some();
    suite.add_test_cases(of_tests.unwrap_or_default());
    for mut one in judged(names) {
        if let (true, Some(tests)) = (in_tests, &setting.tests) {
            without_tests(&mut one, tests);
        }
        suite.add_test_case(case(&one));
    }
    suite.set_system_out(system_out(names));
    let mut report = Report::new(SUITE);
    report.add_test_suite(suite);
    report.serialize(out).map_err(io::Error::other)
}

/// The facts of the header.
fn properties(suite: &mut TestSuite, names: &Names<'_>, setting: &Setting<'_>) {
    let c = names.context;
    let n = &names.judgement.counts;
    let facts = [
        ("gemscope", setting.version.to_owned()),
        ("recorded-by", escape::name(c.gemscope.as_bytes())),
        ("kernel", header::kernel(c)),
        ("profile", header::known(&c.profile)),
        ("command", header::command(&c.command)),
        ("status", escape::long(c.status.as_bytes())),
        ("trace", escape::long(c.trace.as_bytes())),
        ("verdict", names.judgement.verdict_name().to_owned()),
        ("records", n.records.to_string()),
        ("lost", n.drops.to_string()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        suite.add_property((*name, value.as_str()));
    }
}

fn class(name: &str) -> String {
    format!("{SUITE}.{name}")
}

fn case(one: &Judged<'_>) -> TestCase {
    let status = match &one.state {
        State::Held => TestCaseStatus::success(),
        State::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            // As text: the published schema has no message here.
            status.set_description(why);
            status
        }
        State::Broken(items) => broken(NonSuccessKind::Failure, items),
        State::Unsure(items, reasons) if reasons.is_empty() => broken(NonSuccessKind::Error, items),
        State::Unsure(_, reasons) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("undecided");
            status.set_message(reasons.first().map_or("", String::as_str));
            status.set_description(reasons.join("\n"));
            status
        }
    };
    let mut case = TestCase::new(one.name, status);
    case.set_classname(class(one.class));
    let mut out: Vec<String> = one.told.clone();
    for item in &one.aside {
        if let Some(by) = item.aside() {
            out.push(format!("set aside by {}\n{}", entry(by), item.message()));
        }
    }
    if !out.is_empty() {
        let mut out = out.join("\n");
        cut(&mut out);
        case.set_system_out(out);
    }
    case
}

/// A case that failed, with the text of what was found.
fn broken(kind: NonSuccessKind, items: &[Item<'_>]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    if let Some(first) = items.first() {
        status.set_type(first.rule());
        status.set_message(match items.len() {
            1 => first.message(),
            n => format!("{} (and {} more)", first.message(), number(n as u64 - 1)),
        });
    }
    status.set_description(texts(items, ROOM));
    status
}

/// A case for each test that ran.
fn cases_of_tests(names: &Names<'_>, tests: &Tests<'_>) -> Vec<TestCase> {
    let mut of: Vec<Vec<Item<'_>>> = vec![Vec::new(); tests.names.len()];
    for item in items(names).filter(Item::stands) {
        if let Some(list) = (tests.of)(item.number()).and_then(|test| of.get_mut(test)) {
            list.push(item);
        }
    }
    let cases = tests.names.iter().zip(of).map(|(name, items)| {
        let kind =
            if items.iter().any(Item::is_certain) { NonSuccessKind::Failure } else { NonSuccessKind::Error };
        let status = if items.is_empty() { TestCaseStatus::success() } else { broken(kind, &items) };
        let mut case = TestCase::new(escape::long(name.as_bytes()), status);
        case.set_classname(class("tests"));
        case
    });
    cases.collect()
}

/// What was found in a test is told there, and not a second time.
fn without_tests(one: &mut Judged<'_>, tests: &Tests<'_>) {
    let (State::Broken(items) | State::Unsure(items, _)) = &mut one.state else { return };
    let before = items.len();
    items.retain(|item| (tests.of)(item.number()).is_none());
    if items.is_empty() && before > 0 {
        one.state = State::Skipped("broken, see the tests".to_owned());
    }
}

/// The answer, and what is neither found nor held.
fn system_out(names: &Names<'_>) -> String {
    let j = names.judgement;
    let mut lines = vec![verdict::sentence(j)];
    let used = j.outcome.entries.iter().filter(|e| e.findings > 0);
    lines.extend(used.map(|e| format!("set aside: {} by {}", number(e.findings), entry(e))));
    lines.extend(j.outcome.entries.iter().filter_map(idle));
    let near = items(names).filter(Item::is_near_miss);
    lines.extend(near.map(|item| format!("near miss: {}: {}", item.rule(), item.message())));
    let mut out = lines.join("\n");
    cut(&mut out);
    out
}

/// Ends a text that is too long.
fn cut(text: &mut String) {
    if text.len() > ROOM {
        text.truncate(text.floor_char_boundary(ROOM));
        text.push_str("\n…");
    }
}
