//! Which rules hold: the kernel's era and the features that move between eras by backport.
//!
//! Both are detected from the presence of symbols and of BTF types, never from a version number; they travel in the
//! trace header so that a replay judges by the recording kernel's rules.

macro_rules! profiles {
    ($( $(#[$doc:meta])* $variant:ident $name:literal ; )+) => {
        /// A rule era, named by the kernel (or commit) it begins with. Later eras compare greater.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Profile { $( $(#[$doc])* $variant, )+ }

        impl Profile {
            /// Every profile, oldest first.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The name used in options, traces and reports.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $( Self::$variant => $name, )+ } }

            /// The profile with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|p| p.name() == name)
            }
        }
    };
}

profiles! {
    /// First PRIME: cache entries only for imports, raw pointers.
    V3_5 "v3.5";
    /// Exports are cached too, still without references.
    V3_9 "v3.9";
    /// Every cache entry holds a reference on the dma-buf (R6).
    V3_10 "v3.10";
    /// The object's link under `object_name_lock`, the state right after that commit.
    C319c933c "319c933c";
    /// One dma-buf per object; the handle cache is complete (R30).
    V3_12 "v3.12";
    /// Dynamic dma-buf locking (R41).
    V5_5 "v5.5";
    /// Pin and unpin, `move_notify` (R45).
    V5_7 "v5.7";
    /// The unified reservation convention (R46).
    V6_2 "v6.2";
    /// No cached sg tables (R44).
    V6_16 "v6.16";
    /// dma-buf tracepoints; `move_notify` is `invalidate_mappings`.
    V7_0 "v7.0";
}

/// Features that backports carry across eras, as a bit set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

macro_rules! features {
    ($( $(#[$doc:meta])* $bit:literal $konst:ident $name:literal ; )+) => {
        impl Features {
            $( $(#[$doc])* pub const $konst: Self = Self(1 << $bit); )+
            /// Every feature with its name.
            pub const ALL: &'static [(Self, &'static str)] = &[$( (Self::$konst, $name), )+];
        }
    };
}

features! {
    /// A handle becomes visible only when its creation is complete (R13).
    0 PUBLICATION_FIX "publication-fix";
    /// GEM_CHANGE_HANDLE can be reached (R27).
    1 CHANGE_HANDLE "change-handle";
    /// Framebuffers hold handle references (R3).
    2 FB_HANDLE_REFS "fb-handle-refs";
    /// sg tables may be cached on the attachment (R43).
    3 CACHED_SGT "cached-sgt";
    /// A closing handle keeps its number until everything is done (R14).
    4 CLOSE_HOLDS_ID "close-holds-id";
    /// Cache entries are removed by handle (R14).
    5 CACHE_BY_HANDLE "cache-by-handle";
    /// The prime cache is removed with `prime.lock` held by the caller (A.4).
    6 CACHE_LOCKED_BY_CALLER "cache-locked-by-caller";
    /// PREEMPT_RT: reservation locks are rt mutexes.
    7 PREEMPT_RT "preempt-rt";
    /// A dma-buf with attachments cannot be given a name (R52).
    8 SET_NAME_BUSY "set-name-busy";
}

impl Features {
    /// Does this set have all of `other`?
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the features in this set, in table order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(f, _)| self.has(*f)).map(|(_, n)| *n)
    }

    /// The feature with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(f, _)| *f)
    }
}
