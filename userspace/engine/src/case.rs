//! A finding in the making: the rule and the event, and then the evidence, piece by piece.

use crate::finding::{Entity, Finding, Holder, LifeEvent, Stamp, What};
use crate::rules::RuleId;

/// A finding in the making.
pub(crate) struct Case(Finding);

impl Case {
    /// This event broke this rule on this entity.
    pub fn new(rule: RuleId, entity: Entity, what: What, at: Stamp) -> Self {
        let event = LifeEvent { what, at };
        let bytes = entity.size();
        Self(Finding {
            number: 0,
            rule,
            entity,
            count: 1,
            bytes,
            event,
            conflict: None,
            holders: Vec::new(),
            life: Vec::new(),
            tainted: false,
            proven: false,
        })
    }

    /// The earlier event that it conflicts with, where that is known.
    pub fn against(mut self, what: What, at: Stamp) -> Self {
        self.0.conflict = at.is_known().then_some(LifeEvent { what, at });
        self
    }

    /// Who holds it and its story.
    pub fn evidence(mut self, (holders, life): (Vec<Holder>, Vec<LifeEvent>)) -> Self {
        (self.0.holders, self.0.life) = (holders, life);
        self
    }

    /// It speaks for this many entities.
    pub fn many(mut self, count: u64, bytes: u64) -> Self {
        (self.0.count, self.0.bytes) = (count, bytes);
        self
    }

    /// Loss could have changed it.
    pub fn tainted(mut self, tainted: bool) -> Self {
        self.0.tainted = tainted;
        self
    }

    /// It rests on a field that was read: nothing that was lost can make it wrong.
    pub fn proven(mut self) -> Self {
        self.0.proven = true;
        self
    }

    /// Is it what that finding said, once more: the same rule, process and stacks?
    pub fn repeats(&self, known: &Finding) -> bool {
        let place = |at: &Stamp| (at.tgid, at.kstack, at.ustack);
        let earlier = |f: &Finding| f.conflict.map(|c| (c.what, place(&c.at)));
        let of = |f: &Finding| (f.rule, f.event.what, place(&f.event.at), f.tainted, f.proven, earlier(f));
        of(&self.0) == of(known)
    }

    /// Bytes of what it is about.
    pub const fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The rule that it is about.
    pub const fn rule(&self) -> RuleId {
        self.0.rule
    }

    /// The finding, with its number. Where not everything was observed, only what is proven is certain.
    pub fn close(mut self, number: u32, doubtful: bool) -> Finding {
        self.0.number = number;
        self.0.tainted = (self.0.tainted || doubtful) && !self.0.proven;
        self.0
    }
}
