//! The ledger's tables: entities by key, and the kernel addresses that name their live incarnations.

use gemscope_common::{DrmFile, Gem};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use smallvec::SmallVec;
use std::collections::VecDeque;

use crate::entity::{
    Attachment, Buf, BufKey, File, FileKey, Framebuffer, Handle, HandleKey, HandleTable, Hold, HoldKind,
    Object, ObjectKey,
};
use crate::finding::Stamp;
use crate::tally::Tallies;

/// Addresses of dma-bufs that ended lately: a use of one without a new birth is a use after free.
#[derive(Clone, Default)]
pub(crate) struct Graveyard {
    by_addr: FxHashMap<u64, (Stamp, u32, u64, u64)>,
    order: VecDeque<u64>,
}

impl Graveyard {
    const KEEP: usize = 1024;

    fn bury(&mut self, buf: &Buf, at: Stamp) {
        if self.by_addr.insert(buf.addr, (at, buf.number, buf.ino, buf.size)).is_none() {
            self.order.push_back(buf.addr);
        }
        if self.order.len() > Self::KEEP
            && let Some(old) = self.order.pop_front()
        {
            self.by_addr.remove(&old);
        }
    }

    /// When the last dma-buf at this address ended, with its number, inode number and size.
    pub fn get(&self, addr: u64) -> Option<&(Stamp, u32, u64, u64)> {
        if self.by_addr.is_empty() { None } else { self.by_addr.get(&addr) }
    }

    fn reborn(&mut self, addr: u64) {
        if self.by_addr.remove(&addr).is_some() {
            self.order.retain(|a| *a != addr);
        }
    }

    /// For [`Engine::digest`](crate::Engine::digest).
    pub fn addresses(&self) -> impl Iterator<Item = u64> {
        self.by_addr.keys().copied()
    }

    pub fn clear(&mut self) {
        self.by_addr.clear();
        self.order.clear();
    }
}

/// Every live entity.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub files: SlotMap<FileKey, File>,
    pub handles: SlotMap<HandleKey, Handle>,
    pub objects: SlotMap<ObjectKey, Object>,
    pub bufs: SlotMap<BufKey, Buf>,
    pub graveyard: Graveyard,
    file_at: FxHashMap<u64, FileKey>,
    object_at: FxHashMap<u64, ObjectKey>,
    buf_at: FxHashMap<u64, BufKey>,
    /// Live attachments by address.
    pub attachments: FxHashMap<u64, Attachment>,
    /// CPU mappings by the kernel that were not undone (R49).
    pub vmaps: FxHashMap<BufKey, SmallVec<[Stamp; 2]>>,
    /// dma-bufs whose last file reference was put, and whose release is to come.
    pub last_puts: FxHashMap<BufKey, Stamp>,
    /// Live framebuffers by address.
    pub framebuffers: FxHashMap<u64, Framebuffer>,
    /// How much is alive, counted as it comes and goes.
    pub tallies: Tallies,
    last_file: Option<(u64, FileKey)>,
    files_seen: u32,
    objects_seen: u32,
    bufs_seen: u32,
    /// Entities that were older than the trace.
    pub pre_existing: u64,
    /// The present loss epoch.
    pub epoch: u32,
    /// What is older than the trace may be in the middle of anything.
    midway: bool,
}

impl State {
    /// A ledger without entities, in the first loss epoch, of a trace that begins in mid-run or does not.
    pub fn new(midway: bool) -> Self {
        Self { epoch: 1, midway, ..Self::default() }
    }

    /// The epoch in which what is older than the trace is known.
    const fn sure_of_older(&self) -> u32 {
        if self.midway { 0 } else { self.epoch }
    }

    /// The file at this address; one older than the trace is made up.
    pub fn file(&mut self, addr: u64) -> FileKey {
        if let Some((a, key)) = self.last_file
            && a == addr
            && self.files.contains_key(key)
        {
            return key;
        }
        let key = match self.file_at.get(&addr) {
            Some(key) => *key,
            None => {
                self.pre_existing += 1;
                let key = self.new_file(addr, u32::MAX, 0, Stamp::default());
                self.files[key].sure = self.sure_of_older();
                key
            }
        };
        self.last_file = Some((addr, key));
        key
    }

    fn new_file(&mut self, addr: u64, minor: u32, client: u64, opened: Stamp) -> FileKey {
        self.files_seen += 1;
        let key = self.files.insert(File {
            addr,
            number: self.files_seen,
            minor,
            client,
            opened,
            handles: HandleTable::default(),
            creating: SmallVec::new(),
            sure: self.epoch,
        });
        self.file_at.insert(addr, key);
        key
    }

    /// A file is opened. An older incarnation at its address has ended unseen.
    pub fn open_file(&mut self, p: &DrmFile, at: Stamp) -> FileKey {
        if let Some(old) = self.file_at.get(&p.file).copied() {
            self.end_file(old);
        }
        self.new_file(p.file, p.minor, p.client_id, at)
    }

