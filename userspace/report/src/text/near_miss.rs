//! What is legal today and was close to a bug: rule by rule, how often, and the two events of the first.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use gemscope_engine::{Finding, RuleId};

use super::finding::Teller;
use super::paint::paint;
use crate::names::number;

/// Writes the section, when there is something to tell.
pub(super) fn tell(out: &mut dyn Write, teller: &Teller<'_>, near_misses: &[Finding]) -> fmt::Result {
    if near_misses.is_empty() {
        return Ok(());
    }
    let mut by_rule: BTreeMap<RuleId, (u64, &Finding)> = BTreeMap::new();
    for f in near_misses {
        by_rule.entry(f.rule).or_insert((0, f)).0 += f.count.max(1);
    }
    writeln!(out, "{}", paint(teller.palette.strong, "Near misses (legal today)"))?;
    for (rule, (count, first)) in by_rule {
        let name = paint(teller.palette.warn, rule.name());
        writeln!(out, "   {name} ×{} {}", number(count), rule.rule().title)?;
        teller.labelled(out, "the first", &teller.names.entity(first.entity))?;
        if let Some(earlier) = &first.conflict {
            teller.labelled(out, "", &teller.event_line(earlier))?;
        }
        teller.labelled(out, "", &teller.event_line(&first.event))?;
        teller.labelled(out, "more", &format!("gemscope explain {}", rule.name()))?;
    }
    writeln!(out)
}
