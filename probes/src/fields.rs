//! The kernel struct fields that the probes read, as one table.
//!
//! A row names the field as C does, the global of the BPF object that takes its byte offset, and the module whose
//! BTF has the struct. Offsets come from BTF; [`UNKNOWN`] means that the field does not exist or was not found, and
//! the BPF program then reads nothing and leaves the record's field zero.

/// The value of an offset global when the field's offset is not known.
pub const UNKNOWN: u32 = u32::MAX;

macro_rules! fields {
    ($( $variant:ident $home:ident $ty:literal $path:literal $global:literal
        $( or $other_ty:literal $other_path:literal )* ; )+) => {
        /// A field of a kernel struct that some probe reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $( #[doc = concat!("`", $ty, ".", $path, "`")] $variant, )+ }

        impl Field {
            /// Every field, in table order.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The C struct.
            #[must_use]
            pub const fn type_name(self) -> &'static str { match self { $( Self::$variant => $ty, )+ } }

            /// Member path inside the struct, dots between nested members.
            #[must_use]
            pub const fn path(self) -> &'static str { match self { $( Self::$variant => $path, )+ } }

            /// Where it may be, by falling preference: structs and member paths. The first is the one it is named by.
            pub fn places(self) -> impl Iterator<Item = (&'static str, &'static str)> {
                let places: &[(&str, &str)] = match self {
                    $( Self::$variant => &[($ty, $path) $( , ($other_ty, $other_path) )*], )+
                };
                places.iter().copied()
            }

            /// The BPF object's global (`u32`, bytes) that holds the offset.
            #[must_use]
            pub const fn global(self) -> &'static str { match self { $( Self::$variant => $global, )+ } }

            /// Whose BTF has the struct.
            #[must_use]
            pub const fn home(self) -> Home { match self { $( Self::$variant => Home::$home, )+ } }
        }
    };
}

/// Whose BTF has a struct. A kernel with DRM built in has everything in vmlinux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// vmlinux
    Kernel,
    /// drm.ko, or vmlinux where DRM is built in
    Drm,
}

