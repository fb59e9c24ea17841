//! Misuse: the API was used against its rules.

use super::{Class, Rule, RuleId};

pub(super) const DOUBLE_CLOSE: Rule = Rule {
    id: RuleId::DoubleClose,
    class: Class::Misuse,
    title: "a handle was closed that had been closed before",
    text: "The kernel answers EINVAL, so this one did no harm; but between the two closes the number may be given \
           out again, and then somebody else's buffer is closed. Handles of imports are returned again by a \
           second import and must be counted by user space (R31).",
    serves: &["R14", "R31"],
    eras: "all kernels",
    kernel: "drm_gem_handle_delete",
    advice: "count imports per handle in user space and close on the last; clear the handle after closing it",
    history: &["t1 create f1 h1 o1", "t1 close f1 h1", "t1 close f1 h1 -> EINVAL"],
};

pub(super) const CLOSE_OF_REUSED_HANDLE: Rule = Rule {
    id: RuleId::CloseOfReusedHandle,
    class: Class::Misuse,
    title: "a handle was closed by a number that had become another buffer's",
    text: "A buffer was imported more than once, so that several users held one handle, and one of them \
           closed it (R31). The number was then given out again, and a further close took the new \
           buffer's handle away from its owner, whose own close is refused now.",
    serves: &["U2", "U3", "R14", "R31"],
    eras: "all kernels",
    kernel: "drm_gem_handle_delete",
    advice: "count imports per handle in user space and close on the last; this is the bug behind wrong \
             pictures and buffers of the wrong size",
    history: &[
        "t1 import f1 d1 -> h1",
        "t1 import f1 d1 -> h1",
        "t1 close f1 h1",
        "t2 create f1 -> h1",
        "t1 close f1 h1",
        "t2 close f1 h1 -> EINVAL",
    ],
};

pub(super) const UNBALANCED_IMPORT: Rule = Rule {
    id: RuleId::UnbalancedImport,
    class: Class::Misuse,
    title: "a handle was closed once for each import, although all imports gave the same handle",
    text: "Importing a dma-buf that the file already has a handle for returns that handle and counts \
           nothing (R31): one close takes it away from everybody. The second close was refused, so this \
           one did no harm; had the number been given out again, it would have closed somebody else's \
           buffer.",
    serves: &["U1", "U2", "U3", "R31"],
    eras: "all kernels",
    kernel: "drm_gem_prime_fd_to_handle, drm_gem_handle_delete",
    advice: "count imports per handle in user space and close on the last, as libraries' handle tables do",
    history: &[
        "t1 import f1 d1 -> h1",
        "t1 import f1 d1 -> h1",
        "t1 close f1 h1",
        "t1 close f1 h1 -> EINVAL",
    ],
};

pub(super) const DUMB_DESTROY_OF_IMPORT: Rule = Rule {
    id: RuleId::DumbDestroyOfImport,
    class: Class::Misuse,
    title: "an imported handle was closed with MODE_DESTROY_DUMB",
    text: "MODE_DESTROY_DUMB is for buffers of MODE_CREATE_DUMB. The core closes any handle with it \
           (R28), drivers with a hook of their own need not.",
    serves: &["U16", "R28"],
    eras: "all kernels",
    kernel: "drm_mode_destroy_dumb_ioctl",
    advice: "close imported handles with DRM_IOCTL_GEM_CLOSE",
    history: &["t1 import f1 d1 -> h1", "t1 destroy-dumb f1 h1"],
};

pub(super) const CPU_ACCESS_OF_IMPORT: Rule = Rule {
    id: RuleId::CpuAccessOfImport,
    class: Class::Misuse,
    title: "an imported buffer was read, written or mapped through the importing driver",
    text: "An imported object has no pages of its own: pread, pwrite and mmap of it by the importing \
           driver must fail with EINVAL (R60). Where they succeed they go past the exporter, who has to \
           be told of CPU access.",
    serves: &["R60", "R51"],
    eras: "all kernels; drivers with ioctls of their own for it",
    kernel: "i915_gem_pread_ioctl, i915_gem_pwrite_ioctl, i915_gem_mmap_ioctl",
    advice: "map the dma-buf's fd and bracket the access with DMA_BUF_IOCTL_SYNC; the driver should have \
             refused",
    history: &["t1 import f1 d1 -> h1 (of another device)", "t1 pread f1 h1"],
};

pub(super) const LOOKUP_AFTER_INSTALL: Rule = Rule {
    id: RuleId::LookupAfterInstall,
    class: Class::Misuse,
    title: "a driver looked a dma-buf up by an fd that it had just installed",
    text: "From the moment it is installed an fd is the program's: another thread may have closed it, or \
           put another file there. A driver that needs the dma-buf keeps its pointer (R10).",
    serves: &["K11", "R10", "B15"],
    eras: "all kernels",
    kernel: "dma_buf_fd, dma_buf_get",
    advice: "export first with dma_buf_export or drm_gem_prime_handle_to_dmabuf, and install the fd last",
    history: &["t1 dmabuf-fd d1 -> fd", "t1 dmabuf-get fd (in the same system call)"],
};
