//! How much is alive, counted as it comes and goes: what limits are held against with every record.

use crate::engine::Engine;
use crate::entity::{Attachment, Buf, Framebuffer, Handle, Object};
use crate::finding::Stamp;

/// How much is alive of what was born since the first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// GEM handles
    pub handles: u64,
    /// dma-bufs
    pub dmabufs: u64,
    /// device attachments
    pub attachments: u64,
    /// framebuffers
    pub framebuffers: u64,
    /// GEM objects
    pub objects: u64,
    /// bytes of objects that user space has, or had, handles on, and of dma-bufs that are made from no object; each once
    pub bytes: u64,
}

/// Of everything, and of what processes of the scope made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    all: Tally,
    scope: Tally,
}

impl Tallies {
    fn add(&mut self, born: &Stamp, in_scope: bool, by: i64, amount: u64, of: fn(&mut Tally) -> &mut u64) {
        // What is older than the trace is not its doing.
        if !born.is_known() {
            return;
        }
        let tallies = [Some(&mut self.all), in_scope.then_some(&mut self.scope)];
        for n in tallies.into_iter().flatten().map(of) {
            *n = if by > 0 { n.saturating_add(amount) } else { n.saturating_sub(amount) };
        }
    }

    pub fn handle(&mut self, h: &Handle, by: i64) {
        self.add(&h.created, h.in_scope, by, 1, |t| &mut t.handles);
    }

    pub fn object(&mut self, o: &Object, by: i64) {
        self.add(&o.born, o.in_scope, by, 1, |t| &mut t.objects);
    }

    pub fn object_bytes(&mut self, o: &Object, by: i64) {
        self.add(&o.born, o.in_scope, by, o.size, |t| &mut t.bytes);
    }

    pub fn buf(&mut self, b: &Buf, by: i64) {
        self.add(&b.born, b.in_scope, by, 1, |t| &mut t.dmabufs);
        let own = if b.exporter.is_none() { b.size } else { 0 };
        self.add(&b.born, b.in_scope, by, own, |t| &mut t.bytes);
    }

    pub fn attachment(&mut self, a: &Attachment, by: i64) {
        self.add(&a.at, a.in_scope, by, 1, |t| &mut t.attachments);
    }

    pub fn framebuffer(&mut self, fb: &Framebuffer, by: i64) {
        self.add(&fb.at, fb.in_scope, by, 1, |t| &mut t.framebuffers);
    }
}

impl Engine {
    /// How much is alive that processes of the scope made; with `everyone`, whoever made it.
    #[must_use]
    pub const fn tally(&self, everyone: bool) -> Tally {
        if everyone { self.state.tallies.all } else { self.state.tallies.scope }
    }
}
