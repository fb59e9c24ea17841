//! Which words are kernel pointers, and the pseudonyms that replace them.
//!
//! A kernel address tells an attacker where the kernel lies, so a trace does not hold any unless it was asked to. A
//! pseudonym keeps what the rules need: equal stays equal, different stays different, 0 stays 0, an `ERR_PTR` stays
//! itself, and the top bit stays set. It is not meant to be undone: the key is random and is not stored.

use std::hash::{BuildHasher, RandomState};

use gemscope_common::{Layout, Phase, ProbeId, Record, err_ptr};

/// The payload words (8 bytes each, from 0) of a layout that hold kernel pointers.
#[must_use]
pub const fn pointer_words(layout: Layout) -> &'static [usize] {
    match layout {
        // file obj dev dma_buf import_attach
        Layout::Gem => &[0, 1, 2, 3, 4],
        // file dev filp; cache_root
        Layout::DrmFile => &[0, 1, 2, 4],
        // file dma_buf; obj dev
        Layout::Prime => &[0, 1, 3, 4],
        Layout::ChangeHandle => &[0],
        // dma_buf; private ops resv
        Layout::BufExport => &[0, 2, 3, 4],
        // dma_buf; private filp
        Layout::Buf => &[0, 2, 3],
        // dma_buf; the ioctl's argument is a user address
        Layout::BufIoctl | Layout::BufAccess => &[0],
        // dma_buf; attach device sgt importer_ops; attached_to cached_sgt
        Layout::Attachment => &[0, 2, 3, 4, 5, 7, 8],
        // fb dev obj[4]
        Layout::Framebuffer => &[0, 1, 2, 3, 4, 5],
        // vma obj dma_buf
        Layout::Mapping => &[0, 1, 2],
        Layout::Process | Layout::Scope | Layout::Settle | Layout::SeenFd | Layout::Missed | Layout::Mark => {
            &[]
        }
    }
}

/// Does the probed function return a kernel pointer (or an `ERR_PTR`, or NULL)?
#[must_use]
pub const fn return_is_pointer(probe: ProbeId) -> bool {
    matches!(
        probe,
        ProbeId::ObjectLookup
            | ProbeId::FileOpen
            | ProbeId::ExportToDmabuf
            | ProbeId::ImportDev
            | ProbeId::ImportNoMap
            | ProbeId::BufExport
            | ProbeId::BufGet
            | ProbeId::Attach
            | ProbeId::Map
    )
}

/// Does the probed function return nothing, so that the register holds whatever was left in it, perhaps an address?
const fn return_is_leftover(probe: ProbeId) -> bool {
    matches!(
        probe,
        ProbeId::ObjectInit
            | ProbeId::ObjectRelease
            | ProbeId::ObjectFree
            | ProbeId::ObjectDriverFree
            | ProbeId::HandlePut
            | ProbeId::HandleGet
            | ProbeId::FileClose
            | ProbeId::PrimeDestroy
            | ProbeId::FbRelease
            | ProbeId::CacheRemove
            | ProbeId::ImportDestroy
            | ProbeId::BufFdInstall
            | ProbeId::BufPut
            | ProbeId::BufRelease
            | ProbeId::BufGemRelease
            | ProbeId::Detach
            | ProbeId::Unmap
            | ProbeId::Unpin
            | ProbeId::Vunmap
            | ProbeId::MoveNotify
            | ProbeId::VmaAllow
            | ProbeId::FbCleanup
            | ProbeId::GemVmOpen
            | ProbeId::GemVmClose
    )
}

const CACHE: usize = 1024;

/// A random permutation of the kernel half of the address space, the same for the whole life of one value.
///
/// Four Feistel rounds keyed by SipHash with the process's random keys; small recent values are remembered because
/// the same few pointers come again and again.
#[derive(Clone)]
pub struct Pseudonyms {
    keys: RandomState,
    recent: Box<[(u64, u64); CACHE]>,
}

impl Default for Pseudonyms {
    fn default() -> Self {
        Self::new()
    }
}

impl Pseudonyms {
    /// A permutation with a fresh random key.
    #[must_use]
    pub fn new() -> Self {
        Self { keys: RandomState::new(), recent: Box::new([(0, 0); CACHE]) }
    }

