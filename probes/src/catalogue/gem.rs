//! Birth and death of GEM objects.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, FILE_DEV, GEM, Row, Target, both, drm, sym};

const FREE: &str = "void free(struct drm_gem_object *)";

/// The functions that drivers put into `funcs->free` (before 5.11 also `driver->gem_free_object_unlocked`).
const DRIVER_FREE: &[Target] = &[
    // What the helpers put into `funcs->free` is an inline function of a header, which cannot be probed; the function
    // that it calls can. Drivers with a function of their own may call it later again, from a worker.
    Target {
        symbols: &[
            sym("drm_gem_shmem_free", "drm_shmem_helper", "5.16 and later"),
            sym("drm_gem_shmem_free_object", "drm_shmem_helper", "up to 5.15"),
        ],
    },
    Target {
        symbols: &[
            sym("drm_gem_dma_free", "drm_dma_helper", "6.0 and later"),
            sym("drm_gem_cma_free", "drm_cma_helper", "5.16 to 5.19"),
            sym("drm_gem_cma_free_object", "drm_cma_helper", "up to 5.15"),
        ],
    },
    Target { symbols: &[sym("drm_gem_vram_object_free", "drm_vram_helper", "all")] },
    Target { symbols: &[sym("vgem_gem_free_object", "vgem", "up to 5.12")] },
    Target { symbols: &[sym("virtio_gpu_free_object", "virtio_gpu", "all")] },
    Target { symbols: &[sym("virtio_gpu_vram_free", "virtio_gpu", "5.12 and later")] },
    Target { symbols: &[sym("qxl_gem_object_free", "qxl", "all")] },
    Target { symbols: &[sym("vmw_gem_object_free", "vmwgfx", "5.16 and later")] },
    Target { symbols: &[sym("i915_gem_free_object", "i915", "all")] },
    Target { symbols: &[sym("xe_gem_object_free", "xe", "6.8 and later")] },
    Target { symbols: &[sym("amdgpu_gem_object_free", "amdgpu", "all")] },
    Target { symbols: &[sym("radeon_gem_object_free", "radeon", "all")] },
    Target { symbols: &[sym("nouveau_gem_object_del", "nouveau", "all")] },
    Target { symbols: &[sym("psb_gem_free_object", "gma500_gfx", "all")] },
    Target {
        symbols: &[
            sym("xen_drm_front_gem_object_free", "drm_xen_front", "5.11 and later"),
            sym("xen_drm_drv_free_object_unlocked", "drm_xen_front", "up to 5.10"),
        ],
    },
    Target { symbols: &[sym("ivpu_gem_bo_free", "intel_vpu", "6.3 and later")] },
    Target { symbols: &[sym("amdxdna_gem_obj_free", "amdxdna", "6.14 and later")] },
    Target { symbols: &[sym("qaic_free_object", "qaic", "6.4 and later")] },
    Target { symbols: &[sym("msm_gem_free_object", "msm", "all")] },
    Target { symbols: &[sym("panfrost_gem_free_object", "panfrost", "all")] },
    Target { symbols: &[sym("panthor_gem_free_object", "panthor", "6.10 and later")] },
    Target { symbols: &[sym("lima_gem_free_object", "lima", "all")] },
    Target { symbols: &[sym("etnaviv_gem_free_object", "etnaviv", "all")] },
    Target { symbols: &[sym("v3d_free_object", "v3d", "all")] },
    Target { symbols: &[sym("vc4_free_object", "vc4", "all")] },
    Target { symbols: &[sym("tegra_bo_free_object", "tegra_drm", "all")] },
    Target { symbols: &[sym("exynos_drm_gem_free_object", "exynosdrm", "all")] },
    Target { symbols: &[sym("rockchip_gem_free_object", "rockchipdrm", "all")] },
    Target { symbols: &[sym("omap_gem_free_object", "omapdrm", "all")] },
    Target { symbols: &[sym("armada_gem_free_object", "armada", "all")] },
];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::ObjectInit,
        targets: &[Target { symbols: &[drm("drm_gem_private_object_init")] }],
        prototypes: &[
            "void drm_gem_private_object_init(struct drm_device *, struct drm_gem_object *, size_t)",
        ],
        captures: "the object's address, its device and its size",
        emits: Emits::Point,
        stacks: both(Phase::Point),
        rules: &[1, 25, 30],
        findings: &["object-leak", "handle-leak"],
        blind: "objects appear only with their first handle: size, creation stack and objects that never get a handle are unknown",
        ..BASE
    },
    Row {
        id: ProbeId::ObjectRelease,
        targets: &[Target { symbols: &[drm("drm_gem_object_release")] }],
        prototypes: &["void drm_gem_object_release(struct drm_gem_object *)"],
        captures: "the object with all its fields as they are at its death",
        optional: &[GEM],
        emits: Emits::Point,
        rules: &[4, 24, 25, 26],
        findings: &["object-leak", "stale-link", "flink-name-leak", "attachment-leak"],
        blind: "no object is ever seen to die: object leaks and reuse of an object's address cannot be told apart",
        caution: "i915 has its own teardown and does not call it",
        ..BASE
    },
    Row {
        id: ProbeId::ObjectFree,
        targets: &[Target { symbols: &[drm("drm_gem_object_free")] }],
        prototypes: &["void drm_gem_object_free(struct kref *)"],
        captures: "the object whose last reference was dropped outside drm_gem.c",
        optional: &[GEM],
        emits: Emits::Point,
        rules: &[25],
        findings: &["object-leak"],
        blind: "the thread that dropped the last reference is named less exactly where the driver destroys later",
        caution: "inlined into the puts of drm_gem.c: an object whose last handle is closed never reaches the symbol",
        ..BASE
    },
    Row {
        id: ProbeId::ObjectDriverFree,
        targets: DRIVER_FREE,
        // The first member of the helpers' objects is the GEM object.
        prototypes: &[
            FREE,
            "void drm_gem_shmem_free(struct drm_gem_shmem_object *)",
            "void drm_gem_dma_free(struct drm_gem_dma_object *)",
            "void drm_gem_cma_free(struct drm_gem_cma_object *)",
        ],
        captures: "the object whose last reference was dropped, in the thread that dropped it",
        optional: &[GEM],
        emits: Emits::Point,
        rules: &[25, 62],
        findings: &["object-leak"],
        blind: "the instant of the last put is not seen: drivers that destroy later make the death look late",
        caution: "one function per driver: drivers loaded after the start are not covered, and one object may be freed through two",
        ..BASE
    },
    Row {
        id: ProbeId::ObjectLookup,
        targets: &[Target { symbols: &[drm("drm_gem_object_lookup")] }],
        prototypes: &["struct drm_gem_object * drm_gem_object_lookup(struct drm_file *, u32)"],
        captures: "file, handle and the object found, or NULL",
        optional: &[GEM, FILE_DEV],
        emits: Emits::Return,
        hot: true,
        rules: &[10, 14],
        findings: &["dangling-handle", "close-of-reused-handle", "handle-leak"],
        blind: "when a handle was last used is unknown: idle handles are judged by age alone",
        caution: "lookups made inside drm_gem.c use a static function and do not reach the symbol",
        ..BASE
    },
];
