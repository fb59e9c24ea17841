//! Who holds what, by the place in the program that took it.

use gemscope_engine::{Engine, HeldKind, Stamp};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

use crate::breach::Share;
use crate::kind::Kind;

/// Names a reference for as long as it lives: its kind, and the record that took it.
pub(crate) type Key = (HeldKind, u64);

/// A call: process, kernel stack, user stack.
pub(crate) type Call = (u32, i32, i32);

/// Contributors that a breach names.
const MOST: usize = 16;

impl Kind {
    /// The kind of a reference.
    pub(crate) const fn of_held(held: HeldKind) -> Self {
        match held {
            HeldKind::Handle => Self::Handles,
            HeldKind::Dmabuf => Self::Dmabufs,
            HeldKind::Attachment => Self::Attachments,
            HeldKind::Framebuffer => Self::Framebuffers,
            HeldKind::Object => Self::Objects,
        }
    }
}

/// Everything that is held, one by one.
pub(crate) fn each(engine: &Engine, everyone: bool) -> impl Iterator<Item = (Key, Share)> {
    engine.references().filter(move |r| everyone || r.in_scope).map(|r| {
        let share = Share { taken: r.taken, newest: r.taken, count: 1, bytes: r.bytes };
        ((r.kind, r.taken.seq), share)
    })
}

/// What of these is of a kind, by call. For bytes, what has bytes of its own.
pub(crate) fn of_kind(kind: Kind, held: impl Iterator<Item = (Key, Share)>) -> Vec<Share> {
    let wanted = |held: HeldKind| match kind {
        Kind::Bytes => matches!(held, HeldKind::Handle | HeldKind::Dmabuf | HeldKind::Object),
        Kind::Objects => matches!(held, HeldKind::Handle | HeldKind::Object | HeldKind::Framebuffer),
        kind => Kind::of_held(held) == kind,
    };
    let mut by_call: FxHashMap<(HeldKind, Call), Share> = FxHashMap::default();
    for ((held, _), share) in held {
        if wanted(held) {
            add(by_call.entry((held, call(&share.taken))), share);
        }
    }
    let mut all: Vec<Share> = by_call.into_values().collect();
    all.sort_unstable_by_key(|s| s.taken.seq);
    all
}

pub(crate) const fn call(at: &Stamp) -> Call {
    (at.tgid, at.kstack, at.ustack)
}

fn add<K>(entry: std::collections::hash_map::Entry<'_, K, Share>, more: Share) {
    entry
        .and_modify(|share| {
            share.count += more.count;
            share.bytes = share.bytes.saturating_add(more.bytes);
            if more.taken.seq < share.taken.seq {
                share.taken = more.taken;
            }
            if more.newest.seq > share.newest.seq {
                share.newest = more.newest;
            }
        })
        .or_insert(more);
}

/// Calls that are the same place in words: the same program again, at another address.
pub(crate) struct Places<'a> {
    place: &'a dyn Fn(&Stamp) -> String,
    known: RefCell<FxHashMap<Call, String>>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(place: &'a dyn Fn(&Stamp) -> String) -> Self {
        Self { place, known: RefCell::default() }
    }

    /// The place of a stamp. What has no stack is a place of its process.
    pub(crate) fn of(&self, at: &Stamp) -> String {
        let mut known = self.known.borrow_mut();
        known.entry(call(at)).or_insert_with(|| (self.place)(at)).clone()
    }

    /// Shares of the same kind and place put together, the greatest first.
    pub(crate) fn merged(&self, shares: impl Iterator<Item = (Kind, Share)>) -> Vec<Share> {
        let mut by_place: FxHashMap<(Kind, String), Share> = FxHashMap::default();
        for (kind, share) in shares {
            add(by_place.entry((kind, self.of(&share.taken))), share);
        }
        let mut all: Vec<Share> = by_place.into_values().collect();
        all.sort_unstable_by_key(|s| (std::cmp::Reverse(s.count), s.taken.seq));
        all.truncate(MOST);
        all
    }
}
