//! One finding: first what, who, where and who still holds it; then the evidence.

use std::collections::BTreeMap;

use gemscope_engine::{Class, Finding, HolderKind, LifeEvent, RuleId, What};
use maud::{Markup, html};

use super::stack::{self, Told};
use super::{PLAIN, graph};
use crate::names::{Names, number, plural, size};
use crate::text::finding::Teller;

/// Holders and life events shown.
const HOLDERS_MAX: usize = 48;
const LIFE_MAX: usize = 32;

/// Whom to ask for the words.
pub(super) const fn teller<'a>(names: &'a Names<'a>) -> Teller<'a> {
    Teller { names, palette: &PLAIN }
}

/// The anchor of a finding.
pub(super) fn anchor(f: &Finding) -> String {
    format!("finding-{}", f.number)
}

/// `certain` or `uncertain`.
pub(super) fn surety(f: &Finding) -> Markup {
    if f.tainted {
        html! { span.tag.warn { "uncertain" } }
    } else {
        html! { span.tag.sure { "certain" } }
    }
}

/// The whole of it. `more` speaks of findings like it that are not told.
pub(super) fn whole(names: &Names<'_>, f: &Finding, more: Option<(usize, u64)>) -> Markup {
    let rule = f.rule.rule();
    let leak = rule.class == Class::Leak;
    let id = anchor(f);
    let teller = teller(names);
    let mut told = Told::default();
    let begun = f.conflict.as_ref().filter(|_| leak).unwrap_or(&f.event);
    let taken = leak && is_taking(begun.what);
    // Of what the kernel leaks there is no stack of the taking: where it was made is the next best.
    let place = stack::place(names, &begun.at);
    let made = f.life.iter().find(|e| place.is_empty() && !stack::place(names, &e.at).is_empty());
    let place = made.map_or(place, |e| stack::place(names, &e.at));
    html! {
        article.finding id=(id) aria-labelledby=(format!("{id}-h")) {
            h3 id=(format!("{id}-h")) {
                a.self href=(format!("#{id}")) { (f.number) "." } " " (f.rule.name()) " "
                span.tag { (rule.class.name()) } " " (surety(f))
            }
            p.title { (capital(rule.title)) "." }
            @if f.tainted {
                p.doubt { "Uncertain: something was lost or not seen that could explain it away." }
            }
            dl.key {
                dt { @if leak { "What leaks" } @else { "What" } }
                dd { (teller.what(f)) }
                dt { @if taken { "Who took it" } @else if leak { "Whose it was" } @else { "Who did it" } }
                dd { (names.process(teller.culprit(f))) }
                @if let Some(test) = teller.test(f) { dt { "Test" } dd { (test) } }
                @if !place.is_empty() {
                    dt { @if made.is_some() { "Made in" } @else if taken { "Taken in" } @else { "Where" } }
                    dd { @for (i, frame) in place.iter().enumerate() {
                        @if i > 0 { span.by { " called by " } }
                        code { (frame) }
                    } }
                }
                @if !f.holders.is_empty() || matches!(f.rule, RuleId::ObjectLeak | RuleId::DmabufLeak) {
                    dt { @if leak { "Still held by" } @else { "Held by" } }
                    dd { (held_by(f)) }
                }
                dt { "What to do" }
                dd { (capital(rule.advice)) "." }
            }
            @if let Some(made) = made { (event(&teller, "Made", made, &mut told, &id)) }
            @if let Some(earlier) = &f.conflict {
                (event(&teller, if taken { "Taken" } else { "Earlier" }, earlier, &mut told, &id))
            }
            (event(&teller, if leak { "Left" } else { "Broken" }, &f.event, &mut told, &id))
            @if let Some(drawing) = graph::drawing(names, f, &format!("{id}-graph")) {
                h4 { @if leak { "Who still holds what" } @else { "Who holds what" } }
                p.note { "An arrow points from what holds to what it keeps alive." }
                (drawing)
            }
            (holders(&teller, f, &mut told, &id))
            (life(&teller, &f.life))
            @if let Some((findings, bytes)) = more {
                p.more {
                    "And " (number(findings as u64)) " more like it"
                    @if bytes > 0 { ", " (size(bytes)) " together" }
                    ": the table above counts them."
                }
            }
            p.note { "More: " code { "gemscope explain " (f.rule.name()) } }
        }
    }
}

