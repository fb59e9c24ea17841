//! `gemscope explain [RULE]`: what the rules mean.

use anyhow::bail;
use gemscope_engine::{Rule, RuleId};
use gemscope_report::{escape, json, text};
use serde::Serialize;

use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::ui::{self, Sink, Ui};
use crate::values;

pub fn run(args: &ExplainArgs, ui: &Ui) -> anyhow::Result<Exit> {
    let rules: Vec<RuleId> = match &args.rule {
        None => RuleId::ALL.to_vec(),
        Some(name) => vec![find(name)?],
    };
    if args.json {
        let mut out = Vec::new();
        for rule in rules {
            json::write_line(&mut out, &Line::of(rule.rule()))?;
        }
        Sink::Stdout.write(&out)?;
        return Ok(Exit::Clean);
    }
    let palette = ui.palette(&Sink::Stdout);
    let mut out = String::new();
    match (&args.rule, rules.as_slice()) {
        (Some(_), [rule]) => text::explain(&mut out, rule.rule(), &palette)?,
        _ => text::explain_all(&mut out, &palette)?,
    }
    ui::print(&out)?;
    Ok(Exit::Clean)
}

fn find(name: &str) -> anyhow::Result<RuleId> {
    if let Some(rule) = RuleId::from_name(name) {
        return Ok(rule);
    }
    let near = values::nearest(name, RuleId::ALL.iter().map(|r| r.name()));
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
