//! Attachments, mappings, pins, framebuffers.

use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Attach, Framebuffer, Kernel, Map, Ptr, allocate, buf_state, exporter, get, get_mut};
use crate::truth::Wrong;

/// `enum dma_data_direction`: both ways.
const BIDIRECTIONAL: u8 = 0;

impl Kernel {
    pub(super) fn attach_new(&mut self, t: usize, dynamic: bool, import: bool) {
        let buf = self.threads[t].d;
        if self.buf(buf).is_none_or(|b| b.state != buf_state::LIVE) {
            self.fact(Wrong::UseAfterRelease, self.about_buf(buf));
        }
        let make = |gen_| Attach {
            gen_,
            alive: 1,
            dynamic: u8::from(dynamic),
            buf,
            of_import: u8::from(import),
            ..Attach::default()
        };
        let a = allocate(&mut self.attaches, make);
        self.th(t).a = a;
    }

    /// R43: a mapping is made at the attach when the two sides differ in being dynamic.
    pub(super) fn attach_keep(&mut self, m: &Machine, t: usize) {
        let p = self.threads[t].a;
        let Some(a) = self.attach(p).copied() else { return };
        let of_exporter = self.buf(a.buf).is_some_and(|b| b.kind & exporter::DYNAMIC != 0);
        if m.era.cached_sgt()
            && (a.dynamic != 0) != of_exporter
            && let Some(a) = get_mut(&mut self.attaches, p)
        {
            (a.kept, a.kept_dir) = (1, BIDIRECTIONAL);
        }
    }

    /// R48: what was not undone before is left.
    pub(super) fn detach(&mut self, t: usize) {
        let p = self.threads[t].a;
        let Some(a) = self.attach(p).copied() else { return };
        let about = self.about_buf(a.buf);
        if self.maps.iter().any(|m| m.attach == p) {
            self.fact(Wrong::MappingLeft, about);
        }
        if a.pins > 0 {
            self.fact(Wrong::PinLeft, about);
        }
        self.maps.retain(|m| m.attach != p);
        if let Some(a) = get_mut(&mut self.attaches, p) {
            *a = Attach { gen_: a.gen_, ..Attach::default() };
        }
    }

    pub(super) fn detach_from(&mut self, m: &Machine, t: usize) {
        let (p, d) = (self.threads[t].a, self.threads[t].d);
        if self.attach(p).is_some_and(|a| a.buf != d) {
            self.fact(Wrong::ForeignDetach, self.about_buf(d));
            if m.era.foreign_detach_refused() {
                return;
            }
        }
        self.detach(t);
    }

    /// R43, R44: a kept mapping is given out again; others are counted one by one.
    pub(super) fn map(&mut self, m: &Machine, t: usize, dir: u8) {
        let p = self.threads[t].a;
        let Some(a) = self.attach(p).copied() else { return };
        if a.kept != 0 {
            if a.kept_dir != dir && a.kept_dir != BIDIRECTIONAL {
                self.fact(Wrong::DirectionConflict, self.about_buf(a.buf));
                self.th(t).ret = errno::EBUSY;
                return;
            }
            self.th(t).n = KEPT;
            return;
        }
        let caches = self.buf(a.buf).is_some_and(|b| b.kind & exporter::CACHES != 0);
        if caches && m.era.cached_sgt() {
            if let Some(a) = get_mut(&mut self.attaches, p) {
                (a.kept, a.kept_dir) = (1, dir);
            }
            self.th(t).n = KEPT;
            return;
        }
        let table = (1..).find(|n| !self.maps.iter().any(|m| m.table == *n)).unwrap_or(1);
        self.maps.push(Map { attach: p, table, dir, reserved: 0 });
        self.th(t).n = table;
    }

    /// R47: the table of a map, in its direction.
    pub(super) fn unmap(&mut self, t: usize, dir: u8) {
        let thread = self.threads[t];
        let Some(a) = self.attach(thread.a).copied() else { return };
        if a.kept != 0 && (thread.n == KEPT || a.of_import != 0) {
            return;
        }
        let own = |m: &Map| m.attach == thread.a && (m.table == thread.n || a.of_import != 0);
        let exact = self.maps.iter().rposition(|m| own(m) && m.dir == dir);
        match exact.or_else(|| self.maps.iter().rposition(own)) {
            Some(ix) => {
                let map = self.maps.remove(ix);
                if map.dir != dir {
                    self.fact(Wrong::DirectionConflict, self.about_buf(a.buf));
                }
            }
            None => self.fact(Wrong::UnmapWithoutMap, self.about_buf(a.buf)),
        }
    }

