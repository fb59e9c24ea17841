//! DRM files and processes: open, close, exit.

use gemscope_common::ProbeId;

use super::{close_fd, munmap, release_handle, rmfb};
use crate::code::{Asm, Do};

/// A DRM file is opened.
pub fn open_file(a: &mut Asm, f: u8) {
    a.act(Do::FileOpen { f });
    a.leave(ProbeId::FileOpen, f);
}

/// The last reference of a DRM file goes (R18). `left`: its process left it, and its handles, open.
pub fn close_file(a: &mut Asm, f: u8, dev: u8, left: bool) {
    let (closed, fbs, no_fbs) = (a.label(), a.label(), a.label());
    a.act(Do::FileIsOpen { f });
    a.if_no(closed);
    a.enter(ProbeId::FbRelease, f);
    a.place(fbs);
    a.act(Do::FbNext { f });
    a.if_no(no_fbs);
    rmfb(a, dev);
    a.goto(fbs);
    a.place(no_fbs);
    a.leave(ProbeId::FbRelease, f);
    close_handles(a, f, dev, left);
    a.place(closed);
}

/// The part of a file's close that is about handles, and its end.
pub fn close_handles(a: &mut Asm, f: u8, dev: u8, left: bool) {
    let (handles, no_handles) = (a.label(), a.label());
    a.enter(ProbeId::FileClose, f);
    a.place(handles);
    a.act(Do::IdrNext { f });
    a.if_no(no_handles);
    if left {
        a.act(Do::LeftHandle { f });
    }
    release_handle(a, f, dev);
    a.goto(handles);
    a.place(no_handles);
    a.leave(ProbeId::FileClose, f);
    a.point(ProbeId::PrimeDestroy, f);
    a.act(Do::CacheDestroy { f });
    a.act(Do::FileClosed { f });
}

/// A process ends: its mappings, its fds, its DRM files (file, device).
pub fn exit(a: &mut Asm, process: u8, files: &[(u8, u8)]) {
    let (maps, no_maps, fds, no_fds) = (a.label(), a.label(), a.label(), a.label());
    a.point(ProbeId::Exit, process);
    a.place(maps);
    a.act(Do::VmaNext { p: process });
    a.if_no(no_maps);
    munmap(a, process);
    a.goto(maps);
    a.place(no_maps);
    a.place(fds);
    a.act(Do::FdNext { p: process });
    a.if_no(no_fds);
    a.act(Do::LeftFd);
    close_fd(a, process);
    a.goto(fds);
    a.place(no_fds);
    for (f, dev) in files {
        close_file(a, *f, *dev, true);
    }
}
