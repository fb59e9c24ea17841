//! What cmake tells of the tests of its build folder: `CTestTestfile.cmake`, and those of the folders below.
//!
//! Only what names tests is understood: `add_test`, `subdirs`, `include`. Conditions are not: the tests of every configuration are
//! taken, since each has a program of its own.

use std::fs;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::{Case, TESTS, text};

/// Files that are read.
const FILES: usize = 10_000;
/// cmake's word for a test whose program a configuration does not have.
const NOT_AVAILABLE: &str = "NOT_AVAILABLE";

/// The tests of a build folder.
pub(super) fn read(folder: &Path) -> Option<Vec<Case>> {
    let mut cases = Vec::new();
    let mut seen = FxHashSet::default();
    let mut waiting = vec![(folder.join("CTestTestfile.cmake"), folder.to_path_buf())];
    let mut read_any = false;
    while let Some((file, folder)) = waiting.pop() {
        // One file has many names.
        let Ok(file) = fs::canonicalize(file) else { continue };
        if seen.len() >= FILES || !seen.insert(file.clone()) {
            continue;
        }
        let Some(text) = text(&file) else { continue };
        read_any = true;
        let mut found = Vec::new();
        for command in commands(&text) {
            match command {
                Command::Test(case) => cases.push(case),
                Command::Folder(below) => {
                    let below = folder.join(below);
                    found.push((below.join("CTestTestfile.cmake"), below));
                }
                Command::Include(file) => found.push((folder.join(file), folder.clone())),
            }
        }
        waiting.extend(found.into_iter().rev());
        if cases.len() > TESTS {
            break;
        }
    }
    read_any.then_some(cases)
}

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Test(Case),
    Folder(PathBuf),
    Include(PathBuf),
}

/// What a file says, in its order.
fn commands(text: &str) -> Vec<Command> {
    let mut out = Vec::new();
    let mut scanner = Scanner(text);
    while let Some((name, arguments)) = scanner.command() {
        let mut arguments = arguments.into_iter();
        match name.to_ascii_lowercase().as_str() {
            "add_test" => {
                let Some(name) = arguments.next() else { continue };
                let command: Vec<String> = arguments.collect();
                if command.first().is_some_and(|program| program != NOT_AVAILABLE) {
                    out.push(Command::Test(Case { suite: String::new(), name, command }));
                }
            }
            "subdirs" => out.extend(arguments.map(|folder| Command::Folder(folder.into()))),
            "include" => out.extend(arguments.next().map(|file| Command::Include(file.into()))),
            _ => {}
        }
    }
    out
}

/// Reads cmake's language as far as calls and their arguments go.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    /// The next call.
    fn command(&mut self) -> Option<(&'a str, Vec<String>)> {
        loop {
            self.blank();
            let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            self.blank();
            if !name.is_empty()
                && let Some(rest) = self.0.strip_prefix('(')
            {
                self.0 = rest;
                return Some((name, self.arguments()));
            }
            if name.is_empty() {
                // Nothing that is understood: one character further.
                let mut chars = self.0.chars();
                chars.next()?;
                self.0 = chars.as_str();
            }
        }
    }

    /// All up to the closing parenthesis; those inside belong to conditions.
    fn arguments(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        let mut depth = 0u32;
        loop {
            self.blank();
            let Some(next) = self.0.chars().next() else { return out };
            match next {
                '(' | ')' => {
                    self.0 = &self.0[1..];
                    match (next, depth) {
                        ('(', _) => depth += 1,
                        (_, 0) => return out,
                        _ => depth -= 1,
                    }
                }
                '"' => out.push(self.quoted()),
                _ => match self.bracket() {
                    Some(text) => out.push(text),
                    None => out.push(self.unquoted()),
                },
            }
        }
    }

    fn quoted(&mut self) -> String {
        let mut out = String::new();
        let mut chars = self.0.chars();
        chars.next();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => out.extend(escaped(chars.next())),
                c => out.push(c),
            }
        }
        self.0 = chars.as_str();
        out
    }

    fn unquoted(&mut self) -> String {
        let mut out = String::new();
        let mut chars = self.0.chars();
        loop {
            let here = chars.as_str();
            match chars.next() {
                Some('\\') => out.extend(escaped(chars.next())),
                Some(c) if !c.is_whitespace() && !matches!(c, '(' | ')' | '#' | '"') => out.push(c),
                _ => {
                    self.0 = here;
                    return out;
                }
            }
        }
    }

    /// `[==[as it is]==]`
    fn bracket(&mut self) -> Option<String> {
        let after = self.0.strip_prefix('[')?;
        let inside = after.trim_start_matches('=');
        let equals = &after[..after.len() - inside.len()];
        let inside = inside.strip_prefix('[')?;
        let close = format!("]{equals}]");
        let (text, rest) = inside.split_once(&close)?;
        self.0 = rest;
        Some(text.strip_prefix('\n').unwrap_or(text).to_owned())
    }

    /// Space and comments.
    fn blank(&mut self) {
        loop {
            self.0 = self.0.trim_start();
            let Some(comment) = self.0.strip_prefix('#') else { return };
            self.0 = comment;
            if self.bracket().is_none() {
                self.0 = comment.split_once('\n').map_or("", |(_, rest)| rest);
            }
        }
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'a str {
        let rest = self.0.trim_start_matches(holds);
        let taken = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        taken
    }
}

