//! Framebuffers of one plane (R3).

use gemscope_common::ProbeId;

use super::{handle_create, handle_put, obj_put};
use crate::code::{Asm, Do, Lock};

/// ADDFB2 of the handle in H; the framebuffer into B. The look-up's reference stays with it.
pub fn addfb(a: &mut Asm, f: u8, dev: u8) {
    let out = a.label();
    if a.given {
        a.act(Do::ObjGet);
    } else {
        a.act(Do::Lookup { f });
        a.if_failed(out);
    }
    a.enter(ProbeId::FbInit, f);
    if a.era.fb_handle_refs() {
        a.enter(ProbeId::HandleGetIfExists, 0);
        a.lock(Lock::Name(dev));
        if a.given {
            // A function of its own where it was not inlined.
            a.point(ProbeId::HandleGet, f);
        }
        a.act(Do::CountGetIfAny);
        a.unlock(Lock::Name(dev));
        a.leave(ProbeId::HandleGetIfExists, 0);
    } else {
        a.act(Do::No);
    }
    a.act(Do::FbInit { f });
    a.leave(ProbeId::FbInit, f);
    a.place(out);
}

/// RMFB of the framebuffer in B, or its file's close.
pub fn rmfb(a: &mut Asm, dev: u8) {
    let (uncounted, gone) = (a.label(), a.label());
    a.act(Do::FbObj);
    a.if_failed(gone);
    // `drm_gem_fb_destroy` drops the plain reference first.
    obj_put(a, true);
    a.enter(ProbeId::FbCleanup, 0);
    a.act(Do::FbCounted);
    a.if_no(uncounted);
    handle_put(a, dev);
    a.place(uncounted);
    a.leave(ProbeId::FbCleanup, 0);
    a.act(Do::FbFree);
    a.place(gone);
}

/// CLOSEFB of the framebuffer in B: it may stay on screen.
pub fn closefb(a: &mut Asm) {
    a.act(Do::FbClosed);
    a.leave(ProbeId::FbClose, 0);
}

/// GETFB2: a new handle for the framebuffer's object, into H.
pub fn getfb2(a: &mut Asm, f: u8, dev: u8) {
    let out = a.label();
    a.enter(ProbeId::GetFb2, f);
    if !a.given {
        a.act(Do::FbObj);
        a.if_failed(out);
    }
    a.act(Do::ObjGet);
    handle_create(a, f, dev);
    obj_put(a, false);
    a.place(out);
    a.leave(ProbeId::GetFb2, f);
}
