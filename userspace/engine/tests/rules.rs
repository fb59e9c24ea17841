//! Every rule with a history that keeps it and one that breaks it.

mod history;

use gemscope_common::{Features, Profile, ops};
use gemscope_engine::{Config, Engine, Verdict};
use history::Script;

/// Runs a history in the scope of process 10 and compares the ordered list of findings and the verdict.
#[track_caller]
fn check(text: &str, expect: &str) {
    check_on(Config::default(), text, expect);
}

/// The same on another kernel. Near misses stand behind the verdict.
#[track_caller]
fn check_on(config: Config, text: &str, expect: &str) {
    let script = Script::run(&format!("t1 scope 10; t1 open f1; t1 open f2; {text}"));
    let mut engine = Engine::new(config);
    for record in &script.records {
        engine.ingest(record);
    }
    engine.finish();
    let mut said: Vec<String> = engine
        .findings()
        .iter()
        .map(|f| {
            let many = if f.count > 1 { format!(" x{}", f.count) } else { String::new() };
            format!("{}{}{}", if f.tainted { "?" } else { "" }, f.rule.name(), many)
        })
        .collect();
    said.push(match engine.verdict() {
        Verdict::Clean => "clean".to_owned(),
        Verdict::Findings => "findings".to_owned(),
        Verdict::Undecided(_) => "undecided".to_owned(),
    });
    said.extend(engine.near_misses().iter().map(|f| format!("({})", f.rule.name())));
    assert_eq!(said.join(" "), expect, "{:#?}", engine.findings());
}

#[test]
fn right_histories_are_clean() {
    check("t1 create f1 h1 o1; t1 close f1 h1; t1 close-file f1; t1 exit 0; t1 settle", "clean");
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close-fd d1; t1 close f1 h1; t1 settle", "clean");
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 close-fd d1; t1 settle", "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 reimport f1 d1 h1; t1 close f1 h1; t1 close-fd d1; t1 settle",
        "clean",
    );
}

#[test]
fn sharing_between_files_is_clean() {
    let share = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o1";
    check(&format!("{share}; t1 close f1 h1; t1 close f2 h1; t1 close-fd d1; t1 settle"), "clean");
    check(&format!("{share}; t1 close-fd d1; t1 close f1 h1; t1 close f2 h1; t1 settle"), "clean");
}

#[test]
fn six_steps_between_devices_are_clean() {
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o2 foreign; t1 close-fd d1; t1 close f2 h1; \
         t1 close f1 h1; t1 close-file f1; t1 close-file f2; t1 settle",
        "clean",
    );
}

#[test]
fn reimport_after_the_last_handle_links_again() {
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 import f1 d1 h1 o1; t1 close f1 h1; \
         t1 close-fd d1; t1 settle",
        "clean",
    );
}

#[test]
fn handle_leak() {
    check("t1 create f1 h1 o1; t1 close f1 h1; t1 close-file f1; t1 exit 0; t1 settle", "clean");
    check("t1 create f1 h1 o1; t1 close-file f1; t1 exit 0; t1 settle", "handle-leak findings");
    check("t1 create f1 h1 o1; t1 create f1 h2 o2; t1 close-file f1; t1 settle", "handle-leak x2 findings");
}

#[test]
fn handles_left_by_a_fatal_signal_are_not_judged() {
    check("t1 create f1 h1 o1; t1 exit 9; t1 close-file f1; t1 settle", "clean");
}

#[test]
fn other_processes_are_not_judged() {
    check("t2 create f1 h1 o1; t2 close-file f1; t2 settle", "clean");
    check("t1 fork 20; t2 create f1 h1 o1; t2 close-file f1; t2 exit 0; t1 settle", "handle-leak findings");
}

#[test]
fn fd_leak() {
    let open = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1";
    check(&format!("{open}; t1 exit 0; t1 exit-fd d1; t1 settle"), "fd-leak findings");
    check(&format!("{open}; t1 exit 9; t1 exit-fd d1; t1 settle"), "clean");
}

