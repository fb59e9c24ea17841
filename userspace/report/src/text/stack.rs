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
        let mut user = names.frames(StackKind::User, at.ustack, at.tgid);
        trim_runtime(&mut user);
        if kernel.is_empty() && user.is_empty() {
            return writeln!(out, "{indent}{}", paint(palette.faint, "stack not recorded"));
        }
        self.0.push(key);
        writeln!(out, "{indent}{}", paint(palette.faint, format!("stack {}", self.0.len())))?;
        part(out, palette, indent, "kernel", &kernel)?;
        part(out, palette, indent, "user", &user)
    }
}

/// What runs before `main` and before a thread's function says nothing about a buffer.
pub(crate) fn trim_runtime(frames: &mut Vec<String>) {
    let Some(from) = gemscope_policy::runtime_from(frames) else { return };
    let hidden = frames.len() - from;
    frames.truncate(from);
    if from == 0 || hidden > 1 {
        frames.push(format!("… {hidden} more of the runtime"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(frames: &[&str], expect: &[&str]) {
        let mut frames: Vec<String> = frames.iter().map(|f| (*f).to_owned()).collect();
        trim_runtime(&mut frames);
        assert_eq!(frames, expect);
    }

    #[test]
    fn the_runtime_is_left_out() {
        check(&["ioctl", "main"], &["ioctl", "main"]);
        check(
            &["ioctl", "main", "call_once<fn(), ()> (a)", "__rust_begin_short_backtrace<fn()>", "std::rt::x"],
            &["ioctl", "main", "… 3 more of the runtime"],
        );
        check(
            &["ioctl", "run", "start_thread+0x1 (libc.so.6)", "clone3"],
            &["ioctl", "run", "… 2 more of the runtime"],
        );
        check(&["__libc_start_main"], &["… 1 more of the runtime"]);
        check(&[], &[]);
    }
}
