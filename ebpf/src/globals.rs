//! What user space sets before the load: constants to the verifier, which removes what they switch off.

use aya_ebpf::Global;

/// An offset that is not known: the field is not read.
pub const UNKNOWN: u32 = u32::MAX;

macro_rules! offsets {
    ($( $name:ident $what:literal ; )+) => {
        $( #[doc = concat!("Byte offset of `", $what, "`.")]
        #[unsafe(no_mangle)]
        pub static $name: Global<u32> = Global::new(UNKNOWN); )+
    };
}

offsets! {
    OFF_GEM_REFCOUNT "drm_gem_object.refcount";
    OFF_GEM_HANDLE_COUNT "drm_gem_object.handle_count";
    OFF_GEM_DEV "drm_gem_object.dev";
    OFF_GEM_SIZE "drm_gem_object.size";
    OFF_GEM_NAME "drm_gem_object.name";
    OFF_GEM_DMA_BUF "drm_gem_object.dma_buf";
    OFF_GEM_IMPORT_ATTACH "drm_gem_object.import_attach";
    OFF_FILE_MINOR "drm_file.minor";
    OFF_FILE_FILP "drm_file.filp";
    OFF_FILE_CLIENT_ID "drm_file.client_id";
    OFF_FILE_PRIME "drm_file.prime";
    OFF_PRIME_DMABUFS "drm_prime_file_private.dmabufs";
    OFF_MINOR_INDEX "drm_minor.index";
    OFF_MINOR_TYPE "drm_minor.type";
    OFF_MINOR_DEV "drm_minor.dev";
    OFF_DEVICE_DRIVER "drm_device.driver";
    OFF_DRIVER_NAME "drm_driver.name";
    OFF_FB_DEV "drm_framebuffer.dev";
    OFF_FB_ID "drm_framebuffer.base.id";
    OFF_FB_OBJ "drm_framebuffer.obj";
    OFF_FB_INTERNAL_FLAGS "drm_framebuffer.internal_flags";
    OFF_EXPORT_EXP_NAME "dma_buf_export_info.exp_name";
    OFF_EXPORT_OPS "dma_buf_export_info.ops";
    OFF_EXPORT_SIZE "dma_buf_export_info.size";
    OFF_EXPORT_FLAGS "dma_buf_export_info.flags";
    OFF_EXPORT_RESV "dma_buf_export_info.resv";
    OFF_EXPORT_PRIV "dma_buf_export_info.priv";
    OFF_BUF_SIZE "dma_buf.size";
    OFF_BUF_FILE "dma_buf.file";
    OFF_BUF_OPS "dma_buf.ops";
    OFF_BUF_EXP_NAME "dma_buf.exp_name";
    OFF_BUF_PRIV "dma_buf.priv";
    OFF_BUF_RESV "dma_buf.resv";
    OFF_BUF_VMAP_COUNTER "dma_buf.vmapping_counter";
    OFF_BUF_OPS_MAP "dma_buf_ops.map_dma_buf";
    OFF_BUF_OPS_UNMAP "dma_buf_ops.unmap_dma_buf";
    OFF_BUF_OPS_RELEASE "dma_buf_ops.release";
    OFF_BUF_OPS_PIN "dma_buf_ops.pin";
    OFF_BUF_OPS_UNPIN "dma_buf_ops.unpin";
    OFF_BUF_OPS_CACHES "dma_buf_ops.cache_sgt_mapping";
    OFF_ATTACH_DMABUF "dma_buf_attachment.dmabuf";
    OFF_ATTACH_DEV "dma_buf_attachment.dev";
    OFF_ATTACH_IMPORTER_OPS "dma_buf_attachment.importer_ops";
    OFF_ATTACH_SGT "dma_buf_attachment.sgt";
    OFF_ATTACH_DIRECTION "dma_buf_attachment.dir";
    OFF_RESV_OWNER "dma_resv.lock.base.owner";
    OFF_MAP_ADDRESS "iosys_map.vaddr";
    OFF_FILP_PRIVATE "file.private_data";
    OFF_FILP_INODE "file.f_inode";
    OFF_FILP_COUNT "file.f_count";
    OFF_FILP_REF "file.f_ref";
    OFF_FILP_OP "file.f_op";
    OFF_INODE_INO "inode.i_ino";
    OFF_DENTRY_FSDATA "dentry.d_fsdata";
    OFF_DENTRY_INODE "dentry.d_inode";
    OFF_VMA_PRIVATE "vm_area_struct.vm_private_data";
    OFF_VMA_START "vm_area_struct.vm_start";
    OFF_VMA_END "vm_area_struct.vm_end";
    OFF_TASK_PID "task_struct.pid";
    OFF_TASK_TGID "task_struct.tgid";
    OFF_TASK_COMM "task_struct.comm";
    OFF_TASK_FLAGS "task_struct.flags";
    OFF_TASK_EXIT_CODE "task_struct.exit_code";
    OFF_TASK_REAL_PARENT "task_struct.real_parent";
    OFF_TASK_SIGNAL "task_struct.signal";
    OFF_TASK_STACK "task_struct.stack";
    OFF_SIGNAL_LIVE "signal_struct.live";
    OFF_SIGNAL_GROUP_EXIT_CODE "signal_struct.group_exit_code";
}