    /// A file is gone, with the handles that it still names.
    pub fn end_file(&mut self, key: FileKey) {
        let Some(file) = self.files.remove(key) else { return };
        if self.file_at.get(&file.addr) == Some(&key) {
            self.file_at.remove(&file.addr);
        }
        self.last_file = None;
        for handle in file.handles.iter().chain(file.creating.iter().copied()) {
            if let Some(h) = self.remove_handle(handle)
                && let Some(o) = self.objects.get_mut(h.object)
            {
                o.handles.retain(|k| *k != handle);
            }
        }
    }

    /// A handle is being made.
    pub fn insert_handle(&mut self, handle: Handle) -> HandleKey {
        self.tallies.handle(&handle, 1);
        self.handles.insert(handle)
    }

    /// A handle is gone.
    pub fn remove_handle(&mut self, key: HandleKey) -> Option<Handle> {
        let gone = self.handles.remove(key)?;
        self.tallies.handle(&gone, -1);
        Some(gone)
    }

    /// User space is given a handle on an object.
    pub fn given(&mut self, key: ObjectKey) {
        if let Some(o) = self.objects.get_mut(key)
            && !std::mem::replace(&mut o.had_handle, true)
            && !o.is_import
        {
            o.tallied = true;
            self.tallies.object_bytes(o, 1);
        }
    }

    /// The file at this address, if one is known.
    pub fn find_file(&self, addr: u64) -> Option<FileKey> {
        self.file_at.get(&addr).copied()
    }

    /// The object at this address, if one is known.
    pub fn find_object(&self, addr: u64) -> Option<ObjectKey> {
        self.object_at.get(&addr).copied()
    }

    /// The object of a payload; one older than the trace is made up from its fields.
    pub fn object(&mut self, p: &Gem) -> ObjectKey {
        match self.object_at.get(&p.obj) {
            Some(key) => *key,
            None => {
                self.pre_existing += 1;
                let key = self.new_object(p, Stamp::default(), false);
                self.objects[key].had_handle = p.handle_count > 0;
                self.objects[key].sure = self.sure_of_older();
                key
            }
        }
    }

    fn new_object(&mut self, p: &Gem, born: Stamp, in_scope: bool) -> ObjectKey {
        self.objects_seen += 1;
        let object = Object {
            addr: p.obj,
            number: self.objects_seen,
            sure: self.epoch,
            size: p.size,
            born,
            in_flight: 0,
            fb_counts: 0,
            planes: 0,
            maps: 0,
            had_handle: false,
            ref_zero: false,
            tallied: false,
            in_scope,
            link: None,
            link_sure: if born.is_known() { self.epoch } else { 0 },
            imported: None,
            is_import: p.import_attach != 0,
            exported: None,
            handles: SmallVec::new(),
            last_close: Stamp::default(),
        };
        self.tallies.object(&object, 1);
        let key = self.objects.insert(object);
        self.object_at.insert(p.obj, key);
        key
    }

    /// An object is born. An older incarnation at its address has ended unseen.
    pub fn birth(&mut self, p: &Gem, at: Stamp, in_scope: bool) -> ObjectKey {
        if let Some(old) = self.object_at.get(&p.obj).copied() {
            self.end_object(old);
        }
        self.new_object(p, at, in_scope)
    }

    /// An object is gone.
    pub fn end_object(&mut self, key: ObjectKey) {
        let Some(o) = self.objects.remove(key) else { return };
        self.tallies.object(&o, -1);
        if o.tallied {
            self.tallies.object_bytes(&o, -1);
        }
        if self.object_at.get(&o.addr) == Some(&key) {
            self.object_at.remove(&o.addr);
        }
        if let Some(buf) = o.imported {
            self.drop_hold(buf, HoldKind::Importer(key));
        }
        // A handle that is closing outlives its object by a few instructions; its number remembers what it was.
        for h in o.handles.iter().filter_map(|h| self.handles.get(*h)) {
            if h.id != 0
                && let Some(f) = self.files.get_mut(h.file)
            {
                let past = &mut f.handles.slot(h.id).past;
                (past.object, past.size) = (o.number, o.size);
            }
        }
    }

    /// The dma-buf at this address, if one is known.
    pub fn find_buf(&self, addr: u64) -> Option<BufKey> {
        self.buf_at.get(&addr).copied()
    }

    /// The dma-buf at this address; one older than the trace is made up.
    pub fn buf(&mut self, addr: u64, ino: u64) -> BufKey {
        match self.buf_at.get(&addr) {
            Some(key) => *key,
            None => {
                let ended = self.graveyard.get(addr).map(|(at, ..)| *at);
                self.pre_existing += u64::from(ended.is_none());
                let key = self.new_buf(addr, ino, 0, Stamp::default(), false);
                // Only a birth makes it another one.
                (self.bufs[key].released, self.bufs[key].released_in) = (ended, self.epoch);
                self.bufs[key].sure = self.sure_of_older();
                key
            }
        }
    }