#[test]
fn an_inherited_fd_is_not_the_childs_leak() {
    let fork =
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 fork 20; t2 exit 0; t2 exit-fd d1";
    check(&format!("{fork}; t1 close f1 h1; t1 close-fd d1; t1 settle"), "clean");
    // Received later by other means: the child's own.
    check(
        "t1 fork 20; t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t2 exit 0; t2 exit-fd d1; \
         t1 close f1 h1; t1 close-fd d1; t1 settle",
        "fd-leak findings",
    );
}

#[test]
fn object_leak() {
    check("t1 create f1 h1 o1; t1 close f1 h1; t1 settle", "clean");
    check("t1 create f1 h1 o1; t1 close f1 h1 !death; t1 settle", "object-leak findings");
}

#[test]
fn dmabuf_leak() {
    let lost = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close f1 h1; t1 close-fd d1";
    check(&format!("{lost}; t1 settle"), "dmabuf-leak findings");
    check(&format!("{lost}; t1 seen d1; t1 settle"), "clean");
}

#[test]
fn prime_cache_leak() {
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close-fd d1; t1 close f1 h1; t1 close-file f1; t1 settle",
        "clean",
    );
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close-fd d1; t1 close f1 h1 !cache; t1 settle",
        "prime-cache-leak findings",
    );
}

#[test]
fn stale_link() {
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close-fd d1; t1 close f1 h1; t1 settle", "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close-fd d1; t1 close f1 h1 !link",
        "stale-link findings",
    );
}

#[test]
fn second_dmabuf() {
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 export f1 h1 d1; t1 close f1 h1", "clean");
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 export f1 h1 d2 second", "second-dmabuf findings");
}

#[test]
fn second_handle_on_import() {
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 reimport f1 d1 h1; t1 import f2 d1 h1 o1", "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f1 d1 h2 o1",
        "second-handle-on-import findings",
    );
}

#[test]
fn released_while_cached() {
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 close-fd d1", "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 raw-release d1",
        "stale-link released-while-cached findings",
    );
}

#[test]
fn cache_after_close() {
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 create f1 h1 o2; t1 export f1 h1 d2",
        "clean",
    );
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 raw-cache-add f1 h1 d1",
        "cache-after-close findings",
    );
}

#[test]
fn use_after_release() {
    let dead = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 close-fd d1";
    check(&format!("{dead}; t1 raw-attach d1"), "use-after-release findings");
    // The address is a new buffer's.
    check(&format!("{dead}; t1 create f1 h1 o2; t1 export f1 h1 d1; t1 raw-attach d1"), "clean");
}

#[test]
fn dangling_handle() {
    check("t1 create f1 h1 o1; t1 close f1 h1", "clean");
    check("t1 create f1 h1 o1; t1 raw-die o1", "dangling-handle findings");
}

#[test]
fn double_close() {
    check("t1 create f1 h1 o1; t1 close f1 h1; t1 close f1 h1; t1 settle", "double-close findings");
    // Never opened: a guess, not a double close.
    check("t1 close f1 h7; t1 settle", "clean");
}

#[test]
fn loss_makes_findings_undecided() {
    check("t1 create f1 h1 o1; t1 lose 3; t1 close-file f1; t1 exit 0; t1 settle", "?handle-leak undecided");
    check("t1 lose 3; t1 settle", "undecided");
    // The thread's open calls are not known yet when the handle is made.
    check("t1 lose 3; t1 create f1 h2 o2; t1 close-file f1; t1 settle", "?handle-leak undecided");
    // After its next outermost call the thread is known again, and so is what it makes.
    check(
        "t1 create f1 h1 o1; t1 lose 3; t1 export f1 h1 d1; t1 create f1 h2 o2; t1 close f1 h1; t1 close-fd d1; \
         t1 close-file f1; t1 settle",
        "handle-leak findings",
    );
}

/// A dma-buf with a device on it.
const ATTACHED: &str = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 attach d1 a1";
/// Everything is given back.
const LET_GO: &str = "t1 close f1 h1; t1 close-fd d1; t1 settle";

#[test]
fn attachment_leak() {
    check(&format!("{ATTACHED}; t1 detach d1 a1; {LET_GO}"), "clean");
    check(&format!("{ATTACHED}; {LET_GO}"), "attachment-leak findings");
    // With its reference kept as well it is one mistake, not two.
    check(&format!("{ATTACHED}; t1 extra-ref d1; {LET_GO}"), "attachment-leak findings");
}

