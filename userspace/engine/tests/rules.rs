//! Every rule with a history that keeps it and one that breaks it.

mod history;

use gemscope_engine::{Config, Engine, Verdict};
use history::Script;

/// Runs a history in the scope of process 10 and compares the ordered list of findings and the verdict.
#[track_caller]
fn check(text: &str, expect: &str) {
    let script = Script::run(&format!("t1 scope 10; t1 open f1; t1 open f2; {text}"));
    let mut engine = Engine::new(Config::default());
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
