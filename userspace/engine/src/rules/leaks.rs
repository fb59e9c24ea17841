//! Leaks: something outlived its use (L1-L11).

use super::{Class, Rule, RuleId};

pub(super) const HANDLE_LEAK: Rule = Rule {
    id: RuleId::HandleLeak,
    class: Class::Leak,
    title: "a GEM handle was still open when its DRM file closed",
    text: "Every handle that a program creates (by a create ioctl, PRIME import, GEM_OPEN, GETFB2) holds its object \
           until GEM_CLOSE. The kernel cleans up at file close, so a program that exits hides the bug; a server \
           that runs for weeks does not. Handles left by a fatal signal are noted, not judged.",
    serves: &["L1", "R2", "R18"],
    eras: "all kernels",
    kernel: "drm_gem_release -> drm_gem_object_release_handle",
    advice: "close the handle with DRM_IOCTL_GEM_CLOSE on every path, the error paths too; the stack below is \
             where it was taken",
    history: &["t1 create f1 h1 o1", "t1 close-file f1"],
};

pub(super) const FD_LEAK: Rule = Rule {
    id: RuleId::FdLeak,
    class: Class::Leak,
    title: "a dma-buf fd was still open when its process exited",
    text: "A dma-buf fd is a file reference on the buffer (R10). A program that exports or receives one and never \
           closes it keeps the buffer as long as it runs. A copy inherited over fork is not blamed on the child. \
           Fds left by a fatal signal are noted, not judged.",
    serves: &["L2", "R10"],
    eras: "all kernels",
    kernel: "filp_close, from close_files at exit",
    advice: "close the fd after the last import or after sending it; O_CLOEXEC does not help against this",
    history: &["t1 create f1 h1 o1", "t1 export f1 h1 -> d1", "t1 close f1 h1", "p1 exit 0"],
};

pub(super) const OBJECT_LEAK: Rule = Rule {
    id: RuleId::ObjectLeak,
    class: Class::Leak,
    title: "a GEM object outlived every reference that can be named",
    text: "When the last handle is gone, no exported dma-buf lives, no framebuffer shows it and nothing maps it, \
           the object must be freed (R25). One that is not has lost a reference inside the kernel.",
    serves: &["L3", "R1", "R25"],
    eras: "all kernels",
    kernel: "drm_gem_object_free, drm_gem_object_release",
    advice: "a kernel driver took a reference and never put it; the last event below tells which path to read",
    history: &["t1 create f1 h1 o1", "t1 close f1 h1", "(no death of o1)"],
};

pub(super) const DMABUF_LEAK: Rule = Rule {
    id: RuleId::DmabufLeak,
    class: Class::Leak,
    title: "a dma-buf outlived every reference that can be named",
    text: "No process has an fd or a mapping of it, no PRIME cache entry, no link from its object and no importer \
           holds it, yet its file was not released (R24). A reference was lost inside the kernel.",
    serves: &["L4", "R24"],
    eras: "all kernels",
    kernel: "dma_buf_file_release, dma_buf_put",
    advice: "look for a dma_buf_get or get_dma_buf without its dma_buf_put in the importing driver",
    history: &["t1 export f1 h1 -> d1", "t1 close-fd d1", "t1 close f1 h1", "(no release of d1)"],
};

pub(super) const PRIME_CACHE_LEAK: Rule = Rule {
    id: RuleId::PrimeCacheLeak,
    class: Class::Leak,
    title: "a PRIME cache entry outlived its handle",
    text: "Every (handle, dma-buf) entry of a file's PRIME cache goes with its handle (R6, R14, R32). One that \
           stays pins the dma-buf until the file closes, and the kernel warns there.",
    serves: &["L8", "R6", "R32", "B1", "B6", "B8"],
    eras: "all kernels; from v3.10 the entry holds a reference",
    kernel: "drm_prime_remove_buf_handle, drm_prime_destroy_file_private",
    advice: "a kernel bug in the close path: report it with this history",
    history: &["t1 export f1 h1 -> d1", "t1 close f1 h1 (entry stays)"],
};

