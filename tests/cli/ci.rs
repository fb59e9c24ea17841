//! The examples for CI: their files can be read, and gemscope takes every command line in them and in docs/ci.md.

use std::collections::BTreeSet;
use std::fs;

use clap::Parser as _;
use gemscope_cli::args::Cli;
use yaml_rust2::YamlLoader;

use crate::tests;

/// The examples, and the page: name and text.
fn files() -> Vec<(String, String)> {
    let folder = fs::read_dir(tests().join("../examples/ci")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.push(tests().join("../docs/ci.md"));
    paths.sort();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The command lines of gemscope in a text, as words; lines that go on are put together.
fn lines(text: &str) -> Vec<Vec<String>> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().filter(|line| !line.trim_start().starts_with(['#', '|']));
    lines.filter_map(words).collect()
}

/// The words from `gemscope` on, if the line runs it; up to where the shell's own begin.
fn words(line: &str) -> Option<Vec<String>> {
    const COMMANDS: &[&str] = &["check", "doctor", "replay", "report", "record", "snapshot", "top"];
    let line = line.replace("${{ ", "$").replace(" }}", "");
    let mut words = shlex::split(line.trim().trim_start_matches("- ")).unwrap_or_default();
    // A command in quotes is one of another shell.
    if let Some(quoted) = words.iter().find(|word| word.starts_with("gemscope ")) {
        words = shlex::split(quoted)?;
    }
    let begin = words.iter().position(|word| word == "gemscope")?;
    let is_run = words.get(begin + 1).is_some_and(|word| COMMANDS.contains(&word.as_str()));
    let own = |word: &String| ["|", "||", "&&", ";"].contains(&word.as_str()) || word.starts_with(">");
    is_run.then(|| words.into_iter().skip(begin).take_while(|word| !own(word)).collect())
}

#[test]
fn every_file_can_be_read() {
    let mut seen = BTreeSet::new();
    for (name, text) in files() {
        if name.ends_with(".yml") {
            let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|e| panic!("`{name}`: {e}"));
            assert_eq!(documents.len(), 1, "{name}");
            assert!(documents[0].as_hash().is_some_and(|map| map.len() > 1), "{name}");
        }
        seen.insert(name);
    }
    let want = ["ci.md", "github-actions.yml", "gitlab-ci.yml", "kernel-ci.sh"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), want);
}

#[test]
fn gemscope_takes_every_command_line() {
    for (name, text) in files() {
        let lines = lines(&text);
        assert!(!lines.is_empty(), "`{name}` runs no gemscope");
        for words in lines {
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("`{name}` has `{}`: {error}", words.join(" "));
            }
        }
    }
}

#[test]
fn lines_are_taken_apart() {
    let take = |text: &str| lines(text).into_iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(
        take("  sudo gemscope check \\\n   --json -- a b >&2 || code=$?"),
        ["gemscope check --json -- a b"]
    );
    assert_eq!(take("    - gemscope doctor"), ["gemscope doctor"]);
    assert_eq!(take("vng --exec \"gemscope check -- $tests\" >&2"), ["gemscope check -- $tests"]);
    assert_eq!(take("dpkg --install gemscope_0.1.0_amd64.deb\n# gemscope check\nname: gemscope"), [""; 0]);
}
