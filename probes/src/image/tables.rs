//! The symbol tables inside a kernel image.
//!
//! A vmlinuz is stripped, but the kernel carries its own symbol names, compressed: every name is a string of token
//! numbers, and a table gives each of the 256 tokens its text. The tables have no names themselves, so they are found
//! by their shape, from the one that cannot be mistaken outwards:
//!
//! * `kallsyms_token_table`: 256 strings, of which the digits stand for themselves;
//! * `kallsyms_token_index`, right behind it: where each of the strings begins;
//! * `kallsyms_markers`, before it: where every 256th name begins. From 6.2 to 6.3 and in later 6.1.y
//!   `kallsyms_seqs_of_names` lies between, three bytes a symbol;
//! * `kallsyms_names`, before that, and `kallsyms_num_syms` before the names.
//!
//! Their order has been this since the tables exist; addresses come before them up to 6.3 and after them from 6.4 on,
//! and are not read here.

use crate::symbols::{Builder, VMLINUX};

/// Text of the ten digits' tokens.
const DIGITS: &[u8] = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00";

/// No kernel has more symbols.
const MAX_SYMBOLS: u32 = 4_000_000;

/// Adds the names in the tables to `into`. False when `rodata` holds no tables.
pub fn collect(rodata: &[u8], into: &mut Builder) -> bool {
    let mut from = 0;
    while let Some(hit) = find(rodata.get(from..).unwrap_or_default(), DIGITS) {
        let digits = from + hit;
        if let Some(tokens) = Tokens::around(rodata, digits)
            && let Some(names) = find_names(rodata, tokens.start)
        {
            expand(rodata, names, &tokens, into);
            return true;
        }
        from = digits + 1;
    }
    false
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

struct Tokens<'a> {
    /// Where the table begins.
    start: usize,
    text: Vec<&'a [u8]>,
}

impl<'a> Tokens<'a> {
    /// The table whose token for `0` is at `digits`.
    fn around(data: &'a [u8], digits: usize) -> Option<Self> {
        let mut end = digits;
        for _ in usize::from(b'0')..256 {
            end += data.get(end..)?.iter().take(64).position(|&b| b == 0)? + 1;
        }
        for align in [2usize, 4, 8] {
            let index = end.checked_next_multiple_of(align)?;
            if u16_at(data, index) != Some(0) {
                continue;
            }
            let back = u16_at(data, index + 2 * usize::from(b'0'))?;
            let start = digits.checked_sub(usize::from(back))?;
            let text: Option<Vec<_>> = (0..256)
                .map(|i| {
                    let at = start + usize::from(u16_at(data, index + 2 * i)?);
                    let rest = data.get(at..)?;
                    rest.get(..rest.iter().take(64).position(|&b| b == 0)?)
                })
                .collect();
            // Each string begins where the one before it ended.
            let text = text?;
            let mut at = start;
            let fits = text.iter().enumerate().all(|(i, t)| {
                let here = u16_at(data, index + 2 * i).map(|o| start + usize::from(o));
                let fits = here == Some(at);
                at += t.len() + 1;
                fits
            });
            if fits && at == end {
                return Some(Self { start, text });
            }
        }
        None
    }
}

#[derive(Clone, Copy)]
struct Names {
    start: usize,
    count: u32,
}

/// How far before the tokens the markers may begin, in bytes: three bytes for every symbol lie between at most.
const MARKERS_WITHIN: usize = 16 << 20;

/// Bytes that 256 names take: each has a length and at least one token, at most 512.
const BLOCK: std::ops::RangeInclusive<u32> = 512..=256 * 514;

/// The names, whose markers come before `tokens`, with only `kallsyms_seqs_of_names` between where a kernel has it there.
fn find_names(data: &[u8], tokens: usize) -> Option<Names> {
    let mut at = tokens.saturating_sub(MARKERS_WITHIN) & !3;
    while at + 4 <= tokens {
        if u32_at(data, at)? != 0 {
            at += 4;
            continue;
        }
        // A run that begins with 0 and rises by a block of names at every step.
        let mut markers = vec![0u32];
        let mut end = at + 4;
        while let (Some(next), Some(&last)) = (u32_at(data, end), markers.last())
            && end + 4 <= tokens
            && next.checked_sub(last).is_some_and(|step| BLOCK.contains(&step))
        {
            markers.push(next);
            end += 4;
        }
        if let Some(names) = names_before(data, at, &markers, tokens - end) {
            return Some(names);
        }
        at = end;
    }
    None
}

