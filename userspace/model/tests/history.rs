//! The model against history: each bug of the kernel is there from the era that brought it to the one that mended it,
//! and proven absent elsewhere, by every interleaving of the scenario that is made for it.

use std::collections::BTreeSet;

use gemscope_common::{Features, Profile};
use gemscope_model::{Alone, BUILTIN, Era, Limits, Outcome, Quirks, Scenario, Wrong, builtin, explore};

fn walk(scenario: &Scenario, era: Era) -> Outcome {
    let outcome = explore(&scenario.machine(era, false), &Limits::default(), &Alone, &mut |_| {});
    assert!(outcome.exhausted, "{} under {}", scenario.name, era.name());
    outcome
}

/// What can go wrong by the kernel's own doing.
fn wrongs(scenario: &str, era: Era) -> BTreeSet<&'static str> {
    let scenario = builtin(scenario).unwrap_or_else(|| panic!("there is no scenario `{scenario}`"));
    let found = walk(&scenario, era).found;
    found.iter().map(|f| f.fact.wrong()).filter(|w| !w.is_misuse()).map(Wrong::name).collect()
}

/// The profiles, as their first releases were, under which something goes wrong.
fn bad_in(scenario: &str) -> Vec<&'static str> {
    let bad = |p: &&Profile| !wrongs(scenario, Era::of(**p)).is_empty();
    Profile::ALL.iter().filter(bad).map(|p| p.name()).collect()
}

fn between(first: Profile, last: Profile) -> Vec<&'static str> {
    let within = |p: &&Profile| (first as u8..=last as u8).contains(&(**p as u8));
    Profile::ALL.iter().filter(within).map(|p| p.name()).collect()
}

/// The six steps of the message that introduced the cache's references.
#[test]
fn b1_an_entry_without_a_reference_outlives_its_dmabuf() {
    assert_eq!(bad_in("six-step-sharing"), ["v3.9"]);
    let wrong = wrongs("six-step-sharing", Era::of(Profile::V3_9));
    assert!(wrong.contains(Wrong::ReleasedWhileCached.name()), "{wrong:?}");
}

#[test]
fn b2_a_failing_cache_loses_the_new_dmabuf() {
    assert_eq!(bad_in("export-add-failure"), between(Profile::V3_9, Profile::V3_10));
}

#[test]
fn b4_an_export_meets_the_close_of_its_handle() {
    let bad = bad_in("export-vs-close");
    for profile in Profile::ALL {
        let expected = (*profile as u8) < Profile::V3_12 as u8 && *profile != Profile::V3_5;
        assert_eq!(bad.contains(&profile.name()), expected, "{}: {bad:?}", profile.name());
    }
}

#[test]
fn b5_two_exports_make_two_dmabufs() {
    assert_eq!(bad_in("double-export"), between(Profile::V3_5, Profile::V3_10));
    for profile in [Profile::V3_5, Profile::V3_9, Profile::V3_10] {
        let wrong = wrongs("double-export", Era::of(profile));
        assert!(wrong.contains(Wrong::SecondBuf.name()), "{}: {wrong:?}", profile.name());
    }
}

#[test]
fn b6_an_entry_for_a_handle_that_is_gone() {
    for scenario in ["export-vs-close", "cache-vs-close"] {
        let wrong = wrongs(scenario, Era::of(Profile::C319c933c));
        assert!(wrong.contains(Wrong::CacheNotEmpty.name()), "{scenario}: {wrong:?}");
        for profile in Profile::ALL.iter().filter(|p| **p as u8 >= Profile::V3_12 as u8) {
            let wrong = wrongs(scenario, Era::of(*profile));
            assert!(wrong.is_empty(), "{scenario} under {}: {wrong:?}", profile.name());
        }
    }
}

#[test]
fn b7_a_link_to_a_dmabuf_that_is_being_released() {
    assert_eq!(bad_in("release-vs-import"), between(Profile::V3_5, Profile::V3_10));
}