#[test]
fn mapping_leak() {
    check(&format!("{ATTACHED}; t1 map a1 1 s1; t1 unmap a1 1 s1; t1 detach d1 a1; {LET_GO}"), "clean");
    check(&format!("{ATTACHED}; t1 map a1 1 s1; t1 detach d1 a1; {LET_GO}"), "mapping-leak findings");
}

#[test]
fn vmap_leak() {
    let buf = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 vmap d1";
    check(&format!("{buf}; t1 vunmap d1; {LET_GO}"), "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 vmap d1; t1 close f1 h1; t1 raw-release-vmapped d1",
        "vmap-leak findings",
    );
}

#[test]
fn flink_name_leak() {
    check("t1 create f1 h1 o1; t1 close f1 h1", "clean");
    check(
        "t1 create f1 h1 o1; t1 create f1 h2 o2; t1 name-object o1; t1 close f1 h1; t1 close f1 h2",
        "flink-name-leak findings",
    );
}

#[test]
fn framebuffer_leak() {
    let end = "t1 close f1 h1; t1 close-file f1; t1 close-file f2; t1 exit 0; t1 settle";
    check(&format!("t1 create f1 h1 o1; t1 add-fb b1 o1; t1 remove-fb b1 o1; {end}"), "clean");
    // Left on screen on purpose.
    let shown = "t1 create f1 h1 o1; t1 add-fb b1 o1; t1 close-fb b1";
    check(&format!("{shown}; {end}"), "clean");
    // Its process lives, or a file of it.
    check("t1 create f1 h1 o1; t1 add-fb b1 o1; t1 close f1 h1 !death; t1 exit 0; t1 settle", "clean");
    check(
        &format!("t1 create f1 h1 o1; t1 add-fb b1 o1; {}", end.replace("h1;", "h1 !death;")),
        "framebuffer-leak findings",
    );
}

#[test]
fn wrong_cache_entry_removed() {
    let two = "t1 create f1 h1 o1; t1 create f1 h2 o2; t1 export f1 h1 d1; t1 export f1 h2 d2";
    check(
        &format!("{two}; t1 close f1 h2; t1 close f1 h1; t1 close-fd d1; t1 close-fd d2; t1 settle"),
        "clean",
    );
    check(&format!("{two}; t1 raw-remove f1 h2 d1"), "wrong-cache-entry-removed findings");
}

#[test]
fn handle_count_mismatch() {
    check("t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o1", "clean");
    check(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 miscount o1 1; t1 import f2 d1 h1 o1",
        "handle-count-mismatch findings",
    );
    // The kernel's own count is zero when a handle is about to be put.
    check(
        "t1 create f1 h9 o9; t1 close f1 h9; t1 create f1 h1 o1; t1 miscount o1 -1; t1 close f1 h1 !death",
        "handle-count-mismatch findings",
    );
}

/// B13: closed under both of its numbers, or moved and closed under the one that it left.
#[test]
fn a_moving_handle_is_closed_once() {
    let moving = "t1 create f1 h1 o1; t1 change-begins f1 h1 h9";
    check(&format!("{moving}; t1 change-ends f1 h1 h9; t1 close f1 h9"), "clean");
    // A shared buffer's cache entry moves with its handle, to a number that was another's before.
    check(
        "t1 create f1 h9 o9; t1 close f1 h9; t1 create f1 h1 o1; t1 export f1 h1 d1; t1 change-begins f1 h1 h9; \
         t1 raw-cache-add f1 h9 d1; t1 raw-remove f1 h1 d1; t1 change-ends f1 h1 h9; t1 reimport f1 d1 h9; \
         t1 close f1 h9; t1 close-fd d1; t1 settle",
        "clean",
    );
    let both = format!("{moving}; t2@10 release-begins f1 h1 o1; t3@10 release-begins f1 h9 o1");
    check(&both, "handle-count-mismatch findings (near-miss-change-close)");
    let left = format!("{moving}; t2@10 release-begins f1 h1 o1; t1 change-ends f1 h1 h9");
    check(&left, "handle-count-mismatch findings (near-miss-change-close)");
}

