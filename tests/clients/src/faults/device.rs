//! The module's device and its ioctls.

use super::Part;
use crate::drm::{Device, DrmFile, Handle};
use crate::outcome::{Answer, Outcome};
use crate::steps::{note, note_done};
use crate::sys::fd::Fd;
use crate::uapi;

/// The name of the module's DRM driver.
const DRIVER: &str = "gemfault";

/// The device.
///
/// # Errors
/// Skips when the module is not loaded.
pub fn find() -> Outcome<Device> {
    Device::find(DRIVER)
}

/// An open file of the device. Copies mean the same file.
#[derive(Clone, Copy)]
pub struct Gemfault {
    /// For what every DRM file can do.
    pub drm: DrmFile,
}

impl Gemfault {
    /// Has the module do its part, or the control.
    ///
    /// # Errors
    /// EOPNOTSUPP where the kernel has no such rule.
    #[inline(never)]
    pub fn run(self, part: Part, with: uapi::GemfaultRun) -> Answer {
        let flags = if part.right { uapi::GEMFAULT_RIGHT } else { 0 };
        let mut arg = uapi::GemfaultRun { fault: part.number, flags, ..with };
        let answer = self.drm.fd.ioctl("DRM_IOCTL_GEMFAULT_RUN", uapi::DRM_IOCTL_GEMFAULT_RUN, &mut arg);
        note_done(answer.map(drop), || format!("fault {} right={}", part.number, part.right))
    }

    /// A buffer of the module's exporter without GEM, as a prime fd.
    ///
    /// # Errors
    /// As the ioctl.
    #[inline(never)]
    pub fn export(self) -> Answer<Fd> {
        let mut arg = uapi::GemfaultExport { fd: -1, pad: 0 };
        let answer =
            self.drm.fd.ioctl("DRM_IOCTL_GEMFAULT_EXPORT", uapi::DRM_IOCTL_GEMFAULT_EXPORT, &mut arg);
        note(answer.map(|_| Fd(arg.fd)), || "plain-export".to_owned(), |fd| format!("fd={fd}"))
    }

    /// CPU access by handle, with one of the ioctls that are like i915's.
    ///
    /// # Errors
    /// EINVAL for an import, when it is done right.
    #[inline(never)]
    pub fn access(self, what: &'static str, request: u32, handle: Handle, right: bool) -> Answer {
        let flags = if right { uapi::GEMFAULT_RIGHT } else { 0 };
        let mut arg = uapi::GemfaultAccess { handle: handle.0, flags };
        let answer = self.drm.fd.ioctl(what, request, &mut arg);
        note_done(answer.map(drop), || format!("{what} handle={handle} right={right}"))
    }

    /// Puts back all that the module has leaked.
    ///
    /// # Errors
    /// As the ioctl.
    #[inline(never)]
    pub fn clean_up(self) -> Answer {
        let answer =
            self.drm.fd.ioctl("DRM_IOCTL_GEMFAULT_CLEANUP", uapi::DRM_IOCTL_GEMFAULT_CLEANUP, &mut ());
        note_done(answer.map(drop), || "clean-up".to_owned())
    }
}
