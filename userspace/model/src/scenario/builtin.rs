//! The scenarios that come with gemscope.

use super::Scenario;

macro_rules! scenarios {
    ($( $name:literal )+) => {
        /// Every scenario that comes with gemscope: name and text.
        pub const BUILTIN: &[(&str, &str)] =
            &[$( ($name, include_str!(concat!("../../scenarios/", $name, ".scenario"))), )+];
    };
}

scenarios! {
    "six-step-sharing"
    "stale-cache-reuse"
    "export-add-failure"
    "export-fd-failure"
    "export-vs-close"
    "export-vs-close-reuse"
    "double-export"
    "cache-vs-close"
    "second-exporter-reimport"
    "release-vs-import"
    "two-handles-one-file"
    "import-without-link"
    "create-vs-close"
    "close-vs-create"
    "framebuffer-after-close"
    "framebuffer-vs-close"
    "change-handle-vs-close"
    "change-handle"
    "o-path-holder"
    "fd-reused-at-once"
    "flink-vs-close"
    "open-name-vs-close"
    "self-import-one-bo"
    "self-import-two-files"
    "self-import-two-bos"
    "self-import-fd-dup"
    "reimport-vs-close"
    "two-imports-vs-close"
    "double-close-of-import"
    "double-close"
    "exporter-vs-importer-close"
    "export-import-close"
    "three-way-share"
    "name-export-close"
    "move-export-close"
    "twins"
    "handle-left"
    "dumb-destroy-of-import"
    "access-of-import"
    "create-failure"
    "import-failure"
    "self-import-failure"
    "mappings"
    "device-right"
    "device-forgets"
    "device-undoes-twice"
    "device-locks"
    "name-vs-attach"
}

/// The scenario with this name that comes with gemscope.
#[must_use]
pub fn builtin(name: &str) -> Option<Scenario> {
    let (_, text) = BUILTIN.iter().find(|(n, _)| *n == name)?;
    // A test parses every one.
    Scenario::parse(text).ok()
}
