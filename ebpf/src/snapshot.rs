//! What is read of the kernel's structs, one function per struct.

use gemscope_common::{DrmFile, Framebuffer, Gem};

use crate::globals::*;
use crate::read::Reader;

/// The state word of a file reference that is gone (`file_ref_t`, 6.13 and later).
const FILE_REF_DEAD: u64 = 0xC000_0000_0000_0000;

/// A GEM object as it is now.
#[inline(always)]
pub fn gem(r: &mut Reader, obj: u64) -> Gem {
    Gem {
        file: 0,
        obj,
        dev: r.pointer(obj, &OFF_GEM_DEV),
        dma_buf: r.pointer(obj, &OFF_GEM_DMA_BUF),
        import_attach: r.pointer(obj, &OFF_GEM_IMPORT_ATTACH),
        size: r.field(obj, &OFF_GEM_SIZE),
        handle_count: r.field(obj, &OFF_GEM_HANDLE_COUNT),
        name: r.field(obj, &OFF_GEM_NAME),
        refcount: r.field(obj, &OFF_GEM_REFCOUNT),
        handle: 0,
    }
}

/// `file->minor->dev`.
#[inline(always)]
pub fn file_device(r: &mut Reader, file: u64) -> u64 {
    let minor = r.pointer(file, &OFF_FILE_MINOR);
    r.pointer(minor, &OFF_MINOR_DEV)
}

/// A handle call that names no object.
#[inline(always)]
pub fn by_file(r: &mut Reader, file: u64, handle: u32) -> Gem {
    Gem { file, handle, dev: file_device(r, file), ..Gem::default() }
}

/// A DRM file.
#[inline(always)]
pub fn drm_file(r: &mut Reader, file: u64) -> DrmFile {
    let minor = r.pointer(file, &OFF_FILE_MINOR);
    let dev = r.pointer(minor, &OFF_MINOR_DEV);
    DrmFile {
        file,
        dev,
        filp: r.pointer(file, &OFF_FILE_FILP),
        client_id: r.field(file, &OFF_FILE_CLIENT_ID),
        cache_root: 0,
        minor: r.field(minor, &OFF_MINOR_INDEX),
        minor_type: r.field(minor, &OFF_MINOR_TYPE),
        driver: driver_name(r, dev),
    }
}

/// `dev->driver->name`.
#[inline(always)]
pub fn driver_name(r: &mut Reader, dev: u64) -> [u8; 16] {
    let driver = r.pointer(dev, &OFF_DEVICE_DRIVER);
    let name = r.pointer(driver, &OFF_DRIVER_NAME);
    r.string(name)
}

/// The inode number of a `struct file`.
#[inline(always)]
pub fn file_ino(r: &mut Reader, filp: u64) -> u64 {
    let inode = r.pointer(filp, &OFF_FILP_INODE);
    r.field(inode, &OFF_INODE_INO)
}

/// The inode number of a dma-buf whose file is alive.
#[inline(always)]
pub fn buf_ino(r: &mut Reader, dma_buf: u64) -> u64 {
    let filp = r.pointer(dma_buf, &OFF_BUF_FILE);
    file_ino(r, filp)
}

/// References of a `struct file` now.
#[inline(always)]
pub fn file_count(r: &mut Reader, filp: u64) -> u64 {
    if OFF_FILP_REF.load() == UNKNOWN {
        return r.field(filp, &OFF_FILP_COUNT);
    }
    if filp == 0 {
        return 0;
    }
    // Counts from -1: one reference is 0.
    let word: u64 = r.field(filp, &OFF_FILP_REF);
    if word >= FILE_REF_DEAD { 0 } else { word + 1 }
}

/// Who holds the reservation lock of a dma-buf: 1 this task, 2 another or nobody, 0 not known.
#[inline(always)]
pub fn reservation(r: &mut Reader, dma_buf: u64) -> u32 {
    if OFF_RESV_OWNER.load() == UNKNOWN || OFF_BUF_RESV.load() == UNKNOWN || dma_buf == 0 {
        return 0;
    }
    let resv = r.pointer(dma_buf, &OFF_BUF_RESV);
    if resv == 0 {
        return 0;
    }
    let owner: u64 = r.field(resv, &OFF_RESV_OWNER);
    // The low bits are the mutex's flags.
    if owner & !7 == crate::flow::current_task() { 1 } else { 2 }
}

/// A framebuffer and its planes' objects. `dev` is an argument where the struct does not have it yet.
#[inline(always)]
pub fn framebuffer(r: &mut Reader, fb: u64, dev: u64) -> Framebuffer {
    let dev = if dev == 0 { r.pointer(fb, &OFF_FB_DEV) } else { dev };
    Framebuffer {
        fb,
        dev,
        obj: r.field(fb, &OFF_FB_OBJ),
        id: r.field(fb, &OFF_FB_ID),
        internal_flags: r.field(fb, &OFF_FB_INTERNAL_FLAGS),
    }
}
