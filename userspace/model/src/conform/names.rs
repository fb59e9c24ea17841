//! Which observed address is which thing of the model, and the numbers that people know things by.

use crate::state::Ptr;

/// A thing of one kind that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bound {
    addr: u64,
    ptr: Ptr,
    number: u32,
    /// Its end was observed, or the model's.
    dead: bool,
}

/// Things of one kind: the last one of each slot of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Names {
    bound: Vec<Bound>,
    born: u32,
    /// Dead in the model; the driver's worker has yet to free them.
    late: Vec<(u64, u32)>,
}

impl Names {
    /// This address is this thing from now on.
    pub fn bind(&mut self, addr: u64, ptr: Ptr) {
        self.born += 1;
        let fresh = Bound { addr, ptr, number: self.born, dead: false };
        match self.bound.iter_mut().find(|b| b.ptr.same_address(ptr)) {
            Some(old) => *old = fresh,
            None => self.bound.push(fresh),
        }
    }

    /// The living thing at an address.
    pub fn find(&self, addr: u64) -> Option<Ptr> {
        self.bound.iter().find(|b| b.addr == addr && !b.dead && addr != 0).map(|b| b.ptr)
    }

    /// Where a thing is or was.
    pub fn addr(&self, ptr: Ptr) -> Option<u64> {
        self.bound.iter().find(|b| b.ptr == ptr).map(|b| b.addr)
    }

    /// A thing's number; also that of one that is gone.
    pub fn number(&self, ptr: Ptr) -> Option<u32> {
        self.bound.iter().find(|b| b.ptr == ptr).map(|b| b.number)
    }

    /// The number of what is, or was last, at an address.
    pub fn number_at(&self, addr: u64) -> Option<u32> {
        let living = self.bound.iter().find(|b| b.addr == addr && !b.dead);
        let any = || self.bound.iter().filter(|b| b.addr == addr).max_by_key(|b| b.number);
        let late = || self.late.iter().find(|l| l.0 == addr).map(|l| l.1);
        living.or_else(any).map(|b| b.number).or_else(late)
    }

    /// It ends. `late`: its memory goes later.
    pub fn end(&mut self, ptr: Ptr, late: bool) {
        if let Some(b) = self.bound.iter_mut().find(|b| b.ptr == ptr && !b.dead) {
            b.dead = true;
            if late {
                self.late.push((b.addr, b.number));
            }
        }
    }

    /// What became of it is not known.
    pub fn forget(&mut self, addr: u64) {
        self.bound.retain(|b| b.addr != addr || b.dead);
    }

    /// Is it dead, and its memory about to go?
    pub fn is_late(&self, addr: u64) -> bool {
        self.late.iter().any(|l| l.0 == addr)
    }

    /// Its memory goes; leaves whether that was due.
    pub fn went(&mut self, addr: u64) -> bool {
        let due = self.late.iter().position(|l| l.0 == addr);
        due.map(|ix| self.late.remove(ix)).is_some()
    }
}
