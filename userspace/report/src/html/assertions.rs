//! What the project asserted: what broke, what held, and what was set aside by whom.

use gemscope_policy::{Breach, Entry};
use maud::{Markup, html};

use super::stack::Told;
use super::tables::{self, Column, cell};
use crate::names::{Names, number, size};
use crate::text::breach;
use crate::text::outcome::{entry, idle, sentence};

/// Broken assertions told, and call sites of each.
const BREACHES: usize = 50;
const SHARES: usize = 12;

/// Is there anything to tell?
pub(super) fn any(names: &Names<'_>) -> bool {
    names.judgement.outcome != gemscope_policy::Outcome::default()
}

/// The section, where there is anything to tell.
pub(super) fn section(names: &Names<'_>) -> Markup {
    let o = &names.judgement.outcome;
    let used: Vec<&Entry> = o.entries.iter().filter(|e| e.findings > 0).collect();
    let idle: Vec<String> = o.entries.iter().filter_map(idle).collect();
    html! {
        @if any(names) {
            section #assertions aria-labelledby="assertions-h" {
                h2 #assertions-h { "Assertions" }
                @for b in o.breaches.iter().take(BREACHES) { (whole(names, b)) }
                @if o.breaches.len() > BREACHES { p.note { "… and " (o.breaches.len() - BREACHES) " more" } }
                @if !o.kept.is_empty() {
                    ul { @for kept in &o.kept { li { span.tag.sure { "kept" } " " (sentence(&kept.text)) } } }
                }
                @if !used.is_empty() { h3 { "Set aside" } (table(&used)) }
                @if !idle.is_empty() || !o.notes.is_empty() {
                    ul {
                        @for line in &idle { li { (line) } }
                        @for note in &o.notes { li { (sentence(note)) } }
                    }
                }
            }
        }
    }
}

fn whole(names: &Names<'_>, b: &Breach) -> Markup {
    let id = format!("finding-{}", b.number);
    let mut told = Told::default();
    html! {
        article.finding id=(id) aria-labelledby=(format!("{id}-h")) {
            h3 id=(format!("{id}-h")) {
                a.self href=(format!("#{id}")) { (b.number) "." } " " (b.assertion.name()) " "
                @if b.tainted { span.tag.warn { "uncertain" } } @else { span.tag.sure { "certain" } }
                @if names.judgement.outcome.aside(b.number).is_some() { " " span.tag { "set aside" } }
            }
            p.title { (super::finding::capital(b.assertion.title())) "." }
            dl.key {
                dt { "What" } dd { (breach::what(b)) }
                @if let Some(slope) = &b.slope { dt { "Growth" } dd { (breach::grew(b, slope)) } }
                @if let Some(who) = breach::who(names, b) { dt { "Who took it" } dd { (who) } }
                dt { "What to do" } dd { (super::finding::capital(b.assertion.advice())) "." }
            }
            @for share in b.shares.iter().take(SHARES) {
                p { (breach::share_line(names, b, share)) }
                (told.tell(names, &share.taken, &id))
            }
            @if b.shares.len() > SHARES { p.note { "… and " (b.shares.len() - SHARES) " more call sites" } }
            p.note { "More: " code { "gemscope explain " (b.assertion.name()) } }
        }
    }
}

fn table(used: &[&Entry]) -> Markup {
    const COLUMNS: &[Column] =
        &[Column::number("findings"), Column::number("count"), Column::number("bytes"), Column::text("by")];
    let rows = used.iter().map(|e| {
        html! {
            tr {
                (cell(e.findings, html! { (number(e.findings)) }))
                (cell(e.count, html! { (number(e.count)) }))
                (cell(e.bytes, html! { (size(e.bytes)) }))
                td { (entry(e)) }
            }
        }
    });
    html! { (tables::table("set-aside-table", "What was set aside, and by what", COLUMNS, rows)) }
}