fields! {
    GemRefcount      Drm "drm_gem_object" "refcount"      "OFF_GEM_REFCOUNT";
    GemHandleCount   Drm "drm_gem_object" "handle_count"  "OFF_GEM_HANDLE_COUNT";
    GemDev           Drm "drm_gem_object" "dev"           "OFF_GEM_DEV";
    GemSize          Drm "drm_gem_object" "size"          "OFF_GEM_SIZE";
    GemName          Drm "drm_gem_object" "name"          "OFF_GEM_NAME";
    GemDmaBuf        Drm "drm_gem_object" "dma_buf"       "OFF_GEM_DMA_BUF";
    GemImportAttach  Drm "drm_gem_object" "import_attach" "OFF_GEM_IMPORT_ATTACH";
    FileMinor        Drm "drm_file" "minor"     "OFF_FILE_MINOR";
    FileFilp         Drm "drm_file" "filp"      "OFF_FILE_FILP";
    FileClientId     Drm "drm_file" "client_id" "OFF_FILE_CLIENT_ID";
    FilePrime        Drm "drm_file" "prime"     "OFF_FILE_PRIME";
    PrimeDmabufs     Drm "drm_prime_file_private" "dmabufs" "OFF_PRIME_DMABUFS";
    MinorIndex       Drm "drm_minor" "index" "OFF_MINOR_INDEX";
    MinorType        Drm "drm_minor" "type"  "OFF_MINOR_TYPE";
    MinorDev         Drm "drm_minor" "dev"   "OFF_MINOR_DEV";
    DeviceDriver     Drm "drm_device" "driver" "OFF_DEVICE_DRIVER";
    DriverName       Drm "drm_driver" "name"   "OFF_DRIVER_NAME";
    FbDev            Drm "drm_framebuffer" "dev"            "OFF_FB_DEV";
    FbId             Drm "drm_framebuffer" "base.id"        "OFF_FB_ID";
    FbObj            Drm "drm_framebuffer" "obj"            "OFF_FB_OBJ";
    FbInternalFlags  Drm "drm_framebuffer" "internal_flags" "OFF_FB_INTERNAL_FLAGS";
    ExportExpName    Kernel "dma_buf_export_info" "exp_name" "OFF_EXPORT_EXP_NAME";
    ExportOps        Kernel "dma_buf_export_info" "ops"      "OFF_EXPORT_OPS";
    ExportSize       Kernel "dma_buf_export_info" "size"     "OFF_EXPORT_SIZE";
    ExportFlags      Kernel "dma_buf_export_info" "flags"    "OFF_EXPORT_FLAGS";
    ExportResv       Kernel "dma_buf_export_info" "resv"     "OFF_EXPORT_RESV";
    ExportPriv       Kernel "dma_buf_export_info" "priv"     "OFF_EXPORT_PRIV";
    BufSize          Kernel "dma_buf" "size"     "OFF_BUF_SIZE";
    BufFile          Kernel "dma_buf" "file"     "OFF_BUF_FILE";
    BufOps           Kernel "dma_buf" "ops"      "OFF_BUF_OPS";
    BufExpName       Kernel "dma_buf" "exp_name" "OFF_BUF_EXP_NAME";
    BufPriv          Kernel "dma_buf" "priv"     "OFF_BUF_PRIV";
    BufResv          Kernel "dma_buf" "resv"     "OFF_BUF_RESV";
    BufVmapCounter   Kernel "dma_buf" "vmapping_counter" "OFF_BUF_VMAP_COUNTER";
    BufOpsMap        Kernel "dma_buf_ops" "map_dma_buf"       "OFF_BUF_OPS_MAP";
    BufOpsUnmap      Kernel "dma_buf_ops" "unmap_dma_buf"     "OFF_BUF_OPS_UNMAP";
    BufOpsRelease    Kernel "dma_buf_ops" "release"           "OFF_BUF_OPS_RELEASE";
    BufOpsPin        Kernel "dma_buf_ops" "pin"               "OFF_BUF_OPS_PIN";
    BufOpsUnpin      Kernel "dma_buf_ops" "unpin"             "OFF_BUF_OPS_UNPIN";
    BufOpsCaches     Kernel "dma_buf_ops" "cache_sgt_mapping" "OFF_BUF_OPS_CACHES";
    AttachDmabuf     Kernel "dma_buf_attachment" "dmabuf" "OFF_ATTACH_DMABUF";
    AttachDev        Kernel "dma_buf_attachment" "dev"    "OFF_ATTACH_DEV";
    AttachImporterOps Kernel "dma_buf_attachment" "importer_ops" "OFF_ATTACH_IMPORTER_OPS";
    AttachSgt        Kernel "dma_buf_attachment" "sgt"    "OFF_ATTACH_SGT";
    AttachDirection  Kernel "dma_buf_attachment" "dir"    "OFF_ATTACH_DIRECTION";
    ResvOwner        Kernel "dma_resv" "lock.base.owner" "OFF_RESV_OWNER"
        or "dma_resv" "lock.base.rtmutex.owner" or "dma_resv" "lock.base.lock.owner";
    MapAddress       Kernel "iosys_map" "vaddr" "OFF_MAP_ADDRESS" or "dma_buf_map" "vaddr";
    FilePrivateData  Kernel "file" "private_data" "OFF_FILP_PRIVATE";
    FileInode        Kernel "file" "f_inode"      "OFF_FILP_INODE";
    FileCount        Kernel "file" "f_count"      "OFF_FILP_COUNT";
    FileRef          Kernel "file" "f_ref"        "OFF_FILP_REF";
    FileOp           Kernel "file" "f_op"         "OFF_FILP_OP";
    InodeIno         Kernel "inode" "i_ino"       "OFF_INODE_INO";
    DentryFsdata     Kernel "dentry" "d_fsdata"   "OFF_DENTRY_FSDATA";
    DentryInode      Kernel "dentry" "d_inode"    "OFF_DENTRY_INODE";
    VmaPrivateData   Kernel "vm_area_struct" "vm_private_data" "OFF_VMA_PRIVATE";
    VmaStart         Kernel "vm_area_struct" "vm_start" "OFF_VMA_START";
    VmaEnd           Kernel "vm_area_struct" "vm_end"   "OFF_VMA_END";
    TaskPid          Kernel "task_struct" "pid"  "OFF_TASK_PID";
    TaskTgid         Kernel "task_struct" "tgid" "OFF_TASK_TGID";
    TaskComm         Kernel "task_struct" "comm" "OFF_TASK_COMM";
    TaskFlags        Kernel "task_struct" "flags" "OFF_TASK_FLAGS";
    TaskExitCode     Kernel "task_struct" "exit_code" "OFF_TASK_EXIT_CODE";
    TaskRealParent   Kernel "task_struct" "real_parent" "OFF_TASK_REAL_PARENT";
    TaskSignal       Kernel "task_struct" "signal" "OFF_TASK_SIGNAL";
    TaskStack        Kernel "task_struct" "stack" "OFF_TASK_STACK";
    SignalLive       Kernel "signal_struct" "live" "OFF_SIGNAL_LIVE";
    SignalGroupExitCode Kernel "signal_struct" "group_exit_code" "OFF_SIGNAL_GROUP_EXIT_CODE";
}
