//! Stacks: each is told once per finding and referred to by number afterwards.

use std::fmt::{self, Write};

use gemscope_engine::Stamp;
use gemscope_trace::StackKind;

use super::paint::{Palette, paint};
use crate::names::Names;

/// Frames shown of one stack.
const FRAMES_MAX: usize = 40;

/// The stacks that a finding has told so far.
#[derive(Default)]
pub(super) struct Told(Vec<(i32, i32)>);

impl Told {
    /// Tells the stacks of a stamp, or refers to the place where they were told.
    pub fn tell(
        &mut self,
        out: &mut dyn Write,
        names: &Names<'_>,
        palette: &Palette,
        at: &Stamp,
        indent: &str,
    ) -> fmt::Result {
        let key = (at.kstack.max(-1), at.ustack.max(-1));
        if !at.is_known() || key == (-1, -1) {
            return Ok(());
        }
        if let Some(n) = self.0.iter().position(|k| *k == key) {
            return writeln!(out, "{indent}{}", paint(palette.faint, format!("stack {} (above)", n + 1)));
        }
        let kernel = names.frames(StackKind::Kernel, at.kstack, 0);
        let user = names.frames(StackKind::User, at.ustack, at.tgid);
        if kernel.is_empty() && user.is_empty() {
            return writeln!(out, "{indent}{}", paint(palette.faint, "stack not recorded"));
        }
        self.0.push(key);
        writeln!(out, "{indent}{}", paint(palette.faint, format!("stack {}", self.0.len())))?;
        part(out, palette, indent, "kernel", &kernel)?;
        part(out, palette, indent, "user", &user)
    }
}

fn part(out: &mut dyn Write, palette: &Palette, indent: &str, label: &str, frames: &[String]) -> fmt::Result {
    for (i, frame) in frames.iter().take(FRAMES_MAX).enumerate() {
        let label = if i == 0 { label } else { "" };
        writeln!(out, "{indent}  {} {frame}", paint(palette.faint, format_args!("{label:<6}")))?;
    }
    match frames.len().saturating_sub(FRAMES_MAX) {
        0 => Ok(()),
        more => writeln!(out, "{indent}         … {more} more frames"),
    }
}
