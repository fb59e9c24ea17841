//! The formats of continuous integration: what they say, that they are what they claim to be, and that no name breaks out of them.

mod sample;

use std::collections::BTreeSet;

use gemscope_engine::{Doubt, Finding, RuleId, Verdict};
use gemscope_report::ci::{self, Setting, Tests};
use gemscope_report::{Context, Directory, Judgement, Names};
use gemscope_trace::{Definition, Definitions, Symbol};
use proptest::prelude::*;
use sample::{context, definitions, everything, finding};
use snapbox::{Data, assert_data_eq};

const SETTING: Setting<'_> = Setting { version: "0.0.0", root: "/w", exit: 1, tests: None };

type Write = fn(&mut dyn std::io::Write, &Names<'_>, &Setting<'_>) -> std::io::Result<()>;

const FORMATS: &[(&str, Write)] = &[
    ("junit.xml", ci::junit::report),
    ("sarif", ci::sarif::report),
    ("ktap", ci::ktap::report),
    ("github", ci::github::report),
    ("md", ci::markdown::report),
];

struct Sample {
    judgement: Judgement,
    context: Context,
    definitions: Definitions,
}

impl Sample {
    fn of(judgement: Judgement) -> Self {
        Self { judgement, context: context(), definitions: definitions() }
    }

    fn clean() -> Self {
        let context = Context { profile: "v6.2".to_owned(), ..Context::default() };
        Self { context, ..Self::of(Judgement::default()) }
    }

    fn undecided() -> Self {
        let doubts = vec![Doubt::Drops(2), Doubt::Gap];
        let findings = vec![Finding { tainted: true, ..finding(1, RuleId::FdLeak) }];
        let verdict = Verdict::Undecided(doubts.clone());
        Self { judgement: Judgement { findings, verdict, doubts, ..Judgement::default() }, ..Self::clean() }
    }

    /// Everything is called that.
    fn hostile(name: &str) -> Self {
        let mut s = Self::of(everything());
        s.judgement.comms = [(20, name.as_bytes().to_vec())].into();
        let own = || name.to_owned();
        for breach in &mut s.judgement.outcome.breaches {
            breach.series = own();
        }
        for entry in &mut s.judgement.outcome.entries {
            (entry.name, entry.reason, entry.place, entry.expires) = (own(), own(), own(), own());
        }
        s.judgement.outcome.kept.iter_mut().for_each(|k| k.text = own());
        s.judgement.outcome.notes = vec![own()];
        let c = &mut s.context;
        (c.kernel, c.machine, c.distro, c.trace, c.status) = (own(), own(), own(), own(), own());
        c.command = vec![own(), own()];
        c.blinded = vec![format!("mapping-leak {name}")];
        s.definitions.extend([Definition::Symbol(Symbol {
            tgid: 20,
            addr: 0x20,
            name: name.into(),
            module: name.into(),
            file: name.into(),
            line: 7,
            ..Symbol::default()
        })]);
        s
    }

    fn write(&self, write: Write, setting: &Setting<'_>) -> String {
        let names = Names {
            context: &self.context,
            judgement: &self.judgement,
            directory: &Directory::default(),
            definitions: &self.definitions,
        };
        let mut out = Vec::new();
        write(&mut out, &names, setting).unwrap();
        String::from_utf8(out).unwrap()
    }
}

#[test]
fn each_says_everything() {
    for (sample, name) in [
        (Sample::of(everything()), "everything"),
        (Sample::clean(), "clean"),
        (Sample::undecided(), "undecided"),
    ] {
        for (end, write) in FORMATS {
            let said = sample.write(*write, &SETTING);
            sound(end, &said);
            // The descriptions of rules are in one of them only.
            let said = match said.split_once("\"rules\":[") {
                Some((head, rest)) if name != "clean" => {
                    format!(
                        "{head}\"rules\":[…]}}}},\"invocations{}",
                        rest.split_once("]}},\"invocations").map_or("", |(_, rest)| rest)
                    )
                }
                _ => said,
            };
            let path = format!("{}/tests/golden/ci/{name}.{end}", env!("CARGO_MANIFEST_DIR"));
            assert_data_eq!(Data::text(said), Data::read_from(path.as_ref(), None).raw());
        }
    }
}

