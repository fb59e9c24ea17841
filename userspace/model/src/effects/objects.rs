//! Objects, their handle count and their name.

use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Kernel, Obj, Permit, Ptr, Vma, allocate, get_mut, handle_state};
use crate::truth::{About, Wrong};

impl Kernel {
    pub(super) fn obj_init(&mut self, t: usize, dev: u8) {
        self.born_objs = self.born_objs.wrapping_add(1);
        let serial = self.born_objs;
        let p =
            allocate(&mut self.objs, |gen_| Obj { gen_, serial, kref: 1, dev, alive: 1, ..Obj::default() });
        self.th(t).o = p;
    }

    pub(super) fn obj_get(&mut self, p: Ptr) {
        match get_mut(&mut self.objs, p) {
            Some(o) if o.kref > 0 => o.kref += 1,
            _ => self.fact(Wrong::UseAfterFree, self.about_obj(p)),
        }
    }

    pub(super) fn obj_put(&mut self, t: usize) {
        let p = self.threads[t].o;
        let last = match get_mut(&mut self.objs, p) {
            Some(o) if o.kref > 0 => {
                o.kref -= 1;
                o.kref == 0
            }
            _ => {
                self.fact(Wrong::UseAfterFree, self.about_obj(p));
                false
            }
        };
        self.th(t).say(last);
    }

    /// R25: the end of an object, and everything that must not be there any more.
    pub(super) fn obj_die(&mut self, t: usize) {
        let p = self.threads[t].o;
        let Some(o) = self.obj(p).copied() else { return };
        if !o.link.is_null() {
            self.fact(Wrong::StaleLink, About::Object(o.serial));
        }
        if o.name != 0 {
            self.fact(Wrong::NameLeft, About::Object(o.serial));
        }
        let dangling = |h: &&crate::state::Handle| {
            h.obj == p && h.slot == 2 && matches!(h.state, handle_state::OPEN | handle_state::CREATING)
        };
        if let Some(about) = self.handles.iter().find(dangling).map(|h| About::Handle(h.file, h.id)) {
            self.fact(Wrong::DanglingHandle, about);
        }
        if self.permits.iter().any(|x| x.obj == p && x.opened != 0) {
            self.fact(Wrong::DriverState, About::Object(o.serial));
        }
        self.permits.retain(|x| x.obj != p);
        if let Some(o) = get_mut(&mut self.objs, p) {
            let Obj { gen_, serial, .. } = *o;
            *o = Obj { gen_, serial, ..Obj::default() };
        }
    }

    pub(super) fn count_inc(&mut self, m: &Machine, t: usize) {
        let p = self.threads[t].o;
        let Some(o) = get_mut(&mut self.objs, p) else {
            return self.fact(Wrong::UseAfterFree, self.about_obj(p));
        };
        if o.kref <= 0 {
            self.fact(Wrong::UseAfterFree, self.about_obj(p));
            return;
        }
        o.count += 1;
        if o.count == 1 || !m.era.one_ref_for_handles() {
            o.kref += 1;
        }
    }

    pub(super) fn count_is_zero(&mut self, t: usize) {
        let zero = self.obj(self.threads[t].o).is_none_or(|o| o.count == 0);
        self.th(t).say(zero);
    }

    pub(super) fn count_warn(&mut self, t: usize) {
        let p = self.threads[t].o;
        let none = self.obj(p).is_none_or(|o| o.count == 0);
        if none {
            self.fact(Wrong::CountUnderflow, self.about_obj(p));
        }
        self.th(t).say(none);
    }

    pub(super) fn count_dec(&mut self, t: usize) {
        let p = self.threads[t].o;
        let Some(o) = get_mut(&mut self.objs, p) else {
            self.fact(Wrong::UseAfterFree, self.about_obj(p));
            return self.th(t).say(false);
        };
        o.count -= 1;
        let (zero, below) = (o.count == 0, o.count < 0);
        if below {
            self.fact(Wrong::CountUnderflow, self.about_obj(p));
        }
        self.th(t).say(zero);
    }

    pub(super) fn count_get_if_any(&mut self, t: usize) {
        let p = self.threads[t].o;
        let any = match get_mut(&mut self.objs, p) {
            Some(o) if o.count > 0 => {
                o.count += 1;
                true
            }
            _ => false,
        };
        self.th(t).say(any);
    }

