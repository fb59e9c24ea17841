//! At rest: nobody runs any more and no process is left. What is still there is kept by what nobody has.

use crate::machine::Machine;
use crate::state::{Framebuffer, Kernel, Ptr, buf_state, get, ptr};
use crate::truth::{About, Wrong};

impl Kernel {
    pub(super) fn rest(&mut self, m: &Machine) {
        let mut facts = Vec::new();
        for (ix, o) in self.objs.iter().enumerate().filter(|(_, o)| o.alive != 0) {
            let p = ptr(&self.objs, ix);
            let shown = |b: &&Framebuffer| b.alive != 0 && b.obj == p;
            let fbs = self.fbs.iter().filter(shown).count() as i16;
            let counts = self.fbs.iter().filter(shown).filter(|b| b.counted != 0).count() as i16;
            let bufs = self.bufs.iter().filter(|b| b.state != buf_state::FREE && b.object == p).count();
            if o.count > counts {
                facts.push((Wrong::LostCount, About::Object(o.serial)));
            }
            // What handle counts keep is told by the count.
            let by_count = i16::from(o.count > 0);
            if o.kref > fbs + bufs as i16 + by_count && o.count <= counts {
                facts.push((Wrong::LostObject, About::Object(o.serial)));
            }
            if m.era.counted_link() && o.count <= 0 && !o.link.is_null() && get(&self.bufs, o.link).is_some()
            {
                facts.push((Wrong::StaleLink, About::Object(o.serial)));
            }
        }
        for (ix, b) in self.bufs.iter().enumerate().filter(|(_, b)| b.state == buf_state::LIVE) {
            let p: Ptr = ptr(&self.bufs, ix);
            let linked = |o: &&crate::state::Obj| m.era.counted_link() && o.alive != 0 && o.link == p;
            let links = self.objs.iter().filter(linked).count();
            let attached = |o: &&crate::state::Obj| {
                o.alive != 0 && get(&self.attaches, o.import).is_some_and(|a| a.buf == p)
            };
            let importers = self.objs.iter().filter(attached).count();
            let devices =
                self.attaches.iter().filter(|a| a.alive != 0 && a.of_import == 0 && a.buf == p).count();
            if devices > 0 {
                facts.push((Wrong::AttachmentLeft, About::Buf(b.serial)));
            } else if b.refs > (links + importers) as i16 {
                facts.push((Wrong::LostBuf, About::Buf(b.serial)));
            }
        }
        for b in self.fbs.iter().filter(|b| b.alive != 0 && b.closed == 0) {
            facts.push((Wrong::FramebufferLeft, About::Framebuffer(b.id)));
        }
        facts.into_iter().for_each(|(wrong, about)| self.fact(wrong, about));
    }
}
