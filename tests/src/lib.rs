//! Tests that belong to no single crate: that the arrows of ARCHITECTURE.md hold, that pure crates are pure.
//!
//! The tests of the `gemscope` command are in `cli/` and belong to its package, which knows where its binary is.