/// Fails where a format is not what it claims to be; gives what must not change with names.
fn sound(end: &str, said: &str) -> Vec<String> {
    match end {
        "junit.xml" => junit(said),
        "sarif" => sarif(said),
        "ktap" => ktap(said),
        "github" => github(said),
        _ => markdown(said),
    }
}

fn junit(said: &str) -> Vec<String> {
    let xml = roxmltree::Document::parse(said).unwrap();
    let elements = xml.descendants().filter(roxmltree::Node::is_element);
    elements.map(|e| format!("{} {}", e.tag_name().name(), e.attributes().len())).collect()
}

fn sarif(said: &str) -> Vec<String> {
    let log: serde_json::Value = serde_json::from_str(said).unwrap();
    assert_eq!(said.lines().count(), 1);
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    for result in results {
        let at = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][at]["id"], result["ruleId"]);
        let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert!(uri.as_str().unwrap().bytes().all(|b| b.is_ascii_graphic() && b != b'\\'), "{uri}");
    }
    results.iter().map(|r| format!("{} {}", r["ruleId"], r["level"])).collect()
}

/// A strict reader of the specification's lines, without nesting.
fn ktap(said: &str) -> Vec<String> {
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("KTAP version 1"));
    let plan: usize = lines.next().and_then(|l| l.strip_prefix("1..")?.parse().ok()).unwrap();
    let mut results = Vec::new();
    for line in lines {
        if line == "#" || line.starts_with("# ") {
            continue;
        }
        let rest = line.strip_prefix("not ").unwrap_or(line);
        let rest = rest.strip_prefix("ok ").unwrap_or_else(|| panic!("`{line}` is no result"));
        let (test, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
        let (number, name) = test.split_once(' ').unwrap();
        assert_eq!(number.parse(), Ok(results.len() + 1));
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        let word = directive.split(' ').next().unwrap();
        assert!(["", "SKIP", "ERROR"].contains(&word) && !directive.contains('#'), "{line}");
        results.push(format!("{} {name} {word}", line.starts_with("ok")));
    }
    assert_eq!(results.len(), plan);
    results
}

fn github(said: &str) -> Vec<String> {
    assert!(!said.contains('\r'));
    let command = |line: &str| {
        let (word, rest) = line.strip_prefix("::").unwrap().split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&word), "{line}");
        let (properties, message) = rest.split_once("::").unwrap();
        assert!(!message.is_empty());
        let keys: Vec<&str> = properties.split(',').map(|p| p.split_once('=').unwrap().0).collect();
        assert!(keys.iter().all(|k| ["file", "line", "title"].contains(k)), "{line}");
        // A name that is a path of the sources makes a place of it.
        format!("{word} {}", keys.last().unwrap())
    };
    let lines: Vec<String> = said.lines().map(command).collect();
    for word in ["error", "warning", "notice"] {
        assert!(lines.iter().filter(|l| l.starts_with(word)).count() <= 10);
    }
    lines
}

fn markdown(said: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    assert!(said.len() < 1 << 20);
    let html = ["code", "/code", "details", "summary", "/summary", "/details", "pre", "/pre"];
    let tags = |html: &str| -> Vec<String> {
        html.split('<').skip(1).map(|t| t.split('>').next().unwrap_or(t).to_owned()).collect()
    };
    let mut seen = Vec::new();
    for event in
        Parser::new_ext(said, Options::ENABLE_TABLES | Options::ENABLE_GFM | Options::ENABLE_STRIKETHROUGH)
    {
        match event {
            Event::InlineHtml(tag) | Event::Html(tag) => {
                for tag in tags(&tag) {
                    assert!(html.contains(&tag.as_str()), "`{tag}` in {said}");
                    seen.push(tag);
                }
            }
            Event::Start(tag) => {
                let fine = matches!(
                    tag,
                    Tag::Heading { .. }
                        | Tag::Paragraph
                        | Tag::Table(_)
                        | Tag::TableHead
                        | Tag::TableRow
                        | Tag::TableCell
                        | Tag::List(None)
                        | Tag::Item
                        | Tag::HtmlBlock
                );
                assert!(fine, "{tag:?} in {said}");
                seen.push(format!("{tag:?}"));
            }
            Event::Code(_) | Event::Rule | Event::FootnoteReference(_) => panic!("{event:?} in {said}"),
            _ => {}
        }
    }
    seen
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "]]><testcase name=\"x\"/>",
    "--><!--",
    "a\r\nok 1 handle-leak\nnot ok 2 x # SKIP",
    "x # SKIP y # TODO",
    "\n::error file=/etc/passwd::x\n##[error]y",
    "a,b:c%0A::warning::d",
    "a|b|c`d```\n```\n# h",
    "</pre></details><img src=x>",
    "**b** _i_ ~~s~~ [l](http://x) ![i](x) @user #1 $x$ :tada: http://example.org",
    "\u{0}\u{1}\u{8}\u{b}\u{c}\u{1f}\u{fffe}\u{ffff}\u{fffd}\u{85}\u{2028}",
    "\x1b[31m\x1b]0;t\x07\u{202e}\u{9b}2J",
    "&#124; &lt; \\| \\",
    "../../etc/passwd",
    "",
];

