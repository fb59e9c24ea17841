//! Recorded runs by the rules of other kernels.

use serde_json::Value;

use crate::gemscope;

fn what_if(trace: &str, era: &str) -> (Option<i32>, Value) {
    let path = format!("fixtures/traces/{trace}.gemtrace");
    let output = gemscope().args(["replay", &path, "--what-if", era, "--json"]).output().unwrap();
    let line = serde_json::from_slice(&output.stdout).unwrap();
    crate::conformance::obeys(&line);
    (output.status.code(), line)
}

/// What would have gone wrong, and with which record.
fn wrong(trace: &str, era: &str) -> Vec<(String, u64)> {
    let (code, line) = what_if(trace, era);
    let wrong: Vec<_> = line["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["wrong"].as_str().unwrap().to_owned(), w["record"].as_u64().unwrap()))
        .collect();
    assert_eq!(code, Some(i32::from(!wrong.is_empty())));
    wrong
}

#[test]
fn the_importer_that_closes_first_took_the_dmabuf_along_on_3_9() {
    // B1: the cache of the exporter's file has a pointer, and no reference.
    let found = wrong("6.12/six-step", "v3.9");
    assert_eq!(found[0], ("released-while-cached".to_owned(), 41));
    assert!(wrong("6.12/six-step", "v3.10").is_empty());
}

#[test]
fn a_close_by_dmabuf_removed_another_handles_entry() {
    // B11: one object under two handles of a file, both exported; entries went by dma-buf before 6.0.
    for era in ["v3.12", "v5.7", "v6.2-cache-by-handle"] {
        assert!(wrong("6.12/s5", era).iter().any(|(wrong, _)| wrong == "wrong-entry"), "{era}");
    }
    assert!(wrong("6.12/s5", "v7.0").is_empty());
}

#[test]
fn nothing_is_different_by_the_recorded_rules() {
    for (line, era) in [("5.10", "v5.7+cache-by-handle"), ("6.12", "v6.2"), ("newest", "v7.0-change-handle")]
    {
        for name in ["s2", "s4", "s6", "s20", "six-step", "storm", "storm-flink", "close-twice"] {
            let (code, found) = what_if(&format!("{line}/{name}"), era);
            assert_eq!(code, Some(0), "{line} {name}: {found:#}");
            assert!(found["otherwise"].as_array().unwrap().is_empty(), "{line} {name}: {found:#}");
            assert!(found["operations"].as_u64() > Some(1), "{line} {name}");
        }
    }
}

#[test]
fn a_call_that_there_was_not_is_refused() {
    let (code, found) = what_if("6.18/s13", "v6.2");
    assert_eq!(code, Some(0));
    assert_eq!(found["otherwise"][0]["operation"], "GEM_CHANGE_HANDLE");
    assert_eq!(found["otherwise"][0]["there"], "-22");
}

#[test]
fn it_is_told_in_words() {
    gemscope()
        .args(["replay", "fixtures/traces/6.12/six-step.gemtrace", "--what-if", "v3.9"])
        .assert()
        .code(1)
        .stdout_eq(
            "gemscope: 2 things would have gone wrong on v3.9\n\n\
             record 41, GEM_CLOSE: released-while-cached with dma-buf 1\n  [..]\n...\nassumed [..]\n",
        )
        .stderr_eq("");
    gemscope().args(["replay", "fixtures/traces/6.12/s2.gemtrace", "--what-if", "v9"]).assert().code(2);
}
