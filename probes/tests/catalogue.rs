//! The catalogue as a table: complete, consistent, and documented row by row.

use std::collections::BTreeSet;

use gemscope_common::{Phase, ProbeId};
use gemscope_probes::btf::Proto;
use gemscope_probes::catalogue::{self, ADDRESSES, Emits, ProgramKind, RULES, Row};
use gemscope_probes::explain;
use gemscope_probes::fields::Field;

/// The findings that the engine may report.
const FINDINGS: &[&str] = &[
    "handle-leak",
    "fd-leak",
    "object-leak",
    "dmabuf-leak",
    "attachment-leak",
    "mapping-leak",
    "vmap-leak",
    "prime-cache-leak",
    "flink-name-leak",
    "stale-link",
    "framebuffer-leak",
    "second-dmabuf",
    "second-handle-on-import",
    "released-while-cached",
    "cache-after-close",
    "wrong-cache-entry-removed",
    "use-after-release",
    "dangling-handle",
    "handle-count-mismatch",
    "create-publication-race",
    "handle-reuse-during-close",
    "reservation-not-held",
    "reservation-held",
    "mapping-direction-conflict",
    "unbalanced-mapping",
    "foreign-detach",
    "pin-imbalance",
    "bad-export-arguments",
    "set-name-while-attached",
    "double-close",
    "close-of-reused-handle",
    "unbalanced-import",
    "dumb-destroy-of-import",
    "cpu-access-of-import",
    "lookup-after-install",
    "near-miss-export-close",
    "near-miss-import-close",
    "near-miss-double-export",
    "near-miss-change-close",
];

fn each(check: impl FnMut(&Row)) {
    catalogue::rows().for_each(check);
}

#[test]
fn every_kernel_probe_has_one_row_in_the_order_of_numbers() {
    let rows: Vec<_> = catalogue::rows().map(|r| r.id).collect();
    let kernel: Vec<_> = ProbeId::ALL.iter().copied().filter(|id| !id.is_synthetic()).collect();
    assert_eq!(rows, kernel);
    assert!(Row::of(ProbeId::Settle).is_none());
}

#[test]
fn every_row_says_what_it_is() {
    each(|row| {
        let name = row.id.name();
        assert!(row.captures.len() > 5 && row.blind.len() > 20, "{name} lacks words");
        for text in [row.captures, row.blind, row.caution] {
            assert!(!text.ends_with('.') && !text.starts_with(char::is_whitespace), "{name}: `{text}`");
        }
        assert!(!row.rules.is_empty(), "{name} serves no rule");
    });
}

#[test]
fn rules_and_findings_exist() {
    each(|row| {
        let name = row.id.name();
        assert!(row.rules.iter().all(|r| RULES.contains(r)), "{name}: {:?}", row.rules);
        assert!(row.rules.is_sorted(), "{name}: rules are not sorted");
        for finding in row.findings {
            assert!(FINDINGS.contains(finding), "{name}: no finding is called `{finding}`");
        }
    });
    let served: BTreeSet<_> = catalogue::rows().flat_map(|r| r.findings).collect();
    for finding in FINDINGS {
        assert!(served.contains(finding), "`{finding}` rests on no probe");
    }
}

#[test]
fn programs_are_named_by_the_rule() {
    let mut names = BTreeSet::new();
    each(|row| {
        let base = row.id.name().replace('-', "_");
        for program in row.programs() {
            let suffix = match program.kind {
                ProgramKind::Kprobe => "_e",
                ProgramKind::Kretprobe => "_r",
            };
            assert_eq!(program.name, format!("{base}{suffix}"));
            // The kernel cuts longer names, and then they are no longer told apart in its reports.
            assert!(names.insert(program.name.clone()), "{} is not unique", program.name);
        }
    });
}