/// What the formats say with this name is built as with any other.
fn check(name: &str) {
    let plain = Sample::hostile("name");
    let sample = Sample::hostile(name);
    for (end, write) in FORMATS {
        let said = sample.write(*write, &SETTING);
        let shape = sound(end, &said);
        let hostile: Vec<char> =
            said.chars().filter(|c| *c != '\n' && gemscope_report::escape::is_hostile(*c)).collect();
        assert!(hostile.is_empty(), "{hostile:?} in {end}");
        // An empty name leaves things out.
        if !name.trim().is_empty() {
            assert_eq!(shape, sound(end, &plain.write(*write, &SETTING)), "{end} of {name:?}");
        }
    }
}

#[test]
fn no_name_breaks_out() {
    HOSTILE.iter().for_each(|name| check(name));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_name_breaks_out_ever(name in r#"([-<>&"'`|#:,%*_\[\]()!@~$\\/\n\r\t\x00\x1b]|[a-c]|ok|::|```|\PC){1,40}"#) {
        check(&name);
    }
}

#[test]
fn tests_are_cases_where_they_are_known() {
    let names = ["one".to_owned(), "two".to_owned(), "three".to_owned()];
    let of = |number| (number == 1).then_some(1);
    let setting = Setting { tests: Some(Tests { names: &names, of: &of }), ..SETTING };
    let said = Sample::of(everything()).write(ci::junit::report, &setting);
    let xml = roxmltree::Document::parse(&said).unwrap();
    let case = |name| {
        let found =
            xml.descendants().find(|n| n.has_tag_name("testcase") && n.attribute("name") == Some(name));
        let kinds: Vec<&str> =
            found.unwrap().children().filter(|c| c.is_element()).map(|c| c.tag_name().name()).collect();
        kinds
    };
    assert_eq!((case("one"), case("two")), (vec![], vec!["failure"]));
    assert_eq!((case("handle-leak"), case("double-close")), (vec!["skipped"], vec!["failure"]));
}

#[test]
fn ten_thousand_findings_fit() {
    let findings =
        (1..=10_000).map(|n| Finding { bytes: u64::from(n), ..finding(n, RuleId::HandleLeak) }).collect();
    let many = Sample::of(Judgement { findings, verdict: Verdict::Findings, ..Judgement::default() });
    for (end, write) in FORMATS {
        let said = many.write(*write, &SETTING);
        assert!(said.len() < 10 << 20, "{end}: {} bytes", said.len());
        sound(end, &said);
    }
    let said = many.write(ci::github::report, &SETTING);
    assert!(said.contains("9,990 more are not shown here"), "{said}");
}

#[test]
fn what_is_set_aside_is_no_failure() {
    let said = Sample::of(everything()).write(ci::ktap::report, &SETTING);
    assert!(said.contains("\nok 2 fd-leak\n"), "{said}");
    let said = Sample::of(everything()).write(ci::sarif::report, &SETTING);
    let log: serde_json::Value = serde_json::from_str(&said).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let aside = results.iter().filter(|r| r["suppressions"][0]["kind"] == "external");
    let aside: BTreeSet<&str> = aside.map(|r| r["ruleId"].as_str().unwrap()).collect();
    assert_eq!(aside, BTreeSet::from(["fd-leak", "growth-limit"]));
}
