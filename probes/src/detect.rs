//! Which rules hold on a kernel: its profile and features, from what it has, not from its version number.
//!
//! Distributions carry fixes across versions, so a version says little. The evidence is, by falling preference: a
//! symbol or a struct member that came with the change; a call that a function of drm.ko makes or no longer makes.

use gemscope_common::{Features, Profile};

use crate::btf::Btf;
use crate::fallback::Evidence;
use crate::symbols::Symbols;

/// Whether a feature is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// The evidence at hand does not say.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// A feature, the answer and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The feature.
    pub feature: Features,
    /// Is it there?
    pub answer: Answer,
    /// What says so, in words.
    pub evidence: String,
}

/// What detection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The kernel's symbols.
    pub symbols: &'a Symbols,
    /// Its types.
    pub btf: Option<&'a Btf>,
    /// The code of drm.ko.
    pub code: Option<&'a Evidence>,
    /// The upstream version, `6.1.192`, where it is known.
    pub upstream: Option<(u16, u16, u16)>,
    /// Are DRM's symbols known: is it loaded or built in?
    pub drm: bool,
}

/// Struct members whose presence tells eras apart; fixtures keep them.
pub const TELLING_MEMBERS: &[(&str, &str, &str)] = &[
    ("vmlinux", "dma_buf", "lock"),
    ("vmlinux", "dma_buf_attachment", "sgt"),
    ("vmlinux", "dma_buf_ops", "cache_sgt_mapping"),
    ("vmlinux", "dma_resv", "lock.base"),
    ("vmlinux", "dma_resv", "lock.base.lock"),
    ("vmlinux", "iosys_map", "vaddr"),
];

/// Symbols whose presence tells eras and features apart; fixtures keep them.
pub const TELLING_SYMBOLS: &[&str] = &[
    "__tracepoint_dma_buf_export",
    "__traceiter_dma_buf_export",
    "dma_buf_invalidate_mappings",
    "dma_buf_move_notify",
    "dma_buf_vmap_unlocked",
    "dma_buf_pin",
    "dma_buf_dynamic_attach",
    "dma_resv_iter_first",
    "drm_gem_object_handle_get",
    "drm_gem_object_handle_get_if_exists_unlocked",
    "drm_gem_change_handle_ioctl",
    "drm_prime_remove_buf_handle",
    "drm_prime_remove_buf_handle_locked",
    "drm_show_fdinfo",
];

/// The rule era. Every kernel that can run the probes is at least [`Profile::V3_12`].
#[must_use]
pub fn profile(symbols: &Symbols, btf: Option<&Btf>) -> Profile {
    let tracepoint =
        ["__tracepoint_dma_buf_export", "__traceiter_dma_buf_export"].iter().any(|s| symbols.has(s));
    let has = |ty: &str, member: &str| {
        btf.map(|b| b.has_struct("vmlinux", ty).then(|| b.has_member("vmlinux", ty, member)))
    };
    // Absence counts only where the struct itself is known.
    let lost = |ty: &str, member: &str| has(ty, member).flatten() == Some(false);
    if tracepoint || symbols.has("dma_buf_invalidate_mappings") {
        Profile::V7_0
    } else if lost("dma_buf_attachment", "sgt") && lost("dma_buf_ops", "cache_sgt_mapping") {
        Profile::V6_16
    } else if lost("dma_buf", "lock") || symbols.has("dma_buf_vmap_unlocked") {
        Profile::V6_2
    } else if symbols.has("dma_buf_pin") {
        Profile::V5_7
    } else if symbols.has("dma_buf_dynamic_attach") {
        Profile::V5_5
    } else {
        Profile::V3_12
    }
}

/// Every feature with its answer, in the order of [`Features::ALL`].
#[must_use]
pub fn features(input: Input<'_>) -> Vec<Detected> {
    let detected = |&(feature, _): &(Features, &str)| {
        let (answer, evidence) = answer(feature, input);
        Detected { feature, answer, evidence }
    };
    Features::ALL.iter().map(detected).collect()
}

/// The set of the features that are there for sure.
#[must_use]
pub fn certain(detected: &[Detected]) -> Features {
    let yes = detected.iter().filter(|d| d.answer == Answer::Yes);
    yes.fold(Features::default(), |set, d| set.with(d.feature))
}

