//! The model in place of a kernel: traces of interleavings, and `--source`.

use gemscope_trace::Reader;

use crate::gemscope;

#[track_caller]
fn usage(args: &[&str], says: &str) {
    gemscope().args(args).assert().code(2).stdout_eq("").stderr_eq(format!("error: {says}\n...\n"));
}

#[test]
fn a_bad_interleaving_is_a_trace_that_replay_judges() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.gemtrace");
    for (scenario, profile, rule) in [
        ("six-step-sharing", "v3.9", "released-while-cached"),
        ("export-vs-close", "v3.10", "prime-cache-leak"),
    ] {
        gemscope()
            .args(["explore", scenario, "--profile", profile, "-o"])
            .arg(&path)
            .assert()
            .code(1)
            .stderr_eq(
                "gemscope: the shortest bad interleaving is [..] records in [..]\n\
                 gemscope: judge it: gemscope replay [..]\n",
            );
        let header = Reader::open(&path).unwrap().header().clone();
        assert_eq!((header.source.as_str(), header.profile.as_str()), ("model", profile));
        assert!(header.missing_probes().next().is_none());
        let output = gemscope().arg("replay").arg(&path).assert().code(1).get_output().stdout.clone();
        let report = String::from_utf8(output).unwrap();
        assert!(report.contains(rule), "{report}");
    }
}

#[test]
fn a_good_scenario_is_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("good.gemtrace");
    gemscope()
        .args(["explore", "export-vs-close", "--profile", "v7.0", "-o"])
        .arg(&path)
        .assert()
        .code(0)
        .stderr_eq("gemscope: nothing goes wrong: `[..]` is not written\n");
    assert!(!path.exists());
}

#[test]
fn check_and_record_take_the_model_for_a_kernel() {
    let bad = "model:six-step-sharing@v3.9";
    gemscope()
        .args(["check", "--source", bad])
        .assert()
        .code(1)
        .stdout_eq("gemscope: [..]released-while-cached[..]\nkernel    model\n...\n")
        .stderr_eq("");
    gemscope().args(["check", "--source", "model:export-vs-close@v7.0"]).assert().code(0);
    gemscope().args(["check", "--source", "model:export-vs-close@v3.10", "--worst"]).assert().code(1);
    gemscope()
        .args(["check", "--source", "model:export-vs-close@v7.0", "--worst"])
        .assert()
        .code(0)
        .stderr_eq("gemscope: no interleaving of it goes wrong: this is the one of --seed 1\n");
    // As recorded, so judged.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.gemtrace");
    gemscope()
        .args(["record", "--source", bad, "-o"])
        .arg(&path)
        .assert()
        .code(0)
        .stdout_eq("")
        .stderr_eq("gemscope: [..] records in [..], none lost\ngemscope: judge it: gemscope replay [..]\n");
    gemscope().arg("replay").arg(&path).assert().code(1);
}

#[test]
fn a_seed_gives_one_interleaving_and_another_seed_another() {
    let dir = tempfile::tempdir().unwrap();
    let record = |seed: &str| {
        let path = dir.path().join("run.gemtrace");
        let source = "model:export-vs-close@v3.12";
        gemscope().args(["record", "--source", source, "--seed", seed, "-o"]).arg(&path).assert().code(0);
        // The header tells the seed: only the records are compared.
        let mut reader = Reader::open(&path).unwrap();
        let mut records = Vec::new();
        let mut all = Vec::new();
        while reader.next_batch(&mut records).unwrap().is_some() {
            all.extend(records.iter().map(|r| (r.header.ts_ns, r.header.tid, r.header.probe)));
        }
        all
    };
    assert_eq!(record("7"), record("7"));
    let different: std::collections::HashSet<_> = (0..8).map(|seed| record(&seed.to_string())).collect();
    assert!(different.len() > 3, "{} of 8 seeds differ", different.len());
}

#[test]
fn what_does_not_go_with_the_model_is_refused() {
    let source = "model:twins";
    let cannot = |with: &str| format!("the argument '--source <SOURCE>' cannot be used with '{with}'");
    usage(&["check", "--source", source, "--", "true"], &cannot("[CMD]..."));
    usage(&["check", "--source", source, "--trace", "x"], "the argument [..] cannot be used with[..]");
    usage(&["check", "--source", source, "--comm", "x"], "the argument [..] cannot be used with[..]");
    usage(&["check", "--source", source, "--timeout", "1"], "the argument [..] cannot be used with[..]");
    usage(&["record", "--source", source, "-o", "x", "-d", "1"], "the argument [..] cannot be used with[..]");
    usage(
        &["record", "--source", source, "-o", "x", "--raw-addresses"],
        "the argument [..] cannot be used with[..]",
    );
    usage(
        &["check", "--source", source, "--worst", "--seed", "2"],
        "the argument [..] cannot be used with[..]",
    );
    usage(&["check", "--worst", "--", "true"], "the argument [..] cannot be used with[..]");
    usage(&["check", "--seed", "3", "--trace", "x"], "the argument [..] cannot be used with[..]");
    usage(&["record", "--worst", "-o", "x"], "the following required arguments were not provided:");
    usage(&["check", "--source", "kernel"], "invalid value 'kernel' for '--source <SOURCE>': the only [..]");
    usage(
        &["check", "--source", "model:twins@v9"],
        "invalid value [..]: `v9` is not known; the profiles [..]",
    );
    gemscope()
        .args(["check", "--source", "model:twinz"])
        .assert()
        .code(2)
        .stderr_eq("gemscope: no scenario is called `twinz`: did you mean `twins`?; [..]\n");
}
