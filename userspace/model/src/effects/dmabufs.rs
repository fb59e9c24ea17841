//! dma-bufs, their references, and fds.

use crate::machine::Machine;
use crate::ops::errno;
use crate::state::{Buf, Fd, Kernel, Ptr, allocate, buf_state, exporter, get_mut};
use crate::truth::{About, Wrong};

/// Standard streams have the first ones.
const FIRST_FD: u16 = 3;

impl Kernel {
    fn new_buf(&mut self, object: Ptr, kind: u8) -> Ptr {
        self.born_bufs = self.born_bufs.wrapping_add(1);
        let serial = self.born_bufs;
        let make =
            |gen_| Buf { gen_, serial, refs: 1, object, state: buf_state::LIVE, kind, ..Buf::default() };
        allocate(&mut self.bufs, make)
    }

    /// `dma_buf_export` of the object in hand. R30: there must be no other.
    pub(super) fn buf_create(&mut self, m: &Machine, t: usize) {
        let o = self.threads[t].o;
        let other = self.bufs.iter().any(|b| b.state == buf_state::LIVE && b.object == o);
        let caches = if m.era.cached_sgt() { exporter::CACHES } else { 0 };
        let d = self.new_buf(o, exporter::GEM | caches);
        if other {
            self.fact(Wrong::SecondBuf, self.about_obj(o));
        }
        if m.era.counted_link() {
            self.obj_get(o);
        }
        // Up to 3.11 the look-up's reference becomes the dma-buf's.
        self.th(t).d = d;
    }

    pub(super) fn buf_create_other(&mut self, t: usize, kind: u8) {
        let d = self.new_buf(Ptr::NULL, kind);
        self.th(t).d = d;
    }

    pub(super) fn bad_export(&mut self, t: usize) {
        self.fact(Wrong::BadExport, About::Nothing);
        self.th(t).ret = errno::EINVAL;
    }

    pub(crate) fn buf_get(&mut self, p: Ptr) {
        match get_mut(&mut self.bufs, p) {
            Some(b) if b.state == buf_state::LIVE => b.refs += 1,
            // B7: a file whose last reference is gone is raised again, and goes all the same.
            Some(b) if b.state == buf_state::DYING => {
                b.refs += 1;
                self.fact(Wrong::UseAfterRelease, self.about_buf(p));
            }
            _ => self.fact(Wrong::UseAfterRelease, self.about_buf(p)),
        }
    }

    pub(super) fn buf_put(&mut self, t: usize, p: Ptr) {
        let Some(b) = get_mut(&mut self.bufs, p).filter(|b| b.refs > 0) else {
            return self.fact(Wrong::UseAfterRelease, self.about_buf(p));
        };
        b.refs -= 1;
        if b.refs == 0 && b.state == buf_state::LIVE {
            b.state = buf_state::DYING;
            let thread = self.th(t);
            let ix = usize::from(thread.waiting);
            if let Some(place) = thread.work.get_mut(ix) {
                *place = p;
                thread.waiting += 1;
            }
        }
    }

    /// Task work runs the newest first.
    pub(super) fn work_next(&mut self, t: usize) {
        let thread = self.th(t);
        let any = thread.waiting > 0;
        if any {
            thread.waiting -= 1;
            thread.d = std::mem::take(&mut thread.work[usize::from(thread.waiting)]);
        }
        thread.say(any);
    }

    /// `dma_buf_file_release`: who still has a pointer has it wrongly (R24).
    pub(super) fn file_gone(&mut self, m: &Machine, t: usize) {
        let d = self.threads[t].d;
        if self.cache.iter().any(|e| e.buf == d) {
            self.fact(Wrong::ReleasedWhileCached, self.about_buf(d));
        }
        if m.era.counted_link() && self.objs.iter().any(|o| o.alive != 0 && o.link == d) {
            self.fact(Wrong::StaleLink, self.about_buf(d));
        }
        if let Some(b) = get_mut(&mut self.bufs, d) {
            b.state = buf_state::CLOSED;
        }
    }

    pub(super) fn entry_gone(&mut self, t: usize) {
        let d = self.threads[t].d;
        let gone = get_mut(&mut self.bufs, d).is_none_or(|b| {
            if b.paths > 0 {
                b.state = buf_state::ENTRY;
            }
            b.paths == 0
        });
        self.th(t).say(gone);
    }

    pub(super) fn exporter_of(&mut self, t: usize) {
        let object = self.buf(self.threads[t].d).map_or(Ptr::NULL, |b| b.object);
        let thread = self.th(t);
        if !object.is_null() {
            thread.o = object;
        }
        thread.say(!object.is_null());
    }

