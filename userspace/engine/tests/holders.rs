//! Who holds a dma-buf: what was given out, what scans saw, and what is told of it.

mod history;

use gemscope_engine::{Config, Doubt, Engine, Entity, Held, Holder, HolderKind};
use history::Script;

fn engine(text: &str) -> Engine {
    let script = Script::run(&format!("t1 scope 10; t1 open f1; t1 open f2; {text}"));
    let mut engine = Engine::new(Config::default());
    for record in &script.records {
        engine.ingest(record);
    }
    engine.finish();
    engine
}

/// A holder in a word: by whom it was taken is told where that is known.
fn word(holder: &Holder) -> String {
    let taken = if holder.taken.is_known() { format!("<{}", holder.taken.tgid) } else { String::new() };
    match holder.kind {
        HolderKind::Fd { tgid, fd } => format!("{tgid}:fd{fd}{taken}"),
        HolderKind::Mapping { tgid } => format!("{tgid}:map{taken}"),
        HolderKind::PathFd { tgid, fd } => format!("{tgid}:path{fd}{taken}"),
        HolderKind::Cache { file, handle } => format!("f{file}/h{handle}{taken}"),
        HolderKind::Handle(_) => format!("handle{taken}"),
        HolderKind::Importer(_) => format!("importer{taken}"),
        HolderKind::Link(_) => format!("link{taken}"),
        HolderKind::Exported(_) => format!("exported{taken}"),
        _ => format!("other{taken}"),
    }
}

