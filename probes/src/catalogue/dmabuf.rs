//! The dma-buf core: life of a dma-buf, its attachments and mappings.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, INO, Row, Target, both, core, drm, sym, user};
use crate::fields::Field;

/// A dma-buf seen at an instant when its file is alive.
const BUF: &[Field] =
    &[Field::BufFile, Field::FileInode, Field::InodeIno, Field::BufPriv, Field::FileCount, Field::FileRef];

/// An attachment, and who holds the reservation lock of its dma-buf.
const ATTACH: &[Field] = &[
    Field::BufFile,
    Field::FileInode,
    Field::InodeIno,
    Field::AttachDmabuf,
    Field::AttachDev,
    Field::AttachImporterOps,
    Field::BufResv,
    Field::ResvOwner,
];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::BufExport,
        targets: &[Target { symbols: &[core("dma_buf_export")] }],
        prototypes: &["struct dma_buf * dma_buf_export(const struct dma_buf_export_info *)"],
        captures: "the exporter's arguments; at return the dma-buf, its inode number and its exporter's name",
        required: &[
            Field::ExportOps,
            Field::ExportSize,
            Field::ExportFlags,
            Field::ExportResv,
            Field::ExportPriv,
        ],
        optional: &[INO, &[Field::BufExpName, Field::ExportExpName, Field::BufOpsRelease]],
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
        captures: "the dma-buf and its fd",
        optional: &[BUF],
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
        captures: "the dma-buf and its fd",
        optional: &[BUF],
        emits: Emits::Point,
        rules: &[10, 19],
        findings: &["fd-leak"],
        blind: "fds that dma-heaps give are found only by scanning processes",
        caution: "absent from many kernels: nothing is lost there",
        ..BASE
    },
    Row {
        id: ProbeId::BufGet,
        targets: &[Target { symbols: &[core("dma_buf_get")] }],
        prototypes: &["struct dma_buf * dma_buf_get(int)"],
        captures: "fd; at return the dma-buf",
        optional: &[BUF],
        emits: Emits::Return,
        rules: &[7, 10, 20],
        findings: &["use-after-release", "dmabuf-leak"],
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
        captures: "the dma-buf whose last file reference is gone",
        required: &[Field::FilePrivateData],
        optional: &[&[Field::FileInode, Field::InodeIno, Field::BufPriv]],
        emits: Emits::Point,
        rules: &[10, 24],
        findings: &["dmabuf-leak", "use-after-release", "released-while-cached"],
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
        findings: &["set-name-while-attached", "cpu-access-of-import"],
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
        captures: "the dma-buf, the device, the attachment and whether its importer is dynamic",
        optional: &[INO, &[Field::BufResv, Field::ResvOwner]],
        emits: Emits::Return,
        stacks: both(Phase::Return),
        rules: &[7, 9, 11, 21, 41, 42, 43, 46],
        findings: &["attachment-leak", "foreign-detach", "reservation-held", "use-after-release"],
        blind: "imports by drivers with hooks of their own, and all attachment leaks, are blind",
        ..BASE
    },
    Row {
        id: ProbeId::Detach,
        targets: &[Target { symbols: &[core("dma_buf_detach")] }],
        prototypes: &["void dma_buf_detach(struct dma_buf *, struct dma_buf_attachment *)"],
        captures: "the dma-buf, the attachment and the dma-buf that the attachment is on",
        optional: &[ATTACH],
        emits: Emits::Point,
        rules: &[11, 25, 44, 46, 48],
        findings: &["attachment-leak", "foreign-detach", "mapping-leak", "pin-imbalance", "reservation-held"],
        blind: "attachments are never seen to go: attachment leaks cannot be judged",
        ..BASE
    },
    Row {
        id: ProbeId::Map,
        targets: &[Target { symbols: &[core("dma_buf_map_attachment")] }],
        prototypes: &[
            "struct sg_table * dma_buf_map_attachment(struct dma_buf_attachment *, enum dma_data_direction)",
        ],
        captures: "the attachment and the direction; at return the sg table; who holds the reservation lock",
        optional: &[ATTACH],
        emits: Emits::Bracket,
        hot: true,
        rules: &[43, 44, 45, 46, 47, 63],
        findings: &[
            "mapping-leak",
            "unbalanced-mapping",
            "mapping-direction-conflict",
            "reservation-not-held",
            "reservation-held",
        ],
        blind: "mappings of attachments are not judged",
        ..BASE
    },
    Row {
        id: ProbeId::Unmap,
        targets: &[Target { symbols: &[core("dma_buf_unmap_attachment")] }],
        prototypes: &[
            "void dma_buf_unmap_attachment(struct dma_buf_attachment *, struct sg_table *, enum dma_data_direction)",
        ],
        captures: "the attachment, the sg table and the direction; who holds the reservation lock",
        optional: &[ATTACH],
        emits: Emits::Point,
        hot: true,
        rules: &[43, 44, 45, 46, 47],
        findings: &[
            "mapping-leak",
            "unbalanced-mapping",
            "mapping-direction-conflict",
            "reservation-not-held",
        ],
        blind: "mappings of attachments are not judged",
        ..BASE
    },
];
