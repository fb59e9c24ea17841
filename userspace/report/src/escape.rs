//! The one way by which a name from outside reaches a terminal or a line of JSON.
//!
//! Names of processes, drivers, dma-bufs, symbols, files and arguments are chosen by other programs. A terminal obeys
//! what it is sent, so whatever could move its cursor, change its title, reorder text or hide is written out as an
//! escape. A backslash is doubled, so that an escape in the output always means what it says.

use std::fmt::Write as _;

/// Longest name shown in running text, in characters.
pub const NAME_MAX: usize = 96;

/// Longest path, symbol or argument, in characters.
pub const LONG_MAX: usize = 240;

/// A name for running text: at most [`NAME_MAX`] characters.
#[must_use]
pub fn name(bytes: &[u8]) -> String {
    cut(bytes, NAME_MAX)
}

/// A path, symbol, argument or sentence: at most [`LONG_MAX`] characters.
#[must_use]
pub fn long(bytes: &[u8]) -> String {
    cut(bytes, LONG_MAX)
}

/// Printable text of at most `max` characters of the original; what was cut off is shown as `…`.
#[must_use]
pub fn cut(bytes: &[u8], max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(max * 4));
    let mut left = max;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            push(&mut out, c);
        }
        for byte in chunk.invalid() {
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hostile(c) && (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c if is_hostile(c) => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
        c => out.push(c),
    }
}

/// Could this character steer a terminal, reorder the text around it, or hide?
#[must_use]
pub const fn is_hostile(c: char) -> bool {
    matches!(c,
        // C0, DEL, C1: escape sequences begin here, in their 7-bit and 8-bit forms.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Zero width, direction marks, line and paragraph separators, bidi embeddings, overrides and isolates.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
        | '\u{1d173}'..='\u{1d17a}'
        // Private use: a font's business, not text. Tags and variation selectors: invisible.
        | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(input: &[u8], expect: &str) {
        assert_eq!(name(input), expect);
    }

    #[test]
    fn ordinary_names_stay() {
        check(b"gnome-shell", "gnome-shell");
        check("Größe 日本".as_bytes(), "Größe 日本");
        check(b"", "");
    }

    #[test]
    fn escape_sequences_are_shown() {
        check(b"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
        check(b"\x1b]0;title\x07", "\\x1b]0;title\\x07");
        check("\u{9b}2J".as_bytes(), "\\x9b2J");
        check(b"a\r\nb\tc\0", "a\\r\\nb\\tc\\x00");
        check(b"\x7f", "\\x7f");
    }

    #[test]
    fn text_cannot_be_reordered_or_hidden() {
        check("a\u{202e}b".as_bytes(), "a\\u{202e}b");
        check("a\u{2066}b\u{200b}".as_bytes(), "a\\u{2066}b\\u{200b}");
        check("\u{feff}x\u{e0041}".as_bytes(), "\\u{feff}x\\u{e0041}");
    }

    #[test]
    fn invalid_utf8_is_shown_byte_by_byte() {
        check(b"a\xff\xc3", "a\\xff\\xc3");
        check(b"\xed\xa0\x80", "\\xed\\xa0\\x80");
    }

    #[test]
    fn an_escape_cannot_be_forged() {
        check(b"\\x1b", "\\\\x1b");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(cut(b"abcdef", 3), "abc…");
        assert_eq!(cut(b"abc", 3), "abc");
        assert_eq!(cut(b"ab\xff\xff", 3), "ab\\xff…");
    }

    proptest! {
        #[test]
        fn nothing_hostile_ever_comes_out(bytes: Vec<u8>, max in 0usize..200) {
            let out = cut(&bytes, max);
            prop_assert!(!out.chars().any(is_hostile));
            // The longest escape of one character has ten.
            prop_assert!(out.chars().count() <= max * 10 + 1);
        }
    }
}
