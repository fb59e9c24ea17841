//! DRM devices and the ioctls on their files.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::outcome::{Answer, Outcome, Stop};
use crate::steps::{note, note_done};
use crate::sys::fd::Fd;
use crate::uapi;

/// A GEM handle: a number that means something in one [`DrmFile`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub u32);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A DRM device node, found by the name of its driver.
#[derive(Clone, Debug)]
pub struct Device {
    path: String,
    driver: String,
}

impl Device {
    /// The device of `driver`: its primary node, or its render node where there is no primary one.
    ///
    /// # Errors
    /// Skips when there is none.
    pub fn find(driver: &str) -> Outcome<Self> {
        Self::find_any(&[driver])
    }

    /// The device of the first of `drivers` that this machine has.
    ///
    /// # Errors
    /// Skips when there is none.
    pub fn find_any(drivers: &[&str]) -> Outcome<Self> {
        let wanted = drivers.iter().map(|name| canonical_driver(name));
        if let Some(found) = wanted.clone().find_map(first_node_of) {
            return Ok(found);
        }
        let wanted: Vec<_> = wanted.collect();
        let present: Vec<_> = known_nodes().iter().filter_map(|node| node.driver.clone()).collect();
        Err(Stop::Skip(format!(
            "no DRM device of driver `{}` (there are: {present:?})",
            wanted.join("` or `")
        )))
    }

    /// Opens a new DRM file: a handle table of its own.
    ///
    /// # Errors
    /// As open(2).
    #[inline(never)]
    pub fn open(&self) -> Outcome<DrmFile> {
        Ok(DrmFile { fd: Fd::open(&self.path, libc::O_RDWR)? })
    }

    /// Opens a new DRM file by the driver's render node.
    ///
    /// # Errors
    /// Skips when it has none; else as open(2).
    #[inline(never)]
    pub fn open_render(&self) -> Outcome<DrmFile> {
        let Some(device) = first_node_among(&self.driver, render_nodes()) else {
            return Err(Stop::Skip(format!("driver `{}` has no render node", self.driver)));
        };
        device.open()
    }

    /// The driver's name as the kernel gives it.
    pub fn driver(&self) -> &str {
        &self.driver
    }
}

/// The kernel's name of a driver that is also known under the name of its module or of its QEMU device.
fn canonical_driver(name: &str) -> &str {
    match name {
        "virtio-gpu" | "virtio" => "virtio_gpu",
        "bochs" => "bochs-drm",
        other => other,
    }
}

/// A device node that was looked at, and the driver behind it if it could be opened.
struct Node {
    path: String,
    driver: Option<String>,
}

/// The nodes looked at so far. Each is opened for its name only once, and none that is not needed: to a tracer every
/// such opening is one more file that comes and goes.
fn known_nodes() -> MutexGuard<'static, Vec<Node>> {
    static KNOWN: Mutex<Vec<Node>> = Mutex::new(Vec::new());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets the nodes looked at, because devices have come or gone.
pub fn forget_nodes() {
    known_nodes().clear();
}

/// The first node of `driver`: primary nodes come before render nodes.
fn first_node_of(driver: &str) -> Option<Device> {
    first_node_among(driver, (0..64).map(|n| format!("/dev/dri/card{n}")).chain(render_nodes()))
}

fn render_nodes() -> impl Iterator<Item = String> {
    (128..192).map(|n| format!("/dev/dri/renderD{n}"))
}

fn first_node_among(driver: &str, nodes: impl Iterator<Item = String>) -> Option<Device> {
    nodes
        .filter(|path| std::path::Path::new(path).exists())
        .find(|path| driver_of_node(path).as_deref() == Some(driver))
        .map(|path| Device { path, driver: driver.to_owned() })
}

fn driver_of_node(path: &str) -> Option<String> {
    let mut known = known_nodes();
    if let Some(node) = known.iter().find(|node| node.path == path) {
        return node.driver.clone();
    }
    let driver = Fd::open(path, libc::O_RDWR).and_then(|fd| {
        let name = DrmFile { fd }.driver_name();
        fd.close()?;
        name
    });
    known.push(Node { path: path.to_owned(), driver: driver.ok() });
    known.last().and_then(|node| node.driver.clone())
}

/// The size of every dumb buffer that does not say otherwise: four pages.
pub const WIDTH: u32 = 64;
/// See [`WIDTH`].
pub const HEIGHT: u32 = 64;
/// Bytes of a [`WIDTH`] by [`HEIGHT`] buffer.
pub const BYTES: usize = (WIDTH * HEIGHT * 4) as usize;

/// An open DRM file: a handle table and a cache of shared buffers. Copies mean the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrmFile {
    /// The descriptor, for what is done with descriptors alone.
    pub fd: Fd,
}