pub(super) const STALE_LINK: Rule = Rule {
    id: RuleId::StaleLink,
    class: Class::Leak,
    title: "an object kept its link to a dma-buf beyond its last handle",
    text: "obj->dma_buf is a counted link that lives exactly from the first export or import to the drop of the \
           last handle count (R5, R15). It must be NULL when the object dies.",
    serves: &["L10", "R5", "R15", "R25"],
    eras: "from v3.12",
    kernel: "drm_gem_object_handle_put_unlocked, drm_gem_object_release",
    advice: "a kernel bug in the close path, or a driver that writes obj->dma_buf itself",
    history: &["t1 export f1 h1 -> d1", "t1 close f1 h1 (link stays)"],
};

pub(super) const ATTACHMENT_LEAK: Rule = Rule {
    id: RuleId::AttachmentLeak,
    class: Class::Leak,
    title: "a device stayed attached to a dma-buf beyond its importer",
    text: "Whoever attaches a device to a dma-buf detaches it before it drops its own reference (R11, \
           R48), an importer object at the latest when it dies (R25, R62). An attachment that is left \
           keeps the exporter's state for that device, and the kernel warns when the buffer is destroyed \
           with one.",
    serves: &["L5", "R11", "R25", "R48", "R62", "B19"],
    eras: "all kernels",
    kernel: "dma_buf_attach, dma_buf_detach, drm_prime_gem_destroy",
    advice: "look in the importing driver for an error or teardown path without dma_buf_detach; the \
             stack below made the attachment",
    history: &["t1 export f1 h1 -> d1", "t2 attach d1 -> a1", "t2 put d1", "(no detach of a1)"],
};

pub(super) const MAPPING_LEAK: Rule = Rule {
    id: RuleId::MappingLeak,
    class: Class::Leak,
    title: "an attachment was detached with a mapping that nobody undid",
    text: "Every map of an attachment is paired with an unmap before the detach (R44, R48). Only a \
           mapping that the core itself keeps on the attachment, on kernels that cache them (R43), goes \
           with the detach.",
    serves: &["L6", "R43", "R44", "R48"],
    eras: "all kernels; up to 6.15 mappings that the core caches are left out",
    kernel: "dma_buf_map_attachment, dma_buf_unmap_attachment, dma_buf_detach",
    advice: "the importing driver maps on a path that has no dma_buf_unmap_attachment",
    history: &["t1 attach d1 -> a1", "t1 map a1", "t1 detach a1"],
};

pub(super) const VMAP_LEAK: Rule = Rule {
    id: RuleId::VmapLeak,
    class: Class::Leak,
    title: "a dma-buf lost its last reference while the kernel still had it mapped",
    text: "Each dma_buf_vmap is undone by a dma_buf_vunmap before the importer lets go (R49). A count \
           above zero at the release is a BUG in the kernel, and the mapping is never undone.",
    serves: &["L7", "R49"],
    eras: "all kernels",
    kernel: "dma_buf_vmap, dma_buf_vunmap, dma_buf_release",
    advice: "the importing driver's CPU mapping has no dma_buf_vunmap on some path",
    history: &["t1 vmap d1", "(d1 released)"],
};

pub(super) const FLINK_NAME_LEAK: Rule = Rule {
    id: RuleId::FlinkNameLeak,
    class: Class::Leak,
    title: "an object kept its global name beyond its last handle",
    text: "A flink name is removed with the last handle count, under object_name_lock (R15, R16). A name \
           that stays lets another client open an object that is dying.",
    serves: &["L9", "R15", "R16"],
    eras: "all kernels",
    kernel: "drm_gem_object_handle_put_unlocked, drm_gem_object_release",
    advice: "a kernel bug in the close path: report it with this history",
    history: &["t1 flink f1 h1 -> n1", "t1 close f1 h1 (name stays)"],
};

pub(super) const FRAMEBUFFER_LEAK: Rule = Rule {
    id: RuleId::FramebufferLeak,
    class: Class::Leak,
    title: "a framebuffer outlived every DRM file of the process that made it",
    text: "A closing file removes its framebuffers, from the screen too (R18). One that stays has lost a \
           reference, and with it every object of its planes. Framebuffers that were let go with CLOSEFB \
           are not judged: they stay on screen on purpose.",
    serves: &["L11", "R3", "R18"],
    eras: "all kernels",
    kernel: "drm_fb_release, drm_framebuffer_cleanup",
    advice: "a kernel driver took a drm_framebuffer_get without its drm_framebuffer_put",
    history: &["t1 add-fb f1 b1 o1", "t1 close-file f1", "(b1 is not cleaned up)"],
};
