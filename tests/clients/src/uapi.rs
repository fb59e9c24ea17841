//! The kernel's ioctl numbers and argument structures, as in `include/uapi/{drm,linux}`.

/// The caller writes, the kernel reads.
const WRITE: u32 = 1;
/// The kernel writes, the caller reads.
const READ: u32 = 2;

/// `_IOC()` of the kernel: direction, type letter, number, size of the argument.
const fn request<T>(direction: u32, letter: u8, number: u32) -> u32 {
    (direction << 30) | ((size_of::<T>() as u32) << 16) | ((letter as u32) << 8) | number
}

const fn drm<T>(direction: u32, number: u32) -> u32 {
    request::<T>(direction, b'd', number)
}

macro_rules! structure {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? } = $size:literal) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        pub struct $name { $(pub $field: $type),+ }
        const _: () = assert!(size_of::<$name>() == $size);
    };
}

structure! {
    /// `struct drm_version`; pointers as integers.
    Version {
        major: i32, minor: i32, patch: i32, pad: u32,
        name_len: u64, name: u64, date_len: u64, date: u64, desc_len: u64, desc: u64,
    } = 64
}
structure! {
    /// `struct drm_gem_close`.
    GemClose { handle: u32, pad: u32 } = 8
}
structure! {
    /// `struct drm_gem_flink`.
    GemFlink { handle: u32, name: u32 } = 8
}
structure! {
    /// `struct drm_gem_open`.
    GemOpen { name: u32, handle: u32, size: u64 } = 16
}
structure! {
    /// `struct drm_gem_change_handle` (6.18).
    GemChangeHandle { handle: u32, new_handle: u32 } = 8
}
structure! {
    /// `struct drm_prime_handle`.
    PrimeHandle { handle: u32, flags: u32, fd: i32 } = 12
}
structure! {
    /// `struct drm_mode_create_dumb`.
    CreateDumb { height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64 } = 32
}
structure! {
    /// `struct drm_mode_map_dumb`.
    MapDumb { handle: u32, pad: u32, offset: u64 } = 16
}
structure! {
    /// `struct drm_mode_fb_cmd2`.
    FbCmd2 {
        fb_id: u32, width: u32, height: u32, pixel_format: u32, flags: u32,
        handles: [u32; 4], pitches: [u32; 4], offsets: [u32; 4], pad: u32, modifier: [u64; 4],
    } = 104
}
structure! {
    /// `struct drm_mode_card_res`; pointers as integers.
    CardResources {
        fbs: u64, crtcs: u64, connectors: u64, encoders: u64,
        count_fbs: u32, count_crtcs: u32, count_connectors: u32, count_encoders: u32,
        min_width: u32, max_width: u32, min_height: u32, max_height: u32,
    } = 64
}
structure! {
    /// `struct drm_mode_get_connector`; pointers as integers.
    GetConnector {
        encoders: u64, modes: u64, props: u64, prop_values: u64,
        count_modes: u32, count_props: u32, count_encoders: u32, encoder: u32, connector: u32,
        kind: u32, kind_number: u32, connection: u32, mm_width: u32, mm_height: u32, subpixel: u32, pad: u32,
    } = 80
}
structure! {
    /// `struct drm_mode_modeinfo`.
    ModeInfo {
        clock: u32, hdisplay: u16, hsync_start: u16, hsync_end: u16, htotal: u16, hskew: u16,
        vdisplay: u16, vsync_start: u16, vsync_end: u16, vtotal: u16, vscan: u16,
        vrefresh: u32, flags: u32, kind: u32, name: [u8; 32],
    } = 68
}
structure! {
    /// `struct drm_mode_crtc`; pointers as integers.
    SetCrtc {
        connectors: u64, count_connectors: u32, crtc: u32, fb: u32, x: u32, y: u32, gamma_size: u32,
        mode_valid: u32, mode: ModeInfo,
    } = 104
}
structure! {
    /// `struct drm_mode_crtc_page_flip`.
    PageFlip { crtc: u32, fb: u32, flags: u32, reserved: u32, user_data: u64 } = 24
}
structure! {
    /// `struct drm_vgem_fence_attach`.
    VgemFenceAttach { handle: u32, flags: u32, fence: u32, pad: u32 } = 16
}
structure! {
    /// `struct drm_vgem_fence_signal`.
    VgemFenceSignal { fence: u32, flags: u32 } = 8
}
structure! {
    /// `struct udmabuf_create`.
    UdmabufCreate { memfd: u32, flags: u32, offset: u64, size: u64 } = 24
}
structure! {
    /// `struct dma_heap_allocation_data`.
    HeapAlloc { len: u64, fd: u32, fd_flags: u32, heap_flags: u64 } = 24
}
structure! {
    /// `struct dma_buf_export_sync_file` (6.0).
    SyncFile { flags: u32, fd: i32 } = 8
}
structure! {
    /// `struct drm_gemfault_run` of the module in `tests/driver`.
    GemfaultRun { fault: u32, flags: u32, handle: u32, other_handle: u32, fd: i32, framebuffer: u32 } = 24
}
structure! {
    /// `struct drm_gemfault_export`.
    GemfaultExport { fd: i32, pad: u32 } = 8
}
structure! {
    /// `struct drm_gemfault_access`.
    GemfaultAccess { handle: u32, flags: u32 } = 8
}