impl DrmFile {
    /// Closes this descriptor of the file.
    ///
    /// # Errors
    /// As close(2).
    #[inline(never)]
    pub fn close(self) -> Answer {
        self.fd.close()
    }

    /// DRM_IOCTL_VERSION: the driver's name.
    fn driver_name(self) -> Answer<String> {
        let mut name = [0u8; 32];
        let mut version = uapi::Version {
            name_len: 32,
            name: name.as_mut_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        let answer = self.fd.ioctl("DRM_IOCTL_VERSION", uapi::DRM_IOCTL_VERSION, &mut version).map(|_| {
            let len = (version.name_len as usize).min(name.len());
            String::from_utf8_lossy(&name[..len]).into_owned()
        });
        note(answer, || format!("version file={}", self.fd), Clone::clone)
    }

    /// Creates a dumb buffer of [`WIDTH`] by [`HEIGHT`] pixels.
    ///
    /// # Errors
    /// As DRM_IOCTL_MODE_CREATE_DUMB.
    #[inline(never)]
    pub fn create_dumb(self) -> Answer<Handle> {
        self.create_dumb_of(WIDTH, HEIGHT).map(|(handle, _)| handle)
    }

    /// Creates a dumb buffer of any size; also gives the bytes of a line.
    ///
    /// # Errors
    /// As DRM_IOCTL_MODE_CREATE_DUMB.
    #[inline(always)]
    pub fn create_dumb_of(self, width: u32, height: u32) -> Answer<(Handle, u32)> {
        let mut arg = uapi::CreateDumb { width, height, bpp: 32, ..Default::default() };
        let answer = self.fd.ioctl("DRM_IOCTL_MODE_CREATE_DUMB", uapi::DRM_IOCTL_MODE_CREATE_DUMB, &mut arg);
        note(
            answer.map(|_| (Handle(arg.handle), arg.pitch)),
            || format!("create-dumb file={}", self.fd),
            |(handle, _)| format!("handle={handle}"),
        )
    }

    /// Destroys a dumb buffer's handle: for the kernel the same as [`Self::gem_close`], with any handle.
    ///
    /// # Errors
    /// EINVAL when the handle is not open.
    #[inline(never)]
    pub fn destroy_dumb(self, handle: Handle) -> Answer {
        let mut arg = handle.0;
        let answer =
            self.fd.ioctl("DRM_IOCTL_MODE_DESTROY_DUMB", uapi::DRM_IOCTL_MODE_DESTROY_DUMB, &mut arg);
        note_done(answer.map(drop), || format!("destroy-dumb file={} handle={handle}", self.fd))
    }

    /// Closes a handle.
    ///
    /// # Errors
    /// EINVAL when the handle is not open.
    #[inline(never)]
    pub fn gem_close(self, handle: Handle) -> Answer {
        let mut arg = uapi::GemClose { handle: handle.0, pad: 0 };
        let answer = self.fd.ioctl("DRM_IOCTL_GEM_CLOSE", uapi::DRM_IOCTL_GEM_CLOSE, &mut arg);
        note_done(answer.map(drop), || format!("gem-close file={} handle={handle}", self.fd))
    }

    /// Gives the handle's object its global name, or returns the one it has.
    ///
    /// # Errors
    /// ENOENT when the handle is not open.
    #[inline(never)]
    pub fn flink(self, handle: Handle) -> Answer<u32> {
        let mut arg = uapi::GemFlink { handle: handle.0, name: 0 };
        let answer = self.fd.ioctl("DRM_IOCTL_GEM_FLINK", uapi::DRM_IOCTL_GEM_FLINK, &mut arg);
        note(
            answer.map(|_| arg.name),
            || format!("flink file={} handle={handle}", self.fd),
            |name| format!("name={name}"),
        )
    }

    /// Opens a global name: always a new handle.
    ///
    /// # Errors
    /// ENOENT when nothing has that name.
    #[inline(never)]
    pub fn open_name(self, name: u32) -> Answer<Handle> {
        let mut arg = uapi::GemOpen { name, ..Default::default() };
        let answer = self.fd.ioctl("DRM_IOCTL_GEM_OPEN", uapi::DRM_IOCTL_GEM_OPEN, &mut arg);
        note(
            answer.map(|_| Handle(arg.handle)),
            || format!("gem-open file={} name={name}", self.fd),
            |handle| format!("handle={handle}"),
        )
    }

    /// Exports a handle as a writable dma-buf fd with these descriptor flags (O_CLOEXEC or 0).
    ///
    /// # Errors
    /// ENOENT when the handle is not open.
    #[inline(never)]
    pub fn export(self, handle: Handle, fd_flags: i32) -> Answer<Fd> {
        let flags = (libc::O_RDWR | fd_flags).cast_unsigned();
        let mut arg = uapi::PrimeHandle { handle: handle.0, flags, fd: -1 };
        let answer =
            self.fd.ioctl("DRM_IOCTL_PRIME_HANDLE_TO_FD", uapi::DRM_IOCTL_PRIME_HANDLE_TO_FD, &mut arg);
        note(
            answer.map(|_| Fd(arg.fd)),
            || format!("export file={} handle={handle}", self.fd),
            |fd| format!("fd={fd}"),
        )
    }

    /// Imports a dma-buf fd. The same dma-buf gives the same handle as long as that one is open in this file.
    ///
    /// # Errors
    /// EBADF or EINVAL for what is not a dma-buf.
    #[inline(never)]
    pub fn import(self, prime: Fd) -> Answer<Handle> {
        let mut arg = uapi::PrimeHandle { fd: prime.0, ..Default::default() };
        let answer =
            self.fd.ioctl("DRM_IOCTL_PRIME_FD_TO_HANDLE", uapi::DRM_IOCTL_PRIME_FD_TO_HANDLE, &mut arg);
        note(
            answer.map(|_| Handle(arg.handle)),
            || format!("import file={} fd={prime}", self.fd),
            |handle| format!("handle={handle}"),
        )
    }

    /// Moves an object from one handle to a free one (6.18 only).
    ///
    /// # Errors
    /// EINVAL on kernels without the ioctl.
    #[inline(never)]
    pub fn change_handle(self, from: Handle, to: Handle) -> Answer {
        let mut arg = uapi::GemChangeHandle { handle: from.0, new_handle: to.0 };
        let answer =
            self.fd.ioctl("DRM_IOCTL_GEM_CHANGE_HANDLE", uapi::DRM_IOCTL_GEM_CHANGE_HANDLE, &mut arg);
        note_done(answer.map(drop), || format!("change-handle file={} from={from} to={to}", self.fd))
    }

    /// The offset at which mmap of this file maps a dumb buffer.
    ///
    /// # Errors
    /// ENOENT when the handle is not open.
    #[inline(never)]
    pub fn map_offset(self, handle: Handle) -> Answer<u64> {
        let mut arg = uapi::MapDumb { handle: handle.0, ..Default::default() };
        let answer = self.fd.ioctl("DRM_IOCTL_MODE_MAP_DUMB", uapi::DRM_IOCTL_MODE_MAP_DUMB, &mut arg);
        note(
            answer.map(|_| arg.offset),
            || format!("map-dumb file={} handle={handle}", self.fd),
            |offset| format!("offset={offset:#x}"),
        )
    }

    /// Adds a framebuffer over a dumb buffer of the usual size; gives its id.
    ///
    /// # Errors
    /// EOPNOTSUPP on drivers without modesetting.
    #[inline(never)]
    pub fn add_fb(self, handle: Handle) -> Answer<u32> {
        self.add_fb_of(handle, WIDTH, HEIGHT, WIDTH * 4)
    }

    /// Adds a framebuffer over a dumb buffer of any size.
    ///
    /// # Errors
    /// As [`Self::add_fb`].
    #[inline(always)]
    pub fn add_fb_of(self, handle: Handle, width: u32, height: u32, pitch: u32) -> Answer<u32> {
        let mut arg = uapi::FbCmd2 {
            width,
            height,
            pixel_format: uapi::DRM_FORMAT_XRGB8888,
            handles: [handle.0, 0, 0, 0],
            pitches: [pitch, 0, 0, 0],
            ..Default::default()
        };
        let answer = self.fd.ioctl("DRM_IOCTL_MODE_ADDFB2", uapi::DRM_IOCTL_MODE_ADDFB2, &mut arg);
        note(
            answer.map(|_| arg.fb_id),
            || format!("addfb2 file={} handle={handle}", self.fd),
            |id| format!("fb={id}"),
        )
    }

    /// Removes a framebuffer.
    ///
    /// # Errors
    /// ENOENT when this file did not add it.
    #[inline(never)]
    pub fn remove_fb(self, fb: u32) -> Answer {
        let mut arg = fb;
        let answer = self.fd.ioctl("DRM_IOCTL_MODE_RMFB", uapi::DRM_IOCTL_MODE_RMFB, &mut arg);
        note_done(answer.map(drop), || format!("rmfb file={} fb={fb}", self.fd))
    }

    /// Looks a framebuffer up. A master or administrator gets a **new handle** of its first plane's object.
    ///
    /// # Errors
    /// ENOENT when there is no such framebuffer.
    #[inline(never)]
    pub fn get_fb(self, fb: u32) -> Answer<Handle> {
        let mut arg = uapi::FbCmd2 { fb_id: fb, ..Default::default() };
        let answer = self.fd.ioctl("DRM_IOCTL_MODE_GETFB2", uapi::DRM_IOCTL_MODE_GETFB2, &mut arg);
        note(
            answer.map(|_| Handle(arg.handles[0])),
            || format!("getfb2 file={} fb={fb}", self.fd),
            |handle| format!("handle={handle}"),
        )
    }
}
