//! The head: the answer in words, and what it rests on. It says whatever limits the answer before anything else.

use gemscope_engine::Verdict;
use maud::{Markup, html};

use super::Report;
use crate::escape;
use crate::names::number;
use crate::notes::notes;
use crate::text::{header as words, verdict};

/// The answer, and right below it what could make it less.
pub(super) fn verdict(report: &Report<'_>) -> Markup {
    let j = report.names.judgement;
    let c = report.names.context;
    let (class, mark) = match j.verdict {
        Verdict::Clean => ("clean", "✓"),
        Verdict::Findings => ("bad", "✗"),
        Verdict::Undecided(_) => ("undecided", "?"),
    };
    html! {
        p class=(format!("verdict {class}")) {
            span.sign aria-hidden="true" { (mark) } " " (verdict::sentence(j))
        }
        @if !c.damage.is_empty() {
            div.warning role="note" {
                p { b { "Only a part of the trace could be read." } " What is missing may have mattered." }
                ul { @for damage in &c.damage { li { (escape::long(damage.as_bytes())) } } }
            }
        }
        @let reasons: Vec<_> = j.reasons().collect();
        @if !reasons.is_empty() {
            div.warning role="note" {
                p { b { @match j.verdict {
                    Verdict::Findings => "Something could have been missed beside these findings:",
                    Verdict::Clean | Verdict::Undecided(_) => "Why the verdict is undecided:",
                } } }
                ul { @for (what, advice) in &reasons {
                    li { (what) ". " span.advice { "What helps: " (advice) "." } }
                } }
            }
        }
    }
}

/// Whose rules, what was watched, what was not.
pub(super) fn facts(report: &Report<'_>) -> Markup {
    let c = report.names.context;
    let j = report.names.judgement;
    let tainted = j.uncertain();
    html! {
        section #about aria-labelledby="about-h" {
            h2 #about-h { "What was run" }
            dl.facts {
                @if !c.command.is_empty() { dt { "Command" } dd { code { (words::command(&c.command)) } } }
                @if !c.status.is_empty() { dt { "Its end" } dd { (escape::long(c.status.as_bytes())) } }
                @if !report.started.is_empty() { dt { "When" } dd { (report.started) } }
                dt { "Kernel" } dd { (words::kernel(c)) }
                dt { "Rules" } dd { (words::rules(c)) }
                dt { "Seen" } dd { (words::seen(j)) }
                @if tainted > 0 {
                    dt { "Uncertain" }
                    dd { (number(tainted as u64)) " of " (number(j.findings.len() as u64)) " findings rest on what was lost or not seen" }
                }
                dt { "Probes" } dd { (words::probes(c)) }
                @for missing in &c.missing {
                    dt { "Missing" }
                    dd { code { (escape::name(missing.probe.as_bytes())) } ": " (escape::long(missing.reason.as_bytes()))
                        @if !missing.blind.is_empty() { "; " (missing.blind) } }
                }
                @for sentence in &c.blinded { dt { "Blind" } dd { (escape::long(sentence.as_bytes())) } }
                @if !c.filters.is_empty() {
                    dt { "Filters" }
                    dd {
                        @for f in &c.filters { code { (escape::long(f.as_bytes())) } " " }
                        "what they leave out cannot be judged"
                    }
                }
                @if c.root_pid != 0 { dt { "About" } dd { "process " (c.root_pid) " and all that it started" } }
                @if !c.trace.is_empty() { dt { "Trace" } dd { code { (escape::long(c.trace.as_bytes())) } } }
                @for note in &c.notes { dt { "Note" } dd { (escape::long(note.as_bytes())) } }
                @for note in notes(j) { dt { "Not judged" } dd { (note.text) (held(report, &note.held)) } }
            }
        }
    }
}

/// dma-bufs that a note speaks of, with who holds them.
fn held(report: &Report<'_>, held: &[&gemscope_engine::Held]) -> Markup {
    const MOST: usize = 16;
    html! {
        @if !held.is_empty() {
            details {
                summary { "which, and who holds them" }
                ul { @for h in held.iter().take(MOST) {
                    li { (report.names.entity(h.entity)) ul { @for holder in h.holders.iter().take(MOST) { li { "by " (report.names.holder(holder)) } } } }
                } @if held.len() > MOST { li { "… and " (held.len() - MOST) " more" } } }
            }
        }
    }
}