/// Driver name and version of a DRM device.
pub const DRM_IOCTL_VERSION: u32 = drm::<Version>(READ | WRITE, 0x00);
/// Closes one handle.
pub const DRM_IOCTL_GEM_CLOSE: u32 = drm::<GemClose>(WRITE, 0x09);
/// Gives an object a global name.
pub const DRM_IOCTL_GEM_FLINK: u32 = drm::<GemFlink>(READ | WRITE, 0x0a);
/// Opens a global name.
pub const DRM_IOCTL_GEM_OPEN: u32 = drm::<GemOpen>(READ | WRITE, 0x0b);
/// Exports a handle as a dma-buf fd.
pub const DRM_IOCTL_PRIME_HANDLE_TO_FD: u32 = drm::<PrimeHandle>(READ | WRITE, 0x2d);
/// Imports a dma-buf fd as a handle.
pub const DRM_IOCTL_PRIME_FD_TO_HANDLE: u32 = drm::<PrimeHandle>(READ | WRITE, 0x2e);
/// The numbers of a device's display parts.
pub const DRM_IOCTL_MODE_GETRESOURCES: u32 = drm::<CardResources>(READ | WRITE, 0xa0);
/// Shows a framebuffer with a mode, or nothing.
pub const DRM_IOCTL_MODE_SETCRTC: u32 = drm::<SetCrtc>(READ | WRITE, 0xa2);
/// A connector and its modes.
pub const DRM_IOCTL_MODE_GETCONNECTOR: u32 = drm::<GetConnector>(READ | WRITE, 0xa7);
/// Removes a framebuffer; the argument is its id.
pub const DRM_IOCTL_MODE_RMFB: u32 = drm::<u32>(READ | WRITE, 0xaf);
/// Shows another framebuffer at the next frame.
pub const DRM_IOCTL_MODE_PAGE_FLIP: u32 = drm::<PageFlip>(READ | WRITE, 0xb0);
/// Flag of [`DRM_IOCTL_MODE_PAGE_FLIP`]: tell when it is done.
pub const DRM_MODE_PAGE_FLIP_EVENT: u32 = 1;
/// Bytes of the event that tells it.
pub const DRM_EVENT_VBLANK_SIZE: usize = 32;
/// Attaches a fence to a vgem buffer.
pub const DRM_IOCTL_VGEM_FENCE_ATTACH: u32 = drm::<VgemFenceAttach>(READ | WRITE, 0x41);
/// Flag of [`DRM_IOCTL_VGEM_FENCE_ATTACH`]: the fence is a writer's.
pub const VGEM_FENCE_WRITE: u32 = 1;
/// Signals such a fence, which ends with it.
pub const DRM_IOCTL_VGEM_FENCE_SIGNAL: u32 = drm::<VgemFenceSignal>(WRITE, 0x42);
/// Creates a dumb buffer.
pub const DRM_IOCTL_MODE_CREATE_DUMB: u32 = drm::<CreateDumb>(READ | WRITE, 0xb2);
/// The mmap offset of a dumb buffer.
pub const DRM_IOCTL_MODE_MAP_DUMB: u32 = drm::<MapDumb>(READ | WRITE, 0xb3);
/// Destroys a dumb buffer; the argument, `struct drm_mode_destroy_dumb`, is its handle.
pub const DRM_IOCTL_MODE_DESTROY_DUMB: u32 = drm::<u32>(READ | WRITE, 0xb4);
/// Adds a framebuffer over handles.
pub const DRM_IOCTL_MODE_ADDFB2: u32 = drm::<FbCmd2>(READ | WRITE, 0xb8);
/// Looks a framebuffer up, and opens new handles of its objects for a privileged caller.
pub const DRM_IOCTL_MODE_GETFB2: u32 = drm::<FbCmd2>(READ | WRITE, 0xce);
/// Moves an object to another handle of the same file.
pub const DRM_IOCTL_GEM_CHANGE_HANDLE: u32 = drm::<GemChangeHandle>(READ | WRITE, 0xd2);

