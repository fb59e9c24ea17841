//! One number for everything that decides what the engine will say: equal for two engines that will say the same from here on,
//! whatever comes.
//!
//! Who explores all interleavings feeds engines by the million; most of them have learned the same by other ways. Names and numbers
//! of stamps are left out, but not what is compared of them. Every struct is taken apart field by field, so that a
//! new field has to be thought of here.

use std::hash::{Hash, Hasher as _};

use rustc_hash::FxHasher;

use crate::engine::Engine;
use crate::entity::{
    Attachment, Buf, BufKey, File, FileKey, Framebuffer, Grant, Handle, HandleKey, Hold, HoldKind, Mapped,
    Object, ObjectKey, Past,
};
use crate::finding::{Entity, Stamp};
use crate::near::Call;
use crate::thread::Frame;

fn hash(value: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// In no order: tables have none.
fn unordered(items: impl Iterator<Item = impl Hash>) -> u64 {
    items.fold(0, |all, item| all.wrapping_add(hash(item)))
}

/// Of a stamp only whether it is known and whose it is decides anything.
fn stamp(at: &Stamp) -> u64 {
    let Stamp { seq: _, ts_ns: _, tid, tgid, kstack: _, ustack: _ } = *at;
    if at.is_known() { hash((tid, tgid)) } else { 0 }
}

fn entity(entity: Entity) -> u64 {
    match entity {
        Entity::File { id: _, minor, client } => hash((0, minor, client)),
        Entity::Object { id: _, size } => hash((1, size)),
        Entity::Handle { file: _, handle, incarnation, object: _, size } => {
            hash((2, handle, incarnation, size))
        }
        Entity::DmaBuf { ino, id: _, size } => hash((3, ino, size)),
        Entity::Framebuffer { id } => hash((4, id)),
    }
}

impl Engine {
    /// One number for everything that decides what the engine will say from here on.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let s = &self.state;
        let files = unordered(s.files.values().map(|f| self.digest_file(f)));
        let handles = unordered(s.handles.values().map(|h| self.digest_handle(h)));
        let objects = unordered(s.objects.values().map(|o| self.digest_object(o)));
        let bufs = unordered(s.bufs.values().map(|b| self.digest_buf(b)));
        let attachments = unordered(s.attachments.iter().map(|(a, x)| hash((a, self.digest_attachment(x)))));
        let vmaps = unordered(s.vmaps.iter().map(|(b, v)| hash((self.of_buf(*b), v.len()))));
        let puts = unordered(s.last_puts.iter().map(|(b, at)| hash((self.of_buf(*b), stamp(at)))));
        let fbs = unordered(s.framebuffers.iter().map(|(a, x)| hash((a, self.digest_framebuffer(x)))));
        let findings = self.findings.iter().map(|f| hash((f.rule, entity(f.entity), f.tainted, f.proven)));
        let left = unordered(self.left.iter().map(|l| hash((self.of_file(l.file), l.decides()))));
        let calls = unordered(self.calls.all().map(|c| self.digest_call(c)));
        let threads = unordered(self.threads.all().map(|(tid, t)| {
            let frames = t.frames.iter().fold(0, |all, f| hash((all, self.digest_frame(f))));
            let installed = t.installed.map(|(fd, syscall, at)| (fd, syscall, stamp(&at)));
            hash((tid, t.epoch, t.unsynced, t.whole, t.destroying, installed, frames))
        }));
        let flags = (self.at_exit, self.allows_seen, self.counts_seen, s.epoch);
        let losses = hash((self.doubts(), self.counts().drops));
        hash((
            (files, handles, objects, bufs),
            (attachments, vmaps, puts, fbs),
            (unordered(findings), left, calls, threads),
            (
                unordered(s.graveyard.addresses()),
                unordered(self.seen.sights()),
                unordered(self.reach.processes()),
            ),
            (flags, losses),
        ))
    }

    fn of_file(&self, key: FileKey) -> u64 {
        self.state.files.get(key).map_or(0, |f| f.addr)
    }

    fn of_object(&self, key: ObjectKey) -> u64 {
        self.state.objects.get(key).map_or(0, |o| o.addr)
    }

    fn of_buf(&self, key: BufKey) -> u64 {
        self.state.bufs.get(key).map_or(0, |b| b.addr)
    }

    /// A handle's name: its file and number, or, as long as it has none, whose call makes it for what.
    fn of_handle(&self, key: HandleKey) -> u64 {
        let Some(h) = self.state.handles.get(key) else { return 0 };
        hash((self.of_file(h.file), h.id, h.incarnation, self.of_object(h.object), stamp(&h.created)))
    }

    fn digest_file(&self, file: &File) -> u64 {
        let File { addr, number: _, minor, client, opened, handles, creating, sure } = file;
        let slots = handles.slots().map(|(id, slot)| {
            let Past { closed, created: _, moved, object: _, incarnations, owed, owed_before, size } =
                slot.past;
            let live = slot.live.map(|h| self.of_handle(h));
            hash((id, live, closed.is_known(), moved > closed.seq, incarnations, owed, owed_before, size))
        });
        let creating = unordered(creating.iter().map(|h| self.of_handle(*h)));
        hash((addr, minor, client, opened.is_known(), unordered(slots), creating, sure))
    }

    fn digest_handle(&self, handle: &Handle) -> u64 {
        let Handle {
            file,
            object,
            id,
            incarnation,
            phase,
            cache_removed,
            released_early,
            allowed,
            putting,
            put,
            shared,
            by_import,
            acquired,
            sure,
            created,
            in_scope,
            cached,
        } = handle;
        let flags =
            (*phase as u8, cache_removed, released_early, allowed, (putting, put, by_import, in_scope));
        let cached = (cached.map(|b| self.of_buf(b)), shared.map(|b| self.of_buf(b)));
        hash((
            (self.of_file(*file), self.of_object(*object), id, incarnation),
            (flags, acquired, sure, stamp(created), cached),
        ))
    }

    fn digest_object(&self, object: &Object) -> u64 {
        let Object {
            addr,
            number: _,
            sure,
            size,
            born,
            in_flight,
            fb_counts,
            planes,
            maps,
            had_handle,
            ref_zero,
            // Follows from the others.
            tallied: _,
            in_scope,
            link,
            link_sure,
            imported,
            is_import,
            exported,
            handles,
            last_close,
        } = object;
        let of = |b: &Option<BufKey>| b.map(|b| self.of_buf(b));
        let handles = unordered(handles.iter().map(|h| self.of_handle(*h)));
        hash((
            (addr, sure, size, born.is_known(), in_flight, fb_counts, planes, maps),
            (had_handle, ref_zero, in_scope, is_import, link_sure, last_close.is_known()),
            (of(link), of(imported), of(exported), handles),
        ))
    }

    fn digest_buf(&self, buf: &Buf) -> u64 {
        let Buf {
            addr,
            ino,
            number: _,
            sure,
            size,
            born,
            exporter,
            released,
            released_in,
            in_scope,
            // Counted from the attachments, which are told themselves.
            attached: _,
            holds,
            grants,
        } = buf;
        let holds = holds.iter().map(|Hold { kind, at: _ }| match kind {
            HoldKind::Link(o) => hash((0, self.of_object(*o))),
            HoldKind::Cache(f, id) => hash((1, self.of_file(*f), id)),
            HoldKind::Importer(o) => hash((2, self.of_object(*o))),
        });
        let grants = grants.iter().map(|Grant { fd, at }| hash((fd, at.tgid)));
        hash((
            (addr, ino, sure, size, born.is_known(), exporter.map(|o| self.of_object(o))),
            (released.is_some(), released_in, in_scope, unordered(holds), unordered(grants)),
        ))
    }

    fn digest_attachment(&self, attachment: &Attachment) -> u64 {
        let Attachment { buf, at, sure, in_scope, maps, pins, orphaned } = attachment;
        let maps = maps.iter().map(|Mapped { sgt, direction, at: _ }| hash((sgt, direction)));
        let flags = (at.is_known(), in_scope, orphaned.is_some());
        hash((self.of_buf(*buf), flags, sure, unordered(maps), pins.len()))
    }

    fn digest_framebuffer(&self, fb: &Framebuffer) -> u64 {
        let Framebuffer { id, at, sure, in_scope, closed, planes } = fb;
        let planes = planes.iter().fold(0, |all, o| hash((all, self.of_object(*o))));
        hash((id, at.tgid, sure, in_scope, closed, planes))
    }

    fn digest_call(&self, call: &Call) -> u64 {
        let Call { doing, file, id, to, object, handle, buf, closed, at } = call;
        hash((
            (*doing as u8, self.of_file(*file), id, to, at.tid),
            (
                object.map(|o| self.of_object(o)),
                handle.map(|h| self.of_handle(h)),
                buf.map(|b| self.of_buf(b)),
            ),
            closed.map(|(id, _)| id),
        ))
    }

    fn digest_frame(&self, frame: &Frame) -> u64 {
        let Frame { probe, hit, made, broken, id, at, file, object, handle, buf } = frame;
        // Compared with when the call began: when the handle's last life ended and its present one began, and which devices were
        // attached.
        let slot = file.and_then(|f| self.state.files.get(f)?.handles.get(*id));
        let after =
            |of: fn(&Past) -> u64| slot.is_some_and(|s| s.past.closed.is_known() && of(&s.past) < at.seq);
        let after_close = (after(|p| p.closed.seq), after(|p| p.created));
        let younger =
            slot.and_then(|s| self.state.handles.get(s.live?)).is_some_and(|h| h.created.seq > at.seq);
        let attached = self.state.attachments.values().filter(|a| Some(a.buf) == *buf && a.at.seq < at.seq);
        hash((
            (probe, hit, made, broken, id, (after_close, younger), attached.count()),
            (file.map(|f| self.of_file(f)), object.map(|o| self.of_object(o))),
            (handle.map(|h| self.of_handle(h)), buf.map(|b| self.of_buf(b))),
        ))
    }
}