/// Is it the taking of a reference? A leak inside the kernel is told from the last that was given back.
const fn is_taking(what: What) -> bool {
    !matches!(
        what,
        What::HandleClosed
            | What::HandleClosedByFile
            | What::FdClosed
            | What::FdClosedAtExit
            | What::Detached
            | What::Put
            | What::LastPut
            | What::FileReleased
            | What::Released
            | What::RefZero
            | What::Unmapped
    )
}

/// With a capital letter, and without the full stop that the sentence gives.
pub(super) fn capital(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `4 references: 1 handle, 1 dma-buf, …`, in the order of the ledger's kinds.
fn held_by(f: &Finding) -> String {
    let mut kinds: BTreeMap<usize, ((&str, &str), u64)> = BTreeMap::new();
    for holder in &f.holders {
        let (order, words) = match holder.kind {
            HolderKind::Handle(_) => (0, ("handle", "handles")),
            HolderKind::Framebuffer { .. } => (1, ("framebuffer", "framebuffers")),
            HolderKind::Fd { .. } => (2, ("dma-buf fd", "dma-buf fds")),
            HolderKind::PathFd { .. } => (3, ("O_PATH fd", "O_PATH fds")),
            HolderKind::Mapping { .. } => (4, ("user mapping", "user mappings")),
            HolderKind::Exported(_) => (5, ("dma-buf exported from it", "dma-bufs exported from it")),
            HolderKind::Link(_) => (6, ("link of the object", "links of objects")),
            HolderKind::Cache { .. } => (7, ("PRIME cache entry", "PRIME cache entries")),
            HolderKind::Importer(_) => (8, ("importing object", "importing objects")),
            HolderKind::Attachment => (9, ("device attachment", "device attachments")),
        };
        kinds.entry(order).or_insert((words, 0)).1 += 1;
    }
    if kinds.is_empty() {
        return "nothing that can be named: the reference is inside the kernel".to_owned();
    }
    let words: Vec<_> = kinds.values().map(|((one, many), n)| plural(*n, one, many)).collect();
    words.join(", ")
}

fn event(teller: &Teller<'_>, label: &str, event: &LifeEvent, told: &mut Told, id: &str) -> Markup {
    html! {
        div.event {
            p { b { (label) } " " (teller.event_line(event)) }
            (told.tell(teller.names, &event.at, id))
        }
    }
}

fn holders(teller: &Teller<'_>, f: &Finding, told: &mut Told, id: &str) -> Markup {
    let more = f.holders.len().saturating_sub(HOLDERS_MAX);
    html! {
        @if !f.holders.is_empty() {
            h4 { "Every reference" }
            ul.holders {
                @for holder in f.holders.iter().take(HOLDERS_MAX) {
                    li { (teller.holder_line(holder)) (told.tell(teller.names, &holder.taken, id)) }
                }
                @if more > 0 { li { "… and by " (number(more as u64)) " more" } }
            }
        }
    }
}

fn life(teller: &Teller<'_>, life: &[LifeEvent]) -> Markup {
    let more = life.len().saturating_sub(LIFE_MAX);
    html! {
        @if !life.is_empty() {
            details {
                summary { "Its life, " (plural(life.len() as u64, "event", "events")) }
                ol.life {
                    @for event in life.iter().take(LIFE_MAX) { li { (teller.event_line(event)) } }
                    @if more > 0 { li { "… and " (number(more as u64)) " later events" } }
                }
            }
        }
    }
}