/// The names that end right before their markers, which begin at `first` and have `gap` bytes between them and the
/// tokens.
fn names_before(data: &[u8], first: usize, markers: &[u32], gap: usize) -> Option<Names> {
    let blocks = u32::try_from(markers.len()).ok()?;
    let symbols = markers.len() * 256;
    let sequences = 3 * (symbols - 256)..=3 * symbols + 16;
    if gap > 16 && !sequences.contains(&gap) {
        return None;
    }
    let reach = usize::try_from(*markers.last()?).ok()?;
    let highest = first.checked_sub(reach)?;
    let lowest = highest.saturating_sub(256 * 514 + 16).max(8);
    let mut start = highest & !3;
    while start >= lowest {
        for gap in [4usize, 8] {
            let count = u32_at(data, start - gap)?;
            if count.div_ceil(256) == blocks
                && count <= MAX_SYMBOLS
                && fits(data, start, count, markers, first)
            {
                return Some(Names { start, count });
            }
        }
        start -= 4;
    }
    None
}

/// Length of the name at `at` in tokens, and where they begin.
fn name_at(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = usize::from(*data.get(at)?);
    if first & 0x80 == 0 {
        return Some((first, at + 1));
    }
    // Long names, from 6.1 on: seven bits, then the rest.
    let second = usize::from(*data.get(at + 1)?);
    Some(((first & 0x7f) | (second << 7), at + 2))
}

/// Do `count` names from `start` agree with every marker and end before `limit`?
fn fits(data: &[u8], start: usize, count: u32, markers: &[u32], limit: usize) -> bool {
    let mut at = start;
    for i in 0..count {
        if i % 256 == 0 && markers.get((i / 256) as usize).is_none_or(|&m| start + m as usize != at) {
            return false;
        }
        let Some((len, tokens)) = name_at(data, at) else { return false };
        at = tokens + len;
        if len == 0 || at > limit {
            return false;
        }
    }
    limit - at < 16
}

fn expand(data: &[u8], names: Names, tokens: &Tokens<'_>, into: &mut Builder) {
    let mut at = names.start;
    let mut text = Vec::new();
    for _ in 0..names.count {
        let Some((len, start)) = name_at(data, at) else { return };
        at = start + len;
        text.clear();
        for &token in data.get(start..at).unwrap_or_default() {
            text.extend_from_slice(tokens.text.get(usize::from(token)).copied().unwrap_or_default());
        }
        // The first letter is the kind, as `nm` writes it.
        if let Some((&kind, name)) = text.split_first()
            && let Ok(name) = str::from_utf8(name)
        {
            into.push(name, VMLINUX, kind, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tables as the kernel's build makes them: without compression, in the order of 6.4 and later.
    fn tables(names: &[String], gap: usize, sequences: bool) -> Vec<u8> {
        let mut out = vec![0xaa; 64];
        out.extend_from_slice(&(names.len() as u32).to_le_bytes());
        out.resize(out.len() + gap - 4, 0);
        let start = out.len();
        let mut markers = Vec::new();
        for (i, name) in names.iter().enumerate() {
            if i % 256 == 0 {
                markers.push((out.len() - start) as u32);
            }
            match name.len() {
                n @ 0..=0x7f => out.push(n as u8),
                n => out.extend_from_slice(&[(n & 0x7f) as u8 | 0x80, (n >> 7) as u8]),
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        for marker in markers {
            out.extend_from_slice(&marker.to_le_bytes());
        }
        if sequences {
            out.resize(out.len() + 3 * names.len(), 0x5a);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let table = out.len();
        let mut index = Vec::new();
        for token in 0..=255u8 {
            index.push((out.len() - table) as u16);
            if (0x20..0x7f).contains(&token) {
                out.push(token);
            }
            out.push(0);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend(index.iter().flat_map(|i| i.to_le_bytes()));
        out
    }

    fn read(bytes: &[u8]) -> Option<Vec<String>> {
        let mut builder = Builder::default();
        collect(bytes, &mut builder).then(|| builder.build().iter().map(|s| s.name.to_owned()).collect())
    }

    #[test]
    fn finds_names_of_every_length() {
        let mut names: Vec<String> = (0..1000).map(|i| format!("Tsymbol_{i:04}")).collect();
        names.push(format!("tz{}", "long".repeat(60)));
        for (gap, sequences) in [(4, false), (8, false), (8, true)] {
            let found = read(&tables(&names, gap, sequences)).unwrap();
            assert_eq!(found.len(), names.len());
            assert_eq!(found[..1000], names.iter().take(1000).map(|n| n[1..].to_owned()).collect::<Vec<_>>());
            assert_eq!(found[1000].len(), 241);
        }
    }

    #[test]
    fn digits_alone_are_no_tables() {
        assert_eq!(read(DIGITS), None);
        assert_eq!(read(&[DIGITS, &[0; 4096]].concat()), None);
    }

    proptest! {
        #[test]
        fn never_panics(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut: prop::sample::Index, sequences: bool) {
            let names: Vec<String> = (0..600).map(|i| format!("Tsymbol_{i:04}")).collect();
            let mut bytes = tables(&names, 8, sequences);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = read(&bytes);
        }
    }
}
