//! Patterns of names.

use std::fmt;

use wildmatch::WildMatch;

/// A pattern: `*` stands for any text, `?` for any one character, everything else for itself. Capitals count.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob(WildMatch);

impl Glob {
    /// The pattern that is written so.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(WildMatch::new(pattern))
    }

    /// Does it match the whole name? What is not known, the empty name, matches nothing.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        !name.is_empty() && self.0.matches(name)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        #[track_caller]
        fn check(pattern: &str, name: &str, expect: bool) {
            assert_eq!(Glob::new(pattern).matches(name), expect, "{pattern} {name}");
        }
        check("weston", "weston", true);
        check("weston", "weston-2", false);
        check("weston*", "weston-2", true);
        check("*pool*alloc", "my_pool_of_alloc", true);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("Weston", "weston", false);
        // Brackets of C++ are themselves.
        check("map<int>::operator[]", "map<int>::operator[]", true);
        check("*", "", false);
        check("?", "ß", true);
    }
}
