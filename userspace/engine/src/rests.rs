//! What a rule rests on: without these probes, or with only a part of what they see, it may cry wolf.

use gemscope_common::ProbeId::{
    self, BufExport, BufFileRelease, BufPut, BufRelease, CacheAdd, CacheRemove, ChangeHandle, Exec, Exit,
    ExportIoctl, ExportToDmabuf, ExportToFd, FbCleanup, FbInit, FileClose, FileOpen, Fork, GemMmap,
    GemVmClose, GemVmOpen, HandleCreate, HandleDelete, HandleGetIfExists, HandlePut, HandleRelease, Import,
    ImportDestroy, ObjectDriverFree, ObjectFree, ObjectInit, ObjectRelease,
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
    matches!(rule, RuleId::HandleLeak | RuleId::DoubleClose)
}
