//! What was asked, with or without an answer: every rule, every assertion, and whether all could be seen.

use gemscope_common::{Features, Profile};
use gemscope_engine::{Class, RuleId};
use gemscope_policy::Assertion;

use super::item::{Item, items};
use crate::escape;
use crate::names::{Names, doubt};
use crate::text::outcome::sentence;

/// The name of the question whether anything could have been missed.
pub(crate) const COMPLETE: &str = "nothing-was-missed";

/// One question.
pub(crate) struct Judged<'a> {
    /// stable name of the rule or assertion
    pub name: &'static str,
    /// `leak`, `violation`, `misuse`, `assertion`; `recording` for whether anything could have been missed
    pub class: &'static str,
    /// the answer
    pub state: State<'a>,
    /// what is set aside
    pub aside: Vec<Item<'a>>,
    /// what was seen, where that is told: a sentence each
    pub told: Vec<String>,
}

/// An answer.
pub(crate) enum State<'a> {
    /// Nothing was found.
    Held,
    /// It is broken.
    Broken(Vec<Item<'a>>),
    /// It seems to be broken, and something was lost or not seen that could explain it away; or it could not be answered, for these
    /// reasons.
    Unsure(Vec<Item<'a>>, Vec<String>),
    /// It was not asked, for this reason.
    Skipped(String),
}

/// Every question, in the order of the tables. Near misses are none: they are no part of the answer.
pub(crate) fn judged<'a>(names: &'a Names<'a>) -> Vec<Judged<'a>> {
    let all: Vec<Item<'a>> = items(names).filter(|item| !item.is_near_miss()).collect();
    let rules = RuleId::ALL.iter().filter(|r| r.class() != Class::NearMiss);
    let mut out: Vec<Judged<'a>> = rules
        .map(|rule| {
            let mut judged = of(&all, rule.name(), rule.class().name());
            if matches!(judged.state, State::Held)
                && let Some(why) = not_asked(names, *rule)
            {
                judged.state = State::Skipped(why);
            }
            judged
        })
        .collect();
    let outcome = &names.judgement.outcome;
    for assertion in Assertion::ALL {
        let name = assertion.name();
        let kept = outcome.kept.iter().filter(|k| k.name == name);
        let told: Vec<String> = kept.map(|k| sentence(&k.text)).collect();
        let unjudged = outcome.unjudged.iter().filter(|k| k.name == name);
        let unjudged: Vec<String> = unjudged.map(|k| sentence(&k.text)).collect();
        if told.is_empty() && unjudged.is_empty() && all.iter().all(|item| item.rule() != name) {
            continue;
        }
        let mut judged = Judged { told, ..of(&all, name, "assertion") };
        if matches!(judged.state, State::Held) && !unjudged.is_empty() {
            judged.state = State::Unsure(Vec::new(), unjudged);
        }
        out.push(judged);
    }
    out.push(complete(names));
    out
}

/// The answer by what was found.
fn of<'a>(all: &[Item<'a>], name: &'static str, class: &'static str) -> Judged<'a> {
    let (stand, aside): (Vec<Item<'a>>, Vec<Item<'a>>) =
        all.iter().copied().filter(|item| item.rule() == name).partition(Item::stands);
    let state = if stand.is_empty() {
        State::Held
    } else if stand.iter().any(Item::is_certain) {
        State::Broken(stand)
    } else {
        State::Unsure(stand, Vec::new())
    };
    Judged { name, class, state, aside, told: Vec::new() }
}

/// Could anything have been missed?
fn complete<'a>(names: &'a Names<'a>) -> Judged<'a> {
    let reasons: Vec<String> = names
        .judgement
        .doubts
        .iter()
        .map(|d| {
            let (what, advice) = doubt(*d);
            format!("{what}; {advice}")
        })
        .collect();
    let state = if reasons.is_empty() { State::Held } else { State::Unsure(Vec::new(), reasons) };
    let told = names.judgement.outcome.notes.iter().map(|n| sentence(n)).collect();
    Judged { name: COMPLETE, class: "recording", state, aside: Vec::new(), told }
}

/// Why nothing can be said of a rule of which nothing was found.
fn not_asked(names: &Names<'_>, rule: RuleId) -> Option<String> {
    let c = names.context;
    let features = c.features.iter().filter_map(|name| Features::from_name(name));
    let features = features.fold(Features::default(), Features::with);
    if let Some(profile) = Profile::from_name(&c.profile)
        && !rule.applies(profile, features)
    {
        return Some(format!(
            "there is nothing to break on kernels of {}: {}",
            profile.name(),
            rule.rule().eras
        ));
    }
    let blinded = c.blinded.iter().find(|s| s.split(' ').next() == Some(rule.name()))?;
    Some(escape::long(blinded.as_bytes()))
}
