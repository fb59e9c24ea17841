//! Near misses: legal today, a bug under an older profile or one reordering away. Never part of a verdict.

use super::{Class, Rule, RuleId};

pub(super) const NEAR_MISS_EXPORT_CLOSE: Rule = Rule {
    id: RuleId::NearMissExportClose,
    class: Class::NearMiss,
    title: "an export and the close of its handle overlapped",
    text: "Legal: the export either found the handle and cached its dma-buf before the close removed the \
           entry, or was refused with ENOENT. Before v3.12 the same overlap left a stale entry or used a \
           freed object.",
    serves: &["B4", "B6", "R19"],
    eras: "a bug before v3.12",
    kernel: "drm_gem_prime_handle_to_dmabuf, drm_gem_handle_delete",
    advice: "worth a look when the program did not mean to close what it was exporting",
    history: &["t1 export f1 h1 (begins)", "t2 close f1 h1", "t1 export f1 h1 (returns)"],
};

pub(super) const NEAR_MISS_IMPORT_CLOSE: Rule = Rule {
    id: RuleId::NearMissImportClose,
    class: Class::NearMiss,
    title: "an import and the close of the handle that it would return overlapped",
    text: "Legal: the import either returned the handle before it went, or made a new one. User space \
           cannot tell which, so the handle that it got may be gone.",
    serves: &["B6", "B7", "R20"],
    eras: "a bug before v3.12",
    kernel: "drm_gem_prime_fd_to_handle, drm_gem_handle_delete",
    advice: "user space must not import a buffer while another thread closes its handle: lock around its \
             handle table",
    history: &["t1 import f1 d1 (begins)", "t2 close f1 h1 (of d1)", "t1 import f1 d1 (returns)"],
};

pub(super) const NEAR_MISS_DOUBLE_EXPORT: Rule = Rule {
    id: RuleId::NearMissDoubleExport,
    class: Class::NearMiss,
    title: "two exports of one object overlapped while it had no dma-buf",
    text: "Legal: object_name_lock lets one make the dma-buf and gives the other the same (R30). Before \
           v3.12 both made one.",
    serves: &["B5", "R30"],
    eras: "a bug before v3.12",
    kernel: "drm_gem_prime_handle_to_dmabuf",
    advice: "nothing to do on this kernel",
    history: &["t1 export f1 h1 (begins)", "t2 export f2 h2 (same object, begins)", "t1 -> d1", "t2 -> d1"],
};

pub(super) const NEAR_MISS_CHANGE_CLOSE: Rule = Rule {
    id: RuleId::NearMissChangeClose,
    class: Class::NearMiss,
    title: "a handle was moved to another number while one of the numbers was being closed",
    text: "GEM_CHANGE_HANDLE has both numbers in the table for a moment (R27). A close at that moment is \
           refused where the kernel is right, and drops the object's count twice where it is not.",
    serves: &["B13", "R27"],
    eras: "a bug in 6.18",
    kernel: "drm_gem_change_handle_ioctl, drm_gem_handle_delete",
    advice: "user space must not close a handle that another thread moves",
    history: &["t1 change f1 h1 h9 (begins)", "t2 close f1 h1", "t1 change f1 h1 h9 (returns)"],
};