/// What a backslash and this character stand for.
fn escaped(c: Option<char>) -> Option<char> {
    match c {
        Some('n') => Some('\n'),
        Some('t') => Some('\t'),
        Some('r') => Some('\r'),
        // The line goes on.
        Some('\n') => None,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, command: &[&str]) -> Command {
        Command::Test(Case {
            suite: String::new(),
            name: name.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
        })
    }

    #[track_caller]
    fn check(text: &str, want: &[Command]) {
        assert_eq!(commands(text), want, "{text}");
    }

    #[test]
    fn tests_are_read_as_cmake_writes_them() {
        check(
            r#"# CMake generated Testfile for
# Source directory: /src
add_test("plain" "/build/exe")
set_tests_properties("plain" PROPERTIES  _BACKTRACE_TRIPLES "/src/CMakeLists.txt;5;add_test;/src/CMakeLists.txt;0;")
add_test("with space [x]" "/build/exe" "a b" [[q"uo;te]] "gen")
add_test(oldstyle "exe" "\"old\" \\ ;\$x")
add_test("sh" "sh" "-c" "show.sh; exit 0")
subdirs("sub" "/else where")
"#,
            &[
                test("plain", &["/build/exe"]),
                test("with space [x]", &["/build/exe", "a b", "q\"uo;te", "gen"]),
                test("oldstyle", &["exe", "\"old\" \\ ;$x"]),
                test("sh", &["sh", "-c", "show.sh; exit 0"]),
                Command::Folder("sub".into()),
                Command::Folder("/else where".into()),
            ],
        );
    }

    #[test]
    fn every_configuration_and_what_a_build_finds_is_taken() {
        check(
            r#"if(CTEST_CONFIGURATION_TYPE MATCHES "^([Dd][Ee][Bb][Uu][Gg])$")
  add_test("plain" "/build/Debug/exe")
elseif((A AND B) OR "x")
  add_test("plain" "/build/Release/exe")
else()
  add_test("plain" NOT_AVAILABLE)
endif()
include("/build/units_include.cmake")
"#,
            &[
                test("plain", &["/build/Debug/exe"]),
                test("plain", &["/build/Release/exe"]),
                Command::Include("/build/units_include.cmake".into()),
            ],
        );
        check(
            "add_test([=[Suite.Name]=]  /build/units [==[--gtest_filter=Suite.Name]==] [==[--x]==])\n",
            &[test("Suite.Name", &["/build/units", "--gtest_filter=Suite.Name", "--x"])],
        );
    }

    #[test]
    fn nonsense_ends() {
        for text in
            ["add_test(", "add_test", "add_test(\"", "[[", "add_test([==[a", ")))", "#[[", "a(b(c", "é(\\"]
        {
            assert!(commands(text).is_empty(), "{text}");
        }
        check("add_test(a)", &[]);
    }

    #[test]
    fn folders_below_are_read_and_circles_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("CTestTestfile.cmake", "subdirs(\"one\")\nsubdirs(two missing)\nadd_test(top a)\n");
        write("one/CTestTestfile.cmake", "add_test(in_one b)\ninclude(more.cmake)\nsubdirs(\"..\" \".\")\n");
        write("one/more.cmake", "add_test(in_more c)\ninclude(more.cmake)\n");
        write("two/CTestTestfile.cmake", "add_test(in_two d)\n");
        let names: Vec<_> = read(dir.path()).expect("read").into_iter().map(|case| case.name).collect();
        assert_eq!(names, ["top", "in_one", "in_more", "in_two"]);
        assert_eq!(read(&dir.path().join("nothing")), None);
    }
}
