//! Handle tables.

use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Handle, Kernel, flag, handle_state};
use crate::truth::{About, Wrong};

impl Kernel {
    /// R13: the lowest free number. Up to the publication fix it can be looked up at once.
    pub(super) fn idr_alloc(&mut self, m: &Machine, t: usize, f: u8) {
        let free = |id: &u16| self.handle(f, *id).is_none_or(|h| h.slot == 0);
        let id = (1..).find(free).unwrap_or(1);
        let obj = self.threads[t].o;
        self.take_number(f, id, obj, if m.era.publication_fix() { 1 } else { 2 });
        self.th(t).h = id;
    }

    /// A number begins a new life.
    pub(super) fn take_number(&mut self, f: u8, id: u16, obj: crate::state::Ptr, slot: u8) {
        let fresh = Handle { obj, id, file: f, slot, given: 1, ..Handle::default() };
        match self.handle_mut(f, id) {
            Some(h) => {
                let old = *h;
                let (gen_, owed) = (old.gen_.wrapping_add(1), old.owed.saturating_add(old.owed_now));
                let early = u8::from(old.state == handle_state::CLOSING).saturating_add(old.early);
                *h = Handle { gen_, owed, early, ..fresh };
            }
            None => {
                let ix = self.handles.partition_point(|h| (h.file, h.id) < (f, id));
                self.handles.insert(ix, fresh);
            }
        }
    }

    pub(super) fn idr_commit(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        if let Some(h) = self.handle_mut(f, id) {
            h.slot = 2;
        }
    }

    pub(super) fn idr_undo(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        if let Some(ix) = self.handles.iter().position(|h| h.file == f && h.id == id) {
            // It never was: the number is as it was before.
            if self.handles[ix].gen_ == 0 {
                self.handles.remove(ix);
            } else {
                let h = &mut self.handles[ix];
                (h.slot, h.state) = (0, handle_state::CLOSED);
            }
        }
    }

    /// R14: what a close finds, it takes. Everybody after it finds nothing.
    pub(super) fn idr_take(&mut self, m: &Machine, t: usize, f: u8) {
        let (id, flags) = (self.threads[t].h, self.threads[t].flags);
        let holds = m.era.close_holds_id();
        let Some(h) = self.handle_mut(f, id).filter(|h| h.slot == 2) else {
            self.close_refused(t, f, id);
            self.th(t).ret = errno::EINVAL;
            return;
        };
        h.slot = u8::from(holds);
        let before = *h;
        h.state = handle_state::CLOSING;
        self.th(t).o = before.obj;
        if before.state == handle_state::CREATING && before.allowed == 0 && m.era.vma_allow() {
            self.fact(Wrong::ClosedInCreation, About::Handle(f, id));
        }
        if flags & flag::DUMB != 0 && before.imported != 0 {
            self.fact(Wrong::DumbDestroyOfImport, About::Handle(f, id));
        }
    }

    /// A close by user space found nothing: what did it mean?
    fn close_refused(&mut self, t: usize, f: u8, id: u16) {
        // Not one that is still being made, and none that nobody asked to close.
        if self.threads[t].flags & flag::ASKED == 0 {
            return;
        }
        let gone = |h: &Handle| match h.state {
            handle_state::CLOSED | handle_state::CLOSING => true,
            // Nobody can know the number of one that is being made, but from an earlier one.
            handle_state::CREATING => h.gen_ > 0,
            _ => false,
        };
        let Some(h) = self.handle_mut(f, id).filter(|h| gone(h)) else { return };
        let wrong = if h.state == handle_state::CLOSING && h.given > 1 {
            h.given -= 1;
            Wrong::CloseTooOften
        } else if h.owed_now > 0 {
            h.owed_now -= 1;
            Wrong::CloseTooOften
        } else if h.owed > 0 {
            h.owed -= 1;
            Wrong::CloseOfReused
        } else {
            Wrong::DoubleClose
        };
        self.fact(wrong, About::Handle(f, id));
    }

    pub(super) fn idr_free(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        if let Some(h) = self.handle_mut(f, id) {
            h.slot = 0;
            h.state = handle_state::CLOSED;
        }
    }