#[test]
fn phases_follow_from_what_is_emitted() {
    const BRACKETS: &[ProbeId] = &[
        ProbeId::HandleCreate,
        ProbeId::HandleDelete,
        ProbeId::HandleRelease,
        ProbeId::HandlePut,
        ProbeId::HandleGetIfExists,
        ProbeId::ChangeHandle,
        ProbeId::Flink,
        ProbeId::GemOpen,
        ProbeId::GetFb,
        ProbeId::GetFb2,
        ProbeId::FileClose,
        ProbeId::FbRelease,
        ProbeId::ExportIoctl,
        ProbeId::ExportToFd,
        ProbeId::ExportToDmabuf,
        ProbeId::Import,
        ProbeId::ImportDev,
        ProbeId::ImportNoMap,
        ProbeId::CacheAdd,
        ProbeId::CacheRemove,
        ProbeId::ImportDestroy,
        ProbeId::FbInit,
        ProbeId::FbCleanup,
        ProbeId::BufIoctl,
        ProbeId::BufExport,
        ProbeId::Attach,
        ProbeId::Map,
    ];
    const RETURNS: &[ProbeId] = &[
        ProbeId::FileOpen,
        ProbeId::ObjectLookup,
        ProbeId::BufFd,
        ProbeId::BufGet,
        ProbeId::DriverAccess,
        ProbeId::Pin,
        ProbeId::Vmap,
        ProbeId::FbClose,
        ProbeId::GemMmap,
        ProbeId::BufMmap,
    ];
    each(|row| {
        let expected = match row.id {
            id if BRACKETS.contains(&id) => Emits::Bracket,
            id if RETURNS.contains(&id) => Emits::Return,
            _ => Emits::Point,
        };
        assert_eq!(row.emits, expected, "{}", row.id.name());
        if let Some(stacks) = row.stacks {
            assert!(row.emits.phases().contains(&stacks.at), "{}: no record of that phase", row.id.name());
        }
    });
}

#[test]
fn stacks_are_taken_where_things_are_acquired() {
    let at = |id| Row::of(id).and_then(|r| r.stacks).map(|s| (s.at, s.kernel));
    assert_eq!(at(ProbeId::HandleCreate), Some((Phase::Entry, true)));
    assert_eq!(at(ProbeId::BufExport), Some((Phase::Return, true)));
    assert_eq!(at(ProbeId::HandleDelete), Some((Phase::Entry, false)));
    assert_eq!(at(ProbeId::BufPut), None);
}

#[test]
fn hot_probes_are_the_ones_that_fire_per_use() {
    let hot: Vec<_> = catalogue::rows().filter(|r| r.hot).map(|r| r.id).collect();
    assert_eq!(hot, [ProbeId::ObjectLookup]);
}

#[test]
fn every_function_has_a_symbol_and_a_prototype_that_can_be_read() {
    each(|row| {
        let name = row.id.name();
        assert!(!row.targets.is_empty() && row.targets.iter().all(|t| !t.symbols.is_empty()), "{name}");
        assert!(!row.prototypes.is_empty(), "{name} has no prototype");
        for text in row.prototypes {
            assert!(Proto::from_c(text).is_some(), "{name}: cannot read `{text}`");
        }
    });
    let mut seen = BTreeSet::new();
    for symbol in catalogue::rows().flat_map(Row::symbols) {
        assert!(seen.insert(symbol.name), "`{}` is probed twice", symbol.name);
        assert!(!symbol.module.contains('-') && !symbol.kernels.is_empty(), "`{}`", symbol.name);
    }
}

#[test]
fn globals_are_unique_and_fields_are_used() {
    let mut globals = BTreeSet::new();
    for field in Field::ALL {
        assert!(globals.insert(field.global()) && field.global().starts_with("OFF_"), "{field:?}");
    }
    for address in ADDRESSES {
        assert!(globals.insert(address.global) && address.global.starts_with("ADDR_"));
    }
    let used: BTreeSet<_> = catalogue::rows().flat_map(Row::fields).collect();
    // Read by the filters and by every record, not by one probe.
    let shared = [Field::TaskFlags, Field::BufSize];
    for field in Field::ALL {
        assert!(used.contains(field) || shared.contains(field), "{field:?} is read by no probe");
    }
}

#[test]
fn the_table_and_the_explanations_cover_every_row() {
    let table = explain::table(None);
    assert_eq!(table.lines().count(), catalogue::rows().count());
    each(|row| {
        let e = explain::explain(row);
        assert!(table.contains(e.name) && !e.attach.is_empty() && !e.programs.is_empty());
    });
}
