//! What the page may do: nothing but its own style and its own script, known by their hashes.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

/// The style of the page.
pub(super) const STYLE: &str = include_str!("style.css");
/// The script of the page.
pub(super) const SCRIPT: &str = include_str!("script.js");

/// The Content-Security-Policy: no network, no frames, no forms, and no style or script but those two.
pub(super) fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
