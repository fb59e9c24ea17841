//! The display side of a DRM device: connectors, modes, page flips; and vgem's fences, which stand in for a GPU at work.

use crate::drm::{DrmFile, Handle};
use crate::outcome::{Answer, Failed, Outcome, Stop};
use crate::steps::{note, note_done};
use crate::sys::fd::read_bytes;
use crate::uapi;

/// A connected display: where it is, and the smallest mode it has.
pub struct Display {
    crtc: u32,
    connector: u32,
    mode: uapi::ModeInfo,
}

/// `connection` of a connector with a display on it.
const CONNECTED: u32 = 1;

impl Display {
    /// The first connected display of the device.
    ///
    /// # Errors
    /// Skips when there is none.
    pub fn find(file: DrmFile) -> Outcome<Self> {
        let (crtcs, connectors) = resources(file)?;
        let Some(crtc) = crtcs.first().copied() else {
            return Err(Stop::Skip("the device has no crtc".to_owned()));
        };
        for connector in connectors {
            if let Some(mode) = smallest_mode(file, connector)? {
                return Ok(Self { crtc, connector, mode });
            }
        }
        Err(Stop::Skip("no display is connected".to_owned()))
    }

    /// Width and height of the mode, in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.mode.hdisplay.into(), self.mode.vdisplay.into())
    }

    /// Sets the mode and shows a framebuffer.
    ///
    /// # Errors
    /// EACCES when this file is not the master.
    #[inline(never)]
    pub fn show(&self, file: DrmFile, fb: u32) -> Answer {
        let connector = self.connector;
        let arg = uapi::SetCrtc {
            connectors: (&raw const connector).expose_provenance() as u64,
            count_connectors: 1,
            crtc: self.crtc,
            fb,
            mode_valid: 1,
            mode: self.mode,
            ..Default::default()
        };
        set_crtc(file, arg)
    }

    /// Shows nothing.
    ///
    /// # Errors
    /// As [`Self::show`].
    #[inline(never)]
    pub fn turn_off(&self, file: DrmFile) -> Answer {
        set_crtc(file, uapi::SetCrtc { crtc: self.crtc, ..Default::default() })
    }

    /// Shows another framebuffer from the next frame on, and waits until it is shown.
    ///
    /// # Errors
    /// As DRM_IOCTL_MODE_PAGE_FLIP and read(2).
    #[inline(never)]
    pub fn flip(&self, file: DrmFile, fb: u32) -> Answer {
        let mut arg = uapi::PageFlip {
            crtc: self.crtc,
            fb,
            flags: uapi::DRM_MODE_PAGE_FLIP_EVENT,
            ..Default::default()
        };
        let answer = file.fd.ioctl("DRM_IOCTL_MODE_PAGE_FLIP", uapi::DRM_IOCTL_MODE_PAGE_FLIP, &mut arg);
        note_done(answer.map(drop), || format!("page-flip file={} fb={fb}", file.fd))?;
        let got = read_bytes(file.fd, &mut [0; uapi::DRM_EVENT_VBLANK_SIZE])?;
        if got == uapi::DRM_EVENT_VBLANK_SIZE {
            Ok(())
        } else {
            Err(Failed { what: "read", errno: libc::EIO })
        }
    }
}

fn set_crtc(file: DrmFile, mut arg: uapi::SetCrtc) -> Answer {
    let fb = arg.fb;
    let answer = file.fd.ioctl("DRM_IOCTL_MODE_SETCRTC", uapi::DRM_IOCTL_MODE_SETCRTC, &mut arg);
    note_done(answer.map(drop), || format!("set-crtc file={} fb={fb}", file.fd))
}

/// The numbers of the device's crtcs and connectors. The first call only counts.
fn resources(file: DrmFile) -> Answer<(Vec<u32>, Vec<u32>)> {
    let mut arg = uapi::CardResources::default();
    let what = "DRM_IOCTL_MODE_GETRESOURCES";
    file.fd.ioctl(what, uapi::DRM_IOCTL_MODE_GETRESOURCES, &mut arg)?;
    let mut crtcs = vec![0u32; arg.count_crtcs as usize];
    let mut connectors = vec![0u32; arg.count_connectors as usize];
    let mut arg = uapi::CardResources {
        crtcs: crtcs.as_mut_ptr().expose_provenance() as u64,
        connectors: connectors.as_mut_ptr().expose_provenance() as u64,
        count_crtcs: arg.count_crtcs,
        count_connectors: arg.count_connectors,
        ..Default::default()
    };
    file.fd.ioctl(what, uapi::DRM_IOCTL_MODE_GETRESOURCES, &mut arg)?;
    Ok((crtcs, connectors))
}

/// The smallest mode of a connector, if a display is on it. The first call has the driver look, and counts.
fn smallest_mode(file: DrmFile, connector: u32) -> Answer<Option<uapi::ModeInfo>> {
    let mut arg = uapi::GetConnector { connector, ..Default::default() };
    let what = "DRM_IOCTL_MODE_GETCONNECTOR";
    file.fd.ioctl(what, uapi::DRM_IOCTL_MODE_GETCONNECTOR, &mut arg)?;
    if arg.connection != CONNECTED {
        return Ok(None);
    }
    let mut modes = vec![uapi::ModeInfo::default(); arg.count_modes as usize];
    let mut arg = uapi::GetConnector {
        connector,
        modes: modes.as_mut_ptr().expose_provenance() as u64,
        count_modes: arg.count_modes,
        ..Default::default()
    };
    file.fd.ioctl(what, uapi::DRM_IOCTL_MODE_GETCONNECTOR, &mut arg)?;
    modes.truncate(arg.count_modes as usize);
    Ok(modes.into_iter().min_by_key(|mode| u32::from(mode.hdisplay) * u32::from(mode.vdisplay)))
}

/// A fence of vgem's on a buffer; it signals by itself after ten seconds.
#[derive(Clone, Copy, Debug)]
pub struct Fence(u32);

impl Fence {
    /// Attaches a writer's fence.
    ///
    /// # Errors
    /// ENOENT when the handle is not open.
    #[inline(never)]
    pub fn attach(file: DrmFile, handle: Handle) -> Answer<Self> {
        let mut arg =
            uapi::VgemFenceAttach { handle: handle.0, flags: uapi::VGEM_FENCE_WRITE, ..Default::default() };
        let answer =
            file.fd.ioctl("DRM_IOCTL_VGEM_FENCE_ATTACH", uapi::DRM_IOCTL_VGEM_FENCE_ATTACH, &mut arg);
        note(
            answer.map(|_| Self(arg.fence)),
            || format!("fence-attach file={} handle={handle}", file.fd),
            |fence| format!("fence={}", fence.0),
        )
    }

    /// Signals it: the work on the buffer is done.
    ///
    /// # Errors
    /// ENOENT when there is no such fence.
    #[inline(never)]
    pub fn signal(self, file: DrmFile) -> Answer {
        let mut arg = uapi::VgemFenceSignal { fence: self.0, flags: 0 };
        let answer =
            file.fd.ioctl("DRM_IOCTL_VGEM_FENCE_SIGNAL", uapi::DRM_IOCTL_VGEM_FENCE_SIGNAL, &mut arg);
        note_done(answer.map(drop), || format!("fence-signal file={} fence={}", file.fd, self.0))
    }
}