/// Has the module do a fault.
pub const DRM_IOCTL_GEMFAULT_RUN: u32 = drm::<GemfaultRun>(READ | WRITE, 0x40);
/// A prime fd of the module's exporter without GEM.
pub const DRM_IOCTL_GEMFAULT_EXPORT: u32 = drm::<GemfaultExport>(READ | WRITE, 0x41);
/// Has the module put back what it has leaked.
pub const DRM_IOCTL_GEMFAULT_CLEANUP: u32 = drm::<()>(0, 0x42);
/// CPU access by handle: read.
pub const DRM_IOCTL_GEMFAULT_PREAD: u32 = drm::<GemfaultAccess>(WRITE, 0x43);
/// CPU access by handle: write.
pub const DRM_IOCTL_GEMFAULT_PWRITE: u32 = drm::<GemfaultAccess>(WRITE, 0x44);
/// CPU access by handle: map.
pub const DRM_IOCTL_GEMFAULT_MMAP: u32 = drm::<GemfaultAccess>(WRITE, 0x45);
/// Flag of the module's ioctls: do it right.
pub const GEMFAULT_RIGHT: u32 = 1;

/// Begins or ends CPU access to a dma-buf.
pub const DMA_BUF_IOCTL_SYNC: u32 = request::<u64>(WRITE, b'b', 0);
/// Names a dma-buf; the argument is the string's address, passed by value.
pub const DMA_BUF_SET_NAME: u32 = request::<u64>(WRITE, b'b', 1);
/// The fences of a dma-buf as a file (6.0).
pub const DMA_BUF_IOCTL_EXPORT_SYNC_FILE: u32 = request::<SyncFile>(READ | WRITE, b'b', 2);
/// Flags of [`DMA_BUF_IOCTL_SYNC`]: reading and writing.
pub const DMA_BUF_SYNC_RW: u64 = 3;
/// Flag of [`DMA_BUF_IOCTL_SYNC`]: the access is over.
pub const DMA_BUF_SYNC_END: u64 = 4;

/// Makes a dma-buf of a sealed memfd's pages.
pub const UDMABUF_CREATE: u32 = request::<UdmabufCreate>(WRITE, b'u', 0x42);
/// Flag of [`UDMABUF_CREATE`].
pub const UDMABUF_FLAGS_CLOEXEC: u32 = 1;
/// Allocates a dma-buf from a heap.
pub const DMA_HEAP_IOCTL_ALLOC: u32 = request::<HeapAlloc>(READ | WRITE, b'H', 0);

/// The four-character code of 32-bit RGB without alpha.
pub const DRM_FORMAT_XRGB8888: u32 = u32::from_le_bytes(*b"XR24");

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as strace prints them.
    #[test]
    fn ioctl_numbers_are_those_of_the_kernel() {
        assert_eq!(DRM_IOCTL_VERSION, 0xc040_6400);
        assert_eq!(DRM_IOCTL_GEM_CLOSE, 0x4008_6409);
        assert_eq!(DRM_IOCTL_PRIME_HANDLE_TO_FD, 0xc00c_642d);
        assert_eq!(DRM_IOCTL_PRIME_FD_TO_HANDLE, 0xc00c_642e);
        assert_eq!(DRM_IOCTL_MODE_CREATE_DUMB, 0xc020_64b2);
        assert_eq!(DRM_IOCTL_MODE_DESTROY_DUMB, 0xc004_64b4);
        assert_eq!(DRM_IOCTL_MODE_GETRESOURCES, 0xc040_64a0);
        assert_eq!(DRM_IOCTL_MODE_SETCRTC, 0xc068_64a2);
        assert_eq!(DRM_IOCTL_MODE_GETCONNECTOR, 0xc050_64a7);
        assert_eq!(DRM_IOCTL_MODE_PAGE_FLIP, 0xc018_64b0);
        assert_eq!(DRM_IOCTL_VGEM_FENCE_ATTACH, 0xc010_6441);
        assert_eq!(DRM_IOCTL_VGEM_FENCE_SIGNAL, 0x4008_6442);
        assert_eq!(DRM_IOCTL_MODE_ADDFB2, 0xc068_64b8);
        assert_eq!(DRM_IOCTL_GEM_CHANGE_HANDLE, 0xc008_64d2);
        assert_eq!(DMA_BUF_IOCTL_SYNC, 0x4008_6200);
        assert_eq!(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, 0xc008_6202);
        assert_eq!(UDMABUF_CREATE, 0x4018_7542);
        assert_eq!(DMA_HEAP_IOCTL_ALLOC, 0xc018_4800);
    }
}
