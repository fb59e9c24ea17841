//! The numbered list of probes: names, numbers and which payload each one writes.
//!
//! What a probe is attached to, what it needs and what is blind without it is the business of the catalogue in
//! `probes/`; here is only what the wire needs.

/// Where in a call an observation was made.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The function was entered; its effect lies between this and the matching return.
    Entry = 0,
    /// The function returned; [`Header::ret`](crate::Header::ret) holds its value.
    Return = 1,
    /// An instant without a bracket: a tracepoint, a function observed at entry only, or a record of user space.
    Point = 2,
}

impl Phase {
    /// The phase with this wire value.
    #[inline]
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Entry),
            1 => Some(Self::Return),
            2 => Some(Self::Point),
            _ => None,
        }
    }
}

/// Which payload struct a probe writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// [`Gem`](crate::Gem)
    Gem,
    /// [`DrmFile`](crate::DrmFile)
    DrmFile,
    /// [`Prime`](crate::Prime)
    Prime,
    /// [`ChangeHandle`](crate::ChangeHandle)
    ChangeHandle,
    /// [`BufExport`](crate::BufExport)
    BufExport,
    /// [`Buf`](crate::Buf)
    Buf,
    /// [`BufAccess`](crate::BufAccess)
    BufAccess,
    /// [`BufIoctl`](crate::BufIoctl)
    BufIoctl,
    /// [`Attachment`](crate::Attachment)
    Attachment,
    /// [`Framebuffer`](crate::Framebuffer)
    Framebuffer,
    /// [`Mapping`](crate::Mapping)
    Mapping,
    /// [`Process`](crate::Process)
    Process,
    /// [`Scope`](crate::Scope)
    Scope,
    /// [`Settle`](crate::Settle)
    Settle,
    /// [`SeenFd`](crate::SeenFd)
    SeenFd,
    /// [`Missed`](crate::Missed)
    Missed,
    /// [`Mark`](crate::Mark)
    Mark,
}

/// A number that is no known probe: a newer trace, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProbe(pub u16);

