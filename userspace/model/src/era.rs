//! What a profile and its features mean for the model: every place where eras differ has a question here, so that an
//! operation reads as one program.

use gemscope_common::{Features, Profile};

/// What every kernel from 6.16 on has.
const NEW: Features = Features(0)
    .with(Features::CLOSE_HOLDS_ID)
    .with(Features::CACHE_BY_HANDLE)
    .with(Features::PUBLICATION_FIX)
    .with(Features::FB_HANDLE_REFS);

/// Differences that no symbol shows, so that no kernel can be asked for them: they are there to be explored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Quirks(u8);

impl Quirks {
    /// GEM_CHANGE_HANDLE never drops the reference of its look-up: the first 6.18 (B13).
    pub const CHANGE_HANDLE_LEAKS: Self = Self(1);
    /// Both numbers of a moving handle are empty while it moves: what was proposed to mend B13.
    pub const CHANGE_HANDLE_TWO_STAGE: Self = Self(2);
    const ALL: [(Self, &'static str); 2] = [
        (Self::CHANGE_HANDLE_LEAKS, "change-handle-leaks"),
        (Self::CHANGE_HANDLE_TWO_STAGE, "change-handle-two-stage"),
    ];

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The rules of one kernel: a profile and the features that backports move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Era {
    /// The profile.
    pub profile: Profile,
    /// Its features.
    pub features: Features,
    /// What cannot be detected.
    pub quirks: Quirks,
}

impl Era {
    /// A profile as its first release was, without backports.
    #[must_use]
    pub const fn of(profile: Profile) -> Self {
        let none = Features(0);
        let features = match profile {
            Profile::V3_5 | Profile::V3_9 | Profile::V3_10 | Profile::C319c933c | Profile::V3_12 => none,
            Profile::V5_5 | Profile::V5_7 => {
                none.with(Features::CLOSE_HOLDS_ID).with(Features::CACHED_SGT).with(Features::SET_NAME_BUSY)
            }
            Profile::V6_2 => {
                none.with(Features::CLOSE_HOLDS_ID).with(Features::CACHED_SGT).with(Features::CACHE_BY_HANDLE)
            }
            Profile::V6_16 => NEW,
            Profile::V7_0 => NEW.with(Features::CACHE_LOCKED_BY_CALLER).with(Features::CHANGE_HANDLE),
        };
        Self { profile, features, quirks: Quirks(0) }
    }

    /// These rules and a feature more.
    #[must_use]
    pub const fn with(self, feature: Features) -> Self {
        Self { features: self.features.with(feature), ..self }
    }

    /// These rules without a feature.
    #[must_use]
    pub const fn without(self, feature: Features) -> Self {
        Self { features: Features(self.features.0 & !feature.0), ..self }
    }

    /// These rules and a quirk more.
    #[must_use]
    pub const fn quirky(self, quirk: Quirks) -> Self {
        Self { quirks: Quirks(self.quirks.0 | quirk.0), ..self }
    }

    /// Every feature and quirk by name, with these rules as they would be with it and without.
    fn words(self) -> impl Iterator<Item = (&'static str, Self, Self)> {
        let features = Features::ALL.iter().map(move |(f, word)| (*word, self.with(*f), self.without(*f)));
        let quirks = Quirks::ALL.iter().map(move |(q, word)| {
            let without = Self { quirks: Quirks(self.quirks.0 & !q.0), ..self };
            (*word, self.quirky(*q), without)
        });
        features.chain(quirks)
    }

    /// Every word that [`Self::parse`] knows after a sign: features, then what no symbol shows.
    pub fn changes() -> impl Iterator<Item = &'static str> {
        Features::ALL.iter().map(|(_, word)| *word).chain(Quirks::ALL.iter().map(|(_, word)| *word))
    }

    /// The profile's name, with the features that were added to it or taken from it.
    #[must_use]
    pub fn name(self) -> String {
        let plain = Self::of(self.profile);
        let mut name = self.profile.name().to_owned();
        for ((word, with, _), (_, plain_with, _)) in self.words().zip(plain.words()) {
            match (with == self, plain_with == plain) {
                (true, false) => name += &format!("+{word}"),
                (false, true) => name += &format!("-{word}"),
                _ => {}
            }
        }
        name
    }

    /// Rules by name: a profile, then `+feature` and `-feature` in any number.
    ///
    /// # Errors
    /// The word that names no profile or no feature.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A profile's name has neither sign in it.
        let end = text.find(['+', '-']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut era = Self::of(Profile::from_name(name).ok_or_else(|| name.to_owned())?);
        while !rest.is_empty() {
            let add = rest.starts_with('+');
            rest = &rest[1..];
            // Features have a minus in their names: the longest one that fits is meant.
            let fits = era.words().filter(|(word, ..)| {
                rest.strip_prefix(word).is_some_and(|r| r.is_empty() || r.starts_with(['+', '-']))
            });
            let longest = fits.max_by_key(|(word, ..)| word.len());
            let (word, with, without) = longest.ok_or_else(|| rest.to_owned())?;
            era = if add { with } else { without };
            rest = &rest[word.len()..];
        }
        Ok(era)
    }

    const fn has(self, feature: Features) -> bool {
        self.features.has(feature)
    }

    const fn from(self, profile: Profile) -> bool {
        self.profile as u8 >= profile as u8
    }

    /// R5: the link is `obj->dma_buf`, counted, and changes under `object_name_lock`.
    pub(crate) const fn counted_link(self) -> bool {
        self.from(Profile::C319c933c)
    }

    /// R2: all handles of an object together hold one reference.
    pub(crate) const fn one_ref_for_handles(self) -> bool {
        self.from(Profile::C319c933c)
    }

    /// R6: exports are entered into the file's cache, not only imports.
    pub(crate) const fn exports_cached(self) -> bool {
        self.from(Profile::V3_9)
    }

    /// R6: an entry of the cache holds a reference.
    pub(crate) const fn cache_counts(self) -> bool {
        self.from(Profile::V3_10)
    }

    /// R19: the handle is looked up under `prime.lock`, and every path enters the cache under `object_name_lock`.
    pub(crate) const fn complete_cache(self) -> bool {
        self.from(Profile::V3_12)
    }

    /// R33: the cache is two trees; before, a list.
    pub(crate) const fn cache_is_tree(self) -> bool {
        self.from(Profile::V5_5)
    }

    /// R13: a creation that fails late is undone by `drm_gem_handle_delete`, which may want locks that are held.
    pub(crate) const fn create_undone_by_delete(self) -> bool {
        !self.from(Profile::V5_5)
    }

    /// R14: cache entries are removed by handle.
    pub(crate) const fn cache_by_handle(self) -> bool {
        self.has(Features::CACHE_BY_HANDLE)
    }

    /// R14: the caller of the removal holds `prime.lock`.
    pub(crate) const fn cache_locked_by_caller(self) -> bool {
        self.has(Features::CACHE_LOCKED_BY_CALLER)
    }

    /// R14: a closing handle keeps its number to the end.
    pub(crate) const fn close_holds_id(self) -> bool {
        self.has(Features::CLOSE_HOLDS_ID)
    }

    /// R13: a handle can be looked up only when its creation is complete.
    pub(crate) const fn publication_fix(self) -> bool {
        self.has(Features::PUBLICATION_FIX)
    }

    /// R3: framebuffers hold handle counts.
    pub(crate) const fn fb_handle_refs(self) -> bool {
        self.has(Features::FB_HANDLE_REFS)
    }

    /// R43: the core may keep mappings.
    pub(crate) const fn cached_sgt(self) -> bool {
        self.has(Features::CACHED_SGT)
    }

    /// R52: a dma-buf with attachments cannot be named.
    pub(crate) const fn set_name_busy(self) -> bool {
        self.has(Features::SET_NAME_BUSY)
    }

    /// R13: `drm_vma_node_allow` is a part of creating a handle.
    pub(crate) const fn vma_allow(self) -> bool {
        self.from(Profile::V3_12)
    }

    /// R24: destruction is at the end of the directory entry, not of the file.
    pub(crate) const fn dentry_release(self) -> bool {
        self.from(Profile::V5_7)
    }

    /// R19: the export reserves its fd first and installs it last, outside all locks (6.12).
    pub(crate) const fn fd_reserved_first(self) -> bool {
        self.from(Profile::V6_2)
    }

    /// R7: the importer's reference is its own; before, it was the look-up's that the import kept.
    pub(crate) const fn importer_takes_ref(self) -> bool {
        self.from(Profile::V3_10)
    }

    /// R46: mapping needs the reservation lock: of a dynamic importer, or of every one.
    pub(crate) const fn map_needs_lock(self, dynamic: bool) -> bool {
        self.from(Profile::V6_2) || self.from(Profile::V5_5) && dynamic
    }

    /// R21: an import is mapped at once, and unmapped when its object ends.
    pub(crate) const fn import_maps(self) -> bool {
        !self.from(Profile::V6_16)
    }

    /// R46: attach and detach take the reservation lock themselves.
    pub(crate) const fn attach_locks(self) -> bool {
        self.from(Profile::V5_5)
    }

    /// R45, R46: there are `dma_buf_pin` and `dma_buf_unpin`, under the reservation lock.
    pub(crate) const fn pins(self) -> bool {
        self.from(Profile::V5_7)
    }

    /// R46: vmap needs the reservation lock.
    pub(crate) const fn vmap_needs_lock(self) -> bool {
        self.from(Profile::V6_2)
    }

    /// R48: a detach from another dma-buf is refused.
    pub(crate) const fn foreign_detach_refused(self) -> bool {
        self.from(Profile::V6_2)
    }

    /// R16: a name holds no reference, and none is given to an object without handles.
    pub(crate) const fn flink_checks_count(self) -> bool {
        self.from(Profile::C319c933c)
    }

    /// The kernel's own list of dma-bufs can be read.
    pub(crate) const fn lists_bufs(self) -> bool {
        self.from(Profile::V6_16)
    }

    /// R27: GEM_CHANGE_HANDLE can be reached.
    pub(crate) const fn change_handle(self) -> bool {
        self.has(Features::CHANGE_HANDLE)
    }

    /// B13(a): the reference of GEM_CHANGE_HANDLE's look-up is never dropped.
    pub(crate) const fn change_handle_leaks(self) -> bool {
        self.quirks.has(Quirks::CHANGE_HANDLE_LEAKS)
    }

    /// B13(b) mended: both numbers are empty while the handle moves.
    pub(crate) const fn change_handle_two_stage(self) -> bool {
        self.quirks.has(Quirks::CHANGE_HANDLE_TWO_STAGE)
    }

    /// `drm_gem_object_handle_get` is a function of its own, with a probe on it.
    pub(crate) const fn handle_get(self) -> bool {
        self.has(Features::FB_HANDLE_REFS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_was_changed_and_reads_back() {
        for profile in Profile::ALL {
            let era = Era::of(*profile);
            assert_eq!(era.name(), profile.name());
            for (_, with, without) in era.words() {
                for other in [with, without] {
                    assert_eq!(Era::parse(&other.name()), Ok(other));
                }
            }
        }
        assert_eq!(Era::parse("v9"), Err("v9".to_owned()));
        assert_eq!(Era::parse("v6.2+nonsense"), Err("nonsense".to_owned()));
    }
}