    fn new_buf(&mut self, addr: u64, ino: u64, size: u64, born: Stamp, in_scope: bool) -> BufKey {
        self.bufs_seen += 1;
        let buf = Buf {
            addr,
            ino,
            number: self.bufs_seen,
            sure: self.epoch,
            size,
            born,
            exporter: None,
            released: None,
            released_in: 0,
            in_scope,
            attached: 0,
            holds: SmallVec::new(),
            grants: SmallVec::new(),
        };
        self.tallies.buf(&buf, 1);
        let key = self.bufs.insert(buf);
        self.buf_at.insert(addr, key);
        self.graveyard.reborn(addr);
        key
    }

    /// A dma-buf is born. An older incarnation at its address has ended unseen.
    pub fn birth_buf(&mut self, addr: u64, ino: u64, size: u64, at: Stamp, in_scope: bool) -> BufKey {
        if let Some(old) = self.buf_at.get(&addr).copied() {
            self.end_buf(old, at);
        }
        self.new_buf(addr, ino, size, at, in_scope)
    }

    /// A dma-buf is gone.
    pub fn end_buf(&mut self, key: BufKey, at: Stamp) {
        let Some(b) = self.bufs.remove(key) else { return };
        self.tallies.buf(&b, -1);
        self.vmaps.remove(&key);
        self.last_puts.remove(&key);
        if self.buf_at.get(&b.addr) == Some(&key) {
            self.buf_at.remove(&b.addr);
            self.graveyard.bury(&b, at);
        }
        if let Some(o) = b.exporter.and_then(|o| self.objects.get_mut(o))
            && o.exported == Some(key)
        {
            o.exported = None;
        }
    }

    /// A dma-buf turns out to be made from an object: its bytes are the object's.
    pub fn exported_from(&mut self, key: BufKey, object: ObjectKey) {
        if let Some(b) = self.bufs.get_mut(key) {
            self.tallies.buf(b, -1);
            b.exporter = Some(object);
            self.tallies.buf(b, 1);
        }
    }

    /// A framebuffer is made. An older one at its address has ended unseen.
    pub fn insert_framebuffer(&mut self, addr: u64, fb: Framebuffer) {
        let _ = self.remove_framebuffer(addr);
        self.tallies.framebuffer(&fb, 1);
        self.framebuffers.insert(addr, fb);
    }

    /// A framebuffer is gone: what there was at this address.
    pub fn remove_framebuffer(&mut self, addr: u64) -> Option<Framebuffer> {
        let gone = self.framebuffers.remove(&addr)?;
        self.tallies.framebuffer(&gone, -1);
        Some(gone)
    }

    /// A device is attached. An older attachment at its address has ended unseen.
    pub fn attach(&mut self, addr: u64, attachment: Attachment) {
        let _ = self.detach(addr);
        if let Some(b) = self.bufs.get_mut(attachment.buf) {
            b.attached += 1;
        }
        self.tallies.attachment(&attachment, 1);
        self.attachments.insert(addr, attachment);
    }

    /// A device is detached: what there was at this address.
    pub fn detach(&mut self, addr: u64) -> Option<Attachment> {
        let gone = self.attachments.remove(&addr)?;
        self.tallies.attachment(&gone, -1);
        if let Some(b) = self.bufs.get_mut(gone.buf) {
            b.attached = b.attached.saturating_sub(1);
        }
        Some(gone)
    }

    /// The live attachments to a dma-buf, in no order.
    pub fn attachments_of(&self, buf: BufKey) -> impl Iterator<Item = &Attachment> {
        // Most have none: that is known without looking at all.
        let some = self.bufs.get(buf).is_some_and(|b| b.attached > 0);
        self.attachments.values().take_while(move |_| some).filter(move |a| a.buf == buf)
    }

    /// Takes a reference on a dma-buf into the ledger, once.
    pub fn hold(&mut self, key: BufKey, kind: HoldKind, at: Stamp) {
        if let Some(b) = self.bufs.get_mut(key)
            && !b.holds.iter().any(|h| h.kind == kind)
        {
            b.holds.push(Hold { kind, at });
        }
    }

    /// Drops a reference from the ledger. Was it there?
    pub fn drop_hold(&mut self, key: BufKey, kind: HoldKind) -> bool {
        let Some(b) = self.bufs.get_mut(key) else { return false };
        let Some(ix) = b.holds.iter().position(|h| h.kind == kind) else { return false };
        b.holds.remove(ix);
        true
    }

    /// Sets the object's link to `buf`.
    pub fn link(&mut self, object: ObjectKey, buf: BufKey, at: Stamp) {
        let Some(o) = self.objects.get_mut(object) else { return };
        if let Some(old) = o.link.replace(buf)
            && old != buf
        {
            self.drop_hold(old, HoldKind::Link(object));
        }
        self.hold(buf, HoldKind::Link(object), at);
    }

    /// Clears the object's link. Which dma-buf was it?
    pub fn unlink(&mut self, object: ObjectKey) -> Option<BufKey> {
        let buf = self.objects.get_mut(object)?.link.take()?;
        self.drop_hold(buf, HoldKind::Link(object));
        Some(buf)
    }

    /// Were records lost since everything about this was known?
    pub const fn stale(&self, sure: u32) -> bool {
        sure != self.epoch
    }
}