fn answer(feature: Features, input: Input<'_>) -> (Answer, String) {
    let Input { symbols, btf, code, upstream: _, drm } = input;
    let unknown = |why: &str| (Answer::Unknown, why.to_owned());
    let symbol = |name: &str| {
        let there = symbols.has(name);
        (Answer::from(there), format!("`{name}` is {}", if there { "a symbol" } else { "not a symbol" }))
    };
    match feature {
        Features::CACHED_SGT => match btf.filter(|b| b.has_struct("vmlinux", "dma_buf_attachment")) {
            None => unknown("needs the kernel's BTF"),
            Some(btf) => {
                let there = btf.has_member("vmlinux", "dma_buf_attachment", "sgt");
                (
                    there.into(),
                    format!("`dma_buf_attachment` has {} member `sgt`", if there { "a" } else { "no" }),
                )
            }
        },
        Features::PREEMPT_RT => preempt_rt(btf),
        Features::SET_NAME_BUSY => set_name_busy(symbols, btf),
        _ if !drm => unknown("DRM is not loaded"),
        Features::PUBLICATION_FIX => publication_fix(input),
        Features::CHANGE_HANDLE => change_handle(symbols, code),
        Features::FB_HANDLE_REFS => symbol("drm_gem_object_handle_get_if_exists_unlocked"),
        Features::CLOSE_HOLDS_ID => {
            match code.and_then(|c| c.refers_to("drm_gem_handle_delete", "idr_replace")) {
                Some(there) => (
                    there.into(),
                    format!(
                        "`drm_gem_handle_delete` {} `idr_replace`",
                        if there { "calls" } else { "does not call" }
                    ),
                ),
                // The change is from 2016; the first BTF is from 2018.
                None if btf.is_some() => {
                    (Answer::Yes, "the kernel has BTF, so it is newer than the change".to_owned())
                }
                None => unknown("needs drm.ko or BTF"),
            }
        }
        Features::CACHE_BY_HANDLE => {
            let by_buffer = symbols.has("drm_prime_remove_buf_handle_locked");
            match symbols.has("drm_prime_remove_buf_handle") {
                true => (Answer::Yes, "`drm_prime_remove_buf_handle` is a symbol".to_owned()),
                false if by_buffer => {
                    (Answer::No, "`drm_prime_remove_buf_handle_locked` is a symbol".to_owned())
                }
                false => unknown("neither function that removes cache entries is a symbol"),
            }
        }
        Features::CACHE_LOCKED_BY_CALLER => {
            // With PREEMPT_RT the function is called by its other name up to 5.14.
            let locks = |c: &Evidence| {
                let by = |name| c.refers_to("drm_prime_remove_buf_handle", name);
                Some(by("mutex_lock")? || by("_mutex_lock")?)
            };
            match code.and_then(locks) {
                Some(locks) => (
                    (!locks).into(),
                    format!(
                        "`drm_prime_remove_buf_handle` {} `mutex_lock`",
                        if locks { "calls" } else { "does not call" }
                    ),
                ),
                // The two came with the same change.
                None => symbol("drm_gem_change_handle_ioctl"),
            }
        }
        _ => unknown("no way to detect it"),
    }
}

/// The locks of a kernel with PREEMPT_RT are rt mutexes; up to 5.14 these lie in a `struct mutex`.
fn preempt_rt(btf: Option<&Btf>) -> (Answer, String) {
    let lock = |path| btf.and_then(|b| b.member_type("vmlinux", "dma_resv", path));
    match (lock("lock.base"), lock("lock.base.lock")) {
        (None, _) => (Answer::Unknown, "needs the kernel's BTF".to_owned()),
        (Some(name), inner) => {
            let name = inner.filter(|inner| inner == "rt_mutex").unwrap_or(name);
            ((name == "rt_mutex").into(), format!("reservation locks are built on `struct {name}`"))
        }
    }
}

/// The check went in 5.17, without a trace. A function of 5.16 and a type of 5.18 tell kernels that are surely newer, and 5.16
/// itself from them no longer: there the rule is not judged.
fn set_name_busy(symbols: &Symbols, btf: Option<&Btf>) -> (Answer, String) {
    let types = btf.filter(|b| b.has_struct("vmlinux", "dma_buf"));
    if symbols.has("dma_resv_iter_first") {
        (Answer::No, "`dma_resv_iter_first` is a symbol: the kernel is 5.16 or newer".to_owned())
    } else if types.is_some_and(|b| b.has_struct("vmlinux", "iosys_map")) {
        (Answer::No, "there is a `struct iosys_map`: the kernel is 5.18 or newer".to_owned())
    } else if types.is_some() && symbols.has("dma_buf_export") {
        (
            Answer::Yes,
            "neither `dma_resv_iter_first` nor `struct iosys_map`: the kernel is older than 5.16".to_owned(),
        )
    } else {
        (Answer::Unknown, "needs the kernel's BTF".to_owned())
    }
}

fn publication_fix(input: Input<'_>) -> (Answer, String) {
    let Input { symbols, code, upstream, .. } = input;
    if symbols.has("drm_gem_object_handle_get") {
        return (Answer::Yes, "`drm_gem_object_handle_get` is a symbol".to_owned());
    }
    if let Some(fixed) = code.and_then(|c| c.refers_to("drm_gem_handle_create_tail", "idr_replace")) {
        let does = if fixed { "calls" } else { "does not call" };
        return (fixed.into(), format!("`drm_gem_handle_create_tail` {does} `idr_replace`"));
    }
    // The one comparison of versions: in 6.1.y the fix came without any symbol.
    match upstream {
        Some((6, 1, patch)) => ((patch >= 146).into(), format!("version `6.1.{patch}`, fixed in `6.1.146`")),
        _ => (Answer::Unknown, "needs drm.ko: the change left no symbol".to_owned()),
    }
}

fn change_handle(symbols: &Symbols, code: Option<&Evidence>) -> (Answer, String) {
    if !symbols.has("drm_gem_change_handle_ioctl") {
        return (Answer::No, "`drm_gem_change_handle_ioctl` is not a symbol".to_owned());
    }
    match code.and_then(|c| c.refers_to("drm_ioctls", "drm_gem_change_handle_ioctl")) {
        Some(true) => {
            (Answer::Yes, "the ioctl table of drm.ko points to `drm_gem_change_handle_ioctl`".to_owned())
        }
        Some(false) => (
            Answer::No,
            "the ioctl table of drm.ko does not point to `drm_gem_change_handle_ioctl`".to_owned(),
        ),
        None => (
            Answer::Unknown,
            "needs drm.ko: later kernels have the function and disable the ioctl".to_owned(),
        ),
    }
}