fn words(holders: &[Holder]) -> String {
    holders.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// What is held at the end of a history.
#[track_caller]
fn held(text: &str, expect: &str) {
    let engine = engine(text);
    let one = |h: &Held| {
        let Entity::DmaBuf { ino, .. } = h.entity else { panic!("{h:?}") };
        let how = match (h.deferred, h.outside) {
            (true, _) => "deferred ",
            (_, false) => "inside ",
            _ => "",
        };
        format!("{how}d{ino} {}", words(&h.holders))
    };
    let said: Vec<String> = engine.held_outside().iter().map(one).collect();
    assert_eq!(said.join("; "), expect);
    let outside = engine.held_outside().iter().filter(|h| h.outside && !h.deferred).count();
    assert_eq!(engine.notes().held_outside, outside as u64);
}

/// The holders of the first finding.
#[track_caller]
fn holders(text: &str, expect: &str) {
    let engine = engine(text);
    let finding = engine.findings().first().expect("no finding");
    assert_eq!(format!("{}: {}", finding.rule.name(), words(&finding.holders)), expect);
}

/// A buffer that is exported by process 10, which then lets go of everything and ends.
const SENT: &str = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close-fd d1; t1 close f1 h1; \
                    t1 close-file f1; t1 close-file f2; t1 exit 0";

#[test]
fn who_holds_it_outside_is_named() {
    held(&format!("{SENT}; t1 settle"), "");
    held(&format!("{SENT}; t1 seen d1; t1 settle"), "d1 999:fd5");
    held(&format!("{SENT}; t1 seen d1; t1 seen d1 p998 mapping; t1 settle"), "d1 999:fd5 998:map");
    held(&format!("{SENT}; t1 seen d1 mapping; t1 seen d1 mapping; t1 settle"), "d1 999:map");
    assert!(engine(&format!("{SENT}; t1 seen d1; t1 settle")).findings().is_empty());
}

#[test]
fn an_importer_that_closed_the_fd_is_named_by_its_handle() {
    let import = "t9 open f9; t1 create f1 h1 o1; t1 export f1 h1 d1; t9 import f9 d1 h1 o1; t1 close-fd d1; \
                  t1 close f1 h1; t1 close-file f1; t1 close-file f2; t1 exit 0";
    held(&format!("{import}; t1 settle"), "d1 f3/h1<90");
}

#[test]
fn a_path_is_no_excuse_for_a_file_that_lives_on() {
    holders(&format!("{SENT}; t1 seen d1 path; t1 settle"), "dmabuf-leak: 999:path5");
    held(&format!("{SENT}; t1 seen d1 path; t1 settle"), "");
}

#[test]
fn what_waits_for_a_path_names_its_holder() {
    let released = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1; t1 raw-release d1; t1 exit 0";
    held(&format!("{released}; t1 seen d1 path; t1 settle"), "deferred d1 999:path5");
    held(&format!("{released}; t1 settle"), "");
    assert_eq!(engine(&format!("{released}; t1 settle")).notes().deferred, 1);
}

#[test]
fn a_process_of_the_scope_is_not_outside() {
    let open = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 close f1 h1";
    held(&format!("{open}; t1 seen d1 p10; t1 settle"), "inside d1 10:fd5");
    held(&format!("{open}; t1 seen d1 p10; t1 seen d1; t1 settle"), "d1 10:fd5 999:fd5");
}

#[test]
fn a_leak_shows_who_took_it_and_who_holds_it_at_the_end() {
    let leak = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 extra-ref d1; t1 close f1 h1";
    let fd_leak = format!("{leak}; t1 exit 0; t1 exit-fd d1");
    holders(&format!("{fd_leak}; t1 settle"), "fd-leak: ");
    holders(&format!("{fd_leak}; t1 seen d1; t1 settle"), "fd-leak: 999:fd5");
    holders(
        "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close-file f1; t1 exit 0; t1 exit-fd d1; \
         t1 seen d1; t1 settle",
        "handle-leak: handle<10 exported<10 link<10 f1/h1<10 10:fd101<10 999:fd5",
    );
}

#[test]
fn a_complete_scan_knows_better_than_what_was_given_out() {
    let lost = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close f1 h1; t1 close-fd d1";
    holders(&format!("{lost}; t1 settle"), "dmabuf-leak: ");
    holders(&format!("{lost}; t1 settle partial"), "dmabuf-leak: 10:fd101<10");
    let engine = engine(&format!("{lost}; t1 settle partial"));
    assert!(engine.findings()[0].tainted && engine.doubts().contains(&Doubt::Unreadable(0)));
}

/// The holders of a leaked cache entry of a dma-buf that is older than the trace.
#[track_caller]
fn old(before: &str, expect: &str) {
    let text = format!(
        "t1 seen d7 p5 start; t1 seen d7 p6 path start; {before}; t1 import f1 d7 h1 o7 foreign; t1 close f1 h1 !cache"
    );
    let engine = engine(&text);
    let leak = engine.findings().iter().find(|f| f.rule.name() == "prime-cache-leak").expect("no leak");
    assert_eq!(words(&leak.holders), expect);
}

#[test]
fn what_was_seen_at_the_start_holds_until_its_process_ends_or_closes() {
    old("t1 lose 0", "5:fd5 6:path5 f1/h1<10");
    old("t5@5 exit-fd d7", "6:path5 f1/h1<10");
    old("t5@5 exit 0", "6:path5 f1/h1<10");
    // The number is another process's by now.
    old("t1 fork 6", "5:fd5 f1/h1<10");
}

#[test]
fn what_was_seen_at_the_start_gives_a_size_to_what_is_older_than_the_trace() {
    let engine = engine("t1 seen d7 p5 start; t1 seen d7 p6 path start; t1 raw-release d7; t1 raw-attach d7");
    let finding = &engine.findings()[0];
    assert_eq!(finding.entity, Entity::DmaBuf { ino: 7, id: 1, size: 8192 });
    // Without a file there are no fds any more.
    assert_eq!(words(&finding.holders), "6:path5");
}

#[test]
fn what_was_seen_at_the_start_excuses_no_leak() {
    let leak = "t1 seen d1 start; t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close f1 h1; t1 close-fd d1";
    holders(&format!("{leak}; t1 settle"), "dmabuf-leak: ");
}

#[test]
fn the_kernels_list_tells_a_lost_reference_from_an_unseen_release() {
    let gone = "t1 create f1 h1 o1; t1 export f1 h1 d1; t1 extra-ref d1; t1 close f1 h1; t1 close-fd d1";
    assert!(engine(&format!("{gone}; t1 settle listed")).findings().is_empty());
    holders(&format!("{gone}; t1 seen d1 alive; t1 settle listed"), "dmabuf-leak: ");
    holders(&format!("{gone}; t1 seen d1 alive; t1 settle"), "dmabuf-leak: ");
    // Alive at the start says nothing of the end.
    assert!(engine(&format!("t1 seen d1 alive start; {gone}; t1 settle listed")).findings().is_empty());
}
