//! The rules that the engine judges by, as one table: name, class, what it means, where it comes from.
//!
//! Everything that is told about a rule (`explain`, reports, documentation) is told from here.

/// What kind of statement a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Something outlived its use.
    Leak,
    /// The kernel broke a rule of its own.
    Violation,
    /// User space used the API against its rules.
    Misuse,
    /// Legal today, but a bug under an older profile, or one reordering away. Never a part of the verdict.
    NearMiss,
}

impl Class {
    /// The word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Violation => "violation",
            Self::Misuse => "misuse",
            Self::NearMiss => "near-miss",
        }
    }
}

/// What is told about a rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The stable name.
    pub id: RuleId,
    /// What kind of statement it makes.
    pub class: Class,
    /// One line: what was found.
    pub title: &'static str,
    /// The rule itself, in a paragraph, with the R-numbers it rests on.
    pub text: &'static str,
    /// Rule numbers and leak or race names.
    pub serves: &'static [&'static str],
    /// From which kernel to which the rule holds.
    pub eras: &'static str,
    /// The kernel functions that embody it.
    pub kernel: &'static str,
    /// Who is usually to blame, and what to do.
    pub advice: &'static str,
    /// A minimal history that breaks it.
    pub history: &'static [&'static str],
}

macro_rules! rules {
    ($( $variant:ident $name:literal $class:ident {
        title: $title:literal, text: $text:literal, serves: $serves:expr, eras: $eras:literal, kernel: $kernel:literal,
        advice: $advice:literal, history: $history:expr,
    } )+) => {
        /// A rule's stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RuleId { $( #[doc = $title] $variant, )+ }

        impl RuleId {
            /// Every rule, in table order.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The stable name used in reports, options and suppressions.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $( Self::$variant => $name, )+ } }

            /// The rule with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|r| r.name() == name)
            }

            /// Everything that is told about the rule.
            #[must_use]
            pub const fn rule(self) -> &'static Rule {
                match self { $( Self::$variant => &Rule {
                    id: Self::$variant, class: Class::$class, title: $title, text: $text, serves: $serves,
                    eras: $eras, kernel: $kernel, advice: $advice, history: $history,
                }, )+ }
            }

            /// What kind of statement the rule makes.
            #[must_use]
            pub const fn class(self) -> Class { self.rule().class }
        }
    };
}