    pub(super) fn buf_free(&mut self, t: usize) {
        let d = self.threads[t].d;
        if self.attaches.iter().any(|a| a.alive != 0 && a.buf == d) {
            self.fact(Wrong::AttachmentLeft, self.about_buf(d));
        }
        if self.buf(d).is_some_and(|b| b.vmaps > 0) {
            self.fact(Wrong::VmapLeft, self.about_buf(d));
        }
        if let Some(b) = get_mut(&mut self.bufs, d) {
            let Buf { gen_, serial, .. } = *b;
            *b = Buf { gen_, serial, ..Buf::default() };
        }
    }

    fn free_fd(&self, process: u8) -> u16 {
        let used = |n: &u16| self.fds.iter().any(|f| f.process == process && f.number == *n);
        (FIRST_FD..).find(|n| !used(n)).unwrap_or(FIRST_FD)
    }

    pub(super) fn fd_install(&mut self, t: usize, process: u8) {
        let (buf, number) = (self.threads[t].d, self.free_fd(process));
        if self.buf(buf).is_none_or(|b| b.state != buf_state::LIVE) {
            self.fact(Wrong::UseAfterRelease, self.about_buf(buf));
        }
        self.fds.push(Fd { buf, number, process, path: 0 });
        self.th(t).x = number;
    }

    fn fd_at(&self, process: u8, number: u16) -> Option<usize> {
        self.fds.iter().position(|f| f.process == process && f.number == number)
    }

    pub(super) fn fd_get(&mut self, t: usize, process: u8) {
        let number = self.threads[t].x;
        match self.fd_at(process, number).map(|ix| self.fds[ix]).filter(|f| f.path == 0) {
            Some(fd) => {
                self.th(t).d = fd.buf;
                self.buf_get(fd.buf);
            }
            None => self.th(t).ret = errno::EBADF,
        }
    }

    pub(super) fn fd_close(&mut self, t: usize, process: u8) {
        let number = self.threads[t].x;
        match self.fd_at(process, number) {
            Some(ix) => {
                let fd = self.fds.remove(ix);
                let thread = self.th(t);
                thread.d = fd.buf;
                thread.say(fd.path != 0);
            }
            None => self.th(t).ret = errno::EBADF,
        }
    }

    pub(super) fn fd_dup(&mut self, t: usize, from: u8, to: u8) {
        let number = self.threads[t].x;
        match self.fd_at(from, number).map(|ix| self.fds[ix]) {
            Some(fd) => {
                let number = self.free_fd(to);
                if fd.path == 0 {
                    self.buf_get(fd.buf);
                } else if let Some(b) = get_mut(&mut self.bufs, fd.buf) {
                    b.paths += 1;
                }
                self.fds.push(Fd { number, process: to, ..fd });
                self.th(t).x = number;
            }
            None => self.th(t).ret = errno::EBADF,
        }
    }

    /// B14: a reference on the directory entry, not on the file.
    pub(super) fn fd_path(&mut self, t: usize, process: u8) {
        let number = self.threads[t].x;
        match self.fd_at(process, number).map(|ix| self.fds[ix]) {
            Some(fd) => {
                if let Some(b) = get_mut(&mut self.bufs, fd.buf) {
                    b.paths += 1;
                }
                let number = self.free_fd(process);
                self.fds.push(Fd { number, process, path: 1, ..fd });
                self.th(t).x = number;
            }
            None => self.th(t).ret = errno::EBADF,
        }
    }

    pub(super) fn path_put(&mut self, t: usize) {
        let d = self.threads[t].d;
        let last = get_mut(&mut self.bufs, d).is_some_and(|b| {
            b.paths -= 1;
            b.paths == 0 && b.state == buf_state::ENTRY
        });
        self.th(t).say(last);
    }

    pub(super) fn fd_next(&mut self, t: usize, process: u8) {
        // An exit closes them by rising number.
        let next = self.fds.iter().filter(|f| f.process == process).map(|f| f.number).min();
        let thread = self.th(t);
        thread.x = next.unwrap_or(0);
        thread.ret = 0;
        thread.say(next.is_some());
    }

    pub(super) fn left_fd(&mut self, m: &Machine, t: usize) {
        if !m.strict {
            return;
        }
        let number = self.threads[t].x;
        if let Some(fd) = self.fds.iter().find(|f| f.number == number && f.path == 0) {
            self.fact(Wrong::FdLeft, self.about_buf(fd.buf));
        }
    }
}
