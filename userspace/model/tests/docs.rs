//! `docs/scenarios.md` is what the model is. Accept a change with `SNAPSHOTS=overwrite`.

use std::fmt::Write as _;
use std::path::Path;

use gemscope_common::Profile;
use gemscope_model::{Era, POINTS, Scenario, VERBS, Wrong};

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md")
}

/// The tables by the names of their marks.
fn tables() -> Vec<(&'static str, String)> {
    let mut verbs =
        "| operation | gives | may be followed by | what it does |\n|---|---|---|---|\n".to_owned();
    for row in VERBS {
        let takes: Vec<_> =
            row.takes.iter().map(|k| k.name().rsplit(' ').next().unwrap().to_uppercase()).collect();
        let words: Vec<_> = row.words.iter().map(|w| format!("`{w}`")).collect();
        let call = [&[row.word.to_owned()][..], &takes].concat().join(" ");
        let gives = row.gives.map_or("", |k| k.name());
        writeln!(verbs, "| `{call}` | {gives} | {} | {} |", words.join(", "), row.about).unwrap();
    }
    let mut points = "| POINT | what fails |\n|---|---|\n".to_owned();
    for (word, about) in POINTS {
        writeln!(points, "| `{word}` | {about} |").unwrap();
    }
    let names = |names: &mut dyn Iterator<Item = &'static str>| {
        names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
    };
    let eras = format!(
        "Eras: {}.\n\nWords: {}.\n",
        names(&mut Profile::ALL.iter().map(|p| p.name())),
        names(&mut Era::changes())
    );
    let mut wrongs = "| name | what it means |\n|---|---|\n".to_owned();
    for wrong in Wrong::ALL {
        let whose = if wrong.is_misuse() { " (user space)" } else { "" };
        writeln!(wrongs, "| `{}` | {}{whose} |", wrong.name(), wrong.text()).unwrap();
    }
    vec![("verbs", verbs), ("points", points), ("eras", eras), ("wrongs", wrongs)]
}

#[test]
fn the_tables_of_the_page_are_those_of_the_model() {
    let committed = std::fs::read_to_string(page()).unwrap();
    let mut text = committed.clone();
    for (name, table) in tables() {
        let begin = text.find(&format!("<!-- {name}:")).unwrap_or_else(|| panic!("no mark for {name}"));
        let begin = begin + text[begin..].find('\n').unwrap() + 1;
        let end = text.find(&format!("<!-- end of {name} -->")).unwrap();
        text.replace_range(begin..end, &table);
    }
    if committed != text && std::env::var("SNAPSHOTS").is_ok_and(|v| v == "overwrite") {
        return std::fs::write(page(), text).unwrap();
    }
    assert!(committed == text, "docs/scenarios.md is not what the model is: SNAPSHOTS=overwrite writes it");
}

#[test]
fn scenarios_of_the_page_are_some() {
    let text = std::fs::read_to_string(page()).unwrap();
    let blocks: Vec<_> = text.split("```").skip(1).step_by(2).filter(|b| b.contains("scenario ")).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        Scenario::parse(block).unwrap_or_else(|e| panic!("{e} in {block}"));
    }
}