#[test]
fn create_publication_race() {
    let begun = "t1 create f1 h9 o9; t1 create-begins f1 o1; t1 allowed f1";
    check(&format!("{begun}; t1 create-ends f1 h1 o1; t2@10 close f1 h1"), "clean");
    // Between the end of the setup and the return it is legal.
    check(&format!("{begun}; t2@10 release-begins f1 h1 o1; t1 create-ends f1 h1 o1"), "clean");
    let early = "t1 create-begins f1 o8; t1 allowed f1; t1 create-ends f1 h8 o8; t1 create-begins f1 o1; \
                 t2@10 release-begins f1 h1 o1; t1 allowed f1; t1 create-ends f1 h1 o1";
    check(early, "create-publication-race findings");
}

#[test]
fn handle_reuse_during_close() {
    let closing = "t1 create f1 h1 o1; t2@10 release-begins f1 h1 o1";
    check(
        &format!("{closing}; t2@10 release-ends f1 h1 o1; t1 create-begins f1 o2; t1 create-ends f1 h1 o2"),
        "clean",
    );
    check(
        &format!("{closing}; t1 create-begins f1 o2; t1 create-ends f1 h1 o2; t2@10 release-ends f1 h1 o1"),
        "handle-reuse-during-close findings",
    );
}

#[test]
fn reservation_not_held() {
    check(
        &format!("{ATTACHED}; t1 map a1 0 s1; t1 unmap a1 0 s1; t1 pin a1; t1 unpin a1; t1 detach d1 a1"),
        "clean",
    );
    for call in ["map a1 0 s1 unlocked", "vmap d1 unlocked", "vunmap d1 unlocked", "moved d1 unlocked"] {
        check(&format!("{ATTACHED}; t1 {call}"), "reservation-not-held findings");
    }
    check(&format!("{ATTACHED}; t1 pin a1 unlocked; t1 unpin a1"), "reservation-not-held findings");
    // Up to 6.1 a static importer need not hold it (R46).
    let old = || Config { profile: Profile::V5_7, ..Config::default() };
    check_on(old(), &format!("{ATTACHED}; t1 map a1 0 s1 unlocked; t1 vmap d1 unlocked"), "clean");
    check_on(
        old(),
        &format!("{ATTACHED} dynamic; t1 map a1 0 s1 dynamic unlocked"),
        "reservation-not-held findings",
    );
}

#[test]
fn reservation_held() {
    check(&format!("{ATTACHED}; t1 detach d1 a1"), "clean");
    check(&format!("{ATTACHED} locked"), "reservation-held findings");
    check(&format!("{ATTACHED}; t1 detach d1 a1 locked"), "reservation-held findings");
}

#[test]
fn mapping_direction_conflict() {
    check(&format!("{ATTACHED}; t1 map a1 1 s1; t1 unmap a1 1 s1; t1 detach d1 a1"), "clean");
    check(
        &format!("{ATTACHED}; t1 map a1 1 s1; t1 unmap a1 2 s1; t1 detach d1 a1"),
        "mapping-direction-conflict findings",
    );
}

#[test]
fn unbalanced_mapping() {
    check(&format!("{ATTACHED}; t1 map a1 1 s1; t1 unmap a1 1 s1"), "clean");
    check(
        &format!("{ATTACHED}; t1 map a1 1 s1; t1 unmap a1 1 s1; t1 unmap a1 1 s1"),
        "unbalanced-mapping findings",
    );
}

#[test]
fn foreign_detach() {
    let two = format!("{ATTACHED}; t1 create f1 h2 o2; t1 export f1 h2 d2");
    check(&format!("{two}; t1 detach d1 a1; {LET_GO}; t1 close f1 h2; t1 close-fd d2"), "clean");
    check(&format!("{two}; t1 detach d2 a1"), "foreign-detach findings");
}

#[test]
fn pin_imbalance() {
    check(&format!("{ATTACHED}; t1 pin a1; t1 unpin a1; t1 detach d1 a1"), "clean");
    check(&format!("{ATTACHED}; t1 pin a1; t1 detach d1 a1"), "pin-imbalance findings");
    check(&format!("{ATTACHED}; t1 unpin a1; t1 detach d1 a1"), "pin-imbalance findings");
}

