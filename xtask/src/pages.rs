//! `cargo xtask pages`: the man pages and the shell completions, from the arguments of the command.
//!
//! A program beside the command makes them (`userspace/cli/examples/pages.rs`): xtask itself does not know the command, so that
//! it builds in a moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::scratch::Scratch;
use gemscope_vm::tool;

use crate::programs;
use crate::workspace;

/// The folders that hold nothing else.
const FOLDERS: [&str; 2] = ["docs/man", "completions"];

/// What is asked for.
#[derive(Debug, Args)]
pub struct PagesArgs {
    /// Compare with the committed ones instead of writing them.
    #[arg(long)]
    pub check: bool,
}

/// Writes all of them, or checks them.
///
/// # Errors
/// When they cannot be made or written, or are not what the arguments say.
pub fn run(args: &PagesArgs) -> Result<u8> {
    let scratch = Scratch::new("pages")?;
    let make = programs::of_tests()?.join("examples").join(programs::PAGES);
    tool::shown(Command::new(make).current_dir(workspace::root()).arg(scratch.path()))
        .context("the pages cannot be made")?;
    for folder in FOLDERS {
        let made = names(&scratch.path().join(folder))?;
        let kept = workspace::root().join(folder);
        if !args.check {
            fs::create_dir_all(&kept).with_context(|| format!("cannot make `{}`", kept.display()))?;
        }
        for name in names(&kept)?.difference(&made) {
            if args.check {
                bail!("`{folder}/{name}` is of no command any more: run `cargo xtask pages`");
            }
            fs::remove_file(kept.join(name)).with_context(|| format!("cannot remove `{folder}/{name}`"))?;
        }
        for name in &made {
            let page = format!("{folder}/{name}");
            let text = fs::read_to_string(scratch.path().join(&page))
                .with_context(|| format!("cannot read the new `{page}`"))?;
            workspace::keep_page(&page, &text, args.check, "the arguments say", "pages")?;
        }
    }
    Ok(0)
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`: run `cargo xtask pages`", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
