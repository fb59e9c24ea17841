//! Violations: the kernel broke a rule of its own.

use super::{Class, Rule, RuleId};

pub(super) const SECOND_DMABUF: Rule = Rule {
    id: RuleId::SecondDmabuf,
    class: Class::Violation,
    title: "an object was exported again while its first dma-buf lives",
    text: "A native object has at most one dma-buf at a time: the link is set under object_name_lock before anyone \
           else can export (R30). Two of them alias one memory under two reservation locks. Where framebuffers hold no \
           handle count, the link is gone with the last handle, and a handle that GETFB2 brings back is exported anew.",
    serves: &["R30", "B5"],
    eras: "all; up to 3.11 by a race of two exports, up to 6.15 through a framebuffer",
    kernel: "drm_gem_prime_handle_to_dmabuf, export_and_register_object",
    advice: "a kernel bug: two exports did not see each other. Through GETFB2 it can be avoided: keep a handle open as long as \
             the first dma-buf lives",
    history: &["t1 export f1 h1 -> d1", "t2 export f2 h2 -> d2 (same object)"],
};

pub(super) const SECOND_HANDLE_ON_IMPORT: Rule = Rule {
    id: RuleId::SecondHandleOnImport,
    class: Class::Violation,
    title: "an import made a second handle for a buffer the file already had",
    text: "Importing a dma-buf that the file already has a cached handle for must return that handle (R31), or \
           user space cannot tell that both are the same memory.",
    serves: &["R31", "B6"],
    eras: "from v3.10",
    kernel: "drm_gem_prime_fd_to_handle",
    advice: "a kernel bug in the import path's cache look-up",
    history: &["t1 import f1 d1 -> h1", "t1 import f1 d1 -> h2"],
};

pub(super) const RELEASED_WHILE_CACHED: Rule = Rule {
    id: RuleId::ReleasedWhileCached,
    class: Class::Violation,
    title: "a dma-buf was released while a PRIME cache entry still pointed at it",
    text: "From v3.10 each cache entry holds a file reference (R6), so the last reference cannot go while an entry \
           exists (R24). A release with one means a dangling pointer in the cache.",
    serves: &["R24", "R6", "B1"],
    eras: "a violation from v3.10; before it the known six-step leak",
    kernel: "dma_buf_file_release, drm_prime_add_buf_handle",
    advice: "a dma_buf_put too many, by the kernel code in the history",
    history: &["t1 export f1 h1 -> d1", "(d1 released with the entry f1/h1 in place)"],
};

pub(super) const CACHE_AFTER_CLOSE: Rule = Rule {
    id: RuleId::CacheAfterClose,
    class: Class::Violation,
    title: "a PRIME cache entry was made for a handle that was already closed",
    text: "An entry for a handle must be made before the handle's own removal from the cache (R14, R19): later \
           nobody removes it until the file closes.",
    serves: &["B6", "R14", "R19"],
    eras: "from v3.12; open in the state right after 319c933c",
    kernel: "drm_prime_add_buf_handle, drm_prime_remove_buf_handle",
    advice: "a kernel bug: the export looked the handle up outside prime.lock",
    history: &["t1 export f1 h1 (begins)", "t2 close f1 h1", "t1 cache-add f1 h1 d1"],
};

pub(super) const USE_AFTER_RELEASE: Rule = Rule {
    id: RuleId::UseAfterRelease,
    class: Class::Violation,
    title: "a dma-buf was used after its last file reference was gone",
    text: "Once dma_buf_file_release has begun no reference may exist, so no attach, detach, put, cache entry or \
           import of that buffer can be right (R24, R11).",
    serves: &["B7", "B19", "R24", "R11"],
    eras: "all kernels",
    kernel: "dma_buf_file_release",
    advice: "the user named below works on freed memory: find where it lost its reference",
    history: &["(d1 released)", "t1 attach d1"],
};

pub(super) const DANGLING_HANDLE: Rule = Rule {
    id: RuleId::DanglingHandle,
    class: Class::Violation,
    title: "an object was freed while a handle still named it",
    text: "The handles of an object together hold one reference (R2), so it cannot die before the last handle is \
           closed (R14, R15). A handle on a dead object is a use after free waiting for its ioctl.",
    serves: &["R2", "R14", "R15", "R27", "B13"],
    eras: "all kernels",
    kernel: "drm_gem_object_release, drm_gem_object_handle_put_unlocked",
    advice: "a handle count or reference was dropped twice: the closes of this object below tell where",
    history: &["t1 create f1 h1 o1", "(o1 dies with h1 open)"],
};

