//! The last line of a test run, and the counts that cargo's test runner prints.

/// The totals as one plain line: `N passed, N failed`, with `, N skipped` where some were.
pub fn totals(passed: usize, failed: usize, skipped: usize) -> String {
    let mut line = format!("{passed} passed, {failed} failed");
    if skipped > 0 {
        line.push_str(&format!(", {skipped} skipped"));
    }
    line
}

/// The (passed, failed) of a `test result:` line.
pub fn counts(line: &str) -> Option<(usize, usize)> {
    let rest = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        let part = rest.split(';').map(str::trim).find(|part| part.ends_with(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_its_form() {
        assert_eq!(totals(3, 0, 0), "3 passed, 0 failed");
        assert_eq!(totals(3, 1, 2), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn cargo_is_understood() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(counts(line), Some((12, 1)));
        assert_eq!(counts("running 3 tests"), None);
    }
}