rules! {
    HandleLeak "handle-leak" Leak {
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
    }
    FdLeak "fd-leak" Leak {
        title: "a dma-buf fd was still open when its process exited",
        text: "A dma-buf fd is a file reference on the buffer (R10). A program that exports or receives one and never \
               closes it keeps the buffer as long as it runs. A copy inherited over fork is not blamed on the child. \
               Fds left by a fatal signal are noted, not judged.",
        serves: &["L2", "R10"],
        eras: "all kernels",
        kernel: "filp_close, from close_files at exit",
        advice: "close the fd after the last import or after sending it; O_CLOEXEC does not help against this",
        history: &["t1 create f1 h1 o1", "t1 export f1 h1 -> d1", "t1 close f1 h1", "p1 exit 0"],
    }
    ObjectLeak "object-leak" Leak {
        title: "a GEM object outlived every reference that can be named",
        text: "When the last handle is gone, no exported dma-buf lives, no framebuffer shows it and nothing maps it, \
               the object must be freed (R25). One that is not has lost a reference inside the kernel.",
        serves: &["L3", "R1", "R25"],
        eras: "all kernels",
        kernel: "drm_gem_object_free, drm_gem_object_release",
        advice: "a kernel driver took a reference and never put it; the last event below tells which path to read",
        history: &["t1 create f1 h1 o1", "t1 close f1 h1", "(no death of o1)"],
    }
    DmabufLeak "dmabuf-leak" Leak {
        title: "a dma-buf outlived every reference that can be named",
        text: "No process has an fd or a mapping of it, no PRIME cache entry, no link from its object and no importer \
               holds it, yet its file was not released (R24). A reference was lost inside the kernel.",
        serves: &["L4", "R24"],
        eras: "all kernels",
        kernel: "dma_buf_file_release, dma_buf_put",
        advice: "look for a dma_buf_get or get_dma_buf without its dma_buf_put in the importing driver",
        history: &["t1 export f1 h1 -> d1", "t1 close-fd d1", "t1 close f1 h1", "(no release of d1)"],
    }
    PrimeCacheLeak "prime-cache-leak" Leak {
        title: "a PRIME cache entry outlived its handle",
        text: "Every (handle, dma-buf) entry of a file's PRIME cache goes with its handle (R6, R14, R32). One that \
               stays pins the dma-buf until the file closes, and the kernel warns there.",
        serves: &["L8", "R6", "R32", "B1", "B6", "B8"],
        eras: "all kernels; from v3.10 the entry holds a reference",
        kernel: "drm_prime_remove_buf_handle, drm_prime_destroy_file_private",
        advice: "a kernel bug in the close path: report it with this history",
        history: &["t1 export f1 h1 -> d1", "t1 close f1 h1 (entry stays)"],
    }
    StaleLink "stale-link" Leak {
        title: "an object kept its link to a dma-buf beyond its last handle",
        text: "obj->dma_buf is a counted link that lives exactly from the first export or import to the drop of the \
               last handle count (R5, R15). It must be NULL when the object dies.",
        serves: &["L10", "R5", "R15", "R25"],
        eras: "from v3.12",
        kernel: "drm_gem_object_handle_put_unlocked, drm_gem_object_release",
        advice: "a kernel bug in the close path, or a driver that writes obj->dma_buf itself",
        history: &["t1 export f1 h1 -> d1", "t1 close f1 h1 (link stays)"],
    }
    SecondDmabuf "second-dmabuf" Violation {
        title: "an object was exported again while its dma-buf was still linked",
        text: "A native object has at most one dma-buf at a time: the link is set under object_name_lock before anyone \
               else can export (R30). Two of them alias one memory under two reservation locks.",
        serves: &["R30", "B5"],
        eras: "from v3.12; before it the race itself was open",
        kernel: "drm_gem_prime_handle_to_dmabuf, export_and_register_object",
        advice: "a kernel bug: two exports did not see each other",
        history: &["t1 export f1 h1 -> d1", "t2 export f2 h2 -> d2 (same object)"],
    }
    SecondHandleOnImport "second-handle-on-import" Violation {
        title: "an import made a second handle for a buffer the file already had",
        text: "Importing a dma-buf that the file already has a cached handle for must return that handle (R31), or \
               user space cannot tell that both are the same memory.",
        serves: &["R31", "B6"],
        eras: "from v3.10",
        kernel: "drm_gem_prime_fd_to_handle",
        advice: "a kernel bug in the import path's cache look-up",
        history: &["t1 import f1 d1 -> h1", "t1 import f1 d1 -> h2"],
    }
    ReleasedWhileCached "released-while-cached" Violation {
        title: "a dma-buf was released while a PRIME cache entry still pointed at it",
        text: "From v3.10 each cache entry holds a file reference (R6), so the last reference cannot go while an entry \
               exists (R24). A release with one means a dangling pointer in the cache.",
        serves: &["R24", "R6", "B1"],
        eras: "a violation from v3.10; before it the known six-step leak",
        kernel: "dma_buf_file_release, drm_prime_add_buf_handle",
        advice: "a dma_buf_put too many, by the kernel code in the history",
        history: &["t1 export f1 h1 -> d1", "(d1 released with the entry f1/h1 in place)"],
    }
    CacheAfterClose "cache-after-close" Violation {
        title: "a PRIME cache entry was made for a handle that was already closed",
        text: "An entry for a handle must be made before the handle's own removal from the cache (R14, R19): later \
               nobody removes it until the file closes.",
        serves: &["B6", "R14", "R19"],
        eras: "from v3.12; open in the state right after 319c933c",
        kernel: "drm_prime_add_buf_handle, drm_prime_remove_buf_handle",
        advice: "a kernel bug: the export looked the handle up outside prime.lock",
        history: &["t1 export f1 h1 (begins)", "t2 close f1 h1", "t1 cache-add f1 h1 d1"],
    }
    UseAfterRelease "use-after-release" Violation {
        title: "a dma-buf was used after its last file reference was gone",
        text: "Once dma_buf_file_release has begun no reference may exist, so no attach, detach, put, cache entry or \
               import of that buffer can be right (R24, R11).",
        serves: &["B7", "B19", "R24", "R11"],
        eras: "all kernels",
        kernel: "dma_buf_file_release",
        advice: "the user named below works on freed memory: find where it lost its reference",
        history: &["(d1 released)", "t1 attach d1"],
    }
    DanglingHandle "dangling-handle" Violation {
        title: "an object was freed while a handle still named it",
        text: "The handles of an object together hold one reference (R2), so it cannot die before the last handle is \
               closed (R14, R15). A handle on a dead object is a use after free waiting for its ioctl.",
        serves: &["R2", "R14", "R15", "R27", "B13"],
        eras: "all kernels",
        kernel: "drm_gem_object_release, drm_gem_object_handle_put_unlocked",
        advice: "a handle count or reference was dropped twice: the closes of this object below tell where",
        history: &["t1 create f1 h1 o1", "(o1 dies with h1 open)"],
    }
    DoubleClose "double-close" Misuse {
        title: "a handle was closed that had been closed before",
        text: "The kernel answers EINVAL, so this one did no harm; but between the two closes the number may be given \
               out again, and then somebody else's buffer is closed. Handles of imports are returned again by a \
               second import and must be counted by user space (R31).",
        serves: &["R14", "R31"],
        eras: "all kernels",
        kernel: "drm_gem_handle_delete",
        advice: "count imports per handle in user space and close on the last; clear the handle after closing it",
        history: &["t1 create f1 h1 o1", "t1 close f1 h1", "t1 close f1 h1 -> EINVAL"],
    }
}
