//! The rule table as a whole: names, documentation, and a test for every rule.

use std::collections::BTreeSet;

use gemscope_engine::{Class, RuleId};

const RULE_TESTS: &str = include_str!("rules.rs");

#[test]
fn names_are_unique_and_find_their_rule() {
    let names: BTreeSet<&str> = RuleId::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), RuleId::ALL.len());
    for rule in RuleId::ALL {
        assert_eq!(RuleId::from_name(rule.name()), Some(*rule));
        assert!(rule.name().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.name());
    }
    assert_eq!(RuleId::from_name("no-such-rule"), None);
}

#[test]
fn every_rule_is_documented() {
    for id in RuleId::ALL {
        let rule = id.rule();
        for text in [rule.title, rule.text, rule.eras, rule.kernel, rule.advice] {
            assert!(text.len() > 5, "{} lacks a text", id.name());
            assert!(!text.contains("  "), "{}: a doubled blank in `{text}`", id.name());
        }
        assert!(!rule.serves.is_empty() && rule.history.len() > 1, "{}", id.name());
    }
}

#[test]
fn every_rule_has_a_history_that_breaks_it_and_one_that_keeps_it() {
    for id in RuleId::ALL {
        if id.class() == Class::NearMiss {
            assert!(RULE_TESTS.contains(&format!("clean ({})", id.name())), "no test of {}", id.name());
            continue;
        }
        let test = format!("fn {}(", id.name().replace('-', "_"));
        let body = RULE_TESTS.split_once(&test).unwrap_or_else(|| panic!("no test `{test}`")).1;
        let body = body.split_once("\n}\n").map_or(body, |(b, _)| b);
        assert!(body.contains(&format!("{} ", id.name())), "the test of {} does not find it", id.name());
        assert!(body.contains("\"clean\""), "the test of {} has no history that keeps the rule", id.name());
    }
}
