//! What is read of the kernel's structs, one function per struct.

use aya_ebpf::Global;
use gemscope_common::reservation::{HELD, NOT_HELD};
use gemscope_common::{BufAccess, DrmFile, Framebuffer, Gem, ops};

use crate::globals::*;
use crate::read::Reader;

/// The state word of a file reference that is gone (`file_ref_t`, 6.13 and later).
const FILE_REF_DEAD: u64 = 0xC000_0000_0000_0000;

/// A GEM object as it is now.
#[inline(always)]
pub fn gem(r: &mut Reader, obj: u64) -> Gem {
    // On every kernel so far these lie side by side, and one call that reads four costs little more than one that reads one.
    // Where they do not, the verifier, which knows the offsets, removes this branch; where they do, the other.
    let front = follow(&OFF_GEM_REFCOUNT, [(&OFF_GEM_HANDLE_COUNT, 4), (&OFF_GEM_DEV, 8), (&OFF_GEM_DEV, 8)]);
    let middle =
        follow(&OFF_GEM_SIZE, [(&OFF_GEM_NAME, 8), (&OFF_GEM_DMA_BUF, 16), (&OFF_GEM_IMPORT_ATTACH, 24)]);
    let (refcount, handle_count, dev) = if front {
        let [counts, dev]: [u64; 2] = r.field(obj, &OFF_GEM_REFCOUNT);
        (counts as u32, (counts >> 32) as u32, dev)
    } else {
        (r.field(obj, &OFF_GEM_REFCOUNT), r.field(obj, &OFF_GEM_HANDLE_COUNT), r.pointer(obj, &OFF_GEM_DEV))
    };
    let (size, name, dma_buf, import_attach) = if middle {
        let [size, name, dma_buf, import_attach]: [u64; 4] = r.field(obj, &OFF_GEM_SIZE);
        (size, name as u32, dma_buf, import_attach)
    } else {
        let size = r.field(obj, &OFF_GEM_SIZE);
        let (name, dma_buf) = (r.field(obj, &OFF_GEM_NAME), r.pointer(obj, &OFF_GEM_DMA_BUF));
        (size, name, dma_buf, r.pointer(obj, &OFF_GEM_IMPORT_ATTACH))
    };
    Gem { file: 0, obj, dev, dma_buf, import_attach, size, handle_count, name, refcount, handle: 0 }
}

/// Do fields lie so many bytes behind a first one, all of them known?
#[inline(always)]
fn follow(first: &Global<u32>, others: [(&Global<u32>, u32); 3]) -> bool {
    let first = first.load();
    first != UNKNOWN && others.iter().all(|(other, behind)| other.load() == first.wrapping_add(*behind))
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

/// Who holds the reservation lock of a dma-buf: this task or not, 0 when that is not known.
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
    if owner & !7 == crate::flow::current_task() { HELD } else { NOT_HELD }
}

/// Which operations an exporter has, as [`ops`] bits; 0 when that cannot be told.
#[inline(always)]
pub fn ops_bits(r: &mut Reader, table: u64) -> u16 {
    let known = OFF_BUF_OPS_MAP.load() != UNKNOWN
        && OFF_BUF_OPS_UNMAP.load() != UNKNOWN
        && OFF_BUF_OPS_RELEASE.load() != UNKNOWN
        && OFF_BUF_OPS_PIN.load() != UNKNOWN
        && OFF_BUF_OPS_UNPIN.load() != UNKNOWN;
    if table == 0 || !known {
        return 0;
    }
    let mut of = Reader::new();
    let mut bits = ops::KNOWN;
    if of.pointer(table, &OFF_BUF_OPS_MAP) != 0 {
        bits |= ops::MAP;
    }
    if of.pointer(table, &OFF_BUF_OPS_UNMAP) != 0 {
        bits |= ops::UNMAP;
    }
    if of.pointer(table, &OFF_BUF_OPS_RELEASE) != 0 {
        bits |= ops::RELEASE;
    }
    if of.pointer(table, &OFF_BUF_OPS_PIN) != 0 {
        bits |= ops::PIN;
    }
    if of.pointer(table, &OFF_BUF_OPS_UNPIN) != 0 {
        bits |= ops::UNPIN;
    }
    // Kernels that never cache do not have it.
    if of.field::<u8>(table, &OFF_BUF_OPS_CACHES) != 0 {
        bits |= ops::CACHES;
    }
    if of.fault {
        r.fault = true;
        return 0;
    }
    bits
}

/// The operations of a dma-buf's exporter.
#[inline(always)]
pub fn exporter_bits(r: &mut Reader, dma_buf: u64) -> u32 {
    let table = r.pointer(dma_buf, &OFF_BUF_OPS);
    u32::from(ops_bits(r, table))
}

/// A dma-buf that the kernel is about to use.
#[inline(always)]
pub fn buf_access(r: &mut Reader, dma_buf: u64) -> BufAccess {
    BufAccess {
        dma_buf,
        ino: buf_ino(r, dma_buf),
        vmapping_counter: r.field(dma_buf, &OFF_BUF_VMAP_COUNTER),
        reservation: reservation(r, dma_buf),
    }
}

/// `THREAD_SIZE` of x86-64. A kernel with another one is noticed: see [`syscall`].
const STACK_BYTES: u64 = 16384;
/// Words of `struct pt_regs` of x86-64, which lies at the base of a task's stack.
const REGS_WORDS: usize = 21;
/// Place of its `cs`, and the one with CONFIG_X86_FRED, which leaves two words free at the base.
const REGS_CS: [usize; 2] = [17, 15];
/// Selectors of the code of programs, of 64 and of 32 bits.
const USER_CS: [u16; 2] = [0x33, 0x23];

/// A number for the system call that this thread is in; 0 when there is none, or on another architecture.
///
/// It is made of the registers that the program called with: they stay as they are until the call ends.
#[inline(always)]
pub fn syscall(r: &mut Reader) -> u64 {
    let stack = r.pointer(crate::flow::current_task(), &OFF_TASK_STACK);
    if stack == 0 {
        return 0;
    }
    let base = stack.wrapping_add(STACK_BYTES - 8 * REGS_WORDS as u64);
    Reader::mixed::<REGS_WORDS>(base, |regs| {
        let is_user = |cs: u64| cs as u16 == USER_CS[0] || cs as u16 == USER_CS[1];
        is_user(regs[REGS_CS[0]]) || is_user(regs[REGS_CS[1]])
    })
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