#[test]
fn b8_a_close_removes_the_entry_of_another_handle() {
    let bad = bad_in("two-handles-one-file");
    assert!(bad.contains(&"v3.12") && bad.contains(&"v5.7"), "{bad:?}");
    for profile in [Profile::V5_5, Profile::V5_7] {
        let mended = Era::of(profile).with(Features::CACHE_BY_HANDLE);
        assert_eq!(wrongs("two-handles-one-file", mended), BTreeSet::new(), "{}", mended.name());
    }
    for profile in Profile::ALL.iter().filter(|p| **p as u8 >= Profile::V6_2 as u8) {
        assert!(!bad.contains(&profile.name()), "{bad:?}");
        let unmended = Era::of(*profile).without(Features::CACHE_BY_HANDLE);
        let wrong = wrongs("two-handles-one-file", unmended);
        assert!(wrong.contains(Wrong::WrongEntry.name()), "{}: {wrong:?}", unmended.name());
    }
}

#[test]
fn b9_a_handle_closes_before_it_is_made() {
    assert_eq!(bad_in("create-vs-close"), between(Profile::V3_5, Profile::V6_2));
    for profile in Profile::ALL {
        let mended = Era::of(*profile).with(Features::PUBLICATION_FIX);
        assert_eq!(wrongs("create-vs-close", mended), BTreeSet::new(), "{}", mended.name());
    }
}

#[test]
fn b10_a_number_is_free_before_its_close_is_done() {
    assert_eq!(bad_in("close-vs-create"), between(Profile::V3_5, Profile::V3_12));
    let mended = Era::of(Profile::V3_12).with(Features::CLOSE_HOLDS_ID);
    assert_eq!(wrongs("close-vs-create", mended), BTreeSet::new());
}

#[test]
fn b13_a_handle_that_moves_is_there_twice() {
    for profile in Profile::ALL {
        let era = Era::of(*profile);
        assert_eq!(wrongs("change-handle-vs-close", era.without(Features::CHANGE_HANDLE)), BTreeSet::new());
    }
    let first = Era::of(Profile::V6_16).with(Features::CACHE_LOCKED_BY_CALLER).with(Features::CHANGE_HANDLE);
    for era in [first, Era::of(Profile::V7_0)] {
        let wrong = wrongs("change-handle-vs-close", era);
        assert!(wrong.contains(Wrong::CountUnderflow.name()), "{}: {wrong:?}", era.name());
        let mended = era.quirky(Quirks::CHANGE_HANDLE_TWO_STAGE);
        assert_eq!(wrongs("change-handle-vs-close", mended), BTreeSet::new(), "{}", mended.name());
        // Alone it moves well, but for the reference that the first ones lost.
        assert_eq!(wrongs("change-handle", era), BTreeSet::new(), "{}", era.name());
        let leaky = era.quirky(Quirks::CHANGE_HANDLE_LEAKS);
        let wrong = wrongs("change-handle", leaky);
        assert!(wrong.contains(Wrong::LostObject.name()), "{}: {wrong:?}", leaky.name());
    }
}

/// The newest kernels, with what no longer can be reached shut off: nothing goes wrong in any scenario but by the user's
/// or a driver's own doing.
#[test]
fn whatever_is_mended_stays_mended() {
    let newest = Era::of(Profile::V7_0).without(Features::CHANGE_HANDLE);
    let by_driver = ["device-", "mappings", "access-of-import"];
    for (name, text) in BUILTIN.iter().filter(|(name, _)| !by_driver.iter().any(|d| name.starts_with(d))) {
        let scenario = Scenario::parse(text).unwrap_or_else(|e| panic!("`{name}`: {e}"));
        let found = walk(&scenario, newest).found;
        let bad: Vec<_> = found.iter().map(|f| f.fact.wrong()).filter(|w| !w.is_misuse()).collect();
        assert!(bad.is_empty(), "{name}: {bad:?}");
    }
}
