//! One finding, with its evidence.

use std::fmt::{self, Write};

use gemscope_engine::{Class, Finding, Holder, LifeEvent, RuleId};

use super::paint::{Palette, paint, prose};
use super::stack::Told;
use crate::escape;
use crate::names::{Names, number, size};

/// Where the text of a labelled line begins.
pub(super) const INDENT: &str = "              ";

/// Holders and life events shown.
const HOLDERS_MAX: usize = 24;
const LIFE_MAX: usize = 24;

pub(crate) struct Teller<'a> {
    pub names: &'a Names<'a>,
    pub palette: &'a Palette,
}

impl Teller<'_> {
    pub fn finding(&self, out: &mut dyn Write, f: &Finding) -> fmt::Result {
        let rule = f.rule.rule();
        let style = if f.tainted { self.palette.warn } else { self.palette.bad };
        writeln!(
            out,
            "{}. {} [{}] {}{}",
            f.number,
            paint(style, f.rule.name()),
            rule.class.name(),
            paint(self.palette.strong, rule.title),
            if f.tainted { paint(self.palette.warn, " (uncertain)").to_string() } else { String::new() },
        )?;
        if f.tainted {
            self.labelled(out, "uncertain", "something was lost or not seen that could explain it away")?;
        }
        self.labelled(out, "what", &self.what(f))?;
        self.labelled(out, "who", &self.names.process(self.culprit(f)))?;
        if let Some(test) = self.test(f) {
            self.labelled(out, "test", &test)?;
        }
        let first = format!("   {:<11}", "what to do");
        prose(out, self.palette.faint, &first, INDENT, rule.advice)?;
        let mut told = Told::default();
        if let Some(earlier) = &f.conflict {
            let label = if rule.class == Class::Leak { "taken" } else { "earlier" };
            self.event(out, label, earlier, &mut told)?;
        }
        self.event(out, if rule.class == Class::Leak { "left" } else { "broken" }, &f.event, &mut told)?;
        self.holders(out, f, &mut told)?;
        self.life(out, &f.life)?;
        self.labelled(out, "more", &format!("gemscope explain {}", f.rule.name()))
    }

    /// There are more that differ in numbers only.
    pub fn and_more(&self, out: &mut dyn Write, findings: usize, bytes: u64) -> fmt::Result {
        let together = if bytes == 0 { String::new() } else { format!(", {} together", size(bytes)) };
        let text = format!("and {} more like it{together}; --json tells them all", number(findings as u64));
        writeln!(out, "   {}", paint(self.palette.strong, text))
    }

    /// Whose doing it is: for leaks who took the reference, for the rest who broke the rule.
    pub fn culprit(&self, f: &Finding) -> u32 {
        match &f.conflict {
            Some(taken) if f.rule.class() == Class::Leak => taken.at.tgid,
            _ => f.event.at.tgid,
        }
    }

    /// The test that was running, in words.
    pub fn test(&self, f: &Finding) -> Option<String> {
        self.names.test_of_finding(f).map(|test| escape::long(test.text().as_bytes()))
    }

    pub fn what(&self, f: &Finding) -> String {
        let entity = self.names.entity(f.entity);
        match (f.count, f.bytes) {
            (0 | 1, _) => entity,
            (n, 0) => format!("{} of the same stack; the first: {entity}", number(n)),
            (n, bytes) => {
                format!("{} of the same stack, {} together; the first: {entity}", number(n), size(bytes))
            }
        }
    }

    fn event(&self, out: &mut dyn Write, label: &str, event: &LifeEvent, told: &mut Told) -> fmt::Result {
        self.labelled(out, label, &self.event_line(event))?;
        told.tell(out, self.names, self.palette, &event.at, &format!("{INDENT}  "))
    }

    pub fn event_line(&self, event: &LifeEvent) -> String {
        let Stampless { when, actor } = self.stamp(event);
        format!("{when}  {}: {actor}", event.what.text())
    }

    fn stamp(&self, event: &LifeEvent) -> Stampless {
        if event.at.is_known() {
            Stampless { when: self.names.when(&event.at), actor: self.names.actor(&event.at) }
        } else {
            Stampless { when: "before the recording".to_owned(), actor: "not known".to_owned() }
        }
    }

    fn holders(&self, out: &mut dyn Write, f: &Finding, told: &mut Told) -> fmt::Result {
        if f.holders.is_empty() {
            return match f.rule {
                RuleId::ObjectLeak | RuleId::DmabufLeak => self.labelled(
                    out,
                    "still held",
                    "by nothing that can be named: the reference is inside the kernel",
                ),
                _ => Ok(()),
            };
        }
        for (i, holder) in f.holders.iter().take(HOLDERS_MAX).enumerate() {
            self.labelled(out, if i == 0 { "still held" } else { "" }, &self.holder_line(holder))?;
            told.tell(out, self.names, self.palette, &holder.taken, &format!("{INDENT}  "))?;
        }
        match f.holders.len().saturating_sub(HOLDERS_MAX) {
            0 => Ok(()),
            more => self.labelled(out, "", &format!("… and by {more} more")),
        }
    }

    pub fn holder_line(&self, holder: &Holder) -> String {
        let what = self.names.holder(holder);
        if holder.taken.is_known() {
            format!(
                "by {what}; taken {} by {}",
                self.names.when(&holder.taken),
                self.names.actor(&holder.taken)
            )
        } else {
            format!("by {what}")
        }
    }

    fn life(&self, out: &mut dyn Write, life: &[LifeEvent]) -> fmt::Result {
        let hidden = life.len().saturating_sub(LIFE_MAX);
        for (i, event) in life.iter().take(LIFE_MAX).enumerate() {
            self.labelled(out, if i == 0 { "life" } else { "" }, &self.event_line(event))?;
        }
        if hidden > 0 {
            self.labelled(out, "", &format!("… and {hidden} later events"))?;
        }
        Ok(())
    }

    pub fn labelled(&self, out: &mut dyn Write, label: &str, text: &str) -> fmt::Result {
        writeln!(out, "   {} {text}", paint(self.palette.faint, format_args!("{label:<10}")))
    }
}

struct Stampless {
    when: String,
    actor: String,
}
