//! Five kernels, from their committed extracts: where fields lie, which probes attach, which rules hold.

mod fixture;

use fixture::{Fixture, LINES};
use gemscope_common::{Features, ProbeId, Profile};
use gemscope_probes::btf::minimise::{Wanted, minimise};
use gemscope_probes::btf::{Btf, Proto, WhyNot};
use gemscope_probes::catalogue;
use gemscope_probes::detect::Answer;
use gemscope_probes::explain::{self, Sight};
use gemscope_probes::fallback::Evidence;
use gemscope_probes::fields::{Field, Home};
use gemscope_probes::offsets::{Known, Source};
use gemscope_probes::plan::{GlobalValue, Outcome};
use gemscope_probes::symbols::Symbols;
use gemscope_probes::{KernelFacts, PlanOptions, plan};

const NONE: Option<u32> = None;

/// Byte offsets in the five kernels, oldest first, as their disassembly and their own types show them.
#[rustfmt::skip]
const OFFSETS: &[(Field, [Option<u32>; 5])] = &[
    (Field::GemRefcount,     [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::GemHandleCount,  [Some(4), Some(4), Some(4), Some(4), Some(4)]),
    (Field::GemDev,          [Some(8), Some(8), Some(8), Some(8), Some(8)]),
    (Field::GemSize,         [Some(216), Some(216), Some(216), Some(216), Some(216)]),
    (Field::GemName,         [Some(224), Some(224), Some(224), Some(224), Some(224)]),
    (Field::GemDmaBuf,       [Some(232), Some(232), Some(232), Some(232), Some(232)]),
    (Field::GemImportAttach, [Some(240), Some(240), Some(240), Some(240), Some(240)]),
    (Field::FileMinor,       [Some(56), Some(56), Some(72), Some(72), Some(72)]),
    (Field::FileFilp,        [Some(128), Some(128), Some(144), Some(144), Some(128)]),
    (Field::FileClientId,    [NONE, NONE, Some(40), Some(40), Some(40)]),
    (Field::FilePrime,       [Some(304), Some(304), Some(320), Some(320), Some(288)]),
    (Field::PrimeDmabufs,    [Some(32), Some(32), Some(32), Some(32), Some(24)]),
    (Field::MinorIndex,      [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::MinorType,       [Some(4), Some(4), Some(4), Some(4), Some(4)]),
    (Field::MinorDev,        [Some(16), Some(16), Some(16), Some(16), Some(16)]),
    (Field::DeviceDriver,    [Some(64), Some(48), Some(48), Some(56), Some(56)]),
    (Field::DriverName,      [Some(272), Some(160), Some(152), Some(152), Some(152)]),
    (Field::FbDev,           [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::FbId,            [Some(24), Some(24), Some(24), Some(24), Some(24)]),
    (Field::FbObj,           [Some(168), Some(168), Some(160), Some(160), Some(160)]),
    (Field::FbInternalFlags, [NONE, NONE, Some(140), Some(140), Some(140)]),
    (Field::ExportExpName,   [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::ExportOps,       [Some(16), Some(16), Some(16), Some(16), Some(16)]),
    (Field::ExportSize,      [Some(24), Some(24), Some(24), Some(24), Some(24)]),
    (Field::ExportFlags,     [Some(32), Some(32), Some(32), Some(32), Some(32)]),
    (Field::ExportResv,      [Some(40), Some(40), Some(40), Some(40), Some(40)]),
    (Field::ExportPriv,      [Some(48), Some(48), Some(48), Some(48), Some(48)]),
    (Field::BufSize,         [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::BufFile,         [Some(8), Some(8), Some(8), Some(8), Some(8)]),
    (Field::BufOps,          [Some(32), Some(32), Some(32), Some(32), Some(32)]),
    (Field::BufExpName,      [Some(88), Some(96), Some(64), Some(64), Some(64)]),
    (Field::BufPriv,         [Some(136), Some(144), Some(112), Some(112), Some(112)]),
    (Field::BufResv,         [Some(144), Some(152), Some(120), Some(120), Some(120)]),
    (Field::BufVmapCounter,  [Some(72), Some(72), Some(40), Some(40), Some(40)]),
    (Field::BufOpsMap,       [Some(40), Some(40), Some(40), Some(32), Some(32)]),
    (Field::BufOpsUnmap,     [Some(48), Some(48), Some(48), Some(40), Some(40)]),
    (Field::BufOpsRelease,   [Some(56), Some(56), Some(56), Some(48), Some(48)]),
    (Field::BufOpsPin,       [Some(24), Some(24), Some(24), Some(16), Some(16)]),
    (Field::BufOpsUnpin,     [Some(32), Some(32), Some(32), Some(24), Some(24)]),
    (Field::BufOpsCaches,    [Some(0), Some(0), Some(0), NONE, NONE]),
    (Field::AttachDmabuf,    [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::AttachDev,       [Some(8), Some(8), Some(8), Some(8), Some(8)]),
    (Field::AttachImporterOps, [Some(48), Some(48), Some(48), Some(40), Some(40)]),
    (Field::AttachSgt,       [Some(32), Some(32), Some(32), NONE, NONE]),
    (Field::AttachDirection, [Some(40), Some(40), Some(40), NONE, NONE]),
    (Field::ResvOwner,       [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (Field::MapAddress,      [NONE, Some(0), Some(0), Some(0), Some(0)]),
    (Field::FilePrivateData, [Some(200), Some(200), Some(32), Some(24), Some(24)]),
    (Field::FileInode,       [Some(32), Some(32), Some(40), Some(32), Some(32)]),
    (Field::FileOp,          [Some(40), Some(40), Some(16), Some(8), Some(8)]),
    (Field::FileCount,       [Some(56), Some(56), Some(0), NONE, NONE]),
    (Field::FileRef,         [NONE, NONE, NONE, Some(176), Some(168)]),
    (Field::InodeIno,        [Some(64), Some(64), Some(64), Some(64), Some(64)]),
    (Field::TaskPid,         [Some(2232), Some(2416), Some(2432), Some(2704), Some(2808)]),
    (Field::TaskTgid,        [Some(2236), Some(2420), Some(2436), Some(2708), Some(2812)]),
    (Field::TaskComm,        [Some(2736), Some(2976), Some(2976), Some(3248), Some(3344)]),
    (Field::TaskStack,       [Some(24), Some(32), Some(32), Some(32), Some(32)]),
];

#[test]
fn fields_lie_where_the_kernels_have_them() {
    for (i, line) in LINES.iter().enumerate() {
        let facts = Fixture::load(line).facts();
        for (field, expected) in OFFSETS {
            assert_eq!(
                facts.offsets.get(*field),
                expected[i],
                "{field:?} on {line}: {:?}",
                facts.offsets.known(*field)
            );
        }
    }
}

#[test]
fn every_field_that_a_kernel_lacks_is_known_to_be_absent() {
    for line in LINES {
        for (field, known) in Fixture::load(line).facts().offsets.iter() {
            let expected = OFFSETS.iter().find(|(f, _)| *f == field);
            match known {
                Known::At { .. } => {}
                Known::Not(WhyNot::NoMember(..)) => assert!(expected.is_some(), "{field:?} on {line}"),
                Known::Not(WhyNot::NoStruct(_)) => {
                    assert_eq!((line, field), ("5.10", Field::MapAddress));
                }
                Known::Not(why) => {
                    let unseen = [Field::FileClientId, Field::FbInternalFlags];
                    assert!(line == "5.10" && unseen.contains(&field), "{field:?} on {line}: {why}");
                }
            }
        }
    }
}

#[test]
fn what_the_code_of_drm_shows_agrees_with_the_types() {
    for (i, line) in LINES.iter().enumerate() {
        let fixture = Fixture::load(line);
        for &(field, expected) in OFFSETS.iter().filter(|(f, _)| f.home() == Home::Drm) {
            if let Ok((offset, function)) = fixture.code.offset(field) {
                assert_eq!(Some(offset), expected[i], "{field:?} on {line}, shown by `{function}`");
            }
        }
    }
}

#[test]
fn without_module_types_every_field_is_shown_by_code() {
    let facts = Fixture::load("5.10").facts();
    for &(field, expected) in OFFSETS.iter().filter(|(f, _)| f.home() == Home::Drm) {
        match facts.offsets.known(field) {
            Some(Known::At { offset, source: Source::Code(_) }) => assert_eq!(Some(*offset), expected[0]),
            other => assert_eq!(expected[0], None, "{field:?}: {other:?}"),
        }
    }
}

#[test]
fn without_types_and_without_code_nothing_is_guessed() {
    let fixture = Fixture::load("5.10");
    let symbols = Symbols::from_kallsyms(&fixture.kallsyms).unwrap();
    let facts = KernelFacts::from_parts(symbols, Some(fixture.btf()), None, None, Vec::new());
    for &field in Field::ALL.iter().filter(|f| f.home() == Home::Drm) {
        assert_eq!(facts.offsets.get(field), None, "{field:?}");
    }
    let plan = plan(&facts, &PlanOptions::default());
    let cache = plan.probes.iter().find(|p| p.row.id == ProbeId::CacheAdd).unwrap();
    assert!(cache.degradation().unwrap().contains("no BTF for `drm`"), "{cache:?}");
}

#[test]
fn every_prototype_in_btf_is_the_one_the_programs_were_written_for() {
    let mut checked = 0;
    for line in LINES {
        let fixture = Fixture::load(line);
        let (btf, symbols) = (fixture.btf(), Symbols::from_kallsyms(&fixture.kallsyms).unwrap());
        for row in catalogue::rows() {
            let expected: Vec<_> = row.prototypes.iter().filter_map(|t| Proto::from_c(t)).collect();
            for symbol in row.symbols().flat_map(|s| symbols.lookup(s.name).collect::<Vec<_>>()) {
                for have in btf.prototypes(symbol.module, symbol.name) {
                    let differences: Vec<_> = expected.iter().filter_map(|e| have.difference(e)).collect();
                    assert!(differences.len() < expected.len(), "{} on {line}: {differences:?}", symbol.name);
                    checked += 1;
                }
            }
        }
    }
    // The dma-buf core on all five, DRM on the four whose modules have types.
    assert!(checked > 200, "{checked}");
}

#[test]
fn profiles_and_features() {
    let common = Features::CLOSE_HOLDS_ID.with(Features::CACHE_BY_HANDLE);
    let fb = Features::FB_HANDLE_REFS.with(Features::PUBLICATION_FIX);
    let locked = Features::CACHE_LOCKED_BY_CALLER;
    let expected = [
        (Profile::V5_7, common.with(Features::CACHED_SGT).with(Features::SET_NAME_BUSY)),
        (Profile::V5_7, common.with(Features::CACHED_SGT).with(Features::PUBLICATION_FIX)),
        (Profile::V6_2, common.with(Features::CACHED_SGT).with(fb)),
        (Profile::V6_16, common.with(fb).with(locked).with(Features::CHANGE_HANDLE)),
        (Profile::V7_0, common.with(fb).with(locked)),
    ];
    for (line, (profile, features)) in LINES.iter().zip(expected) {
        let facts = Fixture::load(line).facts();
        assert_eq!(facts.profile, profile, "{line}");
        assert_eq!(
            facts.features.names().collect::<Vec<_>>(),
            features.names().collect::<Vec<_>>(),
            "{line}"
        );
        assert!(facts.detected.iter().all(|d| d.answer != Answer::Unknown), "{line}: {:?}", facts.detected);
    }
}

#[test]
fn without_drm_ko_what_left_no_symbol_is_unknown() {
    for (line, feature) in [
        ("5.10", Features::PUBLICATION_FIX),
        ("6.18", Features::CHANGE_HANDLE),
        ("7.2", Features::CHANGE_HANDLE),
    ] {
        let fixture = Fixture::load(line);
        let symbols = Symbols::from_kallsyms(&fixture.kallsyms).unwrap();
        let facts =
            KernelFacts::from_parts(symbols, Some(fixture.btf()), None, Some(&fixture.version), Vec::new());
        let detected = facts.detected.iter().find(|d| d.feature == feature).unwrap();
        assert_eq!(detected.answer, Answer::Unknown, "{line}: {}", detected.evidence);
        assert!(!facts.features.has(feature));
    }
    // On 6.1 the version may say it.
    let fixture = Fixture::load("6.1");
    let symbols = Symbols::from_kallsyms(&fixture.kallsyms).unwrap();
    let facts =
        KernelFacts::from_parts(symbols, Some(fixture.btf()), None, Some(&fixture.version), Vec::new());
    assert!(facts.features.has(Features::PUBLICATION_FIX));
}

#[test]
fn plans() {
    for line in LINES {
        let plan = plan(&Fixture::load(line).facts(), &PlanOptions { hot: true, ..PlanOptions::default() });
        insta::assert_snapshot!(format!("plan-{line}"), explain::table(Some(&plan)));
    }
}

#[test]
fn all_rules_that_probes_serve_are_seen_on_all_five_kernels() {
    for line in LINES {
        let plan = plan(&Fixture::load(line).facts(), &PlanOptions::default());
        assert_eq!(plan.blinded_rules().into_iter().collect::<Vec<_>>(), rules_of_hot_probes(), "{line}");
        assert!(plan.blinding().all(|row| row.hot), "{line}");
        for coverage in explain::findings(&plan) {
            let expected = match coverage.name.as_str() {
                // No driver with such ioctls is loaded.
                "cpu-access-of-import" => Sight::NotNeeded,
                "near-miss-change-close" if !["6.18", "7.2"].contains(&line) => Sight::NotNeeded,
                _ => Sight::Whole,
            };
            assert_eq!(coverage.sight, expected, "{line}: {coverage:?}");
        }
        let unserved: Vec<_> =
            explain::rules(&plan).into_iter().filter(|c| c.sight == Sight::Unserved).collect();
        let names: Vec<_> = unserved.iter().map(|c| c.name.as_str()).collect();
        // Internal to a driver (R12, R61), or of the poll callback, which is not probed.
        assert_eq!(names, ["R12", "R54", "R61"], "{line}");
    }
}

fn rules_of_hot_probes() -> Vec<u8> {
    let mut rules: Vec<u8> = catalogue::rows().filter(|r| r.hot).flat_map(|r| r.rules).copied().collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn what_the_user_wants() {
    let facts = Fixture::load("6.12").facts();
    let state = |options: &PlanOptions, id| {
        let plan = plan(&facts, options);
        explain::status(plan.probes.iter().find(|p| p.row.id == id).unwrap()).0
    };
    let default = PlanOptions::default();
    assert_eq!(state(&default, ProbeId::ObjectLookup), "off");
    assert_eq!(state(&PlanOptions { hot: true, ..default.clone() }, ProbeId::ObjectLookup), "ok");
    assert_eq!(
        state(&PlanOptions { deny: vec![ProbeId::Attach], ..default.clone() }, ProbeId::Attach),
        // What it would have shown goes unseen.
        "missing"
    );
    let no_lookup = PlanOptions { hot: true, deny: vec![ProbeId::ObjectLookup], ..default.clone() };
    assert_eq!(state(&no_lookup, ProbeId::ObjectLookup), "off");
    let only = PlanOptions { only: Some(vec![ProbeId::ObjectLookup]), ..default };
    assert_eq!((state(&only, ProbeId::ObjectLookup), state(&only, ProbeId::Attach)), ("ok", "off"));
}

#[test]
fn globals_carry_offsets_and_addresses() {
    let facts = Fixture::load("7.2").facts();
    let plan = plan(&facts, &PlanOptions::default());
    let global = |name| plan.globals.iter().find(|g| g.name == name).map(|g| g.value);
    assert_eq!(global("OFF_FILE_PRIME"), Some(GlobalValue::U32(288)));
    assert_eq!(global("OFF_FILP_COUNT"), Some(GlobalValue::U32(u32::MAX)));
    let fops = facts.symbols.lookup("dma_buf_fops").next().unwrap().address;
    assert_eq!(global("ADDR_DMA_BUF_FOPS"), Some(GlobalValue::U64(fops)));
    assert!(matches!(global("ADDR_GEM_DMABUF_RELEASE"), Some(GlobalValue::U64(a)) if a != 0));
}

/// `text` in the place of `from` in the kernel's symbols.
fn with_symbols(line: &str, from: &str, to: &str) -> KernelFacts {
    let mut fixture = Fixture::load(line);
    let text = String::from_utf8(fixture.kallsyms).unwrap();
    assert!(text.contains(from), "no `{from}` in {line}");
    fixture.kallsyms = text.replace(from, to).into_bytes();
    fixture.facts()
}

#[track_caller]
fn missing(facts: &KernelFacts, id: ProbeId, reason: &str) {
    let plan = plan(facts, &PlanOptions::default());
    match &plan.probes.iter().find(|p| p.row.id == id).unwrap().outcome {
        Outcome::Missing { reason: text, blinds: true } => assert!(text.contains(reason), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_missing_with_a_reason() {
    missing(
        &with_symbols("6.12", " T dma_buf_put\n", " T dma_buf_other\n"),
        ProbeId::BufPut,
        "no symbol `dma_buf_put`",
    );
    missing(
        &with_symbols("6.12", " T dma_buf_put\n", " t dma_buf_put.constprop.0\n"),
        ProbeId::BufPut,
        "`dma_buf_put.constprop.0`",
    );
    missing(
        &with_symbols("6.12", " d dma_buf_fops\n", " d other_fops\n"),
        ProbeId::BufFdClose,
        "address of `dma_buf_fops`",
    );
    let twice = " T dma_buf_put\nffffffff8fffffff t dma_buf_put\n";
    missing(&with_symbols("6.12", " T dma_buf_put\n", twice), ProbeId::BufPut, "stands for `2` functions");
}

#[test]
fn functions_that_cannot_be_traced_give_way_to_others() {
    let closes = |functions: &str| {
        let facts = Fixture::load("7.2").facts().with_traceable(functions.as_bytes());
        let plan =
            plan(&facts, &PlanOptions { only: Some(vec![ProbeId::BufFdClose]), ..PlanOptions::default() });
        explain::status(plan.probes.iter().find(|p| p.row.id == ProbeId::BufFdClose).unwrap())
    };
    assert_eq!(closes("dma_buf_put\nfilp_flush\nfilp_close\n").1, "filp_flush");
    assert_eq!(closes("dma_buf_put\nfilp_close\ndrm_gem_release [drm]\n").1, "filp_close");
    let (state, why) = closes("dma_buf_put\n");
    assert_eq!((state, why.as_str()), ("missing", "the kernel does not let `filp_close` be probed"));
    // A list that cannot be right says nothing.
    assert_eq!(closes("").1, "filp_flush");
}

#[test]
fn functions_are_doubtful_where_another_would_do() {
    for line in LINES {
        let facts = Fixture::load(line).facts();
        let want: &[&str] = match line {
            "5.10" | "6.1" => &["taskstats_exit"],
            _ => &["filp_flush", "taskstats_exit"],
        };
        let doubtful: Vec<_> = facts.doubtful().into_iter().collect();
        assert_eq!(doubtful, want, "{line}");
    }
}

#[test]
fn close_is_probed_where_close_goes_through() {
    for (line, symbol) in
        [("5.10", "filp_close"), ("6.1", "filp_close"), ("6.12", "filp_flush"), ("7.2", "filp_flush")]
    {
        let plan = plan(&Fixture::load(line).facts(), &PlanOptions::default());
        let (_, site) = plan.sites().find(|(id, _)| *id == ProbeId::BufFdClose).unwrap();
        assert_eq!(site.symbol, symbol, "{line}");
    }
}

#[test]
fn ioctls_of_drivers_are_probed_in_whatever_module_has_them() {
    let sites = |symbols: &str| {
        let facts = with_symbols("6.12", " T dma_buf_put\n", &format!(" T dma_buf_put\n{symbols}"));
        let plan = plan(&facts, &PlanOptions::default());
        let planned = plan.probes.iter().find(|p| p.row.id == ProbeId::DriverAccess).unwrap();
        let mut sites: Vec<_> = plan
            .sites()
            .filter(|(id, _)| *id == ProbeId::DriverAccess)
            .map(|(_, site)| site.qualified())
            .collect();
        sites.dedup();
        (explain::status(planned).0, sites.join(" "))
    };
    assert_eq!(sites(""), ("not needed", String::new()));
    let test = "ffffffffc1000000 t i915_gem_pread_ioctl\t[gemfault]\nffffffffc1000100 t i915_gem_mmap_ioctl\t[gemfault]\n";
    assert_eq!(sites(test), ("ok", "gemfault:i915_gem_pread_ioctl gemfault:i915_gem_mmap_ioctl".to_owned()));
    // The driver itself comes first.
    let both = format!("{test}ffffffffc2000000 t i915_gem_pread_ioctl\t[i915]\n");
    assert_eq!(sites(&both), ("ok", "i915:i915_gem_pread_ioctl gemfault:i915_gem_mmap_ioctl".to_owned()));
}

#[test]
fn whether_a_name_may_be_set_is_not_told_by_version() {
    let answer = |facts: &KernelFacts| {
        facts.detected.iter().find(|d| d.feature == Features::SET_NAME_BUSY).unwrap().answer
    };
    let without = with_symbols("6.1", " T dma_resv_iter_first\n", " T dma_resv_iter_other\n");
    assert_eq!(answer(&without), Answer::No, "the type says it");
    let symbols = Symbols::from_kallsyms(&Fixture::load("5.10").kallsyms).unwrap();
    let untyped = KernelFacts::from_parts(symbols, None, None, None, Vec::new());
    assert_eq!(answer(&untyped), Answer::Unknown);
}

#[test]
fn the_owner_of_a_reservation_lock_is_found_with_preempt_rt_too() {
    let empty = Symbols::from_kallsyms(b"ffffffff81000000 T a\n").unwrap();
    for (line, offset) in [("5.10-rt", 24), ("6.1-rt", 24), ("6.12-rt", 24)] {
        let btf = Btf::parse(&fixture::types_of(line), &[]).unwrap();
        assert_eq!(btf.field(Field::ResvOwner), Ok(offset), "{line}");
        let facts = KernelFacts::from_parts(empty.clone(), Some(btf), None, None, Vec::new());
        assert!(facts.features.has(Features::PREEMPT_RT), "{line}: {:?}", facts.detected);
    }
    // Its lock is taken by another name there.
    let code = "function drm_prime_remove_buf_handle\nname 1 _mutex_lock\n";
    let fixture = Fixture::load("5.10");
    let symbols = Symbols::from_kallsyms(&fixture.kallsyms).unwrap();
    let facts = KernelFacts::from_parts(symbols, None, Some(&Evidence::from_text(code)), None, Vec::new());
    let detected = facts.detected.iter().find(|d| d.feature == Features::CACHE_LOCKED_BY_CALLER).unwrap();
    assert_eq!(detected.answer, Answer::No);
}

#[test]
fn without_the_owner_of_a_reservation_lock_its_rules_are_blind() {
    let fixture = Fixture::load("6.12");
    let mut wanted = Wanted::default();
    for field in Field::ALL.iter().filter(|f| **f != Field::ResvOwner) {
        let module = if field.home() == Home::Drm { "drm" } else { "vmlinux" };
        wanted.members.push((module.to_owned(), field.type_name().to_owned(), field.path().to_owned()));
    }
    wanted.members.push(("vmlinux".to_owned(), "dma_resv".to_owned(), "lock".to_owned()));
    let small = minimise(&fixture.btf(), &wanted);
    let modules: Vec<_> = small.modules.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let btf = Btf::parse(&small.vmlinux, &modules).unwrap();
    let symbols = Symbols::from_kallsyms(&fixture.kallsyms).unwrap();
    let facts = KernelFacts::from_parts(symbols, Some(btf), Some(&fixture.code), None, Vec::new());
    let plan = plan(&facts, &PlanOptions::default());
    for coverage in explain::findings(&plan) {
        let blind = ["reservation-held", "reservation-not-held"].contains(&coverage.name.as_str());
        assert_eq!(coverage.sight == Sight::Blind, blind, "{coverage:?}");
    }
    let map = plan.probes.iter().find(|p| p.row.id == ProbeId::Map).unwrap();
    assert_eq!(explain::status(map).0, "partly");
    assert!(map.hides("reservation-not-held").unwrap().contains("needs `dma_resv.lock.base.owner`"));
    assert_eq!(map.hides("mapping-leak"), None);
}
