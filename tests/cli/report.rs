//! `gemscope report`: the page is written, and the exit code tells of the writing only.

use gemscope_trace::{TraceHeader, Writer};

use crate::codes::long_trace;
use crate::{DEMO, file, gemscope};

fn page(args: &[&str], code: i32) -> String {
    let output = gemscope()
        .arg("report")
        .args(args)
        .args(["-o", "-"])
        .assert()
        .code(code)
        .stderr_eq("")
        .get_output()
        .stdout
        .clone();
    String::from_utf8(output).unwrap()
}

#[test]
fn findings_are_no_failure() {
    let page = page(&[DEMO], 0);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for words in [
        "1 finding: handle-leak ×1 (16.0 KiB)",
        "create_dumb (tests/clients/src/drm.rs:162)",
        "PRIME cache entry",
        "gemscope replay fixtures/traces/6.12/forget-gem-close.gemtrace",
    ] {
        assert!(page.contains(words), "`{words}` is missing");
    }
}

#[test]
fn it_goes_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.html");
    gemscope().args(["report", DEMO, "-o"]).arg(&path).assert().code(0).stdout_eq("").stderr_eq("");
    assert_eq!(std::fs::read_to_string(path).unwrap(), page(&[DEMO], 0));
}

#[test]
fn another_judgement() {
    assert!(page(&[DEMO, "--at-exit", "ignore"], 0).contains("clean: nothing leaked"));
    assert!(page(&[DEMO, "--profile", "v3.9"], 0).contains("recorded under v6.2"));
}

#[test]
fn of_the_model() {
    let page = page(&["--source", "model:export-vs-close@v3.10", "--worst"], 0);
    for words in ["prime-cache-leak", "gemscope check --source model:export-vs-close@v3.10 --worst"] {
        assert!(page.contains(words), "`{words}` is missing");
    }
}

#[test]
fn a_damaged_trace_is_told() {
    let bytes = long_trace();
    let (_dir, path) = file(&bytes[..bytes.len() * 3 / 4]);
    let page = page(&[path.to_str().unwrap()], 3);
    assert!(
        page.contains("Only a part of the trace could be read") && page.contains("the trace is cut at byte")
    );
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
}

#[test]
fn what_cannot_be_done() {
    let refused = |args: &[&str], says: &str| {
        gemscope()
            .arg("report")
            .args(args)
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(format!("gemscope: {says}\n"));
    };
    refused(&["no-such-file", "-o", "-"], "cannot open `no-such-file`: [..]");
    refused(
        &[DEMO, "-o", "/no/such/folder/a.html"],
        "cannot write the page to `/no/such/folder/a.html`; [..]",
    );
    let trace = std::fs::read(crate::tests().join(DEMO)).unwrap();
    let (_dir, path) = file(&trace);
    let path = path.to_str().unwrap();
    let says = "`[..]` is the trace itself: choose another file";
    refused(&[path, "-o", path], says);
    let replay = gemscope().args(["replay", path, "--report", path]).assert().code(2);
    replay.stdout_eq("").stderr_eq(format!("gemscope: {says}\n"));
    assert_eq!(std::fs::read(path).unwrap(), trace);
    gemscope().args(["report", DEMO]).assert().code(2);
    gemscope().args(["report", "-o", "-"]).assert().code(2);
}

#[test]
fn an_empty_trace_has_a_page() {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, &TraceHeader { profile: "v6.2".to_owned(), ..TraceHeader::default() })
        .unwrap()
        .finish()
        .unwrap();
    let (_dir, path) = file(&bytes);
    assert!(page(&[path.to_str().unwrap()], 0).contains("Nothing was found."));
}