#[test]
fn bad_export_arguments() {
    let complete = ops::KNOWN | ops::MAP | ops::UNMAP | ops::RELEASE;
    check(&format!("t1 bad-export b{complete}"), "clean");
    check(&format!("t1 bad-export b{}", complete & !ops::MAP), "bad-export-arguments findings");
    check(&format!("t1 bad-export b{}", complete | ops::PIN), "bad-export-arguments findings");
    let caches = complete | ops::PIN | ops::UNPIN | ops::CACHES;
    check(&format!("t1 bad-export b{caches}"), "bad-export-arguments findings");
    // A record that does not say what was given.
    check("t1 bad-export b0", "clean");
}

#[test]
fn set_name_while_attached() {
    let busy = || Config { profile: Profile::V5_7, features: Features::SET_NAME_BUSY, ..Config::default() };
    check_on(busy(), &format!("{ATTACHED}; t1 set-name d1 busy; t1 detach d1 a1; t1 set-name d1"), "clean");
    check_on(busy(), &format!("{ATTACHED}; t1 set-name d1"), "set-name-while-attached findings");
    check(&format!("{ATTACHED}; t1 set-name d1; t1 detach d1 a1"), "clean");
}

const IMPORTED_TWICE: &str =
    "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o1; t1 reimport f2 d1 h1";

#[test]
fn unbalanced_import() {
    check(&format!("{IMPORTED_TWICE}; t1 close f2 h1; {LET_GO}"), "clean");
    check(&format!("{IMPORTED_TWICE}; t1 close f2 h1; t1 close f2 h1"), "unbalanced-import findings");
}

#[test]
fn close_of_reused_handle() {
    let reused = format!("{IMPORTED_TWICE}; t1 close f2 h1; t1 create f2 h1 o2; t1 close f2 h1");
    check(&format!("{reused}; {LET_GO}"), "clean");
    check(&format!("{reused}; t1 close f2 h1"), "close-of-reused-handle findings");
}

#[test]
fn dumb_destroy_of_import() {
    let shared = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o1";
    check(&format!("{shared}; t1 close f2 h1; t1 destroy-dumb f1 h1"), "clean");
    check(&format!("{shared}; t1 destroy-dumb f2 h1"), "dumb-destroy-of-import findings");
}

#[test]
fn cpu_access_of_import() {
    let shared = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 import f2 d1 h1 o2 foreign";
    check(&format!("{shared}; t1 pread f1 h1; t1 pread f2 h1 refused"), "clean");
    check(&format!("{shared}; t1 pread f2 h1"), "cpu-access-of-import findings");
}

#[test]
fn lookup_after_install() {
    let buf = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 install d1 s7";
    check(&format!("{buf}; t1 look-up d1 s8"), "clean");
    check(&format!("{buf}; t1 look-up d1 s7"), "lookup-after-install findings");
}

#[test]
fn near_misses_are_no_findings() {
    let exported = "t1 create f1 h1 o1; t1 export f1 h1 d1";
    check(
        "t1 create f1 h1 o1; t1 export-begins f1 h1; t2@10 close f1 h1; t1 export-fails f1 h1",
        "clean (near-miss-export-close)",
    );
    check("t1 create f1 h1 o1; t1 export-begins f1 h1; t1 export-fails f1 h1; t2@10 close f1 h1", "clean");
    check(
        &format!("{exported}; t1 import-begins f1 d1; t2@10 close f1 h1; t1 import-fails f1"),
        "clean (near-miss-import-close)",
    );
    check(&format!("{exported}; t1 import-begins f1 d1; t1 import-fails f1; t2@10 close f1 h1"), "clean");
    check(
        "t1 create f1 h1 o1; t1 export-begins f1 h1; t2@10 export f1 h1 d1; t1 export-fails f1 h1",
        "clean (near-miss-double-export)",
    );
    check(
        "t1 create f1 h1 o1; t1 change-begins f1 h1 h9; t2@10 release-begins f1 h9 o1; t1 change-ends f1 h1 h9",
        "clean (near-miss-change-close)",
    );
}