    /// The pseudonym of a kernel pointer. NULL, `ERR_PTR` values and values below `1 << 63` are returned as they are.
    #[must_use]
    pub fn pointer(&mut self, value: u64) -> u64 {
        if value >> 63 == 0 || err_ptr(value).is_some() {
            return value;
        }
        let slot = (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % CACHE;
        let (known, pseudonym) = self.recent[slot];
        if known == value {
            return pseudonym;
        }
        // A permutation of all 64-bit values, walked until it is back in the range it must permute.
        let mut pseudonym = self.permute(value);
        while pseudonym >> 63 == 0 || err_ptr(pseudonym).is_some() {
            pseudonym = self.permute(pseudonym);
        }
        self.recent[slot] = (value, pseudonym);
        pseudonym
    }

    fn permute(&self, value: u64) -> u64 {
        let (mut left, mut right) = ((value >> 32) as u32, value as u32);
        for round in 0u32..4 {
            (left, right) = (right, left ^ self.keys.hash_one((round, right)) as u32);
        }
        (u64::from(left) << 32) | u64::from(right)
    }

    /// Replaces every kernel pointer of a record. A record of an unknown probe loses its payload and return value,
    /// because nobody knows what in it is an address.
    pub fn record(&mut self, record: &mut Record) {
        let Some(probe) = record.probe() else {
            record.words_mut().fill(0);
            record.header.ret = 0;
            return;
        };
        for &word in pointer_words(probe.layout()) {
            if let Some(word) = record.words_mut().get_mut(word) {
                *word = self.pointer(*word);
            }
        }
        if record.header.phase == Phase::Return as u8
            && (return_is_pointer(probe) || return_is_leftover(probe))
        {
            record.header.ret = self.pointer(record.header.ret as u64) as i64;
        }
    }
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms { .. }")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemscope_common as common;
    use std::collections::HashSet;

    /// A payload whose every pointer field is set to an address, and nothing else.
    macro_rules! with_pointers {
        ($ty:ident { $($field:ident),* }) => {{
            let payload = common::$ty { $( $field: Fill::filled(), )* ..Default::default() };
            let probe = ProbeId::ALL.iter().copied().find(|p| p.layout() == Layout::$ty).unwrap();
            (Layout::$ty, Record::new(probe, Phase::Point, &payload))
        }};
    }

    trait Fill {
        fn filled() -> Self;
    }
    impl Fill for u64 {
        fn filled() -> Self {
            0xffff_8880_1234_5000
        }
    }
    impl<const N: usize> Fill for [u64; N] {
        fn filled() -> Self {
            [u64::filled(); N]
        }
    }

    fn table() -> Vec<(Layout, Record)> {
        vec![
            with_pointers!(Gem { file, obj, dev, dma_buf, import_attach }),
            with_pointers!(DrmFile { file, dev, filp, cache_root }),
            with_pointers!(Prime { file, dma_buf, obj, dev }),
            with_pointers!(ChangeHandle { file }),
            with_pointers!(BufExport { dma_buf, private, ops, resv }),
            with_pointers!(Buf { dma_buf, private, filp }),
            with_pointers!(BufIoctl { dma_buf }),
            with_pointers!(Attachment {
                dma_buf,
                attach,
                device,
                sgt,
                importer_ops,
                attached_to,
                cached_sgt
            }),
            with_pointers!(BufAccess { dma_buf }),
            with_pointers!(Framebuffer { fb, dev, obj }),
            with_pointers!(Mapping { vma, obj, dma_buf }),
            with_pointers!(Process {}),
            with_pointers!(Scope {}),
            with_pointers!(Settle {}),
            with_pointers!(SeenFd {}),
            with_pointers!(Missed {}),
            with_pointers!(Mark {}),
        ]
    }

    #[test]
    fn every_layout_names_its_pointers() {
        let covered: Vec<Layout> = table().into_iter().map(|(layout, _)| layout).collect();
        for &probe in ProbeId::ALL {
            assert!(covered.contains(&probe.layout()), "{} has a layout without a row here", probe.name());
        }
        let mut pseudonyms = Pseudonyms::new();
        for (layout, record) in table() {
            let words: Vec<usize> = (0..10).filter(|&w| record.words()[w] != 0).collect();
            assert_eq!(words, pointer_words(layout), "{layout:?}");
            assert!(pointer_words(layout).iter().all(|w| w * 8 < layout.size()));
            let mut hidden = record;
            pseudonyms.record(&mut hidden);
            for word in 0..10 {
                assert_eq!(
                    record.words()[word] == hidden.words()[word],
                    !words.contains(&word),
                    "{layout:?}"
                );
            }
        }
    }

    #[test]
    fn a_pseudonym_keeps_what_the_rules_need() {
        let mut pseudonyms = Pseudonyms::new();
        for same in [0, 1, u64::MAX, -22i64 as u64, -4095i64 as u64, 0x7fff_ffff_ffff] {
            assert_eq!(pseudonyms.pointer(same), same);
        }
        let mut seen = HashSet::new();
        for i in 0..50_000u64 {
            let pointer = 0xffff_8880_0000_0000 + i * 0x40;
            let pseudonym = pseudonyms.pointer(pointer);
            assert!(pseudonym >= 1 << 63 && err_ptr(pseudonym).is_none() && pseudonym != pointer);
            assert!(seen.insert(pseudonym), "two pointers became one");
        }
        for i in 0..50_000u64 {
            assert!(
                !seen.insert(pseudonyms.pointer(0xffff_8880_0000_0000 + i * 0x40)),
                "one pointer became two"
            );
        }
    }

    #[test]
    fn errors_and_ints_that_are_returned_stay() {
        let mut pseudonyms = Pseudonyms::new();
        let mut record = Record::new(ProbeId::BufExport, Phase::Return, &common::BufExport::default());
        record.header.ret = -12;
        pseudonyms.record(&mut record);
        assert_eq!(record.header.ret, -12);
        record.header.ret = 0xffff_8880_0000_1000u64 as i64;
        pseudonyms.record(&mut record);
        assert_ne!(record.header.ret, 0xffff_8880_0000_1000u64 as i64);
        let mut create = Record::new(ProbeId::HandleCreate, Phase::Return, &common::Gem::default());
        create.header.ret = 0xffff_8880_0000_1000u64 as i64;
        pseudonyms.record(&mut create);
        assert_eq!(create.header.ret, 0xffff_8880_0000_1000u64 as i64, "an int is no pointer");
    }

    #[test]
    fn no_probe_returns_both() {
        for &probe in ProbeId::ALL {
            assert!(!(return_is_pointer(probe) && return_is_leftover(probe)), "{}", probe.name());
        }
    }
}
