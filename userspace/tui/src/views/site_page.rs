//! One call site: how much, since when, and the whole stacks.

use gemscope_report::{number, size};

use super::Sight;
use crate::growth::SiteKey;
use crate::page::Line;
use crate::text;
use crate::theme::Tone;

pub(crate) fn lines(sight: &Sight<'_>, key: &SiteKey, columns: usize) -> Vec<Line> {
    let lens = sight.lens;
    let (kind, tgid, kstack, ustack) = *key;
    let mut out = Vec::new();
    let site = sight.survey.sites.iter().find(|s| s.key() == *key);
    match site {
        Some(s) => {
            let what = format!("{} × {}", number(s.count), kind.name());
            out.push(Line::heading(format!("{what}, {}, taken by {}", size(s.bytes), lens.process(tgid))));
            let ages = format!("oldest {}, newest {}", lens.age(&s.oldest), lens.age(&s.newest));
            out.push(Line::new(format!("  outstanding; {ages}"), Tone::Plain));
        }
        None => {
            out.push(Line::heading(format!("{}, taken by {}", kind.name(), lens.process(tgid))));
            out.push(Line::new("  nothing of it is outstanding any more", Tone::Good));
        }
    }
    let at = gemscope_engine::Stamp { seq: 1, ts_ns: 0, tid: tgid, tgid, kstack, ustack };
    let stacks = lens.stacks(&at);
    for (user, title) in [(true, "user stack, innermost first"), (false, "kernel stack, innermost first")] {
        out.push(Line::default());
        out.push(Line::heading(title));
        let mut none = true;
        for (_, frame) in stacks.iter().filter(|(u, _)| *u == user) {
            none = false;
            let folded = text::fold(frame, columns.saturating_sub(3), 4);
            out.extend(folded.into_iter().map(|l| Line::new(format!("  {l}"), Tone::Plain)));
        }
        if none {
            out.push(Line::new("  not recorded", Tone::Faint));
        }
    }
    out
}
