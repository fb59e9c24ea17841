//! What meson tells of the tests of its build folder: `meson-info/intro-tests.json`.

use std::path::Path;

use serde::Deserialize;

use super::{Case, text};

/// A test; what else is told of it does not matter here.
#[derive(Deserialize)]
struct Test {
    #[serde(default)]
    name: String,
    #[serde(default)]
    suite: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
}

/// The tests and benchmarks of a build folder.
pub(super) fn read(folder: &Path) -> Option<Vec<Case>> {
    let folder = folder.join("meson-info");
    let mut cases = parse(&text(&folder.join("intro-tests.json"))?)?;
    let benchmarks = text(&folder.join("intro-benchmarks.json")).and_then(|text| parse(&text));
    cases.extend(benchmarks.unwrap_or_default());
    Some(cases)
}

fn parse(text: &str) -> Option<Vec<Case>> {
    let tests: Vec<Test> = serde_json::from_str(text).ok()?;
    let named = tests.into_iter().filter(|test| !test.name.is_empty() && !test.cmd.is_empty());
    Some(named.map(|Test { name, suite, cmd }| Case { suite: suites(&suite), name, command: cmd }).collect())
}

/// `demo:gpu+fast`, of suites that each name their project.
fn suites(all: &[String]) -> String {
    let mut out = String::new();
    for (i, suite) in all.iter().enumerate() {
        match suite.split_once(':') {
            Some((project, name)) if i > 0 && out.starts_with(&format!("{project}:")) => {
                out.push('+');
                out.push_str(name);
            }
            _ => {
                if i > 0 {
                    out.push('+');
                }
                out.push_str(suite);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_read_as_meson_writes_them() {
        let text = r#"[{"cmd": ["/src/show.sh", "a b", "c"], "env": {}, "name": "plain name", "workdir": null, "timeout": 30,
            "suite": ["demo"], "is_parallel": true, "priority": 0, "protocol": "exitcode", "depends": [], "extra_paths": []},
            {"cmd": ["/build/exe", "x"], "env": {"A": "1"}, "name": "native", "workdir": "/tmp", "timeout": 30,
            "suite": ["demo:gpu", "demo:fast"], "is_parallel": true, "priority": 0, "protocol": "tap",
            "depends": ["exe@exe"], "extra_paths": []}]"#;
        let case = |suite: &str, name: &str, command: &[&str]| Case {
            suite: suite.to_owned(),
            name: name.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
        };
        let want = [
            case("demo", "plain name", &["/src/show.sh", "a b", "c"]),
            case("demo:gpu+fast", "native", &["/build/exe", "x"]),
        ];
        assert_eq!(parse(text).as_deref(), Some(&want[..]));
    }

    #[test]
    fn what_is_no_list_of_tests_is_none() {
        for text in ["", "{}", "[1]", "[{\"name\": 3}]", "[{\"cmd\": \"sh\"}]", "[{"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("[{\"name\": \"without a command\"}, {\"cmd\": [\"sh\"]}]"), Some(Vec::new()));
    }
}
