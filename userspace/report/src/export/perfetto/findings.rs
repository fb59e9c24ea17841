//! Findings and near misses as moments on the tracks of the processes that they are about.
//!
//! They are written last, when all evidence is in, as a sequence of packets of its own: readers sort by time.

use super::*;
use gemscope_engine::{Finding, LifeEvent};

/// References told of one finding.
const HOLDERS_MAX: usize = 32;

impl Perfetto {
    pub(super) fn findings(&mut self, out: &mut dyn Write, now: &Now<'_>) -> io::Result<()> {
        let judgement = now.names().judgement;
        let mut all: Vec<&Finding> = judgement.findings.iter().chain(&judgement.near_misses).collect();
        let when = |f: &Finding| if f.event.at.ts_ns == 0 { now.ts_ns } else { f.event.at.ts_ns };
        all.sort_by_key(|f| when(f));
        // The tracks are told of first: findings then come in the order of time in their own sequence.
        let mut tracks = Vec::with_capacity(all.len());
        for finding in &all {
            // A settle point is nobody's: the leak is that of whoever took what leaked.
            let by = finding.conflict.filter(|c| c.at.is_known()).map_or(finding.event.at, |c| c.at);
            let by = if finding.event.at.tgid == 0 || finding.event.what == What::Settled {
                by.tgid
            } else {
                finding.event.at.tgid
            };
            tracks.push(if by == 0 { tracks::RECORDING } else { self.process(out, now, by)? });
        }
        self.packets = Packets::new(2);
        for (finding, track) in all.into_iter().zip(tracks) {
            let event = self.finding(now, finding, track);
            self.packets.event(out, when(finding), event)?;
            self.packets.renew();
        }
        Ok(())
    }

    fn finding(&mut self, now: &Now<'_>, f: &Finding, track: u64) -> TrackEvent {
        let names = now.names();
        let rule = f.rule.rule();
        let told = |e: &LifeEvent| format!("{} {}: {}", names.when(&e.at), e.what.text(), names.actor(&e.at));
        let mut list = vec![
            ("rule", Value::Text(rule.id.name().to_owned())),
            ("class", Value::Text(rule.class.name().to_owned())),
            ("title", Value::Text(rule.title.to_owned())),
            ("what", Value::Text(names.entity(f.entity))),
            ("certain", Value::Yes(!f.tainted)),
            ("count", Value::Number(f.count)),
            ("bytes", Value::Number(f.bytes)),
            ("event", Value::Text(told(&f.event))),
        ];
        if let Some(earlier) = &f.conflict {
            list.push(("earlier", Value::Text(told(earlier))));
        }
        let holders = f.holders.iter().take(HOLDERS_MAX).map(|h| names.holder(h)).collect();
        list.push(("held by", Value::List(holders)));
        list.push(("life", Value::List(f.life.iter().take(HOLDERS_MAX).map(told).collect())));
        list.push(("what to do", Value::Text(rule.advice.to_owned())));
        let mut notes: Vec<DebugAnnotation> =
            list.into_iter().map(|(label, value)| self.packets.note(label, value)).collect();
        let taken = f.conflict.filter(|c| c.at.kstack >= 0 || c.at.ustack >= 0).unwrap_or(f.event);
        self.packets.stacks(&mut notes, &names, &taken.at);
        let category = match rule.class {
            gemscope_engine::Class::NearMiss => "near-miss",
            _ => "finding",
        };
        let event = self.slice(track, category, rule.id.name().to_owned(), notes);
        TrackEvent { r#type: Some(kind::INSTANT), ..event }
    }
}