    pub(super) fn idr_next(&mut self, t: usize, f: u8) {
        let next = self.handles.iter_mut().find(|h| h.file == f && h.slot == 2);
        let found = next.map(|h| {
            h.slot = 0;
            h.state = handle_state::CLOSING;
            (h.id, h.obj)
        });
        let thread = self.th(t);
        if let Some((id, obj)) = found {
            (thread.h, thread.o) = (id, obj);
        }
        thread.say(found.is_some());
    }

    pub(super) fn lookup(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        match self.handle(f, id).filter(|h| h.slot == 2).map(|h| h.obj) {
            Some(obj) => {
                self.th(t).o = obj;
                self.obj_get(obj);
            }
            None => self.th(t).ret = errno::ENOENT,
        }
    }

    pub(super) fn created(&mut self, t: usize, f: u8) {
        let (id, obj) = (self.threads[t].h, self.threads[t].o);
        if let Some(h) = self.handle_mut(f, id)
            && h.state == handle_state::CREATING
            && h.obj == obj
        {
            h.state = handle_state::OPEN;
            // B10: user space has a number whose last close still tears down.
            if h.early > 0 {
                self.fact(Wrong::NumberReused, About::Handle(f, id));
            }
        }
    }

    pub(super) fn closed(&mut self, t: usize, f: u8) {
        let (id, obj) = (self.threads[t].h, self.threads[t].o);
        if let Some(h) = self.handle_mut(f, id)
            && h.state == handle_state::CLOSING
            && h.obj == obj
        {
            h.owed_now = h.given.saturating_sub(1);
            if h.slot == 0 {
                h.state = handle_state::CLOSED;
            }
        } else if let Some(h) = self.handle_mut(f, id) {
            h.early = h.early.saturating_sub(1);
        }
    }

    /// R31: the import returned a handle that the file has; the kernel does not count that.
    pub(super) fn given(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        if let Some(h) = self.handle_mut(f, id) {
            h.given = h.given.saturating_add(1);
        }
    }

    /// R31: an import made this handle. Was there one that the file had the dma-buf by?
    pub(super) fn by_import(&mut self, m: &Machine, t: usize, f: u8) {
        let thread = self.threads[t];
        if thread.ret < 0 {
            return;
        }
        let first = |h: &&Handle| {
            let of_buf = |o: &crate::state::Obj| self.attach(o.import).is_some_and(|a| a.buf == thread.d);
            (h.file, h.state, h.shared) == (f, handle_state::OPEN, 1)
                && h.id != thread.h
                && (h.obj == thread.o || self.obj(h.obj).is_some_and(of_buf))
        };
        if m.era.cache_counts() && self.handles.iter().any(|h| first(&h)) {
            self.fact(Wrong::SecondHandle, About::Handle(f, thread.h));
        }
        if let Some(h) = self.handle_mut(f, thread.h) {
            h.imported = 1;
        }
    }

    pub(super) fn shared(&mut self, t: usize, f: u8) {
        let thread = self.threads[t];
        if thread.ret >= 0
            && let Some(h) = self.handle_mut(f, thread.h)
            && h.obj == thread.o
        {
            h.shared = 1;
        }
    }

    /// A close that user space asks for.
    pub(super) fn close_begins(&mut self, t: usize, dumb: bool) {
        self.th(t).flags |= flag::ASKED | if dumb { flag::DUMB } else { 0 };
    }

    pub(super) fn left_handle(&mut self, m: &Machine, t: usize, f: u8) {
        if !m.strict {
            return;
        }
        self.fact(Wrong::HandleLeft, About::Handle(f, self.threads[t].h));
    }

    /// R60: a driver refuses to read or write an import, unless it forgot to check.
    pub(super) fn access(&mut self, t: usize, f: u8, checked: bool) {
        let thread = self.threads[t];
        if self.obj(thread.o).is_none_or(|o| o.import.is_null()) {
            return;
        }
        if checked {
            self.th(t).ret = errno::EINVAL;
        } else {
            self.fact(Wrong::AccessOfImport, About::Handle(f, thread.h));
        }
    }
}
