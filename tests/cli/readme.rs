//! The commands of the README that need no kernel do what it says.

use crate::{gemscope, tests};

/// The section with this title.
fn section(title: &str) -> String {
    let text = std::fs::read_to_string(tests().join("../README.md")).unwrap();
    let begin = text.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section `{title}`"));
    let rest = &text[begin + 4..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

/// The indented blocks of a section.
fn blocks(section: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    for line in section.lines() {
        match line.strip_prefix("    ") {
            Some(line) => blocks.last_mut().unwrap().push(line),
            None => blocks.push(Vec::new()),
        }
    }
    blocks.retain(|b| !b.is_empty());
    blocks
}

#[test]
fn a_report_to_hand_on() {
    let section = section("Use it");
    let dir = tempfile::tempdir().unwrap();
    let line = blocks(&section).into_iter().flatten().find(|l| l.starts_with("gemscope report ")).unwrap();
    let words = line.split_whitespace().skip(1).map(|w| match w {
        "leak.gemtrace" => crate::DEMO.into(),
        "leak.html" => dir.path().join(w).into_os_string(),
        w => w.into(),
    });
    gemscope().args(words).assert().code(0).stdout_eq("").stderr_eq("");
    assert!(std::fs::read_to_string(dir.path().join("leak.html")).unwrap().contains("id=\"finding-1\""));
}

#[test]
fn what_a_kernel_would_do() {
    let section = section("Ask what a kernel would do");
    let mut said = String::new();
    let mut commands = 0;
    for block in blocks(&section) {
        if !block[0].starts_with("gemscope ") {
            // What the command before says: these lines, in this order.
            let mut rest = said.lines();
            for line in block.iter().filter(|l| **l != "...") {
                assert!(rest.any(|l| l == *line), "`{line}` is not said, or not here, in:\n{said}");
            }
            continue;
        }
        for line in block {
            let output = gemscope().args(line.split_whitespace().skip(1)).output().unwrap();
            said = String::from_utf8(output.stdout).unwrap();
            // Each of them shows something bad.
            assert_eq!(output.status.code(), Some(1), "{line}: {said}");
            assert!(output.stderr.is_empty(), "{line}");
            commands += 1;
        }
    }
    assert!(commands >= 3);
}

#[test]
fn look_at_it_in_other_tools() {
    let section = section("Look at it in other tools");
    let dir = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for line in blocks(&section).into_iter().flatten() {
        // From the root of the checkout, except for what is written.
        let words = line.split_whitespace().skip(1).map(|word| {
            if word.ends_with(".pftrace") {
                dir.path().join(word).display().to_string()
            } else {
                word.to_owned()
            }
        });
        let output = gemscope().current_dir(tests().join("..")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.is_empty(), line.contains(" -o "), "{line}");
        commands += 1;
    }
    assert_eq!(commands, 4);
}