macro_rules! probe_ids {
    ($( $(#[$doc:meta])* $number:literal $variant:ident $name:literal $layout:ident ; )+) => {
        /// A probe's number on the wire. Numbers are stable: never reused, never renumbered.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProbeId { $( $(#[$doc])* $variant = $number, )+ }

        impl ProbeId {
            /// Every probe, by rising number.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The stable name used in traces, options and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// Which payload this probe writes.
            #[inline]
            #[must_use]
            pub const fn layout(self) -> Layout {
                match self { $( Self::$variant => Layout::$layout, )+ }
            }

            /// The probe with this number.
            ///
            /// # Errors
            /// [`UnknownProbe`] when no probe has it.
            #[inline]
            pub const fn from_wire(value: u16) -> Result<Self, UnknownProbe> {
                match value { $( $number => Ok(Self::$variant), )+ other => Err(UnknownProbe(other)) }
            }
        }
    };
}

probe_ids! {
    /// `drm_gem_private_object_init` entry: a GEM object is born (R1).
    1 ObjectInit "object-init" Gem;
    /// `drm_gem_object_release` entry: a GEM object dies (R25).
    2 ObjectRelease "object-release" Gem;
    /// `drm_gem_object_free` entry: kref reached 0, for puts compiled outside drm_gem.c.
    3 ObjectFree "object-free" Gem;
    /// The driver's `funcs->free`: kref reached 0, for every put.
    4 ObjectDriverFree "object-driver-free" Gem;
    /// `drm_gem_object_lookup`: a temporary reference by handle. Hot.
    5 ObjectLookup "object-lookup" Gem;

    /// `drm_gem_handle_create_tail`: a handle is created (R13).
    10 HandleCreate "handle-create" Gem;
    /// `drm_gem_handle_delete`: a handle is asked to go (R14).
    11 HandleDelete "handle-delete" Gem;
    /// `drm_gem_object_release_handle`: one handle goes away, by close or by file close (R14, R18).
    12 HandleRelease "handle-release" Gem;
    /// `drm_gem_object_handle_put_unlocked`: handle_count drops (R15).
    13 HandlePut "handle-put" Gem;
    /// `drm_gem_object_handle_get`: handle_count rises (R2, R3).
    14 HandleGet "handle-get" Gem;
    /// `drm_gem_object_handle_get_if_exists_unlocked`: a framebuffer asks for a handle reference (R3).
    15 HandleGetIfExists "handle-get-if-exists" Gem;
    /// `drm_gem_change_handle_ioctl` (R27).
    16 ChangeHandle "change-handle" ChangeHandle;
    /// `drm_gem_flink_ioctl` (R16).
    17 Flink "flink" Gem;
    /// `drm_gem_open_ioctl` (R17).
    18 GemOpen "gem-open" Gem;
    /// `drm_gem_close_ioctl`: tells GEM_CLOSE from the other callers of handle-delete.
    19 GemClose "gem-close" Gem;
    /// `drm_mode_getfb`, a source of handles.
    20 GetFb "getfb" Gem;
    /// `drm_mode_getfb2_ioctl`, a source of handles.
    21 GetFb2 "getfb2" Gem;
    /// `drm_mode_destroy_dumb_ioctl`: handle-delete by MODE_DESTROY_DUMB (R28).
    22 DestroyDumb "destroy-dumb" Gem;
    /// `drm_vma_node_allow` entry: a file is allowed to map an object, as a part of creating a handle (R13).
    23 VmaAllow "vma-allow" Gem;
    /// A driver's own ioctl that reads, writes or maps an object's memory by handle (R60).
    24 DriverAccess "driver-access" Gem;

    /// `drm_file_alloc` return: a DRM file is opened.
    30 FileOpen "file-open" DrmFile;
    /// `drm_gem_release`: a DRM file closes, with every handle it still has (R18).
    31 FileClose "file-close" DrmFile;
    /// `drm_prime_destroy_file_private` entry: the file's PRIME cache must be empty (R18).
    32 PrimeDestroy "prime-destroy" DrmFile;
    /// `drm_fb_release`: a closing file drops its framebuffers.
    33 FbRelease "fb-release" DrmFile;

    /// `drm_prime_handle_to_fd_ioctl`: the export ioctl, with the fd it returns (R19).
    40 ExportIoctl "export-ioctl" Prime;
    /// `drm_gem_prime_handle_to_fd`: the export bracket up to 6.11 (R19).
    41 ExportToFd "export-to-fd" Prime;
    /// `drm_gem_prime_handle_to_dmabuf`: the export bracket from 6.12 (R19).
    42 ExportToDmabuf "export-to-dmabuf" Prime;
    /// `drm_gem_prime_fd_to_handle`: the import bracket (R20).
    43 Import "import" Prime;
    /// `drm_gem_prime_import_dev`: the core's import hook (R21).
    44 ImportDev "import-dev" Prime;
    /// `drm_gem_shmem_prime_import_no_map`: the shmem drivers' import hook from 6.18 (R21).
    45 ImportNoMap "import-no-map" Prime;
    /// `drm_prime_add_buf_handle`: a PRIME cache entry is made (R6).
    46 CacheAdd "cache-add" Prime;
    /// `drm_prime_remove_buf_handle`: a PRIME cache entry goes, if there is one (R29).
    47 CacheRemove "cache-remove" Prime;
    /// `drm_prime_gem_destroy`: an importer object lets go of its dma-buf (R62).
    48 ImportDestroy "import-destroy" Gem;

    /// `dma_buf_export` return: a dma-buf is born.
    60 BufExport "dmabuf-export" BufExport;
    /// `dma_buf_fd` return: a dma-buf gets an fd.
    61 BufFd "dmabuf-fd" Buf;
    /// `dma_buf_fd_install` entry: a reserved fd number gets its dma-buf.
    62 BufFdInstall "dmabuf-fd-install" Buf;
    /// `dma_buf_get` return: a reference by fd.
    63 BufGet "dmabuf-get" Buf;
    /// `dma_buf_put` entry: a file reference of a dma-buf is dropped.
    64 BufPut "dmabuf-put" Buf;
    /// `dma_buf_file_release` entry: the last file reference is gone (R24).
    65 BufFileRelease "dmabuf-file-release" Buf;
    /// `dma_buf_release` entry: the dma-buf is destroyed (R24).
    66 BufRelease "dmabuf-release" Buf;
    /// `drm_gem_dmabuf_release` entry: a GEM exporter drops its object reference (R4).
    67 BufGemRelease "dmabuf-gem-release" Buf;
    /// `dma_buf_ioctl`: SYNC, SET_NAME, sync_file export and import.
    68 BufIoctl "dmabuf-ioctl" BufIoctl;
    /// `filp_close` of a dma-buf file: one fd of one process is closed, at exit or by close(2).
    69 BufFdClose "dmabuf-fd-close" Buf;

    /// `dma_buf_dynamic_attach` (R42).
    80 Attach "attach" Attachment;
    /// `dma_buf_detach` entry (R48).
    81 Detach "detach" Attachment;
    /// `dma_buf_map_attachment` (R43-R46).
    82 Map "map" Attachment;
    /// `dma_buf_unmap_attachment` (R43-R47).
    83 Unmap "unmap" Attachment;
    /// `dma_buf_pin` by an importer (R45).
    84 Pin "pin" Attachment;
    /// `dma_buf_unpin` by an importer (R45).
    85 Unpin "unpin" Attachment;
    /// `dma_buf_vmap` (R49).
    86 Vmap "vmap" BufAccess;
    /// `dma_buf_vunmap` (R49).
    87 Vunmap "vunmap" BufAccess;
    /// `dma_buf_move_notify` or `dma_buf_invalidate_mappings`: an exporter moves its buffer (R50).
    88 MoveNotify "move-notify" BufAccess;

    /// `drm_framebuffer_init` (R3).
    90 FbInit "fb-init" Framebuffer;
    /// `drm_framebuffer_cleanup` (R3).
    91 FbCleanup "fb-cleanup" Framebuffer;
    /// `drm_mode_closefb_ioctl`: a file lets go of a framebuffer that may stay on screen.
    92 FbClose "fb-close" Framebuffer;

    /// `drm_gem_mmap_obj` return: a user mapping takes an object reference (R10).
    100 GemMmap "gem-mmap" Mapping;
    /// `drm_gem_vm_open` entry: a user mapping is copied or split (R10).
    101 GemVmOpen "gem-vm-open" Mapping;
    /// `drm_gem_vm_close` entry: a user mapping goes (R10).
    102 GemVmClose "gem-vm-close" Mapping;
    /// `dma_buf_mmap_internal`: a user mapping of a dma-buf fd (R10).
    103 BufMmap "dmabuf-mmap" Mapping;

    /// A process is created (`wake_up_new_task`).
    120 Fork "fork" Process;
    /// A process executes another program (`finalize_exec`).
    121 Exec "exec" Process;
    /// The last thread of a process exits, with its code (`taskstats_exit`).
    122 Exit "exit" Process;

    /// From user space: which process tree the verdict is about.
    256 Scope "scope" Scope;
    /// From user space: everything that can end has had time to end; leaks may be judged now.
    257 Settle "settle" Settle;
    /// From user space: a dma-buf was found among a process's fds or mappings.
    258 SeenFd "seen-fd" SeenFd;
    /// From user space: the kernel says that a probe missed this many hits.
    259 Missed "missed" Missed;
    /// From user space: a point in time that the user named.
    260 Mark "mark" Mark;
}

impl ProbeId {
    /// Numbers from here on are made in user space and never by the kernel.
    pub const FIRST_SYNTHETIC: u16 = 256;

    /// Is this a record that user space makes?
    #[inline]
    #[must_use]
    pub const fn is_synthetic(self) -> bool {
        self as u16 >= Self::FIRST_SYNTHETIC
    }

    /// Does the return of this call tell nothing that its entry knew? Then the programs write what is new in it and mark it with
    /// [`Flags::NO_ARGS`](crate::Flags::NO_ARGS), and whoever reads the ring completes it: keeping the arguments in the kernel
    /// costs the traced program more than all else that a return does. Such a call never calls itself.
    #[inline]
    #[must_use]
    pub const fn is_joined(self) -> bool {
        matches!(
            self,
            Self::HandleDelete
                | Self::HandleRelease
                | Self::HandlePut
                | Self::HandleGetIfExists
                | Self::ChangeHandle
                | Self::ExportToDmabuf
                | Self::CacheAdd
                | Self::CacheRemove
                | Self::ImportDestroy
                | Self::BufIoctl
        )
    }

    /// Calls that this one is mostly a part of, the nearest first. Inside one of them its entry takes no stacks: they would be those of
    /// the outer call with a frame or two more. Whoever reads the ring gives it those.
    #[inline]
    #[must_use]
    pub const fn within(self) -> [Option<Self>; 2] {
        match self {
            Self::HandleCreate => [Some(Self::Import), None],
            Self::ExportToFd => [Some(Self::ExportIoctl), None],
            Self::ExportToDmabuf => [Some(Self::ExportToFd), Some(Self::ExportIoctl)],
            _ => [None, None],
        }
    }

    /// Does the entry of this call take stacks that calls in it are given ([`Self::within`])?
    #[inline]
    #[must_use]
    pub const fn gives_stacks(self) -> bool {
        matches!(self, Self::Import | Self::ExportIoctl | Self::ExportToFd)
    }
}