    pub(super) fn name_remove(&mut self, m: &Machine, t: usize) {
        let p = self.threads[t].o;
        if let Some(o) = get_mut(&mut self.objs, p)
            && o.name != 0
        {
            o.name = 0;
            if !m.era.flink_checks_count() {
                // Its reference; never the last, the caller has one.
                o.kref -= 1;
            }
        }
    }

    pub(super) fn name_alloc(&mut self, m: &Machine, t: usize) {
        let p = self.threads[t].o;
        let next = self.names.wrapping_add(1);
        let Some(o) = get_mut(&mut self.objs, p) else {
            return self.fact(Wrong::UseAfterFree, self.about_obj(p));
        };
        if o.name == 0 {
            o.name = next;
            if !m.era.flink_checks_count() {
                o.kref += 1;
            }
            self.names = next;
        }
        let name = self.obj(p).map_or(0, |o| o.name);
        self.th(t).n = name;
    }

    pub(super) fn name_lookup(&mut self, t: usize, dev: u8) {
        let name = self.threads[t].n;
        let ix = self.objs.iter().position(|o| o.alive != 0 && o.dev == dev && o.name == name && name != 0);
        match ix {
            Some(ix) => {
                let p = crate::state::ptr(&self.objs, ix);
                self.th(t).o = p;
                self.obj_get(p);
            }
            None => self.th(t).ret = errno::ENOENT,
        }
        self.th(t).say(ix.is_some());
    }

    pub(super) fn allow(&mut self, t: usize, f: u8) {
        let (obj, id) = (self.threads[t].o, self.threads[t].h);
        self.permit(f, obj).allowed += 1;
        if let Some(h) = self.handle_mut(f, id)
            && h.obj == obj
        {
            h.allowed = 1;
        }
    }

    pub(super) fn revoke(&mut self, t: usize, f: u8) {
        let obj = self.threads[t].o;
        let p = self.permit(f, obj);
        p.allowed = (p.allowed - 1).max(0);
        self.forget_permits();
    }

    pub(super) fn driver_open(&mut self, t: usize, f: u8) {
        let obj = self.threads[t].o;
        if self.obj(obj).is_none() {
            return self.fact(Wrong::UseAfterFree, self.about_obj(obj));
        }
        self.permit(f, obj).opened += 1;
        self.forget_permits();
    }

    pub(super) fn driver_close(&mut self, t: usize, f: u8) {
        let obj = self.threads[t].o;
        let p = self.permit(f, obj);
        p.opened -= 1;
        if p.opened < 0 {
            self.fact(Wrong::DriverState, self.about_obj(obj));
        }
        self.forget_permits();
    }

    fn forget_permits(&mut self) {
        let live = |p: &Permit| p.allowed != 0 || p.opened != 0;
        self.permits.retain(live);
    }

    pub(super) fn vma_obj(&mut self, t: usize, process: u8) {
        let (obj, number) = (self.threads[t].o, self.next_vma());
        self.vmas.push(Vma { obj, number, process, ..Vma::default() });
        self.th(t).x = number;
    }

    pub(super) fn vma_buf(&mut self, t: usize, process: u8) {
        // The reference of the look-up is the mapping's now.
        let (buf, number) = (self.threads[t].d, self.next_vma());
        self.vmas.push(Vma { buf, number, process, ..Vma::default() });
        self.th(t).x = number;
    }

    fn next_vma(&self) -> u16 {
        (1..).find(|n| !self.vmas.iter().any(|v| v.number == *n)).unwrap_or(1)
    }

    pub(super) fn vma_close(&mut self, t: usize, process: u8) {
        let number = self.threads[t].x;
        let Some(ix) = self.vmas.iter().position(|v| v.process == process && v.number == number) else {
            self.th(t).ret = errno::EINVAL;
            return;
        };
        let vma = self.vmas.remove(ix);
        let thread = self.th(t);
        (thread.o, thread.d) = (vma.obj, vma.buf);
        thread.say(!vma.obj.is_null());
    }

    pub(super) fn vma_next(&mut self, t: usize, process: u8) {
        let next = self.vmas.iter().find(|v| v.process == process).map(|v| v.number);
        self.th(t).x = next.unwrap_or(0);
        self.th(t).say(next.is_some());
    }
}
