//! Programs of observed operations: what the era's kernel does, with what user space and drivers decide left open.

use std::rc::Rc;

use gemscope_common::ProbeId;
use rustc_hash::FxHashMap;

use crate::asm::Asm;
use crate::code::{Instr, Point, Reg};
use crate::era::Era;
use crate::ops;

/// An operation that has a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An object and its first handle: MODE_CREATE_DUMB, or a driver's own ioctl.
    Create {
        f: u8,
        dev: u8,
    },
    /// An object without a handle: a driver's own.
    DriverObject {
        dev: u8,
    },
    /// A handle for an object that a driver has in hand.
    HandleFor {
        f: u8,
        dev: u8,
    },
    /// GEM_CLOSE, MODE_DESTROY_DUMB.
    Close {
        f: u8,
        dev: u8,
        dumb: bool,
    },
    /// `drm_gem_handle_delete` by a driver.
    Delete {
        f: u8,
        dev: u8,
    },
    Export {
        f: u8,
        dev: u8,
    },
    /// `drm_gem_prime_handle_to_dmabuf` by a driver.
    ExportToDmabuf {
        f: u8,
        dev: u8,
    },
    Import {
        f: u8,
        dev: u8,
    },
    Flink {
        f: u8,
        dev: u8,
    },
    OpenName {
        f: u8,
        dev: u8,
    },
    ChangeHandle {
        f: u8,
    },
    /// GETFB and GETFB2, by the probe that tells.
    GetFb {
        f: u8,
        dev: u8,
        old: bool,
    },
    /// One that made no handle.
    GetFbFailed {
        f: u8,
        old: bool,
    },
    FbInit {
        dev: u8,
    },
    FbCleanup {
        dev: u8,
    },
    FileClose {
        f: u8,
        dev: u8,
    },
    /// The last file reference of a dma-buf goes.
    LastFput,
    /// The directory entry of one goes, later (B14).
    Destroy,
    /// A reference on an object is dropped that a driver had.
    ObjPut {
        symbol: bool,
    },
    /// A mapping of an object goes.
    VmClose,
}

impl Kind {
    /// What it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Create { .. } => "the creation of a buffer",
            Self::DriverObject { .. } => "the creation of an object by its driver",
            Self::HandleFor { .. } => "the creation of a handle",
            Self::Close { dumb: false, .. } => "GEM_CLOSE",
            Self::Close { dumb: true, .. } => "MODE_DESTROY_DUMB",
            Self::Delete { .. } => "the deletion of a handle",
            Self::Export { .. } | Self::ExportToDmabuf { .. } => "an export",
            Self::Import { .. } => "an import",
            Self::Flink { .. } => "GEM_FLINK",
            Self::OpenName { .. } => "GEM_OPEN",
            Self::ChangeHandle { .. } => "GEM_CHANGE_HANDLE",
            Self::GetFb { .. } | Self::GetFbFailed { .. } => "GETFB",
            Self::FbInit { .. } => "the creation of a framebuffer",
            Self::FbCleanup { .. } => "the end of a framebuffer",
            Self::FileClose { .. } => "the close of a DRM file",
            Self::LastFput => "the release of a dma-buf",
            Self::Destroy => "the late release of a dma-buf",
            Self::ObjPut { .. } => "the put of an object",
            Self::VmClose => "munmap",
        }
    }

    fn write(self, a: &mut Asm) {
        match self {
            Self::Create { f, dev } => ops::create_dumb(a, f, dev),
            Self::DriverObject { dev } => {
                a.act(crate::code::Do::ObjInit { dev });
                a.point(ProbeId::ObjectInit, 0);
            }
            Self::HandleFor { f, dev } => ops::handle_create(a, f, dev),
            Self::Close { f, dev, dumb } => ops::close(a, f, dev, dumb),
            Self::Delete { f, dev } => ops::delete(a, f, dev),
            Self::Export { f, dev } => ops::export(a, f, dev, 0),
            Self::ExportToDmabuf { f, dev } => ops::export_to_dmabuf(a, f, dev),
            Self::Import { f, dev } => ops::import(a, f, dev, 0),
            Self::Flink { f, dev } => ops::flink(a, f, dev),
            Self::OpenName { f, dev } => ops::open_name(a, f, dev),
            Self::ChangeHandle { f } => ops::change_handle(a, f),
            Self::GetFb { f, dev, .. } => ops::getfb2(a, f, dev),
            Self::GetFbFailed { f, .. } => {
                let out = a.label();
                a.enter(ProbeId::GetFb2, f);
                a.may_fail(Point::Fd, ops::errno::ENOENT, out);
                a.place(out);
                a.leave(ProbeId::GetFb2, f);
            }
            Self::FbInit { dev } => ops::addfb(a, 0, dev),
            Self::FbCleanup { dev } => ops::rmfb(a, dev),
            Self::FileClose { f, dev } => ops::close_handles(a, f, dev, false),
            Self::LastFput => ops::last_fput(a),
            Self::Destroy => ops::destroy(a),
            Self::ObjPut { symbol } => ops::obj_put(a, symbol),
            Self::VmClose => {
                a.point(ProbeId::GemVmClose, Reg::D as u8);
                ops::obj_put(a, false);
            }
        }
    }

    fn code(self, era: Era, may_fail: bool) -> Vec<Instr> {
        let mut a = Asm::new(era);
        a.given = true;
        if may_fail {
            a.faults = Point::ALL.iter().map(|(point, _)| (*point, false)).collect();
        }
        self.write(&mut a);
        let mut code = a.finish();
        if let Self::GetFb { old: true, .. } | Self::GetFbFailed { old: true, .. } = self {
            for instr in &mut code {
                if let Instr::Emit(probe @ ProbeId::GetFb2, ..) = instr {
                    *probe = ProbeId::GetFb;
                }
            }
        }
        code
    }
}

/// Programs that were written already.
#[derive(Debug)]
pub(super) struct Programs {
    pub era: Era,
    known: FxHashMap<(Kind, bool), Rc<[Instr]>>,
}

impl Programs {
    pub fn new(era: Era) -> Self {
        Self { era, known: FxHashMap::default() }
    }

    /// The program of an operation; `may_fail`: it is known to have failed, and every call in it may be why.
    pub fn get(&mut self, kind: Kind, may_fail: bool) -> Rc<[Instr]> {
        let era = self.era;
        let known = self.known.entry((kind, may_fail));
        Rc::clone(known.or_insert_with(|| kind.code(era, may_fail).into()))
    }
}