    pub(super) fn pin(&mut self, t: usize) {
        let p = self.threads[t].a;
        if let Some(a) = get_mut(&mut self.attaches, p) {
            a.pins = a.pins.saturating_add(1);
        }
    }

    pub(super) fn unpin(&mut self, t: usize) {
        let p = self.threads[t].a;
        let buf = self.threads[t].d;
        if let Some(a) = get_mut(&mut self.attaches, p) {
            if a.pins > 0 {
                a.pins -= 1;
            } else {
                self.fact(Wrong::PinLeft, self.about_buf(buf));
            }
        }
    }

    pub(super) fn vmap(&mut self, t: usize) {
        let d = self.threads[t].d;
        if let Some(b) = get_mut(&mut self.bufs, d) {
            b.vmaps += 1;
        }
    }

    pub(super) fn vunmap(&mut self, t: usize) {
        let d = self.threads[t].d;
        if let Some(b) = get_mut(&mut self.bufs, d) {
            b.vmaps -= 1;
        }
    }

    pub(super) fn set_name(&mut self, m: &Machine, t: usize) {
        let d = self.threads[t].d;
        let attached = self.attaches.iter().any(|a| a.alive != 0 && a.buf == d);
        if m.era.set_name_busy() && attached {
            self.th(t).ret = errno::EBUSY;
        }
    }

    /// R46: bit 0, the lock must be held; bit 1, it must not be.
    pub(super) fn check_resv(&mut self, t: usize, wants: u8) {
        let d = self.threads[t].d;
        let held = self.buf(d).is_some_and(|b| usize::from(b.resv) == t + 1);
        if wants & 1 != 0 && !held {
            self.fact(Wrong::LockNotHeld, self.about_buf(d));
        }
        if wants & 2 != 0 && held {
            self.fact(Wrong::LockHeld, self.about_buf(d));
        }
    }

    pub(super) fn buf_of_attach(&mut self, t: usize) {
        let buf = self.attach(self.threads[t].a).map_or(Ptr::NULL, |a| a.buf);
        self.th(t).d = buf;
    }

    pub(super) fn fb_init(&mut self, t: usize, f: u8) {
        let (obj, counted) = (self.threads[t].o, self.threads[t].yes());
        let id = (1..).find(|n| !self.fbs.iter().any(|b| b.alive != 0 && b.id == *n)).unwrap_or(1);
        let make =
            |gen_| Framebuffer { gen_, id, obj, file: f, alive: 1, counted: u8::from(counted), closed: 0 };
        let b = allocate(&mut self.fbs, make);
        self.th(t).b = b;
    }

    pub(super) fn fb_obj(&mut self, t: usize) {
        match get(&self.fbs, self.threads[t].b).map(|b| b.obj) {
            Some(obj) => self.th(t).o = obj,
            None => self.th(t).ret = errno::ENOENT,
        }
    }

    pub(super) fn fb_counted(&mut self, t: usize) {
        let counted = get(&self.fbs, self.threads[t].b).is_some_and(|b| b.counted != 0);
        self.th(t).say(counted);
    }

    pub(super) fn fb_free(&mut self, t: usize) {
        let p = self.threads[t].b;
        if let Some(b) = get_mut(&mut self.fbs, p) {
            *b = Framebuffer { gen_: b.gen_, ..Framebuffer::default() };
        }
    }

    pub(super) fn fb_closed(&mut self, t: usize) {
        let p = self.threads[t].b;
        match get_mut(&mut self.fbs, p) {
            Some(b) => (b.closed, b.file) = (1, u8::MAX),
            None => self.th(t).ret = errno::ENOENT,
        }
    }

    pub(super) fn fb_next(&mut self, t: usize, f: u8) {
        let ix = self.fbs.iter().position(|b| b.alive != 0 && b.file == f);
        let b = ix.map_or(Ptr::NULL, |ix| crate::state::ptr(&self.fbs, ix));
        let thread = self.th(t);
        thread.b = b;
        thread.say(ix.is_some());
    }
}

/// The name of a table that the core keeps.
pub(crate) const KEPT: u16 = 0x7f;
