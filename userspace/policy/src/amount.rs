//! Amounts as people write them.

/// A number, with a unit of bytes if there is one: `4096`, `64K`, `4MiB`. `None` when it is none, or too great.
#[must_use]
pub fn amount(text: &str) -> Option<u64> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let scale: u64 = match unit.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok().and_then(|n| n.checked_mul(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_bytes() {
        for (text, want) in [("0", 0), ("12", 12), ("64K", 64 << 10), ("4MiB", 4 << 20), ("1g", 1 << 30)] {
            assert_eq!(amount(text), Some(want), "{text}");
        }
        for wrong in
            ["", "K", "-1", "1.5M", "1T", "18446744073709551616", "99999999999999999999K", "99999999999G"]
        {
            assert_eq!(amount(wrong), None, "{wrong}");
        }
    }
}
