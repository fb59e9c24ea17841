//! The per-file cache, the link, imports.

use crate::machine::Machine;
use crate::ops::NEW;
use crate::state::{Entry, Kernel, Ptr, flag, get, get_mut, handle_state};
use crate::truth::{About, Wrong};

impl Kernel {
    pub(super) fn cache_find_handle(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        let buf = self.cache.iter().find(|e| e.file == f && e.id == id).map(|e| e.buf);
        if let Some(buf) = buf {
            self.th(t).d = buf;
            self.buf_get(buf);
        }
        self.th(t).say(buf.is_some());
    }

    /// Of several entries of one dma-buf a list gives the newest, a tree any.
    pub(super) fn cache_find_buf(&mut self, m: &Machine, t: usize, f: u8) {
        let d = self.threads[t].d;
        let meant = |e: &&Entry| e.file == f && e.buf.same_address(d);
        let second = usize::from(self.second(t));
        let entry = match m.era.cache_is_tree() {
            true => self.cache.iter().filter(meant).nth(second),
            false => self.cache.iter().rev().find(meant),
        };
        let entry = entry.copied();
        if let Some(e) = entry {
            let live = self.handle(f, e.id).is_some_and(|h| {
                h.gen_ == e.gen_ && h.state < handle_state::CLOSED && get(&self.objs, h.obj).is_some()
            });
            if !live || e.buf != d {
                self.fact(Wrong::DeadHandleReturned, About::Handle(f, e.id));
            }
            self.th(t).h = e.id;
        }
        self.th(t).say(entry.is_some());
    }

    /// Is the second one meant?
    fn second(&mut self, t: usize) -> bool {
        let thread = self.th(t);
        let second = thread.flags & flag::SECOND != 0;
        thread.flags &= !flag::SECOND;
        second
    }

    pub(super) fn cache_add(&mut self, m: &Machine, t: usize, f: u8) {
        let thread = self.threads[t];
        let (f, id) = if f & NEW != 0 { (f & !NEW, thread.n) } else { (f, thread.h) };
        let buf = thread.d;
        let gen_ = self.handle(f, id).map_or(0, |h| h.gen_);
        self.cache.push(Entry { buf, id, file: f, gen_ });
        if m.era.cache_counts() {
            self.buf_get(buf);
        }
    }

    pub(super) fn cache_remove_handle(&mut self, t: usize, f: u8) {
        let (id, obj) = (self.threads[t].h, self.threads[t].o);
        let ix = self.cache.iter().position(|e| e.file == f && e.id == id);
        if let Some(ix) = ix {
            let entry = self.cache.remove(ix);
            // B10: the number may be another handle's by now.
            let other = self
                .handle(f, id)
                .is_some_and(|h| h.gen_ == entry.gen_ && h.obj != obj && h.state < handle_state::CLOSED);
            if other {
                self.fact(Wrong::WrongEntry, About::Handle(f, id));
            }
            self.th(t).e = entry.buf;
        }
        self.th(t).say(ix.is_some());
    }

    pub(super) fn cache_remove_buf(&mut self, t: usize, f: u8) {
        let (id, e) = (self.threads[t].h, self.threads[t].e);
        let second = usize::from(self.second(t));
        let mut meant = self.cache.iter().enumerate().filter(|(_, x)| x.file == f && x.buf.same_address(e));
        let ix = meant.nth(second).map(|(ix, _)| ix);
        if let Some(ix) = ix {
            let entry = self.cache.remove(ix);
            let theirs = self.handle(f, entry.id).is_some_and(|h| {
                h.gen_ == entry.gen_ && matches!(h.state, handle_state::OPEN | handle_state::CREATING)
            });
            if entry.id != id && theirs {
                self.fact(Wrong::WrongEntry, About::Handle(f, id));
            }
            self.th(t).e = entry.buf;
        }
        self.th(t).say(ix.is_some());
    }