/// Address of `dma_buf_fops`; 0 is not known.
#[unsafe(no_mangle)]
pub static ADDR_DMA_BUF_FOPS: Global<u64> = Global::new(0);

/// Address of `drm_gem_dmabuf_release`; 0 is not known.
#[unsafe(no_mangle)]
pub static ADDR_GEM_DMABUF_RELEASE: Global<u64> = Global::new(0);

/// Which stacks to take: the bits of [`stacks`].
#[unsafe(no_mangle)]
pub static STACKS: Global<u32> = Global::new(0);

/// Bits of [`STACKS`].
pub mod stacks {
    /// The kernel's.
    pub const KERNEL: u32 = 1;
    /// The program's.
    pub const USER: u32 = 2;
    /// Both.
    pub const BOTH: u32 = KERNEL | USER;
}

/// Which filters are on: the bits of [`filters`]. A record must pass every one that is.
#[unsafe(no_mangle)]
pub static FILTERS: Global<u32> = Global::new(0);

/// Bits of [`FILTERS`].
pub mod filters {
    /// Processes in the map `TGIDS`.
    pub const TGID: u32 = 1;
    /// Children of the processes in `TGIDS` join them.
    pub const TREE: u32 = 2;
    /// The name is [`FILTER_COMM`](super::FILTER_COMM).
    pub const COMM: u32 = 4;
    /// The cgroup is [`FILTER_CGROUP`](super::FILTER_CGROUP).
    pub const CGROUP: u32 = 8;
    /// The device has one of [`FILTER_MINORS`](super::FILTER_MINORS) or the driver
    /// [`FILTER_DRIVER`](super::FILTER_DRIVER); what has no known device passes.
    pub const DEVICE: u32 = 16;
}

/// Name of the wanted processes, NUL-padded.
#[unsafe(no_mangle)]
pub static FILTER_COMM: Global<[u64; 2]> = Global::new([0; 2]);

/// Id of the wanted cgroup (version 2).
#[unsafe(no_mangle)]
pub static FILTER_CGROUP: Global<u64> = Global::new(0);

/// Minor numbers of the wanted devices; [`UNKNOWN`] where unused.
#[unsafe(no_mangle)]
pub static FILTER_MINORS: Global<[u32; 4]> = Global::new([UNKNOWN; 4]);

/// Name of the wanted driver, NUL-padded; empty is none.
#[unsafe(no_mangle)]
pub static FILTER_DRIVER: Global<[u64; 2]> = Global::new([0; 2]);

/// The reader is woken when this many bytes wait for it; below, it comes by itself.
#[unsafe(no_mangle)]
pub static WAKE_BYTES: Global<u64> = Global::new(4096);
