//! Stacks: user and kernel apart, each told once per finding; and the one place that a reader looks for.

use gemscope_engine::Stamp;
use gemscope_trace::StackKind;
use maud::{Markup, html};

use crate::names::Names;
use crate::text::stack::trim_runtime;

/// Frames shown of one stack.
const FRAMES_MAX: usize = 40;

/// The stacks that a finding has told so far.
#[derive(Default)]
pub(super) struct Told(Vec<(i32, i32)>);

impl Told {
    /// Tells the stacks of a stamp, or refers to the place where they were told. The first is open.
    pub fn tell(&mut self, names: &Names<'_>, at: &Stamp, id: &str) -> Markup {
        let key = (at.kstack.max(-1), at.ustack.max(-1));
        if !at.is_known() || key == (-1, -1) {
            return html! {};
        }
        if let Some(n) = self.0.iter().position(|k| *k == key) {
            let n = n + 1;
            return html! { p.same { "the same as " a href=(format!("#{id}-stack-{n}")) { "stack " (n) } } };
        }
        let kernel = names.frames(StackKind::Kernel, at.kstack, 0);
        let mut user = names.frames(StackKind::User, at.ustack, at.tgid);
        trim_runtime(&mut user);
        if kernel.is_empty() && user.is_empty() {
            return html! { p.same { "stack not recorded" } };
        }
        self.0.push(key);
        let n = self.0.len();
        html! {
            div.stack id=(format!("{id}-stack-{n}")) {
                (part("program", &user, n, n == 1))
                (part("kernel", &kernel, n, n == 1 && user.is_empty()))
            }
        }
    }
}

fn part(label: &str, frames: &[String], n: usize, open: bool) -> Markup {
    let more = frames.len().saturating_sub(FRAMES_MAX);
    html! {
        @if !frames.is_empty() {
            details open[open] {
                summary { "stack " (n) ", " (label) ": " code { (main(frames).unwrap_or_default()) } }
                ol.frames {
                    @for frame in frames.iter().take(FRAMES_MAX) { li { (frame) } }
                    @if more > 0 { li { "… " (more) " more frames" } }
                }
            }
        }
    }
}

/// Wrappers of system calls: true of every stack, and no answer to the question where.
fn is_wrapper(frame: &str) -> bool {
    ["__", "ioctl", "drmIoctl", "syscall", "…", "0x", "close+", "close ("]
        .iter()
        .any(|w| frame.starts_with(w))
        || frame.contains("(libc.so")
        || frame.contains("(libdrm.so")
}

/// The frame that tells most.
fn main(frames: &[String]) -> Option<&str> {
    frames.iter().find(|f| !is_wrapper(f)).or(frames.first()).map(String::as_str)
}

/// Where in the code something was done: the innermost frames of the program, or else of the kernel.
pub(super) fn place(names: &Names<'_>, at: &Stamp) -> Vec<String> {
    let mut user = names.frames(StackKind::User, at.ustack, at.tgid);
    trim_runtime(&mut user);
    let own: Vec<String> = user.iter().filter(|f| !is_wrapper(f)).take(3).cloned().collect();
    if !own.is_empty() {
        return own;
    }
    let kernel = names.frames(StackKind::Kernel, at.kstack, 0);
    user.into_iter().chain(kernel).take(1).collect()
}
