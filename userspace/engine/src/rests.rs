//! What a rule rests on: without these probes, or with only a part of what they see, it may cry wolf.

use gemscope_common::ProbeId::{
    self, Attach, BufExport, BufFd, BufFileRelease, BufGet, BufIoctl, BufPut, BufRelease, CacheAdd,
    CacheRemove, ChangeHandle, DestroyDumb, Detach, DriverAccess, Exec, Exit, ExportIoctl, ExportToDmabuf,
    ExportToFd, FbCleanup, FbClose, FbInit, FileClose, FileOpen, Fork, GemClose, GemMmap, GemVmClose,
    GemVmOpen, HandleCreate, HandleDelete, HandleGetIfExists, HandlePut, HandleRelease, Import,
    ImportDestroy, Map, ObjectDriverFree, ObjectFree, ObjectInit, ObjectRelease, Pin, Unmap, Unpin, VmaAllow,
};

use crate::rules::RuleId;

/// Without one of these a finding of the rule may be false: it is told as uncertain then.
///
/// A probe that could only add findings is not here: what its absence hides is a doubt about a clean verdict.
pub(crate) const fn on(rule: RuleId) -> &'static [ProbeId] {
    match rule {
        RuleId::HandleLeak => &[HandleRelease, FileClose, Fork, Exit],
        RuleId::FdLeak => &[ExportIoctl, Fork, Exec, Exit],
        RuleId::ObjectLeak => &[
            ObjectInit,
            ObjectRelease,
            ObjectFree,
            ObjectDriverFree,
            HandleCreate,
            HandleRelease,
            HandlePut,
            HandleGetIfExists,
            ChangeHandle,
            FileClose,
            FbInit,
            FbCleanup,
            GemMmap,
            GemVmOpen,
            GemVmClose,
            BufExport,
            BufRelease,
        ],
        RuleId::DmabufLeak => &[
            BufExport,
            BufPut,
            BufFileRelease,
            BufRelease,
            CacheAdd,
            CacheRemove,
            HandleCreate,
            HandleRelease,
            HandlePut,
            FileClose,
            Import,
            ImportDestroy,
            ObjectInit,
            ObjectRelease,
        ],
        RuleId::AttachmentLeak => &[Attach, Detach, BufFileRelease, ObjectRelease, ImportDestroy],
        RuleId::MappingLeak | RuleId::UnbalancedMapping | RuleId::MappingDirectionConflict => {
            &[Attach, Detach, Map, Unmap]
        }
        RuleId::PinImbalance => &[Attach, Detach, Pin, Unpin],
        // Each shows in one event, by fields that were read.
        RuleId::VmapLeak
        | RuleId::FlinkNameLeak
        | RuleId::ReservationNotHeld
        | RuleId::ReservationHeld
        | RuleId::ForeignDetach
        | RuleId::BadExportArguments => &[],
        RuleId::FramebufferLeak => &[FbInit, FbCleanup, FbClose, FileOpen, FileClose, Exit],
        RuleId::WrongCacheEntryRemoved => &[
            BufExport,
            BufPut,
            BufRelease,
            CacheAdd,
            CacheRemove,
            HandleCreate,
            HandleRelease,
            FileOpen,
            FileClose,
            ChangeHandle,
        ],
        RuleId::HandleCountMismatch => &[
            ObjectInit,
            ObjectRelease,
            HandleCreate,
            HandleRelease,
            HandlePut,
            HandleGetIfExists,
            FbCleanup,
            FileOpen,
            FileClose,
            ChangeHandle,
        ],
        RuleId::CreatePublicationRace => &[HandleCreate, HandleRelease, VmaAllow, ObjectInit, ObjectRelease],
        RuleId::HandleReuseDuringClose => {
            &[HandleCreate, HandleDelete, HandleRelease, FileOpen, FileClose, ChangeHandle]
        }
        RuleId::SetNameWhileAttached => &[Attach, Detach, BufIoctl, BufRelease],
        RuleId::CloseOfReusedHandle | RuleId::UnbalancedImport => {
            &[HandleCreate, HandleDelete, HandleRelease, Import, FileOpen, FileClose, ChangeHandle]
        }
        RuleId::DumbDestroyOfImport => {
            &[DestroyDumb, GemClose, HandleCreate, HandleDelete, HandleRelease, Import, ChangeHandle]
        }
        RuleId::CpuAccessOfImport => &[DriverAccess, HandleCreate, HandleRelease, ChangeHandle],
        RuleId::LookupAfterInstall => &[BufFd, ExportToFd, BufGet, ExportIoctl],
        RuleId::NearMissExportClose
        | RuleId::NearMissImportClose
        | RuleId::NearMissDoubleExport
        | RuleId::NearMissChangeClose => &[],
        RuleId::PrimeCacheLeak => {
            &[BufPut, BufRelease, BufExport, CacheAdd, CacheRemove, HandleCreate, HandleRelease, ChangeHandle]
        }
        RuleId::StaleLink => &[
            BufExport,
            BufPut,
            BufRelease,
            HandleCreate,
            HandleRelease,
            HandlePut,
            HandleGetIfExists,
            FbCleanup,
            ObjectInit,
            ObjectRelease,
            ExportToFd,
            ExportToDmabuf,
        ],
        RuleId::SecondDmabuf => {
            &[BufExport, BufFileRelease, BufRelease, BufPut, HandlePut, ObjectInit, ObjectRelease]
        }
        RuleId::SecondHandleOnImport => &[
            BufExport,
            BufFileRelease,
            BufRelease,
            BufPut,
            CacheAdd,
            CacheRemove,
            HandleCreate,
            HandleRelease,
            Import,
            FileOpen,
            FileClose,
            ChangeHandle,
        ],
        RuleId::ReleasedWhileCached => &[
            BufExport,
            BufFileRelease,
            BufRelease,
            BufPut,
            CacheAdd,
            CacheRemove,
            FileOpen,
            FileClose,
            ChangeHandle,
        ],
        RuleId::CacheAfterClose => {
            &[HandleCreate, HandleRelease, CacheAdd, CacheRemove, FileOpen, FileClose, ChangeHandle]
        }
        RuleId::UseAfterRelease => &[BufExport, BufFileRelease, BufRelease],
        RuleId::DanglingHandle => &[
            ObjectInit,
            ObjectRelease,
            HandleCreate,
            HandleRelease,
            HandlePut,
            FileOpen,
            FileClose,
            ChangeHandle,
        ],
        RuleId::DoubleClose => {
            &[HandleCreate, HandleDelete, HandleRelease, FileOpen, FileClose, ChangeHandle]
        }
    }
}

/// Does one event show it, whatever other threads and devices do? Only that is certain where a filter leaves some of them out.
pub(crate) const fn shown_by_one_event(rule: RuleId) -> bool {
    matches!(
        rule,
        RuleId::HandleLeak
            | RuleId::DoubleClose
            | RuleId::CloseOfReusedHandle
            | RuleId::UnbalancedImport
            | RuleId::DumbDestroyOfImport
            | RuleId::CpuAccessOfImport
            | RuleId::LookupAfterInstall
    )
}
