//! Framebuffers, user mappings and processes: what keeps buffers alive beside handles and fds.

use gemscope_common::{Phase, ProbeId};

use super::{BASE, Emits, Row, Target, both, core, drm, sym};
use crate::fields::Field;

const FB: &[Field] = &[Field::FbDev, Field::FbId, Field::FbInternalFlags];

const VMA: &[Field] = &[Field::VmaStart, Field::VmaEnd];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: ProbeId::FbInit,
        targets: &[Target { symbols: &[drm("drm_framebuffer_init")] }],
        prototypes: &[
            "int drm_framebuffer_init(struct drm_device *, struct drm_framebuffer *, const struct drm_framebuffer_funcs *)",
        ],
        captures: "the framebuffer and the objects of its planes; at return its id and which planes hold handles",
        required: &[Field::FbObj],
        optional: &[FB],
        emits: Emits::Bracket,
        stacks: both(Phase::Entry),
        rules: &[3, 25],
        findings: &["framebuffer-leak", "object-leak"],
        blind: "framebuffers are not seen: an object that only a framebuffer holds may look leaked",
        ..BASE
    },
    Row {
        id: ProbeId::FbCleanup,
        targets: &[Target { symbols: &[drm("drm_framebuffer_cleanup")] }],
        prototypes: &["void drm_framebuffer_cleanup(struct drm_framebuffer *)"],
        captures: "the framebuffer and the objects of its planes",
        required: &[Field::FbObj],
        optional: &[FB],
        emits: Emits::Bracket,
        rules: &[3, 25],
        findings: &["framebuffer-leak", "object-leak"],
        blind: "framebuffers are never seen to go: an object's last holder is uncertain",
        ..BASE
    },
    Row {
        id: ProbeId::FbClose,
        targets: &[Target { symbols: &[sym("drm_mode_closefb_ioctl", "drm", "6.8 and later")] }],
        prototypes: &["int drm_mode_closefb_ioctl(struct drm_device *, void *, struct drm_file *)"],
        captures: "the device and the number of the framebuffer",
        emits: Emits::Return,
        rules: &[3],
        findings: &["framebuffer-leak"],
        blind: "a framebuffer that a file let go of, to leave it on screen, looks like one that it lost",
        caution: "absent from kernels without CLOSEFB: nothing is lost there",
        ..BASE
    },
    Row {
        id: ProbeId::GemMmap,
        targets: &[Target { symbols: &[drm("drm_gem_mmap_obj")] }],
        prototypes: &[
            "int drm_gem_mmap_obj(struct drm_gem_object *, unsigned long, struct vm_area_struct *)",
        ],
        captures: "the object, the mapping's start and length",
        optional: &[VMA],
        emits: Emits::Return,
        stacks: both(Phase::Return),
        rules: &[10, 25, 60],
        findings: &["mapping-leak", "object-leak"],
        blind: "mappings of DRM files are not seen: an object that only a mapping holds may look leaked",
        ..BASE
    },
    Row {
        id: ProbeId::GemVmOpen,
        targets: &[Target { symbols: &[drm("drm_gem_vm_open")] }],
        prototypes: &["void drm_gem_vm_open(struct vm_area_struct *)"],
        captures: "the mapping and its object",
        required: &[Field::VmaPrivateData],
        optional: &[VMA],
        emits: Emits::Point,
        rules: &[10],
        findings: &["mapping-leak", "object-leak"],
        blind: "mappings that fork(2) copies are not counted",
        caution: "drivers with memory operations of their own (TTM, i915) do not call it",
        ..BASE
    },
    Row {
        id: ProbeId::GemVmClose,
        targets: &[Target { symbols: &[drm("drm_gem_vm_close")] }],
        prototypes: &["void drm_gem_vm_close(struct vm_area_struct *)"],
        captures: "the mapping and its object",
        required: &[Field::VmaPrivateData],
        optional: &[VMA],
        emits: Emits::Point,
        rules: &[10],
        findings: &["mapping-leak", "object-leak"],
        blind: "mappings are never seen to go: an object's last holder is uncertain",
        caution: "drivers with memory operations of their own (TTM, i915) do not call it",
        ..BASE
    },
    Row {
        id: ProbeId::BufMmap,
        targets: &[Target { symbols: &[core("dma_buf_mmap_internal")] }],
        prototypes: &["int dma_buf_mmap_internal(struct file *, struct vm_area_struct *)"],
        captures: "the dma-buf, the mapping's start and length",
        required: &[Field::FilePrivateData],
        optional: &[VMA, &[Field::FileInode, Field::InodeIno]],
        emits: Emits::Return,
        rules: &[10],
        findings: &["mapping-leak", "dmabuf-leak"],
        blind: "a dma-buf that only a mapping holds may look leaked",
        ..BASE
    },
    Row {
        id: ProbeId::Fork,
        targets: &[Target { symbols: &[core("wake_up_new_task")] }],
        prototypes: &["void wake_up_new_task(struct task_struct *)"],
        captures: "the child's tid, tgid and name",
        required: &[Field::TaskPid, Field::TaskTgid],
        optional: &[&[Field::TaskComm]],
        emits: Emits::Point,
        rules: &[10],
        findings: &["fd-leak", "handle-leak"],
        blind: "the process tree of a command is not followed: the verdict covers its first process only",
        ..BASE
    },
    Row {
        id: ProbeId::Exec,
        targets: &[Target { symbols: &[core("finalize_exec")] }],
        prototypes: &["void finalize_exec(struct linux_binprm *)"],
        captures: "the process's new name",
        optional: &[&[Field::TaskComm]],
        emits: Emits::Point,
        rules: &[10],
        findings: &["fd-leak"],
        blind: "processes keep the name they were forked with",
        ..BASE
    },
    Row {
        id: ProbeId::Exit,
        targets: &[Target {
            symbols: &[
                sym("taskstats_exit", "vmlinux", "with CONFIG_TASKSTATS"),
                sym("exit_files", "vmlinux", "all"),
            ],
        }],
        prototypes: &[
            "void taskstats_exit(struct task_struct *, int)",
            "void exit_files(struct task_struct *)",
        ],
        captures: "the exit code, and whether it was the last thread",
        required: &[Field::TaskExitCode],
        optional: &[&[
            Field::TaskPid,
            Field::TaskTgid,
            Field::TaskComm,
            Field::TaskRealParent,
            Field::TaskSignal,
            Field::SignalLive,
            Field::SignalGroupExitCode,
        ]],
        emits: Emits::Point,
        rules: &[18],
        findings: &["handle-leak", "fd-leak"],
        blind: "a normal exit cannot be told from a fatal signal: what was open at exit is not judged",
        ..BASE
    },
];