pub(super) const WRONG_CACHE_ENTRY_REMOVED: Rule = Rule {
    id: RuleId::WrongCacheEntryRemoved,
    class: Class::Violation,
    title: "closing one handle removed another handle's PRIME cache entry",
    text: "A file's cache has an entry for each exported handle, and closing a handle removes its own \
           (R14, R32). Up to 5.19 the entry was looked up by dma-buf, so with two handles of one object \
           the wrong one could go: the next import then returns a dead handle.",
    serves: &["B8", "R14", "R32"],
    eras: "from v3.12; fixed by ea2aa97c (6.0 and stable)",
    kernel: "drm_prime_remove_buf_handle",
    advice: "a kernel bug in the close path: update to a kernel with ea2aa97c, or report it with this history",
    history: &[
        "t1 export f1 h1 -> d1",
        "t1 open-name f1 h2 (same object)",
        "t1 export f1 h2 -> d1",
        "t1 close f1 h2 (entry of h1 goes)",
    ],
};

pub(super) const HANDLE_COUNT_MISMATCH: Rule = Rule {
    id: RuleId::HandleCountMismatch,
    class: Class::Violation,
    title: "an object's handle count is not the number of its handles",
    text: "obj->handle_count is the number of open handles of all files, and from 6.16 of framebuffer \
           planes too (R2, R3, R15). Read under object_name_lock it must agree with them, and it cannot \
           be zero when a handle is about to be put.",
    serves: &["R2", "R3", "R15", "R27", "B12", "B13"],
    eras: "from v3.12",
    kernel: "drm_gem_handle_create_tail, drm_gem_object_handle_put_unlocked",
    advice: "a kernel bug: a handle was counted twice or dropped twice; the closes below tell where",
    history: &["t1 create f1 h1 o1", "t1 close f1 h1", "t2 close f1 h1 (succeeds too)"],
};

pub(super) const CREATE_PUBLICATION_RACE: Rule = Rule {
    id: RuleId::CreatePublicationRace,
    class: Class::Violation,
    title: "a handle was closed before its creation was complete",
    text: "A handle must become visible only when its file may map the object and the driver has set it \
           up (R13). Where its number can be found earlier, another thread can close it first: the \
           creation then sets up a handle that is gone, and the driver frees twice.",
    serves: &["B9", "R13"],
    eras: "open until bd46cece (6.16, 6.15.7, 6.12.39, 6.6.99, 6.1.146)",
    kernel: "drm_gem_handle_create_tail",
    advice: "a kernel bug: update to a kernel with bd46cece; no program closes handles that it was not \
             given, except to attack",
    history: &["t1 create f1 (begins)", "t2 close f1 h1", "t1 create f1 -> h1"],
};

pub(super) const HANDLE_REUSE_DURING_CLOSE: Rule = Rule {
    id: RuleId::HandleReuseDuringClose,
    class: Class::Violation,
    title: "a handle number was given out again while its last close was still at work",
    text: "A closing handle keeps its number until its PRIME entry, its mappings and the driver's state \
           are gone (R14). A number that is free earlier lets the old close tear down the new handle's \
           state.",
    serves: &["B10", "R14"],
    eras: "fixed by f6cd7dae (2016)",
    kernel: "drm_gem_handle_delete",
    advice: "a kernel bug in the close path: report it with this history",
    history: &["t1 close f1 h1 (begins)", "t2 create f1 -> h1", "t1 close f1 h1 (returns)"],
};

pub(super) const RESERVATION_NOT_HELD: Rule = Rule {
    id: RuleId::ReservationNotHeld,
    class: Class::Violation,
    title: "a dma-buf call was made without its reservation lock",
    text: "Map, unmap, pin, unpin, vmap, vunmap and the notice of a move change what the reservation \
           lock guards, and the caller must hold it: all of them from 6.2, map and unmap of dynamic \
           importers and pin from 5.5 and 5.7 (R46). The kernel's own check is compiled out where \
           lockdep is off; this one compares the lock's owner with the caller.",
    serves: &["R46", "R45", "R49", "R50"],
    eras: "from v5.5 for dynamic importers, from v6.2 for all",
    kernel: "dma_buf_map_attachment, dma_buf_pin, dma_buf_vmap",
    advice: "take dma_resv_lock(dmabuf->resv) around the call, or use its _unlocked variant",
    history: &["t1 attach d1 -> a1", "t1 map a1 (without the lock)"],
};

