//! Mistakes in a file that people write: where, and what would be right.

use std::fmt;

/// A mistake, at its place. The text may have values of the file in it, as they came: escape it before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// line, from 1
    pub line: usize,
    /// column in characters, from 1
    pub column: usize,
    /// what is wrong, and what would be right
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Mistake {}

/// Line and column of a byte of a text, both from 1.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(byte)).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let begun = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[begun..].chars().count() + 1)
}

/// The one of the candidates that was perhaps meant; the first of those that are equally near.
#[must_use]
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = candidates.map(|c| (distance(text, c), c)).min()?;
    (distance <= text.chars().count().max(4) / 3 + 1).then_some(best)
}

/// `: did you mean X?` for the candidate that is nearest, or nothing.
pub(crate) fn did_you_mean<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    nearest(text, candidates).map_or_else(String::new, |best| format!(": did you mean `{best}`?"))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_an_editor() {
        #[track_caller]
        fn check(text: &str, byte: usize, expect: (usize, usize)) {
            assert_eq!(position(text, byte), expect);
        }
        check("", 0, (1, 1));
        check("ab\ncd", 1, (1, 2));
        check("ab\ncd", 3, (2, 1));
        check("ä = 1", 2, (1, 2));
        // Inside a character, and past the end.
        check("ä = 1", 1, (1, 1));
        check("ab\n", 99, (2, 1));
    }

    #[test]
    fn what_was_meant() {
        let names = ["timeout", "grace", "survivors"];
        assert_eq!(nearest("time-out", names.into_iter()), Some("timeout"));
        assert_eq!(nearest("gracious", names.into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
