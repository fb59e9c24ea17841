//! The rules that the engine judges by, as one table: name, class, what it means, where it comes from.
//!
//! Everything that is told about a rule (`explain`, reports, documentation) is told from here.

use gemscope_common::{Features, Profile};

mod leaks;
mod misuse;
mod near;
mod violations;

/// What kind of statement a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Something outlived its use.
    Leak,
    /// The kernel broke a rule of its own.
    Violation,
    /// User space used the API against its rules.
    Misuse,
    /// Legal today, but a bug under an older profile or one reordering away: told, never part of a verdict.
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
    ($( $variant:ident $name:literal $module:ident :: $rule:ident ; )+) => {
        /// A rule's stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RuleId { $( #[doc = concat!("`", $name, "`")] $variant, )+ }

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
                match self { $( Self::$variant => &$module::$rule, )+ }
            }

            /// What kind of statement the rule makes.
            #[must_use]
            pub const fn class(self) -> Class { self.rule().class }
        }
    };
}

rules! {
    HandleLeak "handle-leak" leaks::HANDLE_LEAK;
    FdLeak "fd-leak" leaks::FD_LEAK;
    ObjectLeak "object-leak" leaks::OBJECT_LEAK;
    DmabufLeak "dmabuf-leak" leaks::DMABUF_LEAK;
    AttachmentLeak "attachment-leak" leaks::ATTACHMENT_LEAK;
    MappingLeak "mapping-leak" leaks::MAPPING_LEAK;
    VmapLeak "vmap-leak" leaks::VMAP_LEAK;
    PrimeCacheLeak "prime-cache-leak" leaks::PRIME_CACHE_LEAK;
    FlinkNameLeak "flink-name-leak" leaks::FLINK_NAME_LEAK;
    StaleLink "stale-link" leaks::STALE_LINK;
    FramebufferLeak "framebuffer-leak" leaks::FRAMEBUFFER_LEAK;
    SecondDmabuf "second-dmabuf" violations::SECOND_DMABUF;
    SecondHandleOnImport "second-handle-on-import" violations::SECOND_HANDLE_ON_IMPORT;
    ReleasedWhileCached "released-while-cached" violations::RELEASED_WHILE_CACHED;
    CacheAfterClose "cache-after-close" violations::CACHE_AFTER_CLOSE;
    WrongCacheEntryRemoved "wrong-cache-entry-removed" violations::WRONG_CACHE_ENTRY_REMOVED;
    UseAfterRelease "use-after-release" violations::USE_AFTER_RELEASE;
    DanglingHandle "dangling-handle" violations::DANGLING_HANDLE;
    HandleCountMismatch "handle-count-mismatch" violations::HANDLE_COUNT_MISMATCH;
    CreatePublicationRace "create-publication-race" violations::CREATE_PUBLICATION_RACE;
    HandleReuseDuringClose "handle-reuse-during-close" violations::HANDLE_REUSE_DURING_CLOSE;
    ReservationNotHeld "reservation-not-held" violations::RESERVATION_NOT_HELD;
    ReservationHeld "reservation-held" violations::RESERVATION_HELD;
    MappingDirectionConflict "mapping-direction-conflict" violations::MAPPING_DIRECTION_CONFLICT;
    UnbalancedMapping "unbalanced-mapping" violations::UNBALANCED_MAPPING;
    ForeignDetach "foreign-detach" violations::FOREIGN_DETACH;
    PinImbalance "pin-imbalance" violations::PIN_IMBALANCE;
    BadExportArguments "bad-export-arguments" violations::BAD_EXPORT_ARGUMENTS;
    SetNameWhileAttached "set-name-while-attached" violations::SET_NAME_WHILE_ATTACHED;
    DoubleClose "double-close" misuse::DOUBLE_CLOSE;
    CloseOfReusedHandle "close-of-reused-handle" misuse::CLOSE_OF_REUSED_HANDLE;
    UnbalancedImport "unbalanced-import" misuse::UNBALANCED_IMPORT;
    DumbDestroyOfImport "dumb-destroy-of-import" misuse::DUMB_DESTROY_OF_IMPORT;
    CpuAccessOfImport "cpu-access-of-import" misuse::CPU_ACCESS_OF_IMPORT;
    LookupAfterInstall "lookup-after-install" misuse::LOOKUP_AFTER_INSTALL;
    NearMissExportClose "near-miss-export-close" near::NEAR_MISS_EXPORT_CLOSE;
    NearMissImportClose "near-miss-import-close" near::NEAR_MISS_IMPORT_CLOSE;
    NearMissDoubleExport "near-miss-double-export" near::NEAR_MISS_DOUBLE_EXPORT;
    NearMissChangeClose "near-miss-change-close" near::NEAR_MISS_CHANGE_CLOSE;
}

impl RuleId {
    /// Is there something to break on a kernel of this profile and these features?
    #[must_use]
    pub fn applies(self, profile: Profile, features: Features) -> bool {
        match self {
            Self::StaleLink | Self::CacheAfterClose => profile >= Profile::V3_12,
            Self::SecondHandleOnImport | Self::ReleasedWhileCached => profile >= Profile::V3_10,
            Self::ReservationNotHeld | Self::ReservationHeld => profile >= Profile::V5_5,
            Self::PinImbalance => profile >= Profile::V5_7,
            Self::SetNameWhileAttached => features.has(Features::SET_NAME_BUSY),
            Self::NearMissChangeClose => features.has(Features::CHANGE_HANDLE),
            _ => true,
        }
    }
}
