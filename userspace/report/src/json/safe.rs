//! Writing JSON so that a terminal can show it.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::escape::is_hostile;

/// Writes one value as one line.
///
/// # Errors
/// Those of `out`.
pub fn write_line(out: &mut dyn io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = Vec::with_capacity(512);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Safe))?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Compact, with every hostile character as a `\u` escape.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut start = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_hostile(*c)) {
            writer.write_all(&fragment.as_bytes()[start..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            start = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_escaped_and_come_back() {
        let text = "a\u{1b}[31m\u{202e}\u{9b}\u{e0041}ä\"\\\n";
        let mut out = Vec::new();
        write_line(&mut out, &text).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "\"a\\u001b[31m\\u202e\\u009b\\udb40\\udc41ä\\\"\\\\\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
