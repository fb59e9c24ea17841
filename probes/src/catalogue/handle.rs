//! Handles, flink names and DRM files.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, FILE_DEV, GEM, Row, Target, both, drm, sym, user};
use crate::fields::Field;

/// The device facts of a DRM file.
const FILE: &[Field] = &[
    Field::FileMinor,
    Field::FileFilp,
    Field::FileClientId,
    Field::MinorIndex,
    Field::MinorType,
    Field::MinorDev,
    Field::DeviceDriver,
    Field::DriverName,
];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::HandleCreate,
        targets: &[Target { symbols: &[drm("drm_gem_handle_create_tail")] }],
        prototypes: &["int drm_gem_handle_create_tail(struct drm_file *, struct drm_gem_object *, u32 *)"],
        captures: "file and object with its count, link and name before the effect; at return the new handle",
        optional: &[GEM, FILE_DEV],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[2, 5, 13, 17, 20, 22, 30, 31],
        findings: &[
            "handle-leak",
            "create-publication-race",
            "handle-reuse-during-close",
            "second-handle-on-import",
            "dangling-handle",
            "handle-count-mismatch",
        ],
        blind: "no handle is seen to be created: handle leaks, handle counts and handle reuse are blind",
        ..BASE
    },
    Row {
        id: ProbeId::HandleDelete,
        targets: &[Target { symbols: &[drm("drm_gem_handle_delete")] }],
        prototypes: &["int drm_gem_handle_delete(struct drm_file *, u32)"],
        captures: "file and handle; at return whether the handle existed",
        optional: &[FILE_DEV],
        emits: Emits::Bracket,
        stacks: user(Phase::Entry),
        rules: &[14, 28],
        findings: &[
            "double-close",
            "close-of-reused-handle",
            "handle-reuse-during-close",
            "dumb-destroy-of-import",
        ],
        blind: "closes that fail are not seen (double-close), and a close cannot be told from the end of its file",
        ..BASE
    },
    Row {
        id: ProbeId::HandleRelease,
        targets: &[Target { symbols: &[drm("drm_gem_object_release_handle")] }],
        prototypes: &["int drm_gem_object_release_handle(int, void *, void *)"],
        captures: "file, handle and object with its fields before the effect",
        optional: &[GEM, FILE_DEV],
        emits: Emits::Bracket,
        rules: &[14, 18, 27, 29, 32],
        findings: &["handle-leak", "dangling-handle", "cache-after-close", "create-publication-race"],
        blind: "no handle is seen to go: handle leaks cannot be judged",
        ..BASE
    },
    Row {
        id: ProbeId::HandlePut,
        targets: &[Target { symbols: &[drm("drm_gem_object_handle_put_unlocked")] }],
        prototypes: &["void drm_gem_object_handle_put_unlocked(struct drm_gem_object *)"],
        captures: "the object with its count, link and name before the effect",
        optional: &[GEM],
        emits: Emits::Bracket,
        rules: &[2, 3, 5, 15, 26],
        findings: &[
            "handle-count-mismatch",
            "dangling-handle",
            "stale-link",
            "flink-name-leak",
            "dmabuf-leak",
        ],
        blind: "the handle count and the link are not seen to drop: who holds a dma-buf is uncertain",
        ..BASE
    },
    Row {
        id: ProbeId::HandleGet,
        targets: &[Target {
            symbols: &[sym(
                "drm_gem_object_handle_get",
                "drm",
                "6.16 and later; stable 6.12.39, 6.6.99, 6.15.7",
            )],
        }],
        prototypes: &["void drm_gem_object_handle_get(struct drm_gem_object *)"],
        captures: "the object with its count before the effect",
        optional: &[GEM],
        emits: Emits::Point,
        rules: &[2, 3, 13],
        findings: &["handle-count-mismatch", "dangling-handle"],
        blind: "counts taken by framebuffers are inferred from the framebuffer probes alone",
        caution: "absent where framebuffers hold no handle references: nothing is lost there",
        ..BASE
    },
    Row {
        id: ProbeId::HandleGetIfExists,
        targets: &[Target {
            symbols: &[sym(
                "drm_gem_object_handle_get_if_exists_unlocked",
                "drm",
                "6.16 and later; stable 6.12.39, 6.6.99, 6.15.7",
            )],
        }],
        prototypes: &["bool drm_gem_object_handle_get_if_exists_unlocked(struct drm_gem_object *)"],
        captures: "the object; at return whether a handle reference was taken",
        optional: &[GEM],
        emits: Emits::Bracket,
        rules: &[3],
        findings: &["handle-count-mismatch", "framebuffer-leak"],
        blind: "which planes hold a handle reference is read from the framebuffer's flags alone",
        caution: "absent where framebuffers hold no handle references: nothing is lost there",
        ..BASE
    },
    Row {
        id: ProbeId::ChangeHandle,
        targets: &[Target {
            symbols: &[sym("drm_gem_change_handle_ioctl", "drm", "6.18 and later; disabled by 7.2")],
        }],
        prototypes: &["int drm_gem_change_handle_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file, the handle that moves and the number it moves to",
        emits: Emits::Bracket,
        rules: &[27, 32],
        findings: &["dangling-handle", "near-miss-change-close", "handle-count-mismatch"],
        blind: "a moved handle looks like a handle that was never created",
        caution: "present but out of reach where the ioctl table routes the number to drm_invalid_op",
        ..BASE
    },
    Row {
        id: ProbeId::Flink,
        targets: &[Target { symbols: &[drm("drm_gem_flink_ioctl")] }],
        prototypes: &["int drm_gem_flink_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file and handle; at return the name",
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[16],
        findings: &["flink-name-leak"],
        blind: "names are first seen when they are used: who made one is unknown",
        ..BASE
    },
    Row {
        id: ProbeId::GemOpen,
        targets: &[Target { symbols: &[drm("drm_gem_open_ioctl")] }],
        prototypes: &["int drm_gem_open_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file and name; at return the handle",
        emits: Emits::Bracket,
        stacks: user(Phase::Entry),
        rules: &[17, 31],
        findings: &["second-handle-on-import", "handle-leak"],
        blind: "a second handle of an object cannot be told from a faulty second import",
        ..BASE
    },
    Row {
        id: ProbeId::GemClose,
        targets: &[Target { symbols: &[drm("drm_gem_close_ioctl")] }],
        prototypes: &["int drm_gem_close_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file and handle",
        emits: Emits::Point,
        rules: &[14],
        findings: &["double-close"],
        blind: "GEM_CLOSE cannot be told from the other callers of handle deletion",
        ..BASE
    },
    Row {
        id: ProbeId::GetFb,
        targets: &[Target { symbols: &[drm("drm_mode_getfb")] }],
        prototypes: &["int drm_mode_getfb(struct drm_device *, void *, struct drm_file *)"],
        captures: "file; at return the handle",
        emits: Emits::Bracket,
        rules: &[31],
        findings: &["second-handle-on-import", "handle-leak"],
        blind: "handles made by GETFB are not named as such",
        ..BASE
    },
    Row {
        id: ProbeId::GetFb2,
        targets: &[Target { symbols: &[drm("drm_mode_getfb2_ioctl")] }],
        prototypes: &["int drm_mode_getfb2_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file; at return the first plane's handle",
        emits: Emits::Bracket,
        rules: &[31],
        findings: &["second-handle-on-import", "handle-leak"],
        blind: "handles made by GETFB2 are not named as such",
        ..BASE
    },
    Row {
        id: ProbeId::DestroyDumb,
        targets: &[Target { symbols: &[drm("drm_mode_destroy_dumb_ioctl")] }],
        prototypes: &["int drm_mode_destroy_dumb_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "file and handle",
        emits: Emits::Point,
        rules: &[28],
        findings: &["dumb-destroy-of-import"],
        blind: "MODE_DESTROY_DUMB cannot be told from GEM_CLOSE",
        ..BASE
    },
    Row {
        id: ProbeId::VmaAllow,
        targets: &[Target { symbols: &[drm("drm_vma_node_allow")] }],
        prototypes: &["int drm_vma_node_allow(struct drm_vma_offset_node *, struct drm_file *)"],
        captures: "the file that is allowed to map an object, as a part of creating its handle",
        optional: &[FILE_DEV],
        emits: Emits::Point,
        rules: &[13],
        findings: &["create-publication-race"],
        blind: "what part of creating a handle was still to come when the handle was closed is unknown",
        caution: "drivers may call it outside the creation of a handle",
        ..BASE
    },
    Row {
        id: ProbeId::DriverAccess,
        targets: &[
            Target { symbols: &[sym("i915_gem_pread_ioctl", "i915", "all")] },
            Target { symbols: &[sym("i915_gem_pwrite_ioctl", "i915", "all")] },
            Target { symbols: &[sym("i915_gem_mmap_ioctl", "i915", "all")] },
        ],
        prototypes: &["int f(struct drm_device *, void *, struct drm_file *)"],
        captures: "file and handle; at return whether the object's memory was given",
        optional: &[FILE_DEV],
        emits: Emits::Return,
        stacks: user(Phase::Return),
        rules: &[60],
        findings: &["cpu-access-of-import"],
        blind: "drivers' own ways to read, write and map an object by its handle are not seen",
        caution: "only of drivers that are loaded at the start; others have no such ioctls",
        ..BASE
    },
    Row {
        id: ProbeId::FileOpen,
        targets: &[Target { symbols: &[drm("drm_file_alloc")] }],
        prototypes: &["struct drm_file * drm_file_alloc(struct drm_minor *)"],
        captures: "the file, its device, minor and driver",
        optional: &[FILE],
        emits: Emits::Return,
        rules: &[18],
        findings: &["handle-leak", "prime-cache-leak"],
        blind: "files are first seen with their first handle, and a reused address may join two of them",
        ..BASE
    },
    Row {
        id: ProbeId::FileClose,
        targets: &[Target { symbols: &[drm("drm_gem_release")] }],
        prototypes: &["void drm_gem_release(struct drm_device *, struct drm_file *)"],
        captures: "the file, its device, minor and driver",
        optional: &[FILE],
        emits: Emits::Bracket,
        rules: &[14, 18],
        findings: &["handle-leak", "prime-cache-leak"],
        blind: "the kernel's own clean-up at file close cannot be told from closes by the program",
        ..BASE
    },
    Row {
        id: ProbeId::PrimeDestroy,
        targets: &[Target { symbols: &[drm("drm_prime_destroy_file_private")] }],
        prototypes: &["void drm_prime_destroy_file_private(struct drm_prime_file_private *)"],
        captures: "the file and the root of its PRIME cache, which must be empty",
        required: &[Field::FilePrime],
        optional: &[&[Field::PrimeDmabufs], FILE],
        emits: Emits::Point,
        rules: &[6, 18, 32, 33],
        findings: &["prime-cache-leak", "cache-after-close"],
        blind: "a PRIME cache that is not empty at file close is only inferred",
        ..BASE
    },
    Row {
        id: ProbeId::FbRelease,
        targets: &[Target { symbols: &[drm("drm_fb_release")] }],
        prototypes: &["void drm_fb_release(struct drm_file *)"],
        captures: "the file",
        optional: &[FILE_DEV],
        emits: Emits::Bracket,
        rules: &[3, 18],
        findings: &["framebuffer-leak"],
        blind: "framebuffers dropped by file close cannot be told from those removed by RMFB",
        ..BASE
    },
];
