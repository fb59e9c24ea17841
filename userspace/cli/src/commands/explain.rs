//! `gemscope explain [RULE]`: what the rules and the assertions of a project mean.

use anyhow::bail;
use gemscope_engine::{Rule, RuleId};
use gemscope_policy::Assertion;
use gemscope_report::{escape, json, text};
use serde::Serialize;

use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::ui::{self, Sink, Ui};
use crate::values;

pub fn run(args: &ExplainArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let (rules, assertions) = match &args.rule {
        None => (RuleId::ALL.to_vec(), Assertion::ALL.to_vec()),
        Some(name) => find(name)?,
    };
    if args.json {
        let mut out = Vec::new();
        for rule in rules {
            json::write_line(&mut out, &Line::of(rule.rule()))?;
        }
        for assertion in assertions {
            json::write_line(&mut out, &Asserted::of(assertion))?;
        }
        Sink::Stdout.write(&out)?;
        return Ok(Exit::Clean);
    }
    let palette = ui.palette(&Sink::Stdout);
    let mut out = String::new();
    match (rules.as_slice(), assertions.as_slice()) {
        ([rule], []) => text::explain(&mut out, rule.rule(), &palette)?,
        ([], [assertion]) => text::explain_assertion(&mut out, *assertion, &palette)?,
        _ => text::explain_all(&mut out, &palette)?,
    }
    ui::print(&out)?;
    Ok(Exit::Clean)
}

fn find(name: &str) -> anyhow::Result<(Vec<RuleId>, Vec<Assertion>)> {
    match (RuleId::from_name(name), Assertion::from_name(name)) {
        (Some(rule), _) => return Ok((vec![rule], Vec::new())),
        (None, Some(assertion)) => return Ok((Vec::new(), vec![assertion])),
        (None, None) => {}
    }
    let assertions = Assertion::ALL.iter().map(|a| a.name());
    let near = values::nearest(name, RuleId::ALL.iter().map(|r| r.name()).chain(assertions));
    bail!("no rule is called `{}`{near}; `gemscope explain` lists them", escape::name(name.as_bytes()))
}

/// A rule as a line of JSON.
#[derive(Serialize)]
struct Line {
    r#type: &'static str,
    rule: &'static str,
    class: &'static str,
    title: &'static str,
    text: &'static str,
    serves: &'static [&'static str],
    eras: &'static str,
    kernel: &'static str,
    advice: &'static str,
    history: &'static [&'static str],
}

impl Line {
    const fn of(rule: &'static Rule) -> Self {
        let Rule { id, class, title, text, serves, eras, kernel, advice, history } = *rule;
        let (rule, class) = (id.name(), class.name());
        Self { r#type: "rule", rule, class, title, text, serves, eras, kernel, advice, history }
    }
}

/// An assertion as a line of JSON.
#[derive(Serialize)]
struct Asserted {
    r#type: &'static str,
    rule: &'static str,
    class: &'static str,
    title: &'static str,
    text: &'static str,
    advice: &'static str,
}

impl Asserted {
    const fn of(a: Assertion) -> Self {
        let (rule, title, text, advice) = (a.name(), a.title(), a.text(), a.advice());
        Self { r#type: "assertion", rule, class: "assertion", title, text, advice }
    }
}
