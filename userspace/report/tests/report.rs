//! A judgement with everything in it, hostile names too, as text and as JSON lines.

mod sample;

use gemscope_engine::{Doubt, Finding, LifeEvent, RuleId, Verdict, What};
use gemscope_policy::{Assertion, Outcome, SetAside};
use gemscope_report::{Directory, Judgement, Names, escape, json, text};
use sample::{at, context, definitions, everything, finding};
use snapbox::{Data, assert_data_eq, file};

fn with(judgement: &Judgement, f: impl FnOnce(&Names<'_>)) {
    f(&Names {
        context: &context(),
        judgement,
        directory: &Directory::default(),
        definitions: &definitions(),
    });
}

fn as_text(judgement: &Judgement, palette: &text::Palette) -> String {
    let mut out = String::new();
    with(judgement, |names| text::report(&mut out, names, palette).unwrap());
    out
}

fn as_json(judgement: &Judgement) -> String {
    let mut out = Vec::new();
    with(judgement, |names| json::report(&mut out, names).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn text_tells_everything() {
    let report = as_text(&everything(), &text::Palette::plain());
    assert_data_eq!(Data::text(report), file!["golden/everything.txt"].raw());
}

#[test]
fn json_tells_everything() {
    assert_data_eq!(Data::text(as_json(&everything())), file!["golden/everything.jsonl"].raw());
}

#[test]
fn names_cannot_steer_a_terminal() {
    for out in [as_text(&everything(), &text::Palette::plain()), as_json(&everything())] {
        let hostile: Vec<char> = out.chars().filter(|c| *c != '\n' && escape::is_hostile(*c)).collect();
        assert!(hostile.is_empty(), "{hostile:?}");
    }
}

#[test]
fn colours_add_nothing_but_colours() {
    let coloured = as_text(&everything(), &text::Palette::coloured());
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(coloured, plain);
    assert_eq!(plain, as_text(&everything(), &text::Palette::plain()));
}

#[test]
fn every_line_obeys_the_schema() {
    let schema = std::fs::read_to_string("schema/gemscope.schema.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let clean = Judgement::default();
    for (judgement, lines) in [(everything(), 27), (clean, 2)] {
        let out = as_json(&judgement);
        assert_eq!(out.lines().count(), lines);
        for line in out.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {line}");
        }
    }
    assert!(!validator.is_valid(&serde_json::json!({ "type": "summary" })));
}

#[test]
fn the_first_line_is_the_answer() {
    let first = |verdict, findings| {
        let judgement = Judgement { verdict, findings, outcome: Outcome::default(), ..everything() };
        as_text(&judgement, &text::Palette::plain()).lines().next().unwrap().to_owned()
    };
    assert_eq!(
        first(Verdict::Clean, Vec::new()),
        "gemscope: clean: nothing leaked and no rule was broken in 12,345 records"
    );
    assert_eq!(
        first(Verdict::Undecided(vec![Doubt::Drops(2)]), Vec::new()),
        "gemscope: undecided: 2 records were lost: the ring buffer was full"
    );
    let unsure = vec![Finding { tainted: true, ..finding(1, RuleId::FdLeak) }];
    assert_eq!(
        first(Verdict::Undecided(vec![Doubt::Gap, Doubt::OpenCalls(1)]), unsure),
        "gemscope: undecided: the trace is damaged or cut: records are missing (and 1 more reason); \
         uncertain: fd-leak ×1 (64.0 KiB)"
    );
}

#[test]
fn what_repeats_is_told_a_few_times_and_counted() {
    let leak = |n: u32| Finding { bytes: 4096, ..finding(n, RuleId::ObjectLeak) };
    let mut findings: Vec<Finding> = (1..=400).map(leak).collect();
    // Broken somewhere else: not like the others.
    let event = LifeEvent { what: What::HandleClosed, at: at(90, 20, 1) };
    findings.insert(200, Finding { event, ..leak(401) });
    let judgement = Judgement { findings, outcome: Outcome::default(), ..everything() };
    let text = as_text(&judgement, &text::Palette::plain());
    assert_eq!(text.matches("] a GEM object outlived").count(), 4);
    assert!(text.contains("   and 397 more like it, 1.6 MiB together; --json tells them all\n"), "{text}");
    let lines = as_json(&judgement);
    assert_eq!(lines.lines().filter(|l| l.starts_with("{\"type\":\"finding\"")).count(), 401);
}

#[test]
fn near_misses_change_no_answer() {
    let clean = Judgement { findings: Vec::new(), verdict: Verdict::Clean, ..everything() };
    let text = as_text(&clean, &text::Palette::plain());
    assert!(text.starts_with("gemscope: clean:") && text.contains("\nNear misses (legal today)\n"));
    let none = Judgement { near_misses: Vec::new(), ..clean };
    assert!(!as_text(&none, &text::Palette::plain()).contains("Near misses"));
}

#[test]
fn every_rule_is_explained() {
    let mut all = String::new();
    text::explain_all(&mut all, &text::Palette::plain()).unwrap();
    for id in RuleId::ALL {
        assert!(all.contains(id.name()));
        let mut one = String::new();
        text::explain(&mut one, id.rule(), &text::Palette::plain()).unwrap();
        assert!(one.contains(id.rule().title) && one.contains("what to do"));
    }
}

#[test]
fn what_is_set_aside_is_no_part_of_the_answer() {
    let aside = vec![SetAside { number: 1, entry: 0 }];
    let outcome = Outcome { set_aside: aside, ..everything().outcome };
    let known = Judgement {
        findings: vec![finding(1, RuleId::HandleLeak)],
        verdict: Verdict::Clean,
        outcome: Outcome { breaches: Vec::new(), ..outcome },
        doubts: Vec::new(),
        ..everything()
    };
    let text = as_text(&known, &text::Palette::plain());
    assert!(
        text.starts_with(
            "gemscope: clean: beside 1 finding set aside, nothing leaked, no rule was broken and 1 assertion held in 12,345 records\n"
        ),
        "{text}"
    );
    assert!(!text.contains("1. handle-leak"), "{text}");
    let lines = as_json(&known);
    assert!(lines.contains("\"set_aside\":{\"by\":\"suppression\",\"name\":\"known-pool\""), "{lines}");
}

#[test]
fn every_assertion_is_explained() {
    let mut all = String::new();
    text::explain_all(&mut all, &text::Palette::plain()).unwrap();
    for assertion in Assertion::ALL {
        assert!(all.contains(assertion.name()));
        let mut one = String::new();
        text::explain_assertion(&mut one, *assertion, &text::Palette::plain()).unwrap();
        assert!(one.contains(assertion.title()) && one.contains("what to do"));
    }
}