    /// R18: the cache of a closed file must be empty. What is left is forgotten; its references are lost.
    pub(super) fn cache_destroy(&mut self, f: u8) {
        if self.cache.iter().any(|e| e.file == f) {
            self.fact(Wrong::CacheNotEmpty, About::File(f));
        }
        self.cache.retain(|e| e.file != f);
    }

    fn import_of(&self, t: usize) -> Option<Ptr> {
        let o = self.obj(self.threads[t].o)?;
        Some(self.attach(o.import)?.buf)
    }

    pub(super) fn read_import(&mut self, t: usize) {
        let buf = self.import_of(t);
        if let Some(buf) = buf {
            self.th(t).d = buf;
        }
        self.th(t).say(buf.is_some());
    }

    pub(super) fn read_import_e(&mut self, t: usize) {
        let buf = self.import_of(t);
        if let Some(buf) = buf {
            self.th(t).e = buf;
        }
        self.th(t).say(buf.is_some());
    }

    fn link_of(&self, t: usize) -> Ptr {
        self.obj(self.threads[t].o).map_or(Ptr::NULL, |o| o.link)
    }

    pub(super) fn read_link(&mut self, t: usize) {
        let link = self.link_of(t);
        if !link.is_null() {
            self.th(t).d = link;
        }
        self.th(t).say(!link.is_null());
    }

    pub(super) fn read_link_e(&mut self, t: usize) {
        let link = self.link_of(t);
        if !link.is_null() {
            self.th(t).e = link;
        }
        self.th(t).say(!link.is_null());
    }

    pub(super) fn link_set(&mut self, m: &Machine, t: usize) {
        let (o, d) = (self.threads[t].o, self.threads[t].d);
        if let Some(o) = get_mut(&mut self.objs, o) {
            o.link = d;
        }
        if m.era.counted_link() {
            self.buf_get(d);
        }
    }

    /// R5: an import sets the link again.
    pub(super) fn link_import(&mut self, t: usize) {
        let (p, d) = (self.threads[t].o, self.threads[t].d);
        let Some(o) = get_mut(&mut self.objs, p) else { return };
        if o.link.is_null() {
            o.link = d;
            self.buf_get(d);
        } else if !o.link.same_address(d) {
            self.fact(Wrong::StaleLink, self.about_obj(p));
        }
    }

    pub(super) fn link_take(&mut self, t: usize) {
        let p = self.threads[t].o;
        let link = get_mut(&mut self.objs, p).map_or(Ptr::NULL, |o| std::mem::take(&mut o.link));
        let thread = self.th(t);
        thread.e = link;
        thread.say(!link.is_null());
    }

    pub(super) fn link_clear_old(&mut self, t: usize) {
        let (p, d) = (self.threads[t].o, self.threads[t].d);
        let own = match get_mut(&mut self.objs, p) {
            Some(o) if o.link.same_address(d) => {
                o.link = Ptr::NULL;
                true
            }
            _ => false,
        };
        self.th(t).say(own);
    }

    /// R8: exported by this very device.
    pub(super) fn self_import(&mut self, t: usize, dev: u8) {
        let d = self.threads[t].d;
        let object = self.buf(d).map(|b| b.object).filter(|o| !o.is_null());
        let own = object.filter(|o| self.obj(*o).is_some_and(|o| o.dev == dev));
        if let Some(o) = own {
            self.th(t).o = o;
            self.obj_get(o);
        }
        self.th(t).say(own.is_some());
    }

    pub(super) fn set_import(&mut self, t: usize) {
        let (o, a) = (self.threads[t].o, self.threads[t].a);
        if let Some(o) = get_mut(&mut self.objs, o) {
            o.import = a;
        }
    }

    pub(super) fn take_import(&mut self, t: usize) {
        let p = self.threads[t].o;
        let import = self.obj(p).map_or(Ptr::NULL, |o| o.import);
        let buf = self.attach(import).map(|a| a.buf);
        let thread = self.th(t);
        if let Some(buf) = buf {
            (thread.a, thread.e) = (import, buf);
        }
        thread.say(buf.is_some());
    }
}