pub(super) const RESERVATION_HELD: Rule = Rule {
    id: RuleId::ReservationHeld,
    class: Class::Violation,
    title: "a dma-buf call that takes the reservation lock was made with it held",
    text: "Attach and detach take the reservation lock themselves (R42, R46): a caller that holds it \
           waits for itself.",
    serves: &["R42", "R46"],
    eras: "from v5.5",
    kernel: "dma_buf_dynamic_attach, dma_buf_detach",
    advice: "attach and detach outside dma_resv_lock",
    history: &["t1 lock d1", "t1 attach d1"],
};

pub(super) const MAPPING_DIRECTION_CONFLICT: Rule = Rule {
    id: RuleId::MappingDirectionConflict,
    class: Class::Violation,
    title: "a mapping was undone or asked for in another direction than it was made in",
    text: "Unmap must name the direction of its map (R47), or caches are not written back where they \
           must be. A mapping that the core keeps on the attachment serves no other direction (R43).",
    serves: &["R43", "R47"],
    eras: "all kernels; the kept mapping from v5.5 to 6.15",
    kernel: "dma_buf_unmap_attachment, dma_buf_map_attachment",
    advice: "the importing driver must keep the direction beside the sg table",
    history: &["t1 map a1 to-device", "t1 unmap a1 from-device"],
};

pub(super) const UNBALANCED_MAPPING: Rule = Rule {
    id: RuleId::UnbalancedMapping,
    class: Class::Violation,
    title: "an attachment was unmapped that was not mapped",
    text: "Every unmap undoes one map of the same sg table (R44, R47). One too many frees the exporter's \
           table twice.",
    serves: &["R44", "R47", "B19"],
    eras: "all kernels",
    kernel: "dma_buf_unmap_attachment",
    advice: "the importing driver unmaps twice, perhaps on an error path",
    history: &["t1 map a1", "t1 unmap a1", "t1 unmap a1"],
};

pub(super) const FOREIGN_DETACH: Rule = Rule {
    id: RuleId::ForeignDetach,
    class: Class::Violation,
    title: "an attachment was detached from a dma-buf that it is not on",
    text: "An attachment belongs to one dma-buf (R48). From 6.2 the kernel warns and leaves it attached \
           for ever; before, it unlinks it under the wrong lock.",
    serves: &["R48"],
    eras: "all kernels",
    kernel: "dma_buf_detach",
    advice: "the importing driver mixed two buffers up",
    history: &["t1 attach d1 -> a1", "t1 detach d2 a1"],
};

pub(super) const PIN_IMBALANCE: Rule = Rule {
    id: RuleId::PinImbalance,
    class: Class::Violation,
    title: "an attachment's pins do not balance",
    text: "Every dma_buf_pin is undone by one dma_buf_unpin before the detach (R45). One that is left \
           keeps the exporter from moving the buffer for ever; one too many lets it move under the \
           importer.",
    serves: &["L6", "R45", "R48"],
    eras: "from v5.7",
    kernel: "dma_buf_pin, dma_buf_unpin, dma_buf_detach",
    advice: "the importing driver pins on a path that has no dma_buf_unpin, or unpins twice",
    history: &["t1 attach d1 -> a1", "t1 pin a1", "t1 detach a1"],
};

pub(super) const BAD_EXPORT_ARGUMENTS: Rule = Rule {
    id: RuleId::BadExportArguments,
    class: Class::Violation,
    title: "a dma-buf was exported with an incomplete set of operations",
    text: "An exporter gives priv, map, unmap and release, both or neither of pin and unpin, and up to \
           6.15 no caching of mappings together with pin (R40). The kernel warns and refuses.",
    serves: &["R40", "R41"],
    eras: "all kernels; pin and unpin from v5.7",
    kernel: "dma_buf_export",
    advice: "complete the exporter's struct dma_buf_ops",
    history: &["t1 dma_buf_export(ops without map)", "t1 -> EINVAL"],
};

pub(super) const SET_NAME_WHILE_ATTACHED: Rule = Rule {
    id: RuleId::SetNameWhileAttached,
    class: Class::Violation,
    title: "a dma-buf was given a name while devices were attached",
    text: "From 5.3 to 5.16 a name can be set only while nothing is attached, and the kernel answers \
           EBUSY (R52); later kernels allow it at any time.",
    serves: &["R52"],
    eras: "5.3 to 5.16",
    kernel: "dma_buf_ioctl, dma_buf_set_name",
    advice: "a kernel bug: the test and the attachment did not see each other",
    history: &["t1 attach d1 -> a1", "t2 set-name d1"],
};
