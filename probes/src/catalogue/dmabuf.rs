//! The dma-buf core: life of a dma-buf, its attachments and mappings.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, INO, Row, Target, both, core, drm, sym, user};
use crate::fields::Field;

/// What an exporter's table of operations has.
const OPS: &[Field] = &[
    Field::BufOpsMap,
    Field::BufOpsUnmap,
    Field::BufOpsRelease,
    Field::BufOpsPin,
    Field::BufOpsUnpin,
    Field::BufOpsCaches,
];

/// Who holds the reservation lock of a dma-buf.
const RESERVATION: &[Field] = &[Field::BufResv, Field::ResvOwner];

/// A dma-buf whose memory the kernel is about to use, and who holds its reservation lock.
const ACCESS: &[&[Field]] = &[INO, &[Field::BufVmapCounter], RESERVATION];

/// A dma-buf seen at an instant when its file is alive.
const BUF: &[Field] =
    &[Field::BufFile, Field::FileInode, Field::InodeIno, Field::BufPriv, Field::FileCount, Field::FileRef];

/// The mapping that the core keeps for an attachment, on kernels that do.
const CACHED: &[Field] = &[Field::AttachSgt, Field::AttachDirection];

/// An attachment with its dma-buf, the exporter's operations, and who holds the reservation lock.
const ATTACH: &[&[Field]] = &[
    INO,
    &[Field::AttachDmabuf, Field::AttachDev, Field::AttachImporterOps],
    CACHED,
    &[Field::BufOps],
    OPS,
    RESERVATION,
];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::BufExport,
        targets: &[Target { symbols: &[core("dma_buf_export")] }],
        prototypes: &["struct dma_buf * dma_buf_export(const struct dma_buf_export_info *)"],
        captures: "the exporter's arguments and which operations it has; at return the dma-buf, its inode number and its exporter's name",
        required: &[
            Field::ExportOps,
            Field::ExportSize,
            Field::ExportFlags,
            Field::ExportResv,
            Field::ExportPriv,
        ],
        optional: &[INO, &[Field::BufExpName, Field::ExportExpName], OPS],
        emits: Emits::Bracket,
        stacks: both(Phase::Return),
        rules: &[4, 5, 19, 23, 30, 40],
        findings: &["second-dmabuf", "dmabuf-leak", "bad-export-arguments"],
        blind: "dma-bufs appear only when they are used: which object one belongs to, and double exports, are blind",
        ..BASE
    },
    Row {
        id: ProbeId::BufFd,
        targets: &[Target { symbols: &[core("dma_buf_fd")] }],
        prototypes: &["int dma_buf_fd(struct dma_buf *, int)"],
        captures: "the dma-buf and its fd, and which system call it is in",
        optional: &[BUF, &[Field::TaskStack]],
        emits: Emits::Return,
        stacks: user(Phase::Return),
        rules: &[10, 19],
        findings: &["fd-leak", "lookup-after-install"],
        blind: "fds of exporters outside DRM are found only by scanning processes",
        caution: "PRIME does not call it from 6.12 on",
        ..BASE
    },
    Row {
        id: ProbeId::BufFdInstall,
        targets: &[Target {
            symbols: &[sym("dma_buf_fd_install", "vmlinux", "7.0 and later; stable 6.1.y")],
        }],
        prototypes: &["void dma_buf_fd_install(struct dma_buf *, int)"],
        captures: "the dma-buf and its fd, and which system call it is in",
        optional: &[BUF, &[Field::TaskStack]],
        emits: Emits::Point,
        rules: &[10, 19],
        findings: &["fd-leak", "lookup-after-install"],
        blind: "fds that dma-heaps give are found only by scanning processes",
        caution: "absent from many kernels: nothing is lost there",
        ..BASE
    },
    Row {
        id: ProbeId::BufGet,
        targets: &[Target { symbols: &[core("dma_buf_get")] }],
        prototypes: &["struct dma_buf * dma_buf_get(int)"],
        captures: "fd; at return the dma-buf, and which system call it is in",
        optional: &[BUF, &[Field::TaskStack]],
        emits: Emits::Return,
        rules: &[7, 10, 19, 20],
        findings: &["use-after-release", "dmabuf-leak", "lookup-after-install"],
        blind: "which dma-buf an import means is known only when the import succeeds",
        ..BASE
    },
    Row {
        id: ProbeId::BufPut,
        targets: &[Target { symbols: &[core("dma_buf_put")] }],
        prototypes: &["void dma_buf_put(struct dma_buf *)"],
        captures: "the dma-buf and its file count before the effect",
        optional: &[BUF],
        emits: Emits::Point,
        rules: &[5, 6, 7, 10, 11, 15, 24, 29],
        findings: &["dmabuf-leak", "prime-cache-leak", "stale-link", "wrong-cache-entry-removed"],
        blind: "no reference of a dma-buf is seen to be dropped: who still holds it is unknown",
        ..BASE
    },
    Row {
        id: ProbeId::BufFileRelease,
        targets: &[Target { symbols: &[core("dma_buf_file_release")] }],
        prototypes: &["int dma_buf_file_release(struct inode *, struct file *)"],
        captures: "the dma-buf whose last file reference is gone, and its vmap count",
        required: &[Field::FilePrivateData],
        optional: &[&[Field::FileInode, Field::InodeIno, Field::BufPriv, Field::BufVmapCounter]],
        emits: Emits::Point,
        rules: &[10, 24, 49],
        findings: &["dmabuf-leak", "use-after-release", "released-while-cached", "vmap-leak"],
        blind: "the instant from which a dma-buf must not be used is seen only at its destruction",
        ..BASE
    },
    Row {
        id: ProbeId::BufRelease,
        targets: &[Target { symbols: &[core("dma_buf_release")] }],
        prototypes: &["void dma_buf_release(struct dentry *)"],
        captures: "the dma-buf and its vmap count at its destruction",
        required: &[Field::DentryFsdata],
        optional: &[&[Field::DentryInode, Field::InodeIno, Field::BufPriv, Field::BufVmapCounter]],
        emits: Emits::Point,
        rules: &[4, 24, 49],
        findings: &["dmabuf-leak", "released-while-cached", "vmap-leak", "use-after-release"],
        blind: "no dma-buf is seen to be destroyed: dma-buf leaks and reuse of an address cannot be told apart",
        ..BASE
    },
    Row {
        id: ProbeId::BufGemRelease,
        targets: &[Target { symbols: &[drm("drm_gem_dmabuf_release")] }],
        prototypes: &["void drm_gem_dmabuf_release(struct dma_buf *)"],
        captures: "the dma-buf and the object whose reference it drops",
        optional: &[&[Field::BufPriv]],
        emits: Emits::Point,
        rules: &[4, 24],
        findings: &["object-leak"],
        blind: "the exporter's reference on its object is not seen to go, only inferred",
        caution: "drivers with dma-buf operations of their own may not call it",
        ..BASE
    },
    Row {
        id: ProbeId::BufIoctl,
        targets: &[Target { symbols: &[core("dma_buf_ioctl")] }],
        prototypes: &["long dma_buf_ioctl(struct file *, unsigned int, unsigned long)"],
        captures: "the dma-buf, the ioctl's number and its argument",
        required: &[Field::FilePrivateData],
        optional: &[&[Field::FileInode, Field::InodeIno]],
        emits: Emits::Bracket,
        rules: &[51, 52, 53],
        findings: &["set-name-while-attached"],
        blind: "SYNC and SET_NAME by user space are not seen",
        ..BASE
    },
    Row {
        id: ProbeId::BufFdClose,
        // From 6.6 on close(2) does not come through filp_close any more; both call filp_flush.
        targets: &[Target {
            symbols: &[
                sym("filp_flush", "vmlinux", "6.6 and later"),
                sym("filp_close", "vmlinux", "up to 6.5"),
            ],
        }],
        prototypes: &["int filp_flush(struct file *, fl_owner_t)"],
        captures: "the dma-buf one of whose fds is closed, by close(2), by dup2(2) over it or by exit",
        required: &[Field::FileOp, Field::FilePrivateData],
        optional: &[&[Field::FileInode, Field::InodeIno, Field::FileCount, Field::FileRef]],
        emits: Emits::Point,
        rules: &[10, 24],
        findings: &["fd-leak", "double-close"],
        blind: "closing one of several fds of a dma-buf is not seen: open fds are counted by scanning processes",
        caution: "filp_flush is static: where it is inlined, closes by close(2) are missed",
        ..BASE
    },
    Row {
        id: ProbeId::Attach,
        targets: &[Target { symbols: &[core("dma_buf_dynamic_attach")] }],
        prototypes: &[
            "struct dma_buf_attachment * dma_buf_dynamic_attach(struct dma_buf *, struct device *, const struct dma_buf_attach_ops *, void *)",
        ],
        captures: "the dma-buf, the device, the exporter's operations and whether the importer is dynamic; who holds the reservation lock; at return the attachment",
        optional: &[INO, CACHED, &[Field::BufOps], OPS, RESERVATION],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[7, 9, 11, 21, 41, 42, 43, 46, 52],
        findings: &[
            "attachment-leak",
            "foreign-detach",
            "reservation-held",
            "use-after-release",
            "set-name-while-attached",
        ],
        blind: "imports by drivers with hooks of their own, and all attachment leaks, are blind",
        ..BASE
    },
    Row {
        id: ProbeId::Detach,
        targets: &[Target { symbols: &[core("dma_buf_detach")] }],
        prototypes: &["void dma_buf_detach(struct dma_buf *, struct dma_buf_attachment *)"],
        captures: "the dma-buf, the attachment with its kept mapping, and the dma-buf that the attachment is on; who holds the reservation lock, and the stacks where the caller does not",
        optional: ATTACH,
        emits: Emits::Point,
        stacks: both(Phase::Point),
        rules: &[11, 25, 43, 44, 45, 46, 48, 52],
        findings: &[
            "attachment-leak",
            "foreign-detach",
            "mapping-leak",
            "pin-imbalance",
            "reservation-held",
            "set-name-while-attached",
        ],
        blind: "attachments are never seen to go: attachment leaks cannot be judged",
        ..BASE
    },
    Row {
        id: ProbeId::Map,
        targets: &[Target { symbols: &[core("dma_buf_map_attachment")] }],
        prototypes: &[
            "struct sg_table * dma_buf_map_attachment(struct dma_buf_attachment *, enum dma_data_direction)",
        ],
        captures: "the attachment with its kept mapping, and the direction; at return the sg table; who holds the reservation lock, and the stacks where the caller does not",
        optional: ATTACH,
        emits: Emits::Bracket,
        rules: &[43, 44, 45, 46, 47, 63],
        findings: &[
            "mapping-leak",
            "unbalanced-mapping",
            "mapping-direction-conflict",
            "reservation-not-held",
        ],
        blind: "mappings of attachments are not seen to be made: their leaks, directions and locks are not judged",
        ..BASE
    },
    Row {
        id: ProbeId::Unmap,
        targets: &[Target { symbols: &[core("dma_buf_unmap_attachment")] }],
        prototypes: &[
            "void dma_buf_unmap_attachment(struct dma_buf_attachment *, struct sg_table *, enum dma_data_direction)",
        ],
        captures: "the attachment with its kept mapping, the sg table and the direction; who holds the reservation lock, and the stacks where the caller does not",
        optional: ATTACH,
        emits: Emits::Point,
        rules: &[43, 44, 45, 46, 47],
        findings: &[
            "mapping-leak",
            "unbalanced-mapping",
            "mapping-direction-conflict",
            "reservation-not-held",
        ],
        blind: "mappings of attachments are not seen to go: their leaks, balance and directions are not judged",
        ..BASE
    },
    Row {
        id: ProbeId::Pin,
        targets: &[Target { symbols: &[sym("dma_buf_pin", "vmlinux", "5.7 and later")] }],
        prototypes: &["int dma_buf_pin(struct dma_buf_attachment *)"],
        captures: "the attachment and who holds the reservation lock; at return whether it was pinned",
        optional: ATTACH,
        emits: Emits::Return,
        stacks: both(Phase::Return),
        rules: &[45, 46, 48],
        findings: &["pin-imbalance", "reservation-not-held"],
        blind: "pins by importers are not seen: one that stays, and the lock it needs, are not judged",
        caution: "the pins that the core makes by itself, at a map or an attach, do not come through it",
        ..BASE
    },
    Row {
        id: ProbeId::Unpin,
        targets: &[Target { symbols: &[sym("dma_buf_unpin", "vmlinux", "5.7 and later")] }],
        prototypes: &["void dma_buf_unpin(struct dma_buf_attachment *)"],
        captures: "the attachment and who holds the reservation lock, and the stacks where the caller does not",
        optional: ATTACH,
        emits: Emits::Point,
        rules: &[45, 46, 48],
        findings: &["pin-imbalance", "reservation-not-held"],
        blind: "pins by importers are not seen to go: whether one stays is not judged",
        caution: "the pins that the core makes by itself, at a map or an attach, do not come through it",
        ..BASE
    },
    Row {
        id: ProbeId::Vmap,
        targets: &[Target { symbols: &[core("dma_buf_vmap")] }],
        prototypes: &[
            "int dma_buf_vmap(struct dma_buf *, struct iosys_map *)",
            "int dma_buf_vmap(struct dma_buf *, struct dma_buf_map *)",
            "void * dma_buf_vmap(struct dma_buf *)",
        ],
        captures: "the dma-buf, its vmap count before the effect and who holds the reservation lock; at return 0 or an error",
        optional: &[INO, &[Field::BufVmapCounter], RESERVATION, &[Field::MapAddress]],
        emits: Emits::Return,
        stacks: both(Phase::Return),
        rules: &[46, 49],
        findings: &["vmap-leak", "reservation-not-held"],
        blind: "vmaps are known only by their number when the dma-buf is released: who made one is unknown",
        ..BASE
    },
    Row {
        id: ProbeId::Vunmap,
        targets: &[Target { symbols: &[core("dma_buf_vunmap")] }],
        prototypes: &[
            "void dma_buf_vunmap(struct dma_buf *, struct iosys_map *)",
            "void dma_buf_vunmap(struct dma_buf *, struct dma_buf_map *)",
            "void dma_buf_vunmap(struct dma_buf *, void *)",
        ],
        captures: "the dma-buf, its vmap count before the effect and who holds the reservation lock, and the stacks where the caller does not",
        optional: ACCESS,
        emits: Emits::Point,
        rules: &[46, 49],
        findings: &["vmap-leak", "reservation-not-held"],
        blind: "vmaps are not seen to go: who left one is unknown",
        ..BASE
    },
    Row {
        id: ProbeId::MoveNotify,
        targets: &[Target {
            symbols: &[
                sym("dma_buf_invalidate_mappings", "vmlinux", "7.0 and later"),
                sym("dma_buf_move_notify", "vmlinux", "5.7 to 6.19"),
            ],
        }],
        prototypes: &["void dma_buf_invalidate_mappings(struct dma_buf *)"],
        captures: "the dma-buf whose memory is about to move and who holds the reservation lock, and the stacks where the caller does not",
        optional: ACCESS,
        emits: Emits::Point,
        rules: &[46, 50],
        findings: &["reservation-not-held"],
        blind: "exporters that move a buffer without its lock are not seen",
        ..BASE
    },
];
