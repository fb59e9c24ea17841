//! What each probe saw, beyond the header.
//!
//! Kernel pointers are plain `u64` values: they are names, never dereferenced in user space. A field that a
//! particular probe does not fill is zero; the catalogue says which ones each probe fills.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::COMM_LEN;
use crate::probe::Layout;
use crate::record::{PAYLOAD_MAX, Record};

/// A struct that can lie in a record's payload area.
pub trait Payload: FromBytes + IntoBytes + KnownLayout + Immutable + Copy + 'static {
    /// All fields zero, for a read that cannot be served.
    fn zeroed_ref() -> &'static Self;
}

macro_rules! payloads {
    ($( $(#[$doc:meta])* $name:ident = $size:literal { $( $(#[$fdoc:meta])* $field:ident : $ty:ty, )+ } )+) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
            pub struct $name { $( $(#[$fdoc])* pub $field: $ty, )+ }

            // `IntoBytes` refuses implicit padding; the size pins the wire format.
            const _: () = assert!(size_of::<$name>() == $size && $size <= PAYLOAD_MAX && align_of::<$name>() <= 8);

            impl Payload for $name {
                fn zeroed_ref() -> &'static Self {
                    static ZERO: $name = zerocopy::transmute!([0u8; $size]);
                    &ZERO
                }
            }
        )+

        impl Layout {
            /// Payload size in bytes.
            #[must_use]
            pub const fn size(self) -> usize {
                match self { $( Self::$name => $size, )+ }
            }
        }

        pub(crate) fn debug_payload(record: &Record, s: &mut core::fmt::DebugStruct<'_, '_>) {
            match record.probe().map(crate::ProbeId::layout) {
                $( Some(Layout::$name) => { s.field("payload", record.payload::<$name>()); } )+
                None => { s.field("payload", record.words()); }
            }
        }
    };
}

payloads! {
    /// A GEM object and, where the probe has them, the file and handle it is seen through.
    /// The object's fields are those at the probed instant: at entry, before the call's effect.
    Gem = 64 {
        /// `struct drm_file *`
        file: u64,
        /// `struct drm_gem_object *`
        obj: u64,
        /// `obj->dev`
        dev: u64,
        /// `obj->dma_buf`, the link (R5)
        dma_buf: u64,
        /// `obj->import_attach`, the stable mark of an import (R26)
        import_attach: u64,
        /// `obj->size`, bytes; for `object-init` the argument
        size: u64,
        /// `obj->handle_count`
        handle_count: u32,
        /// `obj->name`, the flink name; 0 is none
        name: u32,
        /// `obj->refcount`
        refcount: u32,
        /// GEM handle; 0 is none
        handle: u32,
    }
    /// A DRM file (`struct drm_file`, one per open).
    DrmFile = 64 {
        /// `struct drm_file *`
        file: u64,
        /// `file->minor->dev`
        dev: u64,
        /// `file->filp`; 0 for a client inside the kernel. For `file-open` it is not set yet.
        filp: u64,
        /// `file->client_id`, where the kernel has it (6.5 and later); 0 elsewhere
        client_id: u64,
        /// For `prime-destroy`: root node of the PRIME cache; must be 0 (R18)
        cache_root: u64,
        /// `file->minor->index`: the N of cardN, or 128 and up for renderDN
        minor: u32,
        /// `file->minor->type`: 0 primary, 2 render, 32 accel
        minor_type: u32,
        /// `dev->driver->name`, cut to 16 bytes
        driver: [u8; 16],
    }
    /// A PRIME call.
    Prime = 64 {
        /// `struct drm_file *`
        file: u64,
        /// `struct dma_buf *`
        dma_buf: u64,
        /// inode number of the dma-buf, where it may be read safely; 0 elsewhere
        ino: u64,
        /// `struct drm_gem_object *` an import hook returned; 0 elsewhere
        obj: u64,
        /// `struct drm_device *` of an import hook; 0 elsewhere
        dev: u64,
        /// GEM handle; at the return of an import the handle it gave
        handle: u32,
        /// fd: the argument of an import; at the return of an export the fd it gave, or -1
        fd: i32,
        /// `DRM_CLOEXEC | DRM_RDWR` of an export
        flags: u32,
        /// always 0
        reserved: u32,
        /// for the return of `export-to-fd`: what it is in [`Buf`]
        syscall: u64,
    }
    /// GEM_CHANGE_HANDLE (R27).
    ChangeHandle = 24 {
        /// `struct drm_file *`
        file: u64,
        /// the handle that moves
        handle: u32,
        /// the number it moves to
        new_handle: u32,
        /// always 0
        reserved: u64,
    }
    /// The birth of a dma-buf (`dma_buf_export`), arguments and result.
    BufExport = 80 {
        /// `struct dma_buf *`; 0 when the export failed
        dma_buf: u64,
        /// inode number: the public name of a dma-buf
        ino: u64,
        /// `exp_info->priv`: for GEM exporters the object
        private: u64,
        /// `exp_info->ops`
        ops: u64,
        /// `exp_info->resv`; 0 means its own
        resv: u64,
        /// `exp_info->size`, bytes
        size: u64,
        /// `exp_info->flags`
        flags: u32,
        /// 1 when `ops->release` is `drm_gem_dmabuf_release`, 2 when it is another function, 0 when not known
        gem_exporter: u16,
        /// which of the exporter's operations are there, as [`ops`](crate::ops) bits; 0 when not known
        ops_bits: u16,
        /// `dma_buf->exp_name`, cut to 24 bytes
        exp_name: [u8; 24],
    }
    /// A dma-buf.
    Buf = 56 {
        /// `struct dma_buf *`
        dma_buf: u64,
        /// inode number, where it may be read safely; 0 elsewhere
        ino: u64,
        /// `dma_buf->priv`: for GEM exporters the object; 0 where it may not be read
        private: u64,
        /// `struct file *` where the probe has it
        filp: u64,
        /// file reference count at the instant (racy, a sanity bound only); 0 where it may not be read
        file_count: u64,
        /// fd: argument or result; -1 where there is none
        fd: i32,
        /// `dma_buf->vmapping_counter`, for `dmabuf-release` and `dmabuf-file-release`
        vmapping_counter: u32,
        /// for `dmabuf-fd`, `dmabuf-fd-install` and `dmabuf-get`: the same within one system call of a thread, most likely
        /// another in the next one; 0 when not known
        syscall: u64,
    }
    /// A use of a dma-buf by the kernel that its reservation lock guards: vmap, vunmap, notice of a move.
    BufAccess = 24 {
        /// `struct dma_buf *`
        dma_buf: u64,
        /// inode number of the dma-buf
        ino: u64,
        /// `dma_buf->vmapping_counter` at entry
        vmapping_counter: u32,
        /// reservation lock of the dma-buf: one of the [`reservation`](crate::reservation) values
        reservation: u32,
    }
    /// An ioctl on a dma-buf fd.
    BufIoctl = 32 {
        /// `struct dma_buf *`
        dma_buf: u64,
        /// inode number
        ino: u64,
        /// the ioctl's argument pointer, or for SYNC the flags
        arg: u64,
        /// the ioctl's number
        cmd: u32,
        /// always 0
        reserved: u32,
    }
    /// An attachment of a device to a dma-buf.
    Attachment = 80 {
        /// `struct dma_buf *`
        dma_buf: u64,
        /// inode number of the dma-buf
        ino: u64,
        /// `struct dma_buf_attachment *`
        attach: u64,
        /// `struct device *`
        device: u64,
        /// `struct sg_table *`
        sgt: u64,
        /// `importer_ops`; 0 is a static importer
        importer_ops: u64,
        /// `enum dma_data_direction`
        direction: u32,
        /// reservation lock of the dma-buf: one of the [`reservation`](crate::reservation) values
        reservation: u32,
        /// `attach->dmabuf`, for `detach`: must be the dma-buf of the call (R48)
        attached_to: u64,
        /// `attach->sgt` at entry, for `attach` at return: the mapping that the core keeps until detach (R43); 0 when
        /// none, or on kernels without
        cached_sgt: u64,
        /// `attach->dir` at entry, the direction of the kept mapping
        cached_direction: u32,
        /// which of the exporter's operations are there, as [`ops`](crate::ops) bits; 0 when not known
        ops_bits: u32,
    }
    /// A framebuffer and the objects of its planes.
    Framebuffer = 56 {
        /// `struct drm_framebuffer *`
        fb: u64,
        /// `fb->dev`
        dev: u64,
        /// `fb->obj[i]`; 0 where there is no plane or the driver keeps them elsewhere
        obj: [u64; 4],
        /// `fb->base.id`
        id: u32,
        /// `fb->internal_flags`: bit i set when plane i holds a handle reference (R3)
        internal_flags: u32,
    }
    /// A user mapping.
    Mapping = 48 {
        /// `struct vm_area_struct *`
        vma: u64,
        /// `struct drm_gem_object *`, for mappings of a DRM file
        obj: u64,
        /// `struct dma_buf *`, for mappings of a dma-buf fd
        dma_buf: u64,
        /// inode number of the dma-buf
        ino: u64,
        /// `vma->vm_start`
        start: u64,
        /// bytes
        length: u64,
    }
    /// A process event. The header's tid and tgid are the parent's for `fork`, the process's own for the others.
    Process = 40 {
        /// `fork`: the new task's tid
        child_tid: u32,
        /// `fork`: the new task's tgid; equal to the header's tgid when a thread was made
        child_tgid: u32,
        /// `exit`: `task->exit_code`: the low 7 bits are the fatal signal, 0x80 a core dump, the next byte the status
        exit_code: u32,
        /// `exit`: 1 when this was the last thread of the process
        last_thread: u32,
        /// name of the process: the child's for `fork`, the new one for `exec`
        comm: [u8; COMM_LEN],
        /// `task->real_parent->tgid`
        parent_tgid: u32,
        /// always 0
        reserved: u32,
    }
    /// Which process tree the verdict is about; one record for each tree. That of a command is sent before its first process runs.
    Scope = 16 {
        /// the tree's root; 0 is the whole machine
        root_tgid: u32,
        /// one of the [`scope`](crate::scope) values: what to make of things open at exit
        at_exit: u32,
        /// [`scope::WATCHED`](crate::scope::WATCHED), or 0 for the tree of the command
        watched: u32,
        /// always 0
        reserved: u32,
    }
    /// A settle point. `SeenFd` records of the scan come before it.
    Settle = 32 {
        /// records dropped in all, read from the kernel after detaching
        drops: u64,
        /// processes of the scope still alive
        alive: u32,
        /// 1 when every process's fds and mappings could be read by the scan, 0 when not, 2 when none was made
        scan: u32,
        /// milliseconds waited since the last process of the scope ended
        waited_ms: u32,
        /// 1 when the trace was cut here by the user and the program may go on
        cut: u32,
        /// processes whose fds could not be read by the scan
        unreadable: u32,
        /// 1 when the kernel's own list of dma-bufs was read too ([`seen::ALIVE`](crate::seen::ALIVE)): what is not on it
        /// has no file any more
        listed: u32,
    }
    /// A dma-buf found in `/proc/PID/fd`, in `/proc/PID/maps` or on the kernel's own list.
    SeenFd = 32 {
        /// inode number of the dma-buf
        ino: u64,
        /// size in bytes; of a mapping its length
        size: u64,
        /// the process; 0 for the kernel's list
        tgid: u32,
        /// the fd; -1 where there is none
        fd: i32,
        /// one of the [`seen`](crate::seen) values
        kind: u32,
        /// 1 when it was found at the start, right after the probes were attached, 0 when for a settle point
        at_start: u32,
    }
    /// Hits that a probe missed, read from the kernel.
    Missed = 16 {
        /// [`ProbeId`](crate::ProbeId) number
        probe: u16,
        /// [`Phase`](crate::Phase) value
        phase: u8,
        /// one of the [`missed`](crate::missed) values
        kind: u8,
        /// always 0
        reserved: u32,
        /// how many in all
        count: u64,
    }
    /// A point in time that the user named.
    Mark = 32 {
        /// the name, NUL-padded
        name: [u8; 32],
    }
}

impl Mark {
    /// The mark that a recording without a settle point ends with.
    pub const END: &'static str = "end of recording";

    /// The mark before the first cycle of an action that is done again and again; the others have the number of cycles that are over.
    pub const FIRST_CYCLE: &'static str = "cycle 0";

    /// A mark of this name, cut to what fits.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut mark = Self { name: [0; 32] };
        let mut end = name.len().min(mark.name.len());
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        mark.name[..end].copy_from_slice(&name.as_bytes()[..end]);
        mark
    }
}

/// Values of [`Scope::at_exit`].
pub mod scope {
    /// Things still open at a normal exit are findings.
    pub const STRICT: u32 = 0;
    /// Only stacks whose count grew with use are findings.
    pub const GROWTH: u32 = 1;
    /// Things still open at exit are left out.
    pub const IGNORE: u32 = 2;
    /// [`Scope::watched`](super::Scope::watched): its end is not awaited.
    pub const WATCHED: u32 = 1;
}

/// Values of [`SeenFd::kind`].
pub mod seen {
    /// An fd.
    pub const FD: u32 = 0;
    /// A mapping.
    pub const MAPPING: u32 = 1;
    /// An fd opened with `O_PATH`: it holds the directory entry, not the file (B14).
    pub const PATH: u32 = 2;
    /// Nothing of a process: the kernel's own list of dma-bufs that have a file, where it can be read (6.16 and later).
    pub const ALIVE: u32 = 3;
}

/// Values of [`Attachment::reservation`] and [`BufAccess::reservation`] (R46); 0 is not known.
pub mod reservation {
    /// The calling task holds the dma-buf's reservation lock.
    pub const HELD: u32 = 1;
    /// It does not: another one does, or nobody.
    pub const NOT_HELD: u32 = 2;
}

/// Which of an exporter's operations are there: bits of [`BufExport::ops_bits`] and [`Attachment::ops_bits`] (R40, R41).
pub mod ops {
    /// The bits were read.
    pub const KNOWN: u16 = 1 << 0;
    /// `map_dma_buf`
    pub const MAP: u16 = 1 << 1;
    /// `unmap_dma_buf`
    pub const UNMAP: u16 = 1 << 2;
    /// `release`
    pub const RELEASE: u16 = 1 << 3;
    /// `pin`: the exporter is dynamic
    pub const PIN: u16 = 1 << 4;
    /// `unpin`
    pub const UNPIN: u16 = 1 << 5;
    /// `cache_sgt_mapping` is set
    pub const CACHES: u16 = 1 << 6;
}

/// Values of [`Missed::kind`].
pub mod missed {
    /// The probe did not fire (kretprobe instances exhausted, or a probe hit inside a probe).
    pub const PROBE: u8 = 0;
    /// The BPF program was not run because another one ran on that cpu.
    pub const RECURSION: u8 = 1;
    /// Argument slots for return probes were exhausted.
    pub const ARGS: u8 = 2;
}

/// The text in a NUL-padded kernel string field, cut at the first NUL; not necessarily UTF-8, never trusted.
#[must_use]
pub fn kernel_str(bytes: &[u8]) -> &[u8] {
    match bytes.iter().position(|&b| b == 0) {
        Some(end) => &bytes[..end],
        None => bytes,
    }
}
