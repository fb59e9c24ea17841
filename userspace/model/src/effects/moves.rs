//! GEM_CHANGE_HANDLE: a handle gets another number (R27, B13).

use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Kernel, handle_state};

impl Kernel {
    /// The new number must be free; from here on it is the object's too, unless both are hidden while they move.
    pub(super) fn move_alloc(&mut self, m: &Machine, t: usize, f: u8) {
        let (id, new) = (self.threads[t].h, self.threads[t].n);
        if self.handle(f, new).is_some_and(|h| h.slot != 0) {
            self.th(t).ret = errno::ENOSPC;
            return;
        }
        let obj = self.threads[t].o;
        let old = self.handle(f, id).copied();
        self.take_number(f, new, obj, if m.era.change_handle_two_stage() { 1 } else { 2 });
        if let (Some(h), Some(old)) = (self.handle_mut(f, new), old) {
            (h.state, h.allowed) = (handle_state::OPEN, 1);
            (h.given, h.imported) = (old.given, old.imported);
        }
    }

    /// The old number is empty from here on. Somebody may have been faster.
    pub(super) fn move_hide(&mut self, t: usize, f: u8) {
        let (id, obj) = (self.threads[t].h, self.threads[t].o);
        match self.handle_mut(f, id).filter(|h| h.slot == 2 && h.obj == obj) {
            Some(h) => h.slot = 1,
            None => self.th(t).ret = errno::ENOENT,
        }
    }

    pub(super) fn move_show(&mut self, t: usize, f: u8) {
        let new = self.threads[t].n;
        if let Some(h) = self.handle_mut(f, new) {
            h.slot = 2;
        }
    }

    pub(super) fn move_remove(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        if let Some(h) = self.handle_mut(f, id) {
            h.slot = 0;
            if h.state == handle_state::OPEN {
                // The handle lives on under its new number: nobody closed this one.
                (h.state, h.given) = (handle_state::MOVED, 0);
            }
        }
    }

    pub(super) fn move_undo(&mut self, t: usize, f: u8) {
        let (id, new) = (self.threads[t].h, self.threads[t].n);
        let hidden = self.handle(f, id).is_some_and(|h| h.slot == 1 && h.state == handle_state::OPEN);
        if let Some(h) = self.handle_mut(f, new) {
            (h.slot, h.state, h.given) = (0, handle_state::MOVED, 0);
        }
        if hidden && let Some(h) = self.handle_mut(f, id) {
            h.slot = 2;
        }
    }

    /// The cache entry that moves along, into D; leaves whether there is one.
    pub(super) fn move_find(&mut self, t: usize, f: u8) {
        let id = self.threads[t].h;
        let buf = self.cache.iter().find(|e| e.file == f && e.id == id).map(|e| e.buf);
        let thread = self.th(t);
        if let Some(buf) = buf {
            thread.d = buf;
        }
        thread.say(buf.is_some());
    }
}
