//! The findings as a table, and in full as far as there is room for them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use gemscope_engine::{Finding, RuleId};
use maud::{Markup, PreEscaped, html};

use super::finding::{anchor, surety, teller, whole};
use super::tables::{self, Column, cell};
use crate::names::{Names, number, plural, size};
use crate::text::group::{Groups, Tell};

/// Rows of the table.
const ROWS: usize = 1500;
/// Bytes for findings told in full.
const ROOM: usize = 2 << 20;

/// Where a finding is told: in full, in the table, or together with others.
pub(super) fn link(number: u32) -> String {
    if number as usize <= ROWS { format!("#finding-{number}") } else { "#findings".to_owned() }
}

/// The section of findings.
pub(super) fn section(names: &Names<'_>) -> Markup {
    let findings = &names.judgement.findings;
    let mut groups = Groups::of(names.judgement.standing());
    let mut told = BTreeSet::new();
    let mut articles = String::new();
    let mut no_room = 0usize;
    for f in names.judgement.standing() {
        let more = match groups.next(f) {
            Tell::Nothing => continue,
            Tell::AndMore(findings, bytes) => Some((findings, bytes)),
            Tell::Full => None,
        };
        if articles.len() >= ROOM {
            no_room += 1;
            continue;
        }
        articles.push_str(&whole(names, f, more).0);
        told.insert(f.number);
    }
    html! {
        section #findings aria-labelledby="findings-h" {
            h2 #findings-h { "Findings" }
            @if findings.is_empty() {
                p { "Nothing was found." }
            } @else {
                (table(names, findings, &told))
                (PreEscaped(articles))
                @if no_room > 0 {
                    p.note { (plural(no_room as u64, "more finding is", "more findings are"))
                        " not told in full here, to keep this file small: " code { "gemscope replay" } " tells them." }
                }
            }
        }
    }
}

fn table(names: &Names<'_>, findings: &[Finding], told: &BTreeSet<u32>) -> Markup {
    const COLUMNS: &[Column] = &[
        Column::number("#"),
        Column::text("rule"),
        Column::text("class"),
        Column::text("what"),
        Column::number("bytes"),
        Column::number("count"),
        Column::text("process"),
        Column::text("sure?"),
    ];
    let teller = teller(names);
    let rows = findings.iter().take(ROWS).map(|f| {
        let id = anchor(f);
        let full = told.contains(&f.number);
        html! {
            // Every finding has one place: where it is told in full, or else here.
            tr id=[(!full).then_some(&id)] {
                (cell(u64::from(f.number), html! { @if full { a href=(format!("#{id}")) { (f.number) } } @else { (f.number) } }))
                th scope="row" { @if full { a href=(format!("#{id}")) { (f.rule.name()) } } @else { (f.rule.name()) } }
                td { (f.rule.class().name()) }
                td { (names.entity(f.entity)) }
                (cell(f.bytes, html! { @if f.bytes > 0 { (size(f.bytes)) } }))
                (cell(f.count, html! { (number(f.count.max(1))) }))
                td { (names.process(teller.culprit(f))) }
                td { (surety(f)) @if names.judgement.outcome.aside(f.number).is_some() { " " span.tag { "set aside" } } }
            }
        }
    });
    html! {
        (tables::table("findings-table", "Every finding", COLUMNS, rows))
        (left_out(findings.get(ROWS..).unwrap_or_default()))
    }
}

/// What the table had no room for, by rule.
fn left_out(rest: &[Finding]) -> Markup {
    let mut rules: BTreeMap<RuleId, u64> = BTreeMap::new();
    for f in rest {
        *rules.entry(f.rule).or_default() += 1;
    }
    let words: Vec<_> = rules.iter().map(|(rule, n)| format!("{} ×{}", rule.name(), number(*n))).collect();
    html! {
        @if !rest.is_empty() {
            p.note { "… and " (number(rest.len() as u64)) " more: " (words.join(", ")) }
        }
    }
}

/// What is legal today and was close to a bug; folded away.
pub(super) fn near_misses(names: &Names<'_>) -> Markup {
    let mut by_rule: BTreeMap<RuleId, (u64, &Finding)> = BTreeMap::new();
    for f in &names.judgement.near_misses {
        by_rule.entry(f.rule).or_insert((0, f)).0 += f.count.max(1);
    }
    let total: u64 = by_rule.values().map(|(n, _)| n).sum();
    let teller = teller(names);
    html! {
        @if !by_rule.is_empty() {
            section #near-misses aria-labelledby="near-misses-h" {
                h2 #near-misses-h { "Near misses" }
                details {
                    summary { (plural(total, "time", "times"))
                        " two calls met where older kernels, or one step more, have a bug: legal, and no part of the verdict" }
                    @for (rule, (count, first)) in by_rule {
                        h3 { (rule.name()) " ×" (number(count)) }
                        p { (rule.rule().title) }
                        dl.key {
                            dt { "The first" } dd { (names.entity(first.entity)) }
                            @if let Some(earlier) = &first.conflict { dt { "Earlier" } dd { (teller.event_line(earlier)) } }
                            dt { "Then" } dd { (teller.event_line(&first.event)) }
                        }
                        p.note { "More: " code { "gemscope explain " (rule.name()) } }
                    }
                }
            }
        }
    }
}
