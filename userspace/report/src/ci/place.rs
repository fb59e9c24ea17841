//! Where in the sources something was done, as code hosts name places.

use gemscope_engine::Stamp;
use gemscope_policy::{Frame, runtime_from};
use gemscope_trace::StackKind;

use crate::escape::is_hostile;
use crate::names::{Names, is_wrapper};

/// Where something was done. All text is as it came, not escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// the function; empty when not known
    pub function: String,
    /// where it is: a source file with a line, or else the binary
    pub file: Option<File>,
}

/// A file as code hosts name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// below the root of the sources: relative to it; else as it came
    pub path: String,
    /// it is relative to the root of the sources
    pub relative: bool,
    /// 0 when not known, and in binaries
    pub line: u32,
    /// it is a source file, not a binary
    pub source: bool,
}

impl Place {
    /// Of an event: the innermost frame of the program that is its own and has a source file; else its own frame; else the kernel's.
    pub fn of(names: &Names<'_>, at: &Stamp, root: &str) -> Self {
        let mut user = names.stack(StackKind::User, at);
        let words: Vec<String> = user.iter().map(|f| f.function.clone()).collect();
        if let Some(from) = runtime_from(&words) {
            user.truncate(from);
        }
        let own = |f: &&Frame| !is_wrapper(&format!("{} ({})", f.function, f.module));
        let with_source = user.iter().filter(own).find(|f| is_own_source(&f.file));
        if let Some(f) = with_source.or(user.iter().find(own)).or(user.first()) {
            return Self::of_frame(f, root);
        }
        names.stack(StackKind::Kernel, at).first().map_or_else(Self::default, Self::of_kernel_frame)
    }

    /// Of a frame of a program.
    pub fn of_frame(f: &Frame, root: &str) -> Self {
        let file = match (f.file.as_str(), f.module.as_str()) {
            ("", "") => None,
            ("", module) => Some(File { path: module.to_owned(), relative: false, line: 0, source: false }),
            (file, _) => Some(File::source(file, f.line, root)),
        };
        Self { function: f.function.clone(), file }
    }

    /// Of a frame of the kernel, of which no sources are known.
    pub fn of_kernel_frame(f: &Frame) -> Self {
        let path = if f.module.is_empty() { "vmlinux".to_owned() } else { format!("{}.ko", f.module) };
        let file = File { path, relative: false, line: 0, source: false };
        Self { function: f.function.clone(), file: Some(file) }
    }

    /// The source file, where it is one of the sources at hand, and its line. A name that could steer a terminal is none of theirs.
    pub fn in_sources(&self) -> Option<(&str, u32)> {
        let file = self.file.as_ref().filter(|f| f.source && f.relative && !f.path.contains(is_hostile))?;
        Some((file.path.as_str(), file.line))
    }
}

impl File {
    fn source(path: &str, line: u32, root: &str) -> Self {
        let clean = lexical(path);
        let below = |root: &str| Some(clean.strip_prefix(root)?.strip_prefix('/')?.to_owned());
        let root = root.trim_end_matches('/');
        let relative = match clean.starts_with('/') {
            true if root.starts_with('/') => below(root),
            true => None,
            false => Some(clean.clone()).filter(|c| !c.starts_with("../") && !c.is_empty()),
        };
        match relative {
            Some(path) => Self { path, relative: true, line, source: true },
            None => Self { path: clean, relative: false, line, source: true },
        }
    }
}

/// A source of the program: not of the language's own library, whose paths are those of the machine that built it.
fn is_own_source(file: &str) -> bool {
    const OTHERS: &[&str] = &["/rustc/", "../sysdeps/", "./sysdeps/", "library/std/", "library/core/"];
    !file.is_empty() && !OTHERS.iter().any(|o| file.starts_with(o))
}

/// Without `.` and, as far as it goes, without `..`.
fn lexical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let rest = parts.join("/");
    if path.starts_with('/') { format!("/{rest}") } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, root: &str, want: Option<&str>) {
        let file = File::source(path, 3, root);
        assert_eq!(file.relative.then_some(file.path.as_str()), want, "{file:?}");
    }

    #[test]
    fn paths_are_relative_to_the_sources() {
        check("src/main.c", "", Some("src/main.c"));
        check("./src/../src/main.c", "/w", Some("src/main.c"));
        check("/w/src/main.c", "/w", Some("src/main.c"));
        check("/w/src/main.c", "/w/", Some("src/main.c"));
        check("/w/a/../b.c", "/w", Some("b.c"));
        check("/w/../b.c", "/w", None);
        check("/water/b.c", "/w", None);
        check("../b.c", "/w", None);
        check("/w/src/main.c", "", None);
    }
}
