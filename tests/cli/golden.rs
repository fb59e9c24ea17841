//! Every committed trace gives exactly the report that is kept beside it, finding by finding, in order.
//!
//! Accept a change with `SNAPSHOTS=overwrite`, and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use gemscope_cli::source::{self, Options};
use gemscope_report::text::{self, Palette};
use gemscope_trace::Reader;
use snapbox::{Data, assert_data_eq};

use crate::{DEMO, gemscope, tests};

/// Every trace below a folder, in order of name.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(traces(&path));
        } else if path.extension().is_some_and(|e| e == "gemtrace") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text report of a trace.
fn report(path: &Path, name: &str) -> String {
    let judged = source::judge(Reader::open(path).unwrap(), name, &Options::default()).unwrap();
    let mut out = String::new();
    text::report(&mut out, &judged.names(), &Palette::plain()).unwrap();
    out
}

#[test]
fn every_trace_gives_its_report() {
    let root = tests().join("fixtures/traces");
    let traces = traces(&root);
    assert!(!traces.is_empty());
    for path in traces {
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let name = name.to_string_lossy();
        let kept = Data::read_from(&tests().join(format!("golden/{name}.txt")), None);
        assert_data_eq!(Data::text(report(&path, &format!("{name}.gemtrace"))), kept.raw());
    }
}

#[test]
fn every_report_kept_has_its_trace() {
    let mut folders = vec![tests().join("golden")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(tests().join("golden")).unwrap().with_extension("gemtrace");
            assert!(
                tests().join("fixtures/traces").join(&name).exists(),
                "`{}` has no trace",
                name.display()
            );
        }
    }
}

#[test]
fn the_demo_as_json() {
    let output = gemscope().args(["replay", DEMO, "--json"]).output().unwrap();
    let kept = Data::read_from(&tests().join("golden/6.12/forget-gem-close.jsonl"), None);
    assert_data_eq!(Data::text(String::from_utf8(output.stdout).unwrap()), kept.raw());
}

#[test]
fn the_demo_shows_what_it_promises() {
    let text = String::from_utf8(gemscope().arg("demo").output().unwrap().stdout).unwrap();
    // A leaked handle, who holds its buffer, kernel and user stacks with names, and what to run next.
    for word in
        ["handle-leak", "still held", "PRIME cache entry", "drm_", "[drm]", "gemclient", "gemscope check"]
    {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[test]
fn the_same_trace_gives_the_same_report() {
    for path in traces(&tests().join("fixtures/traces")).into_iter().take(5) {
        assert_eq!(report(&path, "x"), report(&path, "x"));
    }
}
