//! PRIME: export and import brackets, the per-file cache, the import hooks.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, FILE_DEV, GEM, INO, Row, Target, both, drm, sym};
use crate::fields::Field;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::ExportIoctl,
        targets: &[Target { symbols: &[drm("drm_prime_handle_to_fd_ioctl")] }],
        prototypes: &["int drm_prime_handle_to_fd_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file, handle and flags; at return the fd",
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[19, 23],
        findings: &["fd-leak", "near-miss-export-close", "near-miss-double-export"],
        blind: "the fd an export gave is not known from 6.12 on, and failed exports are not seen there",
        ..BASE
    },
    Row {
        id: ProbeId::ExportToFd,
        targets: &[Target { symbols: &[drm("drm_gem_prime_handle_to_fd")] }],
        prototypes: &[
            "int drm_gem_prime_handle_to_fd(struct drm_device *, struct drm_file *, uint32_t, uint32_t, int *)",
        ],
        captures: "file, handle and flags; at return the fd, and which system call it is in",
        optional: &[FILE_DEV, &[Field::TaskStack]],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[5, 19, 23, 30],
        findings: &[
            "second-dmabuf",
            "dmabuf-leak",
            "prime-cache-leak",
            "near-miss-export-close",
            "lookup-after-install",
        ],
        blind: "up to 6.11 a dma-buf's link to its object and its cache entry are only inferred",
        caution: "from 6.12 inlined into the ioctl: ioctl traffic does not reach the symbol; export-to-dmabuf takes its place",
        ..BASE
    },
    Row {
        id: ProbeId::ExportToDmabuf,
        targets: &[Target { symbols: &[sym("drm_gem_prime_handle_to_dmabuf", "drm", "6.12 and later")] }],
        prototypes: &[
            "struct dma_buf * drm_gem_prime_handle_to_dmabuf(struct drm_device *, struct drm_file *, uint32_t, uint32_t)",
        ],
        captures: "file, handle and flags; at return the dma-buf and its inode number",
        optional: &[FILE_DEV, INO],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[5, 19, 23, 30],
        findings: &["second-dmabuf", "dmabuf-leak", "prime-cache-leak", "near-miss-export-close"],
        blind: "from 6.12 on a dma-buf's link to its object and its cache entry are only inferred",
        caution: "absent up to 6.11, where export-to-fd is the bracket",
        ..BASE
    },
    Row {
        id: ProbeId::Import,
        targets: &[Target { symbols: &[drm("drm_gem_prime_fd_to_handle")] }],
        prototypes: &[
            "int drm_gem_prime_fd_to_handle(struct drm_device *, struct drm_file *, int, uint32_t *)",
        ],
        captures: "file and fd; at return the handle",
        optional: &[FILE_DEV],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[5, 7, 8, 20, 22, 31],
        findings: &[
            "second-handle-on-import",
            "unbalanced-import",
            "dmabuf-leak",
            "prime-cache-leak",
            "near-miss-import-close",
        ],
        blind: "imports are seen only through the attachments and handles they make: re-imports are blind",
        ..BASE
    },
    Row {
        id: ProbeId::ImportDev,
        targets: &[
            Target { symbols: &[drm("drm_gem_prime_import_dev")] },
            Target {
                symbols: &[sym(
                    "drm_gem_prime_import_dev.part.0",
                    "drm",
                    "where the compiler split it, as in 5.10",
                )],
            },
        ],
        prototypes: &[
            "struct drm_gem_object * drm_gem_prime_import_dev(struct drm_device *, struct dma_buf *, struct device *)",
        ],
        captures: "device and dma-buf; at return the object",
        optional: &[INO],
        emits: Emits::Bracket,
        rules: &[8, 21, 22],
        findings: &["attachment-leak", "object-leak"],
        blind: "a self-import cannot be told from a foreign one before the object is seen again",
        caution: "driver hooks (amdgpu, i915, xe, nouveau) and shmem drivers from 6.18 on do not come through here",
        ..BASE
    },
    Row {
        id: ProbeId::ImportNoMap,
        targets: &[Target {
            symbols: &[sym("drm_gem_shmem_prime_import_no_map", "drm_shmem_helper", "6.18 and later")],
        }],
        prototypes: &[
            "struct drm_gem_object * drm_gem_shmem_prime_import_no_map(struct drm_device *, struct dma_buf *)",
        ],
        captures: "device and dma-buf; at return the object",
        optional: &[INO],
        emits: Emits::Bracket,
        rules: &[8, 21, 22],
        findings: &["attachment-leak", "object-leak"],
        blind: "imports by shmem drivers (vgem, vkms, udl) are seen only through their attachments",
        caution: "absent up to 6.16, where import-dev sees these imports",
        ..BASE
    },
    Row {
        id: ProbeId::CacheAdd,
        targets: &[Target { symbols: &[drm("drm_prime_add_buf_handle")] }],
        prototypes: &[
            "int drm_prime_add_buf_handle(struct drm_prime_file_private *, struct dma_buf *, uint32_t)",
        ],
        captures: "file, dma-buf and handle; at return whether the entry was made",
        required: &[Field::FilePrime],
        optional: &[INO],
        emits: Emits::Bracket,
        rules: &[6, 19, 20, 32, 33],
        findings: &[
            "prime-cache-leak",
            "cache-after-close",
            "released-while-cached",
            "wrong-cache-entry-removed",
        ],
        blind: "the PRIME cache is blind: what keeps a dma-buf alive after its fds are closed is only inferred",
        ..BASE
    },
    Row {
        id: ProbeId::CacheRemove,
        targets: &[Target { symbols: &[drm("drm_prime_remove_buf_handle")] }],
        prototypes: &["void drm_prime_remove_buf_handle(struct drm_prime_file_private *, uint32_t)"],
        captures: "file and handle; a nested dmabuf-put says that there was an entry",
        required: &[Field::FilePrime],
        emits: Emits::Bracket,
        rules: &[6, 14, 27, 29, 32],
        findings: &[
            "prime-cache-leak",
            "cache-after-close",
            "wrong-cache-entry-removed",
            "released-while-cached",
        ],
        blind: "entries of the PRIME cache are never seen to go: cache leaks cannot be judged",
        ..BASE
    },
    Row {
        id: ProbeId::ImportDestroy,
        targets: &[Target { symbols: &[drm("drm_prime_gem_destroy")] }],
        prototypes: &["void drm_prime_gem_destroy(struct drm_gem_object *, struct sg_table *)"],
        captures: "the importing object with its fields before the effect",
        optional: &[GEM],
        emits: Emits::Bracket,
        rules: &[7, 11, 25, 62],
        findings: &["attachment-leak", "mapping-leak", "dmabuf-leak"],
        blind: "an importer's reference is not seen to go: its dma-buf's last holder is uncertain",
        ..BASE
    },
];
